"""Finds submissions in a folder, and reads them as data of unknown origin."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from dateutil import parser as dates
from nbformat import NotebookNode

from course.checks.lab import valid_student
from tools.grade import platforms, rebuild

NOTEBOOK_BYTES, FILE_BYTES, ALL_BYTES, FILES, DEPTH = 40 * 2**20, 64 * 2**20, 128 * 2**20, 2000, 6
CELLS, LETTERS = 1000, 400_000
"""Cells of a notebook, and letters of a cell, at most."""
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
    """One submission: what it is called, whose it is, its files by their names there, which is the notebook; and why it is refused, if so.

    `key` names its results. No student's id has a `~`, which each other key has.
    """

    name: str
    student: str
    key: str
    files: dict[str, Path] = field(default_factory=dict)
    notebook: str = ""
    place: platforms.Place | None = None
    returned: str = ""
    """What the feedback page is called where the platform takes it."""
    when: datetime | None = None
    refused: str | None = None
    notes: list[str] = field(default_factory=list)


def printable(text: str) -> str:
    """A text on one line of a terminal: what is no letter, sign or space is shown as Python writes it."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def find(top: Path, lab: str, names: Path | None = None) -> tuple[list[Submission], list[str]]:
    """The submissions in a folder, in the order of their names; and what was not looked at. `choose` finds their notebooks.

    Raises:
        ValueError: there is none, or no such folder, or the names cannot be read.
    """
    if not top.is_dir():
        raise ValueError(f"{top} is no folder.\n{LAYOUTS.format(lab=lab)}")
    names = names or (top / "names.csv" if (top / "names.csv").exists() else None)
    who, when = platforms.read_names(names) if names else ({}, {})
    inner = top / "submitted"
    # Beside others it is a student of that name; alone, or among nbgrader's own, the folder that nbgrader makes.
    if inner.is_dir() and {entry for entry in os.listdir(top) if entry[0] != "."} <= NBGRADER | OURS:
        top = top if any((inner / name).exists() for name in (f"{lab}.ipynb", f"{lab}/{lab}.ipynb")) else inner
    found: dict[str, Submission] = {}
    ignored = []
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        path, place = Path(entry.path), platforms.place(entry.name)
        if entry.name.startswith(".") or (entry.name in OURS and entry.is_file()):
            continue
        if entry.is_dir(follow_symlinks=False):
            files, notes = _files(path)
            one = Submission(entry.name, "", "", files, place=place, returned=f"{entry.name}/{lab}.html", notes=notes)
            if place is None or place.platform == platforms.CANVAS or "_assignsubmission_file" in entry.name:
                found[entry.name] = one
        elif place and place.file:  # a loose file: all that one student has handed in begins with the same
            found.setdefault(place.who, Submission(place.who, "", "", place=place)).files[place.file] = path
        elif path.suffix == ".ipynb":
            found[path.stem] = Submission(path.stem, "", "", {entry.name: path})
        else:
            ignored.append(printable(entry.name))
    if not found:
        raise ValueError(f"There is no submission in {top}.\n{LAYOUTS.format(lab=lab)}")
    for one in found.values():
        # Of nbgrader's folder only: anywhere else it is the student's file.
        _name(one, who, when, f"{lab}/timestamp.txt" if top.name == "submitted" else "")
    _once(list(found.values()))
    return list(found.values()), ignored


def _files(top: Path) -> tuple[dict[str, Path], list[str]]:
    """The ordinary files below a folder, by their names there; and a sentence for what was left out."""
    files, notes, size = {}, [], 0
    for folder, folders, names in os.walk(top):
        inner = os.path.relpath(folder, top)
        folders[:] = sorted(name for name in folders if name[0] != "." and inner.count("/") < DEPTH)
        for name in sorted(name for name in (*names, *folders) if name[0] != "."):
            path, shown = Path(folder, name), str(PurePosixPath(inner, name))
            kind = path.lstat()
            if stat.S_ISDIR(kind.st_mode):
                continue
            if name.endswith(".ipynb"):
                files[shown] = path  # `read` says what is wrong with it
            elif not stat.S_ISREG(kind.st_mode):
                notes.append(f"{printable(shown)} was left out: it is no ordinary file")
            elif kind.st_size > FILE_BYTES or size + kind.st_size > ALL_BYTES or len(files) >= FILES:
                notes.append(f"{printable(shown)} was left out: it is too large, or there are too many")
            else:
                files[shown], size = path, size + kind.st_size
    return files, notes[:20]


def _name(one: Submission, who: dict[str, str], when: dict[str, str], stamp: str) -> None:
    """Fills in whose a submission is, and when it was handed in where that is known: from its line among the names, or the file `stamp`."""
    place = one.place
    asked = [one.name, *([place.number, place.name] if place else [])]
    name = next((name for name in asked if name in who), None)
    try:
        if place and name is None:
            raise ValueError
        one.key = one.student = valid_student(who[name] if name else one.name)
    except ValueError:
        digest = hashlib.sha256(os.fsencode(one.name)).hexdigest()[:8]
        one.key = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', one.name)[:40].strip('-.') or 'unnamed'}~{digest}"
        one.student = printable(who[name] if name else one.name)
        asked = f"names.csv has no line that says whose {printable(place.name)!r} is" if place else ""
        one.refused = asked or "its name is no student's id: names.csv has to say whose it is"
    try:
        said = when.get(name or "") or (one.files[stamp].read_text()[:100] if stamp in one.files else "")
        one.when = dates.parse(said) if said else None
    except (ValueError, OverflowError):
        one.notes.append("when it was submitted cannot be read: it is no date with a time")


def _once(found: list[Submission]) -> None:
    """Refuses the second of two submissions of the same student: which one counts is not known."""
    seen: dict[str, str] = {}
    for one in found:
        if one.key.lower() in seen:
            one.refused = f"{printable(seen[one.key.lower()])!r} is of the same student already"
            one.key += f"~{hashlib.sha256(os.fsencode(one.name)).hexdigest()[:8]}"
        seen.setdefault(one.key.lower(), one.name)


def choose(one: Submission, lab: str, released: NotebookNode) -> None:
    """Finds the notebook among a submission's files: that with the lab's cells and answers in it."""
    notebooks = [name for name in one.files if name.endswith(".ipynb")]
    if one.refused:
        return
    if not notebooks:
        one.refused = "there is no notebook in the folder"
        return
    if len(notebooks) > 1:
        answers = {name: text for name in notebooks if (text := _answers(one.files[name], released)) is not None}
        worked = {name: text for name, text in answers.items() if text}
        named = [name for name in worked if PurePosixPath(name).name == f"{lab}.ipynb"]
        if len(set(worked.values())) > 1 and len(named) != 1:
            shown = ", ".join(map(printable, worked))
            one.refused = f"which of its notebooks counts, cannot be told: {shown} all hold answers, and other ones"
            return
        notebooks = [*named, *worked, *answers, *notebooks]
        one.notes.append(f"of several notebooks, {printable(notebooks[0])} was graded")
    one.notebook = notebooks[0]
    path = one.files[one.notebook]
    if one.place and not one.returned:
        one.returned = f"{path.stem}.html"
    if not one.when and not one.place:
        one.when = datetime.fromtimestamp(path.lstat().st_mtime).astimezone()


def _answers(path: Path, released: NotebookNode) -> str | None:
    """The student's own lines; None of what is no notebook of this lab."""
    try:
        cells = read(path)
    except Refused:
        return None
    return rebuild.own(released, cells) if any(rebuild.names(released, cells)) else None


def _open(path: Path, most: int) -> bytes:
    """The content of an ordinary file, which may have become something else since it was listed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"the notebook cannot be opened ({os.strerror(error.errno or 0)})") from error
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("the notebook is no ordinary file")
        content = file.read(most + 1)
    if len(content) > most:
        raise Refused(f"the file is larger than {most // 2**20} MB")
    return content


def read(path: Path) -> list[dict[str, Any]]:
    """The cells of a submitted notebook: `type`, `source`, and `grade_id` (None without). Outputs and all else are not looked at.

    Raises:
        Refused: it is no notebook that can be graded.
    """
    content = _open(path, NOTEBOOK_BYTES)
    if not content:
        raise Refused("the file is empty")
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


def digest(one: Submission) -> str:
    """Of whose it is, and of all that was handed in."""
    found = hashlib.sha256(f"{one.student}\0{one.notebook}\0{one.refused}".encode())
    for name, path in sorted(one.files.items()):
        found.update(os.fsencode(f"\0{name}\0"))
        try:
            found.update(_open(path, FILE_BYTES))
        except Refused as error:
            found.update(str(error).encode())
    return found.hexdigest()


def copy_files(one: Submission, into: Path) -> list[str]:
    """Copies what else a submission has besides notebooks, so that it lies to the notebook's folder as there. Returns what was left out."""
    notes = []
    inner = one.notebook.rpartition("/")[0]
    for name, path in one.files.items():
        if name.endswith(".ipynb"):
            continue
        try:
            content = _open(path, FILE_BYTES)
            target = into / (name.removeprefix(f"{inner}/") if inner else name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (Refused, OSError, UnicodeError):
            notes.append(f"{printable(name)} was left out: it cannot be read")
    return notes
