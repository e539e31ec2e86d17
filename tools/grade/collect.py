"""Finds submissions in a folder, and reads them as data of unknown origin."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dateutil import parser as dates
from nbformat import NotebookNode

from course.checks.lab import valid_student
from tools.grade import left, platforms, rebuild
from tools.grade.platforms import printable

NOTEBOOK_BYTES, CELLS, LETTERS = 40 * 2**20, 1000, 400_000
"""Of a notebook, and letters of a cell, at most."""
LAYOUTS = """Expected is one of these, for the lab {lab}:
  FOLDER/STUDENT/{lab}.ipynb
  FOLDER/STUDENT/{lab}/{lab}.ipynb      (nbgrader's `submitted` folder)
  FOLDER/STUDENT.ipynb
  what Moodle or Canvas has packed as all submissions, unpacked
STUDENT is what the student wrote in STUDENT = "..."; names.csv, with the columns submission and student, says who is who otherwise."""
NBGRADER = {"source", "release", "submitted", "autograded", "feedback", "gradebook.db", "nbgrader_config.py"}
OURS = {"names.csv", "by-hand.csv"}
"""What instructors put beside the submissions."""


class Refused(ValueError):
    """A submission cannot be graded. The message says why, to student and instructor."""


@dataclass
class Submission:
    """One submission: what it is called, whose it is, a copy of its files, which is the notebook; and why it is refused, if so.

    `key` names its results. No student's id has a `~`, which each other key has.
    """

    name: str
    student: str
    key: str
    folder: Path
    notebook: str = ""
    place: platforms.Place | None = None
    returned: str = ""
    """What the feedback page is called where the platform takes it."""
    loose: dict[str, str] = field(default_factory=dict)
    """What the platform calls files that lie beside those of others."""
    when: datetime | None = None
    refused: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def given(self) -> Path:
        """The folder in which the notebook lies, with what else it needs."""
        return (self.folder / self.notebook).parent if self.notebook else self.folder

    def files(self, ending: str = "") -> list[str]:
        """The names of its files."""
        found = (path for path in self.folder.rglob(f"*{ending}") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found)

    def digest(self) -> str:
        """Of whose it is, and of all that was handed in."""
        found = hashlib.sha256(f"{self.student}\0{self.notebook}\0{self.refused}".encode())
        for name in self.files():
            found.update(f"\0{name}\0".encode() + (self.folder / name).read_bytes())
        return found.hexdigest()


def find(top: Path, lab: str, names: Path | None, into: Path) -> tuple[list[Submission], list[str]]:
    """The submissions in a folder, in the order of their names; and what was not looked at. `choose` finds their notebooks.

    Args:
        top: the folder.
        lab: whose notebooks they are.
        names: who is who, where it is no `names.csv` in the folder.
        into: an empty folder for copies of them.

    Raises:
        ValueError: there is none, or no such folder, or the names cannot be read.
    """
    if not top.is_dir():
        raise ValueError(f"{top} is no folder.\n{LAYOUTS.format(lab=lab)}")
    names = names or (top / "names.csv" if (top / "names.csv").is_file() else None)
    who, when = platforms.read_names(names) if names else ({}, {})
    inner = top / "submitted"
    # Beside others it is a student of that name; alone, or among nbgrader's own, the folder that nbgrader makes.
    if inner.is_dir() and {entry for entry in os.listdir(top) if entry[0] != "."} <= NBGRADER | OURS:
        top = top if any((inner / name).exists() for name in (f"{lab}.ipynb", f"{lab}/{lab}.ipynb")) else inner
    found: dict[str, tuple[Submission, left.Copy]] = {}
    ignored = []

    def one(name: str, place: platforms.Place | None, returned: str = "") -> left.Copy:
        if name not in found:
            copy = left.Copy(into / str(len(found)), hidden=False)
            found[name] = (Submission(name, "", "", copy.into, place=place, returned=returned, notes=copy.notes), copy)
        return found[name][1]

    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        path, place = Path(entry.path), platforms.place(entry.name)
        if entry.name.startswith(".") or (entry.name in OURS and entry.is_file()):
            continue
        if entry.is_dir(follow_symlinks=False):
            if place is None or place.platform == platforms.CANVAS or "_assignsubmission_file" in entry.name:
                one(entry.name, place, f"{entry.name}/{lab}.html").folder(path)
        elif place and place.file:  # a loose file: all that one student has handed in begins with the same
            one(place.who, place).take(path, place.file)
            found[place.who][0].loose[place.file] = path.stem
        elif path.suffix == ".ipynb":
            one(path.stem, None).take(path, entry.name)
        else:
            ignored.append(printable(entry.name))
    if not found:
        raise ValueError(f"There is no submission in {top}.\n{LAYOUTS.format(lab=lab)}")
    submissions = [one for one, _ in found.values()]
    for one in submissions:
        # Of nbgrader's folder only: anywhere else it is the student's file.
        _name(one, who, when, f"{lab}/timestamp.txt" if top.name == "submitted" else "")
    _once(submissions)
    return submissions, ignored


def _name(one: Submission, who: dict[str, str], when: dict[str, str], stamp: str) -> None:
    """Fills in whose a submission is, and when it was handed in where that is known: from its line among the names, or the file `stamp`."""
    place = one.place
    name = next((name for name in (one.name, *((place.number, place.name) if place else ())) if name in who), None)
    try:
        if place and name is None:
            raise ValueError
        one.key = one.student = valid_student(who[name] if name else one.name)
    except ValueError:
        one.key = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', one.name)[:40].strip('-.') or 'unnamed'}~{_short(one)}"
        one.student = printable(who[name] if name else one.name)
        one.refused = "its name is no student's id: names.csv has to say whose it is"
        if place:
            one.refused = f"names.csv has no line that says whose {printable(place.name)!r} is"
    try:
        file = one.folder / stamp
        said = when.get(name or "") or (file.read_text()[:100] if stamp and file.is_file() else "")
        one.when = dates.parse(said) if said else None
    except (ValueError, OverflowError):
        one.notes.append("when it was submitted cannot be read: it is no date with a time")


def _short(one: Submission) -> str:
    return hashlib.sha256(os.fsencode(one.name)).hexdigest()[:8]


def _once(found: list[Submission]) -> None:
    """Refuses the second of two submissions of the same student: which one counts is not known."""
    seen: dict[str, str] = {}
    for one in found:
        if one.key.lower() in seen:
            one.refused = f"{printable(seen[one.key.lower()])!r} is of the same student already"
            one.key += f"~{_short(one)}"
        seen.setdefault(one.key.lower(), one.name)


def choose(one: Submission, lab: str, released: NotebookNode) -> None:
    """Finds the notebook among a submission's files: that with the lab's cells and answers in it."""
    notebooks = one.files(".ipynb")
    if one.refused:
        return
    if not notebooks:
        one.refused = "there is no notebook in it"
        return
    if len(notebooks) > 1:
        answers = {name: text for name in notebooks if (text := _answers(one.folder / name, released)) is not None}
        worked = {name: text for name, text in answers.items() if text}
        named = [name for name in worked if Path(name).name == f"{lab}.ipynb"]
        if len(set(worked.values())) > 1 and len(named) != 1:
            shown = ", ".join(map(printable, worked))
            one.refused = f"which of its notebooks counts, cannot be told: {shown} all hold answers, and other ones"
            return
        notebooks = [*named, *worked, *answers, *notebooks]
        one.notes.append(f"of several notebooks, {printable(notebooks[0])} was graded")
    one.notebook = notebooks[0]
    path = one.folder / one.notebook
    if one.place and not one.returned:
        one.returned = f"{one.loose[one.notebook]}.html"
    if not one.when and not one.place:
        one.when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()


def _answers(path: Path, released: NotebookNode) -> str | None:
    """The student's own lines; None of what is no notebook of this lab."""
    try:
        cells = read(path)
    except Refused:
        return None
    return rebuild.own(released, cells) if any(rebuild.names(released, cells)) else None


def read(path: Path) -> list[dict[str, Any]]:
    """The cells of a submitted notebook: `type`, `source`, and `grade_id` (None without). Outputs and all else are not looked at.

    Raises:
        Refused: it is no notebook that can be graded.
    """
    content = path.read_bytes()
    if not content:
        raise Refused("the file is empty")
    if len(content) > NOTEBOOK_BYTES:
        raise Refused(f"the file is larger than {NOTEBOOK_BYTES // 2**20} MB")
    try:
        node = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refused("it is not a notebook: the file holds no JSON") from error
    if not isinstance(node, dict) or not isinstance(node.get("nbformat"), int):
        raise Refused("it is not a notebook: JSON, but of something else")
    if node["nbformat"] != 4:
        raise Refused(f"it is a notebook of format {node['nbformat']}, not 4: open it in JupyterLab and save it there")
    cells = node.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Refused("it is not a notebook: it has no list of cells")
    if len(cells) > CELLS:
        raise Refused(f"it has more than {CELLS} cells")
    return [_cell(cell) for cell in cells]


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    kind, source, marks = cell.get("cell_type"), cell.get("source", ""), cell.get("metadata")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or len(source) > LETTERS:
        raise Refused(f"a cell holds no text, or more than {LETTERS:,} letters")
    marks = marks.get("nbgrader") if isinstance(marks, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return {
        "type": kind if kind in ("code", "markdown") else "raw",
        "source": source.encode("utf-8", "replace").decode("utf-8"),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
    }
