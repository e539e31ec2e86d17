"""The three questions of lab 1: whom the label is about, what it is, and what is known when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pandas as pd

from flights.data import WEATHER

TARGET = "target"
"""Name of the label's column, whatever the question."""

TIMETABLE = (
    *("year", "month", "day", "weekday", "sched_dep_time", "sched_arr_time"),
    *("carrier", "flight", "origin", "dest", "distance"),
)
PLANE = ("tailnum", "plane_year", "seats")
DEPARTED = ("dep_time", "dep_delay")
LANDED = ("arr_time", "arr_delay", "air_time")
COLUMNS = (*TIMETABLE[:8], "tailnum", *TIMETABLE[8:], *PLANE[1:], *WEATHER, *DEPARTED, *LANDED)
"""The columns of a delivered month, in order."""


@dataclass(frozen=True)
class Question:
    """A question about flights.

    `label` takes flights and returns 0 or 1 for each, missing where the question has no answer; `asked` says of which flights
    the question is asked in service (as a mask); `known` are the columns that are known then.
    """

    name: str
    moment: str
    known: tuple[str, ...]
    label: Callable[[pd.DataFrame], pd.Series]
    asked: Callable[[pd.DataFrame], pd.Series]


def _arrived(flights: pd.DataFrame) -> pd.Series:
    return flights["arr_delay"].notna()


def _train(flights: pd.DataFrame) -> pd.Series:
    return (flights["arr_delay"] > 15).astype("Int64").where(_arrived(flights))


def _hotel(flights: pd.DataFrame) -> pd.Series:
    return ((flights["arr_delay"] > 60).fillna(False) | ~_arrived(flights)).astype("Int64")


def _gain(flights: pd.DataFrame) -> pd.Series:
    return (flights["dep_delay"] - flights["arr_delay"] >= 10).astype("Int64").where(_arrived(flights))


def _all(flights: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=flights.index)


QUESTIONS = {
    question.name: question
    for question in (
        Question("train", "a week before the flight", TIMETABLE, _train, _all),
        Question("hotel", "on the last full hour before the scheduled departure", (*TIMETABLE, *WEATHER), _hotel, _all),
        Question(
            "gain",
            "when the plane has left its gate",
            (*TIMETABLE, *PLANE, *WEATHER, *DEPARTED),
            _gain,
            lambda flights: flights["dep_time"].notna(),
        ),
    )
}


def labelled(flights: pd.DataFrame, question: Question) -> pd.DataFrame:
    """The flights that the question has an answer for, with the answer as the last column."""
    label = question.label(flights)
    return flights.assign(**{TARGET: label})[label.notna()].reset_index(drop=True)


def in_service(flights: pd.DataFrame, question: Question, columns: Collection[str]) -> pd.DataFrame:
    """Some columns of the flights that the question is asked of, in the order of the delivery."""
    return flights.loc[question.asked(flights), [name for name in flights if name in columns]].reset_index(drop=True)
