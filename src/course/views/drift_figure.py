"""The figure of one feature's drift: its distance by month, and beside it what moved in one of the months."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.views import histogram_bins, protos
from course.views.drift_distances import TITLES, kind_of
from course.views.drift_multiples import line, reference, told
from course.views.numbers import plain, readable, shares

_FEW = 6
"""Values of a category that are shown."""


def draw(
    feature: str,
    measure: str,
    values: dict[str, float],
    limit: float | None,
    against: str,
    sides: dict[str, protos.Statistics],
    month: str,
) -> tuple[Any, str, str]:
    """One feature: its distance by month, and beside it the two distributions of one month and of what it is held against.

    Args:
        feature: its name.
        measure: a key of `TITLES`.
        values: the distance by month.
        limit: the threshold, if there is one.
        against: as for `drift`.
        sides: the statistics of the reference and of the month, by name; empty where there is no reference.
        month: which one is looked at.

    Returns:
        The figure, its alt text, and a sentence.
    """
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(style.WIDTH, 3.3), width_ratios=[1.25, 1])
    names, heights = list(values), list(values.values())
    line(left, names, heights, limit, 8)
    if not math.isnan(values[month]):
        place = names.index(month)
        left.plot([place], [values[month]], marker="o", markersize=12, markerfacecolor="none", color=style.INK, lw=0)
    left.set_title(f"{readable(feature)}: {TITLES[measure]}", fontsize=12)
    left.set(ylabel="distance", xlabel=f"month ({reference(against)})")
    moved = _beside(right, feature, sides)
    words_of_line = told(feature, names, heights, limit)
    over = [name for name, value in values.items() if limit is not None and value > limit]
    measured = sum(value == value for value in heights)
    words = f"{plain(feature)} in {month}: " + (
        "there is no distance."
        if math.isnan(values[month])
        else f"{values[month]:.3g} from {next(iter(sides), 'itself')}."
    )
    if limit is not None:
        words += f" Above the threshold of {limit:g}: {len(over)} of {measured} months."
    return figure, f"{TITLES[measure]} by month, {reference(against)}: {words_of_line}. {moved}", words


def _beside(axes: Any, feature: str, sides: dict[str, protos.Statistics]) -> str:
    """The distributions of two months in a small figure; returns them in words."""
    kinds = {kind_of(dataset, feature) for dataset in sides.values()}
    if kinds not in ({"num_stats"}, {"string_stats"}):
        axes.set_title("nothing to compare" if sides else "nothing to hold it against", fontsize=12)
        axes.set_axis_off()
        return "There is nothing to compare."
    stats = {
        name: getattr(protos.feature(dataset, feature), kind_of(dataset, feature)) for name, dataset in sides.items()
    }
    colours = dict(zip(stats, (style.MUTED, style.BLUE), strict=False))
    if kinds == {"num_stats"}:
        edges = histogram_bins.common(list(stats.values()))
        for name, one_side in stats.items() if edges else ():
            axes.stairs(
                histogram_bins.filled(one_side, edges),
                edges,
                color=colours[name],
                linewidth=2,
                label=readable(name, 14),
            )
            axes.stairs(histogram_bins.filled(one_side, edges), edges, color=colours[name], fill=True, alpha=0.15)
        axes.set(xlabel=readable(feature), ylabel="% of values")
        text = f"Their histograms: {' and '.join(stats)}."
    else:
        found = {name: shares(one_side) for name, one_side in stats.items()}
        first, second = found.values()
        values = sorted(first | second, key=lambda v: (-abs(first.get(v, 0) - second.get(v, 0)), v))[:_FEW]
        for place, (name, of) in enumerate(found.items()):
            at = [row + 0.4 * place - 0.2 for row in range(len(values))]
            axes.barh(at, [of.get(value, 0) for value in values], 0.38, color=colours[name], label=readable(name, 14))
        axes.set(yticks=range(len(values)), yticklabels=[readable(v, 12) for v in values], xlabel="share of values (%)")
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        text = "Values that moved most: " + ", ".join(
            f"{plain(v)} {first.get(v, 0):.1f}% to {second.get(v, 0):.1f}%" for v in values[:3]
        )
    axes.legend(fontsize=11, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return text
