"""The trusted side of a confined run, and the process that evaluates. None of this starts student code."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import sample_lab
from sample_lab import lab_9_bad

from judges.trial import Done, Step, Trial
from tools.grade import apart, box, docker, judge, left
from tools.grade.limits import Limits, Order
from tools.notebooks.execute import ROOT
from warm import server

LAB = sample_lab.NAME


@pytest.fixture(autouse=True)
def _sample_lab(monkeypatch):
    monkeypatch.setenv("COURSE_LABS", "sample_lab")


# What a run leaves.


def test_only_ordinary_files_are_taken(tmp_path):
    top = tmp_path / "workspace"
    (top / "in").mkdir(parents=True)
    (top / "in" / "a.txt").write_text("a")
    (top / "link").symlink_to("/etc/passwd")
    (top / "folder").symlink_to("/etc")
    os.mkfifo(top / "pipe")
    with open(top / "big", "wb") as file:
        file.truncate(left.FILE_BYTES + 1)
    open(os.fsencode(top) + b"/\xff", "w").close()
    copy = left.Copy(tmp_path / "into")
    copy.folder(top)
    assert [str(path.relative_to(tmp_path / "into")) for path in sorted((tmp_path / "into").rglob("*"))] == [
        "in",
        "in/a.txt",
    ]
    told = sorted(note.split(" was left out")[0] for note in copy.notes)
    assert told == ["'\\udcff'", "'big'", "'folder'", "'link'", "'pipe'"]


def test_a_link_in_the_workspaces_place_is_not_followed(tmp_path):
    (tmp_path / "out").symlink_to("/etc")
    handle = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(NotADirectoryError):
        left.Copy(tmp_path / "into").folder("out", within=handle)
    os.close(handle)


def test_of_many_files_the_first_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(left, "FILES", 3)
    (tmp_path / "workspace").mkdir()
    for number in range(9):
        (tmp_path / "workspace" / str(number)).touch()
    copy = left.Copy(tmp_path / "into")
    copy.folder(tmp_path / "workspace")
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["0", "1", "2"]
    assert copy.notes == ["More than 3 files: the rest was left out."]


# How it is confined.


def test_where_nothing_confines_the_reasons_are_told(monkeypatch):
    monkeypatch.setattr(box, "_fails", lambda one: f"no {one.how} here")
    with pytest.raises(
        RuntimeError, match=r"so nothing was run\.\n  bubblewrap: no bubblewrap here\n  docker: no docker here"
    ):
        box.choose()
    monkeypatch.setattr(box, "_fails", lambda one: one.how == "bubblewrap" and "no")
    assert box.choose() == box.DOCKER
    with pytest.raises(RuntimeError, match="so nothing was run"):
        box.choose("bubblewrap")


def test_machine_without_docker_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "docker" in box._fails(box.Box(box.DOCKER))


# The process that evaluates.


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        patch.setenv("PYTHONPATH", str(Path(sample_lab.__file__).parents[1]))
        with apart.Apart([judge.__name__], tmp_path_factory.mktemp("apart") / "log") as found:
            yield found


def test_a_process_apart_takes_more_than_an_order_has_room_for(processes):
    done = processes.results(lab_9_bad.measure, "x" * (server.LONGEST + 1), seconds=30)
    assert done == ([{"letters": server.LONGEST + 1}], "ended without a result")


@pytest.fixture(scope="module")
def bad_lab(tmp_path_factory, processes):
    """Evaluates answers of a lab whose checks crash and hang."""
    top = tmp_path_factory.mktemp("bad")
    for name in ("workspace", "trials"):
        (top / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        patch.setattr(judge, "SECONDS", 1.0)

        def outcomes(run=None, **ways):
            answers = {name: {"way": way if isinstance(way, dict) else {"value": way}} for name, way in ways.items()}
            found = judge.Judge("lab-9-bad", processes).outcomes("anna", "", top, answers, run)
            return [(one.points, one.message) for one in found.values()]

        yield outcomes


@pytest.mark.parametrize(
    ("way", "points", "told"),
    [
        ("fine", 1, ""),
        ("wrong", 0, "No."),
        ("crash", 0, "The check ended without a result on this answer."),
        ("hang", 0, "The check took more than 1 seconds on this answer."),
        ("eat", 0, "MemoryError"),
    ],
)
def test_check_that_crashes_costs_no_other_check(bad_lab, way, points, told):
    one, two, three = bad_lab(one="fine", two=way, three="fine")
    assert (one[0], two[0], three[0]) == (1, points, 1)
    assert told in two[1]


def test_answers_that_never_came_are_told(bad_lab):
    assert [message for _, message in bad_lab(one={"error": "it is a `module`"})] == [
        "The answer `way` cannot be read: it is a `module`",
        *["This check was not reached: the notebook ended before it."] * 2,
    ]


def test_time_in_trials_does_not_count_as_the_checks(bad_lab):
    def run(number, seconds):
        time.sleep(1.5 * judge.SECONDS)
        return {"ran": ['{"step": 0, "status": 0, "said": ""}'] if (number, seconds) == (0, 9) else [], "limit": None}

    assert bad_lab(run, one="try")[0] == (1, "")


class _Room:
    """Stands for who runs trials: answers as `tools.grade.box.Box.trial` does, and keeps what was laid."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []

    def ask(self, line):
        given = self.folder / str(line["ask"]) / "given"
        self.asked.append((line, sorted(str(path.relative_to(given)) for path in given.rglob("*") if path.is_file())))
        return {"ran": ['{"step": 0, "status": 0, "said": "done"}'], "limit": "it used more than 1 MB of memory"}


def test_a_trial_is_asked_for_once_and_its_room_is_where_its_files_come(tmp_path):
    room = _Room(tmp_path)
    own = judge.Confined(tmp_path, room.ask)
    asked = Trial(
        "x", files={"a/b.txt": "text"}, steps=[Step("one", seconds=3), Step("two", files={"c": b"1"}, seconds=4)]
    )
    ran = own.run(asked)
    assert own.run(asked) is ran
    assert room.asked == [({"ask": 0, "seconds": 7}, ["0/a/b.txt", "1/c", "trial.json"])]
    assert ran.folder == tmp_path / "0" / "room"
    assert ran.steps == [Done(0, "done"), Done(None, "it used more than 1 MB of memory")]


def test_a_container_sees_the_course_and_the_submission_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = [sys.executable, str(box.INSIDE / "run.py"), f"{tmp_path}/task/task.json"]
    shown = [*box.shown_paths(), tmp_path / "task"]
    order = Order(command, box.variables(), shown, ROOT / "labs" / LAB, Limits())
    made = docker.options(order, tmp_path / "room", "course-1")
    mounts = [part for part in made if part.startswith("type=bind")]
    writable = [part for part in mounts if not part.endswith(",readonly")]
    assert writable == [f"type=bind,source={tmp_path}/room,target=/scratch"]
    found = {part.split("target=")[1].removesuffix(",readonly") for part in mounts}
    assert {"/course/src/course", "/course/tools/grade/inside", "/course/data", str(tmp_path / "task")} <= found
    assert not any(name in part for part in mounts for name in ("solutions", ".venv", "judges"))
    for part in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "no-new-privileges",
        "--pids-limit 512",
        f"--tmpfs {docker.TOP}:",
    ):
        assert part in " ".join(made)
    assert made[-4:] == [
        "mlops-course",
        docker.PYTHON,
        "/course/tools/grade/inside/run.py",
        f"{tmp_path}/task/task.json",
    ]
    assert made[made.index("--workdir") + 1] == f"/course/labs/{LAB}"
    assert "--user 0:" not in " ".join(made)
