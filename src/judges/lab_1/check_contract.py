"""Judges a contract by what it lets through: tasks 4 and 7 of lab 1."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd

from course import checks
from flights.data import source_table
from judges.lab_1 import contract_cases, faults, monthly_data
from judges.lab_1.contract_cases import CARRIER, HALF, ORIGIN
from judges.lab_1.questions import QUESTIONS, TARGET, Question, in_service, labelled
from judges.lab_1.tfdv_validation import (
    SERVING,
    TRAINING,
    WHOLE,
    Anomaly,
    anomalies,
    listed,
    type_held,
    type_said,
    without_histograms,
    words,
)

HINTS = {
    "domain": "A feature names its domain in `domain`; the words of that name stand in the contract's `string_domain`. Do they?",
    "type": "Does the type fit the column, and the domain the type?",
    "columns": "Which columns are there at that moment, and which does the contract expect?",
    "presence": "How many gaps may that column have? A month without any does not say that the next one has none.",
    "value": "Is that impossible, or has it only not happened yet?",
}
"""Where to look when what is good was refused."""
ASKED = {
    "type": "Which type does the contract give that column?",
    "columns": "Does the contract know which columns there are, and does it demand that each comes (`presence`)?",
    "words": "Which words does the contract allow in that column?",
    "presence": "What share of values does the contract demand of that column, and what share does it usually have?",
    "range": "Which numbers does the contract allow in that column?",
}
"""What to ask when a fault of a kind was not seen."""
HOLDS = {"INT": "whole numbers", "FLOAT": "decimals", "STRING": "text"}
"""What a column holds, by the type that its statistics name."""


def judge_contract(contract: Any, question: Question, variables: list[str]) -> None:
    """Accepts good months and batches, refuses bad ones.

    Raises:
        checks.Wrong: it does not. One point for the good months, two for the bad ones, one for service, each by itself.
    """
    points, told = 0.0, []
    refused = _always_refused(contract, question.name)
    left_out = f"right, but for what Good months tells of: {', '.join(f'`{name}`' for name in sorted(refused))}."
    for what, worth, judge in (
        ("Good months", 1, lambda: _accepts(contract, contract_cases.good(question.name))),
        ("Bad months", 2, lambda: _judge_bad(contract, question, refused)),
        ("Service", 1, lambda: _judge_service(contract, question, variables, refused)),
    ):
        try:
            judge()
            earned, message = worth, left_out if refused else "right."
        except checks.Wrong as wrong:
            earned, message = wrong.points, wrong.message
        points += earned
        told.append(f"{what} ({earned} of {worth}): {message}")
    if points < 4:
        raise checks.Wrong("\n".join(told), points=points)


def _always_refused(contract: Any, question: str) -> frozenset[str]:
    """The columns that it refuses in every good month, such as one of the wrong type: one cause, told and paid for once.

    None where they are so many that a third of the bad months would not be judged.
    """
    try:
        months = [{*anomalies(found, contract, TRAINING)} for found in contract_cases.good(question).values()]
    except checks.Wrong:  # TFDV cannot work with it, as each part tells
        return frozenset()
    found = frozenset.intersection(*map(frozenset, months)) - {WHOLE}
    return found if len(_only_in(found)) <= len(contract_cases.faults()) // 3 else frozenset()


def _only_in(columns: frozenset[str]) -> set[str]:
    """The faults that are in these columns and in no other."""
    return {fault.what for fault in contract_cases.faults() if {*fault.columns} <= columns}


def _accepts(
    contract: Any, found: dict[str, Any], environment: str = TRAINING, refused: frozenset[str] = frozenset()
) -> None:
    for what, statistics in found.items():
        all_broken = anomalies(statistics, contract, environment)
        if broken := {name: anomaly for name, anomaly in all_broken.items() if name not in refused}:
            raise checks.Wrong(
                f"Your contract refuses {what} in the environment {environment}: {listed(broken)}. "
                f"{_hint(broken, contract, statistics)}",
                points=0,
            )


def _hint(broken: dict[str, Anomaly], contract: Any, statistics: Any) -> str:
    """Where to look; for a column of another type, which type it has."""
    kind = next(kind for kind in HINTS if any(anomaly.kind == kind for anomaly in broken.values()))
    column = next(name for name, anomaly in broken.items() if anomaly.kind == kind)
    held, said = type_held(statistics, column), type_said(contract, column)
    if kind != "type" or held not in HOLDS or said == (wanted := "BYTES" if held == "STRING" else held):
        return HINTS[kind]
    return f"The delivery has {HOLDS[held]} in `{column}`: a contract says {wanted}."


def _judge_bad(contract: Any, question: Question, refused: frozenset[str]) -> None:
    """One point of two when at most a third of the bad months pass."""
    spared = _only_in(refused)
    passed = {what: kind for what, kind in _passed(contract, question.name).items() if what not in spared}
    if passed:
        what, kind = next(iter(passed.items()))
        number = len(contract_cases.faults())
        anyway = len(anomalies(contract_cases.clean(question.name), contract, TRAINING))
        is_few = len(passed) <= number // 3
        first = (
            "" if is_few or not anyway else " Your contract refuses columns in good months too: mend Good months first."
        )
        raise checks.Wrong(
            f"Of {number} your contract lets {len(passed)} through. One of them has {what}. {ASKED[kind]}{first}",
            points=1 if is_few else 0,
        )


def _passed(contract: Any, question: str, news: str = "") -> dict[str, str]:
    """The faults that it does not see, each with its kind; among them codes that it allows and that neither register nor news has."""
    anyway = anomalies(contract_cases.clean(question), contract, TRAINING)
    passed = {}
    for month, statistics in contract_cases.bad(question):
        found = anomalies(statistics, contract, TRAINING)
        new = {name for name, anomaly in found.items() if anomaly != anyway.get(name)}
        passed |= {fault.what: fault.kind for fault in month if not new & {*fault.columns}}
    for column, what, codes in (
        ("carrier", CARRIER, source_table("airlines")["carrier"]),
        ("origin", ORIGIN, faults.AIRPORTS),
    ):
        if (words(contract, column) or set()) - {*codes, news}:
            passed[what] = "words"
    return passed


def _serves(contract: Any, question: Question, variables: list[str], refused: frozenset[str] = frozenset()) -> None:
    if not set(variables) <= set(question.known):
        raise checks.Wrong(
            "The batches in service are judged with your `VARIABLES`, and these leak: mend task 2 first."
        )
    what = f"a batch as it comes {question.moment}, with your variables only,"
    for month in contract_cases.SERVED:
        _accepts(contract, {what: contract_cases.served(question.name, frozenset(variables), month)}, SERVING, refused)


def _judge_service(contract: Any, question: Question, variables: list[str], refused: frozenset[str]) -> None:
    _serves(contract, question, variables, refused)
    # A batch without any of the variables, and with all that is not known then: each has to be an anomaly of its own.
    found = anomalies(contract_cases.not_served(question.name), contract, SERVING)
    needed = [name for name in variables if name not in contract_cases.OFTEN_EMPTY]
    unknown = [name for name in (*contract_cases.COLUMNS, TARGET) if name not in question.known]
    for name in (*needed, *unknown):
        if name not in found:
            about = (
                f"without `{name}`, which your model needs"
                if name in needed
                else f"with `{name}`, which is not known then"
            )
            raise checks.Wrong(
                f"In the environment {SERVING} your contract accepts a batch {about}. "
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
    delivery = faults.delivery(seed)
    _accepts(contract, {"May as it is redelivered, without the faults and with the news,": _may(seed, question.name)})
    _accepts(contract, _longer(seed, question.name))
    april = contract_cases.training(question.name, 4, monthly_data.GIVEN)
    good, exempt = _before(first, question.name)  # what is wrong in the first one is told by task 4, once
    _accepts(contract, {"April, which was right before the news and still is,": april} | good)
    _serves(contract, question, variables)
    if "column" in delivery.news:
        _judge_new_column(contract, seed, question, variables)
    if "gaps" in delivery.news:  # at one airport of three it is still measured
        exempt.add(HALF.format(delivery.facts["gaps"]["column"]))
    news = delivery.facts["value"]["value"] if "value" in delivery.news else ""
    passed = [what for what in _passed(contract, question.name, news) if what not in exempt]
    passed += [f"the fault of kind {kind}" for kind in _missed(contract, seed, question.name)]
    passed += [
        fault.what
        for month, found in _after_news(seed, question.name)
        for fault in month
        if not {*fault.columns} & {*anomalies(found, contract, TRAINING)}
    ]
    if passed:
        more = f"; and {len(passed) - 2} more" if len(passed) > 2 else ""
        raise checks.Wrong(
            f"The news passes. But your new contract also lets through what is a fault: {'; '.join(passed[:2])}{more}. "
            "Change it where the world has changed, and nowhere else.",
            points=1,
        )


def _before(first: Any, question: str) -> tuple[dict[str, Any], set[str]]:
    """The good months that the first contract accepts, and the faults that it does not see."""
    good = contract_cases.good(question)
    try:
        accepted = {what: found for what, found in good.items() if first and not anomalies(found, first, TRAINING)}
        return accepted, set(_passed(first, question) if first else ())
    except checks.Wrong:  # TFDV cannot work with it, as task 4 tells
        return {}, set()


def _judge_new_column(contract: Any, seed: int, question: Question, variables: list[str]) -> None:
    added = faults.delivery(seed).added
    batch = _batch(seed, question.name, frozenset(variables))
    if added.known_before:
        _accepts(contract, {f"a batch with `{added.name}`, which is known then,": batch}, SERVING)
    elif added.name not in anomalies(batch, contract, SERVING):
        raise checks.Wrong(
            f"In the environment {SERVING} your contract accepts a batch with `{added.name}`. When is that known?",
            points=1,
        )


def _missed(contract: Any, seed: int, question: str) -> list[str]:
    """The kinds of faults of the student's May that it does not see, of those that a contract can see."""
    delivery = faults.delivery(seed)
    found = anomalies(_may(seed, question, faults.KINDS), contract, TRAINING)
    return [
        kind
        for kind in ("text", "range", "renamed", "value", "gaps", "column")
        if kind not in delivery.news
        and not {delivery.facts[kind]["column"], delivery.facts[kind].get("now")} & set(found)
    ]


@functools.cache
def _may(seed: int, question: str, kinds: tuple[str, ...] = ()) -> Any:
    """Statistics of the student's May with some of what is planted there (without more words, the news), and with its label."""
    return without_histograms(_flights(seed, question, kinds))


def _flights(seed: int, question: str, kinds: tuple[str, ...] = ()) -> pd.DataFrame:
    cells = faults.delivery(seed, kinds or faults.delivery(seed).news).cells
    return labelled(monthly_data.typed(cells), QUESTIONS[question])


@functools.cache
def _longer(seed: int, question: str) -> dict[str, Any]:
    """May with the news, where a new column of numbers has a little more than it has in May: still good."""
    delivery = faults.delivery(seed)
    if "column" not in delivery.news or delivery.added.possible is None:
        return {}
    fault = contract_cases.put("range", delivery.added.name, delivery.added.possible)
    what = f"May as it is redelivered, but with {fault.what}, which has not happened yet, but can,"
    return {what: without_histograms(fault.plant(_flights(seed, question)))}


@functools.cache
def _after_news(seed: int, question: str) -> list[tuple[list[contract_cases.Fault], Any]]:
    """Faults in what is news, and statistics of May with the news and with these."""
    delivery = faults.delivery(seed)
    months: list[list[contract_cases.Fault]] = []
    if "column" in delivery.news:
        months = [[contract_cases.put("range", delivery.added.name, value)] for value in delivery.added.impossible]
    if "gaps" in delivery.news:
        column = delivery.facts["gaps"]["column"]
        lost = contract_cases.gaps(column, 0.5, "half of the values that are left of `{}` missing")
        months = [[lost, *next(iter(months), [])], *months[1:]]
    return [
        (
            month,
            without_histograms(
                functools.reduce(lambda flights, fault: fault.plant(flights), month, _flights(seed, question))
            ),
        )
        for month in months
    ]


@functools.cache
def _batch(seed: int, question: str, columns: frozenset[str]) -> Any:
    """Statistics of a batch in service that has the new column."""
    delivery = faults.delivery(seed, ("column",))
    flights = monthly_data.typed(delivery.cells)
    return without_histograms(in_service(flights, QUESTIONS[question], {*columns, delivery.added.name}))
