"""Figures are compared as a reader sees them."""

from __future__ import annotations

import base64
import io

import nbformat
import pytest
from matplotlib import pyplot as plt

from tools.notebooks import figures


def picture(heights=(5, 10, 25), title="Delays", dpi=100, shift=0.0, colour="#0072B2") -> bytes:
    figure, axes = plt.subplots(figsize=(6, 4))
    axes.bar(range(len(heights)), heights, color=colour)
    axes.set(title=title, ylim=(0, 30))
    figure.subplots_adjust(left=0.125 + shift)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "other",
    [
        {"heights": (5, 10, 22)},
        {"heights": ()},
        {"title": "Something else"},
        {"colour": "#D55E00"},
        {"dpi": 80},
    ],
    ids=["a lower bar", "an empty plot", "another title", "another colour", "another size"],
)
def test_figure_that_shows_something_else_differs(other):
    assert figures.difference(picture(), picture(**other))


@pytest.mark.parametrize(
    "other",
    [{}, {"shift": 0.0002}, {"heights": (5, 10, 25.01)}],
    ids=["same", "moved a hair", "rounding"],
)
def test_figure_that_shows_the_same_does_not_differ(other):
    assert figures.difference(picture(), picture(**other)) is None


def notebook(*pictures: bytes, tags=()) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("draw()", metadata={"tags": list(tags)})
    cell.outputs = [
        nbformat.v4.new_output("display_data", data={"image/png": base64.b64encode(data).decode()}) for data in pictures
    ]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T"), cell])


def test_changes_name_the_cell_and_the_figure():
    assert figures.changes(notebook(picture()), notebook(picture())) == []
    assert (
        "cell 2, code cell 1 (draw()): figure 2 differs"
        in figures.changes(notebook(picture(), picture()), notebook(picture(), picture(heights=(1, 1, 1))))[0]
    )
    assert "1 figures are committed, the run draws 0" in figures.changes(notebook(picture()), notebook())[0]
    ignored = ("nbval-ignore-output",)
    assert figures.changes(notebook(picture(), tags=ignored), notebook(tags=ignored)) == []
