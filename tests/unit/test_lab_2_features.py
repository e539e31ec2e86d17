"""Lab 2, tasks 1 and 2: a transform graph is judged by what it makes of flights that it is given elsewhere.

One real graph makes all features, right and wrong; it is run in one trial, and each case sees some of them.
"""

from __future__ import annotations

import lab_two
import numpy as np
import pandas as pd
import pytest
import student_lab

from judges.lab_2 import given_data, transform_trial
from judges.lab_2.given_data import KEY
from judges.trial import Done, Here, Ran

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
OWN = ["rough_air", "near_evening"]
GAPS = ["temp", "dewp", "humid", "wind_speed", "visib", "precip"]
PLAIN = ["id", "target", "distance", "minute", *GAPS, "carrier_index", "origin_index", "weekday_index", *OWN]
"""What a right graph returns."""


class Some:
    """Runs the trial of all features once, and leaves of its result what a case has."""

    def __init__(self, ran):
        self.ran, self.names = ran, {}

    def __call__(self, lab, given):
        return {
            name: {as_: columns[of] for as_, of in self.names.items() if of in columns}
            for name, columns in self.ran.items()
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from lab_two_features import preprocessing_fn

    lab = lab_two.lab(tmp_path_factory.mktemp("all features"), runner=student_lab.InThisProcess())
    flights = given_data.split("train").sample(600, random_state=1)
    lab_two.write_graph(preprocessing_fn, flights, lab.workspace / lab_two.GRAPH)
    return transform_trial.prepared(lab, lab_two.GRAPH)


@pytest.fixture
def some(run, monkeypatch):
    found = Some(run)
    monkeypatch.setattr(transform_trial, "prepared", found)
    return found


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


def given(more=(), without=(), **renamed):
    """Names of the features of a case, by the name that they have in it."""
    return {name: name for name in (*PLAIN, *more) if name not in without} | renamed


MANY = ["from_EWR", "from_JFK", "from_LGA", "minute_share"]
RIGHT = {
    "a fold of one column, and two together": (given(), OWN),
    "other scales and flags": (
        given([*MANY, "weekend_evening", "muggy"], ["carrier_index", "minute", *OWN]),
        ["weekend_evening", "muggy"],
    ),
    "places of words together, and the hour of the week": (
        given(["airline_at", "hour_of_week_place"]),
        ["airline_at", "hour_of_week_place"],
    ),
    "the hour of the week, on a scale": (given(["hour_of_week"]), ["hour_of_week", "rough_air"]),
    "the same, with gaps between the days": (given(["hundreds_of_week"]), ["hundreds_of_week", "rough_air"]),
    "more than two": (given(["noon"]), [*OWN, "noon"]),
    "more that says little": (given(["rare", "constant_1", "flat"]), OWN),
    "the late share of a route": (given(["of_route"]), OWN),
}


def rows(table, same_lines):
    """The rows of a table; those in `same_lines`, which are judged by the same lines as others, are long proofs."""
    assert same_lines <= table.keys(), same_lines - table.keys()
    return [pytest.param(name, id=name, marks=[pytest.mark.long] * (name in same_lines)) for name in table]


@pytest.mark.parametrize(
    "what", rows(RIGHT, {"the same, with gaps between the days", "more than two", "more that says little"})
)
def test_right_features_pass(lab, some, what):
    some.names, own = RIGHT[what]
    assert lab_two.evaluate(lab, "features", graph=lab_two.GRAPH, own=own) == (6, "")


def clothes(name, column):
    return given([name]), [name, "rough_air"], 4, f"`{name}` is `{column}` in other clothes: it hardly changes"


def leak(name, told):
    return given([name]), OWN, 0, f"`{name}` {told}"


WRONG = {
    "a column on a scale": clothes("scaled", "distance"),
    "its logarithm": clothes("logarithm", "distance"),
    "clipped": clothes("clipped", "temp"),
    "the hour, clipped": clothes("clipped_hour", "sched_dep_time"),
    "bucketed": clothes("bucketed", "distance"),
    "bucketed, as places": clothes("buckets", "sched_dep_time"),
    "a flag of the weekend": clothes("weekend", "weekday"),
    "the same as a place": clothes("weekend_place", "weekday"),
    "how far from the middle of the week": clothes("midweek", "weekday"),
    "the hour of HHMM": clothes("hour", "sched_dep_time"),
    "a flag of some hours": clothes("evening", "sched_dep_time"),
    "words renumbered": clothes("renumbered", "carrier"),
    "an airport's flag": clothes("from_EWR", "origin"),
    "a column with a trace of another": clothes("nearly_scaled", "distance"),
    "made of the number": clothes("number_last", "id"),
    "chance": (given(["chance"]), ["chance", "rough_air"], 4, "`chance` is another one when the same flights"),
    "how far from the dew point": (
        given(["far_from_dew"]),
        ["far_from_dew", "rough_air"],
        4,
        "in the order of `humid` nearly everywhere",
    ),
    "a wave that turns where their other one does": (
        given(["folded_too"]),
        ["folded_too", "near_evening"],
        4,
        "`folded_too` says the same as your feature `near_evening`",
    ),
    "twice the same": (given(["rough_twice"]), ["rough_twice", "near_evening"], 4, "says the same as your feature"),
    "nearly always the same": (given(["rare"]), ["rare", "rough_air"], 4, "the same value for"),
    "one of their own": (given(), ["rough_air"], 4, "names of 2 features"),
    "one that is not there": (given(), ["rough_air", "fog"], 4, "'fog'"),
    "not a list": (given(), "rough_air", 4, "`OWN` has to be a list"),
    "six constants": (
        given([f"constant_{n}" for n in range(6)], [*GAPS, "distance", "minute"]),
        OWN,
        0,
        "11 features, of which 5 vary",
    ),
    "one feature six times": (
        given([f"temp_{n}" for n in range(6)], [*GAPS, "distance", "minute"]),
        OWN,
        0,
        "11 features, of which 6 vary",
    ),
    "too few": ({name: name for name in ("id", "target", *OWN, "temp")}, OWN, 0, "makes 3 features"),
    "the delay": leak("delay", "cannot be made of what a request has"),
    "the label": leak("risk", "cannot be made of what a request has"),
    "whether it has a plane": leak("planned", "cannot be made of what a request has"),
    "the label's mean by day and airport": leak("of_day", "knows how the day ends"),
    "the day's mean delay": leak("of_date", "knows how the day ends"),
    "the label's mean by day and time": leak("of_hour", "knows the answer"),
    "the label's mean by flight number": leak("of_flight", "knows the answer"),
    "the label by number": leak("of_id", "knows the answer"),
    "text": leak("text", "holds text"),
    "gaps": leak("sparse", "is a sparse tensor"),
    "infinity": leak("nan", "is NaN or infinite"),
    "two values": leak("pair", "has the shape (16000, 2)"),
    "without its number": (given(without=[KEY]), OWN, 0, "does not return `id`"),
    "another number": (given(id="moved"), OWN, 0, "`id` does not come out as it went in"),
    "the label turned": (given(target="turned"), OWN, 0, "`target` does not come out as it went in"),
    "raw miles": (given(["miles"]), OWN, 4, "`miles` has the mean"),
    "tiny": (given(["tiny"]), OWN, 4, "`tiny` has the mean"),
    "raw whole numbers": (given(["number"]), OWN, 4, "`number` holds whole numbers from"),
    "places below 0": (given(["below"]), OWN, 4, "`below` holds whole numbers from -1"),
}


SAME_LINES = {
    *(
        "its logarithm",
        "clipped",
        "the hour, clipped",
        "bucketed",
        "the same as a place",
        "how far from the middle of the week",
    ),
    *("a flag of some hours", "an airport's flag", "how far from the dew point", "twice the same", "one of their own"),
    *(
        "one feature six times",
        "the label",
        "whether it has a plane",
        "the day's mean delay",
        "the label's mean by flight number",
    ),
    *("another number", "tiny"),
}


@pytest.mark.parametrize("what", rows(WRONG, SAME_LINES))
def test_wrong_features_are_told(lab, some, what):
    some.names, own, points, told = WRONG[what]
    got, message = lab_two.evaluate(lab, "features", graph=lab_two.GRAPH, own=own)
    assert told in message
    assert got == points


@pytest.mark.parametrize("given", [7, "", "../..", "/etc", "nowhere", "a\0b", ["x"]])
def test_answer_that_is_no_graph_is_told(lab, given, monkeypatch):
    monkeypatch.setattr(Here, "run", lambda self, trial: pytest.fail("nothing to run"))
    points, message = lab_two.evaluate(lab, "features", graph=given, own=OWN)
    assert (points, "GRAPH" in message or "workspace" in message) == (0, True), message


def test_graph_whose_run_fails_is_told_with_its_error(lab, tmp_path, monkeypatch):
    """What the trial says of such a graph, a long test has it say."""
    done = Done(1, "OSError: SavedModel file does not exist")
    monkeypatch.setattr(Here, "run", lambda self, trial: Ran(tmp_path, [done]))
    (lab.workspace / "empty").mkdir()
    points, message = lab_two.evaluate(lab, "features", graph="empty", own=OWN)
    assert points == 0
    assert "`GRAPH` does not prepare flights" in message
    assert message.partition("ends with: ")[2].startswith("OSError: SavedModel file does not exist.")


@pytest.mark.long
def test_folder_that_holds_no_graph_is_told_with_its_error(lab):
    (lab.workspace / "empty").mkdir()
    points, message = lab_two.evaluate(lab, "features", graph="empty", own=OWN)
    assert points == 0
    assert "`GRAPH` does not prepare flights" in message
    assert "SavedModel file does not exist" in message


# --- Task 2 -------------------------------------------------------------------------------------------------------


def parity(lab, some, names=None, change=None, **writing):
    """Writes what a student's graph makes of the requests, and asks the check."""
    some.names = names or given()
    columns = some(lab, "")["requests"]
    frame = pd.DataFrame({name: columns[name] for name in columns if name != "target"})
    frame = frame if change is None else change(frame, given_data.requests(lab.seed))
    frame.to_csv(lab.workspace / "served.csv", **{"index": False, **writing})
    return lab_two.evaluate(lab, "parity", graph=lab_two.GRAPH)


TRAINED = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "UA", "US", "VX", "WN", "YV")
"""The carriers of the training months (`test_flags_are_of_each_carrier`)."""
FLAGS = [f"by_{name}" for name in TRAINED]
RIGHT_SERVED = {
    "as it is": {},
    "another order of columns, and more": {"change": lambda frame, _: frame[frame.columns[::-1]].assign(target=0)},
    "fewer digits": {"float_format": "%.5f"},
    "whole numbers as decimals": {"change": lambda frame, _: frame.astype(float)},
    "hashed words": {"names": given(["carrier_hash"], ["carrier_index"])},
    "places on a scale": {"names": given(["carrier_share"], ["carrier_index"])},
    "no carrier at all": {"names": given(without=["carrier_index"])},
    "pairs with a place for new ones": {"names": given(["pair_origin", "pair_dest", "airline_at"])},
    "the same for rare ones": {"names": given(["pair_top_origin", "pair_top_dest"])},
    "one carrier's flag alone": {"names": given(["by_UA"], ["carrier_index"])},
    "two kinds of carriers": {"names": given(["from_vowel"], ["carrier_index"])},
    "a flag for each carrier": {"names": given(FLAGS, ["carrier_index"])},
    "the late share of a route": {"names": given(["of_route"])},
}


def test_flags_are_of_each_carrier():
    assert sorted(given_data.split("train")["carrier"].unique()) == [*TRAINED]


SAME_LINES_SERVED = {
    "whole numbers as decimals",
    "no carrier at all",
    "the same for rare ones",
    "two kinds of carriers",
}


@pytest.mark.parametrize("what", rows(RIGHT_SERVED, SAME_LINES_SERVED))
def test_right_requests_pass(lab, some, what):
    assert parity(lab, some, **RIGHT_SERVED[what]) == (3, "")


def cells(value, rows=slice(28, None), name=None):
    """Puts a value in place of features of some requests."""

    def change(frame, requests):
        frame = frame.astype({column: float for column in frame if column != KEY})
        frame.loc[frame.index[rows], [name] if name else [column for column in frame if column != KEY]] = value
        return frame

    return change


def most_frequent(frame, requests):
    return frame.assign(carrier_index=frame["carrier_index"].where(~requests["carrier"].isin(given_data.STRANGE), 0))


WRONG_SERVED = {
    "scaled by the batch": (given(["of_batch"]), None, 0, "prepared in two ways: `of_batch` (28 of 28 flights)"),
    "the same, with the numbers of training": (
        given(["of_batch"]),
        lambda frame, _: frame.assign(of_batch=frame["distance"]),
        0,
        "your graph gives",
    ),
    "chance": (given(["chance"]), None, 0, "`chance` ("),
    "a column that is not known": (given(["delay"]), None, 0, "does not make `delay`"),
    "one cell": (None, cells(0.5, 3, "distance"), 0, "`distance` (1 of 28 flights)"),
    "all of a row": (None, cells(0.5, 3), 0, "`humid` (1 of 28 flights) and 9 others. For the request"),
    "places of their own": (
        None,
        lambda frame, requests: frame.assign(carrier_index=pd.factorize(requests["carrier"])[0]),
        0,
        "`carrier_index` (",
    ),
    "sorted": (None, lambda frame, _: frame.sort_values(KEY), 0, "in another order"),
    "rows left out": (None, lambda frame, _: frame.head(20), 0, "has 20 rows"),
    "a feature left out": (None, lambda frame, _: frame.drop(columns="near_evening"), 0, "lacks `near_evening`"),
    "without numbers": (None, lambda frame, _: frame.drop(columns=KEY), 0, "no column `id`"),
    "text": (None, lambda frame, requests: frame.assign(origin_index=requests["origin"]), 0, "that is no number"),
    "zeros for what was made by hand": (None, cells(0.0), 2, "`served.csv` has 0"),
    "1e30 for what was made by hand": (None, cells(1e30), 2, "`served.csv` has 1e+30"),
    "NaN without weather": (None, cells(np.nan, 33, "temp"), 2, "`served.csv` has nan"),
    "the most frequent carrier for a new one": (None, most_frequent, 2, "`carrier_index` (2 of 10 flights)"),
    "a graph that takes a new carrier for the most frequent": (
        given(["unknown_first"], ["carrier_index"]),
        None,
        2,
        "In `unknown_first` a carrier that is new comes out as UA does",
    ),
    "the same beside a feature that knows it is new": (
        given(["unknown_first"]),
        None,
        2,
        "In `unknown_first` a carrier that is new comes out as UA does",
    ),
    "the same on a scale": (given(["share_first"]), None, 2, "In `share_first` a carrier that is new"),
    "a new pair of carrier and airport for the most frequent": (
        given(["pair_first_origin"]),
        None,
        2,
        "In `pair_first_origin` a carrier that is new",
    ),
    "a new pair of carrier and destination for the most frequent": (
        given(["pair_first_dest"]),
        None,
        2,
        "In `pair_first_dest` a carrier that is new",
    ),
    "a flag for each carrier but the most frequent": (
        given([name for name in FLAGS if name != "by_UA"], ["carrier_index"]),
        None,
        2,
        "A carrier that is new comes out as UA does",
    ),
    "a graph without a place for a new carrier": (
        given(["unknown_below"], ["carrier_index"]),
        None,
        2,
        "makes `unknown_below` -1",
    ),
    "a graph that makes 1e30 of a new airport": (given(["huge"]), None, 2, "makes `huge` 1e+30"),
    "a graph that makes a far place of it": (given(["huge_place"]), None, 2, "makes `huge_place` 1e+05"),
    "a graph that makes NaN of it": (given(["no_dest"]), None, 2, "makes `no_dest` nan"),
}


SAME_LINES_REFUSED = {
    *(
        "a column that is not known",
        "all of a row",
        "1e30 for what was made by hand",
        "the same beside a feature that knows it is new",
    ),
    *("a new pair of carrier and destination for the most frequent", "a graph that makes a far place of it"),
    "a graph that makes NaN of it",
}


@pytest.mark.parametrize("what", rows(WRONG_SERVED, SAME_LINES_REFUSED))
def test_wrong_requests_are_told(lab, some, what):
    names, change, points, told = WRONG_SERVED[what]
    got, message = parity(lab, some, names, change)
    assert told in message
    assert got == points


def test_no_file_and_requests_of_another_student_are_told(lab, some, tmp_path):
    some.names = given()
    points, message = lab_two.evaluate(lab, "parity", graph=lab_two.GRAPH)
    assert (points, "There is no file `served.csv`" in message) == (0, True)
    points, message = parity(lab, some, change=lambda frame, _: frame.assign(id=given_data.requests(7)[KEY]))
    assert (points, "does not hold the numbers of the flights that were given" in message) == (0, True)
