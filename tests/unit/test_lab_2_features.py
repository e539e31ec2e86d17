"""Lab 2, tasks 1 and 2: features are judged as the numbers that Transform wrote, whatever made them."""

from __future__ import annotations

import lab_two
import numpy as np
import pandas as pd
import pytest

from judges.lab_2 import given_data
from judges.lab_2.given_data import KEY

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
OWN = ["rough_air", "near_evening"]


@pytest.fixture(scope="module", autouse=True)
def small_months():
    with pytest.MonkeyPatch.context() as patch:
        lab_two.small(patch)
        yield
    lab_two.forget()


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


def judge(lab, change=None, own=OWN):
    lab_two.write_transformed(lab, change)
    return lab_two.evaluate(lab, "features", transformed_examples=lab_two.TRANSFORMED, own=own)


# --- Task 1: right answers ----------------------------------------------------------------------------------------


def test_right_features_pass(lab):
    assert judge(lab) == (6, "")


def test_other_scales_and_flags_pass(lab):
    """From 0 to 1 instead of z-scores, one column for each airport, other features of one's own."""

    def change(frame, flights):
        hour = flights["sched_dep_time"] // 100
        frame = frame.drop(columns=["carrier_index", "origin_index", *OWN])
        for name in ("EWR", "JFK", "LGA"):
            frame[f"from_{name}"] = (flights["origin"] == name).astype(np.float32)
        frame["minute"] = (flights["sched_dep_time"] / 2400).astype(np.float32)
        frame["weekend_evening"] = ((flights["weekday"] > 5) & (hour > 16)).astype(np.float32)
        frame["muggy"] = ((flights["dewp"] * flights["wind_speed"]).fillna(500) / 500).astype(np.float32)
        return frame

    assert judge(lab, change, ["weekend_evening", "muggy"]) == (6, "")


def test_crossed_words_as_places_pass(lab):
    """Own features that are places in a list: airline at an airport, hour of the week."""

    def change(frame, flights):
        frame["airline_at"] = pd.factorize(flights["carrier"] + flights["origin"])[0]
        frame["hour_of_week"] = (flights["weekday"] - 1) * 24 + flights["sched_dep_time"] // 100
        return frame

    assert judge(lab, change, ["airline_at", "hour_of_week"]) == (6, "")


def test_more_than_two_of_their_own_pass(lab):
    def change(frame, flights):
        frame["noon"] = np.cos(2 * np.pi * flights["sched_dep_time"] / 2400).astype(np.float32)
        return frame

    assert judge(lab, change, [*OWN, "noon"]) == (6, "")


def test_crossed_words_on_a_scale_pass(lab):
    """The hour of the week goes up with the weekday, and says more than it."""

    def change(frame, flights):
        week = (flights["weekday"] - 1) * 24 + flights["sched_dep_time"] // 100
        return frame.assign(hour_of_week=(week / 84 - 1).astype(np.float32))

    assert judge(lab, change, ["hour_of_week", "rough_air"]) == (6, "")


# --- Task 1: wrong answers ----------------------------------------------------------------------------------------


def put(name, make):
    def change(frame, flights):
        return frame.assign(**{name: make(flights, frame)})

    return change


def first_empty(flights, frame):
    values = frame["temp"].astype(object)
    values.iloc[0] = None
    return values


WRONG = {
    "the delay": (
        put("expected", lambda f, x: f["dep_delay"].fillna(0).astype(float) / 60),
        OWN,
        0,
        "`expected` knows the answer",
    ),
    "the label as a feature": (put("risk", lambda f, x: f["target"].astype(float)), OWN, 0, "`risk` knows the answer"),
    "whether it has a plane": (
        put("planned", lambda f, x: f["tailnum"].notna().astype(float)),
        OWN,
        0,
        "which flights have no plane yet",
    ),
    "seats, 0 where unknown": (
        put("large", lambda f, x: f["seats"].where(f["tailnum"].notna(), -400).fillna(100).astype(float) / 200),
        OWN,
        0,
        "no plane yet",
    ),
    "text": (put("where", lambda f, x: f["origin"]), OWN, 0, "`where` holds text"),
    "a gap": (put("temp", first_empty), OWN, 0, "`temp` has no value for 1 flights"),
    "NaN": (put("temp", lambda f, x: x["temp"].where(x.index > 3)), OWN, 0, "`temp` holds NaN or infinity"),
    "two values": (put("pair", lambda f, x: [[1.0, 2.0]] * len(f)), OWN, 0, "`pair` has several values"),
    "without its number": (lambda frame, flights: frame.drop(columns=KEY), OWN, 0, "have no `id`"),
    "scaled number": (put(KEY, lambda f, x: f[KEY] + 1), OWN, 0, "`id` is not as it came"),
    "turned label": (put("target", lambda f, x: 1 - f["target"].astype(int)), OWN, 0, "`target` is not as it came"),
    "flights left out": (lambda frame, flights: frame[5:], OWN, 0, "examples, and there are"),
    "too few": (lambda frame, flights: frame[[KEY, "target", *OWN, "temp"]], OWN, 0, "There are 3 features"),
    "a column as it is": (
        put("mine", lambda f, x: f["distance"].astype(float) / 1000),
        ["mine", "rough_air"],
        4,
        "`mine` is `distance` in other clothes",
    ),
    "its logarithm": (
        put("mine", lambda f, x: np.log(f["distance"].astype(float)) - 6),
        ["mine", "rough_air"],
        4,
        "`mine` is `distance` in other clothes",
    ),
    "the hour of HHMM": (
        put("mine", lambda f, x: f["sched_dep_time"] // 100),
        ["mine", "rough_air"],
        4,
        "`mine` is `sched_dep_time` in other clothes",
    ),
    "words renumbered": (
        put("mine", lambda f, x: pd.factorize(f["carrier"], sort=True)[0]),
        ["mine", "rough_air"],
        4,
        "`mine` is `carrier` in other clothes",
    ),
    "nearly always the same": (
        put("mine", lambda f, x: (f.index % 300 == 0).astype(float)),
        ["mine", "rough_air"],
        4,
        "the same value for",
    ),
    "twice the same": (
        put("mine", lambda f, x: x["rough_air"] * 2),
        ["mine", "rough_air"],
        4,
        "`mine` says the same as your feature `rough_air`",
    ),
    "how far from the dew point": (
        put("mine", lambda f, x: ((f["temp"] - f["dewp"]) / 20).fillna(0.5)),
        ["mine", "rough_air"],
        4,
        "`mine` is `humid` in other clothes",
    ),
    "a day of the week on a scale": (
        put("mine", lambda f, x: (f["weekday"] - 4) / 2.0),
        ["mine", "rough_air"],
        4,
        "`mine` is `weekday` in other clothes",
    ),
    "a wave that turns where their other one does": (
        put("mine", lambda f, x: np.sin(2 * np.pi * f["sched_dep_time"] / 2400)),
        ["mine", "near_evening"],
        4,
        "`mine` says the same as your feature `near_evening`",
    ),
    "one of their own": (None, ["rough_air"], 4, "names of 2 features"),
    "one that is not there": (None, ["rough_air", "fog"], 4, "'fog'"),
    "not a list": (None, "rough_air", 4, "`OWN` has to be a list"),
    "raw miles": (put("miles", lambda f, x: f["distance"].astype(float) + f["day"]), OWN, 4, "`miles` has the mean"),
    "tiny": (put("tiny", lambda f, x: x["temp"] / 1e4), OWN, 4, "`tiny` has the mean"),
    "raw whole numbers": (put("number", lambda f, x: f["flight"]), OWN, 4, "neither places in a list nor on a scale"),
    "places below 0": (put("place", lambda f, x: x["carrier_index"] - 1), OWN, 4, "whole numbers below 0"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_features_are_told(lab, what):
    change, own, points, told = WRONG[what]
    got, message = judge(lab, change, own)
    assert told in message
    assert got == points


@pytest.mark.parametrize("given", [7, "", "../..", "/etc", "nowhere", "a\0b", ["x"]])
def test_answer_that_is_no_folder_is_told(lab, given):
    points, message = lab_two.evaluate(lab, "features", transformed_examples=given, own=OWN)
    assert points == 0
    assert message


def test_folder_of_other_things_is_told(lab):
    lab_two.write_transformed(lab)
    place = lab.workspace / lab_two.TRANSFORMED / "Split-train"
    for content, told in ((b"not a record", "is no file of records"), (b"\x1f\x8bxxxxxxxx", "is no file of records")):
        [path] = place.iterdir()
        path.write_bytes(content)
        points, message = lab_two.evaluate(lab, "features", transformed_examples=lab_two.TRANSFORMED, own=OWN)
        assert points == 0
        assert told in message


# --- Task 2 -------------------------------------------------------------------------------------------------------


def parity(lab, change=None, **writing):
    lab_two.write_transformed(lab)
    frame = lab_two.served(lab)
    frame = frame if change is None else change(frame, given_data.requests(lab.seed))
    frame.to_csv(lab.workspace / "served.csv", **{"index": False, **writing})
    return lab_two.evaluate(lab, "parity", transformed_examples=lab_two.TRANSFORMED)


def test_right_requests_pass(lab):
    assert parity(lab) == (3, "")


def test_other_order_of_columns_and_more_columns_pass(lab):
    assert parity(lab, lambda frame, requests: frame[frame.columns[::-1]].assign(target=0)) == (3, "")


def test_fewer_digits_pass(lab):
    assert parity(lab, float_format="%.5f") == (3, "")


def test_whole_numbers_as_decimals_pass(lab):
    assert parity(lab, lambda frame, requests: frame.astype(float)) == (3, "")


def by_batch(frame, requests):
    """Scaled by what is in the batch."""
    return frame.assign(temp=(frame["temp"] - frame["temp"].mean()) / frame["temp"].std())


def cell(name, row, value):
    def change(frame, requests):
        frame = frame.astype(dict.fromkeys([name], float))
        frame.loc[frame.index[row], name] = value
        return frame

    return change


WRONG_SERVED = {
    "scaled by the batch": (by_batch, 0, "prepared in two ways: `temp` ("),
    "chance": (
        lambda frame, requests: frame.assign(rough_air=np.random.default_rng(1).random(len(frame))),
        0,
        "`rough_air` (",
    ),
    "one cell": (cell("distance", 3, 0.5), 0, "`distance` (1 of 28 flights)"),
    "places of their own": (
        lambda frame, requests: frame.assign(carrier_index=pd.factorize(requests["carrier"])[0]),
        0,
        "`carrier_index` (",
    ),
    "sorted": (lambda frame, requests: frame.sort_values(KEY), 0, "in another order"),
    "rows left out": (lambda frame, requests: frame.dropna().head(20), 0, "has 20 rows"),
    "a feature left out": (lambda frame, requests: frame.drop(columns="near_evening"), 0, "lacks `near_evening`"),
    "without numbers": (lambda frame, requests: frame.drop(columns=KEY), 0, "no column `id`"),
    "text": (lambda frame, requests: frame.assign(origin_index=requests["origin"]), 0, "something that is no number"),
    "NaN without weather": (cell("temp", -5, np.nan), 2, "is no number for the request"),
    "infinite": (cell("temp", -5, np.inf), 2, "is no number for the request"),
    "no place for an unknown word": (cell("carrier_index", -10, -1), 2, "`carrier_index` is -1"),
    "the same twice": (cell("temp", -1, 3.0), 2, "prepared in two ways"),
}


@pytest.mark.parametrize("what", WRONG_SERVED)
def test_wrong_requests_are_told(lab, what):
    change, points, told = WRONG_SERVED[what]
    got, message = parity(lab, change)
    assert told in message
    assert got == points


def test_no_file_is_told(lab):
    lab_two.write_transformed(lab)
    points, message = lab_two.evaluate(lab, "parity", transformed_examples=lab_two.TRANSFORMED)
    assert points == 0
    assert "There is no file `served.csv`" in message


def test_requests_of_another_student_are_told(lab, tmp_path):
    lab_two.write_transformed(lab)
    other = lab_two.lab(tmp_path, "student-2")
    lab_two.served(other).to_csv(lab.workspace / "served.csv", index=False)
    points, message = lab_two.evaluate(lab, "parity", transformed_examples=lab_two.TRANSFORMED)
    assert points == 0
    assert "does not hold the numbers of the flights that were given" in message
