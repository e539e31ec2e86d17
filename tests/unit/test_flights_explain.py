"""What a model's answers depend on, shown with models whose answers are known."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from engines.quiet import import_quietly
from flights.data import LABEL, read_month

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def explain():
    import_quietly()
    return importlib.import_module("flights.explain")


@pytest.fixture(scope="module")
def january(root):
    return read_month(root / "data/flights", 1)[:600]


def by_hour(flights):
    """A model that knows the hour and nothing else."""
    return flights.sched_dep_time.to_numpy(float) / 2400


def test_groups_hold_each_column_of_the_model_once(explain):
    from flights import features

    columns = [name for group in explain.GROUPS.values() for name in group]
    assert sorted(columns) == sorted(features.RAW)


def test_only_what_the_model_goes_by_is_important(explain, january):
    table = explain.importance(by_hour, january, repeats=3)
    assert table.index[0] == "departure"
    assert table.loss["departure"] > 0.05
    assert (table.loss.drop("departure") == 0).all()


def test_twins_hide_each_other_when_they_are_shuffled_alone(explain, january):
    """A model on the mean of two columns that say the same loses more than twice as much when both are shuffled."""
    flights = january.assign(temp=np.arange(len(january)) % 100.0)
    flights["dewp"] = flights.temp
    flights[LABEL] = (flights.temp > 70).astype(int)
    groups = {"temp": ["temp"], "both": ["temp", "dewp"]}
    table = explain.importance(lambda f: (f.temp + f.dewp).to_numpy(float), flights, groups, repeats=3)
    assert table.loss["both"] > 2 * table.loss["temp"] > 0


def test_same_seed_same_table(explain, january):
    first, second = (explain.importance(by_hour, january, repeats=2) for _ in range(2))
    assert first.equals(second)


def test_one_prediction_is_owed_to_what_the_model_goes_by(explain, january):
    late_evening = january.loc[january.sched_dep_time.idxmax()]
    prediction, owed = explain.one_flight(by_hour, late_evening, january[:100])
    assert prediction == pytest.approx(late_evening.sched_dep_time / 2400)
    assert owed.index[0] == "departure"
    assert owed["departure"] == pytest.approx(prediction - by_hour(january[:100]).mean())
    assert owed.drop("departure").abs().max() < 1e-12
