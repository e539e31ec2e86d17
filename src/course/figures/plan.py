"""The charts of lesson 02, so that its cells hold what is computed and not how it is drawn. Each carries its alt text.

from course.figures import plan as draw

course.show(draw.thresholds(share, marks=[0, 15, 60]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def thresholds(share: pd.Series, marks: list[int]) -> Figure:
    """How many flights are late, by what is called late.

    Args:
        share: share of late flights (0 to 1), indexed by the threshold in minutes.
        marks: thresholds to name.
    """
    figure, axes = _figure(8, 4)
    axes.plot(share)
    for minutes in marks:
        axes.plot(minutes, share[minutes], "o", color=style.RED)
        axes.annotate(f"{share[minutes]:.0%} more than {minutes} min", (minutes + 3, share[minutes] + 0.01))
    axes.set(
        title="The share of late flights is ours to choose", ylim=(0, 0.5), ylabel="share of flights that are late"
    )
    axes.set(xlabel="threshold for late (minutes after schedule)")
    axes.yaxis.set_major_formatter("{x:.0%}")
    named = ", ".join(f"{share[minutes]:.0%} at {minutes}" for minutes in marks)
    return _say(figure, f"The share of late flights falls smoothly with the threshold in minutes: {named}.")


def days(table: pd.DataFrame, named: dict[str, tuple[int, int]]) -> Figure:
    """A dot for each day: flights that are gone, against late ones among those that arrived.

    Args:
        table: columns `gone` and `late` (shares, 0 to 1), indexed by month and day.
        named: labels of days to point out, with their month and day.
    """
    figure, axes = _figure(8, 4)
    axes.scatter(table["gone"], table["late"], s=14, alpha=0.6)
    said = []
    for label, day in named.items():
        gone, late = table.loc[day, ["gone", "late"]]
        axes.scatter(gone, late, s=40, color=style.RED)
        axes.annotate(label, (gone - 0.01, late + 0.03), ha="right")
        said.append(f"{label}: {gone:.0%} gone, {late:.0%} late")
    axes.set(title="Measured on the flights that arrived, the worst day looks ordinary")
    axes.set(xlabel="cancelled or diverted, of those scheduled", ylabel="late, of those that arrived")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    return _say(
        figure, f"A dot for each day. The more are gone, the more are late, but not far right. {'; '.join(said)}."
    )


def single_columns(aucs: pd.Series, suspicious: float = 0.8) -> Figure:
    """The AUC of each column alone, the largest on top; what is over `suspicious` in another colour."""
    aucs = aucs.sort_values()
    figure, axes = _figure(8, 4.4)
    colours = [style.RED if value > suspicious else style.BLUE for value in aucs]
    bars = axes.barh(aucs.index, aucs - 0.5, left=0.5, color=colours)
    axes.bar_label(bars, labels=[f"{value:.2f}" for value in aucs], padding=3, fontsize=9)
    axes.set(title="Two columns are too good alone", xlabel="AUC of the column alone (0.5: a coin)", xlim=(0.5, 1.08))
    axes.grid(axis="y", visible=False)
    return _say(
        figure, "AUC of single columns: " + ", ".join(f"{n} {value:.2f}" for n, value in aucs[::-1].items()) + "."
    )


def costs(curve: pd.Series, threshold: float, ends: dict[str, float]) -> Figure:
    """The cost of errors over the threshold, and how 1,000 flights end at the chosen one.

    Args:
        curve: dollars per 1,000 flights, indexed by threshold (0 to 1).
        threshold: the chosen one, in the index of `curve`.
        ends: how many of 1,000 flights end in which way: two ways to be wrong, then two to be right.
    """
    best = curve.idxmin()
    cheapest, chosen = (
        f"cheapest: {curve[best]:,.0f} at {best:.2f}",
        f"chosen: {curve[threshold]:,.0f} at {threshold:.2f}",
    )
    figure, (left, right) = _figure(9, 4, columns=2, widths=[3, 2])
    left.plot(curve)
    left.plot(best, curve[best], "s", color=style.GREEN, label=cheapest)
    left.plot(threshold, curve[threshold], "o", color=style.RED, label=chosen)
    left.set(title="Cost of errors", xlabel="threshold: act from this probability on", ylim=(0, None))
    left.set(ylabel="dollars per 1,000 flights")
    left.yaxis.set_major_formatter("{x:,.0f}")
    left.legend(loc="lower right")
    bars = right.barh(list(ends), list(ends.values()), color=[style.RED, style.RED, style.GREEN, style.GREEN])
    right.bar_label(bars, fmt="%.0f", padding=3)
    right.set(title="How 1,000 flights end", xlabel="flights", xlim=(0, 1000), ylim=(3.5, -0.5))
    right.grid(visible=False)
    said = ", ".join(f"{end} {number:.0f}" for end, number in ends.items())
    return _say(
        figure, f"Cost over the threshold, in dollars per 1,000 flights. {chosen}; {cheapest}. Flights: {said}."
    )


def calibration(tenths: pd.DataFrame, months: pd.DataFrame) -> Figure:
    """Mean prediction against what happened: by tenths of the prediction, and by month.

    Args:
        tenths: columns `score` and `late` (means, 0 to 1), a row for each tenth of the flights, lowest score first.
        months: the same, a row for each month, indexed by its number.
    """
    figure, (left, right) = _figure(9, 3.8, columns=2)
    left.plot([0, 0.7], [0, 0.7], color=style.MUTED, linewidth=1, linestyle="--", label="perfect")
    left.plot(tenths["score"], tenths["late"], "o-", label="a tenth of the flights each")
    left.set(title="By prediction: too extreme", xlabel="mean prediction", ylabel="share that was late")
    left.legend()
    right.plot(months.index, months["score"], "s--", label="mean prediction")
    right.plot(months.index, months["late"], "o-", label="share that was late")
    right.set(title="By month: far off at times", xlabel="month of 2013", ylabel="share of flights", ylim=(0, 0.5))
    right.legend()
    rows = {"lowest tenth": tenths.iloc[0], "highest tenth": tenths.iloc[-1]}
    rows |= {f"month {month}": row for month, row in months.iterrows()}
    said = ", ".join(f"{name} {row['score']:.0%} and {row['late']:.0%}" for name, row in rows.items())
    return _say(figure, f"Mean prediction, and share that was late: {said}.")


def months(table: pd.DataFrame, bar: float) -> Figure:
    """The AUC of each month with its range by chance, the rule's, and the bar.

    Args:
        table: columns `model`, `low`, `high` and `rule` (AUCs), indexed by month.
        bar: the least AUC that is accepted.
    """
    figure, axes = _figure(8, 4)
    ranges = [(table["model"] - table["low"]).to_numpy(), (table["high"] - table["model"]).to_numpy()]
    axes.errorbar(table.index, table["model"], ranges, fmt="o", capsize=4, label="model, with its 95 % range")
    axes.plot(table.index, table["rule"], "s", color=style.ORANGE, label="last month's rate")
    axes.axhline(bar, color=style.RED, linestyle="--", label=f"the bar: {bar:.2f}")
    axes.set(
        title="Some months are harder, and chance moves them all", ylim=(0.5, max(0.85, table["high"].max() + 0.05))
    )
    axes.set(xlabel="month of 2013", ylabel="AUC")
    axes.legend(ncols=3, loc="upper center")
    said = "; ".join(
        f"month {month} {row['model']:.2f} ({row['low']:.2f} to {row['high']:.2f}), rule {row['rule']:.2f}"
        for month, row in table.iterrows()
    )
    return _say(figure, f"AUC of the model with its 95 % range, and of the rule; the bar is {bar:.2f}. {said}.")


def _figure(width: float, height: float, columns: int = 1, widths: list[float] | None = None) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(1, columns, figsize=(width, height), width_ratios=widths)


def _say(figure: Figure, alt: str) -> Figure:
    """Gives a figure the alt text that `course.show` and `course.explore` look for."""
    figure.course_alt = alt
    return figure
