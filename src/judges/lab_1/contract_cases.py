"""Months that a contract must accept, and the faults that it must see."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flights.data import source_table
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, QUESTIONS, TARGET, in_service, labelled
from judges.lab_1.tfdv_validation import without_histograms

Frame = pd.DataFrame
GIVEN, UNSEEN, SERVED = (1, 2, 3, 4), (2, 5, 8, 11), (7, 12)
"""Months of the year: those that students get, and others, in other draws than theirs."""
OFTEN_EMPTY = ("wind_gust",)
CARRIER, ORIGIN = "a carrier that is not in the register of carriers", "an airport of departure that is not in New York"
HALF = "half of the values of `{}` missing"

IMPOSSIBLE: dict[str, tuple[float, ...]] = {
    **{"year": (1912, 2112), "month": (0, 13), "day": (0, 32), "weekday": (0, 8), "flight": (-1, 10_000)},
    **{"sched_dep_time": (-5, 2460), "sched_arr_time": (-1, 2460), "dep_time": (-1, 2460), "arr_time": (-1, 2460)},
    **{"distance": (-1, 13_000), "air_time": (0, 2880), "dep_delay": (-720, 20_160), "arr_delay": (-720, 20_160)},
    **{"plane_year": (1899, 2030), "seats": (-1, 1500)},
    **{"temp": (-150.0, 160.0), "dewp": (-150.0, 140.0), "humid": (-1.0, 105.0), "precip": (-1.0, 25.0)},
    **{"wind_dir": (-1, 370), "wind_speed": (-1.0, 300.0), "wind_gust": (-1.0, 330.0)},
    **{"pressure": (700.0, 1200.0), "visib": (-1.0, 90.0), TARGET: (-1, 2)},
}
"""For each column of numbers, one on either side that cannot be, near to those that can.

No airliner was built before 1903, or has flown 13,000 miles (more than half of the way around the earth), two days, or with 1,500 seats; it was
never colder than -129 degrees Fahrenheit nor hotter than 134, and no wind was faster than 253 miles an hour (World Meteorological
Organization, World Weather and Climate Extremes Archive). A flight number has four digits at most; no flight takes twelve hours, so that none
can arrive so early; and from the towers of New York, which are 100 metres high, the horizon is 22 miles away.
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


@dataclass(frozen=True)
class Fault:
    """What is wrong in a month, such that "it has ..." is a sentence; its sort; how it is planted; and where an anomaly shows it."""

    what: str
    kind: str
    plant: Callable[[Frame], Frame]
    columns: tuple[str, ...]


def put(kind: str, column: str, value: Any, what: str = "") -> Fault:
    """A value in six cells of a column."""

    def plant(flights: Frame) -> Frame:
        rows = np.random.default_rng(7).choice(len(flights), 6, replace=False)
        if isinstance(value, str) and flights[column].dtype != object:
            flights[column] = flights[column].astype("string").astype(object)
        flights.loc[rows, column] = value
        return flights

    return Fault(what or f"{value} in `{column}`", kind, plant, (column,))


def gaps(column: str, share: float, what: str) -> Fault:
    """A share of the cells of a column empty."""

    def plant(flights: Frame) -> Frame:
        return flights.assign(**{column: flights[column].mask(np.random.default_rng(8).random(len(flights)) < share)})

    return Fault(what.format(column), "presence", plant, (column,))


def _dropped(column: str) -> Fault:
    return Fault(f"no column `{column}`", "columns", lambda flights: flights.drop(columns=column), (column,))


@functools.cache
def faults() -> tuple[Fault, ...]:
    """All that a contract must see."""
    demanded = [name for name in (*COLUMNS, TARGET) if name not in OFTEN_EMPTY]
    whole = [name for name in demanded if name == TARGET or not monthly_data.year()[name].isna().any()]
    renamed, columns = "`tail_number` in place of `tailnum`", {"tailnum": "tail_number"}
    return (
        *(put("type", name, "unknown", f"text in `{name}`") for name in ("distance", "visib", "dep_delay")),
        *map(_dropped, demanded),
        Fault(renamed, "columns", lambda flights: flights.rename(columns=columns), ("tailnum", "tail_number")),
        Fault("a column that was never agreed on", "columns", lambda flights: flights.assign(crew=4), ("crew",)),
        put("words", "carrier", "Z9", CARRIER),
        put("words", "origin", "BOS", ORIGIN),
        *(gaps(name, 0.05, "one flight in twenty without `{}`") for name in whole),
        *(gaps(name, 0.5, HALF) for name in demanded if name not in whole),
        *(put("range", name, value, f"{value:g} in `{name}`") for name, both in IMPOSSIBLE.items() for value in both),
    )


@functools.cache
def training(question: str, month: int, draw: int = monthly_data.UNSEEN) -> Any:
    """Statistics of a good month with its label. In one that students do not see, every carrier of the register flies."""
    flights = monthly_data.month(month, draw)
    if (month, draw) == (UNSEEN[-1], monthly_data.UNSEEN):
        register = source_table("airlines")["carrier"]
        flights = flights.assign(carrier=[*register, *flights["carrier"].iloc[len(register) :]])
    return without_histograms(labelled(flights, QUESTIONS[question]))


@functools.cache
def good(question: str) -> dict[str, Any]:
    """Statistics of months that a contract must accept, by what they are."""
    flights = _clean(question)
    for column, values in POSSIBLE.items():
        flights[column] = flights[column].astype(
            "Int64" if flights[column].dtype.kind in "iu" else flights[column].dtype
        )
        flights.loc[range(len(values)), column] = values
    return {
        **{f"month {month} of those that you got": training(question, month, monthly_data.GIVEN) for month in GIVEN},
        **{f"another good month (drawn from month {month} of the year)": training(question, month) for month in UNSEEN},
        "a month with what has not happened yet, but can,": without_histograms(flights),
    }


def clean(question: str) -> Any:
    """Statistics of the month that the faults are planted into."""
    return training(question, UNSEEN[1])


def _clean(question: str) -> Frame:
    return labelled(monthly_data.month(UNSEEN[1], monthly_data.UNSEEN), QUESTIONS[question])


@functools.cache
def bad(question: str) -> list[tuple[list[Fault], Any]]:
    """Faults, and statistics of the month that has them: as many as do not meet in a column, because TFDV judges column by column."""
    months: list[list[Fault]] = []
    for fault in faults():
        for month in months:
            if not {*fault.columns} & {name for other in month for name in other.columns}:
                month.append(fault)
                break
        else:
            months.append([fault])
    return [
        (
            month,
            without_histograms(functools.reduce(lambda flights, fault: fault.plant(flights), month, _clean(question))),
        )
        for month in months
    ]


@functools.cache
def served(question: str, columns: frozenset[str], month: int) -> Any:
    """Statistics of a batch as it is when the question is asked, with the columns that the model may see."""
    flights = monthly_data.month(month, monthly_data.UNSEEN)
    return without_histograms(in_service(flights, QUESTIONS[question], columns))


@functools.cache
def not_served(question: str) -> Any:
    """Statistics of a batch that holds all that is not known when the question is asked, and nothing that is."""
    asked = QUESTIONS[question]
    return without_histograms(in_service(_clean(question), asked, {*COLUMNS, TARGET} - {*asked.known}))
