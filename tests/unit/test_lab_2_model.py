"""Lab 2, tasks 3 and 4: the search is judged by what KerasTuner wrote, the model by what it says about July."""

from __future__ import annotations

import json

import lab_two
import numpy as np
import pandas as pd
import pytest

from judges.lab_2 import given_data, roc_auc
from judges.lab_2.given_data import KEY

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


def search(lab, made, best=1):
    lab_two.write_trials(lab, made, best)
    return lab_two.evaluate(lab, "tuner", trials=lab_two.TRIALS, best=lab_two.BEST)


def changed(change, count=6):
    made = lab_two.trials(count)
    for number, trial in enumerate(made):
        change(trial, number)
    return made


def space(trial, which, kind=None, /, **config):
    [one] = [one for one in trial["hyperparameters"]["space"] if one["config"]["name"] == which]
    one["class_name"] = kind or one["class_name"]
    one["config"].update(config)


def scored_by(name):
    """Scores are those of another metric."""

    def change(trial, number):
        trial["score"] = trial["metrics"]["metrics"][name]["observations"][0]["value"][0]

    return change


def test_right_search_passes(lab):
    assert search(lab, lab_two.trials()) == (4, "")


def test_choice_of_learning_rates_passes(lab):
    def change(trial, number):
        values = [0.0005, 0.001, 0.003, 0.006, 0.01, 0.02]
        space(trial, "learning_rate", "Choice", values=values, sampling=None)

    assert search(lab, changed(change)) == (4, "")


def scored_by_loss_named(name):
    """The validation loss has another name, and is what the scores are."""

    def change(trial, number):
        scored_by("val_loss")(trial, number)
        trial["metrics"]["metrics"][name] = trial["metrics"]["metrics"].pop("val_loss")

    return change


@pytest.mark.parametrize("name", ["val_loss", "val_mse", "val_brier"])
def test_smallest_value_of_what_is_better_when_small_passes(lab, name):
    assert search(lab, changed(scored_by_loss_named(name)), best=5) == (4, "")


def test_hyperband_with_a_trial_that_failed_passes(lab):
    def change(trial, number):
        trial["hyperparameters"]["values"] |= {"tuner/epochs": 2 + number, "tuner/trial_id": f"{number}"}
        if number == 7:
            trial |= {"status": "FAILED", "score": None}

    assert search(lab, changed(change, 8)) == (4, "")


def test_several_executions_of_a_trial_pass(lab):
    def change(trial, number):
        trial["metrics"]["metrics"]["val_auc"]["observations"][0]["value"] = [
            trial["score"] - 0.01,
            trial["score"] + 0.01,
        ]

    assert search(lab, changed(change)) == (4, "")


def even(trial, number):
    space(trial, "learning_rate", sampling="linear")


def one_value(trial, number):
    trial["hyperparameters"]["values"]["l2"] = 0.001


def renamed(trial, number):
    space(trial, "learning_rate", name="rate")
    trial["hyperparameters"]["values"]["rate"] = trial["hyperparameters"]["values"].pop("learning_rate")


def same(trial, number):
    trial["hyperparameters"]["values"] = {
        "learning_rate": 0.001 * (1 + number % 2),
        "units": 8,
        "l2": 0.1 * (number % 2),
    }


def turned(trial, number):
    metric = trial["metrics"]["metrics"]["val_auc"]
    metric["direction"] = None
    metric["observations"].insert(0, {"value": [0.9], "step": 0})


WRONG = {
    "drawn evenly": (changed(even), 1, 2, "drawn evenly"),
    "narrow": (
        changed(lambda t, n: space(t, "learning_rate", min_value=0.002, max_value=0.004)),
        1,
        2,
        "you do not know it that well",
    ),
    "much too large": (
        changed(lambda t, n: space(t, "learning_rate", min_value=0.1, max_value=10.0)),
        1,
        2,
        "forgets as fast",
    ),
    "much too small": (
        changed(lambda t, n: space(t, "learning_rate", min_value=1e-8, max_value=1e-5)),
        1,
        2,
        "learns nothing there",
    ),
    "from 0": (changed(lambda t, n: space(t, "learning_rate", min_value=0.0)), 1, 2, "numbers above 0"),
    "one of two rates": (
        changed(lambda t, n: space(t, "learning_rate", "Choice", values=[0.001, 0.1])),
        1,
        2,
        "fewer than three",
    ),
    "two that vary": (changed(one_value), 1, 2, "2 hyperparameters differ"),
    "no learning rate": (changed(renamed), 1, 2, "no hyperparameter `learning_rate`"),
    "the training metric": (changed(scored_by("auc")), 5, 2, "They are its `auc`, measured on what it learned from"),
    "the training loss": (changed(scored_by("loss")), 0, 2, "They are its `loss`"),
    "scores from nowhere": (changed(lambda t, n: t.update(score=0.9 + n / 100)), 5, 2, "of no validation metric"),
    "the smallest area": (changed(turned), 5, 2, "Is it better then?"),
    "not the best one": (lab_two.trials(), 3, 2, "does not hold the hyperparameters of the best"),
    "five trials": (lab_two.trials(5), 1, 0, "5 trials with different hyperparameters"),
    "the same again and again": (changed(same, 8), 1, 0, "2 trials with different hyperparameters"),
    "not completed": (changed(lambda t, n: t.update(status="RUNNING")), 1, 0, "0 trials"),
    "a score as text": (changed(lambda t, n: t.update(score="good")), 1, 0, "is not as KerasTuner writes it"),
    "no metrics": (changed(lambda t, n: t.update(metrics=[])), 1, 0, "is not as KerasTuner writes it"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_search_is_told(lab, what):
    made, best, points, told = WRONG[what]
    got, message = search(lab, made, best)
    assert told in message
    assert got == points


def test_trials_that_are_no_json_are_told(lab):
    lab_two.write_trials(lab, lab_two.trials())
    for content in ("", "[" * 100_000, "[1]", '{"score": NaN}', "null"):
        (lab.workspace / lab_two.TRIALS / "trial_00" / "trial.json").write_text(content)
        points, message = lab_two.evaluate(lab, "tuner", trials=lab_two.TRIALS, best=lab_two.BEST)
        assert points == 0
        assert "trial.json" in message


def test_folders_that_are_none_are_told(lab):
    lab_two.write_trials(lab, lab_two.trials())
    (lab.workspace / "link").symlink_to("/etc")
    for trials, best, told in (
        ("nowhere", lab_two.BEST, "names no folder"),
        (lab_two.BEST, lab_two.BEST, "holds no `trial.json`"),
        (lab_two.TRIALS, lab_two.TRIALS, "no file"),
        (lab_two.TRIALS, 3, "has to be text"),
        ("link", lab_two.BEST, "leads out"),
        (lab_two.TRIALS, "/tmp", "not in your workspace"),
    ):
        points, message = lab_two.evaluate(lab, "tuner", trials=trials, best=best)
        assert points == 0
        assert told in message


# --- Task 4 -------------------------------------------------------------------------------------------------------


def scores(lab, strength=0.98, seed=3):
    """Probabilities with an area that depends on the strength, and as many late flights as there are."""
    labels = given_data.unlabelled(lab.seed).target.to_numpy(dtype=int)
    noise = np.random.default_rng(seed).standard_normal(len(labels))
    share = labels.mean()
    odds = np.log(share / (1 - share)) + strength * (strength * labels + noise) - strength**2 / 2
    return 1 / (1 + np.exp(-odds))


def model(lab, change=None, taken="right", probability=None):
    made = lab_two.trials()
    config = made[1]["hyperparameters"]
    lab_two.write_best(lab, config)
    if taken is not None:
        (lab.workspace / "trained-with.json").write_text(json.dumps(config["values"] if taken == "right" else taken))
    flights = given_data.unlabelled(lab.seed)
    frame = pd.DataFrame({KEY: flights[KEY], "probability": scores(lab) if probability is None else probability})
    (frame if change is None else change(frame)).to_csv(lab.workspace / "predictions.csv", index=False)
    return lab_two.evaluate(lab, "model", best=lab_two.BEST)


def test_right_model_passes(lab):
    assert model(lab) == (5, "")


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_model_with_probabilities_that_are_roughly_right_passes(lab, factor):
    assert model(lab, probability=np.minimum(1, scores(lab) * factor)) == (5, "")


def test_whole_config_and_more_columns_pass(lab):
    config = lab_two.trials()[1]["hyperparameters"]
    assert model(lab, lambda frame: frame.assign(carrier=3).iloc[:, ::-1], taken=config) == (5, "")


def test_probabilities_of_single_precision_pass(lab):
    assert model(lab, probability=scores(lab).astype(np.float32)) == (5, "")


def late(lab):
    return given_data.unlabelled(lab.seed).target.to_numpy(dtype=float)


OTHER = {"learning_rate": 0.5, "units": 8, "l2": 0.1}
WRONG_MODEL = {
    "has learned little": (lambda lab: dict(probability=scores(lab, 0.75)), 4, "0.73 is asked for"),
    "has learned next to nothing": (lambda lab: dict(probability=scores(lab, 0.3)), 1, "0.73 is asked for"),
    "the other class": (lambda lab: dict(probability=1 - scores(lab)), 1, "turned round they would be better"),
    "knows the answer": (
        lambda lab: dict(probability=0.1 + 0.8 * late(lab) + scores(lab) / 100),
        0,
        "something in them knows",
    ),
    "a delay among the variables": (lambda lab: dict(probability=scores(lab, 2.0)), 0, "something in them knows"),
    "late flights weighted up": (
        lambda lab: dict(probability=(lambda p: 6 * p / (6 * p + 1 - p))(scores(lab))),
        3,
        "times as many as were",
    ),
    "far too sure that all is well": (lambda lab: dict(probability=scores(lab) / 5), 3, "which is 0.2 times"),
    "decisions": (lambda lab: dict(probability=(scores(lab) > 0.2).astype(int)), 0, "not decisions"),
    "log odds": (lambda lab: dict(probability=np.log(scores(lab))), 0, "lie between 0 and 1"),
    "nothing where weather is missing": (
        lambda lab: dict(change=lambda frame: frame.assign(probability=frame.probability.where(frame.index > 9))),
        0,
        "no probability for 10",
    ),
    "sorted": (lambda lab: dict(change=lambda frame: frame.sort_values("probability")), 0, "in another order"),
    "in another order, renumbered": (
        lambda lab: dict(change=lambda frame: frame.assign(id=np.arange(len(frame)))),
        0,
        "does not hold the numbers",
    ),
    "rows left out": (lambda lab: dict(change=lambda frame: frame[60:]), 0, "has 3,940 rows"),
    "no column": (
        lambda lab: dict(change=lambda frame: frame.rename(columns={"probability": "p"})),
        0,
        "no column `probability`",
    ),
    "other hyperparameters": (lambda lab: dict(taken=OTHER), 4, "was not trained with what the Tuner has found"),
    "not written down": (lambda lab: dict(taken=None), 4, "no file `trained-with.json`"),
    "not values": (lambda lab: dict(taken=[1, 2]), 4, "a JSON object"),
}


@pytest.mark.parametrize("what", WRONG_MODEL)
def test_wrong_model_is_told(lab, what):
    make, points, told = WRONG_MODEL[what]
    got, message = model(lab, **make(lab))
    assert told in message
    assert got == points


def test_predictions_of_another_student_are_told(lab, tmp_path):
    other = lab_two.lab(tmp_path, "student-2")
    model(other)
    model(lab)
    (lab.workspace / "predictions.csv").write_bytes((other.workspace / "predictions.csv").read_bytes())
    points, message = lab_two.evaluate(lab, "model", best=lab_two.BEST)
    assert points == 0
    assert "does not hold the numbers" in message


def test_flights_to_predict_hold_neither_label_nor_what_is_unknown(lab):
    from judges import lab_2_model

    lab_2_model.data(lab)
    for name in ("unlabelled/span-07/flights.csv", "requests/flights.csv"):
        assert set(pd.read_csv(lab.workspace / name)) == {KEY, *given_data.KNOWN}
    assert not set(given_data.KNOWN) & set(given_data.UNKNOWN)
    assert {"target", *given_data.UNKNOWN} <= set(pd.read_csv(lab.workspace / "months/span-04/flights.csv"))


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
            july = given_data.unlabelled(seed)
            said = boosted.predict_proba(july[names].astype(float).to_numpy())[:, 1]
            area, ratio = roc_auc.auc(july.target.to_numpy(dtype=int), said), said.sum() / july.target.sum()
            assert (area >= 0.73) is passes, (columns, seed, area)
            assert 0.7 < ratio < 1.4
