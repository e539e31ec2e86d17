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


@dataclass(frozen=True)
class Fault:
    """One fault: how it is planted, and what a student has to find out about it in the file that came."""

    kind: str
    plant: Callable[[Cells, np.random.Generator], Cells]
    facts: Callable[[Cells], dict[str, Any]]
    news: str | None = None
    column: str | None = None


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
    for number, fault in enumerate(chosen):
        if fault.kind in kinds:
            cells = fault.plant(cells, np.random.default_rng([seed, number])).reset_index(drop=True)
    facts = {fault.kind: fault.facts(cells) for fault in chosen if fault.kind in kinds}
    told = [fault for fault in chosen if fault.news and fault.kind in kinds]
    lines = [str(fault.news) for fault in told]
    return Delivery(cells, delivery_notes.write(lines, np.random.default_rng([seed, 99])), facts, _kinds(told), added)


@functools.lru_cache(4)
def _without_faults(seed: int) -> pd.DataFrame:
    """The cells of the student's month; a check asks for it with this fault and with that."""
    return monthly_data.as_text(monthly_data.drawn(monthly_data.year().query("month == @MONTH"), seed))


def choose(seed: int) -> tuple[list[Fault], delivery_notes.NewColumn]:
    """Which faults a student gets, in the order of `KINDS`, and the column that is added."""
    rng = np.random.default_rng([seed, 1000])
    news = set(rng.permutation(["value", "column", "gaps"])[:2])
    taken: set[str] = set()

    def pick(pool: Any) -> str:
        name = str(rng.choice([name for name in pool if name not in taken]))
        taken.add(name)
        return name

    unit = pick(UNITS)
    gaps = pick(WEATHER_GAPS if "gaps" in news else PLANE_GAPS + WEATHER_GAPS)
    names = {"unit": unit, "gaps": gaps, "text": pick(WORDS), "range": pick(IMPOSSIBLE), "renamed": pick(RENAMED)}
    added = delivery_notes.NEW_COLUMNS[rng.integers(len(delivery_notes.NEW_COLUMNS))]
    faults = {
        "value": _value(rng, "value" in news),
        "gaps": _gaps(names["gaps"], rng, "gaps" in news),
        "unit": _unit(names["unit"], rng),
        "text": _text(names["text"], rng),
        "range": _range(names["range"], rng),
        "column": _column(added, "column" in news),
        "duplicates": _duplicates(rng),
        "renamed": _renamed(names["renamed"]),
    }
    return [faults[kind] for kind in KINDS], added


def _kinds(faults: list[Fault]) -> tuple[str, ...]:
    return tuple(fault.kind for fault in faults)


def numbers(cells: pd.Series) -> pd.Series:
    """The cells that are numbers as numbers; others are missing."""
    return pd.to_numeric(cells, errors="coerce")


def _some(mask: pd.Series, count: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of `count` rows in which the mask is true."""
    return rng.choice(mask.index[mask].to_numpy(), count, replace=False)


def _value(rng: np.random.Generator, is_news: bool) -> Fault:
    column = str(rng.choice(["carrier", "origin"]))
    pool = delivery_notes.CARRIERS if column == "carrier" else delivery_notes.AIRFIELDS
    code = str(rng.choice(list(pool)))
    airport, first, count = str(rng.choice(AIRPORTS)), int(rng.integers(4, 18)), int(rng.integers(25, 70))

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = _some((cells["origin"] == airport) & (numbers(cells["day"]) >= first), count, rng)
        cells.loc[rows, column] = code
        return cells

    def facts(cells: Cells) -> dict[str, Any]:
        return {"column": column, "value": code, "rows": int((cells[column] == code).sum())}

    news = delivery_notes.new_value(column, code, pool[code], airport, first) if is_news else None
    return Fault("value", plant, facts, news, column)


def _gaps(column: str, rng: np.random.Generator, is_news: bool) -> Fault:
    silent, share = rng.permutation(AIRPORTS)[:2], rng.uniform(0.62, 0.78)

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        gone = cells["origin"].isin(silent) if column in WEATHER else pd.Series(rng.random(len(cells)) < share)
        cells.loc[gone, column] = ""
        return cells

    def facts(cells: Cells) -> dict[str, Any]:
        return {"column": column, "rows": int((cells[column] == "").sum())}

    return Fault("gaps", plant, facts, delivery_notes.silence(column, sorted(silent)) if is_news else None, column)


def _unit(column: str, rng: np.random.Generator) -> Fault:
    where = str(rng.choice(["all", *AIRPORTS]))
    where = SHORT_FLIGHTS if column == "distance" else where

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        rows = (cells[column] != "") & ((cells["origin"] == where) | (where == "all"))
        cells.loc[rows, column] = [UNITS[column](float(cell)) for cell in cells.loc[rows, column]]
        return cells

    return Fault("unit", plant, lambda cells: {"column": column, "where": where}, column=column)


def _text(column: str, rng: np.random.Generator) -> Fault:
    word, count = str(rng.choice(WORDS[column])), int(rng.integers(5, 30))

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        cells.loc[_some(cells[column] != "", count, rng), column] = word
        return cells

    def facts(cells: Cells) -> dict[str, Any]:
        return {"column": column, "rows": int((numbers(cells[column]).isna() & (cells[column] != "")).sum())}

    return Fault("text", plant, facts, column=column)


def _range(column: str, rng: np.random.Generator) -> Fault:
    values, impossible = IMPOSSIBLE[column]
    value, count = str(rng.choice(values)), int(rng.integers(6, 40))

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        cells.loc[_some(cells[column] != "", count, rng), column] = value
        return cells

    def facts(cells: Cells) -> dict[str, Any]:
        found = numbers(cells[column])
        return {"column": column, "rows": int((impossible(found) & found.notna()).sum())}

    return Fault("range", plant, facts, column=column)


def _column(added: delivery_notes.NewColumn, is_news: bool) -> Fault:
    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        filled = pd.Series(rng.choice(added.values, len(cells)), index=cells.index)
        if not added.known_before:
            filled = filled.where(cells["arr_delay"] != "", "")
        cells.insert(int(rng.integers(5, cells.shape[1])), added.name, filled)
        return cells

    return Fault("column", plant, lambda cells: {"column": added.name}, added.announcement if is_news else None)


def _duplicates(rng: np.random.Generator) -> Fault:
    days = [str(day) for day in rng.choice(np.arange(2, 31), int(rng.integers(1, 4)), replace=False)]

    def plant(cells: Cells, rng: np.random.Generator) -> Cells:
        return pd.concat([cells, cells[cells["day"].isin(days)]])

    return Fault("duplicates", plant, lambda cells: {"rows": int(cells.duplicated().sum())})


def _renamed(column: str) -> Fault:
    name = RENAMED[column]
    return Fault(
        "renamed",
        lambda cells, rng: cells.rename(columns={column: name}),
        lambda cells: {"column": column, "now": name},
        column=column,
    )
