"""A flight to predict: what it becomes, and what is said when it cannot be one."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from engines.quiet import import_quietly
from flights import data

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


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("temp", -500, "from -20 to 115"),
        ("temp", 1e39, "from -20 to 115"),
        ("distance", -5, "from 50 to 6000"),
        ("distance", "0", "from 50 to 6000"),
        ("wind_gust", 1048, "from 0 to 120"),
        ("seats", 0, "from 1 to 600"),
        ("year", 2014, "from 2013 to 2013"),
        ("late", 2, "from 0 to 1"),
        ("humid", 0.6, "from 2 to 100"),
        ("origin", "BOS", "one of EWR, JFK, LGA"),
        ("origin", "jfk", "one of EWR, JFK, LGA"),
        ("sched_dep_time", 1275, "a time of day as HHMM, with minutes from 00 to 59"),
        ("sched_dep_time", "1160", "a time of day as HHMM, with minutes from 00 to 59"),
        ("sched_arr_time", 99, "a time of day as HHMM, with minutes from 00 to 59"),
        ("dest", "SFO ", "text that matches [A-Z]{3}"),
        ("dest", "sfo", "text that matches [A-Z]{3}"),
        ("dest", "SFO\n", "text that matches [A-Z]{3}"),
        ("dest", "EWR", "another one than origin"),
        ("flight", 9999, "from 1 to 8999"),
        ("dest", "\ud800", "text that matches [A-Z]{3}"),
        ("tailnum", "UNKNOWN", "text that matches [A-Z][0-9][0-9A-Z]{1,4}"),
    ],
)
def test_what_the_contract_refuses_in_a_month_it_refuses_in_a_flight(column, value, wanted, predict):
    assert refusal(predict, FLIGHT | {column: value}) == f"flight 0, column {column}: {value!r} is not {wanted}."


def test_carrier_that_is_not_in_the_contract_is_refused_with_those_that_are(predict):
    said = refusal(predict, FLIGHT | {"carrier": "ZZ"})
    assert said.startswith("flight 0, column carrier: 'ZZ' is not one of 9E, AA, AS,")


def test_destination_that_is_not_in_the_contract_is_tolerated_as_in_a_month(decoded):
    assert decoded(FLIGHT | {"dest": "XXX"})["dest"] == [b"XXX"]


def test_weekday_and_date_have_to_agree_where_both_are_given(predict, decoded):
    """14 June 2013 was a Friday, 5."""
    friday = {"year": 2013, "month": 6, "day": 14}
    assert decoded(FLIGHT | friday)["weekday"] == [5]
    assert decoded(FLIGHT | {"month": 6, "day": 13})["weekday"] == [5]  # without a year there is no date
    said = refusal(predict, FLIGHT | friday | {"day": 13})
    assert said == "flight 0, column weekday: 5 is not the weekday of that date, where Monday is 1."
    assert refusal(predict, FLIGHT | friday | {"day": 31}) == "flight 0, column day: 31 is not a day of that month."


@pytest.mark.parametrize("value", ["1_000", " 1000", "1000 ", "0x3e8", "٣٠٠", "nan", "infinity", "1,000", "", "1e400"])
def test_text_is_a_number_only_as_a_monthly_file_writes_it(value, predict):
    message = refusal(predict, FLIGHT | {"distance": value})
    assert message.startswith(("flight 0, column distance: ", "flight 0: distance is missing"))


@pytest.mark.parametrize("value", [np.bool_(True), np.array([5]), [5, 6], {"a": 5}, b"5", 5 + 0j, 10**400, object()])
def test_what_is_no_number_is_refused(value, predict):
    assert "column weekday: " in refusal(predict, FLIGHT | {"weekday": value})


@pytest.mark.parametrize("value", [np.int64(5), np.float32(5), np.int8(5)])
def test_numbers_of_numpy_are_numbers(value, decoded):
    assert decoded(FLIGHT | {"weekday": value})["weekday"] == [5]


@pytest.mark.parametrize("value", [np.float32("nan"), pd.NaT])
def test_more_ways_of_saying_unknown(value, decoded):
    assert decoded(FLIGHT | {"temp": value}) == decoded(FLIGHT)


def test_long_values_names_and_flights_are_cut(predict):
    long = "A" * 10_000
    for flight in (
        FLIGHT | {"dest": long},
        FLIGHT | {long: 1},
        FLIGHT | {"temp": 10**9000},
        FLIGHT | {"temp": long},
        long,
    ):
        assert len(refusal(predict, flight)) < 600


@pytest.mark.parametrize("name", ["destination", 5, None, ("dest",)])
def test_unknown_column_is_told_also_when_it_is_no_text_or_has_no_value(name, predict):
    assert f"no column {name}"[:12] in refusal(predict, FLIGHT | {name: None})


def test_another_contract_can_be_given(predict):
    """What is asked of a flight stands in the schema alone."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    text = """feature { name: "wings" type: INT presence { min_fraction: 1 } int_domain { min: 2 max: 4 } }
              feature { name: "at" type: INT annotation { tag: "hhmm" } }
              feature { name: "free" type: FLOAT }"""
    contract = predict.Contract(text_format.Parse(text, schema_pb2.Schema()))

    def said(flight):
        with pytest.raises(predict.FlightError) as refused:
            predict.to_example(flight, 0, contract)
        return str(refused.value)

    assert said({}) == "flight 0: wings is missing."
    assert said({"wings": 5}) == "flight 0, column wings: 5 is not from 2 to 4."
    assert said({"wings": 2, "at": 75}).startswith("flight 0, column at: 75 is not a time of day")
    assert said({"wings": 2, "free": 1e39}) == "flight 0, column free: 1e+39 is not a number that the model can take."
    assert said({"wings": 2, "dest": "SFO"}) == "flight 0: no column dest; there are wings, at, free."
    assert predict.to_example({"wings": 2, "at": 59, "free": -1e38}, 0, contract)


@pytest.mark.parametrize(
    ("second", "third", "said"),
    [
        ({"sched_dep_time": 1275}, {"weekday": 9}, "flight 1, column sched_dep_time: 1275"),
        ({"weekday": 9}, {"sched_dep_time": 1275}, "flight 1, column weekday: 9"),
        ({"dest": "EWR"}, {"sched_dep_time": 1275}, "flight 1, column dest: 'EWR' is not another one than origin"),
        ({}, {"dest": "EWR", "sched_dep_time": 1275}, "flight 2, column sched_dep_time: 1275"),
        ({"carrier": None}, {"dest": "EWR"}, "flight 1: carrier is missing."),
    ],
)
def test_of_several_flights_the_first_that_cannot_be_is_named(second, third, said, predict):
    with pytest.raises(predict.FlightError) as refused:
        predict.to_examples([FLIGHT, FLIGHT | second, FLIGHT | third, FLIGHT | {"distance": -1}])
    assert str(refused.value).startswith(said)


def test_flights_together_are_what_each_is_alone(predict, root):
    january = data.read_month(root / "data/flights", 1).head(50).to_dict("records")
    alone = [predict.to_example(flight) for flight in january]
    assert list(map(sorted_features, predict.to_examples(january))) == list(map(sorted_features, alone))


def sorted_features(example: bytes) -> list[tuple[str, str]]:
    """The features of a serialised example; protobuf keeps a map in no order."""
    import tensorflow as tf

    return sorted((name, str(value)) for name, value in tf.train.Example.FromString(example).features.feature.items())


def test_every_flight_of_a_good_month_can_be_asked_about(predict, root):
    for month in (1, 7, 12):
        predict.to_examples(data.read_month(root / "data/flights", month).to_dict("records"))


STAND_INS = "import sys, unittest.mock as m; sys.modules |= {name: m.MagicMock() for name in ('tensorflow', 'keras', 'tensorflow_transform', 'tfx_bsl', 'tfx_bsl.public')}; "
"""In place of libraries that take seconds to import."""


@pytest.mark.parametrize("before", [STAND_INS, pytest.param("", marks=pytest.mark.long)], ids=["module", "libraries"])
def test_prediction_loads_no_data_validation(before):
    """It takes seconds to import, and a single prediction needs none of it: neither our modules ask for it, nor what they import."""
    code = f"{before}import sys, flights.predict; print('tensorflow_data_validation' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("flight", [3, "UA", ["UA"], None])
def test_what_is_no_flight_is_refused(flight, predict):
    assert "flight 2" in refusal(predict, flight, 2)


WORDS = ["UA", "ua", "UA ", "ZZ", "EWR", "SFO", "XXX", "N657JB", "TEST", "SFO\u00a0"]


def cases() -> list[tuple[str, object]]:
    """For each column that a flight may have: values at and beyond its ends, and words of its own kind and of others."""
    from flights.config import Config
    from flights.rules import read_schema

    made: list[tuple[str, object]] = [
        ("sched_dep_time", 1275),
        ("sched_arr_time", 60),
        ("wind_speed", 5.0),
        ("dest", "LGA"),
    ]
    for column in read_schema(Config().schema_file).feature:
        kind = column.WhichOneof("domain_info")
        if kind in ("int_domain", "float_domain"):
            ends = getattr(column, kind)
            made += [(column.name, value) for value in (ends.min - 1, ends.min, ends.max, ends.max + 1)]
        else:
            made += [(column.name, word) for word in WORDS]
        made.append((column.name, None))
    return made


def test_training_and_prediction_accept_and_refuse_the_same_values(predict, root):
    """One flight of January is changed in one column, and both are asked: the month that has it, and a request for it.

    What only training can ask is left out: the label and the date must be known there, and rules about shares of a month.
    """
    import tensorflow_data_validation as tfdv

    from flights import rules
    from flights.config import Config

    contract = rules.read_schema(Config().schema_file)
    of_each = [rule for rule in rules.rules_of(contract) if rule.is_of_each_flight]
    january = data.read_month(root / "data/flights", 1)
    differ = []
    for column, value in cases():
        if value is None and column not in predict.Contract.load().required:
            continue
        month = january.head(100).copy()
        month[column] = month[column].astype(object)
        month.loc[0, column] = value
        month[column] = month[column].astype(january[column].dtype)
        found = tfdv.validate_statistics(tfdv.generate_statistics_from_dataframe(month[[column]]), contract)
        is_refused = column in found.anomaly_info or bool(rules.list_broken(of_each, rules.columns_of(month), "month"))
        try:
            predict.to_example(month.iloc[0].to_dict())
        except predict.FlightError:
            if not is_refused:
                differ.append(f"{column}: only prediction refuses {value!r}")
        else:
            if is_refused:
                differ.append(f"{column}: only training refuses {value!r}")
    assert differ == []
