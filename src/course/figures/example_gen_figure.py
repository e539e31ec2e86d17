"""ExampleGen: whatever the source, one form comes out, and what is broken does not come in."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

SOURCES = [
    ("CSV files", "CsvExampleGen"),
    ("Parquet, Avro", "FileBasedExampleGen"),
    ("TFRecords", "ImportExampleGen"),
    ("a database", "QueryBasedExampleGen"),
]
"""What data come from, and the component for it."""

QUESTIONS = [
    ("Which files?", "pattern, span, version"),
    ("What is in them?", "types, missing values"),
    ("Who learns, who examines?", "splits"),
    ("Is it whole?", "if not, it is refused"),
]
"""What has to be answered at the door."""

_TOP, _HEIGHT = 92, 244


def example_gen() -> Figure:
    """Sources on the left, the questions that ExampleGen answers in the middle, its artifact on the right."""
    sheet = Sheet("Whatever the source, one form comes out", 424, _alt())
    data = style.PHASES["Data"]
    sheet.text(16, 68, "sources, and their components", colour=style.MUTED, across="left")
    rows = [_source(sheet, _TOP + number * 62, *source) for number, source in enumerate(SOURCES)]
    middle = sheet.box(280, _TOP, 300, _HEIGHT, colour=data, kind="bare")
    sheet.text(430, 68, "ExampleGen", weight="bold", colour=data, size=14)
    for number, (question, words) in enumerate(QUESTIONS):
        box = sheet.box(290, _TOP + 10 + number * 58, 280, 50, colour=data, kind="outlined")
        sheet.text(box.x + 12, box.y + 16, question, weight="bold", across="left")
        sheet.text(box.x + 12, box.y + 36, words, size=SMALL, colour=style.MUTED, across="left")
    for row in rows:
        sheet.arrow(row.right, (middle.x, row.centre[1]))
    _artifact(sheet, middle)
    refused = sheet.box(280, 368, 300, 40, "an error: file, line, column", colour=style.RED, kind="dashed")
    sheet.arrow(middle.bottom, refused.top, colour=style.RED)
    sheet.text(444, 352, "broken: nothing of it is kept", size=SMALL, colour=style.RED, across="left")
    return sheet.figure


def _source(sheet: Sheet, y: float, name: str, component: str) -> Box:
    box = sheet.box(16, y, 200, 56, colour=style.MUTED, kind="outlined")
    sheet.text(116, y + 18, name, weight="bold")
    sheet.text(116, y + 40, component, size=SMALL, colour=style.MUTED)
    return box


def _artifact(sheet: Sheet, middle: Box) -> None:
    """The Examples artifact: its record, and a folder for each split."""
    sheet.text(764, 68, "an Examples artifact", weight="bold", colour=style.INK, size=14)
    whole = sheet.box(644, _TOP, 240, _HEIGHT, colour=style.INK, kind="bare")
    sheet.arrow(middle.right, whole.left)
    sheet.box(656, _TOP + 10, 216, 67, colour=style.INK, kind="outlined")
    sheet.text(668, _TOP + 30, "the record", weight="bold", across="left")
    sheet.text(668, _TOP + 54, "span 4, version 1, two splits", size=SMALL, colour=style.MUTED, across="left")
    for number, split in enumerate(("Split-train", "Split-eval")):
        y = _TOP + 89 + number * 79
        sheet.box(656, y, 216, 67, colour=style.INK, kind="outlined")
        sheet.text(668, y + 18, split, weight="bold", across="left")
        sheet.text(668, y + 42, "TFRecord files of tf.Examples", size=SMALL, colour=style.MUTED, across="left")
    sheet.text(764, 386, "the only thing that all\nlater components read", colour=style.MUTED)


def _alt() -> str:
    sources = "; ".join(f"{name} by {component}" for name, component in SOURCES)
    questions = " ".join(f"{question} ({words})" for question, words in QUESTIONS)
    return f"""Arrows lead from four sources into ExampleGen: {sources}. In it four questions are answered: {questions}
        One arrow leads out, to an Examples artifact: a record with span, version and splits, and folders Split-train and Split-eval
        with TFRecord files of tf.Examples, the only thing that all later components read. Another leads down, to an error
        that names file, line and column: what is broken is refused, and nothing of it is kept."""
