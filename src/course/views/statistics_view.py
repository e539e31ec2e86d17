"""Views of the statistics that StatisticsGen makes: all features in a table, one feature in a figure."""

from __future__ import annotations

from typing import Any

from course.display import FigureView
from course.views import distribution, protos
from course.views.html import View, heading, stack, table
from course.views.numbers import has_values, histogram, missing_share, number, percent, plain, zero_share

_BARS = "▁▂▃▄▅▆▇█"


def statistics(thing: Any, split: str | None = None, feature: str | None = None) -> View | FigureView:
    """What the data look like.

    Args:
        thing: an ExampleStatistics artifact, its channel, a proto of statistics, or a dict of several by name
            (`{"January": ..., "December": ...}`) to compare them.
        split: one split only; all of them by default.
        feature: one feature, as a figure: a histogram of its numbers, or its most frequent values. Without it, a table
            of all features.

    Raises:
        KeyError: no such split or feature; the message names those that there are.
    """
    found = protos.statistics(thing)
    if split is not None:
        if split not in found:
            raise KeyError(f"No split {split!r} here. There are: {', '.join(found)}.")
        found = {split: found[split]}
    if feature is None:
        return stack(*(overview(name, dataset) for name, dataset in found.items()))
    figure, alt = distribution.draw(found, feature)
    return FigureView(figure, alt)


def overview(name: str, dataset: protos.Statistics) -> View:
    """All features of one split: how much is missing, where the values lie, and the shape of their distribution."""
    numeric, categorical, others = [], [], []
    for feature in dataset.features:
        kind = feature.WhichOneof("stats")
        if kind == "num_stats":
            numeric.append(_numeric_row(feature))
        elif kind == "string_stats":
            categorical.append(_categorical_row(feature))
        else:
            others.append(_other_row(feature, kind))
    parts = [heading(name, f"{int(dataset.num_examples):,} examples, {len(dataset.features)} features")]
    if numeric:
        columns = ["number", "missing", "zero", "lowest", "median", "mean", "highest", "distribution"]
        parts.append(table(columns, numeric, numbers=range(1, 7)))
    if categorical:
        parts.append(table(["category", "missing", "different", "most frequent"], categorical, numbers=(1, 2)))
    if others:
        parts.append(table(["other", "kind", "missing"], others, numbers=(2,)))
    return stack(*parts)


def _numeric_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.num_stats
    present = has_values(stats)
    values = (stats.min, stats.median, stats.mean, stats.max)
    return (
        plain(protos.feature_name(feature)),
        percent(missing_share(stats.common_stats)),
        percent(zero_share(stats)) if present or not stats.common_stats.num_non_missing else "",
        *((number(value) if present else "") for value in values),
        spark([bucket.sample_count for bucket in histogram(stats).buckets]) if present else "",
    )


def _categorical_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.string_stats
    top = ", ".join(f"{plain(one.value)} ({one.frequency:,.0f})" for one in stats.top_values[:4])
    return plain(protos.feature_name(feature)), percent(missing_share(stats.common_stats)), stats.unique, top


def _other_row(feature: Any, kind: str | None) -> tuple[Any, ...]:
    """Features of which the table tells no more than that they are there: structures, bytes, and what has no statistics."""
    words = {"struct_stats": "structure", "bytes_stats": "bytes"}
    common = getattr(feature, kind).common_stats if kind else None
    return (
        plain(protos.feature_name(feature)),
        words.get(kind or "", "unknown"),
        percent(missing_share(common)) if common else "",
    )


def spark(counts: list[float]) -> str:
    """Counts as a line of little bars. TFDV estimates its buckets: less than 1 % of the highest is drawn as nothing."""
    highest = max(counts, default=0)
    if not highest:
        return ""
    heights = (count / highest for count in counts)
    return "".join("▁" if height < 0.01 else _BARS[min(7, 1 + int(height * 7))] for height in heights)
