"""Months that a contract must accept, and months that it must refuse."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from course.labs.lab_1 import deliveries, judge
from course.labs.lab_1.questions import QUESTIONS, TARGET, in_service, labelled
from flights.data import source_table

Frame = pd.DataFrame
GIVEN, UNSEEN = (1, 2, 3, 4), (2, 5, 8, 11)
LEAKS_ANYWHERE = "arr_delay"
HALF = "half of the values of `{}` are gone"


@functools.cache
def training(question: str, month: int, draw: int) -> Any:
    """Statistics of a good month with its label. In one that students do not see, every carrier of the register flies."""
    flights = deliveries.month(month, draw)
    if (month, draw) == (UNSEEN[-1], deliveries.UNSEEN):
        register = source_table("airlines")["carrier"]
        flights = flights.assign(carrier=[*register, *flights["carrier"].iloc[len(register) :]])
    return judge.statistics(labelled(flights, QUESTIONS[question]))


@functools.cache
def serving(question: str, month: int, columns: tuple[str, ...]) -> Any:
    """Statistics of a good month as it is when the question is asked, with the columns that the model may see."""
    return judge.statistics(in_service(deliveries.month(month, deliveries.UNSEEN), QUESTIONS[question], list(columns)))


def good(question: str) -> dict[str, Any]:
    """Statistics of months that a contract must accept, by what they are."""
    given = {f"month {month} of those that you got": training(question, month, deliveries.GIVEN) for month in GIVEN}
    unseen = {
        f"another good month (drawn from month {month} of the year)": training(question, month, deliveries.UNSEEN)
        for month in UNSEEN
    }
    return given | unseen


@functools.cache
def bad(question: str) -> dict[str, Any]:
    """Statistics of months that a contract must refuse, by what is wrong in them. Each is a good month with one fault."""
    flights = labelled(deliveries.month(5, deliveries.UNSEEN), QUESTIONS[question])
    return {what: judge.statistics(spoil(flights.copy())) for what, spoil in SPOILS.items()}


@functools.cache
def bad_serving(question: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """Statistics of batches in service that a contract must refuse."""
    asked = QUESTIONS[question]
    flights = deliveries.month(5, deliveries.UNSEEN)
    batch = in_service(flights, asked, list(columns))
    outcome = flights.loc[asked.asked(flights), LEAKS_ANYWHERE].reset_index(drop=True)
    required = [name for name in ("dest", "carrier", "origin", "sched_dep_time", "distance") if name in columns][:1]
    frames = {f"a batch without `{name}`, which your model needs": batch.drop(columns=name) for name in required}
    frames[f"a batch with `{LEAKS_ANYWHERE}`, which nobody can know then"] = batch.assign(**{LEAKS_ANYWHERE: outcome})
    frames[f"a batch that holds `{TARGET}`, the answer"] = batch.assign(**{TARGET: 0})
    return {what: judge.statistics(frame) for what, frame in frames.items()}


def _cells(column: str, value: Any, count: int) -> Callable[[Frame], Frame]:
    """Puts a value into so many cells of a column."""

    def spoil(flights: Frame) -> Frame:
        rows = np.random.default_rng(7).choice(len(flights), count, replace=False)
        if isinstance(value, str) and flights[column].dtype != object:
            flights[column] = flights[column].astype("string").astype(object)
        flights.loc[rows, column] = value
        return flights

    return spoil


def _gone(column: str, share: float) -> Callable[[Frame], Frame]:
    """Empties a share of the cells of a column."""
    return lambda flights: flights.assign(
        **{column: flights[column].mask(np.random.default_rng(8).random(len(flights)) < share)}
    )


SPOILS: dict[str, Callable[[Frame], Frame]] = {
    "text in `distance`": _cells("distance", "unknown", 9),
    "`dest` is not in the file": lambda flights: flights.drop(columns="dest"),
    "`tailnum` is called `tail_number`": lambda flights: flights.rename(columns={"tailnum": "tail_number"}),
    "a column that nobody has agreed on": lambda flights: flights.assign(crew=4),
    "a carrier that is not in the register of carriers": _cells("carrier", "Z9", 5),
    "an airport of departure that is not in New York": _cells("origin", "BOS", 5),
    "one flight in twenty without a carrier": _gone("carrier", 0.05),
    HALF.format("temp"): _gone("temp", 0.5),
    HALF.format("pressure"): _gone("pressure", 0.5),
    HALF.format("seats"): _gone("seats", 0.5),
    "a weekday 8": _cells("weekday", 8, 6),
    "a departure scheduled at 25:75": _cells("sched_dep_time", 2575, 6),
    "a humidity of 140 per cent": _cells("humid", 140.0, 6),
    "a wind from 999 degrees": _cells("wind_dir", 999, 6),
    "a distance of -1 miles": _cells("distance", -1, 6),
    "a plane built in 2099": _cells("plane_year", 2099, 6),
    f"no column `{TARGET}`": lambda flights: flights.drop(columns=TARGET),
    f"a `{TARGET}` of 2": _cells(TARGET, 2, 6),
}
"""What is wrong, and how it is done."""
