"""Judges how well a student has measured noise: task 5 of lab 2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course import checks
from judges.lab_2 import candidate_predictions, roc_auc
from judges.lab_2.candidate_predictions import GOOD, NAMES, Table

NEAR = 0.25
"""How far from the truth a standard deviation may be, as a share of it. With 200 draws a bootstrap is within 15 % nearly always."""


def judge_noise(lab: checks.Lab, given: Any) -> None:
    """Compares with what DeLong's formula says.

    Raises:
        checks.Wrong: something is missing, or too far off. One point of two where the number for all flights is right.
    """
    wanted = ("all", *NAMES)
    if not isinstance(given, dict) or sorted(given) != sorted(wanted):
        raise checks.Wrong(f"`NOISE` has to be a dictionary with the keys {', '.join(map(repr, wanted))}.")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise checks.Wrong(f"`NOISE[{name!r}]` has to be a number between 0 and 1, not {str(value)[:30]!r}.")
    table = candidate_predictions.table(lab.seed)
    off = [name for name in wanted if abs(given[name] / table.noise[name] - 1) > NEAR]
    if "all" in off:
        larger = given["all"] > table.noise["all"]
        raise checks.Wrong(
            f"For all flights your number, {given['all']:.3g}, is too {'large' if larger else 'small'}. {_hint(table, given)}"
        )
    if off:
        raise checks.Wrong(
            f"For all flights your number is right. It is not for {', '.join(off)}. A slice has fewer flights, and its own noise.",
            points=1,
        )


def _hint(table: Table, given: dict[str, float]) -> str:
    """What was computed instead, where all seven numbers fit that; otherwise what to compute."""
    good, alone = table.shown[GOOD].scores, {}
    for model, scores in (("good", good), ("baseline", table.baseline)):
        alone[model] = {n: roc_auc.noise(table.labels[m], scores[m], scores[m] * 0) for n, m in table.masks.items()}
    after, before = table.areas(good), table.areas(table.baseline)
    one = "It is about what the area of one model varies. What is asked is the difference of two, on the same draw."
    itself = "It is about the difference itself. How much would that vary, had other flights been drawn?"
    guesses = {
        one: alone["good"],
        one.replace("area of one", "area of the other"): alone["baseline"],
        "It is about what it would be if each model had a draw of its own. Both say something about the same flights.": {
            name: math.hypot(alone["good"][name], alone["baseline"][name]) for name in given
        },
        itself: {name: abs(after[name] - before[name]) for name in given},
        "It is the square of what is asked: the variance.": {name: value**2 for name, value in table.noise.items()},
        "It is about the width of an interval of 95 %, which is 3.9 standard deviations.": {
            name: 3.92 * value for name, value in table.noise.items()
        },
    }
    misses = {
        told: max(abs(math.log(given[name] / max(guess[name], 1e-12))) for name in given)
        for told, guess in guesses.items()
    }
    nearest = min(misses, key=misses.get)
    if misses[nearest] < np.log1p(NEAR):
        return nearest
    return "Draw as many flights as there are, with replacement, each time; take both areas from the same draw; then the standard deviation over the draws."
