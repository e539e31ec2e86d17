"""Months that a contract must accept, and months that it must refuse."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flights.data import WEATHER, source_table
from judges.lab_1 import monthly_data, tfdv_validation
from judges.lab_1.questions import QUESTIONS, TARGET, in_service, labelled

Frame = pd.DataFrame
Change = Callable[[Frame], Frame]
GIVEN, UNSEEN = (1, 2, 3, 4), (2, 5, 8, 11)
CLEAN = (5, monthly_data.UNSEEN)
"""The good month that the faults are put into, and its draw."""

LEAKS_ANYWHERE = "arr_delay"
OFTEN_EMPTY = ("wind_gust",)
HALF = "half of the values of `{}` missing"


@functools.cache
def training(question: str, month: int, draw: int) -> Any:
    """Statistics of a good month with its label. In one that students do not see, every carrier of the register flies."""
    flights = monthly_data.month(month, draw)
    if (month, draw) == (UNSEEN[-1], monthly_data.UNSEEN):
        register = source_table("airlines")["carrier"]
        flights = flights.assign(carrier=[*register, *flights["carrier"].iloc[len(register) :]])
    return tfdv_validation.without_histograms(labelled(flights, QUESTIONS[question]))


@functools.cache
def serving(question: str, month: int, columns: tuple[str, ...]) -> Any:
    """Statistics of a good month as it is when the question is asked, with the columns that the model may see."""
    return tfdv_validation.without_histograms(
        in_service(monthly_data.month(month, monthly_data.UNSEEN), QUESTIONS[question], list(columns))
    )


def good(question: str) -> dict[str, Any]:
    """Statistics of months that a contract must accept, by what they are."""
    given = {f"month {month} of those that you got": training(question, month, monthly_data.GIVEN) for month in GIVEN}
    unseen = {
        f"another good month (drawn from month {month} of the year)": training(question, month, monthly_data.UNSEEN)
        for month in UNSEEN
    }
    return given | unseen | {"a month with what has not happened yet, but can,": to_come(question)}


@functools.cache
def to_come(question: str) -> Any:
    """Statistics of a good month with values of `POSSIBLE`."""
    flights = _clean(question).copy()
    for column, values in POSSIBLE.items():
        flights[column] = flights[column].astype(
            "Int64" if flights[column].dtype.kind in "iu" else flights[column].dtype
        )
        flights.loc[range(len(values)), column] = values
    return tfdv_validation.statistics_after(clean(question), _clean(question), flights)


@functools.cache
def bad(question: str) -> dict[str, Any]:
    """Statistics of months that a contract must refuse, by what is wrong in them. Each is `clean` with one fault."""
    return {what: _spoilt(question, spoil.change) for what, spoil in SPOILS.items()}


def clean(question: str) -> Any:
    """Statistics of the month that the faults are put into."""
    return training(question, *CLEAN)


def with_code(question: str, column: str, code: str) -> Any:
    """Statistics of the month with another code in some flights: of a carrier or of an airport of departure."""
    return _spoilt(question, _cells(column, code))


def without(question: str, column: str) -> Any:
    """Statistics of the month without a column."""
    return _spoilt(question, _dropped(column))


def _clean(question: str) -> Frame:
    return labelled(monthly_data.month(*CLEAN), QUESTIONS[question])


def _spoilt(question: str, spoil: Change) -> Any:
    flights = _clean(question)
    return tfdv_validation.statistics_after(clean(question), flights, spoil(flights.copy()))


@functools.cache
def bad_serving(question: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """Statistics of batches in service that a contract must refuse."""
    asked = QUESTIONS[question]
    flights = monthly_data.month(*CLEAN)
    batch = in_service(flights, asked, list(columns))
    found = tfdv_validation.without_histograms(batch)
    outcome = flights.loc[asked.asked(flights), LEAKS_ANYWHERE].reset_index(drop=True)
    frames = {
        f"a batch without `{name}`, which your model needs": batch.drop(columns=name)
        for name in batch
        if name not in OFTEN_EMPTY
    }
    frames[f"a batch with `{LEAKS_ANYWHERE}`, which is not known then"] = batch.assign(**{LEAKS_ANYWHERE: outcome})
    frames[f"a batch that holds `{TARGET}`, the answer"] = batch.assign(**{TARGET: 0})
    return {what: tfdv_validation.statistics_after(found, batch, frame) for what, frame in frames.items()}


def _cells(column: str, value: Any, count: int = 6) -> Change:
    """Puts a value into so many cells of a column."""

    def spoil(flights: Frame) -> Frame:
        rows = np.random.default_rng(7).choice(len(flights), count, replace=False)
        if isinstance(value, str) and flights[column].dtype != object:
            flights[column] = flights[column].astype("string").astype(object)
        flights.loc[rows, column] = value
        return flights

    return spoil


def _gone(column: str, share: float) -> Change:
    """Empties a share of the cells of a column."""
    return lambda flights: flights.assign(
        **{column: flights[column].mask(np.random.default_rng(8).random(len(flights)) < share)}
    )


def _dropped(column: str) -> Change:
    return lambda flights: flights.drop(columns=column)


@dataclass(frozen=True)
class Spoil:
    """A fault: the sort that it is of, and how it is put into a month."""

    kind: str
    change: Change


CARRIER, ORIGIN = "a carrier that is not in the register of carriers", "an airport of departure that is not in New York"
ALWAYS_THERE = (
    *("year", "month", "day", "weekday", "carrier", "flight", "origin", "dest"),
    *("sched_dep_time", "sched_arr_time", "distance", TARGET),
)
USUALLY_THERE = (
    "tailnum",
    "plane_year",
    "seats",
    *(set(WEATHER) - set(OFTEN_EMPTY)),
    "dep_time",
    "dep_delay",
    "arr_time",
    "arr_delay",
    "air_time",
)

IMPOSSIBLE: dict[str, tuple[float, ...]] = {
    **{"year": (1912, 2112), "month": (0, 13), "day": (0, 32), "weekday": (0, 8), "flight": (-1, 123_456)},
    **{"sched_dep_time": (-5, 2460), "sched_arr_time": (-1, 2460), "dep_time": (-1, 2460), "arr_time": (-1, 2460)},
    **{"distance": (-1, 13_000), "air_time": (-1, 2880), "dep_delay": (-1440, 20_160), "arr_delay": (-1440, 20_160)},
    **{"plane_year": (1899, 2030), "seats": (-1, 1500)},
    **{"temp": (-150.0, 160.0), "dewp": (-150.0, 140.0), "humid": (-1.0, 105.0), "precip": (-1.0, 25.0)},
    **{"wind_dir": (-1, 370), "wind_speed": (-1.0, 300.0), "wind_gust": (-1.0, 330.0)},
    **{"pressure": (700.0, 1200.0), "visib": (-1.0, 150.0), TARGET: (-1, 2)},
}
"""For each column of numbers, one on either side that cannot be, near to those that can.

No airliner was built before 1903, or has flown 13,000 miles (more than half of the way around the earth), two days, or with 1,500 seats; it was
never colder than -129 degrees Fahrenheit nor hotter than 134, and no wind was faster than 253 miles an hour (World Meteorological
Organization, World Weather and Climate Extremes Archive).
"""

POSSIBLE: dict[str, tuple[float, ...]] = {
    **{"flight": (1, 8999), "sched_dep_time": (15, 445, 2359), "sched_arr_time": (1, 2359), "distance": (80, 4983)},
    **{"dep_time": (1, 2400), "arr_time": (1, 2400), "dep_delay": (-45, 1440), "arr_delay": (-95, 1440)},
    **{"air_time": (18, 720), "plane_year": (1950, 2013), "seats": (2, 450)},
    **{"temp": (-10.0, 105.0), "dewp": (-25.0, 80.0), "humid": (8.0, 100.0), "precip": (0.0, 2.0)},
    **{"wind_dir": (0, 360), "wind_speed": (0.0, 60.0), "wind_gust": (16.0, 80.0)},
    **{"pressure": (965.0, 1048.0), "visib": (0.0, 10.0)},
}
"""Numbers a little beyond those of 2013, and not beyond what New York has seen."""

SPOILS: dict[str, Spoil] = {
    **{f"text in `{name}`": Spoil("type", _cells(name, "unknown")) for name in ("distance", "visib", "dep_delay")},
    **{f"no column `{name}`": Spoil("columns", _dropped(name)) for name in ("dest", "seats", "arr_delay", TARGET)},
    "`tail_number` in place of `tailnum`": Spoil(
        "columns", lambda flights: flights.rename(columns={"tailnum": "tail_number"})
    ),
    "a column that was never agreed on": Spoil("columns", lambda flights: flights.assign(crew=4)),
    CARRIER: Spoil("words", _cells("carrier", "Z9")),
    ORIGIN: Spoil("words", _cells("origin", "BOS")),
    **{f"one flight in twenty without `{name}`": Spoil("presence", _gone(name, 0.05)) for name in ALWAYS_THERE},
    **{HALF.format(name): Spoil("presence", _gone(name, 0.5)) for name in sorted(USUALLY_THERE)},
    **{
        f"{value:g} in `{name}`": Spoil("range", _cells(name, value))
        for name, values in IMPOSSIBLE.items()
        for value in values
    },
}
"""What is wrong, such that "it has ..." is a sentence, and how it is done."""
