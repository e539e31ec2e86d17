"""Runs of a compiled pipeline, judged by what their steps have left: tasks 6 to 8 of lab 5."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_5 import COPY, pipeline_spec
from judges.shared import example_records, workspace_files

ROWS = 2000
MOST_MODEL = 50_000_000
MOST_GAIN = 0.05
"""What a gate may demand of a candidate beyond the baseline: a package of one's own may ask for a little."""
SERVING = "serving"


class Run:
    """What a run has left.

    Attributes:
        folder: of the run; a folder for each task is below it.
        found: the specification.
        tasks: its tasks by kind.
    """

    def __init__(self, lab: checks.Lab, folder: Path, found: pipeline_spec.Compiled) -> None:
        """Args: lab: whose workspace it is in; folder, found: as above."""
        self.lab, self.folder, self.found, self.tasks = lab, folder, found, pipeline_spec.steps(found)

    def outputs(self, task: str) -> dict[str, dict[str, Any]]:
        """What a finished task said of its outputs: metadata by name; empty when it did not finish."""
        path = self._path(task, "executor_output.json")
        if path is None:
            return {}
        said = pipeline_spec.json_of(path.read_text(encoding="utf-8", errors="replace"))
        artifacts = said.get("artifacts") if isinstance(said, dict) else None
        found = {}
        for name, value in artifacts.items() if isinstance(artifacts, dict) else ():
            listed = value.get("artifacts") if isinstance(value, dict) else None
            first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
            found[str(name)] = first.get("metadata") if isinstance(first.get("metadata"), dict) else {}
        return found

    def has(self, task: str) -> bool:
        """Whether the task came to its end. DataGate has no outputs, and so an empty message."""
        return self._path(task, "executor_output.json") is not None

    def _path(self, *parts: str) -> Path | None:
        path = self.folder.joinpath(*parts)
        inside = path.resolve().is_relative_to(self.lab.workspace.resolve())
        return path if inside and path.is_file() and path.stat().st_size < workspace_files.MOST_BYTES else None

    def missing(self) -> str | None:
        """The first kind of step that is not there or did not finish."""
        return next(
            (kind for kind in pipeline_spec.KINDS if kind not in self.tasks or not self.has(self.tasks[kind])), None
        )

    def model(self, task: str, output: str) -> str | None:
        """The fingerprint of the model that a task has left."""
        return fingerprint(self.lab, self.folder / task / output / "Format-Serving")

    def months(self) -> dict[str, Counter]:
        """How many flights of each month the splits of the raw examples hold."""
        root, found = self.folder / self.tasks["CsvExampleGen"] / "examples", {}
        for path in sorted(root.glob("Split-*")):
            if path.is_dir() and not path.is_symlink() and path.resolve().is_relative_to(self.lab.workspace.resolve()):
                found[path.name.removeprefix("Split-")] = Counter(
                    str(one.get("month")) for one in example_records.split(path)
                )
        return found


def fingerprint(lab: checks.Lab, folder: Path) -> str | None:
    """Of a SavedModel's graph and weights; None where there is none."""
    parts = [folder / "saved_model.pb", *sorted(folder.glob("variables/variables.*"))]
    digest = hashlib.sha256()
    for path in parts:
        inside = path.resolve().is_relative_to(lab.workspace.resolve())
        if not inside or not path.is_file() or path.stat().st_size > MOST_MODEL:
            return None
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16] if len(parts) > 2 else None


def of_student(lab: checks.Lab, given: Any, name: str) -> Run:
    """The run that an answer names.

    Raises:
        checks.Wrong: it names none, or one that is not whole.
    """
    folder = workspace_files.folder(lab, given, name, "the folder of a run, which `lab.submit` returns")
    if not (folder / COPY).is_file():
        raise checks.Wrong(f"`{name}` is no folder of a run: give what `lab.submit` returned.")
    found = pipeline_spec.parsed(
        workspace_files.text(lab, str(folder.relative_to(lab.workspace.resolve()) / COPY)), f"{name}: {COPY}"
    )
    run = Run(lab, folder, found)
    if kind := run.missing():
        raise checks.Wrong(
            f"The run that `{name}` names is not whole: its {kind} is missing, or did not come to its end."
        )
    for kind, start in (("Transform", "my_flights."), ("Trainer", "my_flights.")):
        functions = [
            value for value in found.settings(run.tasks[kind]).values() if str(value).strip('"').startswith(start)
        ]
        if not functions:
            raise checks.Wrong(
                f"The run that `{name}` names did not run your package: its {kind} calls no function of `my_flights`."
            )
    return run


def judge_january(lab: checks.Lab, given: Any) -> None:
    """One point for a whole run on January without a baseline, one for the model that it has pushed.

    Raises:
        checks.Wrong: it is none.
    """
    run = of_student(lab, given, "JANUARY_RUN")
    counted = sum(run.months().values(), Counter())
    if counted != Counter({"1": ROWS}):
        raise checks.Wrong(f"`JANUARY_RUN` has read {_listed(counted)}. It should be the {ROWS:,} flights of January.")
    if run.model(run.tasks["LatestBlessedModel"], "model"):
        raise checks.Wrong(
            "January's run found a baseline: a model was pushed before it. Empty the destination, or name another, and run January first.",
            points=1,
        )
    version = pushed(run)
    if version is None:
        raise checks.Wrong(
            "January's run is whole, and its model was refused: nothing was pushed. Which threshold did it miss?",
            points=1,
        )
    served = fingerprint(lab, workspace_files.inside(lab, f"{SERVING}/{version}"))
    if served is None or served != run.model(run.tasks["Trainer"], "model"):
        raise checks.Wrong(
            f"January's run has pushed version {version}, and the model of its Trainer is not at `{SERVING}/{version}`. Where does "
            "`push_destination` lead?",
            points=1,
        )


def pushed(run: Run) -> str | None:
    """The version that a run has pushed."""
    said = run.outputs(run.tasks["Pusher"]).get("pushed_model", {})
    version = str(said.get("pushed_version", ""))
    return version if said.get("pushed") == 1 and version.isdigit() else None


def _months(run: Run, name: str) -> None:
    """Learned from January, judged on February."""
    splits = run.months()
    for kind, setting, number in (("Trainer", "train_args", "1"), ("Evaluator", "example_splits", "2")):
        said = pipeline_spec.json_of(run.found.setting(run.tasks[kind], setting))
        names = said.get("splits") if isinstance(said, dict) else said
        names = names if isinstance(names, list) and names else ["train" if kind == "Trainer" else "eval"]
        counted = sum((splits.get(str(one), Counter()) for one in names), Counter())
        if counted != Counter({number: ROWS}):
            raise checks.Wrong(
                f"In `{name}` the {kind} has seen {_listed(counted)}. It should be the {ROWS:,} flights of month {number}: `months=(1, 2)`."
            )


def _listed(counted: Counter) -> str:
    return ", ".join(f"{count:,} flights of month {month}" for month, count in sorted(counted.items())) or "no flights"


def _baseline(lab: checks.Lab, run: Run, name: str) -> str:
    """The fingerprint of the model that a run's candidate was held against."""
    baseline = run.model(run.tasks["LatestBlessedModel"], "model")
    if baseline is None:
        raise checks.Wrong(
            f"The run that `{name}` names found no baseline. Was its `push_destination` that of January's run, and was January run first?",
            points=1,
        )
    versions = [path for path in workspace_files.inside(lab, SERVING).glob("[0-9]*") if path.is_dir()][:100]
    if baseline not in [fingerprint(lab, path) for path in versions]:
        raise checks.Wrong(f"The baseline of `{name}` is no model that was pushed to `{SERVING}`.", points=1)
    return baseline


def judge_february(lab: checks.Lab, january: Any, given: Any) -> None:
    """One point for months that are kept apart, one for January's model as the baseline.

    Raises:
        checks.Wrong: it is something else.
    """
    run = of_student(lab, given, "FEBRUARY_RUN")
    _months(run, "FEBRUARY_RUN")
    first = _other(lab, january, "JANUARY_RUN", "FEBRUARY_RUN")
    _gate(first, run)
    if pushed(first) is None:
        raise checks.Wrong("`FEBRUARY_RUN` waits for `JANUARY_RUN`, which has pushed no model: see task 6.", points=1)
    baseline = _baseline(lab, run, "FEBRUARY_RUN")
    if baseline != first.model(first.tasks["Trainer"], "model"):
        raise checks.Wrong(
            "February's candidate was held against another model than that of `JANUARY_RUN`: run February right after January.",
            points=1,
        )


def _gate(january: Run, february: Run) -> None:
    """February is held to what January's model had to show, and to no gain that hardly any model has."""
    if pipeline_spec.demands(january.found) != pipeline_spec.demands(february.found):
        raise checks.Wrong(
            "`FEBRUARY_RUN` was not compiled as task 4 asks for: its Evaluator demands something else of a model than that of `JANUARY_RUN` "
            "(`eval_config`). Of the configuration only the months are others: run `FEBRUARY`."
        )
    gains = [
        limit
        for metric, kind, limit in pipeline_spec.thresholds(february.found)
        if (metric, kind) == ("AUC", "absolute")
    ]
    if gains and max(gains) > MOST_GAIN:
        raise checks.Wrong(
            f"The Evaluator of `FEBRUARY_RUN` demands of a model that it gains {max(gains):g} against the baseline: look at `max_auc_loss` of "
            "your configuration."
        )


def judge_refused(lab: checks.Lab, january: Any, february: Any, given: Any) -> None:
    """One point for a candidate that was refused, one if the gate is February's and there was a model to hold it against.

    Raises:
        checks.Wrong: it was not, or by another gate.
    """
    run = of_student(lab, given, "REFUSED_RUN")
    _months(run, "REFUSED_RUN")
    said = run.outputs(run.tasks["Evaluator"]).get("blessing", {})
    if said.get("blessed") not in (0, 0.0) or pushed(run) is not None:
        raise checks.Wrong(
            "The candidate of `REFUSED_RUN` was blessed. What would make a model so poor that the gate has to refuse it?"
        )
    _baseline(lab, run, "REFUSED_RUN")
    first, second = (
        _other(lab, january, "JANUARY_RUN", "REFUSED_RUN"),
        _other(lab, february, "FEBRUARY_RUN", "REFUSED_RUN"),
    )
    try:
        _gate(first, second)
    except checks.Wrong as wrong:
        raise checks.Wrong(
            "`REFUSED_RUN` waits for `FEBRUARY_RUN`, whose gate is not January's: see task 7.", points=1
        ) from wrong
    if pipeline_spec.demands(second.found) != pipeline_spec.demands(run.found):
        raise checks.Wrong(
            "The candidate was refused by another gate than February's: the `eval_config` of the two runs differ. A gate that is high "
            "enough refuses every model. Change the model, not the gate.",
            points=1,
        )


def _other(lab: checks.Lab, given: Any, name: str, waiting: str) -> Run:
    """A run that another is compared with; that it is not as it should be costs the comparison's point, and is told by its own task."""
    try:
        return of_student(lab, given, name)
    except checks.Wrong as wrong:
        number = {"JANUARY_RUN": 6, "FEBRUARY_RUN": 7}[name]
        raise checks.Wrong(
            f"`{waiting}` waits for `{name}`: task {number} says what is wrong with it.", points=1
        ) from wrong
