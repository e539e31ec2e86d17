"""Lab 5 is graded like any other: of one that cheats nothing counts, of one that does a part, that part; what the check does elsewhere, it does in a box.

That the right one gets full marks is shown where all notebooks are run, and by each `make grade` before it gives any.
"""

from __future__ import annotations

import classroom
import pytest

LAB = "lab-5-kubeflow"
REDEFINES = """
from course.labs.lab_5 import pipeline_spec

checks.check = lambda task, **answers: 30
pipeline_spec.parsed = pipeline_spec.steps = lambda *given: None
try:
    from judges.lab_5 import check_migration, check_runs, inherited_pipeline
    inherited_pipeline.faults = lambda seed: []
    check_migration._run = check_migration._compiled = lambda *given: ""
    check_runs.judge_january = lambda *given: None
except ImportError:
    pass  # what judges is not there
FAULTS, JANUARY, FEBRUARY, READ = {}, "a", "a", {}
JANUARY_RUN = FEBRUARY_RUN = REFUSED_RUN = "runs"
"""
READS = ("read-inherited", "faults")
BUILT = ("project", "dockerfile", "files", "processes", "wiring", "compile", "read", "read-given", "read-answers")
CASES = {
    "redefines": (0, (), {"read-inherited": REDEFINES}),
    "names-the-faults": (3, READS, {}),
    "runs-nothing-itself": (24, (*READS, *BUILT), {}),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    return classroom.grade(
        LAB,
        {name: classroom.submission(LAB, *answers) for name, (_, *answers) in CASES.items()},
        tmp_path_factory.mktemp("class"),
        prove=False,
    )


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_5_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert not any("look at it by hand" in remark for remark in one.remarks), one.remarks
