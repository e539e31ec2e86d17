"""The Tuner: its search space is data, its first trial the settings as they are, and what judges the trials is newer than what trains them."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest

from engines.quiet import import_quietly
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def tuner():
    import_quietly()
    from flights import tuner

    return tuner


def test_search_space_is_data_that_json_can_carry(tuner):
    assert json.loads(json.dumps(tuner.SEARCH_SPACE)) == tuner.SEARCH_SPACE
    assert {one.name for one in tuner.hyperparameters(tuner.SEARCH_SPACE).space} == set(tuner.SEARCH_SPACE)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"momentum": {"low": 0.1, "high": 0.9}}, "no setting momentum; there are learning_rate"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "dropout: from 0.5 to 0.1"),
        ({"dropout": {"low": 0.5}}, "dropout: from 0.5 to nan"),
        ({"l2": {"low": 0.0, "high": 0.1, "sampling": "log"}}, "for log greater than 0"),
        ({"l2": {"low": 1e-3, "high": 0.1, "sampling": "logarithmic"}}, "sampling 'logarithmic'"),
        ({"hidden_units": {"values": []}}, "hidden_units: there is no value"),
        ({"hidden_units": {"values": ["16", "16,8"]}}, "hidden_units: '16,8'"),
        ({"dropout": {"from": 0.1, "to": 0.2}}, "dropout: from, to means nothing"),
        ({"dropout": {"low": 0.0, "high": 1.5}}, "dropout: it cannot be 1.5"),
        ({"dropout": {"values": [0.1, "0.2"]}}, "dropout: it cannot be '0.2'"),
        ({"dropout": [0.1, 0.2]}, "dropout: write"),
        ({"l2": {"values": [-1.0]}}, "l2: it cannot be -1.0"),
        ({"l2": {"low": 0.0, "high": float("inf")}}, "l2: it cannot be inf"),
        ({"l2": {"low": "a", "high": "b"}}, "l2: from a to b"),
        ({"l2": {"low": 0.0, "high": 0.1, "step": 0}}, "l2: step 0"),
        ({"batch_size": {"values": [16.5]}}, "batch_size: it cannot be 16.5"),
        ({"hidden_units": {"low": 1, "high": 64}}, "hidden_units: layers are no range"),
        ({"hidden_units": {"values": [16, "32"]}}, "hidden_units: 16"),
        ({"hidden_units": {"values": "16"}}, "hidden_units: write"),
        ({}, "nothing to search"),
    ],
)
def test_space_that_cannot_be_searched_is_refused_by_name(space, said, tuner):
    with pytest.raises(tuner.SearchSpaceError, match=said):
        tuner.hyperparameters(space)


def test_whole_numbers_are_tried_where_a_setting_is_one(tuner):
    found = tuner.hyperparameters({"batch_size": {"low": 16, "high": 64}, "train_epochs": {"values": [1, 2.0]}})
    assert {type(one.random_sample(seed)) for one in found.space for seed in range(5)} == {int}
    mixed = tuner.hyperparameters({"l2": {"values": [0, 0.1]}})
    assert mixed.space[0].values == [0.0, 0.1]


@pytest.mark.parametrize("units", [(), (16,), (64, 32)])
def test_layers_are_written_and_read_back(units, tuner):
    from flights import model

    settings = {"hidden_units": list(units), "dropout": 0.1}
    values = tuner.as_values(settings, ["hidden_units", "dropout"])
    assert isinstance(values["hidden_units"], str)
    assert model.as_settings(values) == settings


def test_best_hyperparameters_go_before_the_settings():
    from flights import model

    settings = {"dropout": 0.3, "seed": 13, "hidden_units": (16,)}
    assert model.with_best(settings, None) == settings
    best = {"space": [], "values": {"dropout": 0.1, "hidden_units": "64-32"}}
    assert model.with_best(settings, best) == {"dropout": 0.1, "seed": 13, "hidden_units": [64, 32]}


def test_newest_days_judge_and_no_day_is_torn_apart(tuner):
    import tensorflow as tf

    days = np.repeat(np.arange(10), 7)
    np.random.default_rng(1).shuffle(days)
    train, held_out = tuner.hold_out({"day": tf.constant(days)}, days)
    assert sorted(set(train["day"].numpy())) == list(range(7))
    assert sorted(set(held_out["day"].numpy())) == [7, 8, 9]
    assert len(train["day"]) + len(held_out["day"]) == len(days)


def test_days_are_dates_and_january_of_the_next_year_is_newer_than_december(tuner):
    """Once the year was left out, and the newest days of a winter were those of December."""
    import datetime

    dates = [
        datetime.date(2013, 12, 31),
        datetime.date(2014, 1, 1),
        datetime.date(2012, 2, 29),
        datetime.date(2012, 3, 1),
    ]
    days = tuner.days_of(*(np.array([getattr(one, name) for one in dates]) for name in tuner.DATE))
    assert list(days) == [sorted(dates).index(one) for one in dates]


def test_rows_that_have_no_more_than_a_year_are_in_its_order(tuner):
    """As in a table whose spans are years."""
    assert list(tuner.days_of(np.array([2003, 2001, 2003, 2002]))) == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("objective", "direction"),
    [("val_auc", "max"), ("val_loss", "min"), ("val_binary_crossentropy", "min"), ("loss", "min")],
)
def test_direction_is_that_of_the_metric_that_trials_are_compared_by(
    tuner, monkeypatch, tmp_path, objective, direction
):
    from flights.pipeline import TRAINING

    monkeypatch.setattr(tuner, "OBJECTIVE", objective)
    settings = {name: getattr(Config(), name) for name in TRAINING}
    search = tuner.make_search(settings, tuner.SEARCH_SPACE, 2, None, None, str(tmp_path))
    assert search.oracle.objective.direction == direction


@pytest.mark.parametrize("objective", ["val_calibration", "val_nonsense", ""])
def test_objective_without_a_direction_is_refused(tuner, objective):
    with pytest.raises(tuner.SearchSpaceError, match="objective"):
        tuner.direction(objective)


def test_one_day_is_too_little_to_tune_on(tuner):
    with pytest.raises(tuner.SearchSpaceError, match="of one day"):
        tuner.hold_out({}, np.full(5, 3))


def searched(tuner, monkeypatch, folder, trials: int, settings: dict | None = None) -> list[dict]:
    """Settings of the trials, in their order; in place of training, dropout is what a trial scores."""
    seen = []

    def start(transform, settings, base_model):
        seen.append(settings)
        return types.SimpleNamespace(
            fit=lambda *_, **__: types.SimpleNamespace(history={"val_auc": [0.9, settings["dropout"]]})
        )

    monkeypatch.setattr(tuner.model, "start", start)
    monkeypatch.setattr(tuner.model, "batches_of", lambda *_: None)
    settings = settings or {name: getattr(Config(), name) for name in (*tuner.model.TUNABLE, "seed")}
    search = tuner.make_search(settings, tuner.SEARCH_SPACE, trials, None, None, str(folder))
    search.search(train={}, held_out={}, verbose=0)
    best = search.get_best_hyperparameters()[0].values
    assert best["dropout"] == max(one["dropout"] for one in seen), "judged by another epoch than the last"
    return seen


def test_same_seed_tries_the_same_and_the_settings_as_they_are_come_first(tuner, monkeypatch, tmp_path, capsys):
    first = searched(tuner, monkeypatch, tmp_path / "1", 4)
    assert first == searched(tuner, monkeypatch, tmp_path / "2", 4)
    assert len(first) == 4
    default = Config()
    assert first[0] == {name: first[0][name] for name in first[0]}
    assert first[0]["learning_rate"] == default.learning_rate
    assert tuple(first[0]["hidden_units"]) == default.hidden_units
    assert len({json.dumps(one, sort_keys=True) for one in first}) == 4
    other = searched(tuner, monkeypatch, tmp_path / "3", 4, first[0] | {"seed": 14})
    assert other[1:] != [one | {"seed": 14} for one in first[1:]]
    assert capsys.readouterr().out == ""


def test_settings_outside_the_space_are_tried_as_well(tuner, monkeypatch, tmp_path):
    settings = {name: getattr(Config(), name) for name in (*tuner.model.TUNABLE, "seed")} | {"hidden_units": [3]}
    assert searched(tuner, monkeypatch, tmp_path, 2, settings)[0]["hidden_units"] == [3]
