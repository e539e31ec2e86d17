"""A model against its baseline, slice by slice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from course import style
from course.display import FigureView, Report
from course.views import slice_figure
from course.views.evaluation import Evaluation, Value, read
from course.views.html import folded, heading, note, stack, table
from course.views.learning_curves_view import lower_is_better
from course.views.metrics_by_slice import in_order
from course.views.metrics_view import EVERYTHING, spoken
from course.views.numbers import plain, readable


class BaselineComparison(Report):
    """A model and its baseline by slice: displays itself as figure, sentence and table.

    Attributes:
        values: by slice, the candidate's value, the baseline's, and the difference.
    """

    def __init__(
        self, values: dict[str, tuple[Value, Value, Value]], found: Evaluation, metric: str, table: bool, most: int
    ) -> None:
        """Draws the figure and makes the table."""
        self.values = values
        figure = FigureView(*_draw(values, found, metric, most))
        text = note(_sentence(values, metric, most))
        super().__init__(figure, stack(text, *([_tabled(values, found, metric, most)] if table else [])))

    def table(self) -> Any:
        """The numbers as a pandas DataFrame, a row for each slice."""
        import pandas as pd

        rows = {
            name: {
                "candidate": new.value,
                "baseline": old.value,
                "change": change.value,
                "low": change.low,
                "high": change.high,
            }
            for name, (new, old, change) in self.values.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("slice")


def against_baseline(
    evaluation: Any,
    baseline: Any = None,
    metric: str | None = None,
    by: Any = None,
    sort: str | None = None,
    table: bool = True,
    most: int = slice_figure.MOST,
) -> BaselineComparison:
    """A model against its baseline on each slice: both values, and the difference with its interval where one was computed.

    Args:
        evaluation: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        baseline: by default the baseline in the same evaluation; or the name of another model in it; or a second evaluation.
        metric: which one; by default `auc` where there is one, else the first.
        by: columns that make the slices; all by default.
        sort: `"change"` (the default: the worst first, as far as the metric's name tells), `"slice"`, `"examples"`, or a
            metric; with a minus the other way round.
        table: show the table too; on a slide there is no room for both.
        most: how many slices to draw.

    Raises:
        ValueError: there is no baseline; the message says how to get one.
        KeyError: no such metric, model or column; the message names those that there are.
    """
    found = read(evaluation)
    name = found.metric(metric)
    old, changes = _baseline(found, baseline, name)
    others = [model for model in found.models if found.models[model] is not old]
    candidate = found.side(found.candidate if found.candidate in others else next(iter(others), None))
    whole = [EVERYTHING] if EVERYTHING in found.keys else []
    values = {}
    for one in [*whole, *found.members(by)]:
        new = candidate.get(one, {}).get(name, slice_figure.NONE)
        before = old.get(one, {}).get(name, slice_figure.NONE)
        change = changes.get(one, {}).get(name, Value(new.value - before.value))
        values[one] = (new, before, change)
    names = [one for one in values if one != EVERYTHING]
    if sort in (None, "change", "-change"):
        back = -1 if sort == "-change" else 1
        gains = {one: gain(name, *values[one]) for one in names}
        names.sort(key=lambda one: math.inf if math.isnan(gains[one]) else back * gains[one])
    else:
        names = in_order(found, names, sort, None, name)
    return BaselineComparison({one: values[one] for one in [*whole, *names]}, found, name, table, most)


def _baseline(
    found: Evaluation, baseline: Any, metric: str
) -> tuple[dict[str, dict[str, Value]], dict[str, dict[str, Value]]]:
    """The metrics of the baseline by slice, and the changes that TFMA computed."""
    if isinstance(baseline, str) and baseline in found.models:
        return found.side(baseline), found.changes if baseline == found.baseline else {}
    if baseline is not None and not (isinstance(baseline, str) and not Path(baseline).exists()):
        other = read(baseline)
        if metric not in other.metrics:
            raise KeyError(f"The evaluation of the baseline has no {metric!r}. It has: {', '.join(other.metrics)}.")
        return other.side(), {}
    if baseline is not None:
        found.side(baseline)  # says which models there are
    if found.baseline is not None:
        return found.side(found.baseline), found.changes
    if found.changes:  # an EvalResult holds one model, and what changed
        return {
            name: {
                m: Value(found.side()[name][m].value - change.value)
                for m, change in of.items()
                if m in found.side().get(name, {})
            }
            for name, of in found.changes.items()
        }, found.changes
    raise ValueError(
        "There is no baseline in this evaluation: the Evaluator had none, such as in a first run. Give a second evaluation, "
        "or run the Evaluator with baseline_model= and a ModelSpec(name='baseline', is_baseline=True) in the EvalConfig."
    )


def _draw(values: Any, found: Evaluation, metric: str, most: int) -> tuple[Any, str]:
    from matplotlib import pyplot

    names = list(values)[: most + 1]
    height = 1.7 + 0.25 * max(3, len(names))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(style.WIDTH, height), sharey=True, width_ratios=[1.25, 1])
    slices = [name for name in names if name != EVERYTHING]
    for row, name in enumerate(names):
        new, old, change = values[name]
        left.plot([old.value, new.value], [row, row], color=style.LINE, linewidth=2, zorder=1)
        left.plot(
            [old.value],
            [row],
            marker="o",
            markersize=7,
            markerfacecolor=style.PAPER,
            markeredgewidth=1.6,
            color=style.MUTED,
            lw=0,
            label="baseline" if not row else None,
        )
        left.plot(
            [new.value],
            [row],
            marker="o",
            markersize=7,
            color=style.BLUE,
            lw=0,
            label="this model" if not row else None,
        )
        colour, marker = _look(new, old, change, metric)
        if change.has_interval:
            right.plot(
                [change.low, change.high], [row, row], color=style.tint(colour, 0.45), lw=3, solid_capstyle="butt"
            )
        if math.isfinite(change.value):
            right.plot([change.value], [row], marker=marker, markersize=7, color=colour, lw=0)
    left.set_yticks(
        range(len(names)),
        ["all examples" if n == EVERYTHING else slice_figure.label(found, n, slices) for n in names],
        fontsize=10.5,
    )
    left.set_ylim(len(names) - 0.4, -0.6)
    left.set_xlabel(readable(spoken(metric)))
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=10, borderaxespad=0.2)
    right.axvline(0, color=style.INK, linewidth=1.2, zorder=0)
    right.set_xlabel("change" + (", with 95% interval" if any(values[n][2].has_interval for n in names) else ""))
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", length=0)
    figure.suptitle(
        f"{readable(spoken(metric))} against the baseline", x=0.01, ha="left", fontsize=14, fontweight="bold"
    )
    words = "; ".join(
        f"{plain(n)} {slice_figure.told(values[n][0])}, baseline {slice_figure.told(values[n][1])}" for n in names
    )
    return (
        figure,
        f"{spoken(metric)} of this model and of the baseline by slice: {words}. {_sentence(values, metric, most)}",
    )


def gain(metric: str, new: Value, old: Value, change: Value) -> float:
    """How much better the new value is, as far as the metric's name tells; of a calibration, how much nearer to 1."""
    if metric.split(": ")[-1].startswith("calibration"):
        return abs(old.value - 1) - abs(new.value - 1)
    return -change.value if lower_is_better(metric) else change.value


def _look(new: Value, old: Value, change: Value, metric: str) -> tuple[str, str]:
    """Colour and marker of a change: red for the worse, and an arrowhead in its direction."""
    marker = "<" if change.value < 0 else ">" if change.value > 0 else "o"
    return style.RED if gain(metric, new, old, change) < 0 else style.GREEN, marker


def _sentence(values: Any, metric: str, most: int) -> str:
    known = {name: of for name, of in values.items() if math.isfinite(of[2].value)}
    slices = {name: of for name, of in known.items() if name != EVERYTHING}
    parts = []
    if EVERYTHING in known:
        new, old, change = known[EVERYTHING]
        parts.append(
            f"All examples: {slice_figure.written(old.value)} to {slice_figure.written(new.value)} ({_change(change)})."
        )
    if slices:
        gains = {name: gain(metric, *of) for name, of in slices.items()}
        worst, best = (f(gains, key=lambda name: gains[name]) for f in (min, max))
        fewer = sum(value < 0 for value in gains.values())
        parts.append(f"Worse on {fewer or 'none'} of {len(slices)} slices.")
        word = "Furthest" if fewer else "Least gain"
        parts.append(f"{word}: {plain(worst)} ({_change(slices[worst][2])}).")
        if best != worst:
            parts.append(
                f"{'Largest gain' if gains[best] > 0 else 'Best'}: {plain(best)} ({_change(slices[best][2])})."
            )
        if any(of[2].has_interval for of in slices.values()):
            sure = [n for n, of in slices.items() if of[2].has_interval and (of[2].high < 0 or of[2].low > 0)]
            parts.append(f"On {len(sure)} of {len(slices)} the interval leaves out zero.")
    none = len(values) - len(known)
    if none:
        parts.append(f"No comparison: {none}.")
    if len(values) - 1 > most:
        parts.append(f"Shown are the first {most} of {len(values) - 1} slices.")
    return " ".join(parts) or "There is nothing to compare."


def _change(change: Value) -> str:
    text = slice_figure.written(change.value, sign=True)
    if change.has_interval:
        return (
            f"{text}, {slice_figure.written(change.low, sign=True)} to {slice_figure.written(change.high, sign=True)}"
        )
    return text


def _tabled(values: Any, found: Evaluation, metric: str, most: int) -> Any:
    intervals = any(of[2].has_interval for of in values.values())
    columns = ["slice", "examples", "this model", "baseline", "change", *(["95% interval"] if intervals else [])]
    rows = []
    for name, (new, old, change) in values.items():
        count = found.count(name)
        row = [plain(name, 60), "" if math.isnan(count) else f"{count:,.0f}"]
        row += [slice_figure.written(v.value) if math.isfinite(v.value) else "no value" for v in (new, old)]
        row.append(slice_figure.written(change.value, sign=True) if math.isfinite(change.value) else "")
        if intervals:
            ends = (
                [slice_figure.written(end, sign=True) for end in (change.low, change.high)]
                if change.has_interval
                else []
            )
            row.append(" to ".join(ends))
        rows.append(row)
    numbers = range(1, len(columns))
    parts = [heading(spoken(metric), f"{len(rows)} rows"), table(columns, rows[: most + 1], numbers)]
    if len(rows) > most + 1:
        parts.append(folded(f"{len(rows) - most - 1} more slices", table(columns, rows[most + 1 :], numbers)))
    return stack(*parts)
