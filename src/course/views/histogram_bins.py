"""One set of bins for several histograms, so that their bars can be held against each other.

TFDV gives each set of statistics bins of its own, ten from the lowest value to the highest. Here their counts are spread over
common bins, evenly within each of TFDV's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from course.views.numbers import has_values, histogram, quantile

_COUNT = 10
_FAR = 8
"""The range that is shown is cut where it is so many times as long as what holds the middle eight tenths."""


def common(several: Sequence[Any]) -> list[float]:
    """Edges of bins for the numbers of several sets of statistics; empty where none has a finite value.

    Where a few values lie far away (a 9999 among ages), the bins stay where the values are, and the outermost ones
    hold what lies beyond them.
    """
    spans = [span for stats in several if (span := finite_range(stats)) is not None]
    if not spans:
        return []
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    inner = [q for stats in several for q in (quantile(stats, 0.1), quantile(stats, 0.9)) if math.isfinite(q)]
    middle = max(inner) - min(inner) if inner else 0.0
    if middle and high - low > _FAR * middle:
        low, high = max(low, min(inner) - middle), min(high, max(inner) + middle)
    if low == high:
        half = abs(low) * 0.05 or 0.5
        return [low - half, high + half]
    return [low + (high - low) * step / _COUNT for step in range(_COUNT)] + [high]


def finite_range(stats: Any) -> tuple[float, float] | None:
    """The lowest and highest finite value; None without any."""
    buckets = finite(histogram(stats).buckets)
    if buckets:
        return buckets[0].low_value, buckets[-1].high_value
    present = has_values(stats) and math.isfinite(stats.min) and math.isfinite(stats.max)
    return (stats.min, stats.max) if present else None


def filled(stats: Any, edges: Sequence[float]) -> list[float]:
    """Percentage of the finite values in each bin; what lies beyond the bins is in the outermost ones."""
    span = finite_range(stats)
    if span is None or not edges:
        return [0.0] * max(0, len(edges) - 1)
    # Where the picture is cut, TFDV's even bins are too wide to say anything: its quantiles know more.
    buckets = finite(histogram(stats, quantiles=is_cut(span, edges)).buckets)
    found = [0.0] * (len(edges) - 1)
    for bucket in buckets:
        for place, part in _spread(bucket, edges):
            found[place] += part * bucket.sample_count
    total = sum(found)
    return [100 * count / total if total else 0.0 for count in found]


def outside(stats: Any, low: float, high: float) -> float:
    """Share of the finite values below `low` or above `high`, as far as TFDV's bins tell."""
    buckets = finite(histogram(stats).buckets)
    total = sum(bucket.sample_count for bucket in buckets)
    if not total or low > high:
        return 0.0
    inside = sum(bucket.sample_count * _within(bucket, low, high) for bucket in buckets)
    return max(0.0, 1 - inside / total)


def finite(buckets: Any) -> list[Any]:
    """The buckets of a histogram whose bounds are finite."""
    return [bucket for bucket in buckets if math.isfinite(bucket.low_value) and math.isfinite(bucket.high_value)]


def is_cut(span: tuple[float, float], edges: Sequence[float]) -> bool:
    """True if a range reaches beyond the bins."""
    slack = (edges[-1] - edges[0]) * 1e-9
    return span[0] < edges[0] - slack or span[1] > edges[-1] + slack


def _spread(bucket: Any, edges: Sequence[float]) -> list[tuple[int, float]]:
    """Which part of a bucket falls into which bin."""
    last = len(edges) - 2
    bounds = [-math.inf, *edges[1:-1], math.inf]
    if bucket.low_value >= bucket.high_value:
        place = max(i for i in range(last + 1) if bounds[i] <= bucket.low_value)
        return [(place, 1.0)]
    return [(i, part) for i in range(last + 1) if (part := _within(bucket, bounds[i], bounds[i + 1]))]


def _within(bucket: Any, low: float, high: float) -> float:
    """Which part of a bucket lies between two bounds, were its values spread evenly."""
    width = bucket.high_value - bucket.low_value
    if width <= 0:
        return float(low <= bucket.low_value <= high)
    return max(0.0, min(high, bucket.high_value) - max(low, bucket.low_value)) / width
