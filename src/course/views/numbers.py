"""Numbers read off the protos of statistics, and how they are written."""

from __future__ import annotations

import math
from typing import Any


def missing_share(common: Any) -> float:
    """Share of examples without a value, from the statistics common to all kinds of features."""
    total = common.num_missing + common.num_non_missing
    return common.num_missing / total if total else 0.0


def histogram(stats: Any) -> Any:
    """The histogram with buckets of equal width; the proto holds one of quantiles too."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    standard = statistics_pb2.Histogram.STANDARD
    return next((h for h in stats.histograms if h.type == standard), statistics_pb2.Histogram())


def number(value: float) -> str:
    """A number with as many digits as matter in a table."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def percent(share: float) -> str:
    """A share as percentage; what is small but not nothing does not look like nothing."""
    if share == 0:
        return "0%"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def quantile(stats: Any, share: float) -> float:
    """A quantile, read off the histogram of quantiles; in between its bounds, by straight lines."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    kind = statistics_pb2.Histogram.QUANTILES
    buckets = next((h.buckets for h in stats.histograms if h.type == kind), [])
    total = sum(bucket.sample_count for bucket in buckets)
    wanted, passed = share * total, 0.0
    for bucket in buckets:
        if passed + bucket.sample_count >= wanted and bucket.sample_count:
            inside = (wanted - passed) / bucket.sample_count
            return bucket.low_value + inside * (bucket.high_value - bucket.low_value)
        passed += bucket.sample_count
    return stats.median
