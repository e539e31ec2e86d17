"""Rules of the schema that need the rows: what statistics of single columns cannot show.

A rule is a `tag` in the `annotation` of a column. TensorFlow Data Validation hands annotations on and does not read them, so that one
file holds the whole contract: its domains and ranges are judged from statistics, its rules here. `FORMS` lists the rules that there are.

Light to import, because every prediction needs the rules as well: no TFX, no TensorFlow.
"""

from __future__ import annotations

import calendar
import datetime
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, np.ndarray]
"""Columns by name, of the same length: numbers as float with NaN where a value is missing, texts as objects with None."""

HUMIDITY_POINTS = 5.0
"""How far, in per cent, a humidity may be from what temperature and dew point make of it."""

STANDARD_ERRORS = 3.0
"""By how many standard errors a mean must lie outside of its limits, so that few flights are no fault."""

LONGEST = 40
"""Characters of a value that a message shows."""

FORMS: dict[str, str] = {
    r"hhmm": "a time of day as HHMM, with minutes from 00 to 59",
    r"matches (?P<pattern>.+)": "text that matches {pattern}",
    r"date of (?P<columns>\w+ \w+ \w+)": "a day of that month",
    r"weekday of (?P<columns>\w+ \w+ \w+)": "the weekday of that date, where Monday is 1",
    r"humidity of (?P<columns>\w+ \w+)": f"within {HUMIDITY_POINTS:g} points of the humidity that follows from {{columns}}",
    r"multiple of (?P<step>[\d.]+)": "a multiple of {step}",
    r"one for each (?P<columns>\w+(?: \w+)*)": "what earlier flights of the same {columns} have",
    r"mean (?P<low>[\d.]+) to (?P<high>[\d.]+)": "",
}
"""How a rule is written, and what a value that keeps it is. ` in 0.9` after it says which share of the flights must keep it."""


@dataclass(frozen=True)
class Rule:
    """One rule of a column.

    Attributes:
        column: whose values it is about.
        text: as the schema writes it, without the share.
        form: its key in `FORMS`.
        least: the share of the flights that must keep it; 1: every flight, and so also one that is to be predicted.
    """

    column: str
    text: str
    form: str
    least: float

    @functools.cached_property
    def given(self) -> dict[str, str]:
        """What stands in the places of the form."""
        return re.fullmatch(self.form, self.text).groupdict()  # type: ignore[union-attr]

    @property
    def others(self) -> list[str]:
        """The further columns that it reads."""
        return self.given.get("columns", "").split()

    @property
    def wanted(self) -> str:
        """What a value is that keeps the rule."""
        return FORMS[self.form].format(**self.given | {"columns": " and ".join(self.others)})

    @property
    def is_of_each_flight(self) -> bool:
        """Whether it can be, and must be, asked of a single flight."""
        return self.least == 1 and not self.text.startswith(("mean ", "one for each "))


def read_schema(path: str | Path) -> schema_pb2.Schema:
    """A schema from its text form."""
    return text_format.Parse(Path(path).read_text(encoding="utf-8"), schema_pb2.Schema())


def rules_of(schema: schema_pb2.Schema) -> list[Rule]:
    """All rules of a schema, in its order.

    Raises:
        ValueError: a tag is no rule, or reads a column that the schema does not have. It would be a rule that nothing checks.
    """
    names = {feature.name for feature in schema.feature}
    found = []
    for feature in schema.feature:
        for tag in feature.annotation.tag:
            text, _, share = tag.partition(" in ")
            form = next((form for form in FORMS if re.fullmatch(form, text)), None)
            if form is None or (share and not re.fullmatch(r"0\.\d+", share)):
                raise ValueError(f"schema, column {feature.name}: {tag!r} is no rule; rules are {', '.join(FORMS)}.")
            rule = Rule(feature.name, text, form, float(share or 1))
            if unknown := sorted({*rule.others} - names):
                raise ValueError(
                    f"schema, column {feature.name}: {tag!r} reads {', '.join(unknown)}, which is no column."
                )
            found.append(rule)
    return found


def columns_of(flights: pd.DataFrame) -> dict[str, np.ndarray]:
    """A data frame as `Columns`."""
    from pandas.api.types import is_numeric_dtype

    return {
        name: column.to_numpy(float, na_value=np.nan)
        if is_numeric_dtype(column)
        else column.to_numpy(object, na_value=None)
        for name, column in flights.items()
    }


def list_broken(rules: Iterable[Rule], columns: Columns, where: str, earlier: Columns | None = None) -> list[str]:
    """What breaks the rules, a sentence each.

    Args:
        rules: of the schema. A rule whose column is absent, or of another kind, is left out: that is an anomaly of the column.
        columns: the flights to judge.
        where: how a sentence begins, for example the name of the split.
        earlier: the flights whose values `one for each` holds them against; those to judge by default.
    """
    found = []
    for rule in rules:
        if not _can_be_judged(rule, columns):
            continue
        values = columns[rule.column]
        if rule.text.startswith("mean "):
            found += _unusual_mean(rule, values, where)
            continue
        broken = find_broken(rule, columns, columns if earlier is None else earlier)
        count = int(broken.sum())
        if count > (1 - rule.least) * len(values) + 1e-9:
            first = shown(values[int(broken.argmax())])
            found.append(
                f"{where}, column {rule.column}: {count:,} of {len(values):,} flights are not {rule.wanted}; the first has {first}."
                + (f" Up to {1 - rule.least:.0%} are tolerated." if rule.least < 1 else "")
            )
    return found


def find_broken(rule: Rule, columns: Columns, earlier: Columns | None = None) -> np.ndarray:
    """Which flights break a rule, as booleans. A flight that lacks a value breaks no rule that reads it."""
    values, others = columns[rule.column], [columns[name] for name in rule.others]
    if rule.text == "hhmm":
        return values % 100 >= 60
    if rule.text.startswith("matches "):
        return _by_value(lambda text: not re.fullmatch(rule.given["pattern"], text), values)
    if rule.text.startswith("date "):
        return _by_value(lambda year, month, day: _weekday(year, month, day) is None, *others)
    if rule.text.startswith("weekday "):
        return _by_value(lambda weekday, *date: _weekday(*date) not in (None, weekday), values, *others)
    if rule.text.startswith("humidity "):
        return np.abs(relative_humidity(*others) - values) > HUMIDITY_POINTS
    if rule.text.startswith("multiple "):
        steps = values / float(rule.given["step"])
        # The files keep two decimals.
        return np.abs(steps - np.round(steps)) > 0.02
    return _unlike_earlier(rule, columns, columns if earlier is None else earlier)


def relative_humidity(temperature: np.ndarray, dew_point: np.ndarray) -> np.ndarray:
    """Per cent, from degrees Fahrenheit: the Magnus formula with the constants of Alduchov and Eskridge (1996)."""

    def vapour(fahrenheit: np.ndarray) -> np.ndarray:
        celsius = (fahrenheit - 32) / 1.8
        return np.exp(17.625 * celsius / (243.04 + celsius))

    return 100 * vapour(dew_point) / vapour(temperature)


def shown(value: object) -> str:
    """A value as a message shows it, cut when it is long."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    try:
        text = repr(value)
    except Exception:  # of a class that cannot even be shown
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _can_be_judged(rule: Rule, columns: Columns) -> bool:
    read = [rule.column, *rule.others]
    if any(name not in columns for name in read) or not len(columns[rule.column]):
        return False
    texts = {name for name in read if columns[name].dtype == object}
    if rule.text.startswith("one for each "):
        return True
    return texts == ({rule.column} if rule.text.startswith("matches ") else set())


def _by_value(is_broken: Callable[..., bool], *columns: np.ndarray) -> np.ndarray:
    """Asks once for each combination of values, because a month has few of them; a missing value breaks nothing."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    known = {row: not any(value is None or value != value for value in row) and is_broken(*row) for row in set(rows)}
    return np.array([known[row] for row in rows], bool)


def _weekday(year: float, month: float, day: float) -> int | None:
    """From Monday, 1, to Sunday, 7; None when there is no such date."""
    try:
        return datetime.date(int(year), int(month), int(day)).isoweekday()
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return None


def _unlike_earlier(rule: Rule, columns: Columns, earlier: Columns) -> np.ndarray:
    """Which flights have another value than most earlier flights with the same values in the other columns."""
    import pandas as pd

    read = [*rule.others, rule.column]
    before, now = (pd.DataFrame({name: part[name] for name in read}).dropna() for part in (earlier, columns))
    counts = before.value_counts(sort=False).rename("flights").reset_index().sort_values("flights", kind="stable")
    usual = counts.drop_duplicates(rule.others, keep="last").set_index(rule.others)[rule.column].rename("usual")
    now = now.join(usual, on=rule.others)
    differ = now["usual"].notna() & (now["usual"] != now[rule.column])
    broken = np.zeros(len(columns[rule.column]), bool)
    broken[now.index[differ]] = True
    return broken


def _unusual_mean(rule: Rule, values: np.ndarray, where: str) -> list[str]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return []
    mean, error = float(known.mean()), float(known.std(ddof=1)) / math.sqrt(len(known))
    low, high = float(rule.given["low"]), float(rule.given["high"])
    if low - STANDARD_ERRORS * error <= mean <= high + STANDARD_ERRORS * error:
        return []
    return [f"{where}, column {rule.column}: the mean is {mean:.4g}, and it should be from {low:g} to {high:g}."]
