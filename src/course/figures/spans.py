"""Spans and versions on a time line, and what each way of asking for them takes."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

MONTHS = ["January", "February", "March", "April", "May"]
ASKED = [
    ("no range", "the latest span", [(4, 4, "span 4, version 1", style.BLUE)]),
    ("static range 3 to 3", "that span, its latest version", [(3, 3, "span 3, version 2", style.BLUE)]),
    ("rolling window of 3", "moves on when May arrives", [(2, 4, "spans 2 to 4", style.GREEN)]),
    ("split by time", "the past learns, the newest examines", [(1, 3, "train", style.BLUE), (4, 4, "eval", style.RED)]),
]  # fmt: skip
"""A way of asking, what it means, and the bars: first span, last span, words, colour."""

_LEFT, _WIDTH, _GAP = 262.0, 116.0, 8.0


def spans() -> Figure:
    """Five months: which files were delivered, and which of them four ways of asking take."""
    sheet = Sheet("A span is a piece of time, a version is a correction of it", 436, _alt())
    for number, month in enumerate(MONTHS, start=1):
        x = _x(number)
        sheet.text(x + _WIDTH / 2, 64, month, weight="bold")
        sheet.text(x + _WIDTH / 2, 86, f"span {number}", size=SMALL, colour=style.MUTED)
    sheet.text(16, 136, "delivered", weight="bold", across="left")
    sheet.text(16, 158, "never edited, only added to", size=SMALL, colour=style.MUTED, across="left")
    for number in (1, 2, 4):
        sheet.box(_x(number), 126, _WIDTH, 38, "version 1", colour=style.INK)
    sheet.box(_x(3), 104, _WIDTH, 36, "version 1", colour=style.MUTED, kind="dashed")
    sheet.box(_x(3), 150, _WIDTH, 36, "version 2", colour=style.INK)
    sheet.box(_x(5), 126, _WIDTH, 38, "not yet", colour=style.MUTED, kind="dashed")
    sheet.axes.plot([16, sheet.width - 16], [202, 202], color=style.LINE, linewidth=1)
    for row, (name, meaning, bars) in enumerate(ASKED):
        y = 216 + row * 54
        sheet.text(16, y + 12, name, weight="bold", across="left")
        sheet.text(16, y + 34, meaning, size=SMALL, colour=style.MUTED, across="left")
        for first, last, words, colour in bars:
            width = _x(last) + _WIDTH - _x(first)
            sheet.box(_x(first), y + 4, width, 34, words, colour=colour, kind="filled", size=10.8)
    return sheet.figure


def _x(span: int) -> float:
    """Left edge of a span's column."""
    return _LEFT + (span - 1) * (_WIDTH + _GAP)


def _alt() -> str:
    asked = "; ".join(f"{name} ({meaning}): {', '.join(bar[2] for bar in bars)}" for name, meaning, bars in ASKED)
    return f"""A time line of five months, {", ".join(MONTHS)}, numbered as spans 1 to 5. Delivered: version 1 of spans 1, 2, 3 and 4; span 3 also has
        a version 2, which takes the place of its version 1; span 5 is not there yet. Below, what four ways of asking take. {asked}, over spans 1 to 3
        and over span 4."""
