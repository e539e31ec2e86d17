"""Judges the run on a March that must be refused: task 5 of lab 3."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_3 import months, runs
from judges.lab_3.runs import Runs
from judges.shared import workspace_files
from judges.shared.metadata_store import FAILED, Execution, Run

AFTER_GATE = ("Transform", "Trainer", "Evaluator", "Pusher")


def judge_refused(lab: checks.Lab, store: Any, column: Any) -> None:
    """Two points for a run that stopped where it should, one for the column.

    The last run on the three months counts: earlier ones may have gone on.

    Raises:
        checks.Wrong: it went on, stopped for another reason, or the column is another.
    """
    own = Runs(lab, store)
    fault = months.fault(lab.seed).column
    wanted = {str(number) for number in (*months.GOOD, months.SPOILT)}
    march = [run for run in own.all if (raw := runs.source(run)) and str(months.SPOILT) in own.months(raw)]
    if not march:
        raise checks.Wrong(
            "No run in your store has read March. If one stopped at the data already: are all three months there?"
        )
    three = [run for run in march if wanted <= own.months(runs.source(run))]
    if not three:
        number = len(own.months(runs.source(march[-1])))
        raise checks.Wrong(f"Your run on March has read {number} month(s): run January to March, `months=(1, 3)`.")
    told = _stopped(own, three[-1], fault)
    if told:
        raise checks.Wrong(told)
    if not isinstance(column, str) or column.strip() != fault:
        raise checks.Wrong(
            f"The run was stopped in time. `COLUMN` is {str(column)[:40]!r}, and that column is in order. The message of the component that failed names the one that is not.",
            points=2,
        )


def _stopped(own: Runs, run: Run, fault: str) -> str:
    splits = own.splits(runs.source(run))
    if max(counted.get(str(months.SPOILT), 0) for counted in splits.values()) != months.ROWS:
        return f"March has {months.ROWS:,} flights. It has to be read as it was delivered, as one split."
    validator = run.find("ExampleValidator")
    if validator is None or not validator.has_worked:
        return "Your run on March stopped before ExampleValidator had looked at the data."
    if fault not in _anomalies(own.lab, validator):
        return "ExampleValidator found nothing in the column that is wrong. Is it the curated schema that it was given, and March as it was delivered?"
    on = [kind for kind in AFTER_GATE if (one := run.find(kind)) and one.has_worked]
    if on:
        return f"ExampleValidator found what is wrong, and the run went on: {', '.join(on)} came to an end. Which component reads the anomalies and fails, and what waits for it?"
    failed = [one for one in run.executions if one.state == FAILED]
    if not failed:
        return "No component of the run on March has failed: it is not over, or was broken off."
    if not any(_reads(one, validator) for one in failed):
        return (
            f"What failed is {failed[0].node[:40] or 'a component'}, which does not read the anomalies: it broke down on flights that should never have "
            "reached it. Next month's may not break it. Which component reads the anomalies and fails, and what waits for it?"
        )
    return ""


def _reads(execution: Execution, validator: Execution) -> bool:
    """Whether a component has what ExampleValidator wrote among its inputs."""
    wrote = {artifact.id for given in validator.outputs.values() for artifact in given}
    return any(artifact.id in wrote for given in execution.inputs.values() for artifact in given)


def _anomalies(lab: checks.Lab, validator: Execution) -> set[str]:
    """The columns that ExampleValidator objected to."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    artifact = validator.one("outputs", "anomalies")
    root = workspace_files.inside(lab, artifact.uri) if artifact else None
    found: set[str] = set()
    for path in sorted(root.glob("Split-*/SchemaDiff.pb")) if root and root.is_dir() else []:
        is_own = path.is_file() and path.resolve().is_relative_to(lab.workspace.resolve())
        if is_own and path.stat().st_size < workspace_files.MOST_BYTES:
            message = anomalies_pb2.Anomalies()
            try:
                message.ParseFromString(path.read_bytes())
            except Exception as error:
                raise checks.Wrong("The anomalies in your workspace cannot be read.") from error
            found |= set(message.anomaly_info)
    return found
