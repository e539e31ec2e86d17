"""The figure of drift: small multiples over the months, each with its threshold."""

from __future__ import annotations

import calendar
import math
from typing import Any

from course import style
from course.views.drift_distances import TITLES
from course.views.numbers import plain, readable

_MOST = 12
"""Features that one figure shows; those that moved furthest come first."""
_COLUMNS = 3
_FEW = 6
"""Months whose names fit under a small figure."""
_NAMED = 6
"""Features that the sentence names."""

_SHORT = {name: name[:3] for name in calendar.month_name if name}


def multiples(found: Any) -> tuple[Any, str]:
    """A small figure for each feature, those that moved furthest first, and the alt text.

    Args:
        found: a `Drift`.
    """
    from matplotlib import pyplot

    furthest = {name: _highest([row[name] for row in found.values.values()]) for name in found.measures}
    order = sorted(furthest, key=lambda name: -furthest[name]) if len(furthest) > _MOST else list(furthest)
    shown = order[:_MOST]
    columns = min(_COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(style.WIDTH, 0.9 + 1.45 * lines), squeeze=False)
    mixed = len({found.measures[name] for name in shown}) > 1
    words = []
    for place, axes in enumerate(grid.flat):
        if place >= len(shown):
            axes.set_visible(False)
            continue
        name = shown[place]
        heights, limit = [row[name] for row in found.values.values()], found.thresholds.get(name)
        line(axes, list(found.values), heights, limit, _FEW)
        axes.set_title(readable(name, 24) + (_sign(found.measures[name]) if mixed else ""), fontsize=11, pad=4)
        axes.tick_params(labelsize=9)
        if place % columns == 0:
            axes.set_ylabel("distance", fontsize=9)
        words.append(told(name, list(found.values), heights, limit))
    kinds = [TITLES[one] for one in dict.fromkeys(found.measures[name] for name in shown)]
    if mixed:
        kinds = [TITLES[one] + _sign(one) for one in dict.fromkeys(found.measures[name] for name in shown)]
    figure.suptitle(
        f"{' and '.join(kinds)}, {reference(found.against)}", x=0.01, ha="left", fontsize=13, fontweight="bold"
    )
    more = f" {len(order) - len(shown)} more features moved less." if len(order) > len(shown) else ""
    return figure, f"Distance of each month's distribution, {reference(found.against)}. {'; '.join(words)}.{more}"


def sentence(found: Any) -> str:
    """What to see: which features are above their thresholds, or which moved furthest."""
    months = len([1 for row in found.values.values() if any(value == value for value in row.values())])
    hidden = max(0, len(found.measures) - _MOST)
    rest = f" Shown are the {_MOST} features that moved furthest of {len(found.measures)}." if hidden else ""
    if not found.thresholds:
        furthest = {name: _highest([row[name] for row in found.values.values()]) for name in found.measures}
        order = sorted(furthest, key=lambda name: -furthest[name])[:_NAMED]
        return f"Furthest moved: {', '.join(f'{plain(n)} (at most {furthest[n]:.3g})' for n in order)}.{rest}"
    alarms = {name: over for name, over in found.alarms().items() if over}
    if not alarms:
        return f"Dashed: the threshold. No feature is above its threshold in any of {months} months.{rest}"
    order = sorted(alarms, key=lambda name: -len(alarms[name]))
    listed = ", ".join(f"{plain(name)} in {len(alarms[name])}" for name in order[:_NAMED])
    beyond = len(order) - _NAMED
    more = f" and {beyond} more feature{'s' * (beyond > 1)}" if beyond > 0 else ""
    return f"Dashed: the threshold; diamonds: above it. Of {months} month{'s' * (months != 1)}, above the threshold: {listed}{more}.{rest}"


def line(axes: Any, names: list[str], heights: list[float], limit: float | None, few: int) -> None:
    """Distances by month as a line, what is above the threshold in red with another marker, the threshold dashed."""
    places = range(len(names))
    axes.plot(places, heights, marker="o", markersize=4, color=style.BLUE, linewidth=1.6)
    if limit is not None:
        axes.axhline(limit, color=style.RED, linestyle=(0, (4, 3)), linewidth=1.3)
        over = [(place, height) for place, height in zip(places, heights, strict=True) if height > limit]
        axes.plot(*zip(*over, strict=True) if over else ([], []), marker="D", markersize=5, color=style.RED, lw=0)
    if all(math.isnan(height) for height in heights):
        axes.text(0.5, 0.5, "no distance", transform=axes.transAxes, ha="center", va="center", color=style.MUTED)
    top = max(_highest(heights), limit or 0.0)
    axes.set_ylim(0, 1.18 * top or 1.0)
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.yaxis.set_major_locator(_three_ticks())
    axes.grid(axis="x", visible=False)
    axes.set_xticks(list(places), _labels(names, few), fontsize=9)


def _three_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10])


def _labels(names: list[str], few: int) -> list[str]:
    """Names of the months as far as they fit: short, by their initials, or only some of them."""
    short = [_SHORT.get(name, name) for name in names]
    if len(names) <= few and max(map(len, short)) * len(names) <= 8 * few:
        return [readable(name, 12) for name in short]
    if all(name in _SHORT for name in names):
        return [name[0] for name in names]
    step = -(-len(names) // 4)
    return [readable(name, 9) if place % step == 0 else "" for place, name in enumerate(short)]


def _highest(heights: list[float]) -> float:
    return max((height for height in heights if not math.isnan(height)), default=0.0)


def told(name: str, months: list[str], heights: list[float], limit: float | None) -> str:
    """A feature's distances in words: the highest, and the months above the threshold."""
    known = [(height, month) for height, month in zip(heights, months, strict=True) if not math.isnan(height)]
    if not known:
        return f"{name}: no distance"
    highest = max(height for height, _ in known)
    text = f"{name}: at most {highest:.3g} ({next(month for height, month in known if height == highest)})"
    if limit is None:
        return text
    over = [month for height, month in known if height > limit]
    return f"{text}, threshold {limit:g}, above it in {', '.join(over) if over else 'no month'}"


def reference(against: str) -> str:
    """What each month is held against, in words."""
    return "each month against " + {"previous": "the one before", "first": "the first"}.get(against, readable(against))


def _sign(measure: str) -> str:
    return " (L∞)" if measure == "l_infty" else " (JS)"
