"""The labs are what the solutions make of them, and give nothing of them away."""

from __future__ import annotations

import json

import pytest

from tools.labs import __main__ as labs
from tools.labs import generate, source
from tools.notebooks import form

NAMES = source.names()


@pytest.fixture(scope="module")
def made() -> dict:
    """The labs, generated anew."""
    if not NAMES:
        pytest.skip("solutions/ holds no lab yet")
    return generate.made()


@pytest.mark.parametrize("lab", NAMES)
def test_solution_is_in_order(lab):
    found = source.problems(source.notebook(lab))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_labs_are_what_the_solutions_make_of_them(made):
    stale = labs.differences(made)
    if stale:
        pytest.fail("\n".join([*stale, "make labs writes them anew"]), pytrace=False)


@pytest.mark.parametrize("lab", NAMES)
def test_lab_gives_no_solution_and_no_output_away(lab):
    node = form.read(source.LABS / lab / f"{lab}.ipynb")
    text = json.dumps(node, ensure_ascii=False)
    secret = [line for line in source.solution_lines(form.read(source.notebook(lab))) if source.tells(line)]
    assert secret, "the solution has no solution: this test checks nothing"
    assert [line for line in secret if json.dumps(line, ensure_ascii=False)[1:-1] in text] == []
    assert "SOLUTION" not in text
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in node.cells)


@pytest.mark.parametrize("lab", NAMES)
def test_points_of_a_lab_are_those_of_its_tasks(lab):
    from course import checks

    cells = source.check_cells(form.read(source.LABS / lab / f"{lab}.ipynb"))
    assert {cell.task: cell.points for cell in cells} == {name: task.points for name, task in checks.tasks(lab).items()}
