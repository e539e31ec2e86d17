"""Answers that are not of the form that was asked for, and the messages that say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from course import checks


def mapping(given: Any, what: str) -> dict[str, Any]:
    """A dictionary that is not empty.

    Raises:
        checks.Wrong: it is something else.
    """
    if not isinstance(given, dict) or not given:
        raise checks.Wrong(f"`{what}` has to be a dictionary that is not empty.")
    return given


def names(given: Any, what: str, known: Collection[str], of: str) -> list[str]:
    """A list of names of columns, each once.

    Args:
        given: the answer.
        what: its name.
        known: the columns that there are.
        of: what has these columns, for the message: `the delivery`.

    Raises:
        checks.Wrong: it is something else.
    """
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise checks.Wrong(f"`{what}` has to be a list of names of columns, such as `['carrier', 'dest']`.")
    unknown = [name for name in given if name not in known]
    if unknown:
        raise checks.Wrong(f"`{what}` names columns that {of} does not have: {', '.join(unknown[:5])}.")
    if len(set(given)) < len(given):
        raise checks.Wrong(f"`{what}` names a column twice.")
    return given


def parts(judges: Sequence[tuple[float, Callable[[], None]]], points: float = 0.0, right: str = "") -> None:
    """Judges the parts of a task, each by itself: what it is worth, and what raises where it is wrong.

    Args:
        judges: of the parts.
        points: that are earned already, and `right` says for what.

    Raises:
        checks.Wrong: a part is wrong; with the points of the others, and of what is right in it.
    """
    problems = []
    for worth, judge in judges:
        try:
            judge()
            points += worth
        except checks.Wrong as wrong:
            points += wrong.points
            problems.append(wrong.message)
    if problems:
        raise checks.Wrong("\n".join(filter(None, [right, *problems])), points=points)
