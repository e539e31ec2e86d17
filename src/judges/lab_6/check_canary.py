"""Judges how a student decides about a canary, by good and bad candidates of the check's own, and looks at the student's own roll-back (task 6)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import orjson
import pandas as pd

from course import checks
from judges.lab_6.called import call, draw
from judges.lab_6.traffic import CARRIERS
from judges.shared import workspace_files

PROMOTE, WAIT, BACK = "promote", "wait", "roll back"
ANSWERS = (PROMOTE, WAIT, BACK)
LOG, ENOUGH = "service/requests.jsonl", 20
"""The log of the student's own server, and requests before and after the roll-back."""
DAYS, LABELLED, ROWS, SHARE = 14, 12, 6000, 0.2
DRAW = 60
"""Of the candidates: one of which those that are good do not look bad by chance."""
CASES = {
    "same": (PROMOTE, "is as good as the champion"),
    "better": (PROMOTE, "is better than the champion"),
    "few": (WAIT, "has answered 40 flights, and looks splendid on them"),
    "young": (WAIT, "has answered many flights, of which few have a label"),
    "null": (BACK, "answers some flights with what is no number"),
    "ranks": (BACK, "says on average what happens, and no longer which flight will be late"),
    "meaning": (BACK, "ranks as well as the champion, and says far too much"),
    "slice": (
        BACK,
        "says far too much about the flights of one airline, and a little too little about all others, so that its mean is right",
    ),
    "easy": (
        BACK,
        "was asked about easy flights only, so that its errors cost less than the champion's, and says too much about them",
    ),
}
"""What is to be done with each kind of candidate, and what it does."""


@functools.cache
def tables(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What champion and challenger said, and what happened."""
    rng = np.random.default_rng([list(CASES).index(name), DRAW])
    day, carrier = rng.integers(1, DAYS + 1, ROWS), rng.choice(CARRIERS, ROWS)
    origin, hour = rng.choice(["EWR", "JFK", "LGA"], ROWS), rng.integers(6, 23, ROWS)
    logit = -2.0 + 0.15 * (hour - 13) + rng.normal(0, 0.9, ROWS)
    late = rng.random(ROWS) < 1 / (1 + np.exp(-logit))
    is_challenged = rng.random(ROWS) < SHARE
    if name == "easy":
        is_challenged = (hour < 10) & (rng.random(ROWS) < 0.9)
    said = logit + rng.normal(0, 0.8 if name == "better" else 0.1, ROWS) * ~is_challenged
    mine = np.flatnonzero(is_challenged)
    if name == "ranks":
        said[mine] = rng.permutation(said[mine])
    said = said + {"meaning": 1.2, "easy": 1.1}.get(name, 0.0) * is_challenged
    if name == "slice":
        is_one = carrier == rng.choice(CARRIERS)
        said = said + is_challenged * np.where(is_one, 1.5, -0.35)
    prediction = 1 / (1 + np.exp(-said))
    if name == "null":
        prediction[mine[:: max(1, len(mine) // 20)]] = np.nan
    if name == "few":
        kept = np.sort(rng.choice(mine, 40, replace=False))
        prediction[kept] = np.where(late[kept], 0.9, 0.1)
    table = pd.DataFrame({"day": day, "hour": hour, "carrier": carrier, "origin": origin})
    table["prediction"], table["late"] = prediction, pd.Series(late.astype(int)).where(day <= LABELLED).astype("Int64")
    table = table.assign(challenged=is_challenged)
    if name == "few":
        table = table[~is_challenged | np.isin(np.arange(ROWS), kept)]
    if name == "young":
        table["late"] = table["late"].where(~is_challenged | (rng.random(ROWS) < 0.05))
    table = table.sort_values("day", kind="stable")
    return tuple(table[table["challenged"] == one].drop(columns="challenged") for one in (False, True))  # type: ignore[return-value]


def judge_canary(lab: checks.Lab) -> None:
    """Four points: one each for good candidates, those of whom too little is known, bad ones, and a roll-back of the student's own.

    Raises:
        checks.Wrong: something is not so.
    """
    points, problems = 0.0, []
    try:
        _own(lab)
        points += 1
    except checks.Wrong as wrong:
        problems.append(wrong.message)
    try:
        earned, told = _decides(lab)
        points, problems = points + earned, [*told, *problems]
    except checks.Wrong as wrong:
        problems.insert(0, wrong.message)
    if problems:
        raise checks.Wrong("\n".join(problems), points)


def _decides(lab: checks.Lab) -> tuple[float, list[str]]:
    """Points for the decisions, and what is wrong."""
    files: dict[str, Any] = {}
    calls = []
    order = [list(CASES)[place] for place in np.random.default_rng(draw(lab, "canary")).permutation(len(CASES))]
    for number, name in enumerate(order):
        pair = dict(zip(("champion", "challenger"), tables(name), strict=True))
        for which, table in pair.items():
            files[f"tables/{number}-{which}.csv"] = table.to_csv(index=False)
        calls.append({which: {"csv": f"tables/{number}-{which}.csv"} for which in pair})
    found = call(lab, "canary", "decide", calls, files, "your decision about candidates that you have not seen")
    wrong = {}
    for name, told in sorted(zip(order, found, strict=True), key=lambda pair: list(CASES).index(pair[0])):
        wanted, words = CASES[name]
        if "error" in told:
            raise checks.Wrong(f"`decide` ends with {told['error']}, asked about a challenger that {words}.")
        if told["value"] not in ANSWERS:
            raise checks.Wrong(
                f"`decide` returns one of {', '.join(map(repr, ANSWERS))}, not {str(told['value'])[:40]!r}."
            )
        if told["value"] != wanted:
            wrong[name] = f"A challenger that {words}: your function says {told['value']!r}."
    good = [name for name, (wanted, _) in CASES.items() if wanted == PROMOTE]
    if any(name in wrong for name in good):
        return 0.0, [wrong[name] for name in good if name in wrong] + [
            "A canary that lets no good version through is worth no more than none. How far do two numbers differ by chance?"
        ]
    points = 1.0
    for answer in (WAIT, BACK):
        of = [name for name, (wanted, _) in CASES.items() if wanted == answer]
        points += 1 - sum(name in wrong for name in of) / len(of)
    hints = {
        "few": "How many flights does it take?",
        "young": "Count those with a label.",
        "null": "A number that is missing makes no mean worse.",
        "ranks": "What measures whether late flights get the higher predictions?",
        "meaning": "What measures whether what is said happens?",
        "slice": "Look at each airline, with its own noise.",
        "easy": "Compare like with like: flights of the same hours; or each with what happened to its own.",
    }
    return round(points, 2), [f"{told} {hints.get(name, '')}".strip() for name, told in wrong.items()]


def _own(lab: checks.Lab) -> None:
    content = workspace_files.text(
        lab, LOG, "Serve version 1 with version 2 as its challenger, and take it back, with this log."
    )

    try:
        rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        roles = [(one["version"], one["role"]) for one in rows]
        times = [pd.Timestamp(one["time"]) for one in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise checks.Wrong(f"`{LOG}` is no log of a server: {str(error)[:80]}") from error
    tried = [place for place, role in enumerate(roles) if role == (2, "challenger")]
    if len(tried) < ENOUGH:
        raise checks.Wrong(
            f"In `{LOG}`, version 2 has answered {len(tried)} requests as challenger: at least {ENOUGH} are asked for."
        )
    if not 0.02 <= len(tried) / (tried[-1] - tried[0] + 1) <= 0.5:
        raise checks.Wrong(
            f"In `{LOG}`, version 2 has answered {len(tried)} of {tried[-1] - tried[0] + 1} requests while it was tried: a canary has a small share."
        )
    after = roles[tried[-1] + 1 :]
    if len(after) < ENOUGH or set(after) != {(1, "champion")} or times[-1] < times[tried[-1]]:
        raise checks.Wrong(
            f"In `{LOG}`, {len(after)} requests follow the last one that version 2 has answered: after the roll-back, version 1 answers all, at least {ENOUGH}."
        )
