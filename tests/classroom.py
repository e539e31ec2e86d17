"""A class of submissions, graded in one run as `make grade` does it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

import nbformat
import pytest

from tools.grade import box, grading
from tools.grade.limits import Limits
from tools.grade.marks import Graded
from tools.labs import source
from tools.notebooks import form


def need_bubblewrap() -> None:
    """Skips where this machine cannot confine submissions with bubblewrap."""
    try:
        how = box.choose()
    except RuntimeError as error:
        pytest.skip(str(error))
    if how != box.BUBBLEWRAP:
        pytest.skip(f"bubblewrap does not work on this machine, which confines by: {how}")


def submission(lab: str, solved: Container[str], changed: Mapping[str, str]) -> nbformat.NotebookNode:
    """A lab's notebook with some answers.

    Args:
        lab: its name.
        solved: names of the cells that are those of the solution.
        changed: what stands in others, by their names.
    """
    solution = {source.marks(cell).get("grade_id"): cell.source for cell in form.read(source.notebook(lab)).cells}
    node = form.read(source.LABS / lab / f"{lab}.ipynb")
    for cell in node.cells:
        name = source.marks(cell).get("grade_id")
        cell.source = changed.get(name, solution[name] if name in solved else cell.source)
    return node


def grade(
    lab: str,
    submissions: Mapping[str, nbformat.NotebookNode],
    top: Path,
    *,
    prove: bool = True,
    limits: Limits | None = None,
) -> dict[str, Graded]:
    """Grades a class, the lab's own solution first; skips where bubblewrap does not work.

    Args:
        lab: its name.
        submissions: notebooks by name.
        top: an empty folder.
        prove: whether the solution is graded at all.
        limits: others than the lab's own.

    Returns:
        What became of each, by name.

    Raises:
        tools.grade.grading.GradingFailed: the solution does not get full marks.
    """
    need_bubblewrap()
    (top / "submissions").mkdir()
    for name, node in submissions.items():
        nbformat.write(node, top / "submissions" / f"{name}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_LABS", raising=False)
        # This is about marks: a machine that does something else meanwhile takes longer than a grader's, so the lab's own limits.
        course = grading.Course(lab, out=top / "out", limits=limits or grading.limits_of(lab), prove=prove)
        results = grading.grade(course, top / "submissions")
    return {one.submission.name: one for one in results}
