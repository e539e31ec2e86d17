"""What checks have found: the outcome of one, the points of all, and how both look in a notebook.

HTML without scripts or style sheets, in the colours of JupyterLab's theme.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course import style
from course.checks.catalogue import Task

RIGHT, PARTLY, WRONG, OPEN, BROKEN = "right", "partly right", "not right yet", "not answered yet", "check failed"
RAISED = "raises an error"
"""Of exercises only: there, a check calls the reader's own functions."""
COLOURS = {
    RIGHT: style.GREEN,
    PARTLY: style.BLUE,
    WRONG: style.RED,
    OPEN: style.MUTED,
    BROKEN: style.PURPLE,
    RAISED: style.RED,
}


def number(points: float) -> str:
    """Points as they are written: 2, 1.5."""
    return f"{round(points, 2):g}"


@dataclass(frozen=True)
class Outcome:
    """What a check found. Displays as a panel; its text is the points, which is what nbgrader reads."""

    task: str
    title: str
    points: float
    of: float
    state: str
    message: str

    def __repr__(self) -> str:
        """The points."""
        return number(self.points)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": panel(self), "text/plain": repr(self)}


def panel(result: Outcome) -> str:
    """The panel under a check cell."""
    points = f"{number(result.points)} of {number(result.of)} point{'' if result.of == 1 else 's'}"
    return panel_of(result.title, result.state, result.message, points)


def panel_of(title: str, state: str, message: str, *beside: str) -> str:
    """A panel as HTML: a title with its state, what stands beside them, and the message under them."""
    from course.views import html

    colour = COLOURS[state]
    parts = [html.heading(title, html.badge(state, colour), *beside)]
    parts += [prose(line) for line in message.splitlines() if line.strip()]
    if state == BROKEN:
        parts.append(
            html.note("Look at the type and the shape of your answer. If it is as the task asks, tell your instructor.")
        )
    view = html.panel(colour, *parts)
    return view._repr_mimebundle_()["text/html"]


def prose(text: str) -> Any:
    """A paragraph of a message; what is in backticks is shown as code."""
    from course.views import html

    pieces = re.split(r"`([^`]+)`", text)
    look = "padding: 0 3px; background: var(--jp-layout-color2, #F3F5F8); border-radius: 3px; font-size: 0.95em;"
    markup = "".join(
        f'<code style="{look}">{html.escape(piece)}</code>' if place % 2 else html.escape(piece)
        for place, piece in enumerate(pieces)
    )
    return html.View(f'<div style="margin: 2px 0 4px 0; max-width: 780px; line-height: 1.5;">{markup}</div>', text)


class Progress:
    """The points of all tasks so far."""

    def __init__(self, rows: Sequence[tuple[Task, Outcome | None]]) -> None:
        """Takes each task of the lab with the outcome of its check, or None where it has not run."""
        self.rows = list(rows)
        self.points = sum(found.points for _, found in self.rows if found)
        self.of = sum(task.points for task, _ in self.rows)

    def __repr__(self) -> str:
        """The sum."""
        return f"{number(self.points)} of {number(self.of)} points"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from course.views import html

        lines = []
        for task, found in self.rows:
            state = found.state if found else "not checked yet"
            lines.append(
                (
                    task.title,
                    html.badge(state, COLOURS.get(state, style.MUTED)),
                    number(found.points) if found else "0",
                    number(task.points),
                )
            )
        table = html.table(("Task", "", "Points", "of"), lines, numbers=(2, 3))
        share = 100 * self.points / self.of if self.of else 0
        bar = (
            f'<div role="img" aria-label="{self!r}" style="width: 320px; height: 10px; border-radius: 5px; overflow: hidden; '
            f'background: {style.tint(style.LINE, 0.6)}; margin: 4px 0 8px 0;">'
            f'<div style="width: {share:.0f}%; height: 10px; background: {style.GREEN};"></div></div>'
        )
        todo = sum(found is None or found.state == OPEN for _, found in self.rows)
        rest = f"Not answered yet: {todo} of {len(self.rows)} tasks." if todo else "Every task is answered."
        view = html.stack(html.heading(repr(self)), html.View(bar, ""), table, html.note(rest))
        return {"text/html": view._repr_mimebundle_()["text/html"], "text/plain": repr(self)}
