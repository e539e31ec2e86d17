"""Finds submissions in a folder, and reads them as data of unknown origin."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.checks.lab import valid_student
from tools.grade.confine import pack

NOTEBOOK_BYTES = 40 * 2**20
CELLS, LETTERS = 1000, 400_000
"""Cells of a notebook, and letters of a cell, at most."""
LAYOUTS = """Expected is one of these, for the lab {lab}:
  FOLDER/STUDENT/{lab}.ipynb
  FOLDER/STUDENT/{lab}/{lab}.ipynb      (nbgrader's `submitted` folder)
  FOLDER/STUDENT.ipynb
STUDENT is what the student wrote in STUDENT = "..."; NAMES=names.csv, with the columns submission and student, says who is who otherwise."""


class Refused(Exception):
    """A submission cannot be graded. The message says why, to student and instructor."""


@dataclass
class Submission:
    """One submission: what it is called in the folder, whose it is, its notebook's file and folder, and why not, if so."""

    name: str
    student: str
    key: str
    path: Path | None
    folder: Path | None = None
    refused: str | None = None
    notes: list[str] = field(default_factory=list)


def find(top: Path, lab: str, names: Path | None = None) -> tuple[list[Submission], list[str]]:
    """The submissions in a folder, in the order of their names; and the names of what was not looked at.

    Raises:
        ValueError: there is none, or no such folder, or `names` cannot be read.
    """
    if not top.is_dir():
        raise ValueError(f"{top} is no folder.\n{LAYOUTS.format(lab=lab)}")
    if (top / "submitted").is_dir():
        top = top / "submitted"
    known = read_names(names) if names else {}
    found, ignored = [], []
    for entry in sorted(os.scandir(top), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if path.suffix == ".ipynb":
            found.append(_submission(path.stem, path, None, known))
        elif entry.is_dir(follow_symlinks=False):
            notebook, folder = _notebook(path, lab)
            found.append(_submission(entry.name, notebook, folder, known))
        else:
            ignored.append(ascii(entry.name))
    if not found:
        raise ValueError(f"There is no submission in {top}.\n{LAYOUTS.format(lab=lab)}")
    _once(found)
    return found, ignored


def read_names(path: Path) -> dict[str, str]:
    """Who is who: a CSV file with the columns submission and student.

    Raises:
        ValueError: it has other columns.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"submission", "student"} <= set(rows[0]):
        raise ValueError(f"{path} needs the columns submission and student")
    return {row["submission"].removesuffix(".ipynb"): row["student"] for row in rows}


def _notebook(folder: Path, lab: str) -> tuple[Path | None, Path | None]:
    """The notebook in a student's folder: that of the lab's name, or the only one."""
    for place in (folder / lab, folder):
        if place.is_symlink() or not place.is_dir():
            continue
        if os.path.lexists(place / f"{lab}.ipynb"):
            return place / f"{lab}.ipynb", place
        others = [
            Path(entry.path) for entry in os.scandir(place) if entry.name.endswith(".ipynb") and entry.name[0] != "."
        ]
        if len(others) == 1:
            return others[0], place
    return None, None


def _submission(name: str, path: Path | None, folder: Path | None, known: dict[str, str]) -> Submission:
    student, refused = known.get(name, name), None
    try:
        key = student = valid_student(student)
    except ValueError:
        # A name for folders and for nbgrader, where the given one cannot be used.
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:6]
        key = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:40].strip('-.') or 'unnamed'}-{digest}"
        student, refused = ascii(student)[1:-1], "its name is no student's id: enter it in a file for NAMES=names.csv"
    if path is None and refused is None:
        refused = "there is no notebook in the folder"
    return Submission(name, student, key, path, folder, refused)


def _once(found: list[Submission]) -> None:
    """Refuses the second of two submissions of the same student: nobody knows which counts."""
    seen: dict[str, str] = {}
    for submission in found:
        key = submission.key.lower()
        if key in seen:
            submission.refused = f"{seen[key]!r} is of the same student already"
            submission.key += f"-{hashlib.sha256(os.fsencode(submission.name)).hexdigest()[:6]}"
        seen.setdefault(key, submission.name)


def read(path: Path) -> list[dict[str, Any]]:
    """The cells of a submitted notebook: `type`, `source`, and `grade_id` (None without). Outputs and all else are not looked at.

    Raises:
        Refused: it is no notebook that can be graded.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"the notebook cannot be opened ({os.strerror(error.errno or 0)})") from error
    with open(handle, "rb") as file:
        kind = os.fstat(handle)
        if not stat.S_ISREG(kind.st_mode):
            raise Refused("the notebook is no ordinary file")
        if not kind.st_size:
            raise Refused("the file is empty")
        if kind.st_size > NOTEBOOK_BYTES:
            raise Refused(f"the file is larger than {NOTEBOOK_BYTES // 2**20} MB")
        content = file.read(NOTEBOOK_BYTES + 1)
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
    kind = cell.get("cell_type")
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or len(source) > LETTERS:
        raise Refused(f"a cell holds no text, or more than {LETTERS:,} letters")
    marks = cell.get("metadata")
    marks = marks.get("nbgrader") if isinstance(marks, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return {
        "type": kind if kind in ("code", "markdown") else "raw",
        "source": source.encode("utf-8", "replace").decode("utf-8"),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
    }


def copy_files(folder: Path, into: Path) -> list[str]:
    """Copies what else is in a submission's folder, as far as it is ordinary files. Returns what was left out."""
    notes = []
    for found in pack.pack(str(folder)):
        if isinstance(found, str):
            notes.append(found)
            continue
        name, pieces = found
        if name.endswith(".ipynb") or any(part.startswith(".") for part in name.split("/")):
            continue
        _write(into / name, pieces)
    return notes


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
