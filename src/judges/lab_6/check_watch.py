"""Judges a student's watch by what it says of another log: lines that are damaged or there twice, a shadow, labels that have come too early (task 2)."""

from __future__ import annotations

import functools
import io
import math
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from course import checks
from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import traffic
from judges.lab_6.called import call, draw
from judges.lab_6.traffic import World
from judges.shared import answer_forms
from operation import labels, quality, served_log

COUNTS = ("unreadable", "without_key", "repeated")
ROWS = ("matched", "not_yet", "missing")
NUMBERS = ("said", "happened", "gap", "auc", "cost")
FIRST, DAYS, LATE = date(2013, 10, 3), 18, 3
"""The days of the log that is tried; the watch is asked about those between, and labels are complete up to `LATE` days before its last."""


@functools.lru_cache(4)
def given(seed: int) -> tuple[dict[str, bytes], dict[str, Any], dict[str, float]]:
    """Files of the trial, the arguments, and what is right."""
    world = World(seed, FIRST, DAYS)
    rng = np.random.default_rng([seed, 64])
    first, last = world.day(4), world.day(DAYS - 3)
    complete = last - timedelta(days=LATE)
    lines = []
    for _, line in traffic.lines(world):
        lines.append(line)
        if rng.random() < 0.1 and line.endswith(b"}") and b"null" not in line:
            lines.append(_shadow(line))
        if rng.random() < 0.004:
            lines.append(line[:40])
    half = len(lines) // 2
    known = traffic.outcomes(world, complete)
    early = traffic.outcomes(world, world.last)[LABEL].where(rng.random(len(known)) < 0.2)
    days = PROJECT.day(known)
    known[LABEL] = known[LABEL].where((days <= pd.Timestamp(complete)).to_numpy(), early)
    known = known[[*KEY, LABEL]]
    text = io.StringIO()
    known.to_csv(text, index=False)
    files = {
        "log/requests.jsonl.1": b"".join(one + b"\n" for one in lines[:half]),
        "log/requests.jsonl": b"".join(one + b"\n" for one in lines[half:]),
        "outcomes.csv": text.getvalue().encode(),
    }
    arguments = {"log": "log/requests.jsonl", "outcomes": "outcomes.csv"}
    arguments |= {"first": first.isoformat(), "last": last.isoformat(), "complete": complete.isoformat()}
    return files, arguments, _right(files, known, first, last, complete)


def _shadow(line: bytes) -> bytes:
    told = orjson.loads(line)
    return orjson.dumps(
        told | {"version": 99, "role": "shadow", "prediction": round(min(1, told["prediction"] * 2), 6)}
    )


def _right(files: dict[str, bytes], known: pd.DataFrame, first: date, last: date, complete: date) -> dict[str, float]:

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        log = served_log.read(Path(folder, "log/requests.jsonl"), PROJECT, first, last)
    answered = log.rows[log.rows["role"] != served_log.SHADOW]
    joined = labels.join(answered, known, PROJECT, complete, first, last)
    found = quality.of(joined, PROJECT)
    counts = {name: float(getattr(log.lines, name)) for name in COUNTS}
    rows = {name: float(getattr(joined.matches, name)) for name in ROWS}
    return (
        counts
        | rows
        | {
            "said": found.said,
            "happened": found.happened,
            "gap": found.gap.value,
            "auc": found.auc.value,
            "cost": found.cost.value,
            "hasty": float(labels.join(answered, known, PROJECT, None, first, last).matches.matched),
            "shadowed": float(labels.join(log.rows, known, PROJECT, complete, first, last).matches.matched),
            "again": rows["matched"] + joined.matches.asked_again,
        }
    )


def judge_watch(lab: checks.Lab) -> None:
    """Five points: two for the account of lines, one and a half each for the account of rows and for the numbers.

    Raises:
        checks.Wrong: something is not so.
    """
    files, arguments, right = given(draw(lab, "watch"))
    [told] = call(lab, "watch", "watch", [arguments], files, "your watch, on a log that you have not seen")
    if "error" in told:
        raise checks.Wrong(f"`watch` ends with {told['error']}")
    found = answer_forms.mapping(told["value"], "what watch returns")
    wanted = (*COUNTS, *ROWS, *NUMBERS)
    if absent := [
        name for name in wanted if isinstance(found.get(name), bool) or not isinstance(found.get(name), int | float)
    ]:
        raise checks.Wrong(f"What `watch` returns has no number {', '.join(absent)}.")
    answer_forms.parts(
        [
            (2, lambda: _lines(found, right)),
            (1.5, lambda: _rows(found, right)),
            (1.5, lambda: _numbers(found, right)),
        ]
    )


def _lines(found: dict[str, Any], right: dict[str, float]) -> None:
    wrong = [name for name in COUNTS if found[name] != right[name]]
    if not wrong:
        return
    name = wrong[0]
    hint = {
        "unreadable": "A log has full files beside the one that is written (`requests.jsonl.1`), and a line that is cut in the middle is one.",
        "without_key": "A line lacks a column of the key where it is not there, or null. Count it whatever day it is about.",
        "repeated": "A line is repeated where request, version, role and key are those of an earlier one, among the days that are asked for.",
    }[name]
    raise checks.Wrong(f"`{name}` is {found[name]:g} on a log where there are {right[name]:g}. {hint}")


def _rows(found: dict[str, Any], right: dict[str, float]) -> None:
    wrong = [name for name in ROWS if found[name] != right[name]]
    if not wrong:
        return
    hint = "Each row of the days that are asked for, of a version that answers clients, is matched, not yet due, or missing its label."
    for mistake, why in {
        "hasty": "Labels of days after `complete` are no fair sample: a row about such a day is `not_yet`, whether its own label is there or not.",
        "shadowed": "A shadow's answers went to no client.",
        "again": "Where a flight was asked about again, the last answer counts, once.",
    }.items():
        if found["matched"] == right[mistake]:
            hint = why
    raise checks.Wrong(f"`{wrong[0]}` is {found[wrong[0]]:g} where it should be {right[wrong[0]]:g}. {hint}")


def _numbers(found: dict[str, Any], right: dict[str, float]) -> None:
    if found["matched"] != right["matched"]:
        raise checks.Wrong("The numbers count as soon as the matched rows are the right ones.")
    wrong = [name for name in NUMBERS if not math.isclose(found[name], right[name], rel_tol=1e-3, abs_tol=1e-4)]
    if not wrong:
        return
    hint = {
        "gap": "It is what was said less what happened, above 0 where too much was said.",
        "cost": "It is for a row, by the plan's costs: acting from the threshold on.",
    }.get(wrong[0], "It is of the matched rows only.")
    raise checks.Wrong(
        f"`{wrong[0]}` is {found[wrong[0]]:.4g} where it should be {right[wrong[0]]:.4g}. {hint}",
        points=1.5 - 0.3 * len(wrong),
    )
