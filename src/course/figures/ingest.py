"""The charts of lesson 04, so that its cells hold what is computed and not how it is drawn. Each carries its alt text.

from course.figures import ingest as draw

course.show(draw.splits({"by row": flights}))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TRAIN, EVAL = style.tint(style.SKY, 0.6), style.RED


def splits(rules: dict[str, pd.DataFrame]) -> Figure:
    """Each flight as a dot, day against scheduled hour, for several ways of splitting; eval flights stand out.

    Args:
        rules: flights by the name of the rule, with columns `year`, `month`, `day`, `sched_dep_time` (HHMM) and `split`
            (`train` or `eval`).
    """
    import pandas as pd
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(len(rules), 1, figsize=(8.8, 1.9 * len(rules)), sharex=True, squeeze=False)
    said = []
    for (rule, flights), axes in zip(rules.items(), rows[:, 0], strict=True):
        days = pd.to_datetime(flights[["year", "month", "day"]])
        hours = flights["sched_dep_time"] // 100 + flights["sched_dep_time"] % 100 / 60
        evaluated = flights["split"] == "eval"
        for chosen, mark, colour in ((~evaluated, "o", TRAIN), (evaluated, "s", EVAL)):
            axes.scatter(days[chosen], hours[chosen], s=5, marker=mark, color=colour, linewidths=0)
        axes.set_title(f"{rule}: {evaluated.mean():.0%} of the flights examine", fontsize=12)
        axes.set(ylabel="hour of day", yticks=[6, 12, 18], ylim=(4, 25))
        axes.grid(visible=False)
        mixed = int(flights.groupby(days)["split"].nunique().eq(2).sum())
        said.append(f"{rule}: {evaluated.mean():.0%} in eval, {mixed} of {days.nunique()} days on both sides")
    firsts = sorted(set(days[days.dt.day == 1]))
    rows[-1, 0].set_xticks(firsts, [f"1 {date:%B}" for date in firsts])
    rows[-1, 0].set_xlabel("day of the scheduled departure")
    figure.legend(handles=[_dot("o", TRAIN, "train"), _dot("s", EVAL, "eval")], loc="outside upper right", ncols=2)
    figure.suptitle("A split by row leaves no day unseen", x=0.01, ha="left", weight="bold", fontsize=14)
    return _say(figure, f"Each flight is a dot, by day and hour, in the colour of its split. {'; '.join(said)}.")


def optimism(means: pd.DataFrame) -> Figure:
    """What each way of splitting promises, and what the next month brings.

    Args:
        means: columns `promised` and `next month` (AUCs), a row for each rule, in the order in which they are drawn.
    """
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3))
    for place, row in enumerate(means[::-1].to_dict("records")):
        promised, came = row["promised"], row["next month"]
        axes.plot([came, promised], [place, place], color=style.LINE, linewidth=4, zorder=1)
        axes.plot(promised, place, "s", color=style.RED, markersize=9, label="promised on eval" if place == 0 else None)
        axes.plot(came, place, "o", color=style.BLUE, markersize=9, label="next month" if place == 0 else None)
        axes.annotate(f"{promised:.2f}", (promised, place), (10, 0), textcoords="offset points", va="center")
        axes.annotate(f"{came:.2f}", (came, place), (-10, 0), textcoords="offset points", va="center", ha="right")
    axes.set_yticks(range(len(means)), list(means.index[::-1]))
    low, high = means.min().min(), means.max().max()
    axes.set(title="The split by row promises what it cannot keep", xlabel="AUC, mean of nine months")
    axes.set(xlim=(low - 0.02, high + 0.02), ylim=(-0.6, len(means) - 0.1))
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper left", ncols=2)
    said = "; ".join(f"{rule} {row['promised']:.2f} and {row['next month']:.2f}" for rule, row in means.iterrows())
    return _say(figure, f"AUC that is promised on the eval split, and AUC of the next month, for each rule: {said}.")


def _dot(mark: str, colour: str, label: str) -> object:
    from matplotlib.lines import Line2D

    return Line2D([], [], marker=mark, color=colour, linestyle="none", markersize=7, label=label)


def _say(figure: Figure, alt: str) -> Figure:
    """Gives a figure the alt text that `course.show` looks for."""
    figure.course_alt = alt
    return figure
