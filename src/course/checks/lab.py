"""What a check function gets besides the answers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.checks.catalogue import module

STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Lab:
    """One student's lab: whose it is, the folder with the files that belong to the answers, and how the student's work is run."""

    name: str
    student: str
    workspace: Path
    salt: str = ""
    """Of a class: with it, what is planted cannot be computed from the repository and the student's id alone."""
    runner: Any = None
    """What runs trials of the student's work (see `judges.trial`); without one, this machine does, as this user."""

    @property
    def seed(self) -> int:
        """A number that belongs to this student in this lab, the same each time, from 0 to 2**32 - 1."""
        return seed(self.name, self.student, self.salt)

    def run(self, trial: Any) -> Any:
        """Runs a `judges.trial.Trial` of the student's work, confined where it is graded, and returns what came of it (`judges.trial.Ran`)."""
        from judges.trial import Here

        return (self.runner or Here()).run(trial)

    def data(self, *args: Any, **kwargs: Any) -> Any:
        """What the lab's own module makes for this student: calls its function `data` with the lab first."""
        return module(self.name).data(self, *args, **kwargs)


def seed(lab: str, student: str, salt: str = "") -> int:
    """The student's number in a lab, for a class. Capital and small letters of the id are the same."""
    text = "/".join(filter(None, [salt, lab, valid_student(student).lower()]))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def valid_student(student: Any) -> str:
    """The student's id, if it can be one.

    Raises:
        ValueError: it cannot; the message says what can.
    """
    text = student.strip() if isinstance(student, str) else ""
    if not STUDENT.fullmatch(text):
        raise ValueError(
            f"STUDENT = {student!r} is not a student's id: text of letters, digits, and . _ @ + - such as 'anna-k', at most 64 of them."
        )
    return text
