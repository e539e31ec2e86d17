"""What an instructor gets: the table of marks, with points by hand and for lateness; statistics by task; what Moodle and Canvas import."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

from jinja2 import Environment, FileSystemLoader
from rapidfuzz import fuzz, process, utils

from course.checks.catalogue import Task
from course.checks.outcomes import number
from tools.grade import platforms
from tools.grade.collect import Submission, printable

NEARLY, SHORT, COMMON = 90, 400, 3
"""Pairs: alike by so many per cent, of texts with so many letters, without the lines that one in so many has."""
_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_FIRST, _LAST = (
    ("submission", "student", "points", "of"),
    ("changed", "ended", "remarks", "handed in", "seconds", "feedback"),
)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What counts besides the checks: the end of the time and points for each day after it, and points by hand.

    Attributes:
        late: when the time is over, with time zone; None where there is no end.
        per_day: points that each day begun after it costs.
        by_hand: by student (small letters) and task ("" for none): points and why.
    """

    late: datetime | None = None
    per_day: float = 0
    by_hand: dict[tuple[str, str], tuple[float, str]] = dataclasses.field(default_factory=dict)

    def days(self, one: Submission) -> int | None:
        """Days begun after the end of the time; None when it is not known when the submission was handed in."""
        if not self.late:
            return 0
        if one.when:
            when = one.when if one.when.tzinfo else one.when.replace(tzinfo=self.late.tzinfo)
            return max(0, math.ceil((when - self.late).total_seconds() / 86400))
        canvas = one.place and one.place.platform == platforms.CANVAS
        return int(one.place.late) if canvas else None

    def marks(self, one: Submission, checked: dict[str, float]) -> tuple[dict[str, float], float, list[str]]:
        """Points of each task, of all, and what was changed: a task by hand is worth what was entered, in place of the check's points."""
        points, told, added = dict(checked), [], 0.0
        for (student, task), (given, why) in self.by_hand.items():
            if student == one.student.lower():
                was, what = (f"{number(checked.get(task, 0))} -> ", task) if task else ("", "all")
                told.append(f"by hand, {what}: {was}{number(given)}" + (f" ({why})" if why else ""))
                points, added = ({**points, task: given}, added) if task else (points, added + given)
        total = max(0.0, sum(points.values()) + added)
        days = self.days(one)
        if days is None:
            told.append("late or not: when it was handed in is not known (names.csv, column submitted)")
        elif days:
            cost = min(total, days * self.per_day)
            total -= cost
            told.append(f"late, {days} day{'s' * (days > 1)} begun: -{number(cost)}")
        return points, total, told


def by_hand(path: Path, tasks: Iterable[str]) -> dict[tuple[str, str], tuple[float, str]]:
    """The points that were entered by hand: a CSV file with the columns student, task (may be empty), points, why.

    Raises:
        ValueError: it has other columns, tasks that the lab has not, or points that are no number.
    """
    found: dict[tuple[str, str], tuple[float, str]] = {}
    text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""  # a folder of that name is a submission's
    for line, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=2):
        student, task, points = (str(row.get(name) or "").strip() for name in ("student", "task", "points"))
        where = f"{path}, line {line}"
        if not {"student", "task", "points"} <= set(row) or (task and task not in tasks):
            raise ValueError(f"{where}: columns are student, task, points, why; tasks are {', '.join(tasks)}")
        if not re.fullmatch(r"-?\d+(\.\d+)?", points) or (student.lower(), task) in found:
            raise ValueError(f"{where}: {points!r} is no number of points, or the student's second for the same task")
        found[student.lower(), task] = float(points), printable(str(row.get("why") or ""))
    return found


def write(path: Path, text: str) -> None:
    """Writes a file whole, or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def grades(graded: list[Any], rules: Rules, tasks: dict[str, Task]) -> str:
    """The marks as CSV: a line for each submission, a column for each task."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_FIRST, *tasks, *_LAST])
    of = sum(task.points for task in tasks.values())
    for one in graded:
        points, total, told = rules.marks(one.submission, one.checked)
        each = [number(points.get(task, 0)) for task in tasks] if one.done else [""] * len(tasks)
        when = one.submission.when.isoformat(" ", "minutes") if one.submission.when else ""
        row = [one.submission.name, one.submission.student, number(total) if one.done else "", number(of), *each]
        row += ["; ".join(told), one.ended, "; ".join(one.remarks), when, f"{one.seconds:.0f}", one.page]
        writer.writerow(map(platforms.cell, row))
    return text.getvalue()


def statistics(lab: str, graded: list[Any], rules: Rules, tasks: dict[str, Task]) -> str:
    """A page about the class: how the points are spread, and for each task how many have how much, and what they were told most."""
    of = sum(task.points for task in tasks.values())
    done = [(one, *rules.marks(one.submission, one.checked)[:2]) for one in graded if one.done]
    totals = [total for _, _, total in done]
    counts = Counter(min(9, int(10 * total / of)) for total in totals)
    spread = [(number(of * low / 10), number(of * (low + 1) / 10), counts[low]) for low in range(10)]
    rows = []
    for name, task in tasks.items() if totals else ():
        points = [points.get(name, 0) for _, points, _ in done]
        full, none = sum(one >= task.points for one in points), sum(one <= 0 for one in points)
        said = Counter(one.outcomes[name].message for one, *_ in done if name in one.outcomes)
        del said[""]
        rows.append(
            {"title": task.title, "mean": number(mean(points)), "of": number(task.points), "share": mean(points) / task.points}
            | {"full": full, "part": len(points) - full - none, "none": none}
            | {"said": [(printable(words)[:200], count) for words, count in said.most_common(3)]}
        )  # fmt: skip
    middle = {"mean": number(mean(totals)), "median": number(median(totals))} if totals else {}
    page = _PAGES.get_template("statistics.html.j2")
    return page.render(lab=lab, totals=totals, of=number(of), spread=spread, tasks=rows, **middle)


def alike(texts: dict[str, str]) -> list[tuple[str, str, int]]:
    """Pairs of submissions whose own lines are nearly the same, with how many per cent; lines that much of the class has are left out."""
    lines = {name: text.splitlines() for name, text in texts.items()}
    often = Counter(line for own in lines.values() for line in set(own))
    most = max(2, len(texts) // COMMON)
    own = {name: "\n".join(line for line in text if often[line] <= most) for name, text in lines.items()}
    own = {name: text for name, text in own.items() if len(text) >= SHORT}
    names, left = list(own), list(own.values())
    scores = process.cdist(
        left, left, scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=NEARLY, workers=-1
    )
    return [(names[i], names[j], int(scores[i][j])) for i in range(len(left)) for j in range(i) if scores[i][j]]


def platforms_files(folder: Path, lab: str, graded: list[Any], rules: Rules, tasks: dict[str, Task]) -> list[Path]:
    """Writes what Moodle and Canvas import, of the submissions that are from there: marks as CSV, pages as ZIP. Returns the files."""
    of = number(sum(task.points for task in tasks.values()))
    files = []
    for platform in (platforms.MOODLE, platforms.CANVAS):
        own = [one for one in graded if one.done and one.submission.place and one.submission.place.platform == platform]
        marks = [(one.submission.place, number(rules.marks(one.submission, one.checked)[1])) for one in own]
        if own:
            files += [folder / f"{platform}-grades.csv", folder / f"{platform}-feedback.zip"]
            write(files[-2], platforms.grades(platform, lab, marks, of))
            pages = [
                (one.submission.returned, folder / one.page) for one in own if one.page and one.submission.returned
            ]
            platforms.feedback(files[-1], pages)
    return files


def summary(graded: list[Any], rules: Rules, of: float) -> str:
    """The marks in short, a line each."""
    width = max(len(printable(one.submission.name)) for one in graded)
    lines = []
    for one in graded:
        said = "" if one.ended == "finished" else f"   {one.ended}"
        points = number(rules.marks(one.submission, one.checked)[1]) if one.done else "-"
        lines.append(f"  {printable(one.submission.name):<{width}}  {points:>5} of {number(of)}{said}")
    return "\n".join(lines)
