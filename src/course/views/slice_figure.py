"""The figure of a metric by slice: a dot for each, its interval, the value of all examples, and what is demanded."""

from __future__ import annotations

import math
from typing import Any

from course import style
from course.display import FigureView, Report
from course.views.evaluation import Evaluation, Value
from course.views.html import note
from course.views.metrics_view import EVERYTHING, spoken
from course.views.numbers import plain, readable

MOST = 30
"""Slices that one figure shows."""
NONE = Value(math.nan)
_LEAST = 0.05
_LIMIT_WORDS = ("at least", "at most")
_LIMIT_LINES: tuple[Any, Any] = ((0, (3, 2)), (0, (1, 1.2)))


def draw(
    found: Evaluation,
    metric: str,
    names: list[str],
    minimum: float | None,
    model: str | None,
    most: int = MOST,
    hidden: int = 0,
) -> Report:
    """The figure, and a sentence under it.

    Args:
        found: the evaluation.
        metric: its name.
        names: the slices, in order from top to bottom.
        minimum: what is demanded of each; None for what the EvalConfig demands.
        model: which one; None for the one that is judged.
        most: how many slices to draw.
        hidden: slices that were left out before, because they are small.
    """
    from matplotlib import pyplot

    side = found.side(model)
    whole = side.get(EVERYTHING, {}).get(metric, NONE)
    shown = names[:most]
    values = {name: side.get(name, {}).get(metric, NONE) for name in names}
    limits = {name: found.limits(metric, name) if minimum is None else (minimum, math.nan) for name in names}
    figure, axes = pyplot.subplots(figsize=(8.6, 1.5 + 0.24 * max(3, len(shown)) + (0.0 if len(shown) > 8 else 0.3)))
    missed = [name for name in shown if misses(values[name], limits[name])]
    for row, name in enumerate(shown):
        _row(axes, row, values[name], name in missed)
        for limit, line in zip(limits[name], _LIMIT_LINES, strict=True):
            if not math.isnan(limit):
                axes.plot([limit] * 2, [row - 0.5, row + 0.5], color=style.RED, linestyle=line, lw=1.5)
    if math.isfinite(whole.value):
        axes.axvline(whole.value, color=style.INK, linewidth=1.3, zorder=0)
    _frame(axes, found, metric, shown, values)
    axes.set_title(f"{readable(spoken(metric))} by {_columns(found, shown)}", pad=26)
    _legend(axes, whole, {one: values[one] for one in shown}, {one: limits[one] for one in shown}, missed)
    _widened(axes)
    text = sentence(found, values, limits, most, hidden)
    if minimum is None and EVERYTHING in found.keys:
        text = f"{text} {_of_everything(found.limits(metric, EVERYTHING), whole)}".strip()
    words = [f"{plain(name)} {told(values[name])}" for name in shown]
    alt = f"{spoken(metric)} by slice. All examples: {told(whole)}. {'; '.join(words)}. {text}"
    return Report(FigureView(figure, alt), note(text))


def misses(value: Value, limits: tuple[float, float]) -> bool:
    """Whether a value is below the lowest or above the highest that is allowed; one that is undefined is neither."""
    return value.value < limits[0] or value.value > limits[1]


def _of_everything(limits: tuple[float, float], whole: Value) -> str:
    """What is demanded of all examples, which have no row of their own."""
    parts = [f"{word} {limit:g}" for word, limit in zip(_LIMIT_WORDS, limits, strict=True) if not math.isnan(limit)]
    return (
        f"Of all examples {' and '.join(parts)} is demanded: {'missed' if misses(whole, limits) else 'met'}."
        if parts
        else ""
    )


def _row(axes: Any, row: int, value: Value, missed: bool) -> None:
    colour = style.RED if missed else style.BLUE
    if value.has_interval:
        axes.plot(
            [value.low, value.high], [row, row], color=style.tint(colour, 0.45), linewidth=3, solid_capstyle="butt"
        )
    if math.isfinite(value.value):
        axes.plot([value.value], [row], marker="D" if missed else "o", markersize=6.5, color=colour, linewidth=0)


def _frame(axes: Any, found: Evaluation, metric: str, shown: list[str], values: dict[str, Value]) -> None:
    """Names of the slices on the left, their numbers of examples on the right."""
    axes.set_yticks(range(len(shown)), [label(found, name, shown) for name in shown], fontsize=10.5)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.set_xlabel(readable(spoken(metric)))
    axes.tick_params(axis="y", length=0)
    for row, name in enumerate(shown):
        count = found.count(name)
        text = ("" if math.isnan(count) else f"{count:,.0f}") if math.isfinite(values[name].value) else "no value"
        axes.text(1.015, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5, color=style.MUTED)
    if any(not math.isnan(found.count(name)) for name in shown):
        axes.text(1.015, 1.0, "examples", transform=axes.transAxes, va="bottom", fontsize=9.5, color=style.MUTED)
    if not any(math.isfinite(values[name].value) for name in shown):
        axes.text(0.5, 0.5, "no value", transform=axes.transAxes, ha="center", color=style.MUTED)


def _widened(axes: Any) -> None:
    """At least 0.05 of a metric between -1 and 1: smaller differences would look large."""
    low, high = axes.get_xlim()
    if high - low < _LEAST and low >= -1 and high <= 1.1:
        middle = (low + high) / 2
        axes.set_xlim(middle - _LEAST / 2, middle + _LEAST / 2)


def _legend(
    axes: Any, whole: Value, values: dict[str, Value], limits: dict[str, tuple[float, float]], missed: list[str]
) -> None:
    from matplotlib.lines import Line2D

    entries = []
    if math.isfinite(whole.value):
        entries.append(Line2D([], [], color=style.INK, lw=1.3, label=f"all examples: {written(whole.value)}"))
    if any(value.has_interval for value in values.values()):
        entries.append(Line2D([], [], color=style.tint(style.BLUE, 0.45), lw=3, label="95% interval"))
    for side, (word, line) in enumerate(zip(_LIMIT_WORDS, _LIMIT_LINES, strict=True)):
        several = {limit[side] for limit in limits.values() if not math.isnan(limit[side])}
        if several:
            text = f"{word} {min(several):g}" if len(several) == 1 else f"{word} this is demanded"
            entries.append(Line2D([], [], color=style.RED, linestyle=line, lw=1.5, label=text))
    if missed:
        entries.append(Line2D([], [], color=style.RED, marker="D", markersize=6, lw=0, label="missed"))
    if entries:
        axes.legend(
            handles=entries, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(entries), fontsize=10, borderaxespad=0.2,
            columnspacing=1.4, handlelength=1.6,
        )  # fmt: skip


def label(found: Evaluation, name: str, among: list[str]) -> str:
    """A slice beside others: its value alone where all are made by the same column."""
    columns = {tuple(column for column, _ in found.keys[one]) for one in among}
    if len(columns) == 1 and all(column for column in next(iter(columns))):
        return readable(", ".join(str(value) for _, value in found.keys[name]), 34)
    return readable(name, 34)


def _columns(found: Evaluation, shown: list[str]) -> str:
    groups = list(dict.fromkeys(" and ".join(column for column, _ in found.keys[name]) for name in shown))
    return readable(groups[0], 40) if len(groups) == 1 and groups[0] else "slice"


def sentence(
    found: Evaluation, values: dict[str, Value], limits: dict[str, tuple[float, float]], most: int, hidden: int
) -> str:
    """What to see: the lowest and the highest, and what is outside of the demand."""
    known = [name for name in values if math.isfinite(values[name].value)]
    parts = []
    if known:
        lowest, highest = (f(known, key=lambda name: values[name].value) for f in (min, max))
        parts.append(f"Lowest: {plain(lowest)} {told(values[lowest])}{_of(found, lowest)}.")
        if lowest != highest:
            parts.append(f"Highest: {plain(highest)} {told(values[highest])}{_of(found, highest)}.")
    for side, word in enumerate(("Below", "Above")):
        demanded = [name for name in known if not math.isnan(limits[name][side])]
        if not demanded:
            continue
        out = [name for name in demanded if _past(values[name].value, limits[name][side], side)]
        parts.append(f"{word} what is demanded: {len(out)} of {len(demanded)} slices.")
        ends = {name: (values[name].high, values[name].low)[side] for name in out if values[name].has_interval}
        if ends:
            sure = sum(_past(end, limits[name][side], side) for name, end in ends.items())
            parts.append(f"With the whole interval: {sure}.")
    if len(values) > len(known):
        parts.append(f"No value: {len(values) - len(known)}.")
    if most < len(values):
        parts.append(f"Shown are the first {most} of {len(values)} slices.")
    if hidden:
        parts.append(f"Left out because they are smaller: {hidden}.")
    return " ".join(parts) or "There is no slice to show."


def _past(value: float, limit: float, side: int) -> bool:
    """Whether a value is past the lower limit (side 0) or the upper one (side 1)."""
    return value > limit if side else value < limit


def _of(found: Evaluation, name: str) -> str:
    count = found.count(name)
    return "" if math.isnan(count) else f" of {count:,.0f} examples"


def told(value: Value) -> str:
    """A value in words, with its interval where there is one."""
    if not math.isfinite(value.value):
        return "no value"
    return written(value.value) + (f" ({interval(value)})" if value.has_interval else "")


def interval(value: Value) -> str:
    """An interval in words; empty without one."""
    return f"{written(value.low)} to {written(value.high)}" if value.has_interval else ""


def written(value: float, sign: bool = False) -> str:
    """A metric's value with as many digits as matter."""
    size = abs(value)
    digits = ".3f" if size < 10 else ".1f" if size < 1000 else ",.0f"
    if 0 < size < 0.001 and not sign:
        digits = ".1e"
    return format(value, f"{'+' if sign else ''}{digits}")
