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
    """One fault: how it is planted, what a student has to find out about it, what its cells hold (if they are to be counted), and what is announced."""

    plant: Plant
    facts: dict[str, Any]
    cell: str | None = None
    news: str | None = None

    def found(self, cells: Cells) -> dict[str, Any]:
        """The facts, with the number of rows in a file."""
        if not self.facts:
            return {"rows": int(cells.duplicated().sum())}
        rows = {} if self.cell is None else {"rows": int((cells[self.facts["column"]] == self.cell).sum())}
        return self.facts | rows


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
    **{"flight": ("charter", "?", "tba"), "distance": ("unknown", "--", "see plan")},
    **{"sched_arr_time": ("tba", "open", "+1 day"), "humid": ("M", "err", "--"), "visib": ("M", "fog", ">10")},
    **{"wind_dir": ("VRB", "calm", "M"), "seats": ("ca. 150", "?", "unknown"), "precip": ("T", "trace", "M")},
}
"""Text that a careless export leaves in a column of numbers. (VRB and T are how weather reports say variable and trace.)"""

IMPOSSIBLE = {
    **{"weekday": ("0", "8", "9"), "day": ("0", "32", "41", "99"), "sched_arr_time": ("2460", "2575", "4010", "9999")},
    **{
        "humid": ("140.00", "255.00", "999.00"),
        "wind_dir": ("480", "999", "-90"),
        "plane_year": ("2031", "2099", "20006"),
    },
    **{"seats": ("-1", "9999"), "distance": ("-1", "-99"), "pressure": ("0.00", "99999.00", "-1.00")},
    **{"visib": ("-1.00", "99.99", "254.00")},
}
"""For a column, values that cannot be."""

RENAMED = {
    **{"dest": "destination", "tailnum": "registration", "sched_arr_time": "crs_arr_time", "seats": "capacity"},
    **{"visib": "visibility", "humid": "rel_humidity", "precip": "rainfall", "flight": "flight_number"},
    **{"pressure": "slp", "distance": "miles"},
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
    facts = {kind: fault.found(cells) for kind, fault in planted.items()}
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
    text, odd, renamed = pick(WORDS), pick(IMPOSSIBLE), pick(RENAMED)
    added = delivery_notes.NEW_COLUMNS[rng.integers(len(delivery_notes.NEW_COLUMNS))]
    faults = {
        "value": _value(rng, "value" in news),
        "gaps": _gaps(gaps, rng, "gaps" in news),
        "unit": _unit(unit, rng),
        "text": _odd(text, WORDS, (5, 30), rng),
        "range": _odd(odd, IMPOSSIBLE, (6, 40), rng),
        "column": _column(added, "column" in news),
        "duplicates": _duplicates(rng),
        "renamed": _renamed(renamed),
    }
    return {kind: faults[kind] for kind in KINDS}, added


def _put(column: str, value: str, count: int, where: Callable[[Cells], pd.Series]) -> Plant:
    """Plants a value into so many cells of a column, of the rows that a mask selects."""

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = where(cells)
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
        _put(column, code, count, lambda cells: (cells["origin"] == airport) & (cells["day"].astype(int) >= first)),
        {"column": column, "value": code},
        code,
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
    return Fault(plant, {"column": column}, "", news)


def _unit(column: str, rng: np.random.Generator) -> Fault:
    where = str(rng.choice(["all", *AIRPORTS]))
    where = SHORT_FLIGHTS if column == "distance" else where

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = (cells[column] != "") & ((cells["origin"] == where) | (where == "all"))
        cells.loc[rows, column] = [UNITS[column](float(cell)) for cell in cells.loc[rows, column]]
        return cells

    return Fault(plant, {"column": column, "where": where})


def _odd(column: str, values: dict[str, tuple[str, ...]], counts: tuple[int, int], rng: np.random.Generator) -> Fault:
    value, count = str(rng.choice(values[column])), int(rng.integers(*counts))
    return Fault(_put(column, value, count, lambda cells: cells[column] != ""), {"column": column}, value)


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
    return Fault(lambda cells, rng: pd.concat([cells, cells[cells["day"].isin(days)]]), {})


def _renamed(column: str) -> Fault:
    now = RENAMED[column]
    return Fault(lambda cells, rng: cells.rename(columns={column: now}), {"column": column, "now": now})
