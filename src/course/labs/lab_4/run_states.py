"""What became of runs, as Airflow's REST API says it: a file with the entries of `dagRuns` and `taskInstances`."""

from __future__ import annotations

import calendar
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

FILE = "runs.json"
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Run:
    """A run of a DAG; `month` is that in which its data interval begins, 0 when it has none; `tasks` are their states and tries, in the order in which they ended."""

    name: str
    state: str
    month: int
    tasks: dict[str, tuple[str, int]] = field(default_factory=dict)


def read(path: Path) -> list[Run]:
    """The runs, the oldest first; none where there is no file.

    Raises:
        ValueError: the file is not as Airflow's API has it.
    """
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8") if path.stat().st_size < MOST_BYTES else "")
        runs = {}
        for one in found["dag_runs"]:
            start = one["data_interval_start"]
            month = datetime.fromisoformat(start).month if start else 0
            runs[one["dag_run_id"]] = Run(str(one["dag_run_id"]), str(one["state"]), month)
        for one in sorted(found["task_instances"], key=lambda one: (one["end_date"] or "9", one["task_id"])):
            told = str(one["state"] or "none"), int(one["try_number"] or 0)
            runs[one["dag_run_id"]].tasks[str(one["task_id"])] = told
        return list(runs.values())
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"`{path.name}` is not as Airflow's API answers ({str(error)[:80]}).") from error


def lines(run: Run) -> list[str]:
    """A run, in lines: a task each with its state, by their names, then the run."""
    told = [
        f"{name:<20} {state}{f'  ({tries} tries)' if tries > 1 else ''}"
        for name, (state, tries) in sorted(run.tasks.items())
    ]
    return [*told, f"{'run for ' + (calendar.month_name[run.month] or 'no month'):<20} {run.state}"]


def left_out(month: int, tasks: Collection[str], states: Collection[str]) -> str:
    """Which tasks of a DAG a run does not have, in a sentence; empty when it has all (`airflow.models.dagrun.DagRun.verify_integrity`, 3.3).

    Args:
        month: of the run, 1 to 12.
        tasks: those of the DAG.
        states: those of the run.
    """
    missing = sorted(set(tasks) - set(states))
    if not missing:
        return ""
    lacks = f"lacks the task `{missing[0][:60]}`" if states else "has no tasks"
    return (
        f"The run for {calendar.month_name[month]} {lacks}: Airflow leaves out tasks whose `start_date` is after the run's logical date, which is the beginning of "
        "its data interval, or whose `end_date` is before it."
    )


SHOWN = {"success": "ok", "upstream_failed": "upstream", "none": "-"}


def grid(path: Path) -> list[str]:
    """What the Grid of Airflow's web page shows, in lines: a row for each task, a column for each run; a number where there was more than one try."""
    runs = read(path)
    rows = [["", *(f"2013-{run.month:02d}" for run in runs)]]
    rows.append(["(run)", *(SHOWN.get(run.state, run.state) for run in runs)])
    for name in dict.fromkeys(task for run in runs for task in run.tasks):
        told = [run.tasks.get(name, ("", 0)) for run in runs]
        rows.append([name, *(f"{SHOWN.get(state, state)[:8]}{f' {n}' if n > 1 else ''}" for state, n in told)])
    width = max(len(row[0]) for row in rows) + 2
    return ["".join([f"{row[0]:<{width}}", *(f"{cell:<11}" for cell in row[1:])]).rstrip() for row in rows]
