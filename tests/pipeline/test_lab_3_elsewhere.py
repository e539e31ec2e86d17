"""Lab 3: packages are run elsewhere, and judged by what comes of it; wrong ones that look right are told, right ones in other forms pass."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import lab_3_room
import lab_three
import pytest
import yaml

from judges.lab_3 import elsewhere
from judges.lab_3.elsewhere import (
    AGAIN,
    ASKED,
    CANDIDATES,
    COURSE_DATA,
    FEATURES_EDITED,
    FIRST,
    HISTORY,
    MODEL_EDITED,
    MODELS,
    REFUSED,
    Elsewhere,
)
from judges.trial import Done, Here, Ran, Step, Trial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_by_trials")]

PACKAGES = yaml.safe_load((Path(__file__).parents[1] / "lab_3_packages.yaml").read_text())
QUESTIONS = (
    *("failure", "other_data", "predictions", "knows_nothing", "lets_pass", "stale", "uncached", "learns_from_both"),
    *("wrong_baseline", "not_refused"),
)
NEEDED = {
    "failure": ((), {FIRST}),
    "other_data": (("Transform",), {FIRST}),
    "predictions": ((), {FIRST, ASKED}),
    "knows_nothing": ((), {FIRST, ASKED}),
    "lets_pass": ((), {FIRST, CANDIDATES}),
    "stale": (("Evaluator",), {FIRST, FEATURES_EDITED, MODEL_EDITED}),
    "stale features": (("Trainer",), {FIRST, FEATURES_EDITED}),
    "uncached": (("Trainer",), {FIRST, AGAIN}),
    "learns_from_both": ((), {FIRST, ASKED}),
    "wrong_baseline": (("Pusher",), {FIRST, HISTORY, AGAIN}),
    "not_refused": ((), {REFUSED}),
}
"""What each question, for a package that is wrong, is answered by: at which component the first run may end, and the steps of the trial."""


class Part:
    """Runs of a trial what some questions need; the other steps leave nothing, as if they had worked."""

    def __init__(self, *questions):
        stops, steps = zip(*(NEEDED[one] for one in questions), strict=True)
        self.stop, self.numbers = min(stops, key=len), set().union(*steps)

    def run(self, trial):
        kept, files = {}, {}
        for number, step in enumerate(trial.steps):
            files |= step.files
            if number in self.numbers:
                kept[number], files = dataclasses.replace(step, files=files), {}
        if FIRST in kept:
            name, settings, _, *others = kept[FIRST].arguments
            kept[FIRST] = dataclasses.replace(kept[FIRST], arguments=[name, settings, json.dumps(self.stop), *others])
        ran = Here().run(dataclasses.replace(trial, steps=list(kept.values())))
        done = dict(zip(kept, ran.steps, strict=True))
        return Ran(ran.folder, [done.get(number, Done(0)) for number in range(len(trial.steps))], ran)


def package(folder, edits, runner=None):
    """A lab with the solution's package, edited."""
    lab = lab_three.lab(folder, runner=runner)
    places = {"workspace": lab.workspace, "course": COURSE_DATA / "flights", "copy": folder / "flights"}

    def edit(pairs):
        def change(text):
            for old, new in pairs.items():
                assert old in text, f"the finished package has no {old!r} any more"
                for name, place in places.items():
                    new = new.replace(f"{{{name}}}", str(place))
                text = text.replace(old, new)
            return text

        return change

    path = lab.workspace / "months" / "span-01" / "flights.csv"
    path.parent.mkdir(parents=True)
    path.write_text("year\n")
    for number in (elsewhere.LEARNED, elsewhere.JUDGED):
        shutil.copytree(places["course"] / f"span-{number:02d}", places["copy"] / f"span-{number:02d}")
    lab_three.write_package(lab, {name: edit(pairs) for name, pairs in edits.items()})
    return lab


def answer(found, question):
    """What it says; empty when nothing is wrong."""
    try:
        said = getattr(found, question)(*([elsewhere.FIRST] if question == "failure" else []))
    except elsewhere.checks.Wrong as wrong:
        return wrong.message
    return said if isinstance(said, str) else ""


@pytest.fixture(scope="module", params=["by hand", pytest.param("run", marks=pytest.mark.long)])
def right(request, shared_by_trials, tmp_path_factory):
    """What came of a right package in other forms, or what is written as if it had come of one.

    The solution itself is run elsewhere where the notebooks are run: each day's proof that a right package passes.
    """
    folder = tmp_path_factory.mktemp("right")
    if request.param == "run":
        return Elsewhere(package(folder, PACKAGES["right"]))
    return of(lab_3_room.write(folder))


def of(ran):
    """What is said of a trial that came to this."""
    found = Elsewhere.__new__(Elsewhere)
    found.ran = ran
    return found


def test_right_package_passes(right):
    asked = [question for question in QUESTIONS if question != "lets_pass" or right.read("demands.json")]
    assert {question: answer(right, question) for question in asked} == dict.fromkeys(asked, "")


@pytest.mark.long
@pytest.mark.parametrize("name", PACKAGES["wrong"])
def test_wrong_package_is_told(tmp_path, name):
    one = PACKAGES["wrong"][name]
    asked = {one["question"]: one["told"], **one.get("also", {})}
    found = Elsewhere(package(tmp_path, one["edits"], Part(*one.get("needs", asked))))
    for question, told in asked.items():
        assert told in answer(found, question)


# What a right package has left, changed as a wrong one would leave it.


def told(number, **changes):
    def change(room):
        path = room / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def asked(edit):
    def change(room):
        path = room / "asked.json"
        path.write_text(json.dumps(edit(json.loads(path.read_text()))))

    return change


def not_pushed(room):
    shutil.rmtree(room / "made" / "here" / "serving")
    (room / "asked.json").unlink()


def examples(change):
    """Other examples of the first run: none, or those of one split twice."""

    def edit(room):
        [one, other] = sorted(room.glob("made/here/artifacts/CsvExampleGen/examples/1/Split-*"))
        shutil.rmtree(one)
        if change == "twice":
            shutil.copytree(other, one)

    return edit


def words(room):
    [path] = room.glob("made/here/**/transform_fn/assets/dest")
    path.write_text(path.read_text() + "ATL\n")


def baseline(which):
    """The last Evaluator's baseline: the model that it judges, which is the first; the latest model; or none."""
    event = "(SELECT MAX(event_id) FROM EventPath WHERE step_key = 'baseline_model')"
    of_same = f"execution_id = (SELECT execution_id FROM Event WHERE id = {event})"
    own = f"(SELECT id FROM Event JOIN EventPath ON event_id = id WHERE step_key = 'model' AND {of_same})"
    latest = "(SELECT MAX(a.id) FROM Artifact a JOIN Type t ON t.id = a.type_id WHERE t.name = 'Model')"
    statement = {
        "first": f"UPDATE EventPath SET event_id = {own} WHERE event_id = {event}",
        "latest": f"UPDATE Event SET artifact_id = {latest} WHERE id = {event}",
        "none": f"DELETE FROM Event WHERE id = {event}",
    }[which]

    def change(room):
        [path] = room.glob("made/here/*.sqlite")
        with closing(sqlite3.connect(path)) as store:
            store.execute(statement)
            store.commit()

    return change


LEFT = {
    "failed": (told(0, raised={"type": "KeyError", "message": "'x'", "file": "model.py", "line": 3, "node": "Trainer"}), "failure",
               "fails in Trainer at `model.py`, line 3: KeyError: 'x'"),
    "half of the examples": (examples("none"), "other_data", "flights that are not those in it"),
    "the same examples twice": (examples("twice"), "other_data", "flights that are not those in it"),
    "not pushed": (not_pushed, "predictions", "pushes no model to `serving_root`"),
    "no answers": (asked(lambda some: []), "predictions", "for each serialised flight without a label"),
    "too few answers": (asked(lambda some: some[1:]), "predictions", "for each serialised flight without a label"),
    "no probabilities": (asked(lambda some: [2 * one + 1 for one in some]), "predictions", "gives no probability"),
    "a constant": (asked(lambda some: [0.25] * len(some)), "knows_nothing", "has an AUC of 0.50"),
    "turned round": (asked(lambda some: [1 - one for one in some]), "knows_nothing", "has an AUC of 0.2"),
    "too high": (asked(lambda some: [0.5 + one / 2 for one in some]), "knows_nothing", "are no probabilities"),
    "knows the odd one": (asked(lambda some: [*some[:-200], *[0.6] * 200]), "learns_from_both", "it has learned from the flights"),
    "words of both": (words, "learns_from_both", "Transform, run elsewhere, learns from month 7"),
    "stale features": (told(1, stopped=""), "stale", "in features.py, elsewhere, your package takes Transform"),
    "stale model": (told(2, stopped=""), "stale", "in model.py, elsewhere, your package takes Trainer"),
    "model alone anew, as it should be": (told(2, stopped="Trainer"), "stale", ""),
    "never cached": (told(4, stopped="Transform", nodes=[["CsvExampleGen", "cached"], ["StatisticsGen", "cached"]]), "uncached",
                     "from the cache: Transform, Trainer."),
    "first as baseline": (baseline("first"), "wrong_baseline", "the baseline is not the later one"),
    "latest as baseline": (baseline("latest"), "wrong_baseline", "the latest model, which was refused"),
    "none as baseline": (baseline("none"), "wrong_baseline", "has no baseline"),
    "goes on": (told(5, raised=None, stopped="Transform"), "not_refused", "your pipeline goes on to Transform"),
    "stops too early": (told(5, nodes=[["CsvExampleGen", "done"]]), "not_refused", "before ExampleValidator has looked at it"),
}  # fmt: skip


def changed(right, folder, change):
    """What came of it, with a change of what was left."""
    shutil.copytree(right.ran.folder, folder / "room")
    change(folder / "room")
    return of(Ran(folder / "room", right.ran.steps))


@pytest.mark.parametrize("name", LEFT)
def test_what_a_wrong_package_leaves_is_told(right, tmp_path, name):
    change, question, message = LEFT[name]
    said = answer(changed(right, tmp_path, change), question)
    assert message in said
    assert bool(said) == bool(message)


@pytest.mark.parametrize(
    "text",
    ["", "[", "[[]]", "{}", "null", "7", '{"nodes": 3, "raised": 3, "stopped": [], "demanded": {}}', '{"raised": {}}'],
)
def test_what_comes_back_is_not_trusted(right, tmp_path, text):
    def forge(room):
        for path in [*room.glob("*.json"), *room.glob("made/here/*.sqlite")]:
            path.write_text(text)

    found = changed(right, tmp_path, forge)
    assert all(len(answer(found, question)) < 1000 for question in QUESTIONS)
    assert answer(found, "predictions")
    assert answer(found, "lets_pass")


# What an Evaluator may demand.


def demands(*limits, metric="AUC"):
    """An EvalConfig with thresholds of a metric, as TFX stores it."""
    thresholds = [{"slicing_specs": [{}], "threshold": limit} for limit in limits]
    return json.dumps(
        {
            "metrics_specs": [
                {
                    "metrics": [
                        {"class_name": "ExampleCount"},
                        {"class_name": metric, "per_slice_thresholds": thresholds},
                    ]
                }
            ]
        }
    )


def value(**bounds):
    return {"value_threshold": bounds}


def change(direction="HIGHER_IS_BETTER", **bounds):
    return {"change_threshold": {"direction": direction, **bounds}}


LOSS = change(absolute=-0.01)
DEMANDS = {
    "accuracy": (demands(value(lower_bound=0.7), LOSS, metric="BinaryAccuracy"), "own values: binary_accuracy: lower_bound 0.7", False),
    "turned round": (demands(value(lower_bound=0.55), change("LOWER_IS_BETTER", absolute=-0.01)), "direction LOWER_IS_BETTER", False),
    "an AUC of chance": (demands(value(lower_bound=0.5), LOSS), "own values: auc: lower_bound 0.5", False),
    "an AUC a little above chance": (demands(value(lower_bound=0.501), LOSS), "with an AUC of 0.545: it is worth something from 0.55 on", True),
    "a great loss": (demands(value(lower_bound=0.55), change(absolute=-0.24)), "with an AUC of 0.845 follow one of 0.9", True),
    "the greatest loss that is right": (demands(value(lower_bound=0.55), change(absolute=-0.05)), "", True),
    "an upper limit": (demands(value(upper_bound=0.99), LOSS), "own values: auc: upper_bound 0.99", False),
    "calibration": (demands(value(upper_bound=10), LOSS, metric="Calibration"), "own values: calibration: upper_bound 10", False),
    "a count": (demands(value(lower_bound=1), LOSS, metric="ExampleCount"), "would bless a model that says", False),
    "nothing": (demands(), "nothing (`value_threshold`)", False),
    "no comparison": (demands(value(lower_bound=0.55)), "demands nothing against the baseline", False),
    "any loss": (demands(value(lower_bound=0.55), change(absolute=-1.0)), "auc against the baseline: absolute -1, direction", False),
    "another metric": (demands(value(upper_bound=0.45), change("LOWER_IS_BETTER", absolute=0.01), metric="BinaryCrossentropy"), "", False),
    "a relative loss": (demands(value(lower_bound=0.6), change(relative=-0.05)), "", False),
    "two limits": (demands(value(lower_bound=0.6, upper_bound=1.0), LOSS), "", False),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(shared_by_trials, request, tmp_path_factory):
    """The candidates, held against the demands of the tests that run; by name."""
    tests = [item for item in request.session.items if item.path == request.path and "test_demand" in item.name]
    chosen = [item.callspec.params["name"] for item in tests]
    given = ["candidates.csv", "demands.json", elsewhere.LABEL, *MODELS]
    steps = []
    for number, name in enumerate(chosen):
        path = tmp_path_factory.mktemp("stores") / "store.sqlite"
        with closing(sqlite3.connect(path)) as store:
            store.execute("CREATE TABLE ExecutionProperty (execution_id, name, string_value)")
            store.execute("INSERT INTO ExecutionProperty VALUES (1, 'eval_config', ?)", [DEMANDS[name][0]])
            store.commit()
        given[1] = f"{number}/demands.json"
        steps.append(Step("course.trials.candidates", [str(number), *given], {f"{number}/store.sqlite": path}))
    files = {"candidates.csv": elsewhere.given()["candidates.csv"]}
    ran = Here().run(Trial("candidates", files, steps, ("tfx.v1",)))
    found = {}
    for number, name in enumerate(chosen):
        found[name] = of(Ran(ran.folder / str(number), [Done(0)] * CANDIDATES + [ran.steps[number]], ran))
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if in_each else [pytest.mark.long]) for name, (*_, in_each) in DEMANDS.items()]
)
def test_demand_that_a_worthless_or_worse_model_meets_is_told_with_its_bound(judged, name):
    message = answer(judged[name], "lets_pass")
    assert DEMANDS[name][1] in message
    assert bool(message) == bool(DEMANDS[name][1])
