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
    airflows = {run.name: run for run in told}
    runs: Runs = {}
    for one in metadata_store.of_student(lab, store).executions:
        name = re.sub(r"\.\d{1,3}$", "", one.run)
        runs.setdefault(name if name in airflows else one.run, []).append(one)
    months: dict[str, set[str]] = {name: _months(lab, executions) for name, executions in runs.items()}
    january = _whole("January", {"1"}, runs, months, airflows, 0)
    pushed = [name for name in january if _is_pushed(lab, _outputs(runs[name], "Pusher"))]
    if not pushed:
        raise checks.Wrong(
            "Airflow ran January to its end, and no model of that run was pushed. Was it blessed? The thresholds are in `my_flights/config.py` and `flights.config`."
        )
    february = _whole("February", {"1", "2"}, runs, months, airflows, 1)
    models = {artifact.id for name in january for artifact in _outputs(runs[name], "Trainer")}
    judged = [one.one("inputs", "baseline_model") for name in february for one in runs[name] if one.node == "Evaluator"]
    if not any(model and model.id in models for model in judged):
        raise checks.Wrong(
            "February was not held against January's model: the two were not run one after the other.", points=1
        )


def _whole(
    title: str,
    wanted: set[str],
    runs: Runs,
    months: dict[str, set[str]],
    airflows: dict[str, run_states.Run],
    points: float,
) -> list[str]:
    """The runs for a month that Airflow and the store have as done."""
    own = [name for name in runs if months[name] == wanted]
    if not own:
        read = [" and ".join(sorted(one, key=int)) for one in months.values() if one]
        raise checks.Wrong(
            f"No run in your store is the one for {title}; the months that were read are {'; '.join(read) or 'none'}. `dags test` takes the date of the day on which "
            "a run would start by itself, with the hour if the schedule has one: January's starts in February.",
            points=points,
        )
    wrong = [(name, _wrong(title, name, runs[name], airflows.get(name))) for name in own]
    done = [name for name, told in wrong if not told]
    if not done:
        raise checks.Wrong(wrong[-1][1], points=points)
    return done


def _wrong(title: str, name: str, executions: list[Execution], airflows: run_states.Run | None) -> str:
    """What is wrong with a run of the pipeline as one of Airflow's, in a sentence; empty when nothing is."""
    if airflows is None:
        return (
            f"The steps of {title} were run under the name {name[:60]!r}, and Airflow knows of no run of that name: `steps.command` takes Airflow's `run_id`, and a task "
            "starts what it gives. (A second `dags test` for the same date replaces the run before.)"
        )
    if airflows.state != "success":
        failed = [task for task, (state, _) in airflows.tasks.items() if state == "failed"]
        which = f": `{failed[0][:60]}` failed" if failed else ""
        return f"Airflow has the run for {title} as {airflows.state[:20]!r}{which}. What it said is in `airflow/last-command.log`."
    lacks = [step for step in UPSTREAM if not any(one.node == step and one.has_worked for one in executions)]
    return (
        f"Airflow has the run for {title} as done, and the store knows of no {lacks[0]} in it that has worked."
        if lacks
        else ""
    )


def _months(lab: checks.Lab, executions: list[Execution]) -> set[str]:
    """The months of the flights that a run has read."""
    found: set[str] = set()
    for artifact in _outputs(executions, "CsvExampleGen")[:1]:
        root = workspace_files.inside(lab, artifact.uri)
        for split in sorted(root.glob("Split-*"))[:4] if root.is_dir() else []:
            if split.is_dir() and not split.is_symlink():
                found |= {
                    str(int(one["month"])) for one in example_records.split(split) if isinstance(one.get("month"), int)
                }
    return found


def _outputs(executions: list[Execution], node: str) -> list[Artifact]:
    """What the last execution of a node that has worked has written."""
    last = next((one for one in reversed(executions) if one.node == node and one.has_worked), None)
    return [artifact for given in last.outputs.values() for artifact in given] if last else []


def _is_pushed(lab: checks.Lab, artifacts: list[Artifact]) -> bool:
    """Whether a model lies where it was pushed to."""
    for one in artifacts:
        folder = str(one.properties.get("pushed_destination") or one.uri)
        if one.properties.get("pushed") == 1 and (workspace_files.inside(lab, folder) / "saved_model.pb").is_file():
            return True
    return False
