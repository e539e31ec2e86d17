"""Grades all kinds of submissions in one run: each gets its marks, and nothing outside is touched."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import classroom
import hostile
import pytest
import sample_lab

from tools.grade import grading
from tools.grade.limits import Limits
from tools.notebooks import form
from tools.notebooks.execute import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Non-unique cell id")]
_EVERYDAY = "empty Zoe zoe markup prints-little loops kills-all reaches-out links redefines forges"
EVERYDAY = {"=odd name", *_EVERYDAY.split()}
"""One class: honest work, and one of each thing that a submission may try. The others are graded by `make test-all`."""

LIMITS = Limits(seconds=90, cell_seconds=15, memory=2**31, flood=2 * 2**20, processes=24)


class Room:
    """What is put into the way of submissions, and what became of it."""

    def __init__(self, top: Path) -> None:
        self.victim, self.submissions, self.out = top / "victim", top / "submissions", top / "out"
        self.victim.mkdir(mode=0o777)
        for number in range(3):
            (self.victim / f"{number}.py").write_text("kept = True\n")
            (self.victim / f"{number}.py").chmod(0o666)
        self.submissions.mkdir()
        self.connections: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self.listener.accept()[0].recv(100))


def digest(*folders: Path) -> dict[str, str]:
    """What files hold, by name."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file() and not path.is_symlink()
        else "other"
        for folder in folders
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The sample lab as a course of its own."""
    classroom.need_bubblewrap()
    solutions = tmp_path_factory.mktemp("course") / "solutions"
    (solutions / sample_lab.NAME).mkdir(parents=True)
    form.write(sample_lab.source(), solutions / sample_lab.NAME / f"{sample_lab.NAME}.ipynb")
    return solutions


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def cases(room, request):
    """Those that are to be shown in this run: of a test that is not run no submission is graded."""
    asked = {
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == Path(__file__) and hasattr(item, "callspec")
    }
    every = hostile.cases(victim=room.victim, port=room.port, home=Path.home(), root=ROOT)
    return {name: case for name, case in every.items() if name in asked | EVERYDAY}


@pytest.fixture(scope="module")
def graded(course, room, cases):
    """All cases, graded in one run."""
    for name, case in cases.items():
        hostile.write(name, case, room.submissions)
    before = digest(room.victim, room.submissions, course)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(room.victim)]))
        own = grading.Course(sample_lab.NAME, course, room.out, LIMITS, at_a_time=2, say=said.append)
        results = grading.grade(own, room.submissions)
    after = digest(room.victim, room.submissions, course)
    return {one.submission.name: one for one in results}, {
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    }


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.long) for name in hostile.cases()],
)
def test_submission_gets_its_marks(graded, cases, name):
    one = graded[0][name]
    told = {task: (outcome.points, outcome.message) for task, outcome in one.outcomes.items()}
    assert re.search(cases[name].ended, one.ended), (one.ended, one.remarks)
    assert one.points == cases[name].points, (told, one.ended, one.remarks)


def test_every_submission_is_in_the_table(graded, room, cases):
    with open(room.out / sample_lab.NAME / "grades.csv", newline="", encoding="utf-8") as file:
        rows = {row["submission"].lstrip("'"): row for row in csv.DictReader(file)}
    assert rows.keys() == cases.keys()
    for name, case in cases.items():
        assert float(rows[name]["points"]) == case.points
        assert rows[name]["of"] == "6"
    assert rows["empty"]["remarks"] == "the file is empty"
    assert "was stopped: it was not done after 15 seconds" in rows["loops"]["remarks"]


def test_a_formula_in_a_name_is_text_in_the_table(graded, room):
    assert "\n'=odd name," in (room.out / sample_lab.NAME / "grades.csv").read_text()


def test_every_submission_has_a_feedback_page_that_runs_nothing(graded, room):
    pages = {
        name: (room.out / sample_lab.NAME / one.page).read_text(encoding="utf-8") for name, one in graded[0].items()
    }
    for name, page in pages.items():
        assert page.index("Content-Security-Policy") < page.index("<title>")
        assert "<script" not in page.lower(), name
        assert not re.search(
            r'<[^>]*\bon\w+=|href="javascript:|<[^>]*position: *fixed|<(form|input|base|meta [^>]*refresh)', page
        ), name
    assert "the file is empty" in pages["empty"]
    assert "[... the rest of this output was cut off]" in pages["prints-little"]
    assert "98 of a hundred" not in pages["prints-little"], "a progress bar overwrites itself"


def test_nothing_outside_is_touched(graded, room):
    assert graded[1] == set()
    for folder in (Path.home(), ROOT, ROOT / "src", ROOT / "out", Path("/var/tmp"), Path("/")):
        assert not (folder / hostile.MARK).exists()


def test_no_submission_reaches_the_network(graded, room):
    assert room.connections == []


def test_no_process_is_left(graded):
    left = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in left if hostile.MARK in line] == []


def test_check_that_a_file_names_is_not_followed(graded):
    for name in {"links", "pipes", "huge-file"} & graded[0].keys():
        assert any("report.txt" in remark and "left out" in remark for remark in graded[0][name].remarks), name
