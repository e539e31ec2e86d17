"""The months that the sender delivers: 2,000 scheduled flights each, with what became of them."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import pandas as pd

from course.labs.csv_files import read
from flights.data import AFTERWARDS, build_year, month_path
from judges.lab_1.questions import COLUMNS

ROWS = 2000
GIVEN, UNSEEN = 1, 4
"""Draws: the months that students get, and others of the same year that checks use."""


@functools.cache
def year() -> pd.DataFrame:
    """All 336,776 flights that were scheduled in 2013, cancelled ones too, with the columns of a delivery."""
    flights = build_year(keep_afterwards=True, keep_unarrived=True)
    return flights.astype(dict.fromkeys(AFTERWARDS, "Int64"))[[*COLUMNS]]


@functools.cache
def month(number: int, draw: int = GIVEN) -> pd.DataFrame:
    """2,000 flights of a month, drawn without replacement; do not change the frame that is returned."""
    return drawn(year()[year()["month"] == number], 100 * draw + number)


def drawn(flights: pd.DataFrame, seed: int) -> pd.DataFrame:
    """As many flights as a delivery has, in their order; drawn with replacement only where there are fewer."""
    sample = flights.sample(ROWS, random_state=seed, replace=len(flights) < ROWS)
    return sample.sort_index(kind="stable").reset_index(drop=True)


def to_csv(flights: pd.DataFrame) -> str:
    """A file as it is delivered."""
    return flights.to_csv(index=False, float_format="%.2f", lineterminator="\n")


def as_text(flights: pd.DataFrame) -> pd.DataFrame:
    """The same flights as the cells of the file, all of them text."""
    return pd.read_csv(io.StringIO(to_csv(flights)), dtype=str, keep_default_na=False)


def write(flights: pd.DataFrame | str, folder: Path, number: int) -> Path:
    """Writes a month, or its text, as `folder/span-MM/flights.csv`."""
    path = month_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(flights if isinstance(flights, str) else to_csv(flights), encoding="utf-8")
    return path


@functools.cache
def given(number: int) -> str:
    """The text of a good month that students get, which is the same for all of them."""
    return to_csv(month(number))


def typed(text: pd.DataFrame) -> pd.DataFrame:
    """What `read` makes of a file with these cells."""
    return read(io.BytesIO(to_csv(text).encode()))
