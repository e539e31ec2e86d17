"""What of serving is of flights: rows become columns and tf.Examples, as the flight-by-flight way makes them."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from engines.quiet import import_quietly
from flights import cli, data
from flights.columns import KEY, SAMPLE

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def project():
    import_quietly()
    from flights.serving import PROJECT

    return PROJECT


@pytest.fixture(scope="module")
def contract(project):
    from flights.predict import Contract

    return Contract.load()


def rows_of(root, month: int) -> list[dict]:
    """Flights as a client sends them."""
    found = data.read_month(root / "data/flights", month)
    return found.astype(object).where(found.notna(), None).to_dict("records")


@pytest.mark.parametrize("month", [1, 7, 12])
def test_columns_at_once_are_what_flights_one_by_one_are(month, project, contract, root):
    rows = rows_of(root, month)
    quick, known = contract._all_usual(rows), contract.check(rows)
    assert quick is not None, "good flights take the quick way"
    assert quick == {name: [flight.get(name) for flight in known] for name in contract.columns}


def test_an_example_that_is_joined_from_its_columns_is_the_one_that_is_made_whole(project, contract, root):
    """Read by protobuf and by TensorFlow's own parser, which decode it each in their own way."""
    import tensorflow as tf

    from flights.predict import _feature

    rows = rows_of(root, 1)[:200]
    joined = project.encode(project.check(rows))
    whole = []
    for known in contract.check(rows):
        served = {name: value for name, value in known.items() if contract.columns[name].is_served}
        features = {name: _feature(contract.columns[name].kind, value) for name, value in served.items()}
        whole.append(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    assert [tf.train.Example.FromString(one) for one in joined] == [tf.train.Example.FromString(one) for one in whole]
    spec = {
        "carrier": tf.io.FixedLenFeature([1], tf.string),
        "temp": tf.io.VarLenFeature(tf.float32),
        "seats": tf.io.VarLenFeature(tf.int64),
    }
    ours, theirs = tf.io.parse_example(joined, spec), tf.io.parse_example(whole, spec)
    assert (ours["carrier"].numpy() == theirs["carrier"].numpy()).all()
    for name in ("temp", "seats"):
        assert ours[name].values.numpy().tolist() == theirs[name].values.numpy().tolist()
        assert ours[name].indices.numpy().tolist() == theirs[name].indices.numpy().tolist()


@pytest.mark.parametrize(
    "changed",
    [
        {"weekday": 8},
        {"weekday": 0},
        {"weekday": "5"},
        {"weekday": 5.0},
        {"weekday": 5.5},
        {"weekday": True},
        {"weekday": math.nan},
        {"weekday": None},
        {"distance": 10**30},
        {"distance": -(2**63)},
        {"temp": math.nan},
        {"temp": math.inf},
        {"temp": -math.inf},
        {"temp": 116},
        {"temp": 115},
        {"temp": "50"},
        {"temp": 10**400},
        {"temp": False},
        {"carrier": ""},
        {"carrier": "ua"},
        {"carrier": b"UA"},
        {"carrier": ["UA"]},
        {"dest": "EWR"},
        {"dest": "sfo"},
        {"dest": ""},
        {"dest": "QQQ"},
        {"sched_dep_time": 1275},
        {"sched_arr_time": 1275},
        {"year": 2013, "month": 2, "day": 30},
        {"year": 2013, "month": 2, "day": 28},
        {"year": 2013, "month": 3, "day": 1},
        {"tailnum": "lower"},
        {"wings": 2},
        {"wings": None},
        {7: 2},
    ],
    ids=repr,
)
def test_the_quick_way_accepts_nothing_that_the_other_refuses_or_changes(changed, contract):
    """And whatever it leaves over has the other's values, or its sentence."""
    from flights.predict import FlightError

    def outcome(give):
        try:
            return give()
        except FlightError as refused:
            return str(refused)

    def one_by_one():
        known = contract.check(rows)
        return {name: [flight.get(name) for flight in known] for name in contract.columns}

    rows = [SAMPLE[0], SAMPLE[1], SAMPLE[0] | changed, SAMPLE[1]]
    wanted = outcome(one_by_one)
    found = outcome(lambda: contract.columns_of(rows))
    assert found == wanted
    if isinstance(wanted, str):
        assert contract._all_usual(rows) is None
    else:
        assert {type(value) for value in found["weekday"]} == {int}


def test_the_key_finds_one_flight_and_is_no_secret_of_the_model(project, root):
    assert project.key == KEY
    for month in (1, 7):
        rows = rows_of(root, month)
        counts = Counter(tuple(row[name] for name in KEY) for row in rows)
        assert len(counts) == len(rows)


def test_the_rows_that_a_version_is_tried_with_may_be_asked_about(project):
    assert len(project.encode(project.check(project.sample))) == len(SAMPLE)


def test_a_client_is_told_the_columns_and_types_of_a_request(project):
    assert project.inputs["carrier"] == "BYTES"
    assert project.inputs["temp"] == "FP32"
    assert project.inputs["distance"] == "INT64"
    assert "late" not in project.inputs


def test_the_command_says_what_it_cannot_serve(tmp_path, capsys):
    assert cli.main(["serve", "--output-root", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"flights serve: {tmp_path / 'none' / 'serving'}: there is no such folder. Name the one that Pusher writes to.\n"
    )
