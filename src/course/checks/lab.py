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
    """One student's lab: whose it is, and the folder with the files that belong to the answers."""

    name: str
    student: str
    workspace: Path

    @property
    def seed(self) -> int:
        """A number that belongs to this student in this lab, the same each time, from 0 to 2**32 - 1."""
        return seed(self.name, self.student)

    def data(self, *args: Any, **kwargs: Any) -> Any:
        """What the lab's own module makes for this student: calls its function `data` with the lab first."""
        return module(self.name).data(self, *args, **kwargs)


def seed(lab: str, student: str) -> int:
    """The student's number in a lab. Capital and small letters are the same."""
    return int.from_bytes(hashlib.sha256(f"{lab}/{valid_student(student).lower()}".encode()).digest()[:4], "big")


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
