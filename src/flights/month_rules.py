"""Rules that all flights of a split or month keep or break together. `rules` says how they are written."""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .rules import Rule

Columns = Mapping[str, np.ndarray]
"""Columns by name, of the same length: numbers as float with NaN where a value is missing, texts as objects with None."""

STANDARD_ERRORS = 3.0
"""By how many standard errors a mean or a share must lie outside of its limits, so that few flights are no fault."""

ERRORS_OF_ORDER = 2.0
"""The same for an order, which 2,000 labels at random would often have by three."""

FEWEST_IN_GROUP = 200
"""Flights that a group must have to be judged by its mean."""

FEWEST_MISSED = 20
"""Flights that a value must be expected to have, before its absence says something."""

FEWEST_A_DAY = 10
"""Flights a day, on average, from which on a day without one says something."""

LONGEST = 40
"""Characters of a value that a message shows."""


def by_key(rule: Rule, columns: Columns) -> dict[str, np.ndarray]:
    """What a rule groups flights by: the further columns, divided where it says so."""
    parts = {key: key.partition("/") for key in rule.keys}
    return {key: columns[name] // int(step) if step else columns[name] for key, (name, _, step) in parts.items()}


def list_unusual_means(rule: Rule, columns: Columns, _: Columns) -> list[str]:
    """Means outside of their limits, of all flights or of each group that is large enough."""
    low, high = float(rule.given["low"]), float(rule.given["high"])
    found = []
    for which, values in _groups(rule, columns):
        known = values[~np.isnan(values)]
        if len(known) < (FEWEST_IN_GROUP if rule.keys else 2):
            continue
        mean, error = float(known.mean()), float(known.std(ddof=1)) / math.sqrt(len(known))
        if not low - STANDARD_ERRORS * error <= mean <= high + STANDARD_ERRORS * error:
            found.append(f"the mean{which} is {mean:.4g}, and it should be from {low:g} to {high:g}.")
    return found


def list_unusual_order(rule: Rule, columns: Columns, _: Columns) -> list[str]:
    """Whether a number ranks the label as well as it should; the standard error is that of the Mann-Whitney test."""
    import pandas as pd

    label, number = columns[rule.column], columns[rule.others[0]]
    is_known = np.isin(label, (0, 1)) & ~np.isnan(number)
    ranks, positive = pd.Series(number[is_known]).rank().to_numpy(), label[is_known] == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones * zeros:
        return []
    auc = (ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    room = ERRORS_OF_ORDER * math.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    low, high = float(rule.given["low"]), float(rule.given["high"])
    if low - room <= auc <= high + room:
        return []
    return [
        f"{rule.others[0]} alone ranks it with an AUC of {auc:.3f}, and that should be from {low:g} to {high:g}. "
        "Were labels joined to other flights, or made otherwise?"
    ]


def list_repeated(rule: Rule, columns: Columns, _: Columns) -> list[str]:
    """Whether one value is that of too many flights."""
    import pandas as pd

    counts = pd.Series(columns[rule.column]).value_counts()
    known, most = int(counts.sum()), float(rule.given["most"])
    room = STANDARD_ERRORS * math.sqrt(most * (1 - most) / max(known, 1))
    if not known or counts.iloc[0] <= (most + room) * known:
        return []
    return [
        f"{counts.iloc[0]:,} of {known:,} flights have {shown(counts.index[0])}, and no value should have more than {most:.2%}. "
        "Does it stand for a value that is missing?"
    ]


def list_gone(rule: Rule, columns: Columns, earlier: Columns) -> list[str]:
    """Values that many earlier flights have, and now none."""
    import pandas as pd

    shares = pd.Series(earlier[rule.column]).value_counts(normalize=True)
    now = pd.Series(columns[rule.column]).dropna()
    there = set(now)
    expected = shares[(shares >= float(rule.given["least"])) & (shares * len(now) >= FEWEST_MISSED)]
    return [
        f"no flight has {shown(value)}, which {share:.1%} of the earlier flights have. Are flights left out?"
        for value, share in expected.items()
        if value not in there
    ]


def list_missing_days(rule: Rule, columns: Columns, _: Columns) -> list[str]:
    """Whether more days of a month have no flight than may, where there are enough flights to expect some on each."""
    import pandas as pd

    keys = [*rule.others, rule.column]
    dates = pd.DataFrame({name: columns[name] for name in keys}).dropna()
    found = []
    for (year, month), days in dates.groupby(rule.others)[rule.column]:
        if not (1 <= month <= 12 and 1 <= year <= 9999):
            continue
        last = calendar.monthrange(int(year), int(month))[1]
        gone = sorted(set(range(1, last + 1)) - set(days))
        if len(gone) > int(rule.given["missed"]) and len(days) >= FEWEST_A_DAY * last:
            found.append(
                f"no flight on {len(gone)} of the {last} days of {year:.0f}-{month:02.0f}, the first is day {gone[0]}. Is the month whole?"
            )
    return found


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


def _groups(rule: Rule, columns: Columns) -> Iterator[tuple[str, np.ndarray]]:
    """All values, or those of each group, with words for the group."""
    import pandas as pd

    values = columns[rule.column]
    if not rule.keys:
        yield "", values
        return
    for group, places in pd.DataFrame(by_key(rule, columns)).groupby(rule.keys).indices.items():
        several = group if isinstance(group, tuple) else (group,)
        yield f" where {' and '.join(map(_told, rule.keys, several))}", values[places]


def _told(key: str, value: object) -> str:
    name, _, step = key.partition("/")
    return (
        f"{name} is {value * int(step):.0f} to {(value + 1) * int(step) - 1:.0f}"
        if step
        else f"{name} is {shown(value)}"
    )
