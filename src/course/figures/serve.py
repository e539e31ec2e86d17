"""The charts of lesson 09: how long requests take, by percentiles; and which version has answered what, while versions come and go.

Each carries its alt text. What they draw is computed by small functions, which a lesson or a test may call by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course import style

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from course.load import Answer

SHORT, LONG, LONG_SHARE = 0.002, 0.03, 0.02
"""Seconds that a server works on a request about one flight, and on one about many; and the share of the latter."""

COLOURS = {1: style.BLUE, 2: style.GREEN, 3: style.ORANGE}
HATCHES = {1: "", 2: "//", 3: ".."}
"""Of versions."""


def waits(busy: float, requests: int = 20_000) -> np.ndarray:
    """Seconds from a request to its answer, with one server that answers one request after the other (Lindley's recursion).

    Args:
        busy: share of the time that the server works, below 1.
        requests: how many come, at random moments, whoever else has asked.

    Returns:
        Of shape (requests,).
    """
    import numpy as np

    random = np.random.default_rng(13)
    works = np.where(random.random(requests) < LONG_SHARE, LONG, SHORT)
    gaps = random.exponential(works.mean() / busy, requests)
    waited = np.zeros(requests)
    for number in range(1, requests):
        waited[number] = max(0.0, waited[number - 1] + works[number - 1] - gaps[number])
    return waited + works


def in_line(busy: float = 0.5) -> Figure:
    """How long requests take when a server is busy for a share of its time.

    Args:
        busy: the share, below 1.
    """
    return latencies({f"{busy:.0%} busy": waits(busy)}, "Waiting in line: a simulation")


def latencies(groups: Mapping[str, Sequence[float] | np.ndarray], title: str) -> Figure:
    """How long requests took, a panel for each group, on a log axis, with mean and percentiles.

    Args:
        groups: seconds of each request, by the name of the group.
        title: the message.
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    figure, panels = _figure(8.6, 1.5 + 1.75 * len(groups), len(groups))
    taken = {name: np.asarray(values) * 1000 for name, values in groups.items()}
    least, most = (bound([values.min() for values in taken.values()]) for bound in (min, max))
    most = max(most, *(values.max() for values in taken.values()))
    edges = np.geomspace(least / 1.2, most * 1.2, 60)
    said = []
    for axes, (name, values) in zip(panels, taken.items(), strict=True):
        counts, _ = np.histogram(values, edges)
        axes.stairs(counts / len(values), edges, fill=True, color=style.tint(style.BLUE, 0.5))
        top = counts.max() / len(values)
        marks = {"p50": np.quantile(values, 0.5), "mean": values.mean(), "p99": np.quantile(values, 0.99)}
        lines = {"p50": ("-", style.BLUE, 1.44), "mean": (":", style.MUTED, 1.27), "p99": ("--", style.RED, 1.1)}
        for mark, at in marks.items():
            dash, colour, height = lines[mark]
            axes.axvline(at, 0, height / 1.55, color=colour, linestyle=dash, linewidth=2)
            axes.text(at * 1.03, top * height, f"{mark} {at:.3g} ms", color=colour, fontsize=11, va="center")
        axes.set(xscale="log", ylim=(0, top * 1.55), ylabel="share of\nrequests")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.set_title(name, loc="right", fontsize=12)
        axes.xaxis.set_major_formatter(lambda at, _: f"{at:g}")
        axes.xaxis.set_minor_formatter(lambda at, _: "")  # matplotlib's own needs a typeface for its powers of ten
        said.append(f"{name}: " + ", ".join(f"{mark} {at:.3g}" for mark, at in marks.items()))
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[-1].set_xlabel("milliseconds from request to answer (log axis)")
    panels[0].set_title(title, loc="left")
    return _say(figure, f"Histogram of how many milliseconds requests take, on a log axis. {'; '.join(said)}.")


def answered(answers: Sequence[Answer], notes: Sequence[tuple[float, str]], width: float = 0.25) -> Figure:
    """How many requests each version has answered, through the seconds of a test, with what happened.

    Args:
        answers: what each request got.
        notes: seconds from the first request, and what happened then.
        width: of a bar, in seconds.
    """
    import numpy as np

    figure, (axes,) = _figure(8.6, 4.2, 1)
    edges = np.arange(0, max(one.at for one in answers) + width, width)
    bottom: Any = np.zeros(len(edges) - 1)
    for version in sorted({one.version for one in answers}):
        counts, _ = np.histogram([one.at for one in answers if one.version == version], edges)
        colour = COLOURS.get(version, style.RED)
        axes.bar(
            edges[:-1],
            counts,
            width,
            bottom,
            align="edge",
            label=f"version {version}" if version else "no answer",
            color=style.tint(colour, 0.6),
            edgecolor=colour,
            hatch=HATCHES.get(version, "xx"),
            linewidth=0.3,
        )
        bottom = bottom + counts
    top = bottom.max()
    for (at, what), level in zip(notes, itertools.cycle((1.36, 1.22, 1.08))):
        axes.axvline(at, color=style.INK, linestyle="--", linewidth=1)
        paper = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5}
        axes.text(at + 0.05, top * level, what, fontsize=10.5, va="center", bbox=paper)
    lost = sum(one.status != 200 for one in answers)
    axes.set(title=f"Requests by the version that answered, {lost} of {len(answers):,} lost")
    axes.set(xlabel="seconds", ylabel=f"requests in {width:g} s", ylim=(0, top * 1.45), xlim=(0, edges[-1] * 1.06))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False)
    return _say(figure, _words_of_versions(answers, notes, lost))


def _words_of_versions(answers: Sequence[Answer], notes: Sequence[tuple[float, str]], lost: int) -> str:
    """The same in words: from note to note, what the versions have answered."""
    ends = [at for at, _ in notes[1:]] + [float("inf")]
    said = []
    for (begin, what), end in zip(notes, ends, strict=True):
        got = [one.version for one in answers if begin <= one.at < end]
        counts = ", ".join(f"version {version} {got.count(version)}" for version in sorted(set(got)) if version)
        said.append(f"{what}: {counts or 'none'}")
    return f"Requests by the version that answered, from event to event. {'; '.join(said)}. Lost: {lost} of {len(answers)}."


def _figure(width: float, height: float, rows: int) -> tuple[Figure, list[Any]]:
    """An empty figure in the house's style, with axes one below the other."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Made

    style.add_fonts()
    with mpl.rc_context(style.settings()):
        figure = Made(figsize=(width, height), layout="constrained")
        return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def _say(figure: Figure, words: str) -> Figure:
    """Attaches the alt text."""
    figure.course_alt = words
    return figure
