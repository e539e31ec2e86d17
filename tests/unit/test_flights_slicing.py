"""Slices by what is not a column: the hour and the part of the day."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from engines.quiet import import_quietly
from flights import columns
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def slicing():
    import_quietly()
    return importlib.import_module("flights.slicing")


@pytest.mark.parametrize(
    ("hhmm", "hour", "part"),
    [
        (1, 0, b"00-09"),
        (859, 8, b"00-09"),
        (900, 9, b"09-14"),
        (1359, 13, b"09-14"),
        (1400, 14, b"14-18"),
        (2359, 23, b"18-24"),
    ],
)
def test_departure_falls_into_its_hour_and_part_of_the_day(hhmm, hour, part):
    times = np.array([hhmm])
    assert columns.hour(times).tolist() == [hour]
    assert columns.part_of_day(times).tolist() == [part]


def test_columns_are_added_for_slices_and_others_stay(slicing):
    import tensorflow_model_analysis as tfma

    batch = {tfma.FEATURES_KEY: {"sched_dep_time": np.array([[1745], [600]])}, "predictions": np.array([0.1, 0.2])}
    added = slicing.add_columns(batch, ["hour"])
    assert added[tfma.FEATURES_KEY]["hour"].tolist() == [[17], [6]]
    assert "hour" not in batch[tfma.FEATURES_KEY]
    assert added["predictions"] is batch["predictions"]


def test_flight_without_a_departure_is_named(slicing):
    import tensorflow_model_analysis as tfma

    sparse = tfma.types.VarLenTensorValue(np.array([1745]), np.array([[0, 0]]), np.array([2, 1]))
    with pytest.raises(ValueError, match="sched_dep_time: 1 values for 2 flights"):
        slicing.add_columns({tfma.FEATURES_KEY: {"sched_dep_time": sparse}}, ["hour"])


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, False),
        ({"slices": (("hour",),)}, True),
        ({"confidence_intervals": True}, False),
        ({"slices": (("carrier",),)}, False),
    ],
)
def test_evaluator_is_given_the_module_only_where_it_needs_it(slicing, settings, needed):
    from flights.evaluation import make_eval_config

    assert slicing.needed(make_eval_config(Config(**settings))) is needed
