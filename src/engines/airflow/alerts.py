"""Tells a person that a task has failed for good: a line in `alerts.log` of AIRFLOW_HOME. A team would send it to where it looks."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engines.airflow import logs

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST = 500
"""Characters of a reason; the log has all of it."""


def tell(context: Context) -> None:
    """For `on_failure_callback`: appends time, DAG, task, span, reason and log, which Airflow calls once no retry is left."""
    task = context["task_instance"]
    date = context.get("logical_date")  # of a run that was triggered by hand there may be none
    project = getattr(getattr(task, "task", None), "project", None)
    asked = context["params"].get(project.calendar.field) if project else ""
    spans = asked or (f"{date:%Y-%m}" if date else task.run_id)
    # Where a task was lost, rather than failed, there is no exception.
    reason = str(context.get("exception") or "it ended without a word: was it killed?")
    line = " | ".join(
        [
            datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
            task.dag_id,
            task.task_id,
            str(spans),
            re.sub(r"\s*\n\s*", " ", reason.strip())[:LONGEST],
            str(logs.path_of(task)),
        ]
    )
    with file().open("a") as alerts:
        alerts.write(line + "\n")


def file() -> Path:
    """Where the alerts are."""
    return Path(os.environ["AIRFLOW_HOME"]) / "alerts.log"
