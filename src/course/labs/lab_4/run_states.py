"""What Airflow's database says became of runs: plain rows of SQLite, read-only, never more than is reasonable."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from course import checks
from course.labs.lab_4.cases import NAMES, UPSTREAM

DATABASE = "airflow.db"
MOST_ROWS, MOST_BYTES = 20_000, 50_000_000


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
    """The runs of a database, the oldest first.

    Raises:
        checks.Wrong: it is no database of Airflow's.
    """
    if not path.is_file():
        raise checks.Wrong(f"There is no `{path.parent.name}/{path.name}`: Airflow has not run anything yet.")
    if path.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"`{path.name}` is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            return _read(connection)
    except (sqlite3.Error, UnicodeError, TypeError, ValueError, OverflowError) as error:
        raise checks.Wrong(f"`{path.name}` is no database of Airflow's: {str(error)[:120]}") from error


def _read(connection: sqlite3.Connection) -> list[Run]:
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_master LIMIT 1000"))
    if kinds.get("dag_run") != "table" or kinds.get("task_instance") != "table":
        raise checks.Wrong("`airflow.db` has not the tables of Airflow.")
    runs = {}
    columns = "dag_id, run_id, state, data_interval_start"
    for dag, name, state, start in connection.execute(f"SELECT {columns} FROM dag_run ORDER BY id LIMIT {MOST_ROWS}"):
        moment = _moment(start)
        runs[dag, name] = Run(str(dag), str(name), str(state), moment.month if moment else 0)
    columns = "dag_id, run_id, task_id, state, try_number, start_date, end_date"
    rows = connection.execute(
        f"SELECT {columns} FROM task_instance ORDER BY coalesce(end_date, '9'), task_id LIMIT {MOST_ROWS}"
    )
    for dag, name, task, state, tries, start, end in rows:
        if (dag, name) in runs:
            found = TaskState(str(task), str(state or "none"), int(tries or 0), _moment(start), _moment(end))
            runs[dag, name].tasks[str(task)] = found
    return list(runs.values())


def _moment(text: str | None) -> datetime | None:
    found = re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", str(text))
    return datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else None


def newest(home: Path) -> Run | None:
    """The run that was begun last."""
    runs = read(home / DATABASE)
    return runs[-1] if runs else None


def latest(home: Path) -> list[str]:
    """The newest run, in lines: a task each with its state, then the run."""
    run = newest(home)
    return lines(run) if run else []


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
