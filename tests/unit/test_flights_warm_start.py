"""Warm start: weights are taken over by what they mean, so that before any training nothing is predicted otherwise."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")

SETTINGS = {"hidden_units": [8, 4], "dropout": 0.0, "l2": 1e-3, "learning_rate": 1e-3, "seed": 3}
JANUARY = {"carrier": ["UA", "B6", "DL"], "origin": ["EWR", "JFK", "LGA"], "dest": ["SFO", "ATL", "BOS", "ORD"]}
FEBRUARY = {
    "carrier": ["DL", "UA", "9E", "B6"],
    "origin": ["LGA", "EWR", "JFK"],
    "dest": ["BOS", "MIA", "ORD", "SFO", "ATL"],
}
"""Other orders, and words that January had not."""


@pytest.fixture(scope="module")
def flights():
    import_quietly()
    import keras

    from flights import features, model, warm_start

    keras.utils.set_random_seed(1)
    return type("Modules", (), {"features": features, "model": model, "warm_start": warm_start, "keras": keras})


def past(flights, vocabularies, seed: int):
    drawn = np.random.default_rng(seed)
    moments = {name: (drawn.normal(0, 5), drawn.uniform(0.5, 20)) for name in flights.model.NUMERIC_INPUTS}
    return flights.warm_start.Past(vocabularies, moments, dict(SETTINGS))


def stored(flights, monkeypatch, folder, network, made):
    """A model stored as by a training whose Transform gave `made`."""
    monkeypatch.setattr(flights.warm_start.Past, "of", classmethod(lambda cls, *_: made))
    folder.mkdir(parents=True, exist_ok=True)
    serving = folder / "Format-Serving"
    flights.warm_start.remember(str(serving), network, None, SETTINGS, {"loss": [1.0, 0.5]})
    return flights.warm_start.recall(serving)


def sizes(vocabularies):
    return {name: len(words) for name, words in vocabularies.items()}


def january(flights, monkeypatch, folder):
    network = flights.model.build_model(sizes(JANUARY), SETTINGS)
    for layer in network.layers:
        layer.set_weights([np.random.default_rng(4).normal(0, 0.5, one.shape) for one in layer.get_weights()])
    return network, stored(flights, monkeypatch, folder, network, past(flights, JANUARY, 1))


def flown(flights, vocabularies, moments, count: int = 300):
    """The same flights as this month's Transform gives them: raw values scaled and looked up."""
    drawn = np.random.default_rng(7)
    inputs = {}
    for name, (mean, deviation) in moments.items():
        raw = drawn.standard_t(2, (count, 1)) * 10  # many beyond the limits of the network's clip
        inputs[name] = ((raw - mean) / deviation).astype("float32")
    for name, words in JANUARY.items():
        raw = [words[place] for place in drawn.integers(0, len(words), count)]
        inputs[flights.features.index(name)] = np.array([[vocabularies[name].index(word)] for word in raw])
    inputs["weekday_index"] = drawn.integers(0, 7, (count, 1))
    return inputs


def asked(network, inputs):
    """What a network predicts; without the graph that `predict` makes first."""
    return np.asarray(network(inputs, training=False))


def test_before_training_every_flight_is_predicted_as_before(flights, monkeypatch, tmp_path):
    """Words in another order, new words among them, and other moments, with values beyond the clip."""
    network, base = january(flights, monkeypatch, tmp_path)
    now = past(flights, FEBRUARY, 2)
    units = flights.warm_start.Units.between(now.moments, base.moments)
    other = flights.model.build_model(sizes(FEBRUARY), SETTINGS, units)
    flights.warm_start.carry_over(base, now, other)
    then = asked(network, flown(flights, JANUARY, base.moments))
    found = asked(other, flown(flights, FEBRUARY, now.moments))
    assert np.std(then) > 0.1
    np.testing.assert_allclose(found, then, atol=1e-5)


@pytest.mark.parametrize("forgotten", ["words", "moments"])
def test_neither_words_nor_moments_may_be_forgotten(forgotten, flights, monkeypatch, tmp_path):
    """What would go wrong without: the same weights say something else."""
    network, base = january(flights, monkeypatch, tmp_path)
    words = {name: sorted(words) for name, words in JANUARY.items()}
    now = past(flights, words, 2)
    units = flights.warm_start.Units.between(now.moments, base.moments)
    told = now
    if forgotten == "words":
        told = dataclasses.replace(now, vocabularies=JANUARY)
    else:
        units = None
    other = flights.model.build_model(sizes(words), SETTINGS, units)
    flights.warm_start.carry_over(base, told, other)
    then = asked(network, flown(flights, JANUARY, base.moments))
    found = asked(other, flown(flights, words, now.moments))
    assert np.abs(found - then).max() > 0.05


def test_third_month_goes_on_in_the_units_of_the_first(flights, monkeypatch, tmp_path):
    network, base = january(flights, monkeypatch, tmp_path / "january")
    february = past(flights, FEBRUARY, 2)
    second = flights.model.build_model(
        sizes(FEBRUARY), SETTINGS, flights.warm_start.Units.between(february.moments, base.moments)
    )
    flights.warm_start.carry_over(base, february, second)
    monkeypatch.setattr(flights.warm_start.Past, "of", classmethod(lambda cls, *_: february))
    serving = tmp_path / "february" / "Format-Serving"
    serving.mkdir(parents=True, exist_ok=True)
    before = str(tmp_path / "january" / "Format-Serving")
    flights.warm_start.remember(str(serving), second, None, SETTINGS, {}, before)

    again = flights.warm_start.recall(serving)
    assert (again.moments, again.vocabularies, again.started_from) == (base.moments, FEBRUARY, before)
    march = past(flights, JANUARY, 9)
    third = flights.model.build_model(
        sizes(JANUARY), SETTINGS, flights.warm_start.Units.between(march.moments, again.moments)
    )
    flights.warm_start.carry_over(again, march, third)
    then = asked(network, flown(flights, JANUARY, base.moments))
    found = asked(third, flown(flights, JANUARY, march.moments))
    np.testing.assert_allclose(found, then, atol=1e-5)


def test_new_words_begin_as_unknown_ones(flights):
    rows = np.arange(8.0).reshape(4, 2)
    found = flights.warm_start.rows_by_word(rows, ["a", "b", "c"], ["c", "new", "a"])
    np.testing.assert_array_equal(found, [[4, 5], [6, 7], [0, 1], [6, 7]])


def test_what_is_remembered_comes_back(flights, monkeypatch, tmp_path):
    network, base = january(flights, monkeypatch, tmp_path)
    assert base.history == {"loss": [1.0, 0.5]}
    assert base.settings == SETTINGS
    assert not list(tmp_path.glob("Format-Serving/*")), "the served model is not touched"
    for layer, again in zip(network.get_weights(), base.model().get_weights(), strict=True):
        np.testing.assert_array_equal(layer, again)


def test_other_layers_are_refused_with_what_to_do(flights, monkeypatch, tmp_path):
    _, base = january(flights, monkeypatch, tmp_path)
    with pytest.raises(
        flights.warm_start.BaseModelError, match=r"hidden_units \[8, 4\], and this run asks for \[16\]. Ask for 8-4"
    ):
        flights.warm_start.require_same_layers(base, SETTINGS | {"hidden_units": (16,)})


def test_model_whose_code_has_changed_since_is_refused_by_layer(flights, monkeypatch, tmp_path):
    _, base = january(flights, monkeypatch, tmp_path)
    wider = flights.model.build_model(sizes(JANUARY), SETTINGS | {"hidden_units": (9, 4)})
    with pytest.raises(flights.warm_start.BaseModelError, match=r"layer hidden_0 \(number \d+\) is not as it was"):
        flights.warm_start.carry_over(base, past(flights, JANUARY, 1), wider)


def test_model_without_a_past_is_refused_with_what_to_do(flights, tmp_path):
    with pytest.raises(flights.warm_start.BaseModelError, match="Run once without --warm-start"):
        flights.warm_start.recall(tmp_path / "Format-Serving")


def test_feature_that_does_not_vary_with_its_columns_is_named(flights, monkeypatch):
    """What it is scaled by could not be told from it, and each later warm start would count in units of nothing."""
    import tensorflow as tf

    transform = SimpleNamespace(
        raw_feature_spec=lambda: {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("seats", "unused")},
        transform_features_layer=lambda: lambda parsed: {"seats_scaled": parsed["seats"]},
    )
    monkeypatch.setattr(flights.features, "measured", lambda parsed: {"seats": parsed["seats"] * 2 + 6})
    assert flights.warm_start.moments_of(transform) == {"seats_scaled": (6.0, 2.0)}
    monkeypatch.setattr(flights.features, "measured", lambda parsed: {"seats": parsed["seats"] * 0})
    with pytest.raises(ValueError, match=r"seats is 0 where its columns are 0 and where they are 10000"):
        flights.warm_start.moments_of(transform)
