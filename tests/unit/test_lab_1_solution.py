"""Lab 1's solution works for every student, with TFDV and pandas alone: whatever was planted can be found."""

from __future__ import annotations

import lab_one
import pytest

from course.labs import lab_1_data as given_lab
from judges import lab_1_data

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
STUDENTS = [f"student-{number}" for number in range(2, 14)]


@pytest.fixture(scope="module")
def contracted(tmp_path_factory):
    """The solution up to the contract, which is the same for all students."""
    lab = lab_one.lab(tmp_path_factory.mktemp("lab"), deliver=True)
    return lab_one.solve(lab, *lab_one.TO_MONTHS, *lab_one.TO_CONTRACT)


@pytest.mark.parametrize("students", [STUDENTS[:3], pytest.param(STUDENTS[3:], marks=pytest.mark.long)], ids=len)
def test_all_eight_findings_and_the_decisions_of_each_student_are_found(students, contracted, tmp_path):
    for student in students:
        lab = lab_one.lab(tmp_path, student, deliver=True)
        names = lab_one.solve(lab, *lab_one.TO_DECISIONS, names=contracted)
        assert lab_one.evaluate(lab, "faults", faults=names["FAULTS"]) == (4, ""), student
        assert lab_one.evaluate(lab, "decisions", decisions=names["DECISIONS"]) == (1, ""), student


@pytest.mark.long
def test_solution_gets_all_points_for_students_with_each_pair_of_news(tmp_path):
    """All but ingestion, which needs a notebook; each day the notebooks stage runs all of it for one student."""
    for student in lab_one.IDS[:6]:
        lab = lab_one.lab(tmp_path, student, deliver=True)
        names = lab_one.solve(lab, *(name for name in lab_one.cells() if name != "ingest"))
        assert sum(points for points, _ in lab_one.judged(lab, names).values()) == 18, student


def test_deliveries_are_told_and_written_and_nothing_else(tmp_path):
    lab = lab_one.lab(tmp_path)
    told = lab_1_data.data(lab)
    written = sorted(path.relative_to(lab.workspace).as_posix() for path in lab.workspace.rglob("*") if path.is_file())
    months = [f"deliveries/span-{number:02d}/flights.csv" for number in range(1, 6)]
    months += [f"later/span-{number:02d}/flights.csv" for number in range(6, 13)]
    assert [path for path in written if not path.startswith("drifted")] == sorted(
        [*months, "deliveries/span-05/notes.txt"]
    )
    [drifted] = [path for path in written if path.startswith("drifted")]
    assert any(drifted.removesuffix("/flights.csv") in line for line in told)


def test_lab_shows_students_only_what_the_text_names():
    assert given_lab.__all__ == ["deliver", "read", "statistics"]
