"""The months that lab 3 delivers: January and February as they are, and March as the sender spoilt it for this student."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from flights.data import build_year, month_path

ROWS, GOOD, SPOILT = 2000, (1, 2), 3
Frame = pd.DataFrame


@dataclass(frozen=True)
class Fault:
    """What happened to a column on its way; the curated schema forbids the result."""

    column: str
    spoil: Callable[[Frame], pd.Series]


def _some(flights: Frame, column: str, value: object) -> pd.Series:
    """Every fifth value replaced."""
    return flights[column].where(np.arange(len(flights)) % 5 > 0, value)


FAULTS = (
    Fault("carrier", lambda flights: flights["carrier"].replace({"UA": "UAL", "B6": "JBU"})),
    Fault("origin", lambda flights: flights["origin"].str.lower()),
    Fault("sched_dep_time", lambda flights: flights["sched_dep_time"] * 100),
    Fault("weekday", lambda flights: flights["weekday"] - 1),
    Fault("temp", lambda flights: (flights["temp"] - 32) * 5 / 9 + 273.15),
    Fault("pressure", lambda flights: flights["pressure"] * 0.02953),
    Fault("visib", lambda flights: flights["visib"] * 1.609),
    Fault("plane_year", lambda flights: flights["plane_year"] % 100),
    Fault("late", lambda flights: _some(flights, "late", pd.NA)),
    Fault("distance", lambda flights: flights["distance"] * 5280),
)
"""Other names, letters, units, a count from 0, two digits for a year, labels that are missing."""


def fault(seed: int) -> Fault:
    """The student's."""
    return FAULTS[seed % len(FAULTS)]


@functools.cache
def month(number: int, draw: int = 0) -> Frame:
    """2,000 flights of a month, by default those of the course's sample; do not change the frame that is returned."""
    flights = _year()[_year()["month"] == number]
    return flights.sample(ROWS, random_state=100 * draw + number).sort_index().reset_index(drop=True)


@functools.cache
def _year() -> Frame:
    return build_year()


def spoilt(seed: int) -> Frame:
    """March as it was delivered."""
    found, flights = fault(seed), month(SPOILT)
    return flights.assign(**{found.column: found.spoil(flights)})


def write(root: Path, seed: int) -> None:
    """Writes the three months as `root/span-MM/flights.csv`."""
    for number in (*GOOD, SPOILT):
        path = month_path(root, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        flights = spoilt(seed) if number == SPOILT else month(number)
        path.write_text(to_csv(flights), encoding="utf-8")


def to_csv(flights: Frame) -> str:
    """A month's file as it is delivered."""
    return flights.to_csv(index=False, float_format="%.2f", lineterminator="\n")
