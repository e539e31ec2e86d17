"""Lab 1, task 8: thresholds are judged by when they fire."""

from __future__ import annotations

import lab_one
import pandas as pd
import pytest

from course.checks.lab import seed
from judges.lab_1 import drifted_months, monthly_data
from judges.lab_1.questions import COLUMNS

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
STUDENTS = {}
for _number in range(60):
    STUDENTS.setdefault(
        drifted_months.choose(seed("lab-1-data", f"student-{_number}")).story.split()[0], f"student-{_number}"
    )
"""Students between them whose drifts are of every sort."""


@pytest.fixture(scope="module")
def usual():
    """The largest distances between the good months that students get."""
    return pd.DataFrame(drifted_months.good(monthly_data.GIVEN, tuple(COLUMNS))).T.max()


def judge(tmp_path, thresholds, student="student-1"):
    return lab_one.evaluate(lab_one.lab(tmp_path, student), "drift", thresholds=thresholds)


STEADY = ["carrier", "origin", "dest", "sched_dep_time", "distance"]


def by_rule(usual, factor, columns=tuple(STEADY)):
    return {name: factor * usual[name] for name in columns}


def test_months_can_be_told_apart_by_ten_students_and_more(usual):
    for number in range(30):
        _, found = drifted_months.changed(seed("lab-1-data", f"student-{number}"), monthly_data.GIVEN, tuple(STEADY))
        assert any(found[name] > 2.5 * usual[name] for name in STEADY), number


@pytest.mark.parametrize("student", STUDENTS.values())
@pytest.mark.parametrize("factor", [1.5, 1.75, 2])
def test_rule_passes_whatever_the_drift(tmp_path, usual, student, factor):
    assert judge(tmp_path, by_rule(usual, factor), student) == (3, "")


def test_round_numbers_pass(tmp_path):
    assert judge(tmp_path, {"carrier": 0.05, "origin": 0.2, "sched_dep_time": 0.03, "distance": 0.03}) == (3, "")


def test_other_columns_pass(tmp_path):
    other = {
        "origin": 0.06,
        "tailnum": 0.1,
        "sched_arr_time": 0.03,
        "weekday": 0.05,
        "flight": 0.08,
        "wind_speed": 0.09,
    }
    assert judge(tmp_path, other) == (3, "")


QUIET = {"carrier": 0.05, "origin": 0.1, "sched_dep_time": 0.03, "distance": 0.03}
WRONG = {
    "thresholds from a textbook": (dict.fromkeys(QUIET, 0.01), 1, "They cry wolf in"),
    "so high that nothing fires": (dict.fromkeys(QUIET, 0.9), 0, "let the drifted month pass"),
    "one sleeps": ({**QUIET, "distance": 0.5}, 2, "The threshold of `distance` sleeps: half"),
    "and could be awake": ({**QUIET, "distance": 0.5}, 2, "It is too high."),
    "two sleep": ({**QUIET, "distance": 0.5, "carrier": 0.9}, 2, "sleeps, and 1 more does: half"),
    "three sleep": (
        {**QUIET, "distance": 0.5, "carrier": 0.9, "weekday": 0.9},
        2,
        "sleeps, and 2 more do: half",
    ),
    "the season, loud": ({**QUIET, "temp": 0.1}, 1, "`temp` fires"),
    "the season, asleep": ({**QUIET, "temp": 0.5}, 2, "The threshold of `temp` sleeps"),
    "as in lesson 05": ({**QUIET, "temp": 0.42}, 2, "No threshold can be quiet and awake there"),
    "the number of the month": ({**QUIET, "month": 0.5}, 0, "`month` fires"),
    "a column that never moves": ({**QUIET, "year": 0.1}, 2, "The threshold of `year` sleeps"),
    "columns that did not drift": (
        {"tailnum": 0.05, "dest": 0.05, "weekday": 0.05, "distance": 0.05},
        0,
        "let the drifted month pass",
    ),
    "one column of text": (
        {"origin": 0.1, "distance": 0.03, "weekday": 0.05},
        0,
        "You watch 1 column of text and 2 of numbers",
    ),
    "text only": ({"origin": 0.1, "carrier": 0.05, "dest": 0.05}, 0, "3 columns of text and 0 of numbers"),
    "an unknown column": ({**QUIET, "target": 0.1}, 0, "columns that the delivery does not have: target"),
    "a threshold as text": ({**QUIET, "origin": "0.1"}, 0, "has to be a number above 0, not '0.1'"),
    "a threshold of nothing": ({**QUIET, "origin": 0}, 0, "has to be a number above 0, not 0"),
    "below nothing": ({**QUIET, "origin": -0.1}, 0, "has to be a number above 0, not -0.1"),
    "a truth value": ({**QUIET, "origin": True}, 0, "has to be a number above 0, not True"),
    "still open": ({**QUIET, "origin": None}, 0, "has to be a number above 0, not None"),
    "a list": ([0.1, 0.2], 0, "`THRESHOLDS` has to be a dictionary"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_thresholds_are_told(tmp_path, what):
    """Student 1 has a drift of the airports."""
    thresholds, points, told = WRONG[what]
    got, message = judge(tmp_path, thresholds)
    assert told in message
    assert got == points


def test_threshold_at_the_largest_good_distance_has_no_room(tmp_path, usual):
    got, message = judge(tmp_path, by_rule(usual, 1.0001))
    assert got == 1
    assert "in another draw of 2,000 flights" in message
    assert "leave room" in message
