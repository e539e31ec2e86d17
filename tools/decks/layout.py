"""How large the letters of a slide can be: the largest of four sizes at which the slide is full, but not too full.

The heights are estimates from the theme's measures (`slides/deck/theme.css`) and from mean widths of letters; whether a
slide really fits is measured in a browser (`tests/browser/`).
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

from nbformat import NotebookNode

FIGURES = ("image/png", "image/svg+xml", "image/jpeg")
WIDTH, HEIGHT = 1152, 610
"""The space of a slide inside its margins, in pixels; a little less high than it is, for what an estimate misses."""
HEADING = 64
"""Height of a heading with the space under it."""
HIDE = "hide-input"
"""Tag of a cell that is on its slide with its outputs only; the word is that of Jupyter Book."""
COLUMN = 590
"""Width of each of two columns, where code stands beside its figure."""


@dataclass(frozen=True)
class Size:
    """Sizes of letters in pixels, as the theme has them for a slide with this name as its class."""

    name: str
    text: int
    code: int
    table: int
    row: int  # what a row of a table has above and below its letters


SIZES = (
    Size("airy", 29, 22, 26, 11),
    Size("normal", 26, 20, 22, 11),
    Size("dense", 26, 18, 20, 7),
    Size("tight", 26, 18, 18, 3),
)


def density(cells: list[NotebookNode], continued: bool) -> str:
    """Returns the name of the largest size at which the cells fit, else of the smallest.

    Args:
        cells: what the slide shows.
        continued: the heading of the section is repeated over them.
    """
    for size in SIZES:
        if sum(_height(cell, size) + 14 for cell in cells) + (46 if continued else 0) <= HEIGHT:
            return size.name
    return SIZES[-1].name


def classes(cell: NotebookNode) -> list[str]:
    """Returns what the theme has to know of a cell in order to lay it out, as CSS classes."""
    if cell.cell_type != "code":
        return [cell.cell_type, *(["figure"] if re.search(r"!\[|<img\b|<svg\b", cell.source) else [])]
    figures = [_figure(output) for output in cell.outputs if _is_figure(output)]
    hidden = cell.outputs and HIDE in cell.metadata.get("tags", [])
    if not figures:
        return ["code", *(["shown"] if hidden else [])]
    if hidden or only_shows(cell.source):
        return ["code", "figure", "shown"]
    width, height = figures[0]
    left = HEIGHT - HEADING - _mono(cell.source, SIZES[-1], WIDTH - 34)
    under, beside = min(WIDTH / width, left / height), min(COLUMN / width, (HEIGHT - HEADING) / height)
    return ["code", "figure", *(["beside"] if beside > max(under, 0) else [])]


def only_shows(source: str) -> bool:
    """Says whether code is nothing but one call of `course.show` or `course.explore`: on a slide, its figure says all."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return len(body) == 1 and ast.unparse(body[0]).startswith(("course.show(", "course.explore("))


def _height(cell: NotebookNode, size: Size) -> float:
    if cell.cell_type != "code":
        return _prose(cell.source, size)
    beside = "beside" in classes(cell)
    source = 0.0 if "shown" in classes(cell) else _mono(cell.source, size, (COLUMN if beside else WIDTH) - 34) + 24
    outputs = sum(_output(output, size) + 10 for output in cell.outputs)
    return max(source, outputs) if beside else source + outputs


def _prose(source: str, size: Size) -> float:
    height = 0.0
    source = re.sub(r"</summary>.*?</details>", "</summary>", source, flags=re.DOTALL)  # answers are closed
    for line in source.splitlines():
        heading = re.match(r"(#+) (.*)", line)
        if line.startswith("|"):
            height += 0 if set(line) <= set("|-: ") else _row(line.split("|")[1:-1], size)
        elif heading:
            letters = 42 if len(heading[1]) < 3 else 34
            height += letters * 1.15 * _wrapped(heading[2], letters * 0.53) + 14
        elif "<summary>" in line:
            height += size.text * 1.36 * _wrapped(line, size.text * 0.5) + 30
        elif line.strip() and not line.startswith("<"):
            height += size.text * 1.36 * _wrapped(line, size.text * 0.48) + 8
    return height


def _wrapped(text: str, letter: float) -> int:
    """Lines that a text takes over the whole width; `letter` is the mean width of one, in pixels."""
    return math.ceil(max(len(text), 1) * letter / WIDTH)


def _row(texts: list[str], size: Size) -> float:
    """Height of a row of a table. A cell wraps where all of them together are too long for the slide."""
    text = "".join(f"{' '.join(text.split())}   " for text in texts)
    return size.table * 1.25 * _wrapped(text, size.table * 0.5) + size.row


def _output(output: NotebookNode, size: Size) -> float:
    data = output.get("data", {})
    if "text/html" in data:
        rows = re.findall(r"<tr.*?</tr>", data["text/html"], re.DOTALL)
        if not rows:
            return _prose(re.sub(r"<[^>]+>", "", data["text/html"]), size)
        cells = [re.sub(r"<[^>]+>", "", re.sub(r"</t[dh]>", "|", row)).split("|") for row in rows]
        return sum(_row(texts, size) for texts in cells) + 8
    if _is_figure(output):
        return 0.9 * _figure(output)[1]
    if "text/markdown" in data:
        return _prose(data["text/markdown"], size)
    return _mono(output.get("text") or data.get("text/plain") or output.get("evalue", ""), size, WIDTH - 22) + 8


def _mono(text: str, size: Size, width: float) -> float:
    letters = width // (size.code * 0.602)
    return sum(math.ceil(max(len(line), 1) / letters) for line in text.strip().splitlines()) * size.code * 1.3


def _is_figure(output: NotebookNode) -> bool:
    return "text/html" not in output.get("data", {}) and any(kind in output.get("data", {}) for kind in FIGURES)


def _figure(output: NotebookNode) -> tuple[float, float]:
    """Width and height for which a figure was drawn, as `course.show` notes them; else those of a usual one."""
    look = output.metadata.get("image/png", {})
    return look.get("width", 900), look.get("height", 450)
