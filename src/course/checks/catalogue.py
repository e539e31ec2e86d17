"""The tasks of a lab: check functions with their points."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PACKAGE = "COURSE_LABS"
"""Environment variable: the package in which labs are looked for; `judges` unless it is set."""

_TASKS: dict[str, dict[str, Task]] = {}
"""For each module of a lab, its tasks by name, in the order of the module."""


class Wrong(Exception):
    """An answer is not right. The message says what is wrong and where to look, without giving the answer away.

    `code` in backticks is shown as code. Points are what a partly right answer is worth.
    """

    def __init__(self, message: str, points: float = 0) -> None:
        """Takes the message and the points that the answer has nevertheless."""
        super().__init__(message)
        self.message, self.points = message, points


class Unanswered(Wrong):
    """A file that belongs to the answers holds none yet, as the lab has it before it is begun. The message may say where it belongs."""

    def __init__(self, message: str = "") -> None:
        """Takes the message."""
        super().__init__(message)


@dataclass(frozen=True)
class Task:
    """A check function and what it is worth."""

    name: str
    title: str
    points: float
    function: Callable[..., None]

    @property
    def answers(self) -> list[str]:
        """The names under which answers are given."""
        return list(inspect.signature(self.function).parameters)[1:]


def task(name: str, *, points: float, title: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a function of a lab's module the check of a task.

    The function takes the lab and then the answers by name; it returns when they are right and raises `Wrong` when not. It must not
    trust their types: they are whatever JSON can carry. `...` inside of an answer arrives as None.

    Raises:
        ValueError: the name is no name, is taken, or the points are not positive.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise ValueError(f"{name!r} cannot name a task: small letters, digits, - and _")
    if not points > 0:
        raise ValueError(f"task {name!r} is worth {points} points; it has to be more than 0")

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        known = _TASKS.setdefault(function.__module__, {})
        if name in known and known[name].function.__qualname__ != function.__qualname__:
            raise ValueError(f"{function.__module__} has two tasks of the name {name!r}")
        known[name] = Task(name, title or name.replace("-", " ").capitalize(), points, function)
        return function

    return enter


def tasks(lab: str) -> dict[str, Task]:
    """The tasks of a lab such as `lab-1-data`, by name, in the order of its module.

    Raises:
        ValueError: there is no such lab, or it has no tasks.
    """
    found = _TASKS.get(module(lab).__name__, {})
    if not found:
        raise ValueError(f"the lab {lab!r} has no tasks: {module(lab).__name__} has no function with @checks.task")
    return found


def module(lab: str) -> Any:
    """The module of a lab.

    Raises:
        ValueError: there is none.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", lab):
        raise ValueError(f"{lab!r} is not the name of a lab, such as 'lab-1-data'")
    name = f"{os.environ.get(PACKAGE, 'judges')}.{lab.replace('-', '_')}"
    if name in sys.modules:
        return sys.modules[name]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise ValueError(f"there is no lab {lab!r}: no module {name}") from error
        raise
