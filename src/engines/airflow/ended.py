"""What became of each task, as Airflow's callbacks are told it: a line of JSON in `ended.jsonl` of AIRFLOW_HOME, for who waits for a run."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from engines.airflow import logs

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclasses.dataclass(frozen=True)
class Ended:
    """A task that has ended for good.

    Attributes:
        task: its id.
        result: what it returned: for a step `done` or `cached`; empty: it has failed.
        reason: why it has failed.
        log: the file with what its last try said; it need not exist.
    """

    task: str
    result: str
    reason: str
    log: str


def succeeded(context: Context) -> None:
    """For `on_success_callback`."""
    task = context["ti"]
    _note(Ended(task.task_id, str(task.xcom_pull(task_ids=task.task_id) or ""), "", str(logs.path_of(task))))


def failed(context: Context) -> None:
    """For `on_failure_callback`."""
    task = context["ti"]
    why = str(context.get("exception") or "It ended without a word: was it killed?")
    _note(Ended(task.task_id, "", logs.bare(why), str(logs.path_of(task))))


def file(home: str | Path) -> Path:
    """Where the lines are."""
    return Path(home) / "ended.jsonl"


def read(home: str | Path) -> list[Ended]:
    """Those that have ended; a line that is not whole yet is left for the next look."""
    found = file(home).read_text() if file(home).exists() else ""
    return [Ended(**json.loads(line)) for line in found.splitlines(keepends=True) if line.endswith("\n")]


def _note(one: Ended) -> None:
    with file(os.environ["AIRFLOW_HOME"]).open("a") as lines:
        lines.write(json.dumps(dataclasses.asdict(one)) + "\n")
