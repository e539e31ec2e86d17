"""Rules of lessons in parts: exercises that are checked, links to lessons, the time that a reader needs.

A lesson is in parts when it has a heading `## Part 1: ...`. Those that are not yet are left alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from course.exercises import exercises as known_exercises
from tools.decks import slides
from tools.notebooks import exercises
from tools.notebooks.style.base import LESSON, Cell, Found, Notebook, rule
from tools.notebooks.style.text import CLOSING, sections

WORDS_A_MINUTE, SECONDS_A_LINE, MINUTES_AN_EXERCISE = 130, 4, 3
"""How a reader's time is counted: text and code at the pace of understanding, and what an exercise takes."""
TOLERATED = 0.2
"""Share of the counted time by which **Time** may differ from it."""
FEWEST_LINES, MOST_LINES = 3, 5
_PART = re.compile(r"Part (\d): \S")
_LINK = r"\[(?:(lesson|lab)s?\s+(\d\d?)\b[^\]]*|(\d\d?))\]\(([^)\s]+)\)"
_NAMED = r"\b(lesson|lab)s?\s+((?:(?:\d\d?|\0)(?:(?:,?\s(?:and|or|to)|,)\s)?)+)"
"""A number, or a list of numbers, of which some may be links (then a 0 byte stands for each)."""


def in_parts(notebook: Notebook) -> bool:
    """Returns whether a lesson is in the form with parts."""
    return any(_PART.match(name) for name, _, _ in sections(notebook))


@rule(LESSON)
def parts(notebook: Notebook) -> Found:
    """Three or four parts, numbered, up to the closing sections; each ends in an exercise."""
    if not in_parts(notebook):
        return
    found = [(name, cell) for name, cell, _ in sections(notebook)]
    ends = [cell.number for _, cell in found[1:]] + [len(notebook.cells) + 1]
    numbers = []
    for (name, cell), end in zip(found, ends, strict=True):
        if name in CLOSING:
            break
        if not (match := _PART.match(name)):
            yield (
                cell,
                f"a section of a lesson in parts is a part, `## Part 1: ...`, and what is within one has `###`: {name!r}",
            )
            continue
        numbers.append(int(match[1]))
        last = [other for other in notebook.cells[: end - 1][-2:] if exercises.is_exercise(other.node)]
        if not last or last[0].number != end - 2:
            yield cell, f"{name!r} has to end in an exercise: its task, its cell, its answer"
    if numbers != list(range(1, len(numbers) + 1)) or not 3 <= len(numbers) <= 4:
        yield (
            None,
            f"a lesson has three or four parts, numbered from 1; this has {', '.join(map(str, numbers)) or 'none'}",
        )


@rule(LESSON)
def exercise_cells(notebook: Notebook) -> Found:
    """An exercise has its task, its cell, its answer, its check, and three to five lines for the reader."""
    known = known_exercises(exercises.lesson(notebook.node))
    for cell in notebook.cells:
        if not exercises.is_exercise(cell.node):
            if cell.is_code and "course.exercise(" in cell.source:
                yield cell, f"it checks an exercise: give it the tag {exercises.TAG!r}"
            continue
        try:
            found = exercises.read(notebook.node, cell.number - 1)
        except ValueError as error:
            yield cell, str(error)
            continue
        yield from _slides(notebook, cell)
        if found.name not in known:
            yield (
                cell,
                f"the lesson's module has no check of the exercise {found.name!r}; it has: {', '.join(known) or 'none'}",
            )
        elif sorted(found.names) != sorted(known[found.name].answers):
            yield cell, f"the check of {found.name!r} takes {', '.join(known[found.name].answers)}"
        lines = _lines_of_code(found.answer)
        if lines > MOST_LINES or lines + 1 < FEWEST_LINES:
            yield (
                cell,
                f"its answer has {lines} lines of code; solved, the cell has {FEWEST_LINES} at least with its check, and the reader writes {MOST_LINES} at most",
            )


@rule(LESSON)
def lesson_links(notebook: Notebook) -> Found:
    """In a lesson in parts, "lesson 08" and "lab 2" are links, to the notebook of that number, where it is there."""
    if not in_parts(notebook):
        return
    for cell in notebook.text:
        prose = re.sub(r"`[^`\n]*`", "", cell.prose)
        for kind, named, alone, target in re.findall(_LINK, prose, re.IGNORECASE):
            name, number = Path(target.partition("#")[0] or notebook.path).name, named or alone
            if name.endswith(".ipynb") and not name.startswith((f"{number}-", f"lab-{number}-")):
                yield cell, f"the link that says {kind.lower() or 'lesson'} {number} leads to {name}"
        without = re.sub(r"\[[^\]]*\]\([^)]*\)", "\0", prose)
        for kind, numbers in re.findall(_NAMED, without, re.IGNORECASE):
            for number in re.findall(r"\d+", numbers):
                place = f"../labs/lab-{number}-*/lab-{number}-*.ipynb" if kind.lower() == "lab" else f"{number}-*.ipynb"
                for file in notebook.path.parent.glob(place):
                    path = f"../labs/{file.stem}/{file.name}" if kind.lower() == "lab" else file.name
                    yield cell, f"make a link of it: [{kind} {number}]({path}), with #The-section where one is meant"


@rule(LESSON)
def counted_time(notebook: Notebook) -> Found:
    """In a lesson in parts, **Time** is what is counted: words, lines of code, exercises."""
    if not in_parts(notebook):
        return
    counted = minutes(notebook)
    told = re.search(r"^\*\*Time\b[^\n]*?(\d+) minutes?", notebook.cells[0].source, re.MULTILINE)
    if not told or abs(int(told[1]) - counted) > max(1, TOLERATED * counted):
        yield (
            notebook.cells[0],
            f"**Time** has to say {counted:.0f} minutes to read and do; it says {told[1] if told else 'none'}",
        )


def minutes(notebook: Notebook) -> float:
    """Returns the minutes that a reader needs for the text, the code and the exercises of a lesson."""
    words = sum(len(re.sub(r"\]\([^)]*\)|<[^>]+>|[|#*>-]", " ", cell.prose).split()) for cell in notebook.text)
    fenced = [block for cell in notebook.text for block in re.findall(r"^```\w*\n(.*?)^```", cell.source, re.M | re.S)]
    lines = sum(map(_lines_of_code, [*(cell.source for cell in notebook.code), *fenced]))
    tasks = sum(exercises.is_exercise(cell.node) for cell in notebook.cells)
    return words / WORDS_A_MINUTE + lines * SECONDS_A_LINE / 60 + tasks * MINUTES_AN_EXERCISE


def _slides(notebook: Notebook, cell: Cell) -> Found:
    """The task starts a slide, on which the reader's cell is; the answer is among the notes."""
    before = []
    for other in reversed(notebook.cells[: cell.number - 1]):
        if not other.is_text:
            break
        before.insert(0, other)
        if exercises.TASK.match(other.source):
            break
    if not before or not exercises.TASK.match(before[0].source):
        yield cell, "before an exercise stands its task, `### Exercise: ...`"
    elif slides.slide_type(before[0].node) not in slides.STARTS or slides.slide_type(cell.node) != "-":
        yield cell, "the task of an exercise starts a slide, and its cell continues that"
    if slides.slide_type(notebook.cells[cell.number].node) != "notes":
        yield cell, "the answer of an exercise has the slide type notes"


def _lines_of_code(source: str) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in source.splitlines())
