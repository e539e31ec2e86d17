"""The log of a task: where it is, what it says, why the task failed. For both environments.

Airflow 3 writes a log as JSON, an object a line, in the process that watches over the task. `airflow dags test` has no such process: there the
log goes to the terminal, and nothing would be kept.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.common import last_words

if TYPE_CHECKING:
    from airflow.sdk import TaskInstance

FAILED = "Task failed with exception"
"""What Airflow's own log says then (`airflow.sdk.execution_time.task_runner`)."""


def path(home: str | Path, dag: str, run: str, task: str, number: int) -> Path:
    """The log of a try, where Airflow puts it unless it is told otherwise."""
    return Path(home) / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}" / f"attempt={max(number, 1)}.log"


def path_of(task: TaskInstance) -> Path:
    """The log of the try that is running."""
    return path(os.environ["AIRFLOW_HOME"], task.dag_id, task.run_id, task.task_id, task.try_number)


@contextmanager
def keeper(task: TaskInstance) -> Iterator[Callable[[str], None]]:
    """A function that keeps a line in the task's log, where Airflow itself does not; with the error that ends the block, as Airflow has it."""
    log = path_of(task)
    if log.exists():  # Airflow has opened it before it began the task
        yield lambda _: None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", buffering=1) as file:

        def keep(line: str, level: str = "info", **more: Any) -> None:
            now = datetime.datetime.now(datetime.UTC).isoformat()
            file.write(json.dumps({"timestamp": now, "level": level, "event": line, **more}) + "\n")

        try:
            yield keep
        except Exception as error:
            detail = {"exc_type": type(error).__name__, "exc_value": str(error)}
            keep(FAILED, "error", error_detail=[detail])
            raise


def said(log: Path) -> list[str]:
    """What a log says, without times: its lines, and after an error its name and message."""
    found = []
    for entry in _entries(log):
        found += str(entry.get("event", "")).splitlines()
        if error := _error(entry):
            found += f"{error.get('exc_type')}: {error.get('exc_value')}".splitlines()
    return found


def reason(log: Path) -> str:
    """The error of a task, out of its log: without what follows, and without Airflow's name for it."""
    if not log.is_file():
        return "It left no log."
    errors = [str(error.get("exc_value")) for entry in _entries(log) if (error := _error(entry))]
    return bare(errors[-1] if errors else last_words("\n".join(said(log)))) or f"See {log}."


def bare(message: str) -> str:
    """The message of a failed step, without the name of its node before it."""
    return re.sub(r"^\w+ failed: ", "", message)


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; one that is no JSON, such as what a process of the system has printed, as a line that Airflow wrote."""
    for line in log.read_text(errors="replace").splitlines():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            found = None
        yield found if isinstance(found, dict) else {"event": line}


def _error(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The error that a line was written for: the first is the one that was raised, those after it are its causes."""
    return next(iter(entry.get("error_detail") or ()), None)
