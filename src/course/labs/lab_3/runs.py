"""Judges pipeline runs by what the metadata store and the artifacts tell of them: tasks 2 to 5 of lab 3."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_1 import records
from course.labs.lab_2 import files
from course.labs.lab_3 import ledger, months
from course.labs.lab_3.ledger import CACHED, COMPLETE, FAILED, Artifact, Execution, Ledger, Run

PARTS = ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "Pusher")
FUNCTIONS = {
    "Transform": ("preprocessing_fn", "my_flights.features.preprocessing_fn"),
    "Trainer": ("run_fn", "my_flights.model.run_fn"),
}
MOST_MODEL = 20_000_000


class Runs:
    """The runs of a student's store, each with the months that its examples hold."""

    def __init__(self, lab: checks.Lab, store: Any) -> None:
        """Reads the store.

        Raises:
            checks.Wrong: there is none, or nothing has run.
        """
        self.lab, self.ledger = lab, ledger.of_student(lab, store)
        self._known: dict[int, dict[str, Counter]] = {}

    def splits(self, artifact: Artifact) -> dict[str, Counter]:
        """For each split of raw examples, how many flights of each month it holds."""
        if artifact.id not in self._known:
            root, found = files._inside(self.lab, artifact.uri), {}
            for folder in sorted(root.glob("Split-*")) if root.is_dir() else []:
                if folder.is_dir() and not folder.is_symlink():
                    found[folder.name.removeprefix("Split-")] = Counter(
                        str(one.get("month")) for one in records.split(folder)
                    )
            self._known[artifact.id] = found
        return self._known[artifact.id]

    def months(self, artifact: Artifact) -> set[str]:
        """The months of all splits."""
        return {month for counted in self.splits(artifact).values() for month in counted}

    def of(self, *numbers: int) -> list[Run]:
        """The runs whose examples are of exactly these months, the oldest first."""
        wanted = {str(number) for number in numbers}
        return [run for run in self.ledger.runs if (raw := source(run)) and self.months(raw) == wanted]


def source(run: Run) -> Artifact | None:
    """The raw examples of a run: those of the component that has no input."""
    for one in run.executions:
        if not one.inputs and one.has_worked:
            for artifact in (artifact for given in one.outputs.values() for artifact in given):
                if artifact.type == "Examples":
                    return artifact
    return None


def _kind(run: Run, kind: str) -> Execution | None:
    if kind == "ExampleGen":
        raw = source(run)
        wrote = [one for one in run.executions if any(raw in given for given in one.outputs.values())]
        return next((one for one in wrote if not one.inputs), None)
    return run.find(kind)


# --- Task 2 -------------------------------------------------------------------------------------------------------


def judge_january(lab: checks.Lab, store: Any, version: Any) -> None:
    """Two points for a whole run with the package's functions, two for the version that it pushed.

    Raises:
        checks.Wrong: something is missing.
    """
    runs = Runs(lab, store)
    found = runs.of(1)
    if not found:
        raise checks.Wrong("No run in your store has read January, and nothing else: look at `months` and `data_root`.")
    whole = [run for run in found if not _missing(run)]
    if not whole:
        raise checks.Wrong(f"No run on January is whole: {_missing(found[-1])}")
    _flights(runs, whole[0])
    told = next((told for run in whole if (told := _named(run) or _demands(run))), None)
    if told:
        raise checks.Wrong(told)
    _pushed(lab, runs.ledger, whole, version)


def _missing(run: Run) -> str:
    """What a run lacks, as the rest of a sentence; empty when it is whole."""
    for kind in PARTS:
        execution = _kind(run, kind)
        if execution is None:
            return f"it has no {kind}, or stopped before it."
        if not execution.has_worked:
            return f"its {kind} did not come to its end."
    return ""


def _flights(runs: Runs, run: Run) -> None:
    splits = runs.splits(source(run))
    total = sum(counted.total() for counted in splits.values())
    if total != months.ROWS:
        raise checks.Wrong(f"January has {months.ROWS:,} flights, and the examples of your run are {total:,}.")
    if sum(counted.total() > 100 for counted in splits.values()) < 2:
        raise checks.Wrong(
            "The examples of your run are one split: on which flights is the model judged that it was not trained with?"
        )


def _named(run: Run) -> str:
    for kind, (setting, wanted) in FUNCTIONS.items():
        properties = run.find(kind).properties
        if properties.get("module_file") or properties.get("module_path"):
            return f"{kind} was given a file of code. Name the function instead, by its package: then it is found wherever the package is."
        if str(properties.get(setting, "")).strip('"') != wanted:
            return f"{kind} did not run your package: its `{setting}` is {str(properties.get(setting))[:60]!r}, and should be {wanted!r}."
    return ""


def _demands(run: Run) -> str:
    said = str(run.find("Evaluator").properties.get("eval_config", "")).replace("_", "").lower()
    if "valuethreshold" not in said:
        return "Your Evaluator demands no value of any metric (`value_threshold`): the first model would be blessed whatever it is worth."
    if "changethreshold" not in said:
        return "Your Evaluator demands nothing against the baseline (`change_threshold`): a worse model would follow a good one."
    return ""


def _pushed(lab: checks.Lab, found: Ledger, runs: list[Run], version: Any) -> None:
    pushed = {}
    for run in runs:
        pusher = run.find("Pusher")
        for artifact in (artifact for given in pusher.outputs.values() for artifact in given):
            if artifact.properties.get("pushed") == 1:
                pushed[str(artifact.properties.get("pushed_version"))] = (artifact, pusher)
    if not pushed:
        raise checks.Wrong(
            "January's run is whole, and its model was not pushed. Was it blessed? The Evaluator's blessing, and its metrics, say what it missed.",
            points=2,
        )
    given = Path(str(version)).name
    if given not in pushed:
        raise checks.Wrong(
            f"January's run is whole. `VERSION` is {str(version)[:40]!r}, which none of January's runs has pushed: it is the name of a folder in `serving`.",
            points=2,
        )
    artifact, pusher = pushed[given]
    served = _model(lab, str(artifact.properties.get("pushed_destination") or artifact.uri))
    trained = (
        _model(lab, f"{pusher.one('inputs', 'model').uri}/Format-Serving") if pusher.one("inputs", "model") else None
    )
    if not served or served != trained:
        raise checks.Wrong(f"Version {given} in your workspace is not the model that was trained.", points=2)


def _model(lab: checks.Lab, uri: str) -> bytes | None:
    path = files._inside(lab, uri) / "saved_model.pb"
    return path.read_bytes() if path.is_file() and path.stat().st_size < MOST_MODEL else None


# --- Task 3 -------------------------------------------------------------------------------------------------------

BEFORE_MODEL = ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer")


def judge_cache(lab: checks.Lab, store: Any) -> None:
    """Two points for a run that took all it could from the cache, two for one after an edit that did not.

    Raises:
        checks.Wrong: a run is missing, or the cache did what it should not.
    """
    runs = Runs(lab, store)
    found = [run for run in runs.of(1) if all(_kind(run, kind) for kind in BEFORE_MODEL)]
    if len(found) < 2:
        raise checks.Wrong("January has not been run a second time.")
    problems, points = [], 0.0
    if any(all(_kind(run, kind).state == CACHED for kind in BEFORE_MODEL) for run in found[1:]):
        points += 2
    else:
        anew = [kind for kind in BEFORE_MODEL if _kind(found[1], kind).state != CACHED]
        problems.append(
            f"No run took everything up to the model from the cache. In the second, these ran again: {', '.join(anew)}. "
            "Is the cache enabled? Is anything among their settings other in each run: a time, a random number, an order?"
        )
    told = _edited(runs, found)
    points += 0 if told else 2
    # What never comes from the cache shows nothing by running again.
    if problems:
        raise checks.Wrong("\n".join([*problems, *([told] if told else [])]), points=0)
    if told:
        raise checks.Wrong(told, points=points)


def _edited(runs: Runs, found: list[Run]) -> str:
    """What is wrong with the run after the edit; empty when one is right."""
    told = "There is no run in which Transform ran again. Edit the function, save it, and run January once more. "
    told += "If you did: how would the cache know of it? Of a function it compares the name, among the settings of a component."
    for number, run in enumerate(found[1:], start=1):
        transform, trainer = run.find("Transform"), run.find("Trainer")
        if transform.state != COMPLETE:
            continue
        earlier = [one for one in found[:number] if source(one).id == source(run).id]
        if not earlier or any(_kind(run, kind).state != CACHED for kind in ("ExampleGen", "StatisticsGen")):
            told = "In the run with the edited function the data, too, were read again: they had not changed."
        elif trainer.state != COMPLETE:
            told = "In the run with the edited function Transform ran again, and the Trainer did not."
        elif not _features(runs.lab, run) - set().union(*(_features(runs.lab, one) for one in earlier)):
            told = "Transform ran again, and wrote the same features as before: something else has changed than the function. Add a feature."
        else:
            return ""
    return told


def _features(lab: checks.Lab, run: Run) -> set[str]:
    """The names of the transformed features."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    graph = run.find("Transform").one("outputs", "transform_graph")
    if graph is None:
        return set()
    content = files.text(lab, f"{graph.uri}/transformed_metadata/schema.pbtxt")
    try:
        return {feature.name for feature in text_format.Parse(content, schema_pb2.Schema()).feature}
    except text_format.ParseError as error:
        raise checks.Wrong("The transform graph in your workspace has no schema that can be read.") from error


# --- Task 4 -------------------------------------------------------------------------------------------------------


def judge_february(lab: checks.Lab, store: Any) -> None:
    """Two points for months that are kept apart, two for the baseline.

    Raises:
        checks.Wrong: they are not, or it is another.
    """
    runs = Runs(lab, store)
    found = [run for run in runs.of(1, 2) if not _missing(run)]
    if not found:
        raise checks.Wrong("No whole run in your store has read January and February. `Config(..., months=(1, 2))`?")
    told = {run.name: _window(runs, run) for run in found}
    apart = [run for run in found if not told[run.name]]
    if not apart:
        raise checks.Wrong(told[found[-1].name])
    told = {run.name: _baseline(runs, run) for run in apart}
    if all(told.values()):
        raise checks.Wrong(told[apart[-1].name], points=2)


def _window(runs: Runs, run: Run) -> str:
    splits = runs.splits(source(run))
    train = _names(run.find("Trainer").properties.get("train_args"), "splits", ["train"])
    judged = _names(run.find("Evaluator").properties.get("example_splits"), "", ["eval"])
    for what, names, number in (("trained with", train, 1), ("judged on", judged, 2)):
        counted = sum((splits.get(name, Counter()) for name in names), Counter())
        if counted != Counter({str(number): months.ROWS}):
            held = ", ".join(f"{count:,} of month {month}" for month, count in sorted(counted.items())) or "none"
            return f"The model is {what} {held} (split {', '.join(names)[:60]}). It should be the {months.ROWS:,} flights of month {number}."
    return ""


def _names(said: Any, key: str, default: list[str]) -> list[str]:
    try:
        found = json.loads(said) if isinstance(said, str) else None
        found = found.get(key) if key and isinstance(found, dict) else found
    except (ValueError, RecursionError):
        found = None
    return [str(name) for name in found] if isinstance(found, list) and found else default


def _baseline(runs: Runs, run: Run) -> str:
    evaluator = run.find("Evaluator")
    baseline = evaluator.one("inputs", "baseline_model")
    if baseline is None:
        return "The months are kept apart. The Evaluator of February's run has no baseline: which component looks up the latest blessed model?"
    model = evaluator.one("inputs", "model")
    if model and baseline.id == model.id:
        return "February's run holds the model against itself. Run February before you run it again."
    trainer = runs.ledger.producer(baseline)
    graph = trainer.one("inputs", "transform_graph") if trainer else None
    transform = runs.ledger.producer(graph) if graph else None
    raw = transform.one("inputs", "examples") if transform else None
    if raw is None or runs.months(raw) != {"1"}:
        return "The baseline of February's run is not a model of January's."
    judged = [one for one in runs.ledger.executions if one.is_a("Evaluator") and one.one("inputs", "model") == baseline]
    blessed = [one.one("outputs", "blessing") for one in judged if one.has_worked]
    if not any(found and found.properties.get("blessed") == 1 for found in blessed):
        return "The baseline of February's run was never blessed: the latest model is not the latest good one."
    return ""


# --- Task 5 -------------------------------------------------------------------------------------------------------


def judge_refused(lab: checks.Lab, store: Any, column: Any) -> None:
    """Two points for a run that stopped where it should, one for the column.

    Raises:
        checks.Wrong: it went on, stopped for another reason, or the column is another.
    """
    runs = Runs(lab, store)
    fault = months.fault(lab.seed).column
    march = [run for run in runs.ledger.runs if (raw := source(run)) and str(months.SPOILT) in runs.months(raw)]
    if not march:
        raise checks.Wrong(
            "No run in your store has read March. If one stopped at the data already: are all three months there?"
        )
    told = _stopped(runs, march[-1], fault)
    if told:
        raise checks.Wrong(told)
    if not isinstance(column, str) or column.strip() != fault:
        raise checks.Wrong(
            f"The run was stopped in time. `COLUMN` is {str(column)[:40]!r}, and that column is in order. The message of the component that failed names the one that is not.",
            points=2,
        )


def _stopped(runs: Runs, run: Run, fault: str) -> str:
    raw = runs.splits(source(run))
    if not {"1", "2"} <= runs.months(source(run)):
        return f"Your run on March has read {len(runs.months(source(run)))} month(s): run January to March, `months=(1, 3)`."
    if max(counted.get(str(months.SPOILT), 0) for counted in raw.values()) != months.ROWS:
        return f"March has {months.ROWS:,} flights. It has to be read as it was delivered, as one split."
    validator = run.find("ExampleValidator")
    if validator is None or not validator.has_worked:
        return "Your run on March stopped before ExampleValidator had looked at the data."
    if fault not in _anomalies(runs.lab, validator):
        return "ExampleValidator found nothing in the column that is wrong. Is it the curated schema that it was given, and March as it was delivered?"
    on = [
        kind for kind in ("Transform", "Trainer", "Evaluator", "Pusher") if (one := run.find(kind)) and one.has_worked
    ]
    if on:
        return f"ExampleValidator found what is wrong, and the run went on: {', '.join(on)} came to an end. Which component reads the anomalies and fails, and what waits for it?"
    if not any(one.state == FAILED for one in run.executions):
        return "No component of the run on March has failed: it is not over, or was broken off."
    return ""


def _anomalies(lab: checks.Lab, validator: Execution) -> set[str]:
    """The columns that ExampleValidator objected to."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    artifact = validator.one("outputs", "anomalies")
    root = files._inside(lab, artifact.uri) if artifact else None
    found: set[str] = set()
    for path in sorted(root.glob("Split-*/SchemaDiff.pb")) if root and root.is_dir() else []:
        if (
            path.is_file()
            and path.resolve().is_relative_to(lab.workspace.resolve())
            and path.stat().st_size < files.MOST_BYTES
        ):
            message = anomalies_pb2.Anomalies()
            try:
                message.ParseFromString(path.read_bytes())
            except Exception as error:
                raise checks.Wrong("The anomalies in your workspace cannot be read.") from error
            found |= set(message.anomaly_info)
    return found
