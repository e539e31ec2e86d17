"""Candidates of a canary, of all kinds: what champion and challenger said within two weeks, and what happened (task 6).

What is drawn is nearly the same in each trial, so that good candidates do not look bad by chance: a few rows are left out, and the names of airlines and airports are others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from judges.lab_6.traffic import CARRIERS

PROMOTE, WAIT, BACK = "promote", "wait", "roll back"
ANSWERS = (PROMOTE, WAIT, BACK)
ORIGINS = ("EWR", "JFK", "LGA")
DAYS, LABELLED, ROWS, SHARE = 14, 12, 6000, 0.2
FEW, CHANCE = 40, 240
"""Flights of a challenger of whom too little is known; and of one that is off by chance."""
CHANCE_OF_ORDER = 0.065
"""By how much the area under the ROC curve of so many flights is less by chance."""
LEFT_OUT = 0.02
"""Share of the rows that a draw leaves out."""
LIMIT, AIRLINE_LIMIT = 0.03, 0.1
"""How far what is said on average may be from what happens: of all flights, and of an airline's."""


@dataclass(frozen=True)
class Case:
    """A candidate.

    Attributes:
        wanted: what may be decided about it.
        words: what it does.
        hint: for a student who decides otherwise.
        draw: one of which those that are good do not look bad by chance.
        part: what it tries; several that try one thing are right together, or not.
    """

    wanted: tuple[str, ...]
    words: str
    hint: str = ""
    draw: int = 60
    part: str = ""


CASES = {
    "same": Case((PROMOTE,), "is as good as the champion"),
    "better": Case((PROMOTE,), "is better than the champion"),
    "mends": Case((PROMOTE,), "says what happens, where the champion says too little", draw=62),
    "hard": Case(
        (PROMOTE,),
        "ranks badly and says too little in two hard weeks, as the champion does",
        "What does the champion do in these weeks?",
    ),
    "few": Case(
        (WAIT,), f"has answered {FEW} flights, and looks splendid on them", "How many flights does it take?", part="few"
    ),
    "young": Case(
        (WAIT,), "has answered many flights, of which few have a label", "Count those with a label.", part="young"
    ),
    "chance": Case(
        (PROMOTE, WAIT),
        f"is as good as the champion, and whose mean is off by chance, on {CHANCE} flights",
        "How far is a mean off by chance? An interval says it.",
        draw=85,
        part="mean",
    ),
    "null": Case(
        (BACK,),
        "answers one flight in a hundred with what is no number",
        "A number that is missing makes no mean worse.",
        part="null",
    ),
    "ranks": Case(
        (BACK,),
        "says on average what happens, and no longer which flight will be late",
        "What measures whether late flights get the higher predictions?",
        part="ranks",
    ),
    "meaning": Case(
        (BACK,),
        "ranks as well as the champion, and says far too much",
        "What measures whether what is said happens?",
        part="mean",
    ),
    "sure": Case(
        (BACK,),
        "says a little too much, about so many flights that it is no chance",
        "The more flights, the less is chance: an interval says it.",
        part="mean",
    ),
    "little": Case(
        (BACK,), "ranks as well as the champion, and says far too little", "Too little is wrong as well.", part="mean"
    ),
    "slice": Case(
        (BACK,),
        "says far too much about the flights of one airline, and a little too little about all others, so that its mean is right",
        "Look at each airline, with its own noise.",
        part="airline",
    ),
    "other slice": Case(
        (BACK,),
        "says far too little about the flights of one airline, and a little too much about all others, so that its mean is right",
        "Look at each airline, with its own noise.",
        part="airline",
    ),
    "easy": Case(
        (BACK,),
        "was asked about easy flights only, so that its errors cost less than the champion's, and says too much about them",
        "Compare like with like: flights of the same hours; or each with what happened to its own.",
        part="easy",
    ),
    "easy and good": Case(
        (PROMOTE, WAIT),
        "is as good as the champion, and was asked about easy flights only",
        "Compare like with like: flights of the same hours; or each with what happened to its own.",
        part="easy",
    ),
    "order by chance": Case(
        (PROMOTE, WAIT),
        f"is as good as the champion, and ranks worse by chance, on {CHANCE} flights",
        "How far does the area under the ROC curve go by chance? An interval says it.",
        part="ranks",
    ),
    "six points": Case(
        (PROMOTE, WAIT),
        "ranks as well as the champion, and says 6 points too much about one airline, for sure",
        "How far may it be for one airline?",
        part="airline",
    ),
    "thirteen points": Case(
        (BACK,),
        "ranks better than the champion, and says 13 points too much about one airline",
        "How far may it be for one airline?",
        part="airline",
    ),
    "too little": Case(
        (BACK,),
        "ranks no worse than the champion, and says far too little about one airline",
        "Too little is wrong as well.",
        part="airline",
    ),
}
MANY = ("sure", "other slice", "six points", "thirteen points", "too little")
"""Those with so many flights that a little is no chance."""
HALF = ("six points", "thirteen points", "too little")
"""Those that have answered half of them, so that it is so of an airline's."""
NOISE = {"better": 0.8, "thirteen points": 0.8, "too little": 1.0}
"""Of the champion's logits, where it is more than 0.1."""


def tables(name: str, draw: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What champion and challenger said, and what happened; of each draw some rows are left out, and airlines and airports have other names."""
    rng = np.random.default_rng([draw, 68])
    carriers, origins = (dict(zip(one, rng.permutation(one), strict=True)) for one in (CARRIERS, ORIGINS))
    return tuple(  # type: ignore[return-value]
        one[rng.random(len(one)) >= LEFT_OUT].assign(
            carrier=one["carrier"].map(carriers), origin=one["origin"].map(origins)
        )
        for one in drawn(name)
    )


@functools.cache
def drawn(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same under names that do not change."""
    rng = np.random.default_rng([list(CASES).index(name), CASES[name].draw])
    rows = 3 * ROWS if name in MANY else ROWS
    day, carrier = rng.integers(1, DAYS + 1, rows), rng.choice(CARRIERS, rows)
    origin, hour = rng.choice(ORIGINS, rows), rng.integers(6, 23, rows)
    logit = -2.0 + 0.15 * (hour - 13) + rng.normal(0, 0.9, rows)
    known = logit.copy()
    if name == "hard":  # more are late, for reasons that no feature tells
        logit = 0.25 * logit - 0.2 + rng.normal(0, 1.5, rows)
        known = 0.25 * known - 0.5
    late = rng.random(rows) < 1 / (1 + np.exp(-logit))
    is_challenged = rng.random(rows) < (0.5 if name in HALF else SHARE)
    if name in ("easy", "easy and good"):
        is_challenged = (hour < 10) & (rng.random(rows) < 0.9)
    said = known + rng.normal(0, NOISE.get(name, 0.1), rows) * ~is_challenged
    mine = np.flatnonzero(is_challenged)
    if name == "ranks":
        said[mine] = rng.permutation(said[mine])
    said += {"meaning": 1.2, "easy": 1.1, "sure": 0.34, "little": -1.2}.get(name, 0.0) * is_challenged
    if name == "mends":
        said -= 1.0 * ~is_challenged
    if name == "slice":
        said += is_challenged * np.where(carrier == CARRIERS[1], 1.5, -0.35)
    if name == "other slice":
        said += is_challenged * np.where(carrier == CARRIERS[4], -2.5, 0.2)
    shift = {"six points": 0.43, "thirteen points": 0.92, "too little": -2.6}.get(name, 0.0)
    said += is_challenged * np.where(carrier == CARRIERS[2], shift, 0.0 if name == "six points" else -0.1 * shift)
    prediction = 1 / (1 + np.exp(-said))
    if name == "null":
        prediction[mine[::100]] = np.nan
    kept = mine
    if name == "few":
        kept = np.sort(rng.choice(mine, FEW, replace=False))
        prediction[kept] = np.where(late[kept], 0.9, 0.1)
    if name == "chance":
        kept = _unlucky(mine[day[mine] <= LABELLED], rng, lambda one: _gap(prediction, late, one) - 1.75 * LIMIT)
    if name == "order by chance":
        usual = _auc(prediction, late, ~is_challenged)
        kept = _unlucky(
            mine[day[mine] <= LABELLED],
            rng,
            lambda one: (
                usual - _auc(prediction, late, one) - CHANCE_OF_ORDER
                if _gap(prediction, late, one) < LIMIT / 2
                else 1.0
            ),
        )
    table = pd.DataFrame({"day": day, "hour": hour, "carrier": carrier, "origin": origin})
    table["prediction"], table["late"] = prediction, pd.Series(late.astype(int)).where(day <= LABELLED).astype("Int64")
    if name == "young":
        table["late"] = table["late"].where(~is_challenged | (rng.random(rows) < 0.05))
    table = table.assign(challenged=is_challenged)[~is_challenged | np.isin(np.arange(rows), kept)]
    table = table.sort_values("day", kind="stable")
    return tuple(table[table["challenged"] == one].drop(columns="challenged") for one in (False, True))  # type: ignore[return-value]


def _unlucky(mine: np.ndarray, rng: np.random.Generator, off: Callable[[np.ndarray], float]) -> np.ndarray:
    """Of many draws of so many flights, the one that is nearest to what comes by chance once in twenty or so."""
    drawn = [np.sort(rng.choice(mine, CHANCE, replace=False)) for _ in range(3000)]
    return min(drawn, key=lambda one: abs(off(one)))


def _gap(prediction: np.ndarray, late: np.ndarray, which: np.ndarray) -> float:
    return abs(float(prediction[which].mean() - late[which].mean()))


def _auc(prediction: np.ndarray, late: np.ndarray, which: np.ndarray) -> float:
    """The area under the ROC curve, by ranks; no two predictions are the same."""
    is_late = late[which][np.argsort(prediction[which])]
    positives = np.flatnonzero(is_late) + 1
    return float((positives.sum() - len(positives) * (len(positives) + 1) / 2) / len(positives) / (~is_late).sum())
