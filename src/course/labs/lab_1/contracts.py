"""Judges the contract by what it lets through: tasks 4 and 7 of lab 1."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from course import checks
from course.labs.lab_1 import deliveries, faults, judge, months
from course.labs.lab_1.questions import QUESTIONS, TARGET, Question, in_service, labelled

TRAINING, SERVING = "TRAINING", "SERVING"
SERVED = (7, 12)


def judge_contract(contract: Any, question: Question, variables: list[str]) -> None:
    """Accepts good months and batches, refuses bad ones.

    Raises:
        checks.Wrong: it does not. One point for the good months, two for the bad ones, one for service.
    """
    for what, found in months.good(question.name).items():
        _accepts(contract, found, TRAINING, what)
    points = 1.0
    passed = _let_through(contract, months.bad(question.name), TRAINING)
    points += 2 if not passed else 1 if len(passed) <= len(months.SPOILS) // 3 else 0
    problems = [_told(passed, len(months.SPOILS))] if passed else []
    try:
        _judge_serving(contract, question, variables)
        points += 1
    except checks.Wrong as wrong:
        problems.append(wrong.message)
    if problems:
        raise checks.Wrong("\n".join(["The good months pass.", *problems]), points=points)


def _accepts(contract: Any, found: Any, environment: str, what: str, points: float = 0) -> None:
    broken = _anomalies(contract, found, environment)
    if not broken:
        return
    raise checks.Wrong(
        f"Your contract refuses {what} in the environment {environment}: {judge.listed(broken)}. "
        + _hint(list(broken.values()), environment),
        points=points,
    )


def _hint(told: list[str], environment: str) -> str:
    """Where to look when what is good was refused."""
    if any("Expected data of type" in what for what in told):
        return "A type that differs often comes from a frame in which pandas had turned whole numbers into decimals."
    if environment == SERVING:
        return "Which columns are there at that moment, and which does the contract expect?"
    return "Is that impossible, or has it only not happened yet?"


def _anomalies(contract: Any, found: Any, environment: str) -> dict[str, str]:
    try:
        return judge.anomalies(found, contract, environment)
    except Exception as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise checks.Wrong(f"TFDV cannot work with your contract: {told[0][:200]}") from error


def _let_through(contract: Any, bad: dict[str, Any], environment: str) -> list[str]:
    return [what for what, found in bad.items() if not _anomalies(contract, found, environment)]


def _told(passed: list[str], of: int) -> str:
    return (
        f"Of {of} bad months your contract lets {len(passed)} through. One of them, with {passed[0]}. "
        "What would the contract have to say about that column: type, presence, or domain?"
    )


def _judge_serving(contract: Any, question: Question, variables: list[str]) -> None:
    leaks = [name for name in variables if name not in question.known]
    if leaks:
        raise checks.Wrong(
            "The batches in service are judged with your `VARIABLES`, and these leak: mend task 2 first."
        )
    columns = tuple(sorted(variables))
    for month in SERVED:
        found = months.serving(question.name, month, columns)
        _accepts(contract, found, SERVING, f"a batch as it comes {question.moment}, with your variables only,")
    passed = _let_through(contract, months.bad_serving(question.name, columns), SERVING)
    if passed:
        raise checks.Wrong(
            f"In the environment {SERVING} your contract accepts {passed[0]}. "
            "Look at `not_in_environment`, and at `presence`, of that column."
        )


def judge_revision(contract: Any, seed: int, question: Question, variables: list[str]) -> None:
    """Accepts the news of May, and what was good before; refuses what was bad before and the faults of May.

    Raises:
        checks.Wrong: it does not. One point of two when all that is good passes.
    """
    what = "May as it is redelivered, without the faults and with the news,"
    _accepts(contract, redelivered(seed, question.name), TRAINING, what)
    april = months.training(question.name, 4, deliveries.GIVEN)
    _accepts(contract, april, TRAINING, "April, which was right before the news and still is,")
    added = _new_in_service(seed)
    known = tuple(sorted(variables))
    if not set(variables) <= set(question.known):
        raise checks.Wrong(
            "The batches in service are judged with your `VARIABLES`, and these leak: mend task 2 first."
        )
    _accepts(contract, months.serving(question.name, SERVED[0], known), SERVING, "a batch of your variables")
    if added:
        with_it, known_before = _batch(seed, question.name, known)
        if known_before:
            _accepts(contract, with_it, SERVING, f"a batch with `{added}`, which is known then,")
        elif not _anomalies(contract, with_it, SERVING):
            raise checks.Wrong(
                f"In the environment {SERVING} your contract accepts a batch with `{added}`. When is that known?",
                points=1,
            )
    passed = _let_through(contract, _still_bad(seed, question.name), TRAINING)
    passed += [f"the fault of kind {kind}" for kind in _faults(seed) if _passes(contract, seed, question.name, kind)]
    if passed:
        raise checks.Wrong(
            f"The news pass. But your new contract also lets through what is a fault: {_several(passed)}. "
            "Change it where the world has changed, and nowhere else.",
            points=1,
        )


def _still_bad(seed: int, question: str) -> dict[str, Any]:
    """The bad months of task 4, without what is news by now: that a column is half empty."""
    delivery = faults.delivery(seed)
    column = delivery.facts["gaps"]["column"] if "gaps" in delivery.news else None
    return {what: found for what, found in months.bad(question).items() if what != months.HALF.format(column)}


def _several(passed: Iterable[str]) -> str:
    listed = list(passed)
    return "; ".join(listed[:2]) + (f"; and {len(listed) - 2} more" if len(listed) > 2 else "")


@functools.cache
def redelivered(seed: int, question: str) -> Any:
    """Statistics of the student's May with the news and without the faults."""
    return _planted(seed, question, faults.delivery(seed).news)


@functools.cache
def _planted(seed: int, question: str, kinds: tuple[str, ...]) -> Any:
    flights = deliveries.typed(faults.delivery(seed, kinds).cells)
    return judge.statistics(labelled(flights, QUESTIONS[question]))


def _faults(seed: int) -> list[str]:
    """The kinds of faults, not news, that a contract can see."""
    return [
        kind
        for kind in ("text", "range", "renamed", "value", "gaps", "column")
        if kind not in faults.delivery(seed).news
    ]


def _passes(contract: Any, seed: int, question: str, kind: str) -> bool:
    return not _anomalies(contract, _planted(seed, question, (*faults.delivery(seed).news, kind)), TRAINING)


def _new_in_service(seed: int) -> str | None:
    delivery = faults.delivery(seed)
    return delivery.added.name if "column" in delivery.news else None


@functools.cache
def _batch(seed: int, question: str, columns: tuple[str, ...]) -> tuple[Any, bool]:
    """Statistics of a batch in service with the new column, and whether this is known then."""
    delivery = faults.delivery(seed)
    flights = deliveries.typed(faults.delivery(seed, ("column",)).cells)
    asked = QUESTIONS[question]
    batch = in_service(flights, asked, list(columns))
    batch[delivery.added.name] = flights.loc[asked.asked(flights), delivery.added.name].reset_index(drop=True)
    return judge.statistics(batch.drop(columns=TARGET, errors="ignore")), delivery.added.known_before
