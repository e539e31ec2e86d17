"""A new month of data before it may teach: what it is held against, and what to do when it does not fit."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

_CHECKS = (
    ("the contract", "Is each column as agreed?", "anomaly"),
    ("the month before", "Has the world moved?", "drift"),
    ("the data in service", "Is it prepared alike?", "skew"),
)
"""What a month is held against, the question that this answers, and what a bad answer is called."""

_CHECKS_ALT = f"""From left to right: a new month becomes statistics. They are held against three things:
{"; ".join(f"{against}, which asks: {question} A bad answer is called {name}" for against, question, name in _CHECKS)}.
All three lead to a gate. From the gate an arrow goes on to training, and another one back to a person."""


def three_checks() -> Figure:
    """The three comparisons of data validation, and the gate behind them."""
    sheet = Sheet("A new month answers three questions before it may teach", 330, _CHECKS_ALT)
    blue = style.PHASES["Data"]
    month = sheet.box(16, 152, 104, 56, "a new\nmonth", colour=style.MUTED, kind="outlined")
    statistics = sheet.box(150, 152, 112, 56, "statistics", colour=blue, kind="filled", size=13)
    gate = sheet.box(706, 60, 66, 240, "gate", colour=style.RED, kind="filled", size=13)
    sheet.arrow(month.right, statistics.left)
    for number, (against, question, name) in enumerate(_CHECKS):
        y = 60 + number * 92
        box = sheet.box(312, y, 330, 56, colour=blue)
        sheet.text(328, y + 19, question, across="left", weight="bold")
        sheet.text(328, y + 39, f"held against {against}", size=SMALL, colour=style.MUTED, across="left")
        sheet.arrow(statistics.right, box.left)
        sheet.arrow(box.right, (gate.x, box.right[1]), colour=style.RED)
        sheet.text(674, y + 14, name, size=SMALL, colour=style.RED)
    training = sheet.box(812, 84, 76, 50, "training", colour=style.PHASES["Model"])
    person = sheet.box(812, 224, 76, 50, "a person", colour=style.MUTED, kind="outlined")
    sheet.arrow((gate.x + gate.width, training.left[1]), training.left)
    sheet.arrow((gate.x + gate.width, person.left[1]), person.left, dashed=True)
    return sheet.figure


_QUESTIONS = ("Can it be true\nin the world?", "Is it agreed,\nand here to stay?", "Does the model\ncope with it?")
_ENDS = ("fix the data\nat the source", "hold the month,\nask the sender", "retrain, then\nchange the contract")
_WHO = ("data engineer, sender", "data engineer, analyst", "data scientist")
_LAST = "change the\ncontract"

_DECISION_ALT = f"""A chain of three questions about an anomaly. {_QUESTIONS[0]} If not: {_ENDS[0]}. If so: {_QUESTIONS[1]} If not:
{_ENDS[1]}. If so: {_QUESTIONS[2]} If not: {_ENDS[2]}. If so: {_LAST}. Under each end stands who decides."""


def decision() -> Figure:
    """What to do with an anomaly: three questions, four ends."""
    sheet = Sheet("When data and contract disagree, three questions say which gives way", 270, _DECISION_ALT)
    asked: list[Box] = []
    for number, (question, end, who) in enumerate(zip(_QUESTIONS, _ENDS, _WHO, strict=True)):
        x = 16 + number * 232
        box = sheet.box(x, 62, 160, 56, question, colour=style.BLUE)
        below = sheet.box(x, 172, 160, 54, end, colour=style.RED if number == 0 else style.MUTED, kind="outlined")
        sheet.arrow(box.bottom, below.top)
        sheet.text(box.bottom[0] + 8, 145, "no", size=SMALL, colour=style.MUTED, across="left")
        sheet.text(below.bottom[0], 245, who, size=SMALL, colour=style.MUTED)
        asked.append(box)
    last = sheet.box(712, 62, 160, 56, _LAST, colour=style.GREEN, kind="filled")
    sheet.text(last.bottom[0], 137, "all who read the column", size=SMALL, colour=style.MUTED)
    for left, right in zip(asked, [*asked[1:], last], strict=True):
        sheet.arrow(left.right, right.left)
        sheet.text((left.right[0] + right.left[0]) / 2, 78, "yes", size=SMALL, colour=style.MUTED)
    return sheet.figure
