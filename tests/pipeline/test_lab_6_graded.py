"""Lab 6 is graded like any other: the project is served in the box, rules and policies are judged, and what is wrong beside what is right costs its own points only.

That the right one gets full marks is shown first, by `make grade` itself: without it nothing here has marks. That an unsolved one gets
none is shown where all notebooks are run.
"""

from __future__ import annotations

import classroom
import lab_six
import pytest

from course import checks
from judges.lab_6 import check_diagnosis, incidents
from tools.labs import source


def _diagnosis(student: str) -> str:
    world = incidents.world(checks.Lab(lab_six.LAB, student, source.ROOT).seed)
    incident = world.incident
    assert incident is not None
    answer = {"what": incident.kind, "since": incident.since.isoformat(), "where": incident.where or "everywhere"}
    return f"DIAGNOSIS = {answer | {'flights': check_diagnosis.affected(world)}!r}\n"


SERVED = 'lab.as_module("served")\n' + lab_six.solution("served")
ASKS = """lab.as_module("watch")
import importlib

answers = {}
for name in ("judges", "judges.lab_6.incidents", "judges.lab_6_operate"):
    try:
        answers[name] = importlib.import_module(name)
    except ImportError:
        pass


def watch(log, outcomes, first, last, complete):
    return answers["judges.lab_6.incidents"].world(1)
"""
CASES = {
    "half": (9, {"served": SERVED, "diagnosis": _diagnosis("half")}),
    "asks": (0, {"watch": ASKS}),
    "policy": (2, {"policy": lab_six.solution("policy")}),  # which has decided about nothing yet
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    submissions = {name: classroom.submission(lab_six.LAB, (), changed) for name, (_, changed) in CASES.items()}
    return classroom.grade(lab_six.LAB, submissions, tmp_path_factory.mktemp("class"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_6_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert one.ended == "finished"
    if name == "asks":
        assert "KeyError: 'judges.lab_6.incidents'" in told["watch"][1]
