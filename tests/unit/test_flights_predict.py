"""A flight to predict: what it becomes, and what is said when it cannot be one."""

from __future__ import annotations

import importlib

import pandas as pd
import pytest

from flights import data
from flights.config import Config
from flights.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")

FLIGHT = {
    "weekday": 5,
    "sched_dep_time": 1745,
    "carrier": "UA",
    "origin": "EWR",
    "dest": "SFO",
    "distance": 2565,
}


@pytest.fixture(scope="module")
def predict():
    import_quietly()
    return importlib.import_module("flights.predict")


@pytest.fixture
def decoded(predict):
    """Gives the features of a flight's tf.Example as plain lists by column."""
    import tensorflow as tf

    def decode(flight):
        features = tf.train.Example.FromString(predict.to_example(flight)).features.feature
        return {name: list(getattr(value, value.WhichOneof("kind")).value) for name, value in features.items()}

    return decode


def refusal(predict, flight, number: int = 0) -> str:
    with pytest.raises(predict.FlightError) as refused:
        predict.to_example(flight, number)
    return str(refused.value)


def test_what_must_be_known_is_enough(decoded):
    assert decoded(FLIGHT) == {
        "weekday": [5],
        "sched_dep_time": [1745],
        "carrier": [b"UA"],
        "origin": [b"EWR"],
        "dest": [b"SFO"],
        "distance": [2565],
    }


def test_row_of_a_monthly_file_is_a_flight(decoded, root):
    """As text, as pandas reads it, and as Arrow reads it."""
    path = data.month_path(root / "data/flights", 1)
    header, line = path.read_text().splitlines()[:2]
    text = dict(zip(header.split(","), line.split(","), strict=True))
    frame = data.read_month(root / "data/flights", 1)
    as_python = data.read_table(path).slice(0, 1).to_pylist()[0]
    assert decoded(text) == decoded(frame.iloc[0].to_dict()) == decoded(as_python)
    assert data.LABEL not in decoded(text)


def test_gaps_of_a_data_frame_are_missing_values(decoded, root):
    frame = data.read_month(root / "data/flights", 1)
    gap = frame[frame["seats"].isna()].iloc[0].to_dict()
    assert "seats" in gap
    assert "seats" not in decoded(gap)


@pytest.mark.parametrize("value", [None, "", float("nan"), pd.NA])
def test_what_is_unknown_is_left_out(value, decoded):
    assert decoded(FLIGHT | {"temp": value}) == decoded(FLIGHT)


@pytest.mark.parametrize(("value", "stored"), [(5, 5), (5.0, 5), ("5", 5), ("5.0", 5)])
def test_whole_numbers_may_be_written_in_any_way(value, stored, decoded):
    assert decoded(FLIGHT | {"weekday": value})["weekday"] == [stored]


def test_real_numbers_are_stored_as_float32(decoded):
    assert decoded(FLIGHT | {"temp": "39.02"})["temp"] == [pytest.approx(39.02, abs=1e-5)]


@pytest.mark.parametrize("column", ["weekday", "sched_dep_time", "carrier", "origin", "dest", "distance"])
def test_what_must_be_known_is_asked_for(column, predict):
    assert refusal(predict, {name: value for name, value in FLIGHT.items() if name != column}, 3) == (
        f"flight 3: {column} is missing."
    )
    assert refusal(predict, FLIGHT | {column: None}) == f"flight 0: {column} is missing."


def test_misspelt_column_is_named_with_those_that_there_are(predict):
    said = refusal(predict, FLIGHT | {"destination": "SFO"})
    assert said.startswith("flight 0: no column destination; there are year, month,")


@pytest.mark.parametrize("column", data.AFTERWARDS)
def test_what_is_known_afterwards_is_no_column(column, predict):
    assert f"no column {column}" in refusal(predict, FLIGHT | {column: 3})


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("weekday", "Friday", "a whole number"),
        ("weekday", 5.5, "a whole number"),
        ("weekday", [5], "a whole number"),
        ("weekday", True, "a whole number"),
        ("weekday", float("inf"), "a whole number"),
        ("distance", 10**30, "a whole number"),
        ("temp", "mild", "a number"),
        ("temp", "inf", "a number"),
        ("temp", {"value": 39}, "a number"),
        ("carrier", 9, "text"),
        ("carrier", ["UA"], "text"),
    ],
)
def test_value_that_does_not_belong_is_named(column, value, wanted, predict):
    said = refusal(predict, FLIGHT | {column: value}, 1)
    assert said == f"flight 1, column {column}: {value!r} is not {wanted}."


@pytest.mark.parametrize(
    ("column", "value", "limits"),
    [("weekday", 0, "1 to 7"), ("weekday", "8", "1 to 7"), ("sched_dep_time", 2400, "1 to 2359")],
)
def test_value_for_which_the_model_has_no_place_is_refused(column, value, limits, predict):
    assert refusal(predict, FLIGHT | {column: value}) == f"flight 0, column {column}: {value!r} is not from {limits}."


def test_limits_are_those_of_the_schema(predict):
    import tensorflow_data_validation as tfdv

    domains = {
        feature.name: (feature.int_domain.min, feature.int_domain.max)
        for feature in tfdv.load_schema_text(Config().schema_file).feature
    }
    assert {name: domains[name] for name in predict.LIMITS} == predict.LIMITS


@pytest.mark.parametrize("flight", [3, "UA", ["UA"], None])
def test_what_is_no_flight_is_refused(flight, predict):
    assert "flight 2" in refusal(predict, flight, 2)
