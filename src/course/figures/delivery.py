"""Microsoft's MLOpsPython and this course's pipelines, box by box."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

PIPELINES = {
    "1 change": [
        ("source code", "Azure Repos, GitHub", "git"),
        ("lint and tests", "Azure Pipelines", "ruff, mypy, pytest"),
        ("test of the data", "Azure Pipelines", "DataGate"),
        ("publish pipeline", "Azure ML workspace", "the commit"),
    ],
    "2 train": [
        ("train", "Azure ML compute", "any engine"),
        ("evaluate", "beside production", "Evaluator, beside it"),
        ("register if better", "Azure ML registry", "MLflow"),
    ],
    "3 release": [
        ("package", "Container Registry", "SavedModel, image"),
        ("staging, smoke test", "Container Instances", "a server process"),
        ("gate", "a person approves", "shadow, canary"),
        ("production", "Kubernetes Service", "traffic file, KServe"),
    ],
}
"""For each pipeline its boxes: what happens, what does it with Azure, and what does it here."""

_LEFT, _WIDTH, _GAP, _HEIGHT, _ROW, _TOP = 112, 176, 19, 88, 122, 62


def mlopspython() -> Figure:
    """Three rows of boxes; in each box what Azure has for it, and what there is here."""
    height = _TOP + _ROW * len(PIPELINES) + 26
    sheet = Sheet("The same boxes: a product of Azure in each, or a program that runs anywhere", height, _alt())
    end: Box | None = None
    for row, (name, boxes) in enumerate(PIPELINES.items()):
        y = _TOP + row * _ROW
        sheet.text(16, y + _HEIGHT / 2, name, weight="bold", across="left")
        drawn = [_box(sheet, _LEFT + n * (_WIDTH + _GAP), y, *box) for n, box in enumerate(boxes)]
        for left, right in pairwise(drawn):
            sheet.arrow(left.right, right.left, colour=style.INK)
        if end:
            turn = y - (_ROW - _HEIGHT) / 2
            first = drawn[0].top
            sheet.path([end.bottom, (end.bottom[0], turn), (first[0], turn), first], colour=style.INK)
        end = drawn[-1]
    y = height - 18
    sheet.text(_LEFT, y, "blue, upper line: MLOpsPython", SMALL, style.BLUE, across="left")
    sheet.text(_LEFT + 2 * (_WIDTH + _GAP), y, "green, lower line: this course", SMALL, style.GREEN, across="left")
    return sheet.figure


def _box(sheet: Sheet, x: float, y: float, step: str, azure: str, here: str) -> Box:
    box = sheet.box(x, y, _WIDTH, _HEIGHT, colour=style.INK, kind="outlined")
    sheet.text(box.centre[0], y + 20, step, weight="bold")
    sheet.text(box.centre[0], y + 46, azure, SMALL, style.BLUE)
    sheet.text(box.centre[0], y + 68, here, SMALL, style.GREEN)
    return box


def _alt() -> str:
    rows = "; ".join(
        f"{name}: " + ", ".join(f"{step} (MLOpsPython: {azure}; here: {here})" for step, azure, here in boxes)
        for name, boxes in PIPELINES.items()
    )
    return f"Three rows of boxes, one for each pipeline, with arrows from left to right and from the end of each row to the next. {rows}."
