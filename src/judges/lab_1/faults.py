"""Plants eight kinds of faults in a month, chosen by the student's seed; two of the eight are news, not faults."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flights.data import WEATHER
from judges.lab_1 import delivery_notes, monthly_data

KINDS = ("value", "gaps", "unit", "text", "range", "column", "duplicates", "renamed")
"""In the order in which they are planted: what is renamed has its old name until the end."""

MONTH = 5
AIRPORTS = ("EWR", "JFK", "LGA")
Cells = pd.DataFrame
"""A month as the cells of its file, all text."""


Plant = Callable[[Cells, np.random.Generator], Cells]


@dataclass(frozen=True)
class Fault:
    """One fault: how it is planted, and what a student has to find out about it; `rows` tells which rows of the file have it."""

    plant: Plant
    facts: dict[str, Any]
    rows: Callable[[Cells], pd.Series] | None = None
    news: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A month with faults: the file, the notes that came with it, and what is true about it."""

    cells: Cells
    notes: str
    facts: dict[str, dict[str, Any]]
    news: tuple[str, ...]
    added: delivery_notes.NewColumn


UNITS: dict[str, Callable[[float], str]] = {
    "temp": lambda value: f"{(value - 32) / 1.8:.2f}",
    "dewp": lambda value: f"{(value - 32) / 1.8:.2f}",
    "wind_speed": lambda value: f"{value * 0.44704:.2f}",
    "distance": lambda value: f"{value * 1.609344:.0f}",
    "sched_dep_time": lambda value: f"{(value - 300) % 2400:.0f}",
}
"""The same quantity in another unit: Celsius, metres a second, kilometres; or in Pacific time. Each value stays one that can be."""
SHORT_FLIGHTS = "LGA"
"""From here no flight is so long that its kilometres could be no miles."""

WORDS = {
    "flight": ("charter", "?", "tba"),
    "distance": ("unknown", "--", "see plan"),
    "sched_arr_time": ("tba", "open", "+1 day"),
    "humid": ("M", "err", "--"),
    "visib": ("M", "fog", ">10"),
    "wind_dir": ("VRB", "calm", "M"),
    "seats": ("ca. 150", "?", "unknown"),
    "precip": ("T", "trace", "M"),
}
"""Text that a careless export leaves in a column of numbers. (VRB and T are how weather reports say variable and trace.)"""

IMPOSSIBLE: dict[str, tuple[tuple[str, ...], Callable[[pd.Series], pd.Series]]] = {
    "weekday": (("0", "8", "9"), lambda values: ~values.between(1, 7)),
    "day": (("0", "32", "41", "99"), lambda values: ~values.between(1, 31)),
    "sched_arr_time": (("2460", "2575", "4010", "9999"), lambda values: values > 2400),
    "humid": (("140.00", "255.00", "999.00"), lambda values: values > 100),
    "wind_dir": (("480", "999", "-90"), lambda values: ~values.between(0, 360)),
    "plane_year": (("2031", "2099", "20006"), lambda values: values > 2014),
    "seats": (("-1", "9999"), lambda values: ~values.between(0, 900)),
    "distance": (("-1", "-99"), lambda values: values < 0),
    "pressure": (("0.00", "99999.00", "-1.00"), lambda values: ~values.between(800, 1100)),
    "visib": (("-1.00", "99.99", "254.00"), lambda values: ~values.between(0, 20)),
}
"""For a column, values that cannot be, and what tells them from those that can."""

RENAMED = {
    "dest": "destination",
    "tailnum": "registration",
    "sched_arr_time": "crs_arr_time",
    "seats": "capacity",
    "visib": "visibility",
    "humid": "rel_humidity",
    "precip": "rainfall",
    "flight": "flight_number",
    "pressure": "slp",
    "distance": "miles",
}
PLANE_GAPS, WEATHER_GAPS = ("seats", "plane_year"), ("pressure", "precip", "visib", "humid", "wind_dir", "dewp")


@functools.cache
def delivery(seed: int, kinds: tuple[str, ...] = KINDS) -> Delivery:
    """The student's month.

    Args:
        seed: the student's.
        kinds: plant only these; what is planted of one kind does not depend on the others.
    """
    chosen, added = choose(seed)
    cells = _without_faults(seed).copy()
    for number, kind in enumerate(KINDS):
        if kind in kinds:
            cells = chosen[kind].plant(cells, np.random.default_rng([seed, number])).reset_index(drop=True)
    planted = {kind: fault for kind, fault in chosen.items() if kind in kinds}
    facts = {
        kind: fault.facts | ({"rows": int(fault.rows(cells).sum())} if fault.rows else {})
        for kind, fault in planted.items()
    }
    news = {kind: fault.news for kind, fault in planted.items() if fault.news}
    notes = delivery_notes.write([*news.values()], np.random.default_rng([seed, 99]))
    return Delivery(cells, notes, facts, tuple(news), added)


@functools.lru_cache(4)
def _without_faults(seed: int) -> pd.DataFrame:
    """The cells of the student's month; a check asks for it with this fault and with that."""
    return monthly_data.as_text(monthly_data.drawn(monthly_data.year().query("month == @MONTH"), seed))


def choose(seed: int) -> tuple[dict[str, Fault], delivery_notes.NewColumn]:
    """Which faults a student gets, by their kinds in the order of `KINDS`, and the column that is added."""
    rng = np.random.default_rng([seed, 1000])
    news = set(rng.permutation(["value", "column", "gaps"])[:2])
    taken: set[str] = set()

    def pick(pool: Any) -> str:
        name = str(rng.choice([name for name in pool if name not in taken]))
        taken.add(name)
        return name

    unit = pick(UNITS)
    gaps = pick(WEATHER_GAPS if "gaps" in news else PLANE_GAPS + WEATHER_GAPS)
    text, impossible, renamed = pick(WORDS), pick(IMPOSSIBLE), pick(RENAMED)
    added = delivery_notes.NEW_COLUMNS[rng.integers(len(delivery_notes.NEW_COLUMNS))]
    faults = {
        "value": _value(rng, "value" in news),
        "gaps": _gaps(gaps, rng, "gaps" in news),
        "unit": _unit(unit, rng),
        "text": _text(text, rng),
        "range": _range(impossible, rng),
        "column": _column(added, "column" in news),
        "duplicates": _duplicates(rng),
        "renamed": _renamed(renamed),
    }
    return {kind: faults[kind] for kind in KINDS}, added


def numbers(cells: pd.Series) -> pd.Series:
    """The cells that are numbers as numbers; others are missing."""
    return pd.to_numeric(cells, errors="coerce")


def _put(column: str, value: str, count: int, where: Callable[[Cells], pd.Series] | None = None) -> Plant:
    """Plants a value into so many cells of a column: of rows in which it is not empty, or of others."""

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = where(cells) if where else cells[column] != ""
        cells.loc[rng.choice(rows.index[rows].to_numpy(), count, replace=False), column] = value
        return cells

    return plant


def _value(rng: np.random.Generator, is_news: bool) -> Fault:
    column = str(rng.choice(["carrier", "origin"]))
    pool = delivery_notes.CARRIERS if column == "carrier" else delivery_notes.AIRFIELDS
    code = str(rng.choice(list(pool)))
    airport, first, count = str(rng.choice(AIRPORTS)), int(rng.integers(4, 18)), int(rng.integers(25, 70))
    new = {
        "carrier": f"a new carrier flies from {airport}: {pool[code]} ({code}).",
        "origin": f"we also report flights that were moved from {airport} to {pool[code]} ({code}).",
    }
    return Fault(
        _put(column, code, count, lambda cells: (cells["origin"] == airport) & (numbers(cells["day"]) >= first)),
        {"column": column, "value": code},
        lambda cells: cells[column] == code,
        f"Since {first} May {new[column]}" if is_news else None,
    )


def _gaps(column: str, rng: np.random.Generator, is_news: bool) -> Fault:
    silent, share = rng.permutation(AIRPORTS)[:2], rng.uniform(0.62, 0.78)

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        gone = cells["origin"].isin(silent) if column in WEATHER else pd.Series(rng.random(len(cells)) < share)
        cells.loc[gone, column] = ""
        return cells

    news = (
        f"The instruments for {delivery_notes.INSTRUMENTS[column]} at {' and '.join(sorted(silent))} are being replaced. "
        "Until next year there will be no values from there."
        if is_news
        else None
    )
    return Fault(plant, {"column": column}, lambda cells: cells[column] == "", news)


def _unit(column: str, rng: np.random.Generator) -> Fault:
    where = str(rng.choice(["all", *AIRPORTS]))
    where = SHORT_FLIGHTS if column == "distance" else where

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = (cells[column] != "") & ((cells["origin"] == where) | (where == "all"))
        cells.loc[rows, column] = [UNITS[column](float(cell)) for cell in cells.loc[rows, column]]
        return cells

    return Fault(plant, {"column": column, "where": where})


def _text(column: str, rng: np.random.Generator) -> Fault:
    word, count = str(rng.choice(WORDS[column])), int(rng.integers(5, 30))
    is_word: Callable[[Cells], pd.Series] = lambda cells: numbers(cells[column]).isna() & (cells[column] != "")  # noqa: E731
    return Fault(_put(column, word, count), {"column": column}, is_word)


def _range(column: str, rng: np.random.Generator) -> Fault:
    values, impossible = IMPOSSIBLE[column]
    value, count = str(rng.choice(values)), int(rng.integers(6, 40))

    def rows(cells: Cells) -> pd.Series:
        return impossible(numbers(cells[column])) & numbers(cells[column]).notna()

    return Fault(_put(column, value, count), {"column": column}, rows)


def _column(added: delivery_notes.NewColumn, is_news: bool) -> Fault:
    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        filled = pd.Series(rng.choice(added.values, len(cells)), index=cells.index)
        if not added.known_before:
            filled = filled.where(cells["arr_delay"] != "", "")
        cells.insert(int(rng.integers(5, cells.shape[1])), added.name, filled)
        return cells

    news = f"There is a new column, {added.name}: {added.meaning}." if is_news else None
    return Fault(plant, {"column": added.name}, news=news)


def _duplicates(rng: np.random.Generator) -> Fault:
    days = [str(day) for day in rng.choice(np.arange(2, 31), int(rng.integers(1, 4)), replace=False)]
    return Fault(
        lambda cells, rng: pd.concat([cells, cells[cells["day"].isin(days)]]), {}, lambda cells: cells.duplicated()
    )


def _renamed(column: str) -> Fault:
    now = RENAMED[column]
    return Fault(lambda cells, rng: cells.rename(columns={column: now}), {"column": column, "now": now})
