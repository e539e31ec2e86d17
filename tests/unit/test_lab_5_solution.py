"""Lab 5's solution names the faults of every student, and mends them; the rest needs TFX, and the notebooks stage runs it."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import lab_five
import pytest
import student_lab

from course.labs.lab_5 import MENDED
from judges.lab_5 import inherited_pipeline

pytestmark = pytest.mark.xdist_group("lab-5")

CELLS = ("read-inherited", "faults", "files", "processes", "wiring")


@pytest.fixture(scope="module")
def cells():
    return "\n".join(student_lab.solution(lab_five.LAB)[name] for name in CELLS)


def solved(folder, student, cells):
    """The lab of a student, and what the solution's cells have left there."""
    lab = lab_five.lab(folder, student)
    inherited_pipeline.write(lab.workspace, lab.seed)
    shutil.copytree(lab.workspace / inherited_pipeline.FOLDER, lab.workspace / MENDED)
    write = SimpleNamespace(write=lambda name, text: (lab.workspace / name).write_text(text))
    names = {"workspace": lab.workspace, "lab": write}
    exec(cells, names)
    return lab, names["FAULTS"]


def test_solution_names_and_mends_the_faults_of_every_student(tmp_path, cells):
    for number in range(60):
        lab, faults = solved(tmp_path, f"student-{number}", cells)
        assert lab_five.evaluate(lab, "faults", faults=faults) == (3, ""), lab.student
        left = {path.name: path.read_text() for path in (lab.workspace / MENDED / "delays").glob("*.py")}
        for fault in inherited_pipeline.faults(lab.seed):
            for name, _, after in fault.edits:
                is_mended = not after or after not in left[name]
                # An argument that is not used any more, and a list that no code reads, do no harm.
                is_mended |= any(word in after for word in ("custom_config):", "READY", "import"))
                assert is_mended, (lab.student, fault)
        for name, text in left.items():
            compile(text, name, "exec")


@pytest.mark.long
@pytest.mark.slow
def test_students_who_have_all_faults_between_them_get_the_same_verdict_for_the_same_answer(
    tmp_path, cells, monkeypatch
):
    lab_five.forking(monkeypatch)
    seen = set()
    for student in ("id-1", "id-30", "id-35"):
        lab, _ = solved(tmp_path, student, cells)
        assert lab_five.evaluate(lab, "mended") == (5, ""), student
        seen |= {(fault.kind, fault.node) for fault in inherited_pipeline.faults(lab.seed)}
    assert seen == {(kind, node) for kind, nodes in inherited_pipeline.KINDS.items() for node in nodes}
    (lab.workspace / MENDED / "delays" / "pipeline.py").open("a").write("make_trainer = make_transform\n")
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, "cannot be installed and compiled elsewhere" in message) == (0, True), message
