"""Checks of a lab: the student's answers as data, the check functions of a lab, the panel that says what is wrong.

In a lab's notebook:

    from course import checks
    workspace = checks.begin("lab-1-data", STUDENT)     # prepares the notebook; an empty folder
    checks.check("label", column=LABEL)                 # a check cell: one call, answers by name
    checks.progress()                                   # points so far

In the lab's module, `judges.lab_1_data`:

    @checks.task("label", points=2, title="The label")
    def label(lab, column):
        if column != "arr_delay":
            raise checks.Wrong("`LABEL` is known before the flight leaves. Look at ...", points=1)

An answer is data: numbers, text, lists, dictionaries, or files in the workspace. It reaches the check as JSON would carry it. So
the same check runs in the notebook and in grading, and grading never needs the student's process (see `tools/grade`).
"""

from course.checks.answers import NotPlain, plain
from course.checks.catalogue import Task, Unanswered, Wrong, task, tasks
from course.checks.evaluation import evaluate
from course.checks.lab import Lab
from course.checks.outcomes import Outcome
from course.checks.session import begin, check, current, deliver, progress

__all__ = [
    "Lab",
    "NotPlain",
    "Outcome",
    "Task",
    "Unanswered",
    "Wrong",
    "begin",
    "check",
    "current",
    "deliver",
    "evaluate",
    "plain",
    "progress",
    "task",
    "tasks",
]
