"""The table of lessons and labs in the README, made from the notebooks' own first cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.notebooks import form, run
from tools.notebooks.execute import ROOT

START, END = "<!-- lessons -->", "<!-- /lessons -->"


class NotReadable(Exception):
    """A document is not as the table needs it. The message names it and says what to do."""


@dataclass(frozen=True)
class Entry:
    """A line of the table."""

    title: str
    path: str
    purpose: str
    time: str


def renew(root: Path = ROOT, write: bool = True) -> bool:
    """Puts the table between its marks in `README.md`; returns whether that changes the file.

    Raises:
        NotReadable: the README lacks the marks, or a notebook's first cell lacks what the table shows.
    """
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    parts = re.fullmatch(rf"(.*{START}\n)(.*)({END}\n.*)", text, re.DOTALL)
    if not parts or text.count(START) != 1:
        raise NotReadable(f"README.md needs one line {START} and one line {END} after it")
    renewed = parts[1] + table(root) + parts[3]
    if write and renewed != text:
        path.write_text(renewed, encoding="utf-8")
    return renewed != text


def table(root: Path = ROOT) -> str:
    """Returns the table in Markdown: the lessons in order, then the labs. Empty when there are none."""
    lessons = [entry(path, root) for path in run.notebooks("notebooks", root)]
    labs = [entry(path, root) for path in run.notebooks("labs", root)]
    return _rows("Lesson", lessons) + ("\n" if lessons and labs else "") + _rows("Lab", labs)


def entry(path: Path, root: Path = ROOT) -> Entry:
    """Reads what the table shows of a notebook from its first cell: title, sentence of purpose, time."""
    name = path.relative_to(root).as_posix()
    cells = form.read(path).cells
    source = cells[0].source if cells and cells[0].cell_type == "markdown" else ""
    title = re.match(r"# +(.+)", source)
    body = source[title.end() :].strip() if title else ""
    purpose = re.split(r"\n\s*\n", body)[0]
    time = re.search(r"^\*\*Time[.:]?\*\*[.:]?\s*(.+?)(?=\n\s*\n|\Z)", source, re.MULTILINE | re.DOTALL)
    if not (title and purpose and time) or purpose.startswith("**"):
        raise NotReadable(
            f"{name}: its first cell needs `# NN Title`, a sentence of purpose and **Time** (see STYLE.md)"
        )
    first_sentence = re.split(r"(?<=[^.\d])\.(?:\s|$)", _plain(time[1]))[0]
    return Entry(_plain(title[1]), name, _plain(purpose), first_sentence)


def _rows(heading: str, entries: list[Entry]) -> str:
    if not entries:
        return ""
    rows = [f"| [{entry.title}]({entry.path}) | {entry.purpose} | {entry.time} |" for entry in entries]
    return "\n".join([f"| {heading} | What it is about | Time |", "|---|---|---|", *rows, ""])


def _plain(markdown: str) -> str:
    """Returns a text on one line, without links (they lead from another folder) and with no bar that would end a column."""
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).split()).replace("|", r"\|")
