"""The figure of one feature: a histogram of its numbers, or its most frequent values, for each split."""

from __future__ import annotations

from typing import Any

from course import style
from course.views import protos
from course.views.numbers import histogram, missing_share, number, percent, quantile

_TOP = 10
"""Values of a categorical feature that the figure shows."""


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
        raise KeyError(f"No feature {feature!r} here. There are: {', '.join(protos.feature_names(found))}.")
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
            f"missing {percent(missing_share(one.common_stats))}"
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
    return f"{split} ({percent(share)} missing)" if share else split
