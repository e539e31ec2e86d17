"""Judges a real run of lab 4 by what is told of it by Airflow's REST API and by the pipeline's metadata store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from course import checks
from judges.lab_2 import workspace_files
from judges.lab_3 import metadata_store, runs
from judges.lab_3.metadata_store import MetadataStore
from judges.lab_3.runs import Runs
from judges.lab_4 import dag_file, rehearsed, run_states
from judges.lab_4.cases import UPSTREAM
from judges.lab_4.rehearsed import Rehearsal

SLACK = timedelta(seconds=2)
"""Clocks of two processes are read one after the other."""


def judge_run(lab: checks.Lab, store: Any) -> None:
    """A point for January and its model, which is pushed; a point for February, held against it. Both run by Airflow.

    Raises:
        checks.Wrong: something is missing.
    """
    rehearsal = rehearsed.of_student(lab)
    found = run_states.read(workspace_files.inside(lab, f"{dag_file.HOME}/{run_states.FILE}"))
    done = {run.name: run for run in found if run.dag == dag_file.NAME}
    if not done:
        raise checks.Wrong(f"Airflow has not run `{dag_file.NAME}` yet: it knows of no run of it.")
    months = Runs(lab, store)
    seen = _Seen(rehearsal, months.store, _begun(lab, store), done)
    whole = {}
    for name, numbers in (("January", (1,)), ("February", (1, 2))):
        runs_of = months.of(*numbers)
        if not runs_of:
            read = [sorted(months.months(raw)) for run in months.store.runs if (raw := runs.source(run))]
            raise checks.Wrong(
                f"No run in your store is the one for {name}; the months that were read are {', '.join(' and '.join(one) for one in read) or 'none'}. `dags test` takes the date "
                "of the day on which a run would start by itself, with the hour if the schedule has one: January's starts in February.",
                points=1 if name == "February" else 0,
            )
        told = [seen.wrong(run, name) for run in runs_of]
        if all(told):
            raise checks.Wrong(told[-1], points=1 if name == "February" else 0)
        whole[name] = [run for run, wrong in zip(runs_of, told, strict=True) if not wrong]
        if name == "January" and not any(_is_pushed(lab, run) for run in whole[name]):
            raise checks.Wrong(
                "Airflow ran January to its end, and no model of that run was pushed. Was it blessed? The thresholds are in `my_flights/config.py` and `flights.config`."
            )
    models = {artifact.id for run in whole["January"] for artifact in run.find("Trainer").outputs.get("model", [])}
    judged = [run.find("Evaluator").one("inputs", "baseline_model") for run in whole["February"]]
    if not any(model and model.id in models for model in judged):
        raise checks.Wrong(
            "February was not held against January's model: the two were not run one after the other.", points=1
        )


@dataclass(frozen=True)
class _Seen:
    """What Airflow and the store tell."""

    rehearsal: Rehearsal
    store: MetadataStore
    begun: dict[int, datetime]
    done: dict[str, run_states.Run]

    def wrong(self, run: metadata_store.Run, name: str) -> str:
        """What is wrong with a run of the pipeline as one of Airflow's, in a sentence; empty when nothing is."""
        airflows = self.done.get(run.name)
        if airflows is None:
            return f"{name} was run as {run.name[:60]!r}, and Airflow knows of no run of that name: the steps were not run by it, or got another name than its `run_id`. A second `dags test` for the same date replaces the run before."
        if airflows.state != "success":
            failed = [task.task for task in airflows.tasks.values() if task.state == "failed"]
            which = f": {failed[0][:60]} failed" if failed else ""
            return f"Airflow has the run for {name} as {airflows.state[:20]!r}{which}. What it said is in `airflow/last-command.log`."
        for step in UPSTREAM:
            told = self._step(run, airflows, step, name)
            if told:
                return told
        return ""

    def _step(self, run: metadata_store.Run, airflows: run_states.Run, step: str, name: str) -> str:
        """What is wrong with a step of a run."""
        task = airflows.tasks.get(self.rehearsal.task_of(step) or "")
        if task is None or task.state != "success" or not task.end:
            return f"In Airflow's run for {name}, the task of {step} is {task.state[:20] if task else 'missing'}."
        # A step that was cleared runs again as RUN.2.
        own = [one for one in self.store.executions if one.run.partition(".")[0] == run.name.partition(".")[0]]
        moments = [self.begun[one.id] for one in own if one.node == step and one.has_worked and one.id in self.begun]
        if not moments:
            return f"Airflow has the task of {step} as done, and the store knows of no execution of {step} in that run."
        ends = [found.end for one in UPSTREAM[step] if (found := airflows.tasks.get(self.rehearsal.task_of(one) or ""))]
        earliest = max([end for end in ends if end] + ([task.start] if task.start else []), default=None)
        if not any(
            (earliest is None or earliest - SLACK <= moment) and moment <= task.end + SLACK for moment in moments
        ):
            return f"In the run for {name}, {step} was executed at another time than Airflow's task for it."
        return ""


def _begun(lab: checks.Lab, store: str) -> dict[int, datetime]:
    """When each execution of a store began, which `metadata_store` does not read."""
    path = workspace_files.inside(lab, store)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            rows = connection.execute(
                f"SELECT id, create_time_since_epoch FROM Execution LIMIT {metadata_store.MOST_ROWS}"
            ).fetchall()
        return {int(number): datetime.fromtimestamp(int(moment) / 1000, UTC) for number, moment in rows}
    except (sqlite3.Error, TypeError, ValueError, OverflowError, OSError) as error:
        raise checks.Wrong(f"`STORE` is no metadata store of TFX: {str(error)[:120]}") from error


def _is_pushed(lab: checks.Lab, run: metadata_store.Run) -> bool:
    """Whether the run has pushed a model, which is where it was pushed to."""
    pusher = run.find("Pusher")
    for artifact in (one for given in pusher.outputs.values() for one in given):
        folder = str(artifact.properties.get("pushed_destination") or artifact.uri)
        if (
            artifact.properties.get("pushed") == 1
            and (workspace_files.inside(lab, folder) / "saved_model.pb").is_file()
        ):
            return True
    return False
