"""Judges a student's watch by what it says of another log (task 2)."""

from __future__ import annotations

import functools
import io
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from course import checks
from flights.watch import PROJECT
from judges.lab_6 import watched_log
from judges.lab_6.called import call, draw
from judges.shared import answer_forms
from operation import labels, quality, served_log

COUNTS = ("unreadable", "no_number", "without_key", "repeated")
ROWS = ("matched", "not_yet", "missing", "ambiguous")
NUMBERS = ("said", "happened", "gap", "auc", "cost")
ASKED = ((4, 15, watched_log.COMPLETE), (9, 9, 11))
"""Of each call, first and last day, and the last day whose labels are complete: with days that are not due, and one day alone."""
NO_NUMBERS = ("nan", "inf", "-inf")
"""As which `course.trials.called` tells of what is not finite."""
CLOSE = 1e-3
"""How far a number may be off, absolute or as a share: three decimals will do, and what is counted wrong is farther off."""
Numbers = Mapping[str, float]


@functools.lru_cache(4)
def given(seed: int) -> tuple[list[dict[str, str]], list[dict[str, float]]]:
    """The arguments of each call on `watched_log.files`, and what is right."""
    days, files = watched_log.world(seed), watched_log.files(seed)
    arguments, right = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        outcomes = pd.read_csv(io.BytesIO(files["outcomes.csv"]))
        for numbers in ASKED:
            first, last, complete = map(days.day, numbers)
            log = served_log.read(Path(folder, "log/requests.jsonl"), PROJECT, first, last)
            answered = log.rows[log.rows["role"] != served_log.SHADOW]
            join = functools.partial(labels.join, outcomes=outcomes, project=PROJECT, first=first, last=last)
            joined = join(answered, until=complete)
            found = quality.of(joined, PROJECT)
            known = {**vars(log.lines), **vars(joined.matches), "said": found.said, "happened": found.happened}
            known |= {name: getattr(found, name).value for name in ("gap", "auc", "cost")}
            mistakes = {
                "hasty": join(answered).matches.matched,
                "shadowed": join(log.rows, until=complete).matches.matched,
                "again": joined.matches.matched + joined.matches.asked_again,
            }
            right.append({name: float(known[name]) for name in (*COUNTS, *ROWS, *NUMBERS)} | mistakes)
            paths = {"log": "log/requests.jsonl", "outcomes": "outcomes.csv"}
            asked = {"first": first, "last": last, "complete": complete}
            arguments.append(paths | {name: day.isoformat() for name, day in asked.items()})
    return arguments, right


def judge_watch(lab: checks.Lab) -> None:
    """Five points: two for the account of lines, one and a half each for the account of rows and for the numbers.

    Raises:
        checks.Wrong: something is not so.
    """
    seed = draw(lab, "watch")
    arguments, right = given(seed)
    files = watched_log.files(seed)
    judge(call(lab, "watch", "watch", arguments, files, "your watch, on a log that you have not seen"), right)


def judge(returned: Sequence[dict[str, Any]], right: Sequence[Numbers]) -> None:
    """Judges what came of each call, `{"value": ...}` or `{"error": ...}`.

    Raises:
        checks.Wrong: something of it is not so.
    """
    pairs = [(_numbers_of(told), of) for told, of in zip(returned, right, strict=True)]
    answer_forms.parts([(2, lambda: _lines(pairs)), (1.5, lambda: _rows(pairs)), (1.5, lambda: _quality(pairs))])


def _numbers_of(told: dict[str, Any]) -> dict[str, float]:
    if "error" in told:
        raise checks.Wrong(f"`watch` ends with {told['error']}")
    found = told["value"]
    if not isinstance(found, dict):
        raise checks.Wrong(f"`watch` returns {str(found)[:40]}, and not a dictionary of numbers.")
    wanted = (*COUNTS, *ROWS, *NUMBERS)
    found = found | {name: float(one) for name, one in found.items() if one in NO_NUMBERS}
    known = {name: found[name] for name in wanted if isinstance(found.get(name), int | float)}
    if absent := [name for name in wanted if isinstance(known.get(name, True), bool)]:
        raise checks.Wrong(f"What `watch` returns has no number {', '.join(absent)}.")
    return known


def _is(name: str, value: float) -> str:
    if not math.isfinite(value):
        return f"`watch` returns {value} as `{name}`,"
    return f"`{name}` is {value:g}" if name in (*COUNTS, *ROWS) else f"`{name}` is {value:.4g}"


def _first_wrong(pairs: Sequence[tuple[Numbers, Numbers]], names: Sequence[str]) -> tuple[str, Numbers, Numbers] | None:
    return next(((name, found, right) for name in names for found, right in pairs if found[name] != right[name]), None)


def _lines(pairs: Sequence[tuple[Numbers, Numbers]]) -> None:
    if (wrong := _first_wrong(pairs, COUNTS)) is None:
        return
    name, found, right = wrong
    hint = {
        "unreadable": "A log has full files beside the one that is written (`requests.jsonl.1`, `.2`, ...), and lines that are cut in the middle, or are no answer: one of the five columns of an answer is not there.",
        "no_number": "The model's answer is null there. Such a line counts as nothing else, whatever day it is about.",
        "without_key": "A line lacks a column of the key where it is not there, or null. Count it whatever day it is about.",
        "repeated": "A line is repeated where request, version, role and key are those of an earlier one, among the days that are asked for. A request may have several rows.",
    }[name]
    raise checks.Wrong(f"{_is(name, found[name])} on a log where there are {right[name]:g}. {hint}")


def _rows(pairs: Sequence[tuple[Numbers, Numbers]]) -> None:
    if (wrong := _first_wrong(pairs, ROWS)) is None:
        return
    name, found, right = wrong
    more = sum(found[one] - right[one] for one in ROWS)
    hint = "Each of the flights is in one of these four places: with its label, not yet due, without it, or with both labels."
    if more > 0:
        hint = "A flight counts once, by whatever versions and however often it was answered, and however often the outcomes have it."
    if more < 0:
        hint = "Flights count that a champion or a challenger has answered, and are told apart by the whole key."
    hasty = "Labels of days after `complete` are no fair sample: a flight on such a day is `not_yet`, whether its own label is there or not."
    if name == "not_yet":
        hint = hasty
    if any(found[line] != right[line] for line in COUNTS):
        hint = "Look at the lines first: it is of other rows that this is said."
    for mistake, why in {
        "hasty": hasty,
        "shadowed": "A shadow's answers went to no client.",
        "again": "Where a flight was asked about again, the last answer counts, once.",
    }.items():
        if found["matched"] == right[mistake]:
            hint = why
    raise checks.Wrong(f"{_is(name, found[name])} where it should be {right[name]:g}. {hint}")


def _quality(pairs: Sequence[tuple[Numbers, Numbers]]) -> None:
    if any(found["matched"] != right["matched"] for found, right in pairs):
        raise checks.Wrong("The numbers count as soon as the matched rows are the right ones.")
    wrong = {
        name: (found[name], right[name])
        for found, right in pairs
        for name in NUMBERS
        if not math.isclose(found[name], right[name], rel_tol=CLOSE, abs_tol=CLOSE)
    }
    if not wrong:
        return
    name, (value, wanted) = next(iter(wrong.items()))
    hint = {
        "gap": "It is what was said less what happened, above 0 where too much was said.",
        "auc": "Of two rows with the same prediction, neither is the higher.",
        "cost": "It is for a row, by the plan's costs: acting from the threshold on.",
    }.get(name, "It is of the matched rows only, of several answers about a flight by that with the latest `time`.")
    told = f"{_is(name, value)} where it should be {wanted:.4g}. {hint}"
    raise checks.Wrong(told, points=1.5 - 0.3 * len(wrong))
