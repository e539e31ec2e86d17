"""What became of runs, as Airflow's REST API says it: a file with its answers, never more than is reasonable."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course import checks
from judges.lab_4.cases import NAMES, UPSTREAM

FILE = "runs.json"
"""The entries of `dagRuns` and `taskInstances`, under `dag_runs` and `task_instances`."""

MOST_ENTRIES, MOST_BYTES = 20_000, 50_000_000


@dataclass(frozen=True)
class TaskState:
    """A task of a run: its state, how often it was tried, and when it was tried last (UTC)."""

    task: str
    state: str
    tries: int
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Run:
    """A run of a DAG; `month` is that in which its data interval begins, 0 when it has none."""

    dag: str
    name: str
    state: str
    month: int
    tasks: dict[str, TaskState] = field(default_factory=dict)


def read(path: Path) -> list[Run]:
    """The runs, the oldest first.

    Raises:
        checks.Wrong: the file is not as Airflow's API has it.
    """
    if not path.is_file():
        raise checks.Wrong(
            f'There is no `{path.parent.name}/{path.name}`, into which `lab.airflow("dags test ...")` writes what Airflow says of its runs: Airflow has not run anything yet.'
        )
    if path.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"`{path.name}` is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        return _runs(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise checks.Wrong(
            f"`{path.name}` is not as Airflow's API answers ({str(error)[:80]}): run `dags test` again."
        ) from error


def _runs(found: dict[str, Any]) -> list[Run]:
    runs = {}
    for one in found["dag_runs"][:MOST_ENTRIES]:
        start = _moment(one["data_interval_start"])
        own = Run(str(one["dag_id"]), str(one["dag_run_id"]), str(one["state"]), start.month if start else 0)
        runs[own.dag, own.name] = own
    entries = sorted(found["task_instances"][:MOST_ENTRIES], key=lambda one: (one["end_date"] or "9", one["task_id"]))
    for one in entries:
        run = runs.get((str(one["dag_id"]), str(one["dag_run_id"])))
        if run:
            task, state, tries = str(one["task_id"]), str(one["state"] or "none"), int(one["try_number"] or 0)
            run.tasks[task] = TaskState(task, state, tries, _moment(one["start_date"]), _moment(one["end_date"]))
    return list(runs.values())


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None


def latest(home: Path) -> list[str]:
    """The newest run, in lines: a task each with its state, then the run; nothing where Airflow has not said anything of runs."""
    runs = read(home / FILE) if (home / FILE).is_file() else []
    return lines(runs[-1]) if runs else []


def lines(run: Run) -> list[str]:
    """A run, in lines."""
    month = NAMES[run.month - 1] if run.month else "no month"
    tries = {task.task: f"  ({task.tries} tries)" if task.tries > 1 else "" for task in run.tasks.values()}
    # Those that wait for nothing run in any order: here they stand in that of the pipeline, what is no step of it first.
    order = [*sorted(set(run.tasks) - set(UPSTREAM)), *(step for step in UPSTREAM if step in run.tasks)]
    told = [f"{name:<20} {run.tasks[name].state}{tries[name]}" for name in order]
    return [*told, f"{'run for ' + month:<20} {run.state}"]


SHOWN = {"success": "ok", "upstream_failed": "upstream", "none": "-"}


def grid(path: Path) -> list[str]:
    """What the Grid of Airflow's web page shows, in lines: a row for each task, a column for each run; a number where there was more than one try."""
    runs = read(path)
    names = list(dict.fromkeys(task for run in runs for task in run.tasks))
    width = max([len(name) for name in names], default=0) + 2
    heads = [f"2013-{run.month:02d}" if run.month else run.name[:8] for run in runs]
    told = ["".join([" " * width, *(f"{head:<11}" for head in heads)]).rstrip()]
    told.append("".join([f"{'(run)':<{width}}", *(f"{SHOWN.get(run.state, run.state):<11}" for run in runs)]).rstrip())
    for name in names:
        cells = []
        for run in runs:
            task = run.tasks.get(name)
            cell = SHOWN.get(task.state, task.state)[:8] if task else ""
            cells.append(f"{cell + (f' {task.tries}' if task and task.tries > 1 else ''):<11}")
        told.append("".join([f"{name:<{width}}", *cells]).rstrip())
    return told
