"""Lab 1 for its tests: a student's lab in a folder, the cells of the solution, wrong answers."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from course import checks
from course.labs import lab_1_data as given_lab
from flights.data import month_path
from judges import lab_1_data
from judges.lab_1 import check_plan, monthly_data
from judges.lab_1.questions import QUESTIONS, labelled
from tools.labs import source
from tools.notebooks import form

LAB = "lab-1-data"
TO_MONTHS = ("question", "label", "variables")
TO_CONTRACT = ("contract-ranges", "contract-rest")
TO_DECISIONS = ("may-look", "may-contract", "may-unit", "faults", "notes", "decisions")
IDS = (
    *("b.berg@example.org", "anna-k", "STUDENT-7", "x1", "jose.m", "student-5"),
    *("2024-0815", "zoe_q", "w+1", "a", "n99", "student-1"),
)
"""A dozen students; the first six have between them each pair of news, with a new column of both sorts."""
ROWS = 400
"""Flights of a month in tests of tasks 1 to 3: writing and comparing 8,000 flights takes half a second."""
KNOWN = {name: sorted(question.known) for name, question in QUESTIONS.items()}
ANSWERS = yaml.safe_load(Path(__file__).with_name("lab_1_answers.yaml").read_text(encoding="utf-8"))


def rows(table: Iterable[str], everyday: Collection[str]) -> list[Any]:
    """Rows for `pytest.mark.parametrize`, by their names: those of each day, and as long proofs those that are judged by the same lines."""
    unknown = {*everyday} - {*table}
    assert not unknown, f"no such rows: {unknown}"
    return [pytest.param(name, id=name, marks=[] if name in everyday else pytest.mark.long) for name in table]


def lab(folder: Path, student: str = "student-1", deliver: bool = False) -> checks.Lab:
    """A student's lab, with an empty workspace or one with all deliveries."""
    workspace = folder / student / LAB
    workspace.mkdir(parents=True)
    found = checks.Lab(LAB, student, workspace)
    if deliver:
        lab_1_data.data(found)
    return found


@contextlib.contextmanager
def small_months() -> Iterator[None]:
    """Months of 400 flights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monthly_data, "ROWS", ROWS)
        patch.setattr(check_plan, "FEWEST_ROWS", ROWS * 3 // 4)
        _forget()
        yield
    _forget()


def _forget() -> None:
    for made in (monthly_data.month, monthly_data.given, _months):
        made.cache_clear()


def evaluate(lab: checks.Lab, task: str, **answers: Any) -> tuple[float, str]:
    """Points and message. A check that breaks is no outcome."""
    outcome = checks.evaluate(lab, task, answers)
    assert outcome.state != "check failed", outcome.message
    return outcome.points, outcome.message


def judged(lab: checks.Lab, names: dict[str, Any]) -> dict[str, tuple[float, str]]:
    """What all that was answered in a namespace of the solution gets, but for ingestion, which needs a notebook."""
    tasks = {name: task for name, task in checks.tasks(LAB).items() if name != "ingest"}
    return {
        name: evaluate(lab, name, **{answer: names.get(answer.upper()) for answer in task.answers})
        for name, task in tasks.items()
    }


@functools.cache
def cells() -> dict[str, str]:
    """The solution's cells for answers, by their id, and the set-up."""
    node = form.read(source.notebook(LAB))
    return {source.marks(cell)["grade_id"]: cell.source for cell in node.cells if source.marks(cell).get("solution")}


def solve(lab: checks.Lab, *ids: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs cells of the solution in the lab's workspace; returns the namespace."""
    from course import views
    from flights import data

    given = {"WEATHER": data.WEATHER, "month_path": data.month_path, "source_table": data.source_table}
    names = {**given, "pd": pd, "views": views, "lab": given_lab, **(names or {}), "workspace": lab.workspace}
    with contextlib.redirect_stdout(io.StringIO()):
        for name in ids:
            exec(cells()[name], names)
    return names


def months(lab: checks.Lab, question: str = "hotel") -> dict[int, pd.DataFrame]:
    """Writes the four months with the right label, and returns them."""
    found = _months(question)
    for number, (_, text) in found.items():
        path = month_path(lab.workspace / "months", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {number: flights.copy() for number, (flights, _) in found.items()}


@functools.cache
def _months(question: str) -> dict[int, tuple[pd.DataFrame, str]]:
    found = {number: labelled(monthly_data.month(number), QUESTIONS[question]) for number in range(1, 5)}
    return {number: (flights, monthly_data.to_csv(flights)) for number, flights in found.items()}


def seed(student: str) -> int:
    """The student's number."""
    return checks.Lab(LAB, student, Path()).seed
