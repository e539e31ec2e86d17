"""The charts of lesson 08. Each carries its alt text.

from course.figures import evaluate as draw

course.show(draw.lowest(lowest, measured))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def lowest(by_chance: np.ndarray, measured: float) -> Figure:
    """The lowest value of many slices, if slices meant nothing, and the one that was measured.

    Args:
        by_chance: the lowest AUC of each draw.
        measured: the lowest AUC of the real slices.
    """
    figure, axes = _figure(8, 3.6)
    axes.hist(by_chance, bins=25, color=style.SKY)
    axes.axvline(measured, color=style.RED, linewidth=2)
    axes.margins(y=0.2)  # room for the label above the highest bar
    axes.text(measured, axes.get_ylim()[1] * 0.93, f"measured: {measured:.3f} ", color=style.RED, ha="right")
    axes.set(title="One slice always comes last", xlabel="lowest AUC of all slices", ylabel="draws")
    share = (by_chance <= measured).mean()
    middle = np.median(by_chance)
    return _say(
        figure,
        f"Histogram of the lowest AUC among slices made by chance, in the middle {middle:.3f}; {share:.0%} of them are at or "
        f"below the measured {measured:.3f}.",
    )


def difference(draws: np.ndarray, measured: float) -> Figure:
    """How much better one model is than another, over flights drawn again.

    Args:
        draws: difference of AUC for each draw.
        measured: the difference on the flights themselves.
    """
    figure, axes = _figure(8, 3.6)
    axes.hist(draws, bins=30, color=style.SKY)
    low, high = np.quantile(draws, [0.025, 0.975])
    axes.axvline(0, color=style.MUTED, linewidth=1.5, linestyle="--")
    axes.axvline(measured, color=style.BLUE, linewidth=2, label="measured")
    axes.hlines(axes.get_ylim()[1] * 0.03, low, high, color=style.RED, linewidth=4, label="95 % of the draws")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes.set(title="The gain, and how far chance moves it", xlabel="gain of AUC", ylabel="draws")
    return _say(
        figure, f"Histogram of the gain of AUC: {measured:+.3f}, and 95 % of the draws from {low:+.3f} to {high:+.3f}."
    )


def burden(table: pd.DataFrame) -> Figure:
    """Who pays: false alarms among punctual flights, misses among late ones, by slice.

    Args:
        table: columns `false alarms` and `misses` (shares, 0 to 1), a row for each slice.
    """
    figure, axes = _figure(8, 1.2 + 0.42 * len(table))
    places = np.arange(len(table))
    for shift, name, colour, hatch in ((-0.19, "false alarms", style.SKY, ""), (0.19, "misses", style.RED, "//")):
        bars = axes.barh(
            places + shift, table[name], 0.36, color=colour, hatch=hatch, edgecolor=style.PAPER, label=name
        )
        axes.bar_label(bars, [f"{value:.0%}" for value in table[name]], padding=3, fontsize=9)
    axes.set(yticks=places, yticklabels=table.index, title="The same threshold, and not the same errors")
    axes.set(xlabel="false alarms: share of punctual flights; misses: share of late flights", xlim=(0, 1.06))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    rows = [f"{name} {row['false alarms']:.0%} and {row['misses']:.0%}" for name, row in table.iterrows()]
    return _say(figure, f"False alarms and misses: {'; '.join(rows)}.")


def importances(table: pd.DataFrame, title: str) -> Figure:
    """What is lost where a group of columns is shuffled.

    Args:
        table: `loss` and `spread` of AUC by group, largest first.
        title: the message.
    """
    figure, axes = _figure(8, 1.2 + 0.34 * len(table))
    axes.barh(table.index, table["loss"], xerr=table["spread"], color=style.BLUE, ecolor=style.INK, capsize=3)
    axes.axvline(0, color=style.MUTED, linewidth=1)
    axes.set(title=title, xlabel="loss of AUC when shuffled")
    axes.invert_yaxis()
    rows = [f"{name} {loss:.3f}" for name, loss in table["loss"].items()]
    return _say(figure, f"Loss of AUC: {'; '.join(rows)}.")


def owed(prediction: float, groups: pd.Series) -> Figure:
    """What one prediction owes to each group of columns.

    Args:
        prediction: probability of arriving late.
        groups: by group, how much lower the probability would be with the values of other flights.
    """
    figure, axes = _figure(8, 1.2 + 0.34 * len(groups))
    colours = [style.RED if value > 0 else style.BLUE for value in groups]
    bars = axes.barh(groups.index, groups, color=colours)
    values = [f"{value:+.2f}" if abs(value) >= 0.005 else "0.00" for value in groups]  # and no "-0.00"
    axes.bar_label(bars, values, padding=3, fontsize=9)
    axes.axvline(0, color=style.MUTED, linewidth=1)
    axes.margins(x=0.15)
    axes.set(title=f"One flight, {prediction:.0%}: what speaks for late, and against", xlabel="probability owed to it")
    axes.invert_yaxis()
    said = "; ".join(f"{name} {value}" for name, value in zip(groups.index, values, strict=True))
    return _say(figure, f"Prediction {prediction:.0%}. {said}.")


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height))


def _say(figure: Figure, words: str) -> Figure:
    """Attaches the alt text."""
    figure.course_alt = words
    return figure
