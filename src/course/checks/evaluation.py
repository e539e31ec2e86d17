"""Runs the check of a task on answers: the same in a notebook, in a test and in grading."""

from __future__ import annotations

import json
from typing import Any

from course.checks.answers import NotPlain, plain
from course.checks.catalogue import Task, Unanswered, Wrong, tasks
from course.checks.lab import Lab
from course.checks.outcomes import BROKEN, OPEN, PARTLY, RIGHT, WRONG, Outcome


def evaluate(lab: Lab, name: str, answers: dict[str, Any]) -> Outcome:
    """Runs the check of one task. Whatever the answers are, it returns an outcome.

    Args:
        lab: whose lab it is.
        name: the task.
        answers: by the names that the task's check function takes.

    Raises:
        ValueError: the lab has no such task, or the task takes other answers: a fault of the notebook, not of the answers.
    """
    known = tasks(lab.name)
    if name not in known:
        raise ValueError(f"{lab.name} has no task {name!r}; it has: {', '.join(known)}")
    task = known[name]
    if sorted(answers) != sorted(task.answers):
        raise ValueError(
            f"task {name!r} takes the answers {', '.join(task.answers)}, not {', '.join(answers) or 'none'}"
        )
    points, state, message = _judge(lab, task, answers)
    return Outcome(name, task.title, points, task.points, state, message)


def _judge(lab: Lab, task: Task, answers: dict[str, Any]) -> tuple[float, str, str]:
    given = {}
    for name, value in answers.items():
        try:
            # Through JSON, so that nothing reaches the check that would not reach it in grading.
            given[name] = json.loads(json.dumps(plain(value), allow_nan=False))
        except NotPlain as error:
            return 0, WRONG, f"The answer `{name}` cannot be read: {error}"
        except Exception as error:  # an object with methods of its own
            return 0, WRONG, f"The answer `{name}` cannot be read ({type(error).__name__})."
    missing = [f"`{name}`" for name, value in given.items() if _is_open(value)]
    if missing:
        return 0, OPEN, f"Still open: {', '.join(missing)}." if len(missing) < len(given) else ""
    try:
        task.function(lab, **given)
    except Unanswered as wrong:
        return 0, OPEN, wrong.message
    except Wrong as wrong:
        points = min(max(float(wrong.points), 0.0), task.points)
        return points, PARTLY if points else WRONG, wrong.message
    except Exception as error:
        told = str(error).strip().splitlines()
        return (
            0,
            BROKEN,
            f"The check could not deal with this answer ({type(error).__name__}: {told[0][:200] if told else ''}).",
        )
    return task.points, RIGHT, ""


def _is_open(value: Any) -> bool:
    """Not answered: nothing, or a dictionary or list in which every place is still empty."""
    if isinstance(value, dict | list):
        return bool(value) and all(map(_is_open, value.values() if isinstance(value, dict) else value))
    return value is None
