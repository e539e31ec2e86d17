"""Makes of a submission's cells a notebook with the lab's own check cells: what nbgrader, and nobody else, says is in it.

nbgrader restores check cells too, and does so afterwards. But it trusts the submission's metadata in more places than one (a cell
that says it is no check cell, two cells of one id, a cell that is missing), and gives up on the whole submission where they are odd.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.labs import source
from tools.notebooks import form


def rebuild(released: NotebookNode, cells: list[dict[str, Any]]) -> NotebookNode:
    """The submission as it is graded: the student's cells in their order, the lab's locked cells as the lab has them.

    - A check cell that is there several times counts where it stands last; one that is missing is put as late as it can be.
    - A cell that claims a mark which the lab does not have is an ordinary cell.

    Args:
        released: the lab as students got it.
        cells: the submission, as `collect.read` gives it.

    Raises:
        ValueError: it is of another lab.
    """
    wanted = _wanted(released)
    order = list(wanted)
    found = names(released, cells)
    if not any(found):
        raise ValueError("it holds none of the cells of this lab: another notebook?")
    made: list[tuple[str | None, NotebookNode]] = []
    for place, (cell, name) in enumerate(zip(cells, found, strict=True)):
        if name is not None and place != _counts(found, name, bool(source.marks(wanted[name]).get("grade"))):
            name = None
        made.append((name, _own(cell) if name is None else _restored(wanted[name], cell)))
    for name in order:
        if source.marks(wanted[name]).get("grade") and name not in [there for there, _ in made]:
            made.insert(_late(order, name, [there for there, _ in made]), (name, copy.deepcopy(wanted[name])))
    node = nbformat.v4.new_notebook(cells=[cell for _, cell in made])
    return form.normalise(node)


def names(released: NotebookNode, cells: list[dict[str, Any]]) -> list[str | None]:
    """Which of the lab's marked cells each cell is; None for others."""
    wanted = _wanted(released)
    texts = {cell.source.strip(): name for name, cell in wanted.items() if source.marks(cell).get("grade")}
    # By its text first: what a check asks is known by that, whatever its metadata say.
    return [
        texts.get(cell["source"].strip()) or (cell["grade_id"] if cell["grade_id"] in wanted else None)
        for cell in cells
    ]


def own(released: NotebookNode, cells: list[dict[str, Any]]) -> str:
    """The lines that are not the lab's, but for those that say whose it is."""
    given = {line.strip() for cell in released.cells for line in cell.source.splitlines()} | {"", "pass"}
    lines = [line.strip() for cell in cells for line in cell["source"].splitlines()]
    whose = re.compile(r"STUDENT *=|.{0,200}checks\.begin\(")
    return "\n".join(line for line in lines if line not in given and not whose.match(line))


def _wanted(released: NotebookNode) -> dict[str, NotebookNode]:
    return {source.marks(cell)["grade_id"]: cell for cell in released.cells if source.marks(cell).get("grade_id")}


def refused(released: NotebookNode, reason: str) -> NotebookNode:
    """What stands in for a submission that cannot be graded: the reason, and the unsolved lab."""
    words = nbformat.v4.new_markdown_cell(f"# Not graded\n\nThis submission could not be graded: {reason}.")
    return form.normalise(nbformat.v4.new_notebook(cells=[words, *copy.deepcopy(released.cells)]))


def _counts(names: list[str | None], name: str, is_check: bool) -> int:
    """Which of several cells of a name counts: the last check, the first of the others."""
    return len(names) - 1 - names[::-1].index(name) if is_check else names.index(name)


def _late(order: list[str], name: str, there: list[str | None]) -> int:
    """The place for a missing cell: before the next one of the lab's order that is there after all earlier ones, or the end."""
    before = [there.index(other) for other in order[: order.index(name)] if other in there]
    after = [there.index(other) for other in order[order.index(name) + 1 :] if other in there]
    later = [place for place in after if place > max(before, default=-1)]
    return min(later, default=len(there))


def _own(cell: dict[str, Any]) -> NotebookNode:
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    return make[cell["type"]](cell["source"])


def _restored(original: NotebookNode, cell: dict[str, Any]) -> NotebookNode:
    """A marked cell: its marks and, where it is locked, its source are the lab's."""
    made = copy.deepcopy(original)
    if source.marks(original).get("solution"):
        made.source = cell["source"]
    return made
