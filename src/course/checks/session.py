"""The lab that this notebook works on: begins it, checks answers, keeps count of points."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from course.checks.catalogue import module, tasks
from course.checks.evaluation import evaluate
from course.checks.lab import Lab, valid_student
from course.checks.outcomes import Outcome, Progress

GRADED_AS = "COURSE_STUDENT"
"""Environment variable: the student that a submission belongs to, set by who grades it."""
DELIVERED = "COURSE_DELIVERED"
"""Environment variable, set by who grades: a folder with what the lab gives to the student, and in `delivered.txt` what is said of it."""
TOLD = "delivered.txt"


class _Session:
    """The state of one kernel."""

    lab: Lab | None = None
    outcomes: dict[str, Outcome]


_session = _Session()


def begin(lab: str, student: str, salt: str = "") -> Path:
    """Prepares the notebook of a lab, as `course.begin` does that of a lesson.

    Args:
        lab: name of the lab, such as `lab-1-data`.
        student: the student's id. What the lab plants in the data depends on it.
        salt: of the class, where the instructor has handed one out with the lab.

    Returns:
        Absolute path of the lab's own, empty folder. Files that belong to the answers are written there.

    Raises:
        ValueError: there is no such lab, or the id cannot be one.
    """
    from course.begin import begin as begin_notebook

    if GRADED_AS not in os.environ:  # where a submission is graded, what judges it is not there
        tasks(lab)
    student = valid_student(os.environ.get(GRADED_AS) or student)
    workspace = begin_notebook(lab)
    _session.lab, _session.outcomes = Lab(lab, student, workspace, salt), {}
    return workspace


def deliver() -> None:
    """Writes all that the lab gives to the student into its workspace, and says what and where.

    Raises:
        RuntimeError: no lab has begun.
    """
    lab = current()
    if made := os.environ.get(DELIVERED):
        shutil.copytree(made, lab.workspace, dirs_exist_ok=True, ignore=shutil.ignore_patterns(TOLD))
        print((Path(made) / TOLD).read_text(encoding="utf-8"), end="")
        return
    for line in module(lab.name).data(lab):
        print(line)


def current() -> Lab:
    """The lab that was begun.

    Raises:
        RuntimeError: none was.
    """
    if _session.lab is None:
        raise RuntimeError(
            "No lab has begun: run the first cells of this notebook (Run > Run All Above Selected Cell)."
        )
    return _session.lab


def check(task: str, /, **answers: Any) -> Outcome:
    """Checks the answers to a task. The last line of a check cell.

    Returns:
        The outcome: displays what is right, and what is not and where to look; its text is the points.

    Raises:
        RuntimeError: `begin` was not called.
        ValueError: no such task, or one that takes other answers.
    """
    lab = current()
    outcome = evaluate(lab, task, answers)
    _session.outcomes[task] = outcome
    return outcome


def progress() -> Progress:
    """The points so far: every task of the lab, with what its check last said in this session."""
    lab = current()
    if GRADED_AS in os.environ:
        return Progress([])
    return Progress([(task, _session.outcomes.get(name)) for name, task in tasks(lab.name).items()])
