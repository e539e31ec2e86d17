"""Judges two real runs of lab 4 by what is told of them by Airflow's REST API and by the pipeline's metadata store (task 4)."""

from __future__ import annotations

import re
from typing import Any

from course import checks
from course.labs.lab_4 import dag_file, run_states
from judges.lab_4.cases import UPSTREAM
from judges.shared import example_records, metadata_store, workspace_files
from judges.shared.metadata_store import Artifact, Execution

Runs = dict[str, list[Execution]]
"""The executions of each of Airflow's runs. A step that is done again in one is a pipeline run of its own, `RUN.2`."""


def judge_run(lab: checks.Lab, store: Any) -> None:
    """A point for January and its model, which is pushed; a point for February, held against it. Both run by Airflow.

    Raises:
        checks.Wrong: something is missing.
    """
    try:
        told = run_states.read(workspace_files.inside(lab, f"{dag_file.HOME}/{run_states.FILE}"))
    except ValueError as error:
        raise checks.Wrong(f"{error} Run `dags test` again.") from error
    if not told:
        raise checks.Wrong(f'Airflow has run nothing yet: `lab.airflow("dags test {dag_file.NAME} ...")` does.')
    airflows, runs = {run.name: run for run in told}, Runs()
    for one in metadata_store.of_student(lab, store).executions:
        name = re.sub(r"\.\d{1,3}$", "", one.run)
        runs.setdefault(name if name in airflows else one.run, []).append(one)
    months = {name: _months(lab, executions) for name, executions in runs.items()}

    def whole(title: str, wanted: set[str], points: float) -> list[str]:
        """The runs for a month that Airflow and the store have as done."""
        wrong = {name: _wrong(title, name, runs[name], airflows.get(name)) for name in runs if months[name] == wanted}
        done = [name for name, problem in wrong.items() if not problem]
        read = "; ".join(" and ".join(sorted(one, key=int)) for one in months.values() if one)
        missing = (
            f"No run in your store is the one for {title}; the months that were read are {read or 'none'}. `dags test` takes the date of the day on which "
            "a run would start by itself, with the hour if the schedule has one: January's starts in February."
        )
        if not done:
            raise checks.Wrong([missing, *wrong.values()][-1], points=points)
        return done

    january = whole("January", {"1"}, 0)
    if not any(_is_pushed(lab, _outputs(runs[name], "Pusher")) for name in january):
        raise checks.Wrong(
            "Airflow ran January to its end, and no model of that run was pushed. Was it blessed? The thresholds are in `my_flights/config.py` and `flights.config`."
        )
    models = {artifact.id for name in january for artifact in _outputs(runs[name], "Trainer")}
    february = [one for name in whole("February", {"1", "2"}, 1) for one in runs[name] if one.node == "Evaluator"]
    if not any((model := one.one("inputs", "baseline_model")) and model.id in models for one in february):
        raise checks.Wrong("February was not held against January's model: run them one after the other.", points=1)


def _wrong(title: str, name: str, executions: list[Execution], airflows: run_states.Run | None) -> str:
    """What is wrong with a run of the pipeline as one of Airflow's, in a sentence; empty when nothing is."""
    if airflows is None:
        return (
            f"The steps of {title} were run under the name {name[:60]!r}, and Airflow knows of no run of that name: `steps.command` takes Airflow's `run_id`, and a task "
            "starts what it gives. (A second `dags test` for the same date replaces the run before.)"
        )
    if airflows.state != "success":
        failed = next(
            (f": `{task[:60]}` failed" for task, (state, _) in airflows.tasks.items() if state == "failed"), ""
        )
        return f"Airflow has the run for {title} as {airflows.state[:20]!r}{failed}. What it said is in `airflow/last-command.log`."
    lacks = [step for step in UPSTREAM if not any(one.node == step and one.has_worked for one in executions)]
    done = f"Airflow has the run for {title} as done, and the store knows of no"
    return f"{done} {lacks[0]} in it that has worked." if lacks else ""


def _months(lab: checks.Lab, executions: list[Execution]) -> set[str]:
    """The months of the flights that a run has read."""
    found: set[str] = set()
    for artifact in _outputs(executions, "CsvExampleGen")[:1]:
        for split in sorted(workspace_files.inside(lab, artifact.uri).glob("Split-*"))[:4]:
            if split.is_dir() and not split.is_symlink():
                found |= {
                    str(one["month"]) for one in example_records.split(split) if isinstance(one.get("month"), int)
                }
    return found


def _outputs(executions: list[Execution], node: str) -> list[Artifact]:
    """What the last execution of a node that has worked has written."""
    last = next((one for one in reversed(executions) if one.node == node and one.has_worked), None)
    return [artifact for given in last.outputs.values() for artifact in given] if last else []


def _is_pushed(lab: checks.Lab, artifacts: list[Artifact]) -> bool:
    """Whether a model lies where it was pushed to."""
    places = [
        str(one.properties.get("pushed_destination") or one.uri)
        for one in artifacts
        if one.properties.get("pushed") == 1
    ]
    return any((workspace_files.inside(lab, place) / "saved_model.pb").is_file() for place in places)
