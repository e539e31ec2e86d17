"""Rules about slides: that a deck can be made, and has between 12 and 40 of them. That each fits, a browser test measures."""

from __future__ import annotations

import copy

from tools.decks import slides
from tools.notebooks.style.base import LESSON, Found, Notebook, rule
from tools.notebooks.style.text import headings

FEWEST, MOST = 12, 40


@rule(LESSON)
def deck(notebook: Notebook) -> Found:
    """The deck builder can make a deck of it, of 12 to 40 slides."""
    try:
        count = len(slides.arrange(copy.deepcopy(notebook.node)).slides)
    except slides.DeckError as error:
        yield None, f"no deck can be made of it: {error}"
        return
    if not FEWEST <= count <= MOST:
        yield None, f"its deck has {count} slides; {FEWEST} to {MOST} are wanted"


@rule(LESSON)
def slide_cells(notebook: Notebook) -> Found:
    """A Markdown cell that starts a slide has a heading; notes are prose."""
    for cell in notebook.cells[1:]:
        kind = slides.slide_type(cell.node)
        if kind in slides.STARTS and cell.is_text and not headings(cell.prose):
            yield cell, f"it starts a slide (type {kind}) without a heading"
        if kind == "notes" and cell.is_code:
            yield cell, "code cannot be speaker notes: give it the slide type skip or none"
