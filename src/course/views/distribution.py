"""The figure of one feature: a histogram of its numbers, or its most frequent values, for each split or month."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.views import histogram_bins, protos
from course.views.numbers import (
    has_values,
    histogram,
    missing_share,
    number,
    percent,
    plain,
    quantile,
    readable,
    shares,
)

_TOP = 10
"""Values of a categorical feature that the figure shows."""

_KINDS = {"num_stats": "numbers", "string_stats": "categories", "bytes_stats": "bytes", "struct_stats": "a structure"}


def draw(found: dict[str, protos.Statistics], feature: str, common: bool = False) -> tuple[Any, str]:
    """The figure of one feature over splits or months, and its alt text.

    Args:
        found: statistics by the name of the split or month.
        feature: its name; steps of a path joined by dots.
        common: count numbers in the same bins for all, so that bars can be compared one by one.

    Raises:
        KeyError: no such feature; the message names those that there are.
    """
    stats = {split: protos.feature(dataset, feature) for split, dataset in found.items()}
    if not any(one is not None for one in stats.values()):
        raise KeyError(f"No feature {feature!r} here. There are: {', '.join(protos.feature_names(found)) or 'none'}.")
    kinds = {split: _drawable(one) for split, one in stats.items()}
    kind = next((kind for kind in kinds.values() if kind), "")
    left_out = [f"{split}: {_why(stats[split], kind)}" for split in stats if kinds[split] != kind or not kind]
    drawn = {split: getattr(stats[split], kind) for split in stats if kind and kinds[split] == kind}
    if kind == "num_stats":
        figure, alt = _draw_numbers(feature, drawn, common)
    elif kind == "string_stats":
        figure, alt = _draw_categories(feature, drawn)
    else:
        figure, alt = _draw_nothing(feature), f"Nothing to draw of {feature}."
    if left_out:
        words = "; ".join(readable(line, 60) for line in left_out[:4]) + ("; …" if len(left_out) > 4 else "")
        figure.supxlabel(words, x=0.01, ha="left", fontsize=11, color=style.MUTED)
        alt += f" Not drawn: {'; '.join(left_out)}."
    return figure, alt


def _drawable(one: Any) -> str:
    """Which kind of figure the feature has; empty where it has none."""
    kind = one.WhichOneof("stats") if one is not None else None
    if kind == "num_stats":
        return kind if histogram_bins.finite_range(one.num_stats) is not None else ""
    if kind == "string_stats":
        return kind if shares(one.string_stats) else ""
    return ""


def _why(one: Any, kind: str) -> str:
    """Why a split is not in the figure."""
    if one is None:
        return "no such feature"
    held = one.WhichOneof("stats")
    if held in ("num_stats", "string_stats") and _drawable(one):
        return f"holds {_KINDS[held]}"
    if held in ("num_stats", "string_stats") and not has_values(getattr(one, held)):
        return "no values"
    return f"holds {_KINDS.get(held or '', 'something')} that cannot be drawn"


def _draw_nothing(feature: str) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8.0, 1.6))
    axes.set_title(f"{readable(feature)}: nothing to draw")
    axes.set_axis_off()
    return figure


def _draw_numbers(feature: str, stats: dict[str, Any], common: bool) -> tuple[Any, str]:
    """Histograms over each other, as shares of the values, with a box of quartiles for each split below."""
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(8.0, 3.6 + 0.3 * len(stats)), sharex=True, height_ratios=[3.2, 0.35 * len(stats) + 0.3]
    )
    edges = histogram_bins.common(list(stats.values())) if common else []
    words, width = [], edges[1] - edges[0] if edges else _bucket_width(stats)
    for place, (split, one) in enumerate(stats.items()):
        colour = style.CYCLE[place % len(style.CYCLE)]
        at, density = (
            (edges, histogram_bins.filled(one, edges))
            if edges
            else _shares_per(width, histogram_bins.finite(histogram(one).buckets))
        )
        above.stairs(density, at, color=colour, linewidth=2, label=_with_missing(split, one))
        above.stairs(density, at, color=colour, fill=True, alpha=0.18 if len(stats) < 4 else 0.0)
        _box(below, place, one, colour)
        words.append(
            f"{split}: {number(one.min)} to {number(one.max)}, median {number(one.median)}, "
            f"missing {percent(missing_share(one.common_stats))}"
        )
    above.set(title=f"{readable(feature)}: distribution", ylabel=f"% of values per {number(width)}")
    _legend(above, len(stats))
    cut = _cut(edges, stats)
    remark = f"; values beyond {cut} are in the outermost bars" if cut else ""
    below.set(
        yticks=range(len(stats)),
        yticklabels=[readable(split) for split in stats],
        xlabel=f"{readable(feature)} (box: middle half, line: median{remark})",
    )
    if edges:
        below.set_xlim(edges[0] - width / 3, edges[-1] + width / 3)
    below.invert_yaxis()
    below.grid(axis="y", visible=False)
    return figure, f"Histogram of {feature} for each split. {'; '.join(words)}."


def _box(axes: Any, place: int, one: Any, colour: str) -> None:
    """Lowest to highest value as a line, the middle half as a box, the median across it."""
    low, high = histogram_bins.finite_range(one)
    quarters = [min(max(value, low), high) for value in (quantile(one, 0.25), one.median, quantile(one, 0.75))]
    if any(math.isnan(value) for value in quarters):
        return
    axes.plot([low, high], [place, place], color=colour, linewidth=1)
    axes.barh(
        place,
        quarters[2] - quarters[0],
        left=quarters[0],
        height=0.5,
        color=style.tint(colour, 0.35),
        edgecolor=colour,
    )
    axes.plot([quarters[1], quarters[1]], [place - 0.3, place + 0.3], color=style.INK, linewidth=2)


def _cut(edges: list[float], stats: dict[str, Any]) -> str:
    """Between which values the bins lie, where some values are beyond them; empty where none is."""
    ranges = [histogram_bins.finite_range(one) for one in stats.values()]
    if not edges or not any(histogram_bins.is_cut(span, edges) for span in ranges):
        return ""
    return f"{number(edges[0])} to {number(edges[-1])}"


def _bucket_width(stats: dict[str, Any]) -> float:
    """A tenth of the whole range. Each split has buckets of its own width; the figure counts per one width for all."""
    spans = [histogram_bins.finite_range(one) for one in stats.values()]
    return (max(high for _, high in spans) - min(low for low, _ in spans)) / 10 or 1.0


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
    """The legend where no data are: in the line of the title, or beside the axes if both do not fit into that line."""
    _, labels = axes.get_legend_handles_labels()
    widest = max((len(tick.get_text()) for tick in axes.get_yticklabels()), default=0)
    if splits <= 3 and len(axes.get_title(loc="left")) + sum(len(one) + 4 for one in labels) < 96 - widest:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=splits, borderaxespad=0.2)
    else:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _draw_categories(feature: str, stats: dict[str, Any]) -> tuple[Any, str]:
    """The most frequent values as bars, one for each split, as shares of the values."""
    from matplotlib import pyplot

    found = {split: shares(one) for split, one in stats.items()}
    total = {value: sum(of.get(value, 0) for of in found.values()) for of in found.values() for value in of}
    values = sorted(total, key=lambda value: (-total[value], value))[:_TOP]
    thick = 0.8 / len(stats)
    figure, axes = pyplot.subplots(figsize=(8.0, max(2.2, min(5.2, 1.1 + len(values) * max(0.28, 0.17 * len(stats))))))
    for place, (split, one) in enumerate(stats.items()):
        at = [row + (place - (len(stats) - 1) / 2) * thick for row in range(len(values))]
        lengths = [found[split].get(value, 0) for value in values]
        colour = style.CYCLE[place % len(style.CYCLE)]
        axes.barh(at, lengths, height=thick * 0.92, color=colour, label=_with_missing(split, one))
    axes.set(yticks=range(len(values)), yticklabels=[readable(v) for v in values], xlabel="share of values (%)")
    different = max(one.unique for one in stats.values())
    kept = f"the {len(values)} most frequent of {different} values" if different > len(values) else "all values"
    axes.set_title(f"{readable(feature)}: {kept}")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _legend(axes, len(stats))
    words = [
        f"{split}: " + ", ".join(f"{plain(value)} {found[split].get(value, 0):.1f}%" for value in values[:3])
        for split in stats
    ]
    return figure, f"Bars for {kept} of {feature}. {'; '.join(words)}."


def _with_missing(split: str, stats: Any) -> str:
    """Label of a split in a legend, with what is missing in it."""
    share = missing_share(stats.common_stats)
    return f"{readable(split)} ({percent(share)} missing)" if share else readable(split)
