"""Lab 2's solution finds noise and gate for every student; each day the notebooks stage runs all of it for one."""

from __future__ import annotations

import lab_two
import pandas as pd
import pytest
import student_lab

from judges.lab_2 import candidate_predictions

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize("student", ["b.berg@example.org", "student-7"])
def test_solution_measures_noise_and_its_gate_blesses_the_good_alone(tmp_path, student):
    lab = lab_two.lab(tmp_path, student)
    candidate_predictions.write(lab.workspace, lab.seed)
    names = {"pd": pd, "workspace": lab.workspace}
    for name in ("look", "noise", "demands", "gate"):
        exec(student_lab.solution(lab_two.LAB)[name], names)
    assert lab_two.evaluate(lab, "noise", noise=names["NOISE"]) == (2, "")
    assert lab_two.evaluate(lab, "gate") == (5, "")
