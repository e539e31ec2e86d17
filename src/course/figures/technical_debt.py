"""What there is around the machine-learning code."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import NORMAL, SMALL, Sheet

ML_SHARE = 0.05
"""At most 5 % of the code of a mature system is machine-learning code: Sculley et al. (2015), "Glue Code" in section 5."""

ROWS = [
    [("data\ncollection", "Data"), ("data\nverification", "Data"), ("feature\nengineering", "Data"), ("configuration", ""), ("metadata\nmanagement", "")],
    [("testing and\ndebugging", "Model"), ("model\nanalysis", "Model"), ("ML code", "ML"), ("process\nmanagement", ""), ("automation", "")],
    [("serving", "Deployment"), ("monitoring", "Deployment"), ("infrastructure", ""), ("machine-resource\nmanagement", "")],
]  # fmt: skip
"""The parts, and the phase of the lifecycle that each belongs to ("" is all of them)."""

_ALT = f"""A wall of fourteen boxes. One small dark box in the middle, {ML_SHARE:.0%} of the area, is the ML code,
the machine-learning code. The thirteen light boxes around it are data collection, data verification, feature engineering, configuration, metadata
management, testing and debugging, model analysis, process management, automation, serving, monitoring, infrastructure and
machine-resource management."""


def hidden_debt() -> Figure:
    """The machine-learning code as a small box among the rest of a production system; its area is its share.

    After Sculley et al. (2015), "Hidden Technical Debt in Machine Learning Systems", figure 1, and "Glue Code" in section 5.
    """
    sheet = Sheet("The machine-learning code is the small dark box", 470, _ALT)
    x, y, width, height = 16.0, 48.0, sheet.width - 32, 360.0
    row_height = height / len(ROWS)
    for row, parts in enumerate(ROWS):
        small = ML_SHARE * width * height / row_height
        has_ml = any(phase == "ML" for _, phase in parts)
        share = (width - small * has_ml) / (len(parts) - has_ml)
        left = x
        for words, phase in parts:
            ml = phase == "ML"
            part_width = small if ml else share
            colour = style.INK if ml else style.PHASES.get(phase, style.MUTED)
            sheet.box(
                left + 3,
                y + row * row_height + 3,
                part_width - 6,
                row_height - 6,
                words,
                colour=colour,
                kind="filled" if ml else "bare",
                size=14 if ml else 13,
                weight="bold" if ml else "normal",
            )
            left += part_width
    _legend(sheet, y + height + 22)
    return sheet.figure


def _legend(sheet: Sheet, y: float) -> None:
    """Which colour is which phase, and what the sizes say."""
    left = 19.0
    for name, colour in {**{p: c for p, c in style.PHASES.items() if p != "Plan"}, "all phases": style.MUTED}.items():
        sheet.box(left, y - 7, 14, 14, colour=colour, kind="filled", radius=3)
        words = sheet.text(left + 21, y, name, size=NORMAL, across="left")
        left += 36 + sheet.measure(words)
    note = f"Area of the dark box: {ML_SHARE:.0%} of the whole, the share of ML code in a mature system. The other sizes carry no number."
    sheet.text(19, y + 24, note, size=SMALL, colour=style.MUTED, across="left")
