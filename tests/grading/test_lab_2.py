"""Lab 2 is graded like any other: of a submission that cheats or hangs, what is right in it counts.

That the right one gets full marks, and the unsolved one none, is shown where all notebooks are run: its search takes minutes beside what else a machine does here.
"""

from __future__ import annotations

import classroom
import pytest

from tools.grade.limits import Limits

LAB = "lab-2-model"
GATE = ("look", "noise", "demands", "gate")
"""The cells of tasks 5 and 6, which need nothing of the others: 7 points."""
REDEFINES = """
import sys

checks.check = lambda task, **answers: 25
try:
    from judges.lab_2 import check_gate, roc_auc
    check_gate.judge_gate = check_gate.Gate.failures = lambda *given: []
    roc_auc.auc = lambda labels, scores: 0.8
except ImportError:
    pass  # what judges is not there
for name in [name for name in sys.modules if name.startswith("course.checks")]:
    vars(sys.modules[name]).update(evaluate=lambda *given: None, Wrong=type("Wrong", (Warning,), {}))
(workspace / "gate").mkdir()
(workspace / "gate" / "eval_config.pbtxt").write_text('metrics_specs { metrics { class_name: "AUC" } }')
GRAPH, OWN, TRIALS, BEST, MODEL, NOISE = "artifacts", ["a", "b"], "artifacts", "artifacts", "artifacts", {"all": True}
"""
CASES = {
    "loops": (7, GATE, {"columns": "import time\n\nwhile True:\n    time.sleep(1)"}),
    "redefines": (0, (), {"columns": REDEFINES}),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All of them, graded in one run; by name."""
    submissions = {name: classroom.submission(LAB, *answers) for name, (_, *answers) in CASES.items()}
    return classroom.grade(
        LAB, submissions, tmp_path_factory.mktemp("class"), prove=False, limits=Limits(cell_seconds=90)
    )


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_submission_of_lab_2_gets_its_marks(graded, name):
    one = graded[name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert one.points == CASES[name][0], (told, one.ended, one.remarks)
    assert not any("look at it by hand" in remark for remark in one.remarks), one.remarks
    assert any("was stopped" in remark for remark in one.remarks) == (name == "loops"), one.remarks
