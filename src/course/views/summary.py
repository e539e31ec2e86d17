"""The numbers of one feature, as a person reads them: missing, zeros, quantiles, or the most frequent values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from course.views import protos
from course.views.html import View, table
from course.views.numbers import has_values, missing_share, number, percent, plain, quantile, shares, zero_share

_VALUES = 5
"""Values of a category that a table lists."""


@dataclass(frozen=True)
class Fact:
    """A number, and how it is written.

    Attributes:
        text: as it stands in a table.
        value: to compare with another; None where that says nothing.
        share: it is a share: its change is given in percentage points.
    """

    text: str
    value: float | None = None
    share: bool = False


def facts(dataset: protos.Statistics, feature: str) -> dict[str, Fact]:
    """What the statistics tell about one feature, by name; without the feature, only how many examples there are."""
    found = {"examples": Fact(f"{int(dataset.num_examples):,}", float(dataset.num_examples))}
    one = protos.feature(dataset, feature)
    kind = one.WhichOneof("stats") if one is not None else None
    if kind is None:
        return found
    stats = getattr(one, kind)
    common = stats.common_stats if kind != "common_stats" else stats
    found["missing"] = _share(missing_share(common))
    if common.max_num_values > 1 or common.min_num_values != common.max_num_values:
        words = f"{common.min_num_values} to {common.max_num_values}, on average {number(common.avg_num_values)}"
        found["values in an example"] = Fact(words)
    if kind in ("num_stats", "string_stats") and not has_values(stats):
        if common.num_non_missing:
            found["values in an example"] = Fact("none: all lists are empty")
    elif kind == "num_stats":
        found |= _of_numbers(stats)
    elif kind == "string_stats":
        found |= _of_categories(stats)
    elif kind == "bytes_stats":
        found["different"] = Fact(f"{stats.unique:,}", float(stats.unique))
        found["bytes, on average"] = _number(stats.avg_num_bytes)
    return found


def _of_numbers(stats: Any) -> dict[str, Fact]:
    found = {"zero": _share(zero_share(stats)), "lowest": _number(stats.min)}
    for name, share in (("10% below", 0.1), ("25% below", 0.25)):
        found[name] = _number(quantile(stats, share))
    found["median"] = _number(stats.median)
    for name, share in (("75% below", 0.75), ("90% below", 0.9)):
        found[name] = _number(quantile(stats, share))
    found |= {"highest": _number(stats.max), "mean": _number(stats.mean), "standard deviation": _number(stats.std_dev)}
    odd = sum(histogram.num_nan for histogram in stats.histograms[:1])
    if odd:
        found["not a number"] = Fact(f"{odd:,}", float(odd))
    if stats.HasField("weighted_numeric_stats"):
        found["mean, weighted"] = _number(stats.weighted_numeric_stats.mean)
        found["median, weighted"] = _number(stats.weighted_numeric_stats.median)
    return found


def _of_categories(stats: Any) -> dict[str, Fact]:
    found = {"different": Fact(f"{stats.unique:,}", float(stats.unique))}
    if stats.avg_length:
        found["length, on average"] = _number(stats.avg_length)
    if stats.invalid_utf8_count:
        found["not text"] = Fact(f"{stats.invalid_utf8_count:,}", float(stats.invalid_utf8_count))
    for value, share in list(shares(stats).items())[:_VALUES]:
        found[f"“{plain(value)}”"] = _share(share / 100)
    return found


def _share(value: float) -> Fact:
    return Fact(percent(value), value, share=True)


def _number(value: float) -> Fact:
    return Fact(number(value), value if math.isfinite(value) else None)


def tabled(found: dict[str, protos.Statistics], feature: str) -> View:
    """The facts about one feature, a column for each split or month; with two of them, also what changed."""
    columns = {name: facts(dataset, feature) for name, dataset in found.items()}
    for (
        name,
        dataset,
    ) in found.items():  # the most frequent values of one side, also where the other side has few of them
        _complete(columns, name, protos.feature(dataset, feature))
    names = list(dict.fromkeys(fact for column in columns.values() for fact in column))
    rows = []
    for name in names:
        cells = [column.get(name) for column in columns.values()]
        change = (_change(*cells),) if len(cells) == 2 else ()
        rows.append((name, *((cell.text if cell else "") for cell in cells), *change))
    head = ["", *columns, *(["change"] if len(columns) == 2 else [])]
    return table(head, rows, numbers=range(1, len(head)))


def _complete(columns: dict[str, dict[str, Fact]], name: str, one: Any) -> None:
    """Adds the shares of those values that only another column lists."""
    if one is None or one.WhichOneof("stats") != "string_stats":
        return
    known = {f"“{plain(value)}”": share for value, share in shares(one.string_stats).items()}
    for other in columns.values():
        for fact in other:
            if fact.startswith("“") and fact not in columns[name]:
                columns[name][fact] = _share(known.get(fact, 0.0) / 100)


def _change(left: Fact | None, right: Fact | None) -> str:
    """What changed from left to right, of the numbers as they are written: points of percentage for a share."""
    if left is None or right is None or left.value is None or right.value is None or left.text == right.text:
        return ""
    if left.share:
        points = round(100 * right.value, 1) - round(100 * left.value, 1)
        return f"{_sign(points)}{abs(points):.1f} points" if abs(points) > 0.05 else "hardly"
    difference = _written(right) - _written(left)
    if not difference:
        return ""
    return _sign(difference) + (f"{abs(difference):,.0f}" if abs(difference) >= 1000 else number(abs(difference)))


def _written(fact: Fact) -> float:
    return float(fact.text.replace(",", ""))


def _sign(difference: float) -> str:
    return "+" if difference > 0 else "−"
