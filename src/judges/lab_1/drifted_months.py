"""Months in which the world has changed, and the distances by which one sees it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from course.labs.lab_1_data import statistics
from judges.lab_1 import monthly_data

MONTHS = (2, 3, 4, 7, 8, 9, 10, 11, 12)
"""Good months whose month before is good, and given, too: there is no good May in the lab."""
Flights = pd.DataFrame


def is_text(column: str) -> bool:
    """Whether TFDV compares the column as text (L-infinity) or as a number (Jensen-Shannon)."""
    return column in ("carrier", "tailnum", "origin", "dest")


@dataclass(frozen=True)
class Drift:
    """A change of the world in one month: which flights of the year's month still fly."""

    month: int
    story: str
    keep: Callable[[Flights, np.random.Generator], np.ndarray]


def choose(seed: int) -> Drift:
    """The student's drift."""
    rng = np.random.default_rng([seed, 2000])
    month = int(rng.integers(7, 13))
    airport, carrier = str(rng.choice(["EWR", "JFK", "LGA"])), str(rng.choice(["UA", "B6", "EV", "DL"]))
    stories: list[tuple[str, Callable[[Flights], Any]]] = [
        (f"{airport} nearly closed", lambda flights: flights["origin"] == airport),
        (f"a strike at {carrier}", lambda flights: flights["carrier"] == carrier),
        ("no departures before nine", lambda flights: flights["sched_dep_time"] < 900),
        ("few long flights", lambda flights: flights["distance"] >= 1500),
    ]
    story, fewer = stories[int(rng.integers(len(stories)))]
    return Drift(month, story, lambda flights, rng: (~fewer(flights)) | (rng.random(len(flights)) < 0.08))


def drifted(seed: int, draw: int = monthly_data.GIVEN) -> tuple[int, Flights]:
    """The number of the student's drifted month, and 2,000 flights of it."""
    drift = choose(seed)
    flights = monthly_data.year().query("month == @drift.month")
    kept = flights[drift.keep(flights, np.random.default_rng([seed, draw, 3000]))]
    return drift.month, monthly_data.drawn(kept, (seed + draw) % 2**32)


def distances(new: Any, earlier: Any) -> dict[str, float]:
    """How far each column has moved between two months, as TFDV measures it: L-infinity for text, Jensen-Shannon for numbers."""
    import tensorflow_data_validation as tfdv

    schema = tfdv.infer_schema(earlier, infer_feature_shape=False)
    for feature in schema.feature:
        feature.ClearField("presence")
        comparator = feature.drift_comparator
        (comparator.infinity_norm if is_text(feature.name) else comparator.jensen_shannon_divergence).threshold = 0
    found = tfdv.validate_statistics(new, schema, previous_statistics=earlier)
    return {info.path.step[0]: info.drift_measurements[0].value for info in found.drift_skew_info}


@functools.cache
def good(draw: int, columns: tuple[str, ...]) -> dict[int, dict[str, float]]:
    """For each month of `MONTHS`, how far the columns have moved since the month before."""
    return {number: distances(_good(number, draw, columns), _good(number - 1, draw, columns)) for number in MONTHS}


@functools.cache
def changed(seed: int, draw: int, columns: tuple[str, ...]) -> tuple[int, dict[str, float]]:
    """The number of the drifted month, and how far it is from the good month before it."""
    number, flights = drifted(seed, draw)
    return number, distances(statistics(flights[list(columns)]), _good(number - 1, draw, columns))


@functools.cache
def stuck(columns: tuple[str, ...]) -> dict[str, float]:
    """For each column, how far it moves when half of the flights get one and the same value: the most frequent, or the median."""
    earlier = monthly_data.month(8, monthly_data.UNSEEN)[list(columns)]
    half = earlier.copy()
    rows = np.random.default_rng(9).random(len(half)) < 0.5
    for column in columns:
        values = earlier[column].dropna()
        half.loc[rows, column] = values.mode()[0] if is_text(column) else values.sort_values().iloc[len(values) // 2]
    return distances(statistics(half), _good(8, monthly_data.UNSEEN, columns))


def usual(column: str) -> float:
    """The largest distance of a column between good months, those that students get and others."""
    return max(
        found[column] for draw in (monthly_data.GIVEN, monthly_data.UNSEEN) for found in good(draw, (column,)).values()
    )


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
