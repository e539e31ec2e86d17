"""Judges the contract by what it lets through: tasks 4 and 7 of lab 1."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from course import checks
from flights.data import source_table
from judges.lab_1 import contract_cases, faults, monthly_data, tfdv_validation
from judges.lab_1.questions import QUESTIONS, TARGET, Question, in_service, labelled

TRAINING, SERVING = "TRAINING", "SERVING"
SERVED = (7, 12)


def judge_contract(contract: Any, question: Question, variables: list[str]) -> None:
    """Accepts good months and batches, refuses bad ones.

    Raises:
        checks.Wrong: it does not. One point for the good months, two for the bad ones, one for service, each by itself.
    """
    points, told = 0.0, []
    for what, worth, judged in (
        ("Good months", 1, functools.partial(_judge_good, contract, question)),
        ("Bad months", 2, functools.partial(_judge_bad, contract, question)),
        ("Service", 1, functools.partial(_judge_serving, contract, question, variables)),
    ):
        try:
            judged()
            points += worth
            told.append(f"{what} ({worth} of {worth}): right.")
        except checks.Wrong as wrong:
            points += wrong.points
            told.append(f"{what} ({wrong.points} of {worth}): {wrong.message}")
    if points < 4:
        raise checks.Wrong("\n".join(told), points=points)


def _judge_good(contract: Any, question: Question) -> None:
    for what, found in contract_cases.good(question.name).items():
        _accepts(contract, found, TRAINING, what)


def _judge_bad(contract: Any, question: Question) -> None:
    """One point of two when at most a third of the bad months pass."""
    bad = contract_cases.bad(question.name) | _with_invented(contract, question.name)
    passed = _let_through(contract, question.name, bad)
    if not passed:
        return
    kind = contract_cases.SPOILS[passed[0]].kind
    raise checks.Wrong(
        f"Of {len(bad)} your contract lets {len(passed)} through. One of them has {passed[0]}. {ASKED[kind]}",
        points=1 if len(passed) <= len(bad) // 3 else 0,
    )


ASKED = {
    "type": "Which type does the contract give that column?",
    "columns": "Does the contract know which columns there are, and does it demand that each comes (`presence`)?",
    "words": "Which words does the contract allow in that column?",
    "presence": "What share of values does the contract demand of that column, and what share does it usually have?",
    "range": "Which numbers does the contract allow in that column?",
}
"""What to ask when a fault of a kind was not seen."""


def _accepts(contract: Any, found: Any, environment: str, what: str, points: float = 0) -> None:
    broken = _anomalies(contract, found, environment)
    if not broken:
        return
    raise checks.Wrong(
        f"Your contract refuses {what} in the environment {environment}: {tfdv_validation.listed(broken)}. "
        + _hint({anomaly.kind for anomaly in broken.values()}, environment),
        points=points,
    )


def _hint(kinds: set[str], environment: str) -> str:
    """Where to look when what is good was refused."""
    if "domain" in kinds:
        return "A feature names its domain in `domain`; the words of that name stand in the contract's `string_domain`. Do they?"
    if "type" in kinds:
        return "A type that differs often comes from a frame in which pandas had turned whole numbers into decimals."
    if kinds & {"new", "missing"} and environment == SERVING:
        return "Which columns are there at that moment, and which does the contract expect?"
    if "missing" in kinds:
        return "What does the contract demand of a column that may not be there?"
    if "new" in kinds:
        return "Which columns does a month have, and which does the contract know?"
    if "presence" in kinds:
        return "How many gaps may that column have? A month without any does not say that the next one has none."
    return "Is that impossible, or has it only not happened yet?"


def _anomalies(contract: Any, found: Any, environment: str) -> dict[str, tfdv_validation.Anomaly]:
    try:
        return tfdv_validation.anomalies(found, contract, environment)
    except Exception as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise checks.Wrong(f"TFDV cannot work with your contract: {told[0][:200]}") from error


def _let_through(contract: Any, question: str, bad: dict[str, Any]) -> list[str]:
    """The bad months in which TFDV finds nothing that it does not find in the same month without the fault."""
    anyway = _anomalies(contract, contract_cases.clean(question), TRAINING).items()
    return [what for what, found in bad.items() if _anomalies(contract, found, TRAINING).items() <= anyway]


def _with_invented(contract: Any, question: str, also: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Months with a code that the contract allows and nobody has announced, if there is one."""
    agreed = {
        "carrier": (contract_cases.CARRIER, {*source_table("airlines")["carrier"], *also}),
        "origin": (contract_cases.ORIGIN, {*faults.AIRPORTS, *also}),
    }
    found = {}
    for column, (what, codes) in agreed.items():
        invented = (tfdv_validation.domain(contract, column) or set()) - codes
        if invented:
            found[what] = contract_cases.with_code(question, column, min(invented))
    return found


def _judge_serving(contract: Any, question: Question, variables: list[str]) -> None:
    leaks = [name for name in variables if name not in question.known]
    if leaks:
        raise checks.Wrong(
            "The batches in service are judged with your `VARIABLES`, and these leak: mend task 2 first."
        )
    columns = tuple(sorted(variables))
    for month in SERVED:
        found = contract_cases.serving(question.name, month, columns)
        _accepts(contract, found, SERVING, f"a batch as it comes {question.moment}, with your variables only,")
    bad = contract_cases.bad_serving(question.name, columns)
    passed = [what for what, found in bad.items() if not _anomalies(contract, found, SERVING)]
    if passed:
        raise checks.Wrong(
            f"In the environment {SERVING} your contract accepts {passed[0]}. "
            "Look at `not_in_environment`, and at `presence`, of that column."
        )


def judge_revision(contract: Any, first: Any, seed: int, question: Question, variables: list[str]) -> None:
    """Accepts the news of May, and what was good before; refuses what was bad before and the faults of May.

    Args:
        contract: the new one.
        first: that of task 4, or None where there is none.
        seed: the student's.
        question: the student's.
        variables: the student's.

    Raises:
        checks.Wrong: it does not. One point of two when all that is good passes.
    """
    what = "May as it is redelivered, without the faults and with the news,"
    _accepts(contract, redelivered(seed, question.name), TRAINING, what)
    april = contract_cases.training(question.name, 4, monthly_data.GIVEN)
    _accepts(contract, april, TRAINING, "April, which was right before the news and still is,")
    _judge_new_service(contract, seed, question, variables)
    passed = _let_through(contract, question.name, _still_bad(contract, first, seed, question.name))
    passed += [f"the fault of kind {kind}" for kind in _faults(seed) if _passes(contract, seed, question.name, kind)]
    if passed:
        raise checks.Wrong(
            f"The news passes. But your new contract also lets through what is a fault: {_several(passed)}. "
            "Change it where the world has changed, and nowhere else.",
            points=1,
        )


def _judge_new_service(contract: Any, seed: int, question: Question, variables: list[str]) -> None:
    known = tuple(sorted(variables))
    if not set(variables) <= set(question.known):
        raise checks.Wrong(
            "The batches in service are judged with your `VARIABLES`, and these leak: mend task 2 first."
        )
    _accepts(contract, contract_cases.serving(question.name, SERVED[0], known), SERVING, "a batch of your variables")
    added = _new_in_service(seed)
    if not added:
        return
    with_it, known_before = _batch(seed, question.name, known)
    if known_before:
        _accepts(contract, with_it, SERVING, f"a batch with `{added}`, which is known then,")
    elif not _anomalies(contract, with_it, SERVING):
        raise checks.Wrong(
            f"In the environment {SERVING} your contract accepts a batch with `{added}`. When is that known?",
            points=1,
        )


def _still_bad(contract: Any, first: Any, seed: int, question: str) -> dict[str, Any]:
    """The bad months that the first contract refused, but for the news."""
    delivery = faults.delivery(seed)
    found = dict(contract_cases.bad(question))
    for what in _let_through_before(first, question, found):
        del found[what]  # told by task 4, once
    if "gaps" in delivery.news:  # at one airport of three it is still measured
        column = delivery.facts["gaps"]["column"]
        found.pop(contract_cases.HALF.format(column), None)
        found[f"no column `{column}`"] = contract_cases.without(question, column)
    code = delivery.facts["value"]["value"] if "value" in delivery.news else ""
    return found | _with_invented(contract, question, frozenset({code}))


def _let_through_before(first: Any, question: str, bad: dict[str, Any]) -> list[str]:
    try:
        return [] if first is None else _let_through(first, question, bad)
    except checks.Wrong:  # TFDV cannot work with it, as task 4 tells
        return []


def _several(passed: Iterable[str]) -> str:
    listed = list(passed)
    return "; ".join(listed[:2]) + (f"; and {len(listed) - 2} more" if len(listed) > 2 else "")


@functools.cache
def redelivered(seed: int, question: str) -> Any:
    """Statistics of the student's May with the news and without the faults."""
    return _planted(seed, question, faults.delivery(seed).news)


@functools.cache
def _planted(seed: int, question: str, kinds: tuple[str, ...]) -> Any:
    news = faults.delivery(seed).news
    flights = _may(seed, question, kinds)
    if kinds == news:
        return tfdv_validation.without_histograms(flights)
    return tfdv_validation.statistics_after(_planted(seed, question, news), _may(seed, question, news), flights)


def _may(seed: int, question: str, kinds: tuple[str, ...]) -> Any:
    """The student's May with some of what is planted there, and with its label."""
    return labelled(monthly_data.typed(faults.delivery(seed, kinds).cells), QUESTIONS[question])


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
    flights = monthly_data.typed(faults.delivery(seed, ("column",)).cells)
    asked = QUESTIONS[question]
    batch = in_service(flights, asked, list(columns))
    batch[delivery.added.name] = flights.loc[asked.asked(flights), delivery.added.name].reset_index(drop=True)
    return tfdv_validation.without_histograms(batch.drop(columns=TARGET, errors="ignore")), delivery.added.known_before
