"""Rules of the schema that need the rows: what statistics of single columns cannot show.

A rule is a `tag` in the `annotation` of a column. TensorFlow Data Validation hands annotations on and does not read them, so that one
file holds the whole contract: its domains and ranges are judged from statistics, its rules here. `FORMS` lists the rules that there are.

Light to import, because every prediction needs the rules as well: no TFX, no TensorFlow.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from . import month_rules
from .month_rules import Columns, shown

if TYPE_CHECKING:
    import pandas as pd

HUMIDITY_POINTS = 5.0
"""How far, in per cent, a humidity may be from what temperature and dew point make of it."""

OFF_MINUTES = 45
"""How far the planned time of a flight may be from what is usual: more than airlines change it, and less than an hour."""

_KEYS = r"(?P<columns>\w+(?:/\d+)?(?: \w+(?:/\d+)?)*)"

FORMS: dict[str, str] = {
    r"hhmm": "a time of day as HHMM, with minutes from 00 to 59",
    r"matches (?P<pattern>.+)": "text that matches {pattern}",
    r"date of (?P<columns>\w+ \w+ \w+)": "a day of that month",
    r"weekday of (?P<columns>\w+ \w+ \w+)": "the weekday of that date, where Monday is 1",
    r"humidity of (?P<columns>\w+ \w+)": f"within {HUMIDITY_POINTS:g} points of the humidity that follows from {{columns}}",
    r"multiple of (?P<step>[\d.]+)": "a multiple of {step}",
    r"unlike (?P<columns>\w+)": "another one than {columns}",
    rf"one for each {_KEYS}": "what earlier flights of the same {columns} have",
    rf"alike for each {_KEYS}": "what most flights of the same {columns} have",
    r"minutes after (?P<columns>\w+ \w+ \w+)": f"within {OFF_MINUTES} minutes of the route's usual time",
    rf"mean (?P<low>[\d.]+) to (?P<high>[\d.]+)(?: for each {_KEYS})?": "",
    r"AUC (?P<low>[\d.]+) to (?P<high>[\d.]+) by (?P<columns>\w+)": "",
    r"at most (?P<most>0\.\d+) alike": "",
    r"keeps values of (?P<least>0\.\d+)": "",
    r"every day of (?P<columns>\w+ \w+) but (?P<missed>\d+)": "",
}
"""How a rule is written, and what a value that keeps it is. ` in 0.9` after it says which share of the flights must keep it.
`sched_dep_time/100` stands for the column divided by 100, without a remainder: the hour."""

OF_MANY: dict[str, Callable[[Rule, Columns, Columns], list[str]]] = {
    "mean": month_rules.list_unusual_means,
    "AUC": month_rules.list_unusual_order,
    "at": month_rules.list_repeated,
    "keeps": month_rules.list_gone,
    "every": month_rules.list_missing_days,
}
"""The rules, by their first word, that all flights together keep or break."""


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
    def kind(self) -> str:
        """Its first word."""
        return self.text.partition(" ")[0]

    @property
    def keys(self) -> list[str]:
        """The further columns that it reads, as it writes them."""
        return (self.given.get("columns") or "").split()

    @property
    def others(self) -> list[str]:
        """The further columns that it reads."""
        return [key.partition("/")[0] for key in self.keys]

    @property
    def wanted(self) -> str:
        """What a value is that keeps the rule."""
        *first, last = self.others or [""]
        return FORMS[self.form].format(
            **self.given | {"columns": " and ".join([", ".join(first), last] if first else [last])}
        )

    @property
    def is_of_each_flight(self) -> bool:
        """Whether it can be, and must be, asked of a single flight."""
        return self.least == 1 and self.kind in OF_EACH

    @property
    def is_of_whole_months(self) -> bool:
        """Whether it is about all flights of a month, into whatever splits they went."""
        return self.kind == "every"


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
        earlier: the flights that `one for each`, `minutes after` and `keeps values` hold them against; those to judge by default.
    """
    found = []
    earlier = columns if earlier is None else earlier
    for rule in rules:
        if not (_can_be_judged(rule, columns) and _can_be_judged(rule, earlier)):
            continue
        values = columns[rule.column]
        if rule.kind in OF_MANY:
            found += [f"{where}, column {rule.column}: {said}" for said in OF_MANY[rule.kind](rule, columns, earlier)]
            continue
        broken = find_broken(rule, columns, earlier)
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
    if rule.kind in OF_EACH:
        return OF_EACH[rule.kind](rule, *(columns[name] for name in (rule.column, *rule.others)))
    earlier = columns if earlier is None or rule.kind == "alike" else earlier
    return _off_schedule(rule, columns, earlier) if rule.kind == "minutes" else _unlike_most(rule, columns, earlier)


def relative_humidity(temperature: np.ndarray, dew_point: np.ndarray) -> np.ndarray:
    """Per cent, from degrees Fahrenheit: the Magnus formula with the constants of Alduchov and Eskridge (1996)."""

    def vapour(fahrenheit: np.ndarray) -> np.ndarray:
        celsius = (fahrenheit - 32) / 1.8
        return np.exp(17.625 * celsius / (243.04 + celsius))

    return 100 * vapour(dew_point) / vapour(temperature)


def _can_be_judged(rule: Rule, columns: Columns) -> bool:
    read = [rule.column, *rule.others]
    if any(name not in columns for name in read) or not len(columns[rule.column]):
        return False
    if rule.kind == "matches":
        return columns[rule.column].dtype == object
    numbers = {"mean": 1, "minutes": 2} | dict.fromkeys(["one", "alike", "unlike", "at", "keeps"], 0)
    return all(columns[name].dtype != object for name in read[: numbers.get(rule.kind)])


def _by_value(is_broken: Callable[..., bool], *columns: np.ndarray) -> np.ndarray:
    """Asks once for each combination of values, because a month has few of them; a missing value breaks nothing."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    known = {row: not any(value is None or value != value for value in row) and is_broken(*row) for row in set(rows)}
    return np.array([known[row] for row in rows], bool)


def _weekday(year: float, month: float, day: float) -> int | None:
    """From Monday, 1, to Sunday, 7; None when there is no such date."""
    try:
        return datetime.date(int(year), int(month), int(day)).isoweekday()
    except (ValueError, OverflowError):
        return None


OF_EACH: dict[str, Callable[..., np.ndarray]] = {
    "hhmm": lambda _, time: time % 100 >= 60,
    "matches": lambda rule, texts: _by_value(lambda text: not re.fullmatch(rule.given["pattern"], text), texts),
    "date": lambda _, __, *date: _by_value(lambda *one: _weekday(*one) is None, *date),
    "weekday": lambda _, *days: _by_value(lambda weekday, *date: _weekday(*date) not in (None, weekday), *days),
    "humidity": lambda _, humidity, *others: np.abs(relative_humidity(*others) - humidity) > HUMIDITY_POINTS,
    "multiple": lambda rule, values: _off_step(values / float(rule.given["step"])),
    "unlike": lambda _, *pair: _by_value(lambda value, other: value == other, *pair),
}
"""The rules, by their first word, that a flight keeps or breaks by itself: which do, from the rule, its column and the further ones."""


def _off_step(steps: np.ndarray) -> np.ndarray:
    return np.abs(steps - np.round(steps)) > 0.02  # the files keep two decimals


def _unlike_most(rule: Rule, columns: Columns, others: Columns) -> np.ndarray:
    """Which flights have another value than most of the others with the same values in the further columns."""
    import pandas as pd

    before, now = (
        pd.DataFrame(month_rules.by_key(rule, part) | {"value": part[rule.column]}).dropna()
        for part in (others, columns)
    )
    counts = before.value_counts(sort=False).rename("flights").reset_index().sort_values("flights", kind="stable")
    usual = counts.drop_duplicates(rule.keys, keep="last").set_index(rule.keys)["value"].rename("usual")
    now = now.join(usual, on=rule.keys)
    differ = now["usual"].notna() & (now["usual"] != now["value"])
    broken = np.zeros(len(columns[rule.column]), bool)
    broken[now.index[differ]] = True
    return broken


def _off_schedule(rule: Rule, columns: Columns, earlier: Columns) -> np.ndarray:
    """Which flights plan for another time, from one HHMM to the other, than the median of the earlier ones on their route."""
    import pandas as pd

    start, *route = rule.others

    def planned(part: Columns) -> pd.DataFrame:
        begin, end = (part[name] // 100 * 60 + part[name] % 100 for name in (start, rule.column))
        return pd.DataFrame({name: part[name] for name in route} | {"minutes": (end - begin) % 1440})

    now = planned(columns).join(planned(earlier).groupby(route)["minutes"].median().rename("usual"), on=route)
    return (((now["minutes"] - now["usual"] + 720) % 1440 - 720).abs() > OFF_MINUTES).to_numpy()
