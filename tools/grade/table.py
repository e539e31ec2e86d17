"""The table of marks."""

from __future__ import annotations

import csv
from pathlib import Path

from course.checks.outcomes import number
from tools.grade.marks import Graded


def write(path: Path, graded: list[Graded], of: float, titles: dict[str, str]) -> None:
    """Writes the marks as CSV: a line for each submission, a column for each task.

    A spreadsheet takes a text that begins with = for a formula: such a text gets an apostrophe.
    """
    head = ["submission", "student", "points", "of", *titles, "ended", "remarks", "seconds", "feedback"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for one in graded:
            each = [number(one.outcomes[task].points) if task in one.outcomes else "0" for task in titles]
            page = one.feedback.relative_to(path.parent) if one.feedback else ""
            row = [one.submission.name, one.submission.student, number(one.points), number(of), *each, one.ended]
            row += ["; ".join(one.remarks), f"{one.seconds:.0f}", page]
            writer.writerow([_text(str(value)) for value in row])


def _text(value: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in value.encode("utf-8", "replace").decode())
    return f"'{printable}" if printable[:1] in tuple("=+-@") else printable


def summary(graded: list[Graded], of: float) -> str:
    """The marks in short, a line each."""
    width = max(len(_text(one.submission.name)) for one in graded)
    lines = []
    for one in graded:
        said = "" if one.ended == "finished" else f"   {one.ended}"
        lines.append(f"  {_text(one.submission.name):<{width}}  {number(one.points):>5} of {number(of)}{said}")
    return "\n".join(lines)
