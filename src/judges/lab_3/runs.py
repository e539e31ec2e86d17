"""What the checks of tasks 2 to 5 share: the runs of a student's store, and what their artifacts hold.

Nothing is run again and no model is loaded: the checks believe what the store and the artifacts' own files say. Grading executes the notebook anew
in an empty workspace, so that what it finds there was written by the notebook's own cells. A cell that writes such a store by hand, with all
files that belong to it, is believed; it is longer than the lab, and whoever opens the feedback page sees it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from course import checks
from judges.shared import example_records, metadata_store, workspace_files
from judges.shared.metadata_store import Artifact, Execution, Run

PARTS = ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "Pusher")
MOST_RUNS = 200
"""More of them take an evening, and their examples minutes to be read."""


class Runs:
    """The runs of a student's store, each with the months that its examples hold."""

    def __init__(self, lab: checks.Lab, store: Any) -> None:
        """Reads the store.

        Raises:
            checks.Wrong: there is none, or nothing has run.
        """
        self.lab, self.store = lab, metadata_store.of_student(lab, store)
        self.all = self.store.runs
        if len(self.all) > MOST_RUNS:
            raise checks.Wrong(f"Your metadata store holds {len(self.all)} runs. Run this notebook from the top.")
        self._known: dict[Path, dict[str, Counter]] = {}

    def splits(self, artifact: Artifact) -> dict[str, Counter]:
        """For each split of raw examples, how many flights of each month it holds."""
        root = workspace_files.inside(self.lab, artifact.uri)
        if root not in self._known:
            found = {}
            for folder in sorted(root.glob("Split-*")) if root.is_dir() else []:
                if folder.is_dir() and not folder.is_symlink():
                    found[folder.name.removeprefix("Split-")] = Counter(
                        str(one.get("month")) for one in example_records.split(folder)
                    )
            self._known[root] = found
        return self._known[root]

    def months(self, artifact: Artifact) -> set[str]:
        """The months of all splits."""
        return {month for counted in self.splits(artifact).values() for month in counted}

    def of(self, *numbers: int) -> list[Run]:
        """The runs whose examples are of exactly these months, the oldest first."""
        wanted = {str(number) for number in numbers}
        return [run for run in self.all if (raw := source(run)) and self.months(raw) == wanted]

    def held(self, run: Run, names: list[str]) -> Counter:
        """How many flights of each month some splits of a run's raw examples hold together."""
        splits = self.splits(source(run))
        return sum((splits.get(name, Counter()) for name in names), Counter())


def source(run: Run) -> Artifact | None:
    """The raw examples of a run: those of the component that has no input."""
    for one in run.executions:
        if not one.inputs and one.has_worked:
            for artifact in (artifact for given in one.outputs.values() for artifact in given):
                if artifact.type == "Examples":
                    return artifact
    return None


def find(run: Run, kind: str) -> Execution | None:
    """A run's component of a kind; `ExampleGen` is whichever has written its raw examples."""
    if kind == "ExampleGen":
        raw = source(run)
        wrote = [one for one in run.executions if any(raw in given for given in one.outputs.values())]
        return next((one for one in wrote if not one.inputs), None)
    return run.find(kind)


def missing(run: Run) -> str:
    """What a run lacks, as the rest of a sentence; empty when it is whole."""
    for kind in PARTS:
        execution = find(run, kind)
        if execution is None:
            return f"it has no {kind}, or stopped before it."
        if not execution.has_worked:
            return f"its {kind} did not come to its end."
    return ""


def learned_from(run: Run) -> list[str]:
    """The splits that the Trainer was told to learn from."""
    return _names(run.find("Trainer").properties.get("train_args"), "splits", ["train"])


def judged_on(run: Run) -> list[str]:
    """The splits that the Evaluator was told to judge on."""
    return _names(run.find("Evaluator").properties.get("example_splits"), "", ["eval"])


def analysed(run: Run) -> list[str]:
    """The splits that Transform was told to analyse."""
    return _names(run.find("Transform").properties.get("splits_config"), "analyze", ["train"])


def _names(said: Any, key: str, default: list[str]) -> list[str]:
    try:
        found = json.loads(said) if isinstance(said, str) else None
        found = found.get(key) if key and isinstance(found, dict) else found
    except (ValueError, RecursionError):
        found = None
    return sorted({str(name) for name in found}) if isinstance(found, list) and found else default
