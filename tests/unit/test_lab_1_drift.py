"""Lab 1, task 8: thresholds are judged by when they fire."""

from __future__ import annotations

import lab_one
import numpy as np
import pandas as pd
import pytest

from judges.lab_1 import drift, monthly_data

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
STUDENTS = {}
for _number in range(60):
    _story = drift.choose(lab_one.seed(f"student-{_number}")).story
    STUDENTS.setdefault(_story.split()[0], f"student-{_number}")
"""Students between them whose drifts are of every sort."""
ONE = ["student-1"]
STEADY = ["carrier", "origin", "dest", "sched_dep_time", "distance"]
QUIET = {"carrier": 0.05, "origin": 0.1, "sched_dep_time": 0.03, "distance": 0.03}


@pytest.fixture(scope="module")
def usual():
    """The largest distances between the good months that students get."""
    return pd.DataFrame(drift.good(monthly_data.GIVEN, tuple(STEADY))).T.max()


def judge(tmp_path, thresholds, student="student-1"):
    return lab_one.evaluate(lab_one.lab(tmp_path, student), "drift", thresholds=thresholds)


def test_months_can_be_told_apart_by_ten_students_and_more(usual):
    for number in range(30):
        found = drift.changed(lab_one.seed(f"student-{number}"), monthly_data.GIVEN, tuple(STEADY))
        assert any(found[name] > 2.5 * usual[name] for name in STEADY), number


@pytest.mark.parametrize("student", STUDENTS.values())
@pytest.mark.parametrize("factor", [1.75, *(pytest.param(one, marks=pytest.mark.long) for one in (1.5, 2))])
def test_rule_passes_whatever_the_drift(tmp_path, usual, student, factor):
    assert judge(tmp_path, {name: factor * usual[name] for name in STEADY}, student) == (3, "")


OTHER = {"origin": 0.06, "tailnum": 0.1, "sched_arr_time": 0.03, "weekday": 0.05, "flight": 0.08, "wind_speed": 0.09}


@pytest.mark.parametrize(
    "given",
    [{**QUIET, "origin": 0.2}, OTHER, pd.Series(QUIET), {name: np.float32(value) for name, value in QUIET.items()}],
    ids=["round numbers", "other columns", "a column of pandas", "numbers of NumPy"],
)
def test_right_thresholds_pass(tmp_path, given):
    assert judge(tmp_path, given) == (3, "")


@pytest.mark.parametrize("students", [ONE, pytest.param(lab_one.IDS, marks=pytest.mark.long)], ids=len)
@pytest.mark.parametrize("what", lab_one.ANSWERS["thresholds"])
def test_wrong_thresholds_are_told(tmp_path, what, students):
    changed, points, told = lab_one.ANSWERS["thresholds"][what]
    for student in students:
        got, message = judge(tmp_path, {**QUIET, **changed}, student)
        assert told in message, student
        assert got == points, student


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (dict.fromkeys(("tailnum", "dest", "weekday", "distance"), 0.05), "let the drifted month pass"),
        ({"origin": 0.1, "distance": 0.03, "weekday": 0.05}, "You watch 1 column of text and 2 of numbers"),
        ({"origin": 0.1, "carrier": 0.05, "dest": 0.05}, "You watch 3 columns of text and 0 of numbers"),
        ([0.1, 0.2], "`THRESHOLDS` has to be a dictionary"),
        ({**QUIET, "origin": float("inf")}, "cannot be read: it holds inf"),
    ],
    ids=["columns that did not drift", "one column of text", "text only", "a list", "no number is enough"],
)
def test_thresholds_of_other_columns_or_none_are_told(tmp_path, given, told):
    points, message = judge(tmp_path, given)
    assert points == 0
    assert told in message


def test_threshold_at_the_largest_good_distance_has_no_room(tmp_path, usual):
    got, message = judge(tmp_path, {name: 1.0001 * usual[name] for name in STEADY})
    assert got == 1
    assert "in another draw of 2,000 flights" in message
    assert "leave room" in message
