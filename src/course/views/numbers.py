"""Numbers read off the protos of statistics, and how they are written."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

_LONGEST = 28
"""Characters of a value or name that a figure shows."""


def missing_share(common: Any) -> float:
    """Share of examples without a value, from the statistics common to all kinds of features."""
    total = common.num_missing + common.num_non_missing
    return common.num_missing / total if total else 0.0


def count(stats: Any) -> float:
    """How many values there are: more than examples where a feature has several. Hand-made protos may not say."""
    return stats.common_stats.tot_num_values or stats.common_stats.num_non_missing


def has_values(stats: Any) -> bool:
    """True if there is a value at all. An example may have the feature without one: an empty list is not "missing"."""
    if not stats.common_stats.num_non_missing or stats.common_stats.tot_num_values:
        return bool(stats.common_stats.tot_num_values)
    kind = stats.DESCRIPTOR.name
    return bool(stats.histograms if kind == "NumericStatistics" else stats.rank_histogram.buckets or stats.top_values)


def zero_share(stats: Any) -> float:
    """Share of zeros among the values of a number."""
    values = count(stats)
    return min(1.0, stats.num_zeros / values) if values else 0.0


def shares(stats: Any) -> dict[str, float]:
    """Share of each value of a category in percent. The rank histogram has more values than the list of the top ones."""
    counts = {bucket.label: bucket.sample_count for bucket in stats.rank_histogram.buckets}
    counts = counts or {one.value: one.frequency for one in stats.top_values}
    present = stats.common_stats.tot_num_values or sum(counts.values()) or 1
    return {value: 100 * times / present for value, times in counts.items()}


def histogram(stats: Any, quantiles: bool = False) -> Any:
    """The histogram with buckets of equal width, or that of quantiles; an empty one where there is none."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    kind = statistics_pb2.Histogram.QUANTILES if quantiles else statistics_pb2.Histogram.STANDARD
    return next((h for h in stats.histograms if h.type == kind), statistics_pb2.Histogram())


def number(value: float) -> str:
    """A number with as many digits as matter in a table."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e15 else f"{value:.0f}"


def percent(share: float) -> str:
    """A share as percentage; what is small but not nothing does not look like nothing."""
    if share == 0:
        return "0%"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def quantile(stats: Any, share: float) -> float:
    """A quantile, read off the histogram of quantiles; in between its bounds, by straight lines."""
    buckets = histogram(stats, quantiles=True).buckets
    total = sum(bucket.sample_count for bucket in buckets)
    wanted, passed = share * total, 0.0
    for bucket in buckets:
        if passed + bucket.sample_count >= wanted and bucket.sample_count:
            if not math.isfinite(bucket.high_value - bucket.low_value):
                return bucket.low_value
            inside = (wanted - passed) / bucket.sample_count
            return bucket.low_value + inside * (bucket.high_value - bucket.low_value)
        passed += bucket.sample_count
    return stats.median


def plain(value: str, longest: int = 40) -> str:
    """A value in one line, not too long, with what cannot be printed written as an escape."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return (text if len(text) <= longest else text[: longest - 1] + "…") or "(empty)"


def readable(value: str, longest: int = _LONGEST) -> str:
    """A value or a name as it can stand in a figure: as `plain`, with only those characters that its typefaces have."""
    known = "".join(c if _has_glyph(c) else c.encode("unicode_escape").decode() for c in plain(value, longest))
    return known.replace("$", r"\$")


@cache
def _has_glyph(character: str) -> bool:
    from matplotlib.font_manager import findfont, get_font

    return bool(get_font(findfont("DejaVu Sans")).get_char_index(ord(character)))
