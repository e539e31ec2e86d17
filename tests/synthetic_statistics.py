"""Statistics as TFDV writes them, made by hand: each odd thing that a data set can hold, without TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

Dataset = statistics_pb2.DatasetFeatureStatistics
Feature = statistics_pb2.FeatureNameStatistics


def dataset(size: float, *features: Feature) -> Dataset:
    """Statistics of a data set.

    Args:
        size: number of examples.
        features: made by the functions below.
    """
    return Dataset(num_examples=int(size), features=features)


def numbers(
    name: str,
    values: Sequence[float],
    missing: int = 0,
    buckets: int = 10,
    whole: bool = False,
    weighted: float | None = None,
) -> Feature:
    """A numeric feature with these values, its histograms counted exactly."""
    made = Feature(type=Feature.INT if whole else Feature.FLOAT)
    made.path.step.append(name)
    stats, ordered = made.num_stats, sorted(values)
    _common(stats, len(values), missing)
    if not ordered:
        return made
    low, high = ordered[0], ordered[-1]
    stats.min, stats.max, stats.mean = low, high, sum(ordered) / len(ordered)
    stats.median, stats.num_zeros = ordered[len(ordered) // 2], ordered.count(0)
    width = (high - low) / buckets
    standard = stats.histograms.add(type=statistics_pb2.Histogram.STANDARD)
    for place in range(buckets if width else 1):
        start, end = low + place * width, (low + (place + 1) * width) if place < buckets - 1 and width else high
        last = place == buckets - 1 or not width
        inside = [value for value in ordered if start <= value and (value < end or last)]
        standard.buckets.add(low_value=start, high_value=end, sample_count=len(inside))
    quantiles = stats.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
    edges = [ordered[min(len(ordered) - 1, round(step * len(ordered) / 10))] for step in range(11)]
    for start, end in itertools.pairwise(edges):
        quantiles.buckets.add(low_value=start, high_value=end, sample_count=len(ordered) / 10)
    if weighted is not None:
        stats.weighted_numeric_stats.mean = stats.weighted_numeric_stats.median = weighted
    return made


def categories(name: str, counts: dict[str, int], missing: int = 0, several: bool = False) -> Feature:
    """A categorical feature; `counts` gives how often each value occurs."""
    made = Feature(type=Feature.STRING)
    made.path.step.append(name)
    total = sum(counts.values())
    _common(made.string_stats, total, missing, most=3 if several else 1)
    made.string_stats.unique = len(counts)
    for place, (value, count) in enumerate(sorted(counts.items(), key=lambda pair: -pair[1])):
        made.string_stats.top_values.add(value=value, frequency=count)
        made.string_stats.rank_histogram.buckets.add(low_rank=place, high_rank=place, label=value, sample_count=count)
    return made


def empty_lists(name: str, size: int) -> Feature:
    """A numeric feature that every example has, without a value in it."""
    made = Feature(type=Feature.FLOAT)
    made.path.step.append(name)
    made.num_stats.common_stats.num_non_missing = size
    return made


def structure(name: str, size: int) -> Feature:
    """A feature that holds further features."""
    made = Feature(type=Feature.STRUCT)
    made.path.step.append(name)
    _common(made.struct_stats, size, 0)
    return made


def raw_bytes(name: str, size: int) -> Feature:
    """A feature of bytes that are no text, such as images."""
    made = Feature(type=Feature.BYTES)
    made.path.step.append(name)
    _common(made.bytes_stats, size, 0)
    made.bytes_stats.unique, made.bytes_stats.avg_num_bytes = size, 512
    return made


def with_infinity(name: str) -> Feature:
    """A numeric feature with values up to infinity and one that is not a number, as TFDV counts it."""
    made = numbers(name, [-2.0, 1.0, 3.0])
    made.num_stats.max, made.num_stats.mean = float("inf"), float("nan")
    made.num_stats.histograms[0].num_nan = 1
    for histogram in made.num_stats.histograms:
        histogram.buckets.add(low_value=3.0, high_value=float("inf"), sample_count=0.5)
        histogram.buckets.add(low_value=float("inf"), high_value=float("inf"), sample_count=1)
    return made


def _common(stats: Any, present: int, missing: int, most: int = 1) -> None:
    common = stats.common_stats
    common.num_non_missing, common.num_missing, common.tot_num_values = present, missing, present
    if present:
        common.min_num_values, common.max_num_values, common.avg_num_values = 1, most, (1 + most) / 2


ODD: dict[str, Dataset] = {
    "no examples": dataset(0, numbers("x", [])),
    "all missing": dataset(5, numbers("x", [], missing=5)),
    "no categories": dataset(5, categories("x", {}, missing=5)),
    "empty lists": dataset(5, empty_lists("x", 5)),
    "one value": dataset(4, numbers("x", [7, 7, 7, 7])),
    "zero only": dataset(4, numbers("x", [0, 0, 0, 0])),
    "infinity": dataset(5, with_infinity("x")),
    "huge": dataset(4, numbers("x", [-1e18, 0, 1, 1e18], whole=True)),
    "tiny": dataset(4, numbers("x", [1e-12, 2e-12, 3e-12, 4e-12])),
    "far away": dataset(100, numbers("x", [*range(99), 99999])),
    "several values": dataset(5, categories("x", {"a": 6, "b": 3}, several=True)),
    "odd texts": dataset(9, categories("x", {"": 3, "$5_{x}$": 2, "日本\n": 2, "y" * 300: 1, "<script>": 1})),
    "many values": dataset(5000, categories("x", {f"value {n}": 5000 - n for n in range(1000)})),
    "structure": dataset(5, structure("x", 5)),
    "bytes": dataset(5, raw_bytes("x", 5)),
    "no statistics": dataset(5, Feature(name="x")),
    "weighted": dataset(4, numbers("x", [1, 2, 3, 4], weighted=3.5)),
    "no feature": dataset(5),
    "nothing": Dataset(),
}
"""Statistics of one feature `x`, each odd in its own way. In the last two there is no such feature."""
