"""Runs of a compiled pipeline, judged by what their steps have left: tasks 6 to 8 of lab 5."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_3.package import NAME
from course.labs.lab_5 import COPY, pipeline_spec
from judges.shared import example_records, workspace_files

ROWS = 2000
MOST_MODEL = 50_000_000
MOST_GAIN = 0.05
"""What a gate may demand of a candidate beyond the baseline: a package of one's own may ask for a little."""
SERVING = "serving"
TASKS = {"JANUARY_RUN": 6, "FEBRUARY_RUN": 7}


class Run:
    """What a run has left.

    Attributes:
        folder: of the run; a folder for each task is below it.
        found: the specification.
        tasks: its tasks by kind.
    """

    def __init__(self, lab: checks.Lab, given: Any, name: str) -> None:
        """Takes the run that an answer names.

        Raises:
            checks.Wrong: it names none, or one that is not whole, or not of the package.
        """
        what = "the folder of a run, which `lab.submit` returns"
        self.lab, self.folder = lab, workspace_files.folder(lab, given, name, what)
        if (copy := self._file(COPY)) is None:
            raise checks.Wrong(f"`{name}` is no folder of a run: give what `lab.submit` returned.")
        self.found = pipeline_spec.parsed(copy.read_text(encoding="utf-8", errors="replace"), f"{name}: {COPY}")
        self.tasks = pipeline_spec.steps(self.found)
        for kind in pipeline_spec.KINDS:  # DataGate has no outputs, and so an empty message
            if kind not in self.tasks or not self._file(self.tasks[kind], "executor_output.json"):
                raise checks.Wrong(
                    f"The run that `{name}` names is not whole: its {kind} is missing, or did not come to its end."
                )
        for kind in ("Transform", "Trainer"):
            called = map(str, self.found.settings(self.tasks[kind]).values())
            if not any(one.strip('"').startswith(f"{NAME}.") for one in called):
                raise checks.Wrong(
                    f"The run that `{name}` names did not run your package: its {kind} calls no function of `{NAME}`."
                )

    def _file(self, *parts: str) -> Path | None:
        path = self.folder.joinpath(*parts)
        is_inside = path.resolve().is_relative_to(self.lab.workspace.resolve())
        return path if is_inside and path.is_file() and path.stat().st_size < workspace_files.MOST_BYTES else None

    def said(self, kind: str, output: str) -> dict[str, Any]:
        """The metadata of an output of a task; empty where it said nothing of it."""
        path = self._file(self.tasks[kind], "executor_output.json")
        try:
            found = workspace_files.parsed(path.read_text(encoding="utf-8", errors="replace"), path.name)
            return dict(found["artifacts"][output]["artifacts"][0]["metadata"])
        except (checks.Wrong, KeyError, IndexError, TypeError, ValueError):
            return {}

    def model(self, kind: str) -> str | None:
        """The fingerprint of the model that a task has left."""
        return fingerprint(self.lab, self.folder / self.tasks[kind] / "model" / "Format-Serving")

    def months(self, *splits: str) -> Counter:
        """How many flights of each month the splits of the raw examples hold; all of them, where none is named."""
        root, counted = self.folder / self.tasks["CsvExampleGen"] / "examples", Counter()
        for path in sorted(root.glob("Split-*")):
            is_inside = not path.is_symlink() and path.resolve().is_relative_to(self.lab.workspace.resolve())
            if is_inside and path.is_dir() and path.name.removeprefix("Split-") in (splits or [path.name[6:]]):
                counted.update(str(one.get("month")) for one in example_records.split(path))
        return counted

    @property
    def version(self) -> str | None:
        """The version that it has pushed."""
        said = self.said("Pusher", "pushed_model")
        version = str(said.get("pushed_version", ""))
        return version if said.get("pushed") == 1 and version.isdigit() else None

    @property
    def demands(self) -> Any:
        """What the Evaluator demands of a model, and measures: its `eval_config`."""
        return self.found.setting(self.tasks["Evaluator"], "eval_config")


def fingerprint(lab: checks.Lab, folder: Path) -> str | None:
    """Of a SavedModel's graph and weights; None where there is none."""
    paths = [folder / "saved_model.pb", *sorted(folder.glob("variables/variables.*"))]
    digest = hashlib.sha256()
    for path in paths:
        is_inside = path.resolve().is_relative_to(lab.workspace.resolve())
        if not is_inside or not path.is_file() or path.stat().st_size > MOST_MODEL:
            return None
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest() if len(paths) > 2 else None


def judge_january(lab: checks.Lab, given: Any) -> None:
    """One point for a whole run on January without a baseline, one for the model that it has pushed.

    Raises:
        checks.Wrong: it is none.
    """
    run = Run(lab, given, "JANUARY_RUN")
    if (counted := run.months()) != Counter({"1": ROWS}):
        raise checks.Wrong(f"`JANUARY_RUN` has read {_listed(counted)}. It should be the {ROWS:,} flights of January.")
    if run.model("LatestBlessedModel"):
        raise checks.Wrong(
            "January's run found a baseline: a model was pushed before it. Empty the destination, or name another, and run January first.",
            points=1,
        )
    if run.version is None:
        raise checks.Wrong(
            "January's run is whole, and its model was refused: nothing was pushed. Which threshold did it miss?",
            points=1,
        )
    served = fingerprint(lab, workspace_files.inside(lab, f"{SERVING}/{run.version}"))
    if served is None or served != run.model("Trainer"):
        raise checks.Wrong(
            f"January's run has pushed version {run.version}, and the model of its Trainer is not at `{SERVING}/{run.version}`. Where does "
            "`push_destination` lead?",
            points=1,
        )


def judge_february(lab: checks.Lab, january: Any, given: Any) -> None:
    """One point for months that are kept apart, one for January's model as the baseline.

    Raises:
        checks.Wrong: it is something else.
    """
    run = _two_months(lab, given, "FEBRUARY_RUN")
    first = _other(lab, january, "JANUARY_RUN", "FEBRUARY_RUN")
    _gate(first, run)
    if first.version is None:
        raise checks.Wrong("`FEBRUARY_RUN` waits for `JANUARY_RUN`, which has pushed no model: see task 6.", points=1)
    if _baseline(run, "FEBRUARY_RUN") != first.model("Trainer"):
        raise checks.Wrong(
            "February's candidate was held against another model than that of `JANUARY_RUN`: run February right after January.",
            points=1,
        )


def judge_refused(lab: checks.Lab, january: Any, february: Any, given: Any) -> None:
    """One point for a candidate that was refused, one if the gate is February's and there was a model to hold it against.

    Raises:
        checks.Wrong: it was not, or by another gate.
    """
    run = _two_months(lab, given, "REFUSED_RUN")
    if run.said("Evaluator", "blessing").get("blessed") not in (0, 0.0) or run.version is not None:
        raise checks.Wrong(
            "The candidate of `REFUSED_RUN` was blessed. What would make a model so poor that the gate has to refuse it?"
        )
    _baseline(run, "REFUSED_RUN")
    first = _other(lab, january, "JANUARY_RUN", "REFUSED_RUN")
    second = _other(lab, february, "FEBRUARY_RUN", "REFUSED_RUN")
    try:
        _gate(first, second)
    except checks.Wrong as wrong:
        raise checks.Wrong(
            "`REFUSED_RUN` waits for `FEBRUARY_RUN`, whose gate is not January's: see task 7.", points=1
        ) from wrong
    if second.demands != run.demands:
        raise checks.Wrong(
            "The candidate was refused by another gate than February's: the `eval_config` of the two runs differ. A gate that is high "
            "enough refuses every model. Change the model, not the gate.",
            points=1,
        )


def _two_months(lab: checks.Lab, given: Any, name: str) -> Run:
    """A run that has learned from January, and judged on February."""
    run = Run(lab, given, name)
    for kind, setting, split, month in (
        ("Trainer", "train_args", "train", "1"),
        ("Evaluator", "example_splits", "eval", "2"),
    ):
        said = pipeline_spec.json_of(run.found.setting(run.tasks[kind], setting))
        names = said.get("splits") if isinstance(said, dict) else said
        counted = run.months(*map(str, names if isinstance(names, list) and names else [split]))
        if counted != Counter({month: ROWS}):
            raise checks.Wrong(
                f"In `{name}` the {kind} has seen {_listed(counted)}. It should be the {ROWS:,} flights of month {month}: `months=(1, 2)`."
            )
    return run


def _listed(counted: Counter) -> str:
    return ", ".join(f"{count:,} flights of month {month}" for month, count in sorted(counted.items())) or "no flights"


def _baseline(run: Run, name: str) -> str:
    """The fingerprint of the model that a run's candidate was held against."""
    baseline = run.model("LatestBlessedModel")
    if baseline is None:
        raise checks.Wrong(
            f"The run that `{name}` names found no baseline. Was its `push_destination` that of January's run, and was January run first?",
            points=1,
        )
    versions = [path for path in workspace_files.inside(run.lab, SERVING).glob("[0-9]*") if path.is_dir()][:100]
    if baseline not in [fingerprint(run.lab, path) for path in versions]:
        raise checks.Wrong(f"The baseline of `{name}` is no model that was pushed to `{SERVING}`.", points=1)
    return baseline


def _gate(january: Run, february: Run) -> None:
    """February is held to what January's model had to show, and to no gain that hardly any model has."""
    if january.demands != february.demands:
        raise checks.Wrong(
            "`FEBRUARY_RUN` was not compiled as task 4 asks for: its Evaluator demands something else of a model than that of `JANUARY_RUN` "
            "(`eval_config`). Of the configuration only the months are others: run `FEBRUARY`."
        )
    gains = [float(one) for one in re.findall(r'"absolute": (-?[\d.e-]+)', str(february.demands))]
    if gains and max(gains) > MOST_GAIN:
        raise checks.Wrong(
            f"The Evaluator of `FEBRUARY_RUN` demands of a model that it gains {max(gains):g} against the baseline: look at `max_auc_loss` of "
            "your configuration."
        )


def _other(lab: checks.Lab, given: Any, name: str, waiting: str) -> Run:
    """A run that another is compared with; that it is not as it should be costs the comparison's point, and is told by its own task."""
    try:
        return Run(lab, given, name)
    except checks.Wrong as wrong:
        raise checks.Wrong(
            f"`{waiting}` waits for `{name}`: task {TASKS[name]} says what is wrong with it.", points=1
        ) from wrong
