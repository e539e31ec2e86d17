"""The parts of grading: what is found in a folder, what is made of a notebook, what is taken from a run. None starts student code."""

from __future__ import annotations

import copy
import io
import json
import os
import sys
import time
import types

import nbformat
import pytest
import sample_lab

from course import checks
from course.checks import catalogue
from tools.grade import box, collect, docker, grading, judge, rebuild
from tools.grade.confine import frames, pack, syscalls
from tools.grade.confine.plan import LIMITS, Limits, Plan
from tools.labs import source
from tools.notebooks import form
from tools.notebooks.execute import ROOT

LAB = sample_lab.NAME


@pytest.fixture(autouse=True)
def _sample_lab(monkeypatch):
    monkeypatch.setenv("COURSE_LABS", "sample_lab")


def text(node=None) -> bytes:
    return form.dumps(node or sample_lab.source()).encode()


# What is found.


def test_each_layout_is_found(tmp_path):
    for path in (
        "anna.ipynb",
        f"ben/{LAB}.ipynb",
        f"cleo/{LAB}/{LAB}.ipynb",
        "dan/my notebook.ipynb",
        f"submitted-by.txt/{LAB}.ipynb",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text())
    (tmp_path / "roster.pdf").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    found, ignored = collect.find(tmp_path, LAB)
    assert [(one.student, one.path.name, one.refused) for one in found] == [
        ("anna", "anna.ipynb", None),
        ("ben", f"{LAB}.ipynb", None),
        ("cleo", f"{LAB}.ipynb", None),
        ("dan", "my notebook.ipynb", None),
        ("submitted-by.txt", f"{LAB}.ipynb", None),
    ]
    assert ignored == ["'roster.pdf'"]


def test_folder_above_nbgraders_is_understood(tmp_path):
    path = tmp_path / "submitted" / "anna" / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(text())
    assert [one.student for one in collect.find(tmp_path, LAB)[0]] == ["anna"]


def test_empty_folder_is_told_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"FOLDER/STUDENT\.ipynb"):
        collect.find(tmp_path, LAB)


def test_names_say_who_is_who(tmp_path):
    for name in ("4711_x y.ipynb", "4712.ipynb"):
        (tmp_path / name).write_bytes(text())
    names = tmp_path / "names.csv"
    names.write_text("submission,student\n4711_x y,anna\n4712.ipynb,ben\n")
    assert [(one.name, one.student, one.refused) for one in collect.find(tmp_path, LAB, names)[0]] == [
        ("4711_x y", "anna", None),
        ("4712", "ben", None),
    ]
    names.write_text("who,what\na,b\n")
    with pytest.raises(ValueError, match="needs the columns submission and student"):
        collect.find(tmp_path, LAB, names)


def test_same_student_twice_is_refused_whatever_the_letters(tmp_path):
    for name in ("Anna.ipynb", "anna.ipynb"):
        (tmp_path / name).write_bytes(text())
    first, second = collect.find(tmp_path, LAB)[0]
    assert first.refused is None
    assert second.refused == "'Anna' is of the same student already"
    assert first.key.lower() != second.key.lower()


@pytest.mark.parametrize("name", ["..", "a b", "-x", "=1+1", "x" * 80, "ä", "a\nb"])
def test_odd_name_gets_a_safe_key_and_the_reason(name):
    one = collect._submission(name, None, None, {})
    assert one.refused == "its name is no student's id: enter it in a file for NAMES=names.csv"
    assert one.key.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert not one.key.startswith((".", "-"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"\x00\xff\xfe", "holds no JSON"),
        (b'{"nbformat": 4, "cells": ', "holds no JSON"),
        (b"[" * 100_000, "holds no JSON"),
        (b"7", "JSON, but of something else"),
        (b'{"nbformat": "4"}', "JSON, but of something else"),
        (b'{"nbformat": 3, "worksheets": []}', "format 3, not 4: open it in JupyterLab and save it"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [7]}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}', "a cell holds no text"),
        (b'{"nbformat": 4, "cells": [' + b",".join([b"{}"] * 1001) + b"]}", "more than 1000 cells"),
    ],
)
def test_what_is_no_notebook_is_refused_with_the_reason(content, told, tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(collect.Refused, match=told):
        collect.read(path)


def test_links_and_pipes_are_not_opened(tmp_path):
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(collect.Refused, match="cannot be opened"):
        collect.read(tmp_path / "link.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(collect.Refused, match="no ordinary file"):
        collect.read(tmp_path / "pipe.ipynb")


def test_outputs_and_metadata_of_a_submission_are_not_looked_at(tmp_path):
    node = sample_lab.source()
    node.cells[5].outputs = [nbformat.v4.new_output("stream", text="x")]
    (tmp_path / "x.ipynb").write_bytes(text(node))
    cells = collect.read(tmp_path / "x.ipynb")
    assert set().union(*cells) == {"type", "source", "grade_id"}
    assert [cell["grade_id"] for cell in cells if cell["grade_id"]][:2] == ["sum", "check-sum"]


# What is made of it.


def cells_of(node) -> list[dict]:
    return [
        {"type": cell.cell_type, "source": cell.source, "grade_id": source.marks(cell).get("grade_id")}
        for cell in node.cells
    ]


@pytest.fixture
def released():
    return sample_lab.source()


def asked(node) -> list[str]:
    """The marked cells, in order."""
    return [source.marks(cell)["grade_id"] for cell in node.cells if source.marks(cell)]


ORDER = ["sum", "check-sum", "words", "check-words", "report", "check-report"]


def test_honest_submission_stays_as_it_is(released):
    made = rebuild.rebuild(released, cells_of(released))
    assert [cell.source for cell in made.cells] == [cell.source for cell in released.cells]
    assert asked(made) == ORDER


def test_edited_check_is_restored(released):
    cells = cells_of(released)
    for cell in cells:
        if (cell["grade_id"] or "").startswith("check"):
            cell.update(source="600", type="markdown")
    made = rebuild.rebuild(released, cells)
    assert [cell.source for cell in made.cells] == [cell.source for cell in released.cells]


def test_missing_checks_come_after_their_answers(released):
    cells = [cell for cell in cells_of(released) if not (cell["grade_id"] or "").startswith("check")]
    made = rebuild.rebuild(released, cells)
    assert asked(made) == ORDER
    bare = [{**cell, "grade_id": None if cell["grade_id"] != "sum" else "sum"} for cell in cells]
    made = rebuild.rebuild(released, bare)
    assert [cell.task for cell in source.check_cells(made)] == ["sum", "words", "report"]
    places = [index for index, cell in enumerate(made.cells) if "write(workspace" in cell.source]
    assert source.check_cells(made)[-1].index > places[0]


def test_check_that_stands_twice_counts_where_it_stands_last(released):
    cells = cells_of(released)
    checks_ = [copy.deepcopy(cell) for cell in cells if cell["grade_id"] == "check-sum"]
    made = rebuild.rebuild(released, [*checks_, *cells])
    assert asked(made) == ORDER
    assert [cell.task for cell in source.check_cells(made)] == ["sum", "words", "report"]


def test_unknown_marks_are_dropped(released):
    cells = cells_of(released)
    cells.insert(0, {"type": "code", "source": "600", "grade_id": "check-bonus"})
    assert "nbgrader" not in rebuild.rebuild(released, cells).cells[0].metadata


def test_checks_are_known_by_their_text_where_marks_are_gone(released):
    made = rebuild.rebuild(released, [{**cell, "grade_id": None} for cell in cells_of(released)])
    assert [cell.task for cell in source.check_cells(made)] == ["sum", "words", "report"]


def test_other_notebook_is_refused(released):
    with pytest.raises(collect.Refused, match="none of the cells of this lab"):
        rebuild.rebuild(released, [{"type": "code", "source": "1", "grade_id": "x"}])


# What comes out of a run.


def test_frames_come_back_as_they_went():
    stream = io.BytesIO()
    sent = [(frames.LINE, b"{}"), (frames.NAME, b"a/b"), (frames.DATA, b""), (frames.END, b"x" * 70000)]
    for kind, content in sent:
        frames.write(stream, kind, content)
    assert list(frames.read(io.BytesIO(stream.getvalue()), 10**6)) == sent


@pytest.mark.parametrize("content", [b"L", b"L\xff\xff\xff\xff", b"X\x00\x00\x00\x00", b"L\x00\x00\x00\x05ab"])
def test_what_is_no_frame_is_refused(content):
    with pytest.raises(ValueError, match="frame"):
        list(frames.read(io.BytesIO(content), 10**6))


def test_too_many_frames_are_refused():
    stream = io.BytesIO()
    for _ in range(11):
        frames.write(stream, frames.LINE, b"x" * 100)
    with pytest.raises(ValueError, match="too much"):
        list(frames.read(io.BytesIO(stream.getvalue()), 1000))


@pytest.mark.parametrize("name", [b"../x", b"/etc/x", b"a/../../x", b"", b"a\x00b"])
def test_no_file_is_written_outside(name, tmp_path):
    with pytest.raises(ValueError, match="no place for a file"):
        box._Files(tmp_path).open(name)


def packed(folder):
    found = list(pack.pack(str(folder)))
    return {one[0]: b"".join(one[1]) for one in found if not isinstance(one, str)}, [
        one for one in found if isinstance(one, str)
    ]


def test_packing_takes_ordinary_files_only(tmp_path):
    top = tmp_path / "workspace"
    (top / "in").mkdir(parents=True)
    (top / "in" / "a.txt").write_text("a")
    (top / "link").symlink_to("/etc/passwd")
    (top / "folder").symlink_to("/etc")
    os.mkfifo(top / "pipe")
    with open(top / "big", "wb") as file:
        file.truncate(pack.FILE_BYTES + 1)
    open(os.fsencode(top) + b"/\xff", "w").close()
    files, notes = {}, []
    for one in pack.pack(str(top)):
        if isinstance(one, str):
            notes.append(one)
        else:
            files[one[0]] = b"".join(one[1])
    assert files == {"in/a.txt": b"a"}
    assert sorted(note.split(" was left out")[0] for note in notes) == [
        "'\\udcff'",
        "'big'",
        "'folder'",
        "'link'",
        "'pipe'",
    ]


def test_packing_a_link_takes_nothing(tmp_path):
    (tmp_path / "workspace").symlink_to("/etc")
    assert list(pack.pack(str(tmp_path / "workspace"))) == [
        "There is no workspace: the notebook did not begin the lab, or removed the folder."
    ]


def test_packing_stops_at_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "FILES", 3)
    for number in range(9):
        (tmp_path / str(number)).touch()
    found = [one for one in pack.pack(str(tmp_path)) if not (isinstance(one, tuple) and list(one[1]))]
    assert [one if isinstance(one, str) else one[0] for one in found] == [
        "0",
        "1",
        "2",
        "More than 3 files: the rest of the workspace was left out.",
    ]


def test_plan_survives_its_journey():
    plan = Plan(LIMITS, "/room", ["/usr"], "/top", "/top/labs", ["x"], {"A": "b"}, "/c", Limits(seconds=3), uid=7)
    assert Plan.loads(plan.dumps()) == plan
    assert json.loads(plan.dumps())["limits"]["seconds"] == 3


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter is for x86-64")
def test_filter_of_system_calls_jumps_within_itself():
    program = syscalls.program()
    size = len(program) // 8
    assert len(program) % 8 == 0
    for line in range(size):
        code, if_true, if_false = (
            program[8 * line] | program[8 * line + 1] << 8,
            program[8 * line + 2],
            program[8 * line + 3],
        )
        if code & 7 == 5:
            assert line + 1 + max(if_true, if_false) < size
    assert program[-8:-6] == b"\x06\x00"


def test_confining_nothing_has_to_be_asked_for(monkeypatch):
    monkeypatch.setattr(box, "_fails", lambda one: "not here")
    monkeypatch.setattr(box.docker, "missing", lambda: "no Docker")
    with pytest.raises(RuntimeError, match=r"so nothing was run\.(.|\n)*docker: no Docker(.|\n)*CONTAIN=limits"):
        box.choose()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(box, "_fails", lambda one: None)
    assert box.choose("limits") == LIMITS
    assert box.choose() == box.USER_NAMESPACES
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(RuntimeError, match="as root"):
        box.choose("limits")
    with pytest.raises(RuntimeError, match="is not known"):
        box.choose("hope")


def test_answers_of_a_run_are_read_as_data():
    from tools.grade import grading

    with pytest.raises(ValueError, match="no answer"):
        grading._answer([1])
    assert grading._answer({"value": [1, None]}) == {"value": [1, None]}
    with pytest.raises(checks.NotPlain):
        grading._answer({"value": "x" * 10**7})
    assert grading._answer({"error": "x" * 999}) == {"error": "x" * 300}


# The process that evaluates.


@pytest.fixture
def bad_lab(monkeypatch):
    """A lab whose checks crash, hang and eat memory on some answers."""
    monkeypatch.setattr(catalogue, "_TASKS", {})
    module = types.ModuleType("sample_lab.lab_9_bad")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def make(name):
        def function(lab, way):
            if way == "crash":
                os.kill(os.getpid(), 9)
            if way == "hang":
                time.sleep(60)
            if way == "eat":
                bytearray(2**40)
            if way == "wrong":
                raise checks.Wrong("No.")

        function.__module__ = module.__name__
        checks.task(name, points=1)(function)

    for name in ("one", "two", "three"):
        make(name)
    monkeypatch.setattr(judge, "SECONDS", 1.0)
    return "lab-9-bad"


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
def test_check_that_crashes_costs_no_other_check(bad_lab, way, points, told, tmp_path):
    answers = {"one": {"way": {"value": "fine"}}, "two": {"way": {"value": way}}, "three": {"way": {"value": "fine"}}}
    found = judge.evaluate_all(bad_lab, {"student": "anna", "workspace": str(tmp_path), "answers": answers})
    assert [found[name]["points"] for name in ("one", "two", "three")] == [1, points, 1]
    assert told in found["two"]["message"]


def test_answers_that_never_came_are_told(bad_lab, tmp_path):
    answers = {"one": {"way": {"error": "it is a `module`"}}, "two": {"other": {"value": 1}}}
    found = judge.evaluate_all(bad_lab, {"student": "anna", "workspace": str(tmp_path), "answers": answers})
    assert [found[name]["message"] for name in ("one", "two", "three")] == [
        "The answer `way` cannot be read: it is a `module`",
        *["This check was not reached: the notebook ended before it."] * 2,
    ]


def test_container_sees_course_and_submission_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    given = tmp_path / "given"
    plan = Plan(
        "container",
        "/room",
        [*map(str, box.shown_paths()), str(tmp_path / "task")],
        str(ROOT),
        str(ROOT / "labs" / LAB),
        [sys.executable, "-m", "tools.grade.inside.run", f"{tmp_path}/task/task.json"],
        box.variables(),
        "{scratch}/out",
        given=str(given),
    )
    command, inside = docker.start(plan, "course-1")
    mounts = [part for part in command if part.startswith("type=bind")]
    assert all(part.endswith(",readonly") for part in mounts)
    shown = {part.split("target=")[1].removesuffix(",readonly") for part in mounts}
    assert {"/course/src", "/course/tools", "/course/data", "/given", str(tmp_path / "task")} <= shown
    assert not any("solutions" in part or ".venv" in part for part in mounts)
    text = " ".join(command)
    for part in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "no-new-privileges",
        "--user 1000:1000",
        "--pids-limit 512",
    ):
        assert part in text
    assert inside.command == ["/opt/course/bin/python", "-m", "tools.grade.inside.run", f"{tmp_path}/task/task.json"]
    assert inside.folder == f"/course/labs/{LAB}"
    assert str(ROOT) not in inside.dumps()


def test_machine_without_docker_is_told(monkeypatch):
    monkeypatch.setattr(docker.subprocess, "run", _no_docker)
    assert docker.missing() == "there is no Docker on this machine, or it does not answer"


def _no_docker(*arguments, **options):
    raise FileNotFoundError("docker")


def test_lab_that_runs_whole_pipelines_has_limits_of_its_own(monkeypatch):
    monkeypatch.delenv("COURSE_LABS")
    assert grading.limits_of("lab-1-data") == Limits()
    assert grading.limits_of("lab-3-pipeline").cell_seconds > Limits.cell_seconds
