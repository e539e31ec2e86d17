"""Exercises: what a reader is told, whatever the answer is."""

from __future__ import annotations

import html
import re
import sys

import pytest

import course
from course import exercises
from course.checks import outcomes


@pytest.fixture(autouse=True)
def _lesson(monkeypatch, tmp_path):
    """The sample lesson has begun."""
    monkeypatch.setenv("COURSE_EXERCISES", "sample_exercises")
    monkeypatch.setenv("COURSE_OUT", str(tmp_path))
    course.begin("90-sample")


def cell(source: str) -> dict:
    """What the code of a reader defines: as in a kernel, in the module `__main__`."""
    names = {"__name__": "__main__"}
    exec(source, names)
    return names


def test_right_answer_is_accepted_in_a_sentence_that_says_why():
    found = course.exercise("late", late=[25])
    assert repr(found) == "Late flights: right. One of three flights arrives more than 15 minutes late."


def test_wrong_answer_is_told_what_is_wrong_and_where_to_look():
    found = course.exercise("late", late=[5, 10])
    assert (found.state, "look at which delays" in found.message) == ("not right yet", True)


UNSOLVED = [
    ("late", {"late": ...}),
    ("late", {"late": [5, ...]}),
    ("shares", {"early": 2, "shares": {"late": ...}}),
    ("longest", {"longest": cell("def longest(delays):\n    return ...")["longest"]}),
    ("longest", {"longest": cell("def longest(delays):\n    ...")["longest"]}),
    ("longest", {"longest": cell("longest = lambda delays: ...")["longest"]}),
]


@pytest.mark.parametrize(("name", "answers"), UNSOLVED)
def test_unsolved_exercise_says_what_to_do(name, answers):
    found = course.exercise(name, **answers)
    assert found.state == "not answered yet"
    assert exercises.exercises("90-sample")[name].todo in found.message
    assert found.message.startswith("Still open: `shares`." if name == "shares" else "")


def test_function_of_the_reader_is_called():
    assert course.exercise("longest", longest=max).state == "right"
    found = course.exercise("longest", longest=lambda delays: delays[0])
    assert found.message == "`longest([3, 7])` returns 3: the longest is not always the first."


def test_answer_that_raises_is_told_in_a_sentence_with_its_line():
    longest = cell("def longest(delays):\n    best = 0\n    return best / 0")["longest"]
    found = course.exercise("longest", longest=longest)
    assert found.state == "raises an error"
    assert "its line 3 raised `ZeroDivisionError: division by zero`" in found.message


def test_answer_that_the_check_cannot_deal_with_is_told_in_a_sentence():
    found = course.exercise("shares", early=2, shares=7)
    assert found.state == "check failed"
    assert "TypeError: 'int' object is not subscriptable" in found.message


def test_panel_says_what_the_text_says_in_the_look_of_the_labs():
    found = course.exercise("late", late=1)
    bundle = found._repr_mimebundle_()
    words = html.unescape(re.sub(r"<[^>]+>", "", bundle["text/html"]))
    assert all(word in words for word in ("Late flights", "not right yet", "late is 1; it has to be a list"))
    assert bundle["text/plain"] == repr(found)
    lab = outcomes.Outcome("late", found.title, 0, 1, found.state, found.message)
    assert bundle["text/html"] == re.sub(r" &nbsp; <span[^>]*>0 of 1 point</span>", "", outcomes.panel(lab))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: course.exercise("latest", late=1),
            "90-sample has no exercise 'latest'; it has: late, longest, shares",
        ),
        (lambda: course.exercise("late", early=1), "takes the answers late, not early"),
    ],
)
def test_fault_of_the_notebook_is_an_error(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def test_without_begin_the_reader_is_told_to_run_the_first_cells(monkeypatch):
    monkeypatch.setattr(sys.modules["course.begin"], "_begun", [])
    with pytest.raises(RuntimeError, match="run the first cells"):
        course.exercise("late", late=1)


def test_lesson_without_a_module_has_no_exercises():
    assert exercises.exercises("91-other") == {}
    assert exercises.exercises("sums") == {}


def test_two_checks_of_one_name_are_refused():
    enter = exercises.check("twice", title="", todo="")
    enter(str)
    with pytest.raises(ValueError, match="two exercises of the name 'twice'"):
        enter(int)
