"""The few pieces of HTML that the views are made of: no scripts, no style sheets, everything escaped.

Colours come from JupyterLab's theme where there is one, so that views read in light and dark; elsewhere (a code host, a
deck, paper) the fallbacks of the house style apply. Styles are written into the elements, because a style sheet would not survive
the sanitising of untrusted notebooks.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from course import style

INK = f"var(--jp-content-font-color1, {style.INK})"
SOFT = f"var(--jp-content-font-color2, {style.MUTED})"
RULE = f"var(--jp-border-color2, {style.LINE})"

_CELL = "padding: 3px 14px 3px 0; vertical-align: top; border: none; max-width: 420px;"


class View:
    """Something to look at: HTML for a notebook, text for everything else."""

    def __init__(self, markup: str, text: str) -> None:
        """Takes finished HTML (escaped by who made it) and the same content as plain text."""
        self.markup, self.text = markup, text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": f'<div style="color: {INK};">{self.markup}</div>', "text/plain": self.text}

    def __repr__(self) -> str:
        """The plain text."""
        return self.text


def escape(value: Any) -> str:
    """Text that cannot be taken for HTML."""
    return html.escape(str(value))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[int] = ()) -> View:
    """A table. Cells are escaped, unless they are views themselves.

    Args:
        columns: names of the columns; without any name the table has no head.
        rows: a value for each column; None shows as an empty cell.
        numbers: which columns hold numbers, and are set flush right.
    """
    head = "".join(_cell("th", name, i in numbers) for i, name in enumerate(columns)) if any(columns) else ""
    head = head and f'<thead><tr style="border: none; border-bottom: 1px solid {RULE};">{head}</tr></thead>'
    body = "".join(
        f'<tr style="border: none;">{"".join(_cell("td", cell, i in numbers) for i, cell in enumerate(row))}</tr>'
        for row in rows
    )
    look = "border-collapse: collapse; border: none; margin: 4px 0 10px 0; font-size: 0.93em; line-height: 1.4;"
    markup = f'<table style="{look}">{head}<tbody>{body}</tbody></table>'
    return View(markup, _plain_table(columns, rows, numbers))


def badge(words: str, colour: str) -> View:
    """A coloured word, such as a state. The word says it, the colour underlines it."""
    look = (
        f"background: {colour}; color: #ffffff; border-radius: 9px; padding: 1px 9px; font-size: 0.85em; "
        "font-weight: 600; white-space: nowrap;"
    )
    return View(f'<span style="{look}">{escape(words)}</span>', words)


def heading(title: str, *rest: View | str) -> View:
    """A line with a title in bold, and what follows it: badges, or words in a softer colour."""
    parts = [f'<b style="font-size: 1.05em;">{escape(title)}</b>']
    parts += [p.markup if isinstance(p, View) else f'<span style="color: {SOFT};">{escape(p)}</span>' for p in rest]
    words = [title, *(p.text if isinstance(p, View) else p for p in rest)]
    return View(f'<div style="margin: 2px 0 4px 0;">{" &nbsp; ".join(parts)}</div>', "  ".join(words))


def note(words: str) -> View:
    """A line in a softer colour."""
    return View(f'<div style="color: {SOFT}; font-size: 0.93em; margin: 2px 0 6px 0;">{escape(words)}</div>', words)


def panel(colour: str, *parts: View) -> View:
    """Views under each other, held together by a coloured rule on the left."""
    inside = "".join(part.markup for part in parts)
    look = f"border-left: 4px solid {colour}; padding: 1px 0 1px 12px; margin: 6px 0;"
    return View(f'<div style="{look}">{inside}</div>', "\n".join(part.text for part in parts))


def stack(*parts: View) -> View:
    """Views under each other."""
    return View("".join(part.markup for part in parts), "\n\n".join(part.text for part in parts))


def folded(summary: str, inside: View) -> View:
    """A view behind a line that opens it. Works without scripts; the plain text is not folded."""
    line = f'<summary style="cursor: pointer; color: {SOFT}; font-size: 0.93em;">{escape(summary)}</summary>'
    return View(f"<details>{line}{inside.markup}</details>", f"{summary}\n{inside.text}")


def listing(lines: Sequence[str]) -> View:
    """Lines in a fixed-width font, such as the files of a folder."""
    text = "\n".join(lines)
    look = (
        f"margin: 2px 0 6px 0; font-size: 0.88em; line-height: 1.4; background: transparent; color: {INK}; padding: 0;"
    )
    return View(f'<pre style="{look}">{escape(text)}</pre>', text)


def _cell(tag: str, value: Any, number: bool) -> str:
    inside = "" if value is None else value.markup if isinstance(value, View) else escape(value)
    align = "right" if number else "left"
    weight = "font-weight: 600;" if tag == "th" else ""
    return f'<{tag} style="{_CELL} text-align: {align}; {weight}">{inside}</{tag}>'


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[int]) -> str:
    grid = [list(columns)]
    for row in rows:
        texts = ("" if cell is None else cell.text if isinstance(cell, View) else str(cell) for cell in row)
        grid.append([" ".join(text.split()) for text in texts])
    widths = [max(len(row[i]) for row in grid) for i in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if i in numbers else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in grid
    ]
    if not any(columns):
        return "\n".join(lines[1:])
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
