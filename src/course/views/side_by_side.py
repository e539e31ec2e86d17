"""Two texts beside each other, such as code and what was made of it."""

from __future__ import annotations

from collections.abc import Sequence

from course.views.html import RULE, View, escape

_TEXT = "margin: 0; padding: 0 16px 0 0; background: transparent; font-size: min(0.85em, 18px); line-height: 1.35; white-space: pre; text-align: left;"
_CELL = f"padding: 6px 18px 6px 0; vertical-align: top; text-align: left; border: none; border-top: 1px solid {RULE};"


def side_by_side(heads: tuple[str, str], rows: Sequence[tuple[str, str]]) -> View:
    """A table of texts in a fixed-width font: each row has what belongs together.

    Args:
        heads: what the left and the right column hold.
        rows: a text for each column; it is shown as it is, line by line.
    """
    head = "".join(
        f'<th style="padding: 3px 18px 3px 0; text-align: left; border: none;">{escape(h)}</th>' for h in heads
    )
    cells = [[f'<td style="{_CELL}"><pre style="{_TEXT}">{escape(text)}</pre></td>' for text in row] for row in rows]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    markup = f'<table style="border-collapse: collapse; border: none;"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    plain = "\n\n".join(f"{title}:\n{text}" for row in rows for title, text in zip(heads, row, strict=True))
    return View(markup, plain)
