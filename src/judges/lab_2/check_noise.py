"""Judges how well a student has measured noise: task 5 of lab 2."""

from __future__ import annotations

import math
from typing import Any

from course import checks
from judges.lab_2 import candidate_predictions, roc_auc
from judges.lab_2.candidate_predictions import GOOD, NAMES

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
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value < 1
            or not math.isfinite(value)
        ):
            raise checks.Wrong(f"`NOISE[{name!r}]` has to be a number between 0 and 1, not {str(value)[:30]!r}.")
    right = truth(lab.seed)
    off = [name for name in wanted if abs(given[name] / right[name] - 1) > NEAR]
    if not off:
        return
    if "all" in off:
        ratio = given["all"] / right["all"]
        raise checks.Wrong(
            f"For all flights your number is too {'large' if ratio > 1 else 'small'}. {_hint(lab.seed, given['all'])}"
        )
    raise checks.Wrong(
        f"For all flights your number is right. It is not for {', '.join(off)}. A slice has fewer flights, and its own noise.",
        points=1,
    )


def truth(seed: int) -> dict[str, float]:
    """The standard deviation of the difference between `good` and the baseline, for all flights and for each slice."""
    table, good = candidate_predictions.table(seed), candidate_predictions.shown(seed)[GOOD].scores
    return {
        name: roc_auc.noise(table.labels[mask], table.baseline[mask], good[mask]) for name, mask in table.masks.items()
    }


def _hint(seed: int, given: float) -> str:
    table, good = candidate_predictions.table(seed), candidate_predictions.shown(seed)[GOOD].scores
    constant = table.labels * 0.0
    alone = roc_auc.noise(table.labels, good, constant)
    if abs(given / alone - 1) < NEAR:
        return (
            "It is about what the area of one model varies. What is asked is the difference of two, on the same draw."
        )
    if abs(given / (alone * math.sqrt(2)) - 1) < NEAR:
        return "It is about what it would be if each model had a draw of its own. Both say something about the same flights."
    half = roc_auc.auc(table.labels, good) - roc_auc.auc(table.labels, table.baseline)
    if abs(given / half - 1) < NEAR:
        return "It is about the difference itself. How much would that vary, had other flights been drawn?"
    return "Draw as many flights as there are, with replacement, each time; take both areas from the same draw; then the standard deviation, not its square and not a width of an interval."
