"""Every notebook is as STYLE.md says. The rules are in tools/notebooks/style; their own tests in tests/unit/test_notebook_style.py."""

from __future__ import annotations

import re

import pytest
import sample_lesson

import course.exercises
from tools.notebooks import exercises, form, run, style

PATHS = [path for folder in run.FOLDERS for path in run.notebooks(folder)]


def test_there_are_lessons():
    assert run.notebooks("notebooks"), "notebooks/ is empty, or has moved: the tests below check nothing"


@pytest.mark.parametrize("path", PATHS, ids=[run.shown(path) for path in PATHS])
def test_notebook_keeps_the_house_style(path):
    found = style.check(style.Notebook.read(path, run.kind(path)), run.shown(path))
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)


BEFORE_PARTS = {"00", "01", "02", "03", "04", "05", "06", "07", "08", "11", "12"}
"""Lessons that were written before the form with parts and exercises, and are not in it yet."""


def test_lessons_are_in_parts_but_for_those_that_are_older():
    found = {path.name[:2]: style.parts.in_parts(style.Notebook.read(path)) for path in run.notebooks("notebooks")}
    assert {number for number, in_parts in found.items() if not in_parts} == BEFORE_PARTS


def test_every_exercise_has_a_check_and_two_wrong_answers_and_nothing_else_has():
    for path in run.notebooks("notebooks"):
        node = form.read(path)
        names = [exercise.name for exercise in exercises.find(node)]
        wrong = run.wrong_answers().get(exercises.lesson(node), {})
        assert len(names) == len(set(names)), f"{path.name}: two exercises have the same name"
        assert set(wrong) == set(names) == set(course.exercises.exercises(exercises.lesson(node))), path.name
        few = {name for name, answers in wrong.items() if len(set(answers)) < 2}
        assert not few, f"{path.name}: two wrong answers at least for {few} in {run.shown(run.WRONG_ANSWERS)}"
    lessons = {path.stem for path in run.notebooks("notebooks")}
    assert set(run.wrong_answers()) - lessons == {sample_lesson.NAME}


def test_lessons_are_numbered_without_gaps_but_for_those_that_are_planned(root):
    """What is missing in between stands in the README's table of planned lessons."""
    numbers = [int(path.name[:2]) for path in run.notebooks("notebooks")]
    planned = (root / "README.md").read_text(encoding="utf-8").partition("**Planned**")[2].partition("\n## ")[0]
    missing = set(range(max(numbers))) - set(numbers)
    assert numbers == sorted(set(numbers))
    assert missing <= {int(number) for number in re.findall(r"\b\d\d\b", planned)}


def test_every_solution_has_its_lab():
    solutions = {path.relative_to(run.ROOT / "solutions") for path in run.notebooks("solutions")}
    labs = {path.relative_to(run.ROOT / "labs") for path in run.notebooks("labs")}
    assert labs == solutions, "labs/ is generated from solutions/: run make labs"
