"""The threshold at which a probability becomes a decision: its rates, what it costs, and where to operate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course import style
from course.controls import Explorer
from course.display import FigureView, Report
from course.views.evaluation import find
from course.views.evaluation_plots import Plots, plots
from course.views.html import note
from course.views.numbers import plain, readable

RATES = {
    "recall": "recall (share of positives found)",
    "false_positive_rate": "false positive rate",
    "precision": "precision (share of alarms that are right)",
    "alarms": "share of examples with an alarm",
    "accuracy": "accuracy",
    "f1": "F1",
}
"""What can be read off the confusion matrices, and its label."""
_DRAWN = ("recall", "precision", "false_positive_rate")
_LINES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))
COST = "cost"
_FEW = 10


class Thresholds(Report):
    """Rates and cost by threshold: displays itself as a figure and a sentence; `table()` gives the numbers.

    Attributes:
        threshold: the operating point.
        best: the threshold that is best by cost, or by the metric that was asked for.
        rates: at the operating point, by name; `cost` is that of an example on average.
        alarms: number of alarms by threshold.
        positives: share of positives among the examples.
    """

    def __init__(
        self, matrices: np.ndarray, where: str, false_alarm: float, miss: float, metric: str, at: float | None
    ) -> None:
        """Works out the operating point and draws the figure.

        Args:
            matrices: as in `Plot`.
            where: the slice in words.
            false_alarm: cost of a false alarm.
            miss: cost of a miss.
            metric: what the operating point is best at.
            at: a threshold to operate at instead.
        """
        self._values = measured(matrices, false_alarm, miss)
        self.alarms = self._values["alarms"] * matrices[0, 1:].sum()
        _, tp, fp, tn, fn = matrices[0]
        self.positives = float((tp + fn) / (tp + fp + tn + fn))
        self.costs, self.metric, self.where = (false_alarm, miss), metric, where
        heights = self._values[metric]
        place = int(np.nanargmin(heights) if metric == COST else np.nanargmax(heights))
        self.best = float(self._values["threshold"][place])
        self.threshold = self.best if at is None else float(at)
        self.rates = {name: float(self.at(self.threshold)[name]) for name in (*RATES, COST)}
        super().__init__(FigureView(*_draw(self)), note(_sentence(self)))

    def at(self, threshold: float) -> dict[str, float]:
        """Rates and cost of alarms at and above a threshold; those of the nearest that TFMA counted at."""
        place = int(np.argmin(np.abs(self._values["threshold"] - threshold)))
        return {name: float(values[place]) for name, values in self._values.items()}

    def table(self) -> Any:
        """Rates and cost as a pandas DataFrame, a row for each threshold."""
        import pandas as pd

        return pd.DataFrame(self._values).set_index("threshold")


def thresholds(
    evaluation: Any,
    slice: Any = None,  # as TFMA says
    cost_false_alarm: float = 1.0,
    cost_miss: float = 1.0,
    metric: str = COST,
    at: float | None = None,
    model: str | None = None,
) -> Thresholds:
    """Rates and cost against the threshold, with the operating point. From the confusion matrices of TFMA's plots.

    Args:
        evaluation: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        slice: which slice, such as `"origin = JFK"` or `{"origin": "JFK"}`; all examples by default.
        cost_false_alarm: what it costs to raise an alarm where there is nothing; any unit.
        cost_miss: what it costs to raise none where there is something, in the same unit.
        metric: what the operating point is best at: `"cost"` (lowest), or one of `recall`, `precision`, `accuracy`, `f1`.
        at: a threshold to operate at instead; the best one is marked too.
        model: which model, where the evaluation has several; by default the one that is judged.

    Returns:
        A view: figure and sentence. Its `threshold`, `best` and `rates` are numbers, its `table()` a pandas DataFrame.

    Raises:
        ValueError: the evaluation has no such plot; the message says what to add to the EvalConfig.
        KeyError: no such slice, model or metric; the message names those that there are.
    """
    if metric not in (*RATES, COST):
        raise KeyError(f"No metric {metric!r} here. There are: {', '.join((COST, *RATES))}.")
    side = one_model(plots(evaluation, "matrices"), model)
    name = find(list(side), slice)
    return Thresholds(side[name].matrices, name, cost_false_alarm, cost_miss, metric, at)


def explore_thresholds(
    evaluation: Any,
    slice: Any = None,
    cost_false_alarm: float = 1.0,
    cost_miss: float = 1.0,
    at: float | None = None,
    model: str | None = None,
) -> None:
    """Rates and cost against the threshold, with controls: the threshold, the cost of a miss, the slice.

    Args:
        evaluation: as for `thresholds`, like `slice`, `cost_false_alarm`, `cost_miss` and `model`, to start from.
        slice: which slice.
        cost_false_alarm: what a false alarm costs.
        cost_miss: what a miss costs.
        at: the threshold to start from; the one with the lowest cost by default.
        model: which model.
    """
    side = one_model(plots(evaluation, "matrices"), model)
    first = find(list(side), slice)
    every = np.concatenate([plot.matrices[:, 0] for plot in side.values()])
    low, high = (float(end) for end in (max(every.min(), 0.0), every.max()))
    high = min(high, 1.0) if high < 1.01 else high
    start = Thresholds(side[first].matrices, first, cost_false_alarm, cost_miss, COST, at)
    step = 0.01 if high <= 1 else (high - low) / 100

    def drawn(threshold: float, cost_of_a_miss: float, slice: str = first) -> Report:
        return Thresholds(side[slice].matrices, slice, cost_false_alarm, cost_of_a_miss, COST, threshold)

    top = max(10.0, 2 * cost_miss / cost_false_alarm) * cost_false_alarm
    controls: dict[str, Any] = {"threshold": (low, high, step)}
    controls["cost_of_a_miss"] = (0.0, top, top / 40)
    values = {
        "threshold": min(max(round(start.threshold / step) * step, low), high),
        "cost_of_a_miss": float(cost_miss),
    }
    if len(side) > 1:
        controls["slice"], values["slice"] = list(side), first
    Explorer(drawn, None, controls, values).display()


def one_model(found: Plots, model: str | None) -> dict[str, Any]:
    """The plots of one model, by slice.

    Raises:
        KeyError: no such model; the message names those that there are.
    """
    if model is None:
        model = next(iter(found))  # the one that is judged comes first
    if model not in found:
        raise KeyError(f"No model {model!r} in this evaluation. There are: {', '.join(found) or 'none'}.")
    return found[model]


def measured(matrices: np.ndarray, false_alarm: float, miss: float) -> dict[str, np.ndarray]:
    """Rates and the cost of an example on average, by threshold. Not a number where a rate has no meaning.

    Args:
        matrices: as in `Plot`.
        false_alarm: cost of a false alarm.
        miss: cost of a miss.
    """
    inside = matrices[(matrices[:, 0] >= 0) & (matrices[:, 0] <= max(1.0, np.quantile(matrices[:, 0], 0.99)))]
    threshold, tp, fp, tn, fn = (inside if len(inside) else matrices).T
    total = tp + fp + tn + fn
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "threshold": threshold,
            "recall": tp / (tp + fn),
            "false_positive_rate": fp / (fp + tn),
            "precision": tp / (tp + fp),
            "alarms": (tp + fp) / total,
            "accuracy": (tp + tn) / total,
            "f1": 2 * tp / (2 * tp + fp + fn),
            COST: (fp * false_alarm + fn * miss) / total,
        }


def _draw(found: Thresholds) -> tuple[Any, str]:
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(style.WIDTH, 3.7), width_ratios=[1.1, 1])
    values, x = found._values, found._values["threshold"]
    for name, colour, line in zip(_DRAWN, style.CYCLE, _LINES, strict=False):
        noise = (name == "precision") & (found.alarms < _FEW)  # of a handful of alarms, precision says nothing
        left.plot(
            x, np.where(noise, math.nan, values[name]), color=colour, linestyle=line, label=name.replace("_", " ")
        )
        left.plot([found.threshold], [found.rates[name]], marker="o", markersize=7, color=colour, lw=0)
    left.set(ylim=(-0.03, 1.03), xlabel="threshold", ylabel="rate")
    left.set_title("Rates", pad=26)
    left.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, fontsize=10, borderaxespad=0.2, columnspacing=1.2)
    right.plot(x, values[COST], color=style.INK)
    right.set(xlabel="threshold", ylabel="cost an example", ylim=(0, None))
    right.set_title("Cost", pad=26)
    lowest = float(np.nanmin(values[COST]))
    cheapest = float(x[int(np.nanargmin(values[COST]))])
    right.plot([cheapest], [lowest], marker="D", markersize=8, color=style.GREEN, lw=0, label=f"lowest: {lowest:.3g}")
    right.plot(
        [found.threshold], [found.rates[COST]], marker="o", markersize=12, markerfacecolor="none", color=style.INK, lw=0,
        markeredgewidth=1.8, label=f"operating point: {found.rates[COST]:.3g}",
    )  # fmt: skip
    right.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, fontsize=10, borderaxespad=0.2, columnspacing=1.2
    )
    for axes in (left, right):
        axes.axvline(found.threshold, color=style.MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    words = ", ".join(f"{name.replace('_', ' ')} {_share(found.rates[name])}" for name in _DRAWN)
    alt = f"Rates and cost against the threshold, {plain(found.where)}. At {found.threshold:.2f}: {words}, cost {found.rates[COST]:.3g} an example. The lowest cost is {lowest:.3g}, at {cheapest:.2f}."
    figure.suptitle(readable(found.where), x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure, alt


def _sentence(found: Thresholds) -> str:
    rates = found.rates
    false_alarm, miss = found.costs
    words = (
        f"At {found.threshold:.2f}, {_share(rates['alarms'])} of the examples raise an alarm, {_share(rates['precision'])} of them "
        f"rightly; {_share(rates['recall'])} of the positives are found. Cost {rates[COST]:.3g} an example, where a false alarm "
        f"costs {false_alarm:g} and a miss {miss:g}."
    )
    never, always = found.positives * miss, (1 - found.positives) * false_alarm
    return f"{words} No alarm at all costs {never:.3g}, an alarm for all {always:.3g}."


def _share(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.1%}"
