"""The charts of lesson 11: which run covers which month, what retries are good for, how an engine cuts up a transform.

Each carries its alt text. What they draw is computed by small functions, which a lesson or a test may call by themselves.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course import style
from course.figures.canvas import SMALL, Sheet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

YEAR = 2013
"""Of the flights."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

FAILS_AFTER = 1
"""Minutes until an attempt notices that it cannot work."""

ROW = 78
"""Pixels from one worker to the next."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a monthly schedule.

    Attributes:
        month: 1 to 12, the month that it covers; its logical date is the first of it.
        starts: the day on which the scheduler starts it.
        works: the day on which its data are there; until then its sensor waits.
        is_backfill: whether it was due before the schedule was switched on.
    """

    month: int
    starts: datetime.date
    works: datetime.date
    is_backfill: bool


def first_of(month: int) -> datetime.date:
    """The first day of a month of the year of the flights; 13 is January of the next."""
    return datetime.date(YEAR + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def runs(switched_on: int, catchup: bool, days_late: int, first: int = 1) -> list[Run]:
    """The runs of a monthly schedule in a year, as Airflow makes them.

    A run starts when the month that it covers is over. Of those that were due before, `catchup` makes all; without it, the
    scheduler makes the newest only.

    Args:
        switched_on: the month, 1 to 12, in the middle of which the schedule is switched on.
        catchup: whether the runs that were missed are made.
        days_late: how many days after the end of a month its data arrive.
        first: the first month that the schedule covers.
    """
    today = first_of(switched_on) + datetime.timedelta(14)
    found = []
    for month in range(first, 13):
        due = first_of(month + 1)
        if due < today and not catchup and month < switched_on - 1:
            continue
        starts = max(due, today)
        found.append(Run(month, starts, max(starts, due + datetime.timedelta(days_late)), due < today))
    return found


def calendar(switched_on: int = 6, catchup: bool = True, days_late: int = 5) -> Figure:
    """Which run covers which month, and when it starts and works.

    Args:
        switched_on: as for `runs`.
        catchup: as for `runs`.
        days_late: as for `runs`.
    """
    made = {run.month: run for run in runs(switched_on, catchup, days_late)}
    figure, axes = _figure(8.6, 4.6)
    for month in range(1, 13):
        begin, end = _day(first_of(month)), _day(first_of(month + 1))
        run = made.get(month)
        colour = style.BLUE if run else style.MUTED
        axes.barh(month, end - begin, 0.62, begin, color=style.tint(colour, 0.8 if run else 0.25))
        if run is None:
            axes.text(end + 3, month, "no run", color=style.MUTED, va="center", fontsize=10)
            continue
        if run.works > run.starts:
            axes.plot([_day(run.starts), _day(run.works)], [month] * 2, color=style.ORANGE, linewidth=5)
        marker, ink = ("D", style.RED) if run.is_backfill else ("o", style.GREEN)
        axes.plot(_day(run.works), month, marker, color=ink, markersize=8)
    today = _day(first_of(switched_on)) + 14
    axes.axvline(today, color=style.INK, linewidth=1.2, linestyle="--")
    axes.text(today + 2, 0.1, "switched on", fontsize=10, va="center")
    axes.set(title="A month is learned when it is over", xlabel="day on which things happen", ylabel="month covered")
    axes.set(yticks=range(1, 13), yticklabels=MONTHS, ylim=(12.7, -0.4), xlim=(0, 396))
    axes.set_xticks([_day(first_of(month)) for month in range(1, 14)], [*MONTHS, "Jan"])
    _legend(axes, days_late > 0, any(run.is_backfill for run in made.values()))
    return _say(figure, _calendar_words(list(made.values()), switched_on, catchup, days_late))


def _legend(axes: Any, waits: bool, backfills: bool) -> None:
    """What the marks of the calendar mean: those that are there."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=style.tint(style.BLUE, 0.8), label="month that is covered")]
    handles += [Line2D([], [], color=style.ORANGE, linewidth=5, label="sensor waits")] if waits else []
    handles += [Line2D([], [], marker="D", linestyle="", color=style.RED, label="backfilled")] if backfills else []
    handles += [Line2D([], [], marker="o", linestyle="", color=style.GREEN, label="works on time")]
    axes.legend(handles=handles, loc="lower left", fontsize=10, frameon=True, edgecolor="none")


def _calendar_words(made: Sequence[Run], switched_on: int, catchup: bool, days_late: int) -> str:
    missed = [MONTHS[run.month - 1] for run in made if run.is_backfill]
    after = [MONTHS[run.month - 1] for run in made if not run.is_backfill]
    story = f"A monthly schedule, switched on in the middle of {MONTHS[switched_on - 1]} {'with' if catchup else 'without'} catchup."
    story += f" At once it makes up for: {', '.join(missed) or 'nothing'}."
    if after:
        story += f" Then each month from {after[0]} to {after[-1]} has a run on the first of the next month"
        story += f", which waits {days_late} days for its data." if days_late else ", which works at once."
    return story


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt of a task: minutes from the first one's start, and whether it succeeded."""

    start: float
    end: float
    succeeded: bool


def attempts(outage: float, retries: int, delay: float, growing: bool, takes: float = 4) -> list[Attempt]:
    """What a task does while something that it needs is away.

    Args:
        outage: minutes from the first attempt until the fault is gone.
        retries: how often the task is tried again.
        delay: minutes between the end of an attempt and the next one.
        growing: whether the delay doubles each time.
        takes: minutes of an attempt that succeeds.

    Returns:
        The attempts, of which at most the last succeeds. If none does, a person is called when the last has failed.
    """
    made: list[Attempt] = []
    start = 0.0
    for number in range(retries + 1):
        succeeded = start >= outage
        made.append(Attempt(start, start + (takes if succeeded else FAILS_AFTER), succeeded))
        if succeeded:
            break
        start = made[-1].end + delay * (2**number if growing else 1)
    return made


def retries(outage: float = 20, delay: float = 5) -> Figure:
    """Three ways to deal with a fault that goes away by itself.

    Args:
        outage: minutes until it is gone.
        delay: minutes to the first retry.
    """
    policies = {
        "no retry": attempts(outage, 0, delay, False),
        "3 retries, even": attempts(outage, 3, delay, False),
        "3 retries, growing": attempts(outage, 3, delay, True),
    }
    figure, axes = _figure(8.4, 3.2)
    axes.axvspan(0, outage, color=style.tint(style.MUTED, 0.2), linewidth=0)
    ends = []
    for row, (name, made) in enumerate(policies.items()):
        for attempt in made:
            colour, hatch = (style.GREEN, "") if attempt.succeeded else (style.RED, "////")
            width = attempt.end - attempt.start
            axes.barh(row, width, 0.5, attempt.start, color=colour, hatch=hatch, edgecolor=style.PAPER, linewidth=0.5)
        last = made[-1]
        word = f"done at {last.end:g} min" if last.succeeded else f"a person is called at {last.end:g} min"
        axes.text(last.end + 0.8, row, word, va="center", fontsize=11, bbox={"color": "white", "alpha": 0.7, "pad": 1})
        tries = "1 attempt" if len(made) == 1 else f"{len(made)} attempts"
        ends.append(f"{name}: {tries}, {word}")
    latest = max(made[-1].end for made in policies.values())
    axes.set(title="A retry outlasts what goes away by itself", xlabel="minutes since the first attempt")
    axes.set(yticks=range(3), yticklabels=policies, ylim=(2.6, -0.6), xlim=(-0.5, max(latest, outage) * 1.25 + 12))
    axes.text(outage, -0.52, "fault is gone ", ha="right", va="top", fontsize=10, color=style.MUTED) if outage else None
    return _say(figure, f"A fault that lasts {outage:g} minutes. {'; '.join(ends)}.")


def spread(counts: Mapping[str, Mapping[str, tuple[int, int]]]) -> Figure:
    """How an engine cuts up a mean by key: each worker counts what it has read, and only counts travel.

    Args:
        counts: by the name of what one worker reads, then by key: how many are late, and how many there are.
    """
    keys = sorted({key for of in counts.values() for key in of})
    totals = {key: [sum(of.get(key, (0, 0))[part] for of in counts.values()) for part in (0, 1)] for key in keys}
    shares = {key: late / flights for key, (late, flights) in totals.items()}
    words = "; ".join(f"{key} {late} of {flights}, {late / flights:.3f}" for key, (late, flights) in totals.items())
    sheet = Sheet(
        "Each worker counts for itself; only the counts travel",
        126 + ROW * max(len(counts), len(keys)),
        f"{len(counts)} workers read {', '.join(counts)}. Each counts late flights and all flights by airport. The counts of an "
        f"airport then meet: {words}.",
    )
    for x, name in ((92, "read"), (292, "columns, key"), (470, "counted where read"), (800, "merged by key")):
        sheet.text(x, 66, name, size=SMALL, colour=style.MUTED)
    sheet.text(625, 66, "shuffle", size=SMALL, colour=style.RED, weight="bold")
    goals = {}
    for row, key in enumerate(keys):
        late, flights = totals[key]
        text = f"{key}: {late} / {flights} = {shares[key]:.3f}"
        goals[key] = sheet.box(702, 92 + ROW * row, 184, 54, text, colour=style.GREEN)
    for row, (name, of) in enumerate(counts.items()):
        y = 92 + ROW * row
        file = sheet.box(16, y, 152, 54, name, colour=style.MUTED, kind="outlined")
        cut = sheet.box(214, y, 156, 54, "(airport, late)", colour=style.BLUE)
        partial = "\n".join(f"{key} {late} / {flights}" for key, (late, flights) in sorted(of.items()))
        counted = sheet.box(396, y - 6, 148, 66, partial, colour=style.BLUE, size=SMALL)
        sheet.arrow(file.right, cut.left)
        sheet.arrow(cut.right, counted.left)
        for key in of:
            sheet.arrow(counted.right, goals[key].left, colour=style.RED, width=1.1)
    sheet.text(
        16,
        sheet.height - 18,
        "Map: line by line, anywhere. CombinePerKey: counted in parts, then across the network.",
        size=SMALL,
        across="left",
        colour=style.MUTED,
    )
    return sheet.figure


def beside(seconds: pd.DataFrame) -> Figure:
    """How long components take on several runners.

    Args:
        seconds: a row for each component, a column for each runner.
    """
    figure, axes = _figure(8, 1.4 + 0.62 * len(seconds))
    height = 0.8 / len(seconds.columns)
    for place, (runner, colour, hatch) in enumerate(
        zip(seconds.columns, (style.BLUE, style.ORANGE, style.GREEN), ("", "//", ".."), strict=False)
    ):
        rows = [row + (place - (len(seconds.columns) - 1) / 2) * height for row in range(len(seconds))]
        bars = axes.barh(
            rows, seconds[runner], height * 0.92, color=colour, hatch=hatch, edgecolor=style.PAPER, label=runner
        )
        axes.bar_label(bars, [f"{value:.0f}" for value in seconds[runner]], padding=3, fontsize=10)
    axes.set(title="On small data you see the fixed cost", xlabel="seconds", yticks=range(len(seconds)))
    axes.set_yticklabels(seconds.index)
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    rows = [
        f"{name} {', '.join(f'{value:.0f} on {runner}' for runner, value in row.items())}"
        for name, row in seconds.iterrows()
    ]
    return _say(figure, f"Seconds of each component: {'; '.join(rows)}.")


def _day(date: datetime.date) -> int:
    """Days since the first of January."""
    return (date - first_of(1)).days


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height))


def _say(figure: Figure, words: str) -> Figure:
    """Attaches the alt text."""
    figure.course_alt = words
    return figure
