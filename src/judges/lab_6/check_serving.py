"""Judges a served project by asking it: what it logs has to find its label, and what would not is refused (task 1)."""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import called, traffic
from judges.shared import answer_forms, workspace_files
from judges.trial import Ran, Step, Trial
from operation import labels, served_log

OUT, LOG = "answers.json", "log/requests.jsonl"
MOST_BYTES = 5_000_000
SENTENCE = 4
"""Words of a refusal, at least: its key in the answer, and three."""
BASES, FURTHER = 4, 24
"""Flights of which there are some that differ in one column, and flights of all kinds."""
ABSENT, PLACES = "is not there", ("first", "second", "third")
CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        rows: what is asked.
        place: of the row in which a column of the key has no value; below 0 where there is none.
        lacks: that column.
        how: what it has instead, in words.
        is_odd: the schema knows no such flight, so it may be refused; if it is answered, it is logged as it is.
    """

    rows: list[Row]
    place: int = -1
    lacks: str = ""
    how: str = ""
    is_odd: bool = False


@functools.cache
def flights(seed: int) -> pd.DataFrame:
    """Flights of which some differ from each other in one column of the key, and by as little as can be, with labels."""
    rng = np.random.default_rng([seed, 67])
    timetable = traffic.timetable(seed).sample(BASES + FURTHER, random_state=seed % 2**31)
    base = timetable.head(BASES).assign(year=2013, month=9, day=12)
    time = base["sched_dep_time"]
    changed = {
        "day": 13,
        "month": 10,
        "carrier": "US",
        "flight": base["flight"] + 1,
        "origin": base["origin"].map({"EWR": "JFK", "JFK": "LGA", "LGA": "EWR"}),
        "sched_dep_time": time + np.where(time % 100 == 59, -1, 1),
    }
    found = [base, *(base.assign(**{column: value}) for column, value in changed.items())]
    found += [base.assign(flight=(base["flight"] + 3000) % 8999 + 1), base.assign(sched_dep_time=2235)]
    days = pd.to_datetime("2013-01-01") + pd.to_timedelta(rng.integers(0, 365, FURTHER), unit="D")
    further = timetable.tail(FURTHER).assign(year=2013, month=days.month, day=days.day)
    hours, minutes = rng.integers(0, 24, FURTHER), rng.integers(1, 60, FURTHER)
    further = further.assign(
        carrier=rng.permutation(np.resize(CARRIERS, FURTHER)), sched_dep_time=100 * hours + minutes
    )
    further["flight"] = [1, 8999, *rng.integers(2, 8999, FURTHER - 2)]
    every = pd.concat([*found, further]).drop_duplicates(list(KEY)).reset_index(drop=True)
    every["weekday"] = PROJECT.day(every).dt.dayofweek + 1
    return every.assign(**{LABEL: rng.integers(0, 2, len(every))})


@functools.cache
def requests(seed: int) -> tuple[Asked, ...]:
    """Requests: of one flight and of several, with more and less than they need; then those that would not find their label."""
    rows = [{name: plain(value) for name, value in row.items() if name != LABEL} for row in _records(flights(seed))]
    weather = {
        "temp": 61.0,
        "pressure": None,
        "wind_gust": None,
        "tailnum": "N123AB",
        "seats": None,
        "plane_year": 2001,
    }
    whole = [rows[:1], rows[1:3], rows[3:8], rows[8:], *([one] for one in rows[::5])]
    whole += [[rows[4] | weather, rows[5] | {"humid": None}], [rows[6] | {"flight": str(rows[6]["flight"])}]]
    found = [Asked(some) for some in whole]
    kinds = ((ABSENT, None), ("is null", None), ("is an empty text", ""))
    for number, (how, value) in enumerate(kinds):
        for place, column in enumerate(KEY):
            bad = {name: one for name, one in rows[0].items() if name != column}
            three = [rows[1], rows[2], bad if number == 0 else bad | {column: value}]
            turn = (place + number) % 3
            found.append(Asked(three[turn:] + three[:turn], 2 - turn, column, how))
    return (*found, *(Asked([rows[0] | {column: value}], is_odd=True) for column, value in ODD.items()))


ODD = {"year": 2014, "flight": 9412, "carrier": "ZZ"}
"""What the schema knows no flight with."""


def _records(table: pd.DataFrame) -> list[Row]:
    return table.to_dict("records")  # type: ignore[return-value]


def plain(value: Any) -> Any:
    """A value of a key as JSON has it."""
    return int(value) if isinstance(value, int | float | np.number) else str(value)


def judge_serving(lab: checks.Lab) -> None:
    """Four points: all that is asked finds its label (2), what lacks a column of the key is refused (1), and what was asked can be looked at later (1).

    Raises:
        checks.Wrong: something of it is not so.
    """
    called.text(lab, "served")
    asked = requests(lab.seed)
    ran = lab.run(
        Trial(
            "your project, served in another folder, asked about flights that you have not seen",
            files={
                "code": workspace_files.inside(lab, "code"),
                "requests.json": json.dumps([one.rows for one in asked]),
            },
            steps=[Step("course.trials.served", ["code", "requests.json", LOG, OUT], seconds=150)],
            modules=("tensorflow",),
        )
    )
    answers = _answers(ran, len(asked))
    path = ran.folder / LOG
    judge(lab.seed, answers, path if path.is_file() and path.stat().st_size < MOST_BYTES else None)


def judge(seed: int, answers: list[Row], log: Path | None) -> None:
    """Judges what a server has answered to `requests`, `status` and `body` of each, and logged.

    Raises:
        checks.Wrong: something of it is not as it should be.
    """
    asked = requests(seed)
    if answers[0]["status"] != 200:
        raise checks.Wrong(f"Your server does not answer a request that has all columns: {_said(answers[0])}")
    if log is None:
        raise checks.Wrong("Your server has written no log.")
    answer_forms.parts(
        [
            (2, lambda: _finds(asked, answers, log, seed)),
            (1, lambda: _refuses(asked, answers)),
            (1, lambda: _keeps(asked, answers, log)),
        ]
    )


def _answers(ran: Ran, wanted: int) -> list[Row]:
    [step] = ran.steps
    if step.status != 0:
        raise checks.Wrong(f"`served:PROJECT` cannot be served in another folder: {step.last}")
    try:
        path = ran.folder / OUT
        found = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < MOST_BYTES else []
        if len(found) == wanted and all(isinstance(one["status"], int) for one in found):
            return found  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise checks.Wrong("Your server did not get to the end of the requests.")


def _said(answer: Row) -> str:
    return str(answer["body"])[:200]


def _key(row: Any) -> tuple[str, ...]:
    return tuple(str(plain(row[name])) for name in KEY)


def _finds(asked: tuple[Asked, ...], answers: list[Row], path: Path, seed: int) -> None:
    for one, answer in zip(asked, answers, strict=True):
        if not one.lacks and not one.is_odd and answer["status"] != 200:
            raise checks.Wrong(
                f"Your server refuses a request (flights in it: {len(one.rows)}) in which nothing of the key is missing: {_said(answer)}"
            )
    _same_alone(asked, answers)
    table = flights(seed)
    log = served_log.read(path, PROJECT)
    joined = labels.join(log.rows, table[[*KEY, LABEL]], PROJECT)
    expected = {_key(row): row[LABEL] for row in _records(table)}
    right = sum(expected.get(_key(row)) == row[LABEL] for row in _records(joined.rows))
    if right < len(table) and (lost := log.lines.lost_columns):
        raise checks.Wrong(
            f"The log has no {', '.join(sorted(lost))} in {log.lines.without_key} of {log.lines.total} lines, which never find their label. What does the server log of each request?"
        )
    if right < len(table):
        raise checks.Wrong(
            f"Of {len(table)} flights that differ from each other in one column of the key, {right} find their label in your log. What of a flight is not in it as the outcomes have it?"
        )
    logged = {_key(row) for row in _records(log.rows)}
    for one, answer in zip(asked, answers, strict=True):
        if one.is_odd and answer["status"] == 200 and _key(one.rows[0]) not in logged:
            raise checks.Wrong(
                "Your server answers about a flight that the schema does not know, and logs another one. Hand the rows of a request to `super().check` as they came."
            )


def _same_alone(asked: tuple[Asked, ...], answers: list[Row]) -> None:
    """The answer about a flight does not depend on the others of the request."""
    said: dict[tuple[str, ...], list[float]] = {}
    for row, prediction in _answered(asked, answers):
        said.setdefault(_key(row), []).append(prediction)
    if not said or any(not max(some) - min(some) < 1e-6 for some in said.values()):
        raise checks.Wrong(
            "The answer about a flight differs by which others are in the request. What does `encode` make of the rows?"
        )


def _answered(asked: tuple[Asked, ...], answers: list[Row]) -> Iterator[tuple[Row, float]]:
    """The rows with a whole key that were answered, and what was said."""
    for one, answer in zip(asked, answers, strict=True):
        if answer["status"] == 200 and not one.lacks and not one.is_odd:
            found = answer["body"].get("predictions", []) if isinstance(answer["body"], dict) else []
            known = [value if isinstance(value, int | float) else math.nan for value in found]
            yield from zip(one.rows, known + [math.nan] * (len(one.rows) - len(known)), strict=False)


def _refuses(asked: tuple[Asked, ...], answers: list[Row]) -> None:
    pairs = [(one, answer) for one, answer in zip(asked, answers, strict=True) if one.lacks]
    for one, answer in pairs:
        if not 400 <= answer["status"] < 500:
            did = "answers" if answer["status"] == 200 else f"fails (status {answer['status']}) at"
            raise checks.Wrong(
                f"Your server {did} a request of three flights, though `{one.lacks}` {one.how} in the {PLACES[one.place]} of them. That flight would never find its label. "
                "Refuse the request: a ValueError of `check` becomes status 400."
            )
    for one, answer in pairs:
        others = [(other.lacks, said) for other, said in pairs if other.lacks != one.lacks and other.how == one.how]
        # A sentence may quote the flight, and so name all columns but one that is not there.
        is_told = _names(one.lacks, answer) > 0 and (
            one.how == ABSENT
            or all(_more(one.lacks, other, answer) > _more(one.lacks, other, said) for other, said in others)
        )
        if not is_told or len(_said(answer).split()) < SENTENCE:
            raise checks.Wrong(
                f"Your server refuses a request in which `{one.lacks}` {one.how}, and does not say in a sentence which column it is: {_said(answer)}"
            )


def _more(column: str, other: str, answer: Row) -> int:
    """How much more often an answer names a column than another."""
    return _names(column, answer) - _names(other, answer)


def _names(column: str, answer: Row) -> int:
    return len(re.findall(rf"\b{column}\b", str(answer["body"]), re.IGNORECASE))


def _keeps(asked: tuple[Asked, ...], answers: list[Row], path: Path) -> None:
    try:
        logged = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        kept = Counter(_kept(line, line["prediction"]) for line in logged)
    except (ValueError, TypeError, KeyError):
        kept = Counter()
    if Counter(_kept(row, said) for row, said in _answered(asked, answers)) - kept:
        raise checks.Wrong(
            "The log does not hold `dest` and `distance` of each flight as they were asked. When a client changes a unit, you could not see it in the log: keep both beside the key."
        )


def _kept(row: Row, said: float) -> tuple[str, ...]:
    return (str(row.get("dest")), str(row.get("distance")), f"{said:.6f}")
