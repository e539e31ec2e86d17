"""Every notebook is as STYLE.md says. The rules are in tools/notebooks/style; their own tests in tests/unit/test_notebook_style.py."""

from __future__ import annotations

import re

import pytest

from tools.notebooks import run, style

PATHS = [path for folder in run.FOLDERS for path in run.notebooks(folder)]


def test_there_are_lessons():
    assert run.notebooks("notebooks"), "notebooks/ is empty, or has moved: the tests below check nothing"


@pytest.mark.parametrize("path", PATHS, ids=[run.shown(path) for path in PATHS])
def test_notebook_keeps_the_house_style(path):
    found = style.check(style.Notebook.read(path, run.kind(path)), run.shown(path))
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)


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
