"""Why so many companies have pilots and so few have products."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

STUCK = (80, 85)
"""Companies in a hundred that stay in the proof-of-concept factory, from and to: Accenture (2019), "AI: Built to Scale"."""

_ALT = f"""Left: a circle of four steps, idea, notebook, demo, applause, and then the next idea; a wall separates it from a box
named production, and a dashed arrow stops at the wall. The marks of the circle are pilots, few of which scale, too little money, low returns.
Right: a hundred squares stand for a hundred companies. {STUCK[0]} are dark, {STUCK[1] - STUCK[0]} half dark and {100 - STUCK[1]} green:
{STUCK[0]} to {STUCK[1]} of a hundred are stuck in the circle."""


def poc_factory() -> Figure:
    """The proof-of-concept factory: a circle of pilots beside a wall, and the share of companies inside it."""
    sheet = Sheet("The proof-of-concept factory makes demos", 424, _ALT)
    _circle(sheet)
    _companies(sheet)
    return sheet.figure


def _circle(sheet: Sheet) -> None:
    """Idea, notebook, demo, applause, next idea; production lies beyond the wall."""
    sheet.box(16, 50, 372, 354, colour=style.RED, kind="bare", radius=10)
    boxes = [
        sheet.box(x, y, 112, 46, words, colour=style.RED, kind="outlined", size=13)
        for x, y, words in ((34, 76, "idea"), (222, 76, "notebook"), (222, 214, "demo"), (34, 214, "applause"))
    ]
    idea, notebook, demo, applause = boxes
    for start, end in (
        (idea.right, notebook.left),
        (notebook.bottom, demo.top),
        (demo.left, applause.right),
        (applause.top, idea.bottom),
    ):
        sheet.arrow(start, end, colour=style.RED)
    sheet.text(184, 168, "the next pilot", colour=style.MUTED)
    for row, words in enumerate(("many pilots, few of them scaled", "too little invested", "low returns")):
        sheet.text(202, 316 + row * 28, words)
    sheet.arrow(demo.right, (386, demo.right[1]), colour=style.MUTED, dashed=True)
    sheet.box(388, 50, 8, 354, colour=style.INK, kind="filled", radius=1)
    production = sheet.box(430, 205, 108, 64, "production", colour=style.GREEN, kind="filled", size=13)
    x, y = production.bottom
    sheet.text(x, y + 30, "manual, slow,\nrarely reached", size=SMALL, colour=style.MUTED)


def _companies(sheet: Sheet) -> None:
    """A hundred squares, ten in a row."""
    left, top, step = 576.0, 50.0, 30.0
    for number in range(100):
        x, y = left + (number % 10) * step, top + (number // 10) * step
        kind, colour = "filled", style.RED
        if number >= STUCK[1]:
            colour = style.GREEN
        elif number >= STUCK[0]:
            kind = "tinted"
        sheet.box(x, y, step - 5, step - 5, colour=colour, kind=kind, radius=4)
    y = top + 10 * step + 16
    rows = [
        (style.RED, "filled", f"{STUCK[0]} to {STUCK[1]} of 100 companies are stuck inside"),
        (style.GREEN, "filled", f"{100 - STUCK[1]} to {100 - STUCK[0]} scale what they try"),
    ]
    for row, (colour, kind, words) in enumerate(rows):
        sheet.box(left, y + row * 26 - 7, 14, 14, colour=colour, kind=kind, radius=3)
        sheet.text(left + 22, y + row * 26, words, across="left")
