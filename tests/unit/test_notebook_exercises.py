"""The proof of an exercise: it says what a check takes wrongly, and leaves the names of the notebook as they are."""

from __future__ import annotations

import re

import nbformat
import pytest
import sample_lesson
import yaml

import course
from tools.decks import slides
from tools.notebooks import exercises, form, run

WRONG = {"late": ["late = [5, 10]", "late = 1"]}


@pytest.fixture(autouse=True)
def _lesson(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_EXERCISES", "sample_exercises")
    monkeypatch.setenv("COURSE_OUT", str(tmp_path))
    course.begin(sample_lesson.NAME)


def proofs(wrong, node=None):
    return [
        cell.source
        for cell in exercises.with_proofs(node or sample_lesson.in_parts(), wrong).cells
        if form.PROOF in form.tags(cell)
    ]


def names() -> dict:
    """What the notebook has defined before its first exercise."""
    return {"__name__": "__main__", "course": course, "delays": [5, 10, 25], "limit": ..., "late": ...}


def test_exercises_that_are_right_are_proved():
    around = names()
    for source in proofs(WRONG):
        exec(source, around)
    assert {name: around[name] for name in names()} == names()
    assert set(around) == {*names(), "__builtins__"}


def test_unsolved_cell_is_run_last_so_that_it_undoes_what_answers_did_elsewhere():
    node, written = sample_lesson.in_parts(), []
    cell = node.cells[exercises.find(node)[0].index]
    cell.source = cell.source.replace("late = ...", "late = ...\nwritten.append(late)")
    exec(proofs({"late": ["late = 1\nwritten.append(1)", "late = [5]"]}, node)[0], names() | {"written": written})
    assert written == [1, ...]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            "late = [25]",
            "the wrong answer 'late = [25]' has to be 'not right yet', and the check says: Late flights: right.",
        ),
        ("late = ...", "'not right yet', and the check says: Late flights: not answered yet"),
        ("late = [1 / 0]", "the wrong answer 'late = [1 / 0]' ends with ZeroDivisionError: division by zero"),
        ("late = [5]", "gets the same message as the wrong answer 'late = [5, 10]'"),
        ("early = 1", "ends with NameError"),
    ],
)
def test_wrong_answer_that_is_not_refused_with_a_message_of_its_own_is_named(wrong, words):
    around = names()
    if wrong.startswith("early"):
        del around["late"]
    with pytest.raises(AssertionError, match=re.escape(words)):
        exec(proofs({"late": ["late = [5, 10]", wrong]})[0], around)


def test_opened_answer_that_is_not_accepted_is_named():
    node = sample_lesson.in_parts()
    answer = node.cells[exercises.find(node)[0].index + 1]
    answer.source = answer.source.replace("limit = 15", "limit = 5")
    with pytest.raises(
        AssertionError, match="the opened answer has to be 'right', and the check says: Late flights: not"
    ):
        exec(proofs(WRONG, node)[0], names())


def test_exercise_that_is_not_open_before_it_is_solved_is_named():
    node = sample_lesson.in_parts()
    cell = node.cells[exercises.find(node)[0].index]
    cell.source = cell.source.replace("late = ...", "late = [...][1:]")
    with pytest.raises(AssertionError, match="the unsolved exercise has to be 'not answered yet'"):
        exec(proofs(WRONG, node)[0], names())


def test_proofs_are_no_part_of_the_notebook():
    node = sample_lesson.in_parts()
    proved = exercises.with_proofs(node, WRONG)
    assert len(proved.cells) == len(node.cells) + 3
    assert form.dumps(form.normalise(proved)) == form.dumps(node)


def test_slide_shows_the_task_and_the_readers_cell_and_the_notes_hold_the_answer():
    node = sample_lesson.in_parts()
    for cell in node.cells:
        if exercises.is_exercise(cell):
            cell.outputs = [nbformat.v4.new_output("stream", text="not answered yet")]
    shown = [slide for slide in slides.arrange(node).slides if slide.heading.startswith("Exercise: ")]
    assert len(shown) == 3
    assert [cell.cell_type for part in shown[0].parts for cell in part.cells] == ["markdown", "code"]
    assert ["<summary>Answer" in cell.source for cell in shown[0].notes] == [True]


def test_wrong_answers_of_the_sample_are_those_of_its_exercises():
    wrong = yaml.safe_load(run.WRONG_ANSWERS.read_text())[sample_lesson.NAME]
    assert list(wrong) == [exercise.name for exercise in exercises.find(sample_lesson.in_parts())]
