"""A small lab for the tests of the lab machinery: runs in a second, needs no TFX. `COURSE_LABS=sample_lab` makes it known."""

from __future__ import annotations

from typing import Any

import nbformat

from tools.notebooks import form

NAME = "lab-0-sums"
POINTS = 6.0
ANSWERS = {"sum": "TOTAL = sum(NUMBERS)", "words": 'WORDS = ["span", "split"]', "report": "write(workspace, TOTAL)"}
"""The solution of each task."""


def code(source: str, tags: list[str] | None = None, **nbgrader: Any) -> nbformat.NotebookNode:
    """A code cell, with nbgrader's marks where they are given."""
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if nbgrader:
        metadata["nbgrader"] = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        metadata["nbgrader"].update(nbgrader)
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def answer(name: str, source: str) -> nbformat.NotebookNode:
    """A cell for the student's answer."""
    return code(source, grade_id=name, solution=True)


def check(name: str, points: float, source: str) -> nbformat.NotebookNode:
    """A check cell."""
    return code(source, grade_id=f"check-{name}", grade=True, locked=True, points=points)


def source() -> nbformat.NotebookNode:
    """The lab as its author writes it, not executed."""
    text = nbformat.v4.new_markdown_cell
    cells = [
        text("# Lab 0: sums\n\nAdds numbers, so that the machinery has something to grade."),
        code("from course import checks"),
        code('STUDENT = "student-1"', tags=["parameters"]),
        code(f'workspace = checks.begin("{NAME}", STUDENT)\nNUMBERS = [3, 4]'),
        text(
            "## The sum\n\nAccepted when `TOTAL` is the sum of `NUMBERS`.\n\n"
            "<details><summary>Hint</summary>\n\nPython has a function for it.\n\n</details>"
        ),
        answer("sum", f"TOTAL = ...\n### BEGIN SOLUTION\n{ANSWERS['sum']}\n### END SOLUTION"),
        check("sum", 2, 'checks.check("sum", total=TOTAL)'),
        text("## The words\n\nAccepted when `WORDS` holds the two words that begin with *sp*."),
        answer("words", f"WORDS = ...\n### BEGIN SOLUTION\n{ANSWERS['words']}\n### END SOLUTION"),
        check("words", 1, 'checks.check("words", words=WORDS)'),
        text("## The report\n\nAccepted when the file that `REPORT` names holds the sum."),
        answer(
            "report",
            "REPORT = ...\n\n\ndef write(folder, total):\n    ### BEGIN SOLUTION\n"
            '    (folder / "report.txt").write_text(f"sum: {total}")\n    ### END SOLUTION\n\n\n'
            '### BEGIN SOLUTION\nwrite(workspace, TOTAL)\nREPORT = "report.txt"\n### END SOLUTION',
        ),
        check("report", 3, 'checks.check("report", total=TOTAL, file=REPORT)'),
        text("## Your points"),
        code("checks.progress()"),
    ]
    return form.normalise(nbformat.v4.new_notebook(cells=cells))
