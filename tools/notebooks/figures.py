"""Compares the figures of a run with the committed ones. nbval skips images, because fonts and anti-aliasing move pixels.

Both pictures are shrunk to a coarse grid; what counts is the share of squares that changed clearly. A line that is gone, a
bar of another height or an empty plot is seen; a letter that is drawn a little differently is not.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from nbformat import NotebookNode
from PIL import Image

from tools.notebooks import execute, form

SQUARES = 100
"""Squares of the grid from left to right."""
CLEARLY = 24
"""Levels of grey (of 255) by which a square must change to count."""
TOLERATED = 0.003
"""Share of squares that may change: some twenty in a figure of 3 to 2."""


def changes(committed: NotebookNode, now: NotebookNode) -> list[str]:
    """Returns a sentence for each cell whose figures are not those that are committed.

    Args:
        committed: the notebook as it is in the repository.
        now: the same notebook, executed again.
    """
    if [cell.cell_type for cell in committed.cells] != [cell.cell_type for cell in now.cells]:
        return ["the run has other cells than the notebook"]
    found = []
    for index, (before, after) in enumerate(zip(committed.cells, now.cells, strict=True)):
        if before.cell_type != "code" or "nbval-ignore-output" in form.tags(before):
            continue
        old, new = pictures(before), pictures(after)
        if len(old) != len(new):
            found.append(
                f"{execute.describe_cell(committed, index)}: {len(old)} figures are committed, the run draws {len(new)}."
            )
            continue
        for number, (left, right) in enumerate(zip(old, new, strict=True), start=1):
            reason = difference(left, right)
            if reason:
                found.append(f"{execute.describe_cell(committed, index)}: figure {number} {reason}.")
    return found


def pictures(cell: NotebookNode) -> list[bytes]:
    """Returns the PNG pictures among a code cell's outputs."""
    return [
        base64.b64decode(output.data["image/png"]) for output in cell.outputs if "image/png" in output.get("data", {})
    ]


def difference(left: bytes, right: bytes) -> str | None:
    """Returns how two PNG pictures differ for somebody who looks at them, or None when they show the same."""
    if left == right:
        return None
    with Image.open(io.BytesIO(left)) as before, Image.open(io.BytesIO(right)) as after:
        if max(abs(before.width - after.width), abs(before.height - after.height)) > 4:
            return f"is {after.width} x {after.height} pixels, and {before.width} x {before.height} are committed"
        size = (SQUARES, max(1, SQUARES * before.height // before.width))
        share = _changed(_grey(before, size), _grey(after, size))
    return f"differs from the committed one ({share:.1%} of its area)" if share > TOLERATED else None


def _grey(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    flat = Image.new("RGBA", picture.size, "white")
    flat.alpha_composite(picture.convert("RGBA"))
    return np.asarray(flat.convert("RGB").resize(size, Image.Resampling.BOX), dtype=float)


def _changed(left: np.ndarray, right: np.ndarray) -> float:
    """Returns the share of squares in which one of the three colours changed clearly."""
    return float((np.abs(left - right).max(axis=2) > CLEARLY).mean())
