"""Lab 3's solution, without TFX: its package is right as it is saved, and its lineage is found for every student."""

from __future__ import annotations

import lab_three
import pytest
import student_lab

from judges.lab_3 import inherited_store

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.mark.parametrize("student", ["anna-k", "b.berg@example.org", "student-7", "Z"])
def test_solution_finds_both_lineages(tmp_path, student):
    lab = lab_three.lab(tmp_path, student)
    store = lab_three.Store(lab)
    store.run()
    store.run(cached=lab_three.AGAIN)
    store.run(flights=lab_three.FEBRUARY)
    inherited_store.write(lab.workspace, lab.seed)
    names = {"workspace": lab.workspace, "STORE": str(lab.workspace / lab_three.STORE)}
    for name in ("opened", "made-from", "lineage", "own-inherited"):
        exec(student_lab.solution(lab_three.LAB)[name], names)
    given = {"store": names["STORE"], "own": names["OWN"], "inherited": names["INHERITED"]}
    assert lab_three.evaluate(lab, "lineage", **given) == (5, "")


def test_solution_leaves_its_package_as_the_first_check_has_run_it_elsewhere():
    """The same text, to the letter: another would be run elsewhere once more."""
    cells = student_lab.solution(lab_three.LAB)
    assert cells["taken-out"] == cells["derived"] != cells["edit"]
