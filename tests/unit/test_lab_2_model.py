"""Lab 2, tasks 3 and 4: the search is judged by what KerasTuner wrote, the model by what it says about flights that it is given elsewhere."""

from __future__ import annotations

import dataclasses
import json

import lab_two
import numpy as np
import pandas as pd
import pytest
import student_lab

from judges import lab_2_model
from judges.lab_2 import check_model, given_data, roc_auc
from judges.trial import Done, Ran

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


# --- Task 3 -------------------------------------------------------------------------------------------------------


def changed(change, count=6):
    made = lab_two.trials(count)
    for number, trial in enumerate(made):
        change(trial, number)
    return made


def rate(kind="Float", **config):
    """Another learning rate."""

    def change(trial, number):
        trial["hyperparameters"]["space"][0]["class_name"] = kind
        trial["hyperparameters"]["space"][0]["config"] |= config

    return changed(change)


def by(name, as_=None, **settings):
    """Scores are those of another metric, which may have another name."""

    def change(trial, number):
        metrics = trial["metrics"]["metrics"]
        trial["score"] = metrics[name]["observations"][0]["value"][0]
        metrics[as_ or name] = metrics.pop(name) | settings

    return changed(change)


def with_values(make, count=6):
    return changed(lambda trial, number: trial["hyperparameters"]["values"].update(make(number)), count)


def hyperband(trial, number):
    trial["hyperparameters"]["values"] |= {"tuner/epochs": 2 + number, "tuner/trial_id": f"{number}"}
    if number == 7:
        trial |= {"status": "FAILED", "score": None}


def renamed(trial, number):
    trial["hyperparameters"]["space"][0]["config"]["name"] = "rate"
    trial["hyperparameters"]["values"]["rate"] = trial["hyperparameters"]["values"].pop("learning_rate")


def twice(trial, number):
    trial["metrics"]["metrics"]["val_auc"]["observations"][0]["value"] = [trial["score"] - 0.01, trial["score"] + 0.01]


SEARCHES = {
    "right": (lab_two.trials(), 1, 4, ""),
    "a choice of learning rates": (rate("Choice", values=[0.0005, 0.001, 0.003, 0.006, 0.01, 0.02]), 1, 4, ""),
    "the smallest loss": (by("val_loss"), 5, 4, ""),
    "the smallest error": (by("val_loss", "val_mse"), 5, 4, ""),
    "a metric that KerasTuner does not know": (by("val_loss", "val_brier"), 5, 4, ""),
    "Hyperband, with a trial that failed": (changed(hyperband, 8), 1, 4, ""),
    "several executions of a trial": (changed(twice), 1, 4, ""),
    "drawn evenly": (rate(sampling="linear"), 1, 2, "nine tenths of them are above 0.00245."),
    "narrow": (rate(min_value=0.002, max_value=0.004), 1, 2, "you do not know it to a tenth"),
    "much too large": (rate(min_value=0.1, max_value=10.0), 1, 2, "forgets as fast"),
    "much too small": (rate(min_value=1e-8, max_value=1e-5), 1, 2, "learns nothing far below"),
    "from 0": (rate(min_value=0.0), 1, 2, "numbers above 0"),
    "one of two rates": (rate("Choice", values=[0.001, 0.1]), 1, 2, "of three at least"),
    "two that vary": (with_values(lambda n: {"l2": 0.001}), 1, 2, "2 hyperparameters differ"),
    "no learning rate": (changed(renamed), 1, 2, "no hyperparameter `learning_rate`"),
    "the training metric": (by("auc"), 5, 2, "They are its `auc`, measured on what it learned from"),
    "the training loss": (by("loss"), 0, 2, "They are its `loss`"),
    "scores from nowhere": (changed(lambda t, n: t.update(score=0.9 + n / 100)), 5, 2, "of no validation metric"),
    "the smallest area": (by("val_auc", direction="min"), 5, 2, "Is it better then?"),
    "the smallest area under another curve": (by("val_auc", "val_pr", direction="min"), 5, 2, "Is it better then?"),
    "the same under a longer name": (by("val_auc", "val_pr_auc_1", direction="min"), 5, 2, "Is it better then?"),
    "the largest area under another curve": (by("val_auc", "val_pr"), 1, 4, ""),
    "the largest F1, which KerasTuner takes for an error": (by("val_auc", "val_f1_score"), 1, 4, ""),
    "a loss with the name of an area": (by("val_loss", "val_auc_loss"), 5, 4, ""),
    "not the best one": (lab_two.trials(), 3, 2, "does not hold the hyperparameters of the best"),
    "five trials": (lab_two.trials(5), 1, 0, "5 trials with different hyperparameters"),
    "the same again and again": (
        with_values(lambda n: {"learning_rate": 0.001 * (1 + n % 2), "units": 8, "l2": 0.1}, 8),
        1,
        0,
        "2 trials with different hyperparameters",
    ),
    "not completed": (changed(lambda t, n: t.update(status="RUNNING")), 1, 0, "0 trials"),
    "a score as text": (changed(lambda t, n: t.update(score="good")), 1, 0, "is not as KerasTuner writes it"),
    "no metrics": (changed(lambda t, n: t.update(metrics=[])), 1, 0, "is not as KerasTuner writes it"),
    "a space of text": (
        changed(lambda t, n: t["hyperparameters"].update(space=["units"])),
        1,
        0,
        "is not as KerasTuner writes it",
    ),
}


@pytest.mark.parametrize("what", SEARCHES)
def test_search_is_judged_by_what_was_searched_and_chosen(lab, what):
    made, best, points, told = SEARCHES[what]
    lab_two.write_trials(lab, made, best)
    got, message = lab_two.evaluate(lab, "tuner", trials=lab_two.TRIALS, best=lab_two.BEST)
    assert told in message
    assert got == points


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[1]", '{"score": NaN}', "null", "{}"])
def test_trials_that_are_none_are_told(lab, content):
    lab_two.write_trials(lab, lab_two.trials())
    (lab.workspace / lab_two.TRIALS / "trial_00" / "trial.json").write_text(content)
    points, message = lab_two.evaluate(lab, "tuner", trials=lab_two.TRIALS, best=lab_two.BEST)
    assert (points, "trial.json" in message) == (0, True)


def test_folders_that_are_none_are_told(lab):
    lab_two.write_trials(lab, lab_two.trials())
    (lab.workspace / "link").symlink_to("/etc")
    for trials, best, told in (
        ("nowhere", lab_two.BEST, "names no folder"),
        (lab_two.BEST, lab_two.BEST, "holds 0 files `trial.json`"),
        (lab_two.TRIALS, lab_two.TRIALS, "no file"),
        (lab_two.TRIALS, 3, "has to be text"),
        ("link", lab_two.BEST, "leads out"),
        (lab_two.TRIALS, "/tmp", "not in your workspace"),
    ):
        points, message = lab_two.evaluate(lab, "tuner", trials=trials, best=best)
        assert (points, told in message) == (0, True)


# --- Task 4 -------------------------------------------------------------------------------------------------------


def scores(lab, strength=0.98):
    """Probabilities with an area that depends on the strength, and as many late flights as there are."""
    labels = given_data.unseen(lab.seed).target.to_numpy(dtype=int)
    noise = np.random.default_rng(3).standard_normal(len(labels))
    share = labels.mean()
    odds = np.log(share / (1 - share)) + strength * (strength * labels + noise) - strength**2 / 2
    return 1 / (1 + np.exp(-odds))


@dataclasses.dataclass
class Says:
    """In place of the trial of a model: what `course.trials.predictions` writes, of a model that would say this."""

    folder: object
    said: object
    status: int = 0

    def run(self, trial):
        lines = trial.files["examples"].splitlines()
        assert len(lines) == given_data.ROWS + check_model.AGAIN
        said = self.said
        if isinstance(said, np.ndarray):
            said = [*said, *said[check_model.AGAIN - 1 :: -1]]
        (self.folder / "said.json").write_text(json.dumps(said))
        return Ran(self.folder, [Done(self.status, "Traceback ...\nValueError: no such column")])


def model(lab, said, taken="right", status=0):
    """What the check says of a model."""
    config = lab_two.trials()[1]["hyperparameters"]
    lab_two.write_best(lab, config)
    if taken is not None:
        (lab.workspace / "trained-with.json").write_text(json.dumps(config["values"] if taken == "right" else taken))
    (lab.workspace / "model").mkdir()
    (lab.workspace / "model" / "saved_model.pb").touch()
    lab = dataclasses.replace(lab, runner=Says(lab.workspace, said, status))
    return lab_two.evaluate(lab, "model", model="model", best=lab_two.BEST)


def up(p):
    """Late flights weighted six times."""
    return 6 * p / (6 * p + 1 - p)


def late(lab):
    return given_data.unseen(lab.seed).target.to_numpy(dtype=float)


CONFIG = lab_two.trials()[1]["hyperparameters"]
OTHER = {"learning_rate": 0.5, "units": 8, "l2": 0.1}
MODELS = {
    "right": (scores, {}, 5, ""),
    "a little too low": (lambda lab: scores(lab) * 0.8, {}, 5, ""),
    "a little too high": (lambda lab: np.minimum(1, scores(lab) * 1.3), {}, 5, ""),
    "with the whole configuration": (scores, {"taken": CONFIG}, 5, ""),
    "has learned little": (lambda lab: scores(lab, 0.75), {}, 4, "0.73 is asked for"),
    "has learned next to nothing": (lambda lab: scores(lab, 0.3), {}, 1, "0.73 is asked for"),
    "the other class": (lambda lab: 1 - scores(lab), {}, 1, "which class does its probability stand for"),
    "a table of what became of each flight": (
        lambda lab: 0.1 + 0.8 * late(lab) + scores(lab) / 100,
        {},
        0,
        "knows the answer",
    ),
    "late flights weighted up": (lambda lab: up(scores(lab)), {}, 3, "times as many as were"),
    "far too sure that all is well": (lambda lab: scores(lab) / 5, {}, 3, "which is 0.2 times"),
    "decisions": (lambda lab: (scores(lab) > 0.2).astype(float), {}, 0, "not decisions"),
    "log odds": (lambda lab: np.log(scores(lab)), {}, 0, "lie between 0 and 1"),
    "nothing where weather is missing": (
        lambda lab: np.where(np.arange(given_data.ROWS) > 9, scores(lab), np.nan),
        {},
        0,
        "no probability for 20 flights",
    ),
    "both classes": (lambda lab: [0.5] * 2 * (given_data.ROWS + check_model.AGAIN), {}, 0, "one each"),
    "other probabilities at the second time": (
        lambda lab: [*scores(lab), *scores(lab)[: check_model.AGAIN]],
        {},
        0,
        "Asked about the same flights again",
    ),
    "text": (lambda lab: ["late"], {}, 0, "cannot be read as numbers"),
    "fails": (scores, {"status": 1}, 0, "It ends with: ValueError: no such column"),
    "other hyperparameters": (scores, {"taken": OTHER}, 4, "was not trained with what the Tuner has found"),
    "rounded": (scores, {"taken": CONFIG["values"] | {"l2": 0.0}}, 4, "has `l2` 0.0, and `BEST` 0.002"),
    "not written down": (scores, {"taken": None}, 4, "no file `trained-with.json`"),
    "not values": (scores, {"taken": [1, 2]}, 4, "a JSON object"),
}


@pytest.mark.parametrize("what", MODELS)
def test_model_is_judged_by_what_it_says(lab, what):
    make, settings, points, told = MODELS[what]
    got, message = model(lab, make(lab), **settings)
    assert told in message
    assert got == points


def saved(lab, said, folder):
    """A model of TensorFlow's own, which says this about each number, under a name that is not asked for."""
    import tensorflow as tf

    ids = tf.constant(given_data.unseen(lab.seed)["id"].to_numpy())
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(ids, tf.constant(said, tf.float32)), 0.0)
    made = tf.Module()
    made.table = table

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(text):
        parsed = tf.io.parse_example(text, {"id": tf.io.FixedLenFeature([1], tf.int64)})
        return {"late": table.lookup(parsed["id"])}

    tf.saved_model.save(made, str(lab.workspace / folder), signatures={"serving_default": serve})


@pytest.mark.parametrize(
    "runner", [pytest.param(None, id="in another process", marks=pytest.mark.long), student_lab.InThisProcess()]
)
def test_model_is_loaded_and_asked(tmp_path, runner):
    lab = lab_two.lab(tmp_path, runner=runner)
    saved(lab, scores(lab), "trained/Format-Serving")
    lab_two.write_best(lab, CONFIG)
    (lab.workspace / "trained-with.json").write_text(json.dumps(CONFIG["values"]))
    assert lab_two.evaluate(lab, "model", model="trained", best=lab_two.BEST) == (5, "")

    (lab.workspace / "trained" / "Format-Serving" / "saved_model.pb").write_bytes(b"none")
    points, message = lab_two.evaluate(lab, "model", model="trained", best=lab_two.BEST)
    assert (points, "loaded in another process" in message) == (0, True), message
    points, message = lab_two.evaluate(lab, "model", model=lab_two.BEST, best=lab_two.BEST)
    assert (points, "no SavedModel" in message) == (0, True)


def test_what_is_delivered_holds_neither_what_is_unknown_nor_the_flights_of_the_check(lab):
    told = lab_2_model.data(lab)
    written = {path.relative_to(lab.workspace).parts[0] for path in lab.workspace.rglob("*") if path.is_file()}
    assert {line.partition(":")[0].partition("/")[0] for line in told} == written
    assert set(pd.read_csv(lab.workspace / "requests/flights.csv")) == {"id", *given_data.KNOWN}
    assert not set(given_data.KNOWN) & set(given_data.UNKNOWN)
    assert {"target", *given_data.UNKNOWN} <= set(pd.read_csv(lab.workspace / "months/span-04/flights.csv"))
    assert pd.read_csv(lab.workspace / "months/span-07/flights.csv")["day"].max() < given_data.FIRST_DAY


def test_timetable_alone_is_not_enough_and_boosting_is():
    """The limits fit the data, for several students: what is lazy fails, what is sensible passes."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    train = given_data.split("train")
    for columns, passes in ((["weekday", "sched_dep_time", "distance"], False), (None, True)):
        names = columns or [
            name
            for name in given_data.KNOWN
            if pd.api.types.is_numeric_dtype(train[name]) and name not in ("month", "day", "year")
        ]
        boosted = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.05, max_leaf_nodes=12, random_state=0)
        boosted.fit(train[names].astype(float).to_numpy(), train.target.to_numpy(dtype=int))
        for seed in range(6):
            july = given_data.unseen(seed)
            said = boosted.predict_proba(july[names].astype(float).to_numpy())[:, 1]
            area, ratio = roc_auc.auc(july.target.to_numpy(dtype=int), said), said.sum() / july.target.sum()
            assert (area >= 0.73) is passes, (columns, seed, area)
            assert 0.7 < ratio < 1.4
