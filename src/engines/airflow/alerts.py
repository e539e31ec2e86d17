"""Tells a person that a task has failed for good: a line in `alerts.log` of AIRFLOW_HOME. A team would send it to where it looks."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.utils.context import Context

LONGEST = 500
"""Characters of a reason; the log has all of it."""


def tell(context: Context) -> None:
    """For `on_failure_callback`: appends time, DAG, task, span, reason and log, which Airflow calls once no retry is left."""
    task = context["task_instance"]
    date = context["logical_date"]
    project = getattr(getattr(task, "task", None), "project", None)
    asked = context["params"].get(project.calendar.field) if project else ""
    spans = asked or f"{date:%Y-%m}"
    # Where a task was lost, rather than failed, there is no exception.
    reason = str(context.get("exception") or context.get("reason") or "it ended without a word: was it killed?")
    line = " | ".join(
        [
            datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
            task.dag_id,
            task.task_id,
            str(spans),
            re.sub(r"\s*\n\s*", " ", reason.strip())[:LONGEST],
            str(log_of(task.dag_id, task.run_id, task.task_id, task.try_number)),
        ]
    )
    with file().open("a") as alerts:
        alerts.write(line + "\n")


def file() -> Path:
    """Where the alerts are."""
    return Path(os.environ["AIRFLOW_HOME"]) / "alerts.log"


def log_of(dag_id: str, run_id: str, task_id: str, number: int) -> Path:
    """The log of a try, where Airflow puts it unless it is told otherwise."""
    folder = Path(os.environ["AIRFLOW_HOME"]) / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    return folder / f"attempt={number}.log"
