"""Months in which the world has changed, and thresholds that are judged by the months at which they fire: task 8 of lab 1."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from course.labs.lab_1_data import statistics
from judges.lab_1 import monthly_data
from judges.lab_1.monthly_data import GIVEN, UNSEEN
from judges.lab_1.questions import COLUMNS

MONTHS = (2, 3, 4, 7, 8, 9, 10, 11, 12)
"""Good months whose month before is good, and given, too: there is no good May in the lab."""
TEXT = ("carrier", "tailnum", "origin", "dest")
"""Columns that TFDV compares as text (L-infinity), not as numbers (Jensen-Shannon)."""
FEWEST_TEXT, FEWEST_NUMBERS = 2, 2
Flights = pd.DataFrame


@dataclass(frozen=True)
class Drift:
    """A change of the world in one month: which flights of the year's month have become rare."""

    month: int
    story: str
    rare: Callable[[Flights], pd.Series]


def choose(seed: int) -> Drift:
    """The student's drift."""
    rng = np.random.default_rng([seed, 2000])
    month = int(rng.integers(7, 13))
    airport, carrier = str(rng.choice(["EWR", "JFK", "LGA"])), str(rng.choice(["UA", "B6", "EV", "DL"]))
    stories: list[tuple[str, Callable[[Flights], pd.Series]]] = [
        (f"{airport} nearly closed", lambda flights: flights["origin"] == airport),
        (f"a strike at {carrier}", lambda flights: flights["carrier"] == carrier),
        ("no departures before nine", lambda flights: flights["sched_dep_time"] < 900),
        ("few long flights", lambda flights: flights["distance"] >= 1500),
    ]
    return Drift(month, *stories[int(rng.integers(len(stories)))])


def drifted(seed: int, draw: int = GIVEN) -> tuple[int, Flights]:
    """The number of the student's drifted month, and 2,000 flights of it."""
    drift = choose(seed)
    flights = monthly_data.year().query("month == @drift.month")
    kept = ~drift.rare(flights) | (np.random.default_rng([seed, draw, 3000]).random(len(flights)) < 0.08)
    return drift.month, monthly_data.drawn(flights[kept], (seed + draw) % 2**32)


def distances(new: Any, earlier: Any) -> dict[str, float]:
    """How far each column has moved between two months, as TFDV measures it: L-infinity for text, Jensen-Shannon for numbers."""
    import tensorflow_data_validation as tfdv

    schema = tfdv.infer_schema(earlier, infer_feature_shape=False)
    for feature in schema.feature:
        feature.ClearField("presence")
        comparator = feature.drift_comparator
        (comparator.infinity_norm if feature.name in TEXT else comparator.jensen_shannon_divergence).threshold = 0
    found = tfdv.validate_statistics(new, schema, previous_statistics=earlier)
    return {info.path.step[0]: info.drift_measurements[0].value for info in found.drift_skew_info}


@functools.cache
def good(draw: int, columns: tuple[str, ...]) -> dict[int, dict[str, float]]:
    """For each month of `MONTHS`, how far the columns have moved since the month before."""
    return {number: distances(_good(number, draw, columns), _good(number - 1, draw, columns)) for number in MONTHS}


@functools.cache
def changed(seed: int, draw: int, columns: tuple[str, ...]) -> dict[str, float]:
    """How far the drifted month is from the good month before it."""
    number, flights = drifted(seed, draw)
    return distances(statistics(flights[list(columns)]), _good(number - 1, draw, columns))


@functools.cache
def stuck(columns: tuple[str, ...]) -> dict[str, float]:
    """How far each column moves when half of the flights get one and the same value: the most frequent, or the median."""
    earlier = monthly_data.month(8, UNSEEN)[list(columns)]
    half = earlier.copy()
    rows = np.random.default_rng(9).random(len(half)) < 0.5
    for column in columns:
        values = earlier[column].dropna()
        half.loc[rows, column] = values.mode()[0] if column in TEXT else values.sort_values().iloc[len(values) // 2]
    return distances(statistics(half), _good(8, UNSEEN, columns))


def _good(number: int, draw: int, columns: tuple[str, ...]) -> Any:
    """Statistics of some columns of a good month. Each column is counted once."""
    first, *others = [_column(number, draw, name) for name in columns]
    result = type(first)()
    result.CopyFrom(first)
    for other in others:
        result.datasets[0].features.extend(other.datasets[0].features)
    return result


@functools.cache
def _column(number: int, draw: int, name: str) -> Any:
    return statistics(monthly_data.month(number, draw)[[name]])


def judge_thresholds(seed: int, given: dict[str, Any]) -> None:
    """Fires at the drifted month and at nothing else; each threshold is awake.

    Raises:
        checks.Wrong: it does not, or these are no thresholds. Two points when only a threshold sleeps, one when it only cries wolf.
    """
    if unknown := [name for name in given if name not in COLUMNS]:
        raise checks.Wrong(f"`THRESHOLDS` names columns that the delivery does not have: {', '.join(unknown[:5])}.")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise checks.Wrong(f"The threshold of `{name}` has to be a number above 0, not {value!r}.")
    text = sum(name in TEXT for name in given)
    if text < FEWEST_TEXT or len(given) - text < FEWEST_NUMBERS:
        raise checks.Wrong(
            f"You watch {text} column{'' if text == 1 else 's'} of text and {len(given) - text} of numbers; "
            f"watch {FEWEST_TEXT} and {FEWEST_NUMBERS} at least."
        )
    columns = tuple(name for name in COLUMNS if name in given)

    def fired(found: dict[str, float]) -> list[str]:
        return [name for name in given if found.get(name, 0.0) > given[name]]

    months = {
        (draw, month): names
        for draw in (GIVEN, UNSEEN)
        for month, found in good(draw, columns).items()
        if (names := fired(found))
    }
    asleep = [name for name in given if name not in fired(stuck(columns))]
    missed = next((draw for draw in (GIVEN, UNSEEN) if not fired(changed(seed, draw, columns))), None)
    problems = []
    if months:
        (draw, month), names = next(iter(months.items()))
        number = sum(one == draw for one, _ in months)
        which = "of those that you got" if draw == GIVEN else "in another draw of 2,000 flights"
        problems.append(
            f"They cry wolf in {number} good month{'s' * (number > 1)} {which}: in month {month} `{names[0]}` fires. "
            "How far does it move from one good month to the next, at most? Two draws of the same month differ too: leave room."
        )
    if asleep:
        more = f", and so do{'es' * (len(asleep) == 2)} {len(asleep) - 1} more" if len(asleep) > 1 else ""
        problems.append(
            f"The threshold of `{asleep[0]}` sleeps{more}: half of the flights of a month got one and the same value, and it did not fire. "
            "Go closer to the good months. Where such a fault moves a column no further than it moves between good months, no threshold "
            "can be quiet and awake: watch another column."
        )
    if missed is not None:
        which = "the drifted month" if missed == GIVEN else "another draw of the drifted month"
        problems.append(
            f"They let {which} pass (month {choose(seed).month}). Which columns have moved further there than ever between good months? "
            "Watch one of these, with a threshold between the two."
        )
    if problems:
        points = 0 if missed is not None or (months and asleep) else 1 if months else 2
        raise checks.Wrong("\n".join(problems), points=points)
