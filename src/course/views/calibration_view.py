"""Calibration: how often it happens where the model says so much."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course import style
from course.display import FigureView, Report
from course.views.decision_threshold import one_model
from course.views.evaluation import find
from course.views.evaluation_plots import plots
from course.views.html import note
from course.views.numbers import plain, readable

_Z = 1.96


class Calibration(Report):
    """Predicted and observed shares: displays itself as a figure and a sentence; `table()` gives the numbers.

    Attributes:
        error: the expected calibration error: the mean distance between predicted and observed, weighted by examples.
        predicted: the mean prediction.
        observed: the mean label.
    """

    def __init__(self, rows: np.ndarray, where: str) -> None:
        """Draws the figure.

        Args:
            rows: for each group of predictions: examples, mean label, mean prediction.
            where: the slice in words.
        """
        self._rows = rows
        weight = rows[:, 0] / rows[:, 0].sum()
        self.observed, self.predicted = (float((weight * rows[:, i]).sum()) for i in (1, 2))
        self.error = float((weight * np.abs(rows[:, 1] - rows[:, 2])).sum())
        super().__init__(FigureView(*_draw(rows, where)), note(_sentence(self, where)))

    def table(self) -> Any:
        """The groups as a pandas DataFrame: examples, mean prediction, observed share with its 95% interval."""
        import pandas as pd

        low, high = wilson(self._rows[:, 1], self._rows[:, 0])
        count, observed, predicted = self._rows.T
        return pd.DataFrame({"examples": count, "predicted": predicted, "observed": observed, "low": low, "high": high})


def calibration(
    evaluation: Any,
    slice: Any = None,  # as TFMA says
    buckets: int = 10,
    equal: str = "examples",
    model: str | None = None,
) -> Calibration:
    """Observed against predicted share, with 95% intervals, and how many examples there are. From TFMA's calibration plot.

    Args:
        evaluation: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        slice: which slice, such as `"origin = JFK"` or `{"origin": "JFK"}`; all examples by default.
        buckets: groups of predictions.
        equal: what all groups have alike: `"examples"` (about as many in each), or `"width"`.
        model: which model, where the evaluation has several; by default the one that is judged.

    Raises:
        ValueError: the evaluation has no such plot; the message says what to add to the EvalConfig.
        KeyError: no such slice or model; the message names those that there are.
    """
    if equal not in ("examples", "width") or buckets < 1:
        raise ValueError(f"buckets={buckets}, equal={equal!r}: at least 1, and 'examples' or 'width'.")
    side = one_model(plots(evaluation, "buckets"), model)
    name = find(list(side), slice)
    return Calibration(grouped(side[name].buckets, buckets, equal), name)


def grouped(fine: np.ndarray, buckets: int, equal: str = "examples") -> np.ndarray:
    """Fewer groups of predictions: for each that has examples, their number, mean label and mean prediction.

    Args:
        fine: as in `Plot.buckets`.
        buckets: how many at most; none is cut in two.
        equal: `examples` or `width`.
    """
    count, label, predicted = fine[:, 2], fine[:, 3], fine[:, 4]
    if equal == "examples":
        middle = np.cumsum(count) - count / 2
        group = np.floor(buckets * middle / count.sum())
    else:
        mean = predicted / count
        low, high = (0.0, 1.0) if mean.min() >= 0 and mean.max() <= 1 else (mean.min(), mean.max())
        group = np.minimum(np.floor(buckets * (mean - low) / ((high - low) or 1.0)), buckets - 1)
    rows = []
    for one in np.unique(group):
        inside = group == one
        total = count[inside].sum()
        rows.append((total, label[inside].sum() / total, predicted[inside].sum() / total))
    return np.array(rows)


def wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% interval of a share (E. B. Wilson, 1927). Not numbers where the label is no share between 0 and 1."""
    valid = (share >= 0) & (share <= 1)
    p = np.where(valid, share, math.nan)
    centre = (p + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * np.sqrt(p * (1 - p) / count + _Z**2 / (4 * count**2))
    return centre - half, centre + half


def judge(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which groups can be judged, because there is an interval, and in which of them the prediction is outside of it."""
    low, high = wilson(rows[:, 1], rows[:, 0])
    judged = np.isfinite(low) & np.isfinite(high) & np.isfinite(rows[:, 2])
    return judged, judged & ((rows[:, 2] < low) | (rows[:, 2] > high))


def _draw(rows: np.ndarray, where: str) -> tuple[Any, str]:
    from matplotlib import pyplot

    count, observed, predicted = rows.T
    low, high = wilson(observed, count)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(style.WIDTH, 3.9), width_ratios=[1.35, 1])
    ends = np.concatenate([predicted, observed, low[np.isfinite(low)], high[np.isfinite(high)]])
    first, last = float(ends.min()), float(ends.max())
    edge = 0.05 * ((last - first) or 1.0)
    line = (first - edge, last + edge)
    left.plot(line, line, color=style.MUTED, linestyle=(0, (4, 3)), linewidth=1.4, label="perfect")
    judged, off = judge(rows)
    for place, colour, marker, words in (
        (judged & ~off, style.BLUE, "o", "in line"),
        (off, style.RED, "D", "off by more than chance"),
        (~judged, style.MUTED, "s", "no interval, not judged"),
    ):
        if place.any():
            left.vlines(predicted[place], low[place], high[place], color=style.tint(colour, 0.45), linewidth=3)
            left.plot(predicted[place], observed[place], marker=marker, markersize=6.5, color=colour, lw=0, label=words)
    left.set(xlabel="predicted", ylabel="observed", xlim=line, ylim=line)
    left.set_title("Observed against predicted", pad=26)
    left.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, fontsize=10, borderaxespad=0.2, columnspacing=1.2)
    right.bar(range(1, len(rows) + 1), count, color=style.tint(style.BLUE, 0.55), width=0.8)
    from matplotlib.ticker import MaxNLocator

    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.grid(axis="x", visible=False)
    right.set(xlabel="group, from the lowest prediction to the highest", ylabel="examples")
    right.set_title("Examples in each group", pad=26)
    figure.suptitle(readable(where), x=0.01, ha="left", fontsize=13, fontweight="bold")
    words = "; ".join(f"{p:.3f} predicted, {o:.3f} observed ({n:,.0f})" for n, o, p in rows)
    return figure, f"Observed against predicted, {plain(where)}, by group of predictions, with examples: {words}."


def _sentence(found: Calibration, where: str) -> str:
    judged, off = judge(found._rows)
    known = (
        f"In {off.sum()} of {judged.sum()} groups the prediction is outside of the 95% interval of what was observed. "
        if judged.any()
        else ""
    )
    if not judged.all():
        known += (
            f"Not judged: {(~judged).sum()} of {len(judged)} groups, because their label is no share between 0 and 1. "
        )
    return (
        f"{plain(where).capitalize() if where.islower() else plain(where)}: predicted {found.predicted:.3f} on average, observed {found.observed:.3f}. "
        f"{known}Mean distance: {found.error:.3f}."
    )
