"""Answers become data, checks judge them the same everywhere, and the panel says it without giving anything away."""

from __future__ import annotations

import datetime
import enum
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from course import checks
from course.checks import catalogue, session
from course.checks.lab import seed


@pytest.fixture
def lab(tmp_path, monkeypatch) -> checks.Lab:
    """A lab of two tasks, made for each test."""
    monkeypatch.setattr(catalogue, "_TASKS", {})
    module = types.ModuleType("judges.lab_9_test")
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)

    def total(lab, total, unit):
        if unit == "boom":
            raise KeyError("no such\nunit")
        if total != 7:
            raise checks.Wrong("`TOTAL` is off. See <b>cell 3</b>.", points=total if isinstance(total, int) else 0)

    def where(lab, file):
        if not (lab.workspace / str(file)).is_file():
            raise checks.Wrong("There is no such file.")
        if file == "empty":
            raise checks.Unanswered("`empty` is empty.")

    for function in (total, where):
        function.__module__ = module.__name__
    checks.task("total", points=2, title="The total")(total)
    checks.task("where", points=1.5)(where)
    return checks.Lab("lab-9-test", "anna", tmp_path)


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (True, True),
        (7, 7),
        (0.5, 0.5),
        ("text", "text"),
        (None, None),
        (..., None),
        ((1, [2, ...]), [1, [2, None]]),
        ({"b", "a"}, ["a", "b"]),
        ({3, 1}, [1, 3]),
        (range(3), [0, 1, 2]),
        ({1: "x"}.keys(), [1]),
        ({1: {"two": (3,)}}, {"1": {"two": [3]}}),
        (Path("a/b"), "a/b"),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.str_("x"), "x"),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series({"EWR": 0.5, "JFK": 0.25}), {"EWR": 0.5, "JFK": 0.25}),
        (pd.Index(["a"]), ["a"]),
        ({np.int64(1): np.float64(2)}, {"1": 2.0}),
        (datetime.date(2013, 6, 1), "2013-06-01"),
        (pd.Timestamp("2013-06-01"), "2013-06-01T00:00:00"),
        (np.datetime64("2013-06-01"), "2013-06-01"),
        (pd.Series(pd.to_datetime(["2013-06-01"])), ["2013-06-01"]),
        (np.array(["2013-06-01"], "datetime64[ns]"), ["2013-06-01T00:00:00.000000000"]),
    ],
)
def test_answers_become_data(value, data):
    made = checks.plain(value)
    assert made == data
    assert json.loads(json.dumps(made, allow_nan=False)) == data


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (pd.DataFrame({"a": [1]}), "it is a `DataFrame`, which cannot be stored as an answer: give the column"),
        ([pd.DataFrame()], "it holds a `DataFrame`"),
        (len, "it is the function `len` itself, which cannot be stored as an answer: call it"),
        (int, "it is the class `int` itself"),
        (json, "it is a `module`"),
        (float("nan"), "it holds nan, which is not a number"),
        (np.float64("inf"), "it holds inf"),
        (10**30, "more than 18 digits"),
        ({(1, 2): 3}, "a dictionary with a `tuple` as key: use text as keys"),
        ({True: 3}, "a dictionary with a `bool` as key"),
        (b"bytes", "give a number or text"),
        (range(10**12), "more than 100,000 values"),
        (np.zeros(10**6), "more than 100,000 values"),
        ("x" * 10**7, "more than 1,000,000 letters"),
        (pd.Timedelta("1 day"), "it is a `Timedelta`"),
    ],
)
def test_what_is_no_data_is_told_in_words(value, told):
    with pytest.raises(checks.NotPlain) as error:
        checks.plain(value)
    assert told in str(error.value)


def test_answer_that_holds_itself_is_told():
    answer = []
    answer.append(answer)
    with pytest.raises(checks.NotPlain, match="holds itself"):
        checks.plain(answer)


def test_right_answer_has_all_points(lab):
    outcome = checks.evaluate(lab, "total", {"total": 7, "unit": "m"})
    assert (outcome.points, outcome.state, repr(outcome)) == (2, "right", "2")


def test_right_answer_of_another_type_counts(lab):
    assert checks.evaluate(lab, "total", {"total": np.int64(7), "unit": Colour.RED}).points == 2


@pytest.mark.parametrize(
    ("total", "points", "state"), [(8, 2, "partly right"), (1, 1, "partly right"), (-5, 0, "not right yet")]
)
def test_partial_points_stay_between_nothing_and_all(lab, total, points, state):
    outcome = checks.evaluate(lab, "total", {"total": total, "unit": "m"})
    assert (outcome.points, outcome.state) == (points, state)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"total": ..., "unit": None}, ""),
        ({"total": 7, "unit": ...}, "Still open: `unit`."),
        ({"total": {"sum": ..., "parts": [..., ...]}, "unit": ...}, ""),
    ],
)
def test_unanswered_is_no_error(lab, answers, told):
    outcome = checks.evaluate(lab, "total", answers)
    assert (outcome.points, outcome.state, outcome.message) == (0, "not answered yet", told)


def test_file_that_holds_no_answer_yet_is_no_error(lab):
    assert checks.evaluate(lab, "where", {"file": "empty"}).state == "not right yet"
    (lab.workspace / "empty").touch()
    outcome = checks.evaluate(lab, "where", {"file": "empty"})
    assert (outcome.points, outcome.state, outcome.message) == (0, "not answered yet", "`empty` is empty.")


def test_answer_that_is_no_data_is_told_and_named(lab):
    outcome = checks.evaluate(lab, "total", {"total": pd.DataFrame(), "unit": "m"})
    assert outcome.points == 0
    assert outcome.message.startswith("The answer `total` cannot be read: it is a `DataFrame`")


def test_answer_that_raises_when_it_is_read_is_told(lab):
    class Evil(dict):
        def items(self):
            raise RuntimeError

    assert (
        checks.evaluate(lab, "total", {"total": Evil(), "unit": "m"}).message
        == "The answer `total` cannot be read (RuntimeError)."
    )


def test_check_that_fails_gives_no_points_and_no_trace(lab):
    outcome = checks.evaluate(lab, "total", {"total": 7, "unit": "boom"})
    assert (outcome.points, outcome.state) == (0, "check failed")
    assert "KeyError" in outcome.message
    assert "tell your instructor" in outcome._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("name", "answers", "told"),
    [
        ("none", {}, "has no task 'none'; it has: total, where"),
        ("total", {"total": 1}, "takes the answers total, unit"),
    ],
)
def test_fault_of_the_notebook_raises(lab, name, answers, told):
    with pytest.raises(ValueError, match=told):
        checks.evaluate(lab, name, answers)


def test_panel_shows_code_and_escapes_the_rest(lab):
    shown = checks.evaluate(lab, "total", {"total": 1, "unit": "m"})._repr_mimebundle_()
    assert ">TOTAL</code> is off. See &lt;b&gt;cell 3&lt;/b&gt;." in shown["text/html"]
    assert "1 of 2 points" in shown["text/html"]
    assert shown["text/plain"] == "1"


def test_notebook_keeps_count(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OUT", str(tmp_path / "out"))
    workspace = checks.begin("lab-9-test", "anna")
    assert workspace == tmp_path / "out" / "lessons" / "lab-9-test"
    assert repr(checks.progress()) == "0 of 3.5 points"
    checks.check("total", total=7, unit="m")
    (workspace / "a.txt").touch()
    assert repr(checks.check("where", file="a.txt")) == "1.5"
    assert repr(checks.progress()) == "3.5 of 3.5 points"
    assert "Every task is answered." in checks.progress()._repr_mimebundle_()["text/html"]
    checks.check("where", file="b.txt")
    assert repr(checks.progress()) == "2 of 3.5 points"


def test_lab_in_a_second_kernel_leaves_the_files_of_the_first(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OUT", str(tmp_path / "out"))
    code = "from course.begin import fresh_workspace; print(fresh_workspace('lab-9-test'), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        answer = Path(other.stdout.readline().strip()) / "answer.txt"
        answer.write_text("an evening's work")
        assert checks.begin("lab-9-test", "anna").name == "lab-9-test-2"
        assert answer.read_text() == "an evening's work"
        other.communicate("")


def test_check_before_begin_says_what_to_do(monkeypatch):
    monkeypatch.setattr(session._session, "lab", None)
    with pytest.raises(RuntimeError, match="run the first cells"):
        checks.check("total", total=1)


def test_grading_says_whose_lab_it_is(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("COURSE_STUDENT", "ben")
    checks.begin("lab-9-test", "anna")
    assert session.current().student == "ben"


@pytest.mark.parametrize("student", ["", "  ", "a b", "../x", 7, None, ..., "x" * 65])
def test_what_cannot_be_a_student_is_refused(lab, student):
    with pytest.raises(ValueError, match="is not a student's id"):
        checks.begin("lab-9-test", student)


def test_seed_is_of_lab_and_student():
    assert seed("lab-1-data", "anna") == seed("lab-1-data", "Anna ") == 4_260_210_373
    assert (
        len({seed("lab-1-data", f"student-{number}") for number in range(200)} | {seed("lab-2-model", "anna")}) == 201
    )


def test_unknown_lab_is_named():
    with pytest.raises(ValueError, match="there is no lab 'lab-99-none'"):
        checks.begin("lab-99-none", "anna")


@pytest.mark.parametrize(("name", "points"), [("Two words", 1), ("ok", 0)])
def test_task_has_to_have_a_name_and_points(name, points):
    with pytest.raises(ValueError, match="task"):
        checks.task(name, points=points)


def test_two_tasks_of_a_name_are_refused(lab):
    def other(lab):
        """Takes nothing."""

    other.__module__ = "judges.lab_9_test"
    with pytest.raises(ValueError, match="two tasks of the name 'total'"):
        checks.task("total", points=1)(other)
