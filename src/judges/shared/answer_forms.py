"""Answers that are not of the form that was asked for, and the messages that say so."""

from __future__ import annotations

from collections.abc import Collection
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
