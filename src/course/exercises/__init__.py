"""Exercises of a lesson: the reader's answer is checked at once, with a message that helps and without marks.

The last line of an exercise cell, in a notebook that has called `course.begin`:

    course.exercise("canary", share=share)

The check, in the lesson's module, `course.exercises.lesson_09`:

    @exercises.check("canary", title="The canary's share", todo="Set `share` to the part of the requests that ...")
    def canary(share):
        if share > 0.1:
            raise exercises.Wrong("With this share, ... Look at ...")
        return "Of 1,000 requests, 50 reach the new version: enough to ..., and few enough to ..."

An answer may be any object, a function too: the check runs in the reader's own kernel. An answer that raises is told in a sentence.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from course.begin import lesson
from course.checks.catalogue import Wrong
from course.checks.outcomes import BROKEN, OPEN, RAISED, RIGHT, WRONG, panel_of

__all__ = ["Exercise", "Result", "Wrong", "check", "exercise", "exercises"]

PACKAGE = "COURSE_EXERCISES"
"""Environment variable: the package in which the lessons' modules are looked for; `course.exercises` unless it is set."""

_EXERCISES: dict[str, dict[str, Exercise]] = {}
"""For each module of a lesson, its exercises by name."""


@dataclass(frozen=True)
class Exercise:
    """A check, and the sentence that tells a reader who has not begun what to do."""

    title: str
    todo: str
    function: Callable[..., str]

    @property
    def answers(self) -> list[str]:
        """The names under which answers are given."""
        return list(inspect.signature(self.function).parameters)


@dataclass(frozen=True)
class Result:
    """What a check says of an answer. Displays as a panel; the text says the same."""

    title: str
    state: str
    message: str

    def __repr__(self) -> str:
        """Title, state and message."""
        return f"{self.title}: {self.state}. {self.message}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": panel_of(self.title, self.state, self.message), "text/plain": repr(self)}


def check(name: str, *, title: str, todo: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Makes a function of a lesson's module the check of an exercise.

    The function takes the answers by name. It returns the sentence that says why the answer is right, or raises `Wrong` with what is
    wrong and where to look. `...` never reaches it.

    Raises:
        ValueError: the lesson has an exercise of this name.
    """

    def enter(function: Callable[..., str]) -> Callable[..., str]:
        known = _EXERCISES.setdefault(function.__module__, {})
        if name in known and known[name].function.__qualname__ != function.__qualname__:
            raise ValueError(f"{function.__module__} has two exercises of the name {name!r}")
        known[name] = Exercise(title, todo, function)
        return function

    return enter


def exercises(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson such as `09-deploy-and-serve`, by name; none where it has no module."""
    if not re.match(r"\d\d-", lesson):
        return {}
    name = f"{os.environ.get(PACKAGE, 'course.exercises')}.lesson_{lesson[:2]}"
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return {}
        raise
    return _EXERCISES.get(name, {})


def exercise(name: str, /, **answers: Any) -> Result:
    """Checks the reader's answer. The last line of an exercise cell.

    Returns:
        What the check says, which displays itself: why the answer is right, or what is wrong and where to look, or what to do.

    Raises:
        RuntimeError: `course.begin` was not called.
        ValueError: the lesson has no such exercise, or it takes other answers: a fault of the notebook, not of the answer.
    """
    if not lesson():
        raise RuntimeError(
            "No lesson has begun: run the first cells of this notebook (Run > Run All Above Selected Cell)."
        )
    known = exercises(lesson())
    if name not in known:
        raise ValueError(f"{lesson()} has no exercise {name!r}; it has: {', '.join(known) or 'none'}")
    if sorted(answers) != sorted(known[name].answers):
        wanted = ", ".join(known[name].answers)
        raise ValueError(f"exercise {name!r} takes the answers {wanted}, not {', '.join(answers) or 'none'}")
    return Result(known[name].title, *_judge(known[name], answers))


def _judge(asked: Exercise, answers: dict[str, Any]) -> tuple[str, str]:
    """State and message."""
    missing = [f"`{name}`" for name, value in answers.items() if _is_open(value)]
    if missing:
        still = f"Still open: {', '.join(missing)}. " if len(missing) < len(answers) else ""
        return OPEN, f"{still}{asked.todo} Write it in the place of `...`, and run this cell again."
    try:
        return RIGHT, asked.function(**answers)
    except Wrong as wrong:
        return WRONG, wrong.message
    except Exception as error:
        told = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}"
        if line := _line_of_the_reader(error):
            return RAISED, f"When the check called your code, its line {line} raised `{told}`."
        return BROKEN, f"The check could not deal with this answer ({told})."


def _is_open(value: Any) -> bool:
    """Not answered: `...` itself, a list or dictionary that still holds it, a function that returns it or does nothing."""
    if isinstance(value, list | tuple | dict):
        return any(item is ... for item in (value.values() if isinstance(value, dict) else value))
    code = getattr(value, "__code__", None)
    if code is None:
        return value is ...
    return any(constant is ... for constant in code.co_consts) or code.co_code == (lambda: None).__code__.co_code


def _line_of_the_reader(error: BaseException) -> int:
    """The line of the reader's cell that raised; 0 when the error is not of the reader's code."""
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_globals.get("__name__") == "__main__":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
