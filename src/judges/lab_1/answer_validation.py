"""What the checks of lab 1 say about answers that are not of the form that was asked for."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_1.questions import COLUMNS, QUESTIONS, Question
from judges.shared import answer_forms


def question(name: Any) -> Question:
    """The question that was chosen."""
    if not isinstance(name, str) or name not in QUESTIONS:
        raise checks.Wrong(f"`QUESTION` is {name!r}. Choose one of: {', '.join(map(repr, QUESTIONS))}.")
    return QUESTIONS[name]


def columns(given: Any, what: str) -> list[str]:
    """A list of names of columns of a delivery, each once."""
    return answer_forms.names(given, what, COLUMNS, "the delivery")
