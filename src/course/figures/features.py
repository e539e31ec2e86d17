"""The charts of lesson 06, so that its cells hold what is computed and not how it is drawn. Each carries its alt text.

from course.figures import features as draw

course.show(draw.replay(aucs))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def batches(column: pd.Series, size: int) -> Figure:
    """The mean of each batch of rows, in the order of the file, against the mean of all.

    Args:
        column: a number for each row, in degrees Fahrenheit.
        size: rows a batch.
    """
    means = column.groupby([place // size for place in range(len(column))]).mean()
    figure, axes = _figure(8, 3.8)
    axes.plot(means.to_numpy(), "o", markersize=4 if len(means) > 60 else 7, label=f"mean of {size} flights")
    axes.axhline(column.mean(), color=style.RED, label=f"mean of all {len(column):,}: {column.mean():.1f}")
    axes.set(title="A batch does not know what the others look like", ylim=(0, 70))
    axes.set(xlabel="batch, in the order of the file", ylabel="mean temperature (°F)")
    axes.legend(loc="lower right", ncols=2)
    return _say(
        figure,
        f"In batches of {size} flights the mean temperature lies between {means.min():.0f} and {means.max():.0f} degrees; "
        f"that of all {len(column):,} flights is {column.mean():.1f}.",
    )


def crossed(share: pd.DataFrame, count: pd.DataFrame) -> Figure:
    """Share of late flights for each pair of two columns, as a table of colours.

    Args:
        share: 0 to 1, NaN where there are no flights; index and columns name the values of the two columns.
        count: flights in each cell, same labels.
    """
    figure, axes = _figure(8, 4)
    axes.pcolormesh(share.to_numpy(), cmap="cividis", vmin=0, vmax=0.5, edgecolors="white", linewidth=2)
    said = []
    for y, row in enumerate(share.index):
        for x, column in enumerate(share.columns):
            value, flights = share.loc[row, column], count.loc[row, column]
            if value != value:
                axes.text(x + 0.5, y + 0.5, "none", ha="center", va="center", color=style.MUTED)
                continue
            ink = style.INK if value > 0.26 else style.PAPER
            axes.text(x + 0.5, y + 0.5, f"{value:.0%}\nof {flights:,.0f}", ha="center", va="center", color=ink)
            said.append(f"{row} from {column} {value:.0%}")
    axes.set_xticks([x + 0.5 for x in range(len(share.columns))], share.columns)
    axes.set_yticks([y + 0.5 for y in range(len(share.index))], share.index)
    axes.grid(visible=False)
    axes.set(title="The best carrier depends on the airport", xlabel=share.columns.name, ylabel=share.index.name)
    axes.invert_yaxis()
    return _say(figure, f"Late flights: {', '.join(said)}.")


def timeline(
    nightly: pd.Series, daily: pd.Series, asked: pd.Timestamp, landed: pd.Timestamp, name: str, days: int = 3
) -> Figure:
    """Two joins of one flight with the history of its route: as of the moment it is asked, and by date.

    Args:
        nightly: share of late flights (0 to 1), indexed by the time at which it was counted.
        daily: the same by the day of the flights, indexed by that day's midnight.
        asked: when the prediction is wanted.
        landed: when the flight has landed, and its own outcome is known.
        name: of the flight.
        days: for how long a nightly count may be used, and over how many days both are counted.

    All times are naive and on the same clock.
    """
    import pandas as pd
    from matplotlib import dates

    day = pd.Timedelta(days=1)
    first, last = asked.normalize() - days * day, asked.normalize() + 2 * day
    nightly, daily = nightly[(nightly.index >= first) & (nightly.index < last)], daily[first : last - day]
    figure, axes = _figure(9, 4)
    axes.axvspan(asked, last, color=style.tint(style.LINE, 0.45), zorder=0)
    axes.axvline(asked, color=style.INK, linewidth=1.2)
    axes.text(asked, 3.35, "asked here; grey: not yet known  ", ha="right", va="center")
    for when, share in nightly.items():
        axes.plot(when, 2, "o", color=style.BLUE, markersize=9)
        axes.text(when, 2.22, f"{share:.0%}", ha="center", color=style.BLUE, weight="bold")
    for midnight, share in daily.items():
        axes.barh(1, day * 0.96, left=midnight + day * 0.02, height=0.36, color=style.tint(style.RED, 0.25))
        axes.text(midnight + day / 2, 1, f"{share:.0%}", ha="center", va="center", color=style.RED, weight="bold")
    axes.plot(landed, 0, "s", color=style.INK, markersize=8)
    axes.text(landed + day * 0.05, 0, f"{name}\nhas landed", ha="left", va="center")
    known = nightly[(nightly.index <= asked) & (nightly.index >= asked - days * day)]
    right, wrong = (known.iloc[-1] if len(known) else None), daily.get(asked.normalize())
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "linewidth": 2, "shrinkB": 7}
    if right is not None:
        axes.annotate("", (known.index[-1], 2), (asked, 2.75), arrowprops=arrow | {"color": style.BLUE})
    axes.annotate(
        "",
        (min(landed, asked.normalize() + day * 0.95), 1.18),
        (asked, 2.75),
        arrowprops=arrow | {"color": style.RED},
    )
    axes.plot(asked, 2.75, "D", color=style.INK)
    axes.set_yticks([2, 1, 0], ["counted\neach night", "by day of\ndeparture", "the flight"])
    axes.set(xlim=(first, last), ylim=(-0.6, 3.7), title="As of then, or by date: one arrow comes from the future")
    axes.set(xlabel=f"New York time; share of late flights on this route, last {days} days")
    axes.xaxis.set_major_locator(dates.DayLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%-d %b, 0 h"))
    axes.grid(axis="y", visible=False)
    said = (
        "finds nothing that is young enough"
        if right is None
        else f"takes {right:.0%}, counted {known.index[-1]:%-d %B %H:%M}"
    )
    by_date = "no value" if wrong is None else f"{wrong:.0%}"
    return _say(
        figure,
        f"{name}, asked {asked:%-d %B %H:%M}. The point-in-time join {said}. The join by date takes {by_date}, "
        f"which holds the flights of that whole day, this one, landed at {landed:%H:%M}, among them.",
    )


def replay(aucs: pd.DataFrame) -> Figure:
    """AUC of each month, a line for each way to join and to judge.

    Args:
        aucs: months in the index; columns `without history`, `as of then`, `by date, as measured`, `by date, as served`.
    """
    looks = {
        "without history": {"color": style.MUTED, "linestyle": ":", "marker": ""},
        "as of then": {"color": style.BLUE, "marker": "o"},
        "by date, as measured": {"color": style.RED, "linestyle": "--", "marker": "s"},
        "by date, as served": {"color": style.RED, "marker": "s"},
    }
    figure, axes = _figure(8.5, 4.2)
    for name, look in looks.items():
        axes.plot(aucs[name], label=f"{name}: {aucs[name].mean():.3f}", **look)
    axes.set(title="What the leak promises is not what it delivers", ylim=(0.55, 0.9))
    axes.set(xlabel="month that is judged, after training on the three before", ylabel="AUC")
    axes.legend(title="mean of the months", alignment="left", loc="center left", bbox_to_anchor=(1, 0.5))
    means = ", ".join(f"{name} {aucs[name].mean():.3f}" for name in looks)
    worst = int((aucs["by date, as served"] < aucs["without history"]).sum())
    return _say(
        figure,
        f"AUC by month, mean of {len(aucs)} months: {means}. As served, the model that was trained on the join by date is "
        f"below the one without history in {worst} of {len(aucs)} months.",
    )


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height))


def _say(figure: Figure, alt: str) -> Figure:
    """Gives a figure the alt text that `course.show` and `course.explore` look for."""
    figure.course_alt = alt
    return figure
