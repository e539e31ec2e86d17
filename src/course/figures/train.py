"""The charts of lesson 07, so that its cells hold what is computed and not how it is drawn. Each carries its alt text.

from course.figures import train as draw

course.show(draw.standing(aucs))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v", "P")


def standing(aucs: pd.DataFrame) -> Figure:
    """AUC of each month, a line for each algorithm, the last column in front.

    Args:
        aucs: months in the index, an algorithm a column.
    """
    figure, axes = _figure(9, 4.2)
    colours = [style.LINE, style.MUTED, style.ORANGE, style.GREEN, style.BLUE][-len(aucs.columns) :]
    for number, (name, column) in enumerate(aucs.items()):
        axes.plot(column, marker=MARKERS[number], color=colours[number], label=f"{name}: {column.mean():.3f}")
    last = aucs.columns[-1]
    wins = (aucs[last] > aucs.drop(columns=last).max(axis=1)).sum()
    axes.set(title=f"{last.capitalize()}: first in {wins} of {len(aucs)} months", xticks=aucs.index)
    axes.set(xlabel="month that is judged, after training on January and February", ylabel="AUC")
    axes.legend(title="mean of the months", alignment="left", loc="center left", bbox_to_anchor=(1, 0.5))
    means = ", ".join(f"{name} {column.mean():.3f}" for name, column in aucs.items())
    return _say(figure, f"AUC by month, mean of {len(aucs)} months: {means}. {last} is first in {wins} of {len(aucs)}.")


def reliability(predictions: dict[str, np.ndarray], labels: np.ndarray, buckets: int = 8) -> Figure:
    """What was predicted against what happened, in buckets of as many flights each.

    Args:
        predictions: by name, a probability for each flight.
        labels: 1 where the flight was late, else 0; same order.
        buckets: how many.
    """
    import numpy as np

    figure, axes = _figure(9, 4.4)
    axes.plot([0, 1], [0, 1], color=style.MUTED, linestyle=":", label="as predicted, so it happened")
    said = []
    for number, (name, predicted) in enumerate(predictions.items()):
        parts = np.array_split(np.argsort(predicted, kind="stable"), buckets)
        means = [predicted[part].mean() for part in parts]
        happened = [labels[part].mean() for part in parts]
        axes.plot(means, happened, marker=MARKERS[number], label=f"{name}: {predicted.mean():.2f} on average")
        said.append(f"{name}: where it says {means[-1]:.2f}, {happened[-1]:.2f} were late")
    axes.axhline(labels.mean(), color=style.MUTED, linewidth=1, zorder=0, label=f"late, of all: {labels.mean():.2f}")
    axes.set(title="Weights for classes move every probability", xlim=(0, 0.85), ylim=(0, 0.65))
    axes.set(xlabel="predicted probability of being late", ylabel="share that was late")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside the axes: lines may run anywhere
    return _say(figure, f"Share of late flights against the prediction, in {buckets} buckets. {'; '.join(said)}.")


def starts(curves: dict[str, list[float]], flat: dict[str, float] | None = None) -> Figure:
    """AUC after each epoch from several starting points; epoch 0 is before any training.

    Args:
        curves: by name, AUC after 0, 1, 2, ... epochs.
        flat: by name, levels to compare with.
    """
    figure, axes = _figure(8.5, 4.2)
    for number, (name, values) in enumerate(curves.items()):
        axes.plot(range(len(values)), values, marker=MARKERS[number], label=name)
    for name, level in (flat or {}).items():
        axes.axhline(level, color=style.MUTED, linestyle=":", label=name)
    axes.set(
        title="A warm start is ahead before it has seen a flight", xlabel="epochs of training", ylabel="AUC in March"
    )
    axes.set_xticks(range(max(map(len, curves.values()))))
    axes.legend(loc="lower right")
    said = "; ".join(
        f"{name}: {values[0]:.3f} before training, {values[-1]:.3f} at the end" for name, values in curves.items()
    )
    return _say(figure, f"AUC in March by epochs of training. {said}.")


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height))


def _say(figure: Figure, alt: str) -> Figure:
    """Gives a figure the alt text that `course.show` and `course.explore` look for."""
    figure.course_alt = alt
    return figure
