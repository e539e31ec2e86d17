"""Lab 4 is graded like any other: Airflow runs in the box, of a file that never ends what is right beside it counts, and a record that is made up does not.

That the right one gets full marks, with two months run by Airflow, is shown first, by `make grade` itself: without it nothing here has marks.
"""

from __future__ import annotations

import classroom
import lab_four
import nbformat
import pytest

from course import checks
from engines.errors import MissingEngineError
from judges.lab_4 import airflow_command, failed_runs
from tools.labs import source
from tools.notebooks import form

LAB = lab_four.LAB
ENDLESS = "# dags/my_flights.py, part 1: imports\nfrom airflow.sdk import DAG\n\nwhile True:\n    pass\n"
MADE_UP = """# dags/my_flights.py, part 1: imports
from airflow.sdk import DAG
"""
WRITES = """
import json
import hashlib

found = {"errors": {}, "dags": ["my_flights"], "at_reading": {"steps": [], "alerts": []}, "runs": [], "cases": {}}
found["dag"] = {"max_active_runs": 1, "tasks": {}}
text = (workspace / "airflow/dags/my_flights.py").read_text()
found["files"] = hashlib.sha256(f"my_flights.py\\n{text}\\n".encode()).hexdigest()
(workspace / "airflow/rehearsal.json").write_text(json.dumps(found))
checks.check = lambda task, **answers: 15
STORE = "pipeline/metadata.sqlite"
"""
CASES = {
    "unsolved": (0, {}),
    "loops": (3, {"imports": ENDLESS}),
    "makes-up": (0, {"imports": MADE_UP, "february": WRITES}),
}


def _nights(student: str) -> str:
    nights = failed_runs.nights(checks.Lab(LAB, student, source.ROOT).seed)
    answer = {
        night.month: {
            "task": night.task,
            "attempt": night.telling,
            "cause": night.cause,
            "what": night.what,
            "clear": sorted(night.clear),
        }
        for night in nights
    }
    return f"NIGHTS = {answer!r}\n"


def submission(name: str) -> nbformat.NotebookNode:
    """The lab with the answers of a case."""
    node = form.read(source.LABS / LAB / f"{LAB}.ipynb")
    for cell in node.cells:
        own = source.marks(cell).get("grade_id")
        cell.source = CASES[name][1].get(own, cell.source)
        if own == "nights" and name == "loops":
            cell.source = _nights(name)
    return node


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    try:
        airflow_command.python()
    except MissingEngineError as error:
        pytest.skip(str(error))
    return classroom.grade(LAB, {name: submission(name) for name in CASES}, tmp_path_factory.mktemp("class"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_4_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert one.ended == "finished"
    assert not any("look at it by hand" in remark for remark in one.remarks), one.remarks
