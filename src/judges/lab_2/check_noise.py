"""Judges how well a student has measured noise: task 5 of lab 2."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_2 import candidate_predictions
from judges.lab_2.candidate_predictions import NAMES

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
            f"For all flights your number, {given['all']:.3g}, is too {'large' if larger else 'small'}. What is asked is how much the "
            "difference of the two areas varies: draw as many flights as there are, with replacement, each time; take both areas from the same draw, and "
            "their difference; then the standard deviation over the draws."
        )
    if off:
        raise checks.Wrong(
            f"For all flights your number is right. It is not for {', '.join(off)}. A slice has fewer flights, and its own noise.",
            points=1,
        )
