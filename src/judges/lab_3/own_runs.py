"""Judges what the student's own runs have left: the metadata store, and what the files of its artifacts hold.

Nothing is run for that; what the package does elsewhere is for `elsewhere`. Each function says in a sentence what is wrong with all runs that it is given, by the
example of the last; an empty one where one of them is right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from course import checks
from judges.lab_3 import months
from judges.shared import example_records, metadata_store, workspace_files
from judges.shared.metadata_store import CACHED, COMPLETE, FAILED, Artifact, Execution, Run

PARTS = ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "Pusher")
BEFORE_MODEL, AFTER_GATE = PARTS[:5], PARTS[3:]
MOST_RUNS = 200
"""More of them take an evening, and their examples minutes to be read."""
LEAST_FLIGHTS = 100


class Runs:
    """The runs of a student's store, each with the months that its examples hold."""

    def __init__(self, lab: checks.Lab, store: Any) -> None:
        """Reads the store.

        Raises:
            checks.Wrong: there is none, or nothing has run.
        """
        self.lab, self.all = lab, metadata_store.of_student(lab, store).runs
        if len(self.all) > MOST_RUNS:
            raise checks.Wrong(f"Your metadata store holds {len(self.all)} runs. Run this notebook from the top.")
        self._known: dict[Path, dict[str, Counter]] = {}

    def splits(self, artifact: Artifact) -> dict[str, Counter]:
        """For each split of raw examples, how many flights of each month it holds."""
        root = workspace_files.inside(self.lab, artifact.uri)
        if root not in self._known:
            folders = [one for one in sorted(root.glob("Split-*")) if one.is_dir() and not one.is_symlink()]
            self._known[root] = {
                folder.name.removeprefix("Split-"): Counter(
                    str(one.get("month")) for one in example_records.split(folder)
                )
                for folder in folders
            }
        return self._known[root]

    def months(self, run: Run) -> set[str]:
        """Those of all flights that a run has read; none where it has read nothing."""
        raw = source(run)
        return {month for counted in self.splits(raw).values() for month in counted} if raw else set()

    def of(self, *numbers: int) -> list[Run]:
        """The runs whose examples are of exactly these months, the oldest first."""
        return [run for run in self.all if self.months(run) == set(map(str, numbers))]

    def whole(self, words: str, *numbers: int) -> list[Run]:
        """Those of them that are whole.

        Raises:
            checks.Wrong: there is none.
        """
        found = self.of(*numbers)
        if not found:
            raise checks.Wrong(f"No run in your store has read {words}: look at `months` and `data_root`.")
        lacking = [next((kind for kind in PARTS if not _has_worked(run, kind)), "") for run in found]
        if all(lacking):
            raise checks.Wrong(f"No run on {words} is whole: the last has no {lacking[-1]} that came to its end.")
        return [run for run, kind in zip(found, lacking, strict=True) if not kind]

    def held(self, run: Run, names: list[str]) -> Counter:
        """How many flights of each month some splits of a run's raw examples hold together."""
        splits = self.splits(source(run))
        return sum((splits.get(name, Counter()) for name in names), Counter())


def source(run: Run) -> Artifact | None:
    """The raw examples of a run: those of the component that has no input."""
    made = (
        artifact
        for one in run.executions
        if not one.inputs and one.has_worked
        for some in one.outputs.values()
        for artifact in some
    )
    return next((artifact for artifact in made if artifact.type == "Examples"), None)


def find(run: Run, kind: str) -> Execution | None:
    """A run's component of a kind; `ExampleGen` is the one that has written its raw examples."""
    if kind != "ExampleGen":
        return run.find(kind)
    raw = source(run)
    return next(
        (one for one in run.executions if not one.inputs and any(raw in some for some in one.outputs.values())), None
    )


def _has_worked(run: Run, kind: str) -> bool:
    execution = find(run, kind)
    return execution is not None and execution.has_worked


def _of_all(runs: Iterable[Run], judge: Callable[[Run], str]) -> str:
    """What is wrong with the last; empty when one is right."""
    told = [judge(run) for run in runs]
    return told[-1] if all(told) else ""


def _uses(run: Run) -> dict[str, list[str]]:
    """The splits that components were told to use, by the words for it."""

    def names(kind: str, setting: str, key: str, default: str) -> list[str]:
        said = run.find(kind).properties.get(setting)
        try:
            found = json.loads(said) if isinstance(said, str) else None
            found = found.get(key) if key and isinstance(found, dict) else found
        except (ValueError, RecursionError):
            found = None
        return sorted({str(name) for name in found}) if isinstance(found, list) and found else [default]

    return {
        "The model is trained with": names("Trainer", "train_args", "splits", "train"),
        "Transform learns scales and vocabularies from": names("Transform", "splits_config", "analyze", "train"),
        "The model is judged on": names("Evaluator", "example_splits", "", "eval"),
    }


def mixes_days(own: Runs, runs: list[Run]) -> str:
    """January: whether a model was judged on flights that it, or the scales of its features, were learned from."""

    def judge(run: Run) -> str:
        total = sum(counted.total() for counted in own.splits(source(run)).values())
        if total != months.ROWS:
            return f"January has {months.ROWS:,} flights, and the examples of your run are {total:,}."
        (_, learned), *others, (_, judged) = _uses(run).items()
        few = [own.held(run, names).total() for names in (learned, judged)]
        if min(few) < LEAST_FLIGHTS:
            return (
                f"The model learned from {few[0]:,} flights and was judged on {few[1]:,}: look at the splits of the examples, and at those that Trainer and Evaluator "
                "are told."
            )
        for words, names in (("The model is trained with", learned), *others):
            if both := set(names) & set(judged):
                return f"{words} flights that the model is judged on (split {min(both)[:60]}): it knows the answers."
        return ""

    return _of_all(runs, judge)


def pushed(runs: list[Run], version: Any) -> str:
    """January: whether a version was pushed because it was blessed."""
    found: dict[str, Execution] = {}
    for pusher in (run.find("Pusher") for run in runs):
        for artifact in (artifact for some in pusher.outputs.values() for artifact in some):
            if artifact.properties.get("pushed") == 1:
                found[str(artifact.properties.get("pushed_version"))] = pusher
    if not found:
        return "January's model was not pushed. Was it blessed? The Evaluator's blessing, and its metrics, say what it missed."
    given = Path(str(version)).name
    if given not in found:
        return f"`VERSION` is {str(version)[:40]!r}, which none of January's runs has pushed: it is the name of a folder in `serving`."
    blessing = found[given].one("inputs", "model_blessing")
    if blessing is None or blessing.properties.get("blessed") != 1:
        return f"Version {given} was pushed without a blessing: your Pusher, which is not given one, pushes whatever was trained. What the Evaluator says has to reach it."
    return ""


def again(own: Runs) -> list[Run]:
    """January's runs up to the model.

    Raises:
        checks.Wrong: there is one, or none.
    """
    found = [run for run in own.of(1) if all(find(run, kind) for kind in BEFORE_MODEL)]
    if len(found) < 2:
        raise checks.Wrong("January has not been run a second time.")
    return found


def not_cached(runs: list[Run]) -> str:
    """What ran in each of January's later runs."""

    def judge(run: Run) -> str:
        anew = [kind for kind in BEFORE_MODEL if find(run, kind).state != CACHED]
        return (
            f"No run took everything up to the model from the cache. In the second, these ran again: {', '.join(anew)}. Is the cache enabled? Is anything among "
            "their settings other in each run: a time, a random number, an order?"
            if anew
            else ""
        )

    return _of_all(runs[:0:-1], judge)


def not_edited(lab: checks.Lab, runs: list[Run]) -> str:
    """Whether no run of January has made, and learned from, a feature that the first does not have, or not in that shape."""
    features = [_features(lab, run.find("Transform").one("outputs", "transform_graph")) for run in runs]

    def judge(number: int) -> str:
        run = runs[number]
        if not features[number] - features[0]:
            what = (
                "There is no run whose graph has a feature that the first run's does not have, or has in another shape."
            )
            if any(run.find("Transform").state == COMPLETE for run in runs[1:]):
                return f"{what} Transform ran again, and made the same ones: let `preprocessing_fn` return one feature more, save it, and run January once more."
            return (
                f"{what} Edit the function, save it, and run January once more. If you did: how would the cache know of it? Of a function it compares the name, among "
                "the settings of a component."
            )
        if any(find(run, kind).state != CACHED for kind in ("ExampleGen", "StatisticsGen")):
            return "In the run with the edited function the data, too, were read again: they had not changed."
        return (
            ""
            if run.find("Trainer").state == COMPLETE
            else "In the run with the edited function the Trainer did not run, or failed."
        )

    told = [judge(number) for number in range(1, len(runs))]
    return told[-1] if all(told) else ""


def _features(lab: checks.Lab, graph: Artifact | None) -> set[tuple[str, ...]]:
    """The transformed features: name, and shape of one flight's, as far as it is fixed."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    if graph is None:
        return set()
    content = workspace_files.text(lab, f"{graph.uri}/transformed_metadata/schema.pbtxt")
    try:
        found = text_format.Parse(content, schema_pb2.Schema()).feature
        return {(one.name, *(str(dimension.size) for dimension in one.shape.dim)) for one in found}
    except text_format.ParseError as error:
        raise checks.Wrong("The transform graph in your workspace has no schema that can be read.") from error


def mixes_months(own: Runs, runs: list[Run]) -> str:
    """February: whether anything but January was learned from, or anything but February judged on."""

    def judge(run: Run) -> str:
        for (words, names), number in zip(_uses(run).items(), (1, 1, 2), strict=True):
            counted = own.held(run, names)
            if counted != Counter({str(number): months.ROWS}):
                held = ", ".join(f"{count:,} of month {month}" for month, count in sorted(counted.items())) or "none"
                return f"{words} {held} (split {', '.join(names)[:60]}). It should be the {months.ROWS:,} flights of month {number}."
        return ""

    return _of_all(runs, judge)


def no_baseline(runs: list[Run]) -> str:
    """February: whether it was held against nothing, or against itself."""

    def judge(run: Run) -> str:
        evaluator = run.find("Evaluator")
        baseline = evaluator.one("inputs", "baseline_model")
        if baseline is None:
            return "The Evaluator of February's run has no baseline: which component looks up the latest blessed model?"
        same = baseline == evaluator.one("inputs", "model")
        return "February's run holds the model against itself. Run February before you run it again." if same else ""

    return _of_all(runs, judge)


def march(own: Runs) -> Run:
    """The last run on the three months: earlier ones may have gone on.

    Raises:
        checks.Wrong: there is none.
    """
    wanted = {str(number) for number in (*months.GOOD, months.SPOILT)}
    found = [run for run in own.all if str(months.SPOILT) in own.months(run)]
    if not found:
        raise checks.Wrong(
            "No run in your store has read March. If one stopped at the data already: are all three months there?"
        )
    three = [run for run in found if wanted <= own.months(run)]
    if not three:
        number = len(own.months(found[-1]))
        raise checks.Wrong(
            f"Your run on March has read {number} month{'s' if number > 1 else ''}: run January to March, `months=(1, 3)`."
        )
    return three[-1]


def went_on(own: Runs, run: Run) -> str:
    """March: whether it was read as it is, and stopped before anything was learned from it."""
    if max(counted.get(str(months.SPOILT), 0) for counted in own.splits(source(run)).values()) != months.ROWS:
        return f"March has {months.ROWS:,} flights. It has to be read as it was delivered, as one split."
    if not _has_worked(run, "ExampleValidator"):
        return "Your run on March stopped before ExampleValidator had looked at the data."
    if on := [kind for kind in AFTER_GATE if _has_worked(run, kind)]:
        return f"The run on March went on: {', '.join(on)} came to an end. Which component reads the anomalies and fails, and what waits for it?"
    if not any(one.state == FAILED for one in run.executions):
        return "No component of the run on March has failed: it is not over, or was broken off."
    return ""
