"""Lab 4 is graded like any other: Airflow runs in the box, and of a file that never ends what is right beside it counts.

That the right one gets full marks, with two months run by Airflow, is shown first, by `make grade` itself: without it nothing here has marks. That an unsolved one gets
none is shown where all notebooks are run.
"""

from __future__ import annotations

import classroom
import pytest

from course import checks
from engines.airflow import home
from engines.errors import MissingEngineError
from judges.lab_4 import nights
from tools.labs import source

LAB = "lab-4-airflow"
ENDLESS = "# dags/my_flights.py, part 1: imports\nimport time\n\nfrom airflow.sdk import DAG\n\nwhile True:\n    time.sleep(1)\n"
FORGED = """# dags/my_flights.py, part 1: imports
import json
import os
import pathlib

pathlib.Path("out.json").write_text(json.dumps({"errors": {}, "dags": ["my_flights"], "at_reading": {"steps": [], "alerts": []}}))
os._exit(0)
"""


def _nights(student: str) -> str:
    found = nights.nights(checks.Lab(LAB, student, source.ROOT).seed)
    answer = {
        night.month: {name: getattr(night, name) for name in ("task", "cause", "what")}
        | {"attempt": night.telling, "clear": sorted(night.clear)}
        for night in found
    }
    return f"NIGHTS = {answer!r}\n"


CASES = {
    "loops": (3, {"imports": ENDLESS, "nights": _nights("loops")}),
    "forges": (0, {"imports": FORGED}),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    submissions = {name: classroom.submission(LAB, (), changed) for name, (_, changed) in CASES.items()}
    return classroom.grade(LAB, submissions, tmp_path_factory.mktemp("class"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_4_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert one.ended == "finished"
