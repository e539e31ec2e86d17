"""A report of a watch as a page: one file of HTML that opens offline, in which figures are drawn (SVG) and described."""

from __future__ import annotations

import dataclasses
import io
import math
import re
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from operation.quality import Estimate, Part, Quality
from operation.report import DRIFT, OF_ROWS, Report

SAID, HAPPENED, REST = "#0072B2", "#D55E00", "#666666"
"""Of the palette of Okabe and Ito (2008), whose colours colour-blind people tell apart."""

STATES = {
    "rows": "answered, in the table",
    "other_days": "about other days",
    "unreadable": "not readable",
    "no_number": "the model answered with no number",
    "without_key": "without a whole key",
    "repeated": "there before",
    "served": "answered",
    "matched": "with a label",
    "asked_again": "asked again later",
    "not_yet": "label has not come",
    "missing": "label is missing",
    "ambiguous": "labels contradict each other",
    "outcomes": "outcomes with a label",
    "answered": "answered",
    "not_asked": "never asked about",
    "contradictory": "contradict each other",
}
"""What the page says of the counts of `Lines` and `Matches`."""


def write(report: Report, file: str | Path) -> Path:
    """Writes the page."""
    file = Path(file)
    file.write_text(to_html(report), encoding="utf-8")
    return file


def to_html(report: Report) -> str:
    """The page. What comes from the log or the outcomes is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"estimate": shown, "count": "{:,}".format, "share": _share, "number": _number}
    matches = dataclasses.asdict(report.matches)
    whole = [Part("all rows", "", report.quality)] if report.quality else []
    return environment.get_template("page.html.j2").render(
        report=report,
        sentences=sentences(report),
        states=STATES,
        lines={name: value for name, value in dataclasses.asdict(report.lines).items() if name in STATES},
        rows={name: value for name, value in matches.items() if name in OF_ROWS},
        outcomes={name: value for name, value in matches.items() if name not in OF_ROWS},
        parts=[*whole, *report.versions, *report.slices],
        figures=[
            one for one in (days_figure(report), calibration_figure(report), slices_figure(report)) if one is not None
        ],
    )


def sentences(report: Report) -> list[str]:
    """What the report says, the most important first."""
    found, quality, expected = [], report.quality, report.expected
    if quality is None:
        found.append(
            f"No label has come. The predictions promise an AUC of {_number(expected.auc)} and a cost of {_number(expected.cost)} for a row."
        )
    else:
        found.append(gap_sentence(quality))
        found.append(
            f"The AUC is {shown(quality.auc)}; the predictions promise {_number(expected.auc)}"
            + (f", and {_number(report.trained.auc.value)} was measured before the release." if report.trained else ".")
        )
        found.append(
            f"Errors cost {shown(quality.cost)} for a row; the predictions promise {_number(expected.cost)}"
            + (f", and it was {_number(report.trained.cost.value)} before the release." if report.trained else ".")
        )
    for one in report.distances:
        if one.is_too_far:
            other = "the days before" if one.kind == DRIFT else "what the model was trained on"
            found.append(
                f"Column {one.column} is {one.distance:.2f} away from {other} ({one.kind}; limit {one.limit:g})."
            )
    whole = report.matches.answered / max(1, report.matches.outcomes)
    found += [
        f"Only {part.answered:,} of {part.outcomes:,} outcomes of {part.by} {part.value} were asked about."
        for part in report.coverage
        if part.answered < whole * part.outcomes / 2
    ]
    lost = report.lines.unreadable + report.lines.no_number + report.lines.without_key
    if lost:
        found.append(f"{lost:,} of {report.lines.total:,} lines of the log cannot be used.")
    return [*found, *report.notes]


def gap_sentence(quality: Quality) -> str:
    """What was said on average, and what happened."""
    gap = quality.gap
    said = f"{quality.said:.1%} was said on average, and {quality.happened:.1%} happened"
    if not gap.low <= 0 <= gap.high and math.isfinite(gap.low):
        side = "low" if gap.value < 0 else "high"
        ends = sorted((abs(gap.low), abs(gap.high)))
        return f"{said}: predictions are {abs(gap.value) * 100:.1f} points too {side} (95 % interval: {ends[0] * 100:.1f} to {ends[1] * 100:.1f})."
    return f"{said}: no more apart than days differ by chance."


def shown(estimate: Estimate) -> str:
    """With its interval, such as `0.676 (0.627 to 0.726)`."""
    if not math.isfinite(estimate.low):
        return _number(estimate.value)
    return f"{_number(estimate.value)} ({_number(estimate.low)} to {_number(estimate.high)})"


def days_figure(report: Report) -> Markup | None:
    """What was said and what happened, by day."""
    if not report.days:
        return None
    days = np.array([one.day for one in report.days], "datetime64[D]")
    figure, axes = _figure("What was said, and what happened, by day", "share of rows")
    axes.plot(days, [one.said for one in report.days], color=SAID, label="said")
    axes.plot(days, [one.happened for one in report.days], color=HAPPENED, label="happened", marker="o", markersize=3)
    locator = AutoDateLocator()
    axes.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    apart = [abs(one.said - one.happened) for one in report.days if math.isfinite(one.happened)]
    told = f" They are {max(apart):.0%} apart on the worst day." if apart else " No label has come."
    return _svg(
        figure, f"Lines by day from {report.first} to {report.last}: mean prediction and share that happened.{told}"
    )


def calibration_figure(report: Report) -> Markup | None:
    """What happened where so much was said."""
    if not report.bins:
        return None
    said = [one.said for one in report.bins]
    rates = [one.happened for one in report.bins]
    figure, axes = _figure("What predictions mean", "share that happened")
    ends = [[max(0.0, one.value - one.low) for one in rates], [max(0.0, one.high - one.value) for one in rates]]
    largest = max(*said, *(one.value for one in rates))
    axes.plot([0, largest], [0, largest], color=REST, linestyle="--", label="as it should be")
    axes.errorbar(
        said, [one.value for one in rates], yerr=np.nan_to_num(ends), color=HAPPENED, marker="o", label="as it is"
    )
    axes.set_xlabel("mean prediction")
    axes.legend(frameon=False)
    above = sum(one.value > at for one, at in zip(rates, said, strict=True))
    return _svg(
        figure,
        f"Points for {len(said)} groups of rows, from low to high predictions, with intervals: in {above} of them more happened than was said.",
    )


def slices_figure(report: Report) -> Markup | None:
    """The gap in each slice."""
    if not report.slices:
        return None
    gaps = [one.quality.gap for one in report.slices]
    figure, axes = _figure("Where predictions are too low or too high", "", height=1.2 + 0.26 * len(gaps))
    at = np.arange(len(gaps))[::-1]
    ends = [[one.value - one.low for one in gaps], [one.high - one.value for one in gaps]]
    axes.axvline(0, color=REST, linestyle="--")
    axes.errorbar([one.value for one in gaps], at, xerr=np.nan_to_num(ends), fmt="o", color=SAID)
    axes.set_yticks(at, [f"{one.by} {one.value}" for one in report.slices])
    axes.set_xlabel("said less happened")
    worst = max(report.slices, key=lambda one: abs(one.quality.gap.value))
    return _svg(
        figure,
        f"Points with intervals for {len(gaps)} slices: the gap is greatest in {worst.by} {worst.value}, {worst.quality.gap.value:+.3f}.",
    )


def _figure(title: str, y: str, height: float = 3.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.add_subplot(title=title, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, alt: str) -> Markup:
    """The same bytes each time, with a description."""
    with mpl.rc_context({"svg.hashsalt": "operation", "svg.fonttype": "none", "font.family": "sans-serif"}):
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    return Markup(Markup('<svg role="img" aria-label="{}"').format(alt) + Markup(svg[len("<svg") :]))


def _share(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "–"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "undefined"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
