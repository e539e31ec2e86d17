"""The functions of Prometheus' query language that take numbers: samples of a range, values one by one, buckets of a histogram.

As in https://github.com/prometheus/prometheus/blob/v2.42.0/promql/functions.go and quantile.go.
"""

from __future__ import annotations

import calendar
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np


def _rise(times: list[float], values: list[float], start: float, end: float, is_counter: bool = True) -> float | None:
    """How much a series rose within a range: extrapolated to its ends, as `extrapolatedRate` does."""
    if len(values) < 2:
        return None
    rise = values[-1] - values[0]
    if is_counter:
        rise += sum(before for before, after in itertools.pairwise(values) if after < before)
    to_start, to_end, seen = times[0] - start, end - times[-1], times[-1] - times[0]
    between = seen / (len(values) - 1)
    if is_counter and rise > 0 and values[0] >= 0:
        to_start = min(to_start, seen * values[0] / rise)
    covered = seen + sum(one if one < between * 1.1 else between / 2 for one in (to_start, to_end))
    return rise * covered / seen


def _rate(times: list[float], values: list[float], start: float, end: float) -> float | None:
    rise = _rise(times, values, start, end)
    return None if rise is None else rise / (end - start)


def _last_two(times: list[float], values: list[float], is_rate: bool) -> float | None:
    if len(values) < 2:
        return None
    before, after = values[-2:]
    if not is_rate:
        return after - before
    return (after if after < before else after - before) / (times[-1] - times[-2])


def _line(times: list[float], values: list[float], at: float) -> tuple[float, float] | None:
    """Slope and height at a time of the line with the least squares."""
    if len(values) < 2:
        return None
    if len(set(values)) == 1:
        return (0.0, values[0]) if math.isfinite(values[0]) else (math.nan, math.nan)
    x, y = np.array(times) - at, np.array(values)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return slope, y.mean() - slope * x.mean()


def _predicted(times: list[float], values: list[float], end: float, ahead: float) -> float | None:
    line = _line(times, values, end)
    return None if line is None else line[0] * ahead + line[1]


def _changes(values: list[float]) -> int:
    pairs = itertools.pairwise(values)
    return sum(after != before and not (math.isnan(after) and math.isnan(before)) for before, after in pairs)


def quantile(share: float, values: Sequence[float]) -> float:
    """The value below which that share lies: a straight line between two of them."""
    if not values or math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    ranked = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = share * (len(ranked) - 1)
    below = math.floor(rank)
    above, weight = min(len(ranked) - 1, below + 1), rank - below
    return ranked[below] * (1 - weight) + ranked[above] * weight


def _over(of: Callable[[list[float]], float]) -> Callable[..., float]:
    return lambda _, values, *__: of(values)


AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": np.mean,
    "min": np.fmin.reduce,  # of the numbers among values
    "max": np.fmax.reduce,
    "count": len,
    "stddev": np.std,
    "stdvar": np.var,
    "group": lambda _: 1.0,
}

OVER_RANGES: dict[str, Callable[..., float | None]] = {
    **{f"{name}_over_time": _over(of) for name, of in AGGREGATES.items() if name != "group"},
    "last_over_time": _over(lambda values: values[-1]),
    "present_over_time": _over(lambda _: 1.0),
    "quantile_over_time": lambda _, values, __, ___, share: quantile(share, values),
    "changes": _over(_changes),
    "resets": _over(lambda values: sum(after < before for before, after in itertools.pairwise(values))),
    "rate": _rate,
    "increase": _rise,
    "delta": lambda *samples: _rise(*samples, is_counter=False),
    "irate": lambda times, values, *_: _last_two(times, values, is_rate=True),
    "idelta": lambda times, values, *_: _last_two(times, values, is_rate=False),
    "deriv": lambda times, values, *_: (_line(times, values, times[0]) or [None])[0],
    "predict_linear": lambda times, values, _, end, ahead: _predicted(times, values, end, ahead),
}


NUMBERS: dict[str, Callable[..., float]] = {
    **{
        name: getattr(np, name)
        for name in ("abs", "ceil", "floor", "exp", "sqrt", "log2", "log10", "sin", "cos", "tan")
    },
    "ln": np.log,
    "sgn": np.sign,
    "deg": np.degrees,
    "rad": np.radians,
    "round": lambda value, to=1.0: np.floor(value * (1 / to) + 0.5) / (1 / to),
    "clamp": np.clip,
    "clamp_min": np.maximum,
    "clamp_max": np.minimum,
}

DATES: dict[str, Callable[[datetime], int]] = {
    **{name: operator.attrgetter(name) for name in ("minute", "hour", "month", "year")},
    "day_of_month": operator.attrgetter("day"),
    "day_of_week": lambda day: day.isoweekday() % 7,
    "day_of_year": lambda day: day.timetuple().tm_yday,
    "days_in_month": lambda day: calendar.monthrange(day.year, day.month)[1],
}


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def of_buckets(share: float, buckets: list[tuple[float, float]]) -> float:
    """From the counts up to each bound: a straight line within a bucket."""
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share - 0.5)
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or not buckets[-1][1]:
        return math.nan
    bounds = [bound for bound, _ in buckets]
    counts = list(itertools.accumulate((count for _, count in buckets), max))
    rank = share * counts[-1]
    place = next(number for number, count in enumerate(counts) if count >= rank)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0:
        return bounds[0] if bounds[0] <= 0 else bounds[0] * rank / counts[0]
    within = (rank - counts[place - 1]) / (counts[place] - counts[place - 1])
    return bounds[place - 1] + (bounds[place] - bounds[place - 1]) * within
