"""The charts of lesson 05, so that its cells hold what is computed and not how it is drawn. Each carries its alt text.

from course.figures import validate as draw

course.show(draw.strips(distances, thresholds={"carrier": 0.1}))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

KINDS = {"noise": (style.MUTED, "|", -0.22), "months": (style.BLUE, "o", 0.0), "faults": (style.RED, "D", 0.22)}
"""Colour, marker and place of each kind of distance in `strips`."""


SMALLEST = 0.001
"""Distances below are drawn here, at the left end of the logarithmic axis."""


def strips(distances: pd.DataFrame, thresholds: dict[str, float]) -> Figure:
    """Where distances lie, feature by feature: noise, ordinary months, and faults, with the threshold between them.

    Args:
        distances: columns `feature`, `kind` (a key of `KINDS`), `name` and `distance` (greater than 0, at most 1).
        thresholds: by feature; a feature may have none.
    """
    features = list(dict.fromkeys(distances["feature"]))
    figure, axes = _figure(9, 1.3 + 0.72 * len(features))
    said = []
    for row, feature in enumerate(features):
        ours = distances[distances["feature"] == feature]
        words = []
        for kind, (colour, marker, place) in KINDS.items():
            values = ours.loc[ours["kind"] == kind, "distance"]
            if values.empty:
                continue
            size = 90 if marker == "|" else 26
            axes.scatter(
                values.clip(lower=SMALLEST),
                [row + place] * len(values),
                color=colour,
                marker=marker,
                s=size,
                alpha=0.75,
                label=kind,
            )
            words.append(f"{kind} {values.min():.3f} to {values.max():.3f}")
        limit = thresholds.get(feature)
        if limit is not None:
            axes.plot([limit, limit], [row - 0.42, row + 0.42], color=style.INK, linewidth=2.5)
            axes.annotate(f"{limit:g}", (limit, row - 0.4), (4, -2), textcoords="offset points", fontsize=10)
        said.append(f"{feature}: {', '.join(words)}, {'no threshold' if limit is None else f'threshold {limit:g}'}")
    axes.set(yticks=range(len(features)), yticklabels=features, title="A threshold belongs into the gap")
    _distance_axis(axes)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys(), loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    return _say(figure, f"Distances by feature. {'; '.join(said)}.")


def choice(distances: pd.DataFrame, feature: str, threshold: float) -> Figure:
    """One feature of `strips`, with what a threshold would do: alarms for nothing, and faults that are caught."""
    ours = distances[distances["feature"] == feature]
    figure, axes = _figure(9, 2.9)
    told = []
    for row, (kind, (colour, marker, _)) in enumerate(KINDS.items()):
        values = ours.loc[ours["kind"] == kind, "distance"]
        axes.scatter(values.clip(lower=SMALLEST), [row] * len(values), color=colour, marker=marker, s=60, alpha=0.75)
        told.append(f"{kind} {int((values > threshold).sum())} of {len(values)}")
    axes.axvline(threshold, color=style.INK, linewidth=2.5)
    axes.set(yticks=range(len(KINDS)), yticklabels=KINDS, ylim=(len(KINDS) - 0.5, -0.5))
    _distance_axis(axes)
    axes.set_title(f"{feature}, alarms at {threshold:.3g}: {', '.join(told)}")
    return _say(figure, f"{feature} with the threshold {threshold:.3g}, alarms: {', '.join(told)}.")


def noise(by_size: pd.Series, months: float, threshold: float, feature: str) -> Figure:
    """How far two samples of the same distribution lie apart by chance, over their size.

    Args:
        by_size: distance that chance exceeds once in a hundred, indexed by the number of flights.
        months: largest distance between ordinary months.
        threshold: the chosen one.
        feature: name of the feature.
    """
    figure, axes = _figure(8, 3.8)
    axes.plot(by_size, marker="o", label="chance, once in 100")
    axes.axhline(threshold, color=style.INK, label=f"threshold {threshold:g}")
    axes.axhline(months, color=style.RED, linestyle="--", label=f"largest step between months, {months:.3f}")
    axes.set(xscale="log", ylim=(0, None), xlabel="flights in each of the two samples (logarithmic)")
    axes.set(ylabel="L-infinity distance", title=f"{feature}: the fewer flights, the louder the noise")
    axes.set_xticks(list(by_size.index), [f"{size:,}" for size in by_size.index])
    axes.minorticks_off()
    axes.legend()
    said = ", ".join(f"{value:.3f} with {size:,}" for size, value in by_size.items())
    return _say(
        figure,
        f"Distance of {feature} that chance alone exceeds once in a hundred, by number of flights: {said}. "
        f"Threshold {threshold:g}; largest step between months {months:.3f}.",
    )


def fates(counts: pd.Series) -> Figure:
    """How many kinds of anomaly there are in each group, the first in the colour of what was produced."""
    figure, axes = _figure(8, 1.4 + 0.36 * len(counts))
    colours = [style.BLUE] + [style.tint(style.MUTED, 0.55)] * (len(counts) - 1)
    bars = axes.barh(counts.index, counts, color=colours)
    axes.bar_label(bars, padding=4)
    axes.set(title=f"{counts.sum()} kinds of anomaly, {counts.iloc[0]} of them produced here", xlabel="kinds")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return _say(figure, "Kinds of anomaly: " + ", ".join(f"{name} {count}" for name, count in counts.items()) + ".")


VERDICTS = {
    "stops it": (style.RED, "white"),
    "lets it pass": (style.tint(style.GREEN, 0.25), style.INK),
    "not reached": (style.WASH, style.MUTED),
}
"""What a check does with a month, with the colours of its cell and of the word."""


def catchers(verdicts: pd.DataFrame) -> Figure:
    """Which check stops which month.

    Args:
        verdicts: a row for each month, a column for each check in order; each cell a key of `VERDICTS`.
    """
    figure, axes = _figure(9, 1.1 + 0.27 * len(verdicts))
    said = []
    for row, (name, checks) in enumerate(verdicts.iterrows()):
        for column, word in enumerate(checks):
            colour, ink = VERDICTS[word]
            axes.barh(row, 0.96, left=column, height=0.88, color=colour)
            axes.text(column + 0.48, row, word, color=ink, ha="center", va="center_baseline", fontsize=10)
        stopping = [column for column, word in checks.items() if word == "stops it"]
        said.append(f"{name}: {' and '.join(stopping) or 'nothing stops it'}")
    axes.set(yticks=range(len(verdicts)), yticklabels=verdicts.index)
    axes.set(xlim=(0, len(verdicts.columns)), ylim=(len(verdicts) - 0.5, -0.5))
    axes.set_xticks([column + 0.48 for column in range(len(verdicts.columns))], verdicts.columns)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("Every fault has a check that stops it, and good months pass", pad=8)
    axes.grid(visible=False)
    return _say(figure, f"Which check stops which month. {'; '.join(said)}.")


def _distance_axis(axes: Any) -> None:
    """A logarithmic axis from `SMALLEST` to 1."""
    axes.set(xscale="log", xlim=(0.9 * SMALLEST, 1.2))
    ticks = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]
    axes.set_xticks(ticks, ["≤ 0.001", *(f"{tick:g}" for tick in ticks[1:])])
    axes.minorticks_off()
    axes.set_xlabel("distance (1: nothing in common; logarithmic)")
    axes.grid(axis="y", visible=False)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height))


def _say(figure: Figure, alt: str) -> Figure:
    """Gives a figure the alt text that `course.show` and `course.explore` look for."""
    figure.course_alt = alt
    return figure
