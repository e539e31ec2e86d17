"""What Moodle and Canvas call the files of a submission that they hand out, and what they take back.

Moodle (mod/assign/classes/downloader.php): `Full Name_NUMBER_assignsubmission_file` is a folder with the files, before 4.1 with a `_` at
its end, or the beginning of the file's name; the number is the assignment's own ("Participant NUMBER"). Grades come back by
mod/assign/feedback/offline/importgradeslib.php, files by mod/assign/feedback/file/importziplib.php.

Canvas (lib/content_zipper.rb): `surnamename_LATE_USER_FILE_name`, with LATE where it was, or `LATE_anon_ID_FILE_name`; names in small letters. Grades come back by lib/gradebook_importer.rb,
files by Assignment#infer_comment_context_from_filename.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOODLE, CANVAS = "moodle", "canvas"
_MOODLE = re.compile(
    r"(?P<who>(?P<name>[^_]+)_(?P<number>\d+))_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?", re.DOTALL
)
_CANVAS = re.compile(
    r"(?P<who>(?P<name>anon|\w+?)_(?:LATE_)?(?P<number>\d+|(?<=anon_)[A-Za-z0-9]{5}))_\d+_(?P<file>.+)", re.DOTALL
)
_COLUMNS = {
    "submission": ("submission", "Full name", "ID"),
    "student": ("student", "SIS Login ID", "Username", "ID number", "Email address"),
    "submitted": ("submitted", "Last modified (submission)"),
}
"""The columns of NAMES=names.csv, and what Moodle's grading worksheet and Canvas's exported gradebook call them."""


@dataclass(frozen=True)
class Place:
    """Where a submission is from: the platform, what it calls the student, what the file is called there, and whether it says "late"."""

    platform: str
    who: str
    name: str
    number: str
    file: str
    late: bool = False


def place(name: str) -> Place | None:
    """What a file's or folder's name says; None where it is no platform's."""
    if found := _MOODLE.fullmatch(name):
        return Place(MOODLE, found["who"], found["name"], found["number"], found["file"] or "")
    if found := _CANVAS.fullmatch(name):
        return Place(
            CANVAS, found["who"], found["name"] or "", found["number"], found["file"], "LATE" in found["who"].split("_")
        )
    return None


def read_names(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Who is who, and when it was submitted: by a submission's name, or what the platform calls the student, name or number.

    Raises:
        ValueError: it has other columns.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    head = rows[0] if rows else {}
    columns = {wanted: next((name for name in names if name in head), "") for wanted, names in _COLUMNS.items()}
    if not columns["submission"] or not columns["student"]:
        raise ValueError(f"{path} needs the columns submission and student")
    who, when = {}, {}
    for row in rows:
        student = (row[columns["student"]] or "").strip()
        number = (row.get("Identifier") or "").rpartition(" ")[2]  # Moodle's "Participant 1234567"
        for name in filter(None, ((row[columns["submission"]] or "").removesuffix(".ipynb"), number)):
            if student:
                who[name] = student
                when[name] = (row.get(columns["submitted"]) or "").strip()
    return who, when


def printable(text: str) -> str:
    """A text on one line of a terminal: what is no letter, sign or space is shown as Python writes it."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def cell(text: str) -> str:
    """A text for a table. A spreadsheet takes one that begins with = for a formula: such a text gets an apostrophe."""
    text = printable(text)
    return f"'{text}" if text[:1] in tuple("=+-@") else text


def grades(platform: str, lab: str, marks: Iterable[tuple[Place, str]], of: str) -> str:
    """The marks as the platform imports them, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if platform == MOODLE:
        writer.writerow(["Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)"])
        writer.writerows([f"Participant {one.number}", cell(one.name), points, of, "-"] for one, points in marks)
    else:
        writer.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", lab])
        writer.writerow(["Points Possible", "", "", "", "", of])
        writer.writerows([cell(one.name), one.number, "", "", "", points] for one, points in marks)
    return text.getvalue()


def feedback(path: Path, pages: Iterable[tuple[str, Path]]) -> None:
    """Packs the pages as the platform takes them: under the names that it gave to the submissions."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, page in pages:
            archive.write(page, name)
