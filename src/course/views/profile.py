"""Views of the statistics that StatisticsGen makes: all features in a table, one feature in a figure."""

from __future__ import annotations

from typing import Any

from course.display import FigureView
from course.views import distribution, protos
from course.views.html import View, heading, stack, table
from course.views.numbers import histogram, missing_share, number, percent

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


def choose(
    thing: Any,
    other: Any = None,
    feature: str | None = None,
    names: tuple[str, str] = ("January", "February"),
) -> None:
    """The figure of one feature, with a control to choose another, and one for the split or month.

    Args:
        thing: as for `statistics`; several months as `{"January": statistics, "February": statistics, ...}`.
        other: a second set of statistics, to compare with the first.
        feature: the one to start from, and the one that the stored notebook shows; the first by default.
        names: what the two are called, if there are two.
    """
    from course.controls import explore

    months = isinstance(thing, dict) or other is not None
    found = protos.statistics(thing if other is None else dict(zip(names, (thing, other), strict=True)))
    choices = protos.feature_names(found)
    start = choices[0] if feature is None else feature
    every = "all months" if months else "all splits"

    def figure(feature: str, part: str) -> Any:
        figure, alt = distribution.draw(found if part == every else {part: found[part]}, feature)
        figure.course_alt = alt
        return figure

    if months:

        def by_month(feature: str = start, month: str = every) -> Any:
            return figure(feature, month)

        explore(by_month, feature=choices, month=[every, *found])
    elif len(found) > 1:

        def by_split(feature: str = start, split: str = every) -> Any:
            return figure(feature, split)

        explore(by_split, feature=choices, split=[every, *found])
    else:

        def only(feature: str = start) -> Any:
            return figure(feature, every)

        explore(only, feature=choices)


def overview(name: str, dataset: protos.Statistics) -> View:
    """All features of one split: how much is missing, where the values lie, and the shape of their distribution."""
    numeric, categorical = [], []
    for feature in dataset.features:
        kind = feature.WhichOneof("stats")
        if kind == "num_stats":
            numeric.append(_numeric_row(feature))
        elif kind == "string_stats":
            categorical.append(_categorical_row(feature))
    parts = [heading(name, f"{int(dataset.num_examples):,} examples, {len(dataset.features)} features")]
    if numeric:
        columns = ["number", "missing", "zero", "lowest", "median", "mean", "highest", "distribution"]
        parts.append(table(columns, numeric, numbers=range(1, 7)))
    if categorical:
        parts.append(table(["category", "missing", "different", "most frequent"], categorical, numbers=(1, 2)))
    return stack(*parts)


def _numeric_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.num_stats
    present = stats.common_stats.num_non_missing
    values = (stats.min, stats.median, stats.mean, stats.max)
    return (
        protos.feature_name(feature),
        percent(missing_share(stats.common_stats)),
        percent(stats.num_zeros / present if present else 0.0),
        *((number(value) if present else "") for value in values),
        spark([bucket.sample_count for bucket in histogram(stats).buckets]) if present else "",
    )


def _categorical_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.string_stats
    top = ", ".join(f"{one.value} ({one.frequency:,.0f})" for one in stats.top_values[:4])
    return protos.feature_name(feature), percent(missing_share(stats.common_stats)), stats.unique, top


def spark(counts: list[float]) -> str:
    """Counts as a line of little bars. TFDV estimates its buckets: less than 1 % of the highest is drawn as nothing."""
    highest = max(counts, default=0)
    if not highest:
        return ""
    heights = (count / highest for count in counts)
    return "".join("▁" if height < 0.01 else _BARS[min(7, 1 + int(height * 7))] for height in heights)
