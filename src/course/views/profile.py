"""Views of the statistics that StatisticsGen makes: all features in a table, one feature in a figure."""

from __future__ import annotations

from typing import Any

from course import display, style
from course.views import protos
from course.views.html import View, heading, stack, table

_BARS = "▁▂▃▄▅▆▇█"
_TOP = 10
"""Values of a categorical feature that the figure shows."""


class FigureView:
    """A figure that displays itself with its alt text, as the last expression of a cell or with `display`."""

    def __init__(self, figure: Any, alt: str) -> None:
        """Takes a matplotlib figure; it is drawn and closed at once."""
        figure.course_alt = alt
        self.figure, self.alt = figure, alt
        self._data, self._metadata = display.bundle(figure, alt)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._data, self._metadata

    def __repr__(self) -> str:
        """The alt text."""
        return self.alt


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
    figure, alt = draw(found, feature)
    return FigureView(figure, alt)


def choose(thing: Any, feature: str | None = None) -> None:
    """The figure of one feature, with a control to choose another, and one for the split.

    Args:
        thing: as for `statistics`.
        feature: the one to start from, and the one that the stored notebook shows; the first by default.
    """
    from course.explore import explore

    found = protos.statistics(thing)
    names = feature_names(found)
    start = names[0] if feature is None else feature
    splits = ["all splits", *found]

    def chosen(feature: str = start, split: str = splits[0]) -> Any:
        figure, alt = draw(found if split == splits[0] else {split: found[split]}, feature)
        figure.course_alt = alt
        return figure

    explore(chosen, feature=names, **({"split": splits} if len(found) > 1 else {}))


def feature_names(found: dict[str, protos.Statistics]) -> list[str]:
    """Names of all features, in the order of the data."""
    return list(dict.fromkeys(protos.feature_name(f) for dataset in found.values() for f in dataset.features))


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


def missing_share(common: Any) -> float:
    """Share of examples without a value, from the statistics common to all kinds of features."""
    total = common.num_missing + common.num_non_missing
    return common.num_missing / total if total else 0.0


def _numeric_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.num_stats
    present = stats.common_stats.num_non_missing
    values = (stats.min, stats.median, stats.mean, stats.max)
    return (
        protos.feature_name(feature),
        _percent(missing_share(stats.common_stats)),
        _percent(stats.num_zeros / present if present else 0.0),
        *((number(value) if present else "") for value in values),
        spark([bucket.sample_count for bucket in histogram(stats).buckets]) if present else "",
    )


def _categorical_row(feature: Any) -> tuple[Any, ...]:
    stats = feature.string_stats
    top = ", ".join(f"{one.value} ({one.frequency:,.0f})" for one in stats.top_values[:4])
    return protos.feature_name(feature), _percent(missing_share(stats.common_stats)), stats.unique, top


def histogram(stats: Any) -> Any:
    """The histogram with buckets of equal width; the proto holds one of quantiles too."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    standard = statistics_pb2.Histogram.STANDARD
    return next((h for h in stats.histograms if h.type == standard), statistics_pb2.Histogram())


def spark(counts: list[float]) -> str:
    """Counts as a line of little bars. TFDV estimates its buckets: less than 1 % of the highest is drawn as nothing."""
    highest = max(counts, default=0)
    if not highest:
        return ""
    heights = (count / highest for count in counts)
    return "".join("▁" if height < 0.01 else _BARS[min(7, 1 + int(height * 7))] for height in heights)


def number(value: float) -> str:
    """A number with as many digits as matter in a table."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _percent(share: float) -> str:
    if share == 0:
        return "0%"
    return "<0.1%" if share < 0.001 else f"{share:.1%}"


def draw(found: dict[str, protos.Statistics], feature: str) -> tuple[Any, str]:
    """The figure of one feature over splits, and its alt text.

    Raises:
        KeyError: no such feature.
    """
    stats = {}
    for split, dataset in found.items():
        for one in dataset.features:
            if protos.feature_name(one) == feature:
                stats[split] = one
    if not stats:
        raise KeyError(f"No feature {feature!r} here. There are: {', '.join(feature_names(found))}.")
    kind = next(iter(stats.values())).WhichOneof("stats")
    if kind == "num_stats":
        return _draw_numbers(feature, {split: one.num_stats for split, one in stats.items()})
    if kind == "string_stats":
        return _draw_categories(feature, {split: one.string_stats for split, one in stats.items()})
    raise KeyError(f"{feature} has neither numbers nor categories to draw.")


def _draw_numbers(feature: str, stats: dict[str, Any]) -> tuple[Any, str]:
    """Histograms over each other, as shares of the values, with a box of quartiles for each split below."""
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(8.0, 3.6 + 0.3 * len(stats)), sharex=True, height_ratios=[3.2, 0.35 * len(stats) + 0.3]
    )
    words, width = [], _bucket_width(stats)
    for place, (split, one) in enumerate(stats.items()):
        colour = style.CYCLE[place % len(style.CYCLE)]
        buckets = histogram(one).buckets
        edges, density = _shares_per(width, buckets)
        above.stairs(density, edges, color=colour, linewidth=2, label=_with_missing(split, one))
        above.stairs(density, edges, color=colour, fill=True, alpha=0.18 if len(stats) < 4 else 0.0)
        low, median, high = quantile(one, 0.25), one.median, quantile(one, 0.75)
        below.plot([one.min, one.max], [place, place], color=colour, linewidth=1)
        below.barh(place, high - low, left=low, height=0.5, color=style.tint(colour, 0.35), edgecolor=colour)
        below.plot([median, median], [place - 0.3, place + 0.3], color=style.INK, linewidth=2)
        words.append(
            f"{split}: {number(one.min)} to {number(one.max)}, median {number(median)}, "
            f"missing {_percent(missing_share(one.common_stats))}"
        )
    above.set(title=f"{feature}: distribution", ylabel=f"% of values per {number(width)}")
    _legend(above, len(stats))
    below.set(yticks=range(len(stats)), yticklabels=list(stats), xlabel=f"{feature} (box: middle half, line: median)")
    below.invert_yaxis()
    below.grid(axis="y", visible=False)
    return figure, f"Histogram of {feature} for each split. {'; '.join(words)}."


def _bucket_width(stats: dict[str, Any]) -> float:
    """A tenth of the whole range. Each split has buckets of its own width; the figure counts per one width for all."""
    low, high = min(one.min for one in stats.values()), max(one.max for one in stats.values())
    return (high - low) / 10 or 1.0


def _shares_per(width: float, buckets: Any) -> tuple[list[float], list[float]]:
    """Edges of the buckets, and the percentage of values in each, were it `width` wide."""
    if not buckets:
        return [0.0, 1.0], [0.0]
    edges = [bucket.low_value for bucket in buckets] + [buckets[-1].high_value]
    if edges[0] == edges[-1]:  # one value only
        return [edges[0] - width / 2, edges[0] + width / 2], [100.0]
    total = sum(bucket.sample_count for bucket in buckets) or 1
    return edges, [100 * b.sample_count / total * width / ((b.high_value - b.low_value) or width) for b in buckets]


def _legend(axes: Any, splits: int) -> None:
    """The legend where no data are: in the line of the title, or beside the axes if it is long."""
    if splits <= 3:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=splits, borderaxespad=0.2)
    else:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


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


def _draw_categories(feature: str, stats: dict[str, Any]) -> tuple[Any, str]:
    """The most frequent values as bars, one for each split, as shares of the values."""
    from matplotlib import pyplot

    shares = {split: _shares(one) for split, one in stats.items()}
    total = {value: sum(of.get(value, 0) for of in shares.values()) for of in shares.values() for value in of}
    values = sorted(total, key=lambda value: (-total[value], value))[:_TOP]
    thick = 0.8 / len(stats)
    figure, axes = pyplot.subplots(figsize=(8.0, max(2.2, min(5.2, 1.1 + len(values) * max(0.28, 0.17 * len(stats))))))
    for place, (split, one) in enumerate(stats.items()):
        at = [row + (place - (len(stats) - 1) / 2) * thick for row in range(len(values))]
        lengths = [shares[split].get(value, 0) for value in values]
        colour = style.CYCLE[place % len(style.CYCLE)]
        axes.barh(at, lengths, height=thick * 0.92, color=colour, label=_with_missing(split, one))
    axes.set(yticks=range(len(values)), yticklabels=values, xlabel="share of values (%)")
    different = max(one.unique for one in stats.values())
    kept = f"the {len(values)} most frequent of {different} values" if different > len(values) else "all values"
    axes.set_title(f"{feature}: {kept}")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _legend(axes, len(stats))
    words = [
        f"{split}: " + ", ".join(f"{value} {shares[split].get(value, 0):.1f}%" for value in values[:3])
        for split in stats
    ]
    return figure, f"Bars for {kept} of {feature}. {'; '.join(words)}."


def _shares(stats: Any) -> dict[str, float]:
    """Share of each value in percent. The rank histogram has more values than the list of the top ones."""
    counts = {bucket.label: bucket.sample_count for bucket in stats.rank_histogram.buckets}
    counts = counts or {one.value: one.frequency for one in stats.top_values}
    present = stats.common_stats.tot_num_values or sum(counts.values()) or 1
    return {value: 100 * count / present for value, count in counts.items()}


def _with_missing(split: str, stats: Any) -> str:
    """Label of a split in a legend, with what is missing in it."""
    share = missing_share(stats.common_stats)
    return f"{split} ({_percent(share)} missing)" if share else split
