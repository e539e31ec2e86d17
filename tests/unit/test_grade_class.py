"""Grading as an instructor has it: folders as they come, a table that is whole at each moment, pages, and what goes back to a platform.

Submissions run in a stand-in for the box, which does what `tools.grade.inside.run` does with a notebook and its task, in this process.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
import sample_lab
from grading import hostile
from sample_lab import lab_9_bad

from course import checks
from tools.grade import (
    __main__,
    apart,
    box,
    collect,
    grading,
    judge,
    marks,
    platforms,
    rebuild,
    running,
    table,
)
from tools.grade.limits import Limits
from tools.grade.watch import Report
from tools.labs import hand_out, source
from tools.notebooks import form

LAB = sample_lab.NAME


@pytest.fixture(autouse=True)
def _sample_lab(monkeypatch):
    monkeypatch.setenv("COURSE_LABS", "sample_lab")
    monkeypatch.setenv("PYTHONPATH", str(Path(sample_lab.__file__).parents[1]))


def solved(student: str = "student-1", **cells: str) -> nbformat.NotebookNode:
    """The lab as a student solves it, with some answer cells replaced."""
    node = sample_lab.source()
    for cell in node.cells:
        cell.source = "\n".join(line for line in cell.source.splitlines() if "SOLUTION" not in line)
        cell.source = cells.get(source.marks(cell).get("grade_id"), cell.source).replace("student-1", student)
    return node


def unsolved() -> nbformat.NotebookNode:
    node = sample_lab.source()
    for cell in node.cells:
        cell.source = re.sub(r" *### BEGIN.*?### END SOLUTION", "pass", cell.source, flags=re.DOTALL)
    return node


def text(node: nbformat.NotebookNode | None = None) -> bytes:
    return form.dumps(node or solved()).encode()


def put(top: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


class Stand:
    """In place of a box: executes the cells and says what they answer, as `tools.grade.inside.run` says it."""

    how, ran = "stand-in", []

    def run(self, command, into, *, environment, **_):
        self.ran.append(environment["COURSE_STUDENT"])
        own = {"workspace": into, "NUMBERS": [3, 4]}
        lines = []
        for place, cell in enumerate(json.loads(Path(command[-1]).read_text())["cells"]):
            if cell["kind"] == "check":
                with contextlib.suppress(Exception):
                    said = {
                        name: {"value": json.loads(json.dumps(eval(wanted, own)))}
                        for name, wanted in cell["answers"].items()
                    }
                    lines.append({"check": place, "answers": said})
            elif cell["kind"] == "code" and "checks" not in cell["source"]:
                printed = io.StringIO()
                with contextlib.suppress(Exception), contextlib.redirect_stdout(printed):
                    exec(cell["source"], own)
                lines.append(
                    {
                        "cell": place,
                        "outputs": [{"output_type": "stream", "name": "stdout", "text": printed.getvalue()}],
                    }
                )
        lines.append({"ended": "end", "cell": len(lines)})
        return Report(lines=[json.dumps(line).encode() for line in lines])


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """One process for all classes, which differ in their submissions only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        patch.setenv("PYTHONPATH", str(Path(sample_lab.__file__).parents[1]))
        with apart.Apart([marks.CONVERTERS, judge.__name__], tmp_path_factory.mktemp("apart") / "log") as found:
            yield found


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The lab as it is handed out, with nbgrader's gradebook, made once."""
    top = tmp_path_factory.mktemp("release")
    put(top, {f"solutions/{LAB}/{LAB}.ipynb": form.dumps(sample_lab.source()).encode(), "nbgrader/x": b""})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        node = marks.release(LAB, top / "solutions", top / "nbgrader")

    def copied(lab, solutions, folder):
        shutil.copytree(top / "nbgrader", folder, dirs_exist_ok=True)
        return node

    return copied


@pytest.fixture
def class_(tmp_path, monkeypatch, processes, release):
    """A course of the sample lab; grades a folder and returns the lines of the table by submission."""
    monkeypatch.setattr(box, "choose", lambda how: "stand-in")
    monkeypatch.setitem(box.WORDS, "stand-in", "not contained")
    monkeypatch.setattr(box, "boxes", lambda *_: [Stand()])
    monkeypatch.setattr(Stand, "ran", [])
    monkeypatch.setattr(marks, "release", release)
    monkeypatch.setattr(grading, "Apart", lambda *_, **__: contextlib.nullcontext(processes))
    solutions = tmp_path / "solutions"
    put(solutions, {f"{LAB}/{LAB}.ipynb": form.dumps(sample_lab.source()).encode()})
    said: list[str] = []

    def run(submissions: Path, *, student: str | None = None, **options):
        options = {"prove": False, "at_a_time": 1} | options
        course = grading.Course(LAB, solutions, tmp_path / "out", say=said.append, **options)
        grading.grade(course, submissions, student=student)
        return rows(course.folder)

    run.said, run.folder = said, tmp_path / "out" / LAB
    return run


@pytest.fixture
def plain_pages(monkeypatch):
    """Pages that hold what is said of a run and no cells, made in no time: for what is not about the cells on them."""

    def feedback(_, __, ___, folder, one, *____):
        put(folder, {f"feedback/{one.submission.key}.html": "".join(marks.SAID).encode()})
        one.page = f"feedback/{one.submission.key}.html"
        return []

    monkeypatch.setattr(marks, "feedback", feedback)


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "grades.csv", newline="", encoding="utf-8") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


@pytest.mark.usefixtures("plain_pages")
def test_the_proof_takes_no_students_place(class_, tmp_path):
    folder = put(tmp_path / "in", {"the-solution.ipynb": text(unsolved()), "right.ipynb": text()})
    got = class_(folder, prove=True)
    assert {name: row["points"] for name, row in got.items()} == {"the-solution": "0", "right": "6"}
    assert sorted(Stand.ran) == ["right", "student-1", "the-solution"]


def test_the_solution_has_to_get_full_marks_before_anybody_is_graded(class_, tmp_path):
    node = sample_lab.source()
    node.cells[5].source = "TOTAL = ...\n### BEGIN SOLUTION\nTOTAL = 12 + 0 * 3\n### END SOLUTION"
    put(tmp_path / "solutions", {f"{LAB}/{LAB}.ipynb": form.dumps(node).encode()})
    with pytest.raises(grading.GradingFailed, match=r"full marks on this machine(.|\n)*The sum: 0.5 of 2"):
        class_(put(tmp_path / "in", {"anna.ipynb": text()}), prove=True)
    assert rows(class_.folder)["anna"]["ended"] == "not graded yet"
    assert list((class_.folder / "results").glob("*.json")) == []


# What is found.


def find(top: Path, names: Path | None = None) -> list[collect.Submission]:
    found, _ = collect.find(top, LAB, names, Path(tempfile.mkdtemp(dir=top.parent)))
    for one in found:
        collect.choose(one, LAB, unsolved())
    return found


def test_each_layout_is_found(tmp_path):
    nested = (
        "anna.ipynb",
        f"ben/{LAB}.ipynb",
        f"cleo/{LAB}/{LAB}.ipynb",
        "dan/my notebook.ipynb",
        f"x.txt/{LAB}.ipynb",
    )
    put(tmp_path, dict.fromkeys(nested, text()) | {"roster.pdf": b"", ".ipynb_checkpoints/eve.ipynb": text()})
    assert [(one.student, one.notebook, one.refused) for one in find(tmp_path)] == [
        ("anna", "anna.ipynb", None),
        ("ben", f"{LAB}.ipynb", None),
        ("cleo", f"{LAB}/{LAB}.ipynb", None),
        ("dan", "my notebook.ipynb", None),
        ("x.txt", f"{LAB}.ipynb", None),
    ]
    assert collect.find(tmp_path, LAB, None, tmp_path.parent / "copies")[1] == ["roster.pdf"]


@pytest.mark.parametrize(
    ("files", "students"),
    [
        ([f"submitted/anna/{LAB}/{LAB}.ipynb", "release/x/x.ipynb", "gradebook.db"], ["anna"]),
        ([f"submitted/{LAB}.ipynb", "anna.ipynb"], ["anna", "submitted"]),
        ([f"submitted/{LAB}/{LAB}.ipynb", f"ben/{LAB}.ipynb"], ["ben", "submitted"]),
        ([f"submitted/{LAB}.ipynb"], ["submitted"]),
    ],
)
def test_a_folder_submitted_is_nbgraders_only_where_nothing_else_is(files, students, tmp_path):
    assert [one.student for one in find(put(tmp_path, dict.fromkeys(files, text())))] == students


def test_only_nbgraders_time_stamp_is_believed(tmp_path):
    for top, believed in (("submitted/anna/" + LAB, True), ("ben", False), ("cleo/" + LAB, False)):
        folder = put(
            tmp_path / top.replace("/", "-"),
            {f"{top}/{LAB}.ipynb": text(), f"{top}/timestamp.txt": b"2026-11-01 12:00:00 UTC"},
        )
        (one,) = find(folder)
        assert (one.when.isoformat() == "2026-11-01T12:00:00+00:00") == believed


def test_empty_folder_is_told_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"FOLDER/STUDENT\.ipynb"):
        find(tmp_path)


MOODLE = "Anna Kovács_1234567_assignsubmission_file"
"""As mod/assign/classes/downloader.php names it; `MOODLE_` as it was named before Moodle 4.1."""
CANVAS = {
    "bergben_101_9001_lab-0-sums-2.ipynb": text(solved("ben@uni.example")),
    "bergben_101_9002_helper.py": b"WORDS = ['span', 'split']",
    "do-cleo_LATE_102_9003_lab-0-sums.ipynb": text(solved("cleo")),
    "étédan_103_9004_lab-0-sums.ipynb": text(solved("dan")),
}
"""As lib/content_zipper.rb names it: `sortable_name` without what is no letter, LATE, user, attachment, file."""
CANVAS = {name.replace("do-cleo", "docleo"): content for name, content in CANVAS.items()}


@pytest.mark.parametrize(
    "folder",
    [
        {f"{MOODLE}/{LAB}.ipynb": text(), f"{MOODLE.replace('file', 'onlinetext')}/onlinetext.html": b"x"},
        {f"{MOODLE}_/{LAB}.ipynb": text()},
        {f"{MOODLE}_{LAB}.ipynb": text()},
    ],
)
@pytest.mark.parametrize(
    "names",
    [
        "submission,student,submitted\nAnna Kovács,anna,2026-12-01T12:00+01:00\n",
        "submission,student\n1234567,anna\n",
        'Identifier,Full name,Username,Status,Grade,Last modified (submission)\nParticipant 1234567,Anna Kovács,anna,x,,"Tuesday, 1 December 2026, 11:58 PM"\n',
    ],
)
def test_what_moodle_hands_out_is_understood(folder, names, tmp_path):
    put(tmp_path, folder | {"names.csv": names.encode()})
    (one,) = find(tmp_path)
    assert (one.student, one.refused, one.place.platform, one.place.number) == ("anna", None, "moodle", "1234567")
    assert (one.when is None) == ("ubmitted" not in names and "submission)" not in names)


def test_what_canvas_hands_out_is_understood(tmp_path):
    gradebook = (
        "Student,ID,SIS User ID,SIS Login ID,Section,lab-0-sums (55)\n    Points Possible,,,,,6\n"
        '"Berg, Ben",101,7,ben@uni.example,A,\n"Do, Cleo",102,8,cleo,A,\n'
    )
    found = find(put(tmp_path, CANVAS | {"names.csv": gradebook.encode()}))
    assert [(one.student, one.files(), one.place.late, one.returned) for one in found[:2]] == [
        ("ben@uni.example", ["helper.py", "lab-0-sums-2.ipynb"], False, "bergben_101_9001_lab-0-sums-2.html"),
        ("cleo", ["lab-0-sums.ipynb"], True, "docleo_LATE_102_9003_lab-0-sums.html"),
    ]
    assert found[2].refused == "names.csv has no line that says whose 'étédan' is"
    hidden = platforms.place("LATE_anon_aB3x9_9005_lab-0-sums.ipynb")  # without names
    assert (hidden.number, hidden.late, hidden.file) == ("aB3x9", True, "lab-0-sums.ipynb")


def test_names_say_who_is_who(tmp_path):
    put(tmp_path, {"4711_x y.ipynb": text(), "4712.ipynb": text()})
    names = put(tmp_path, {"who.csv": b"submission,student\n4711_x y,anna\n4712.ipynb,ben\n"}) / "who.csv"
    assert [(one.name, one.student, one.refused) for one in find(tmp_path, names)] == [
        ("4711_x y", "anna", None),
        ("4712", "ben", None),
    ]
    names.write_text("who,what\na,b\n")
    with pytest.raises(ValueError, match="needs the columns submission and student"):
        find(tmp_path, names)


def test_same_student_twice_is_refused_whatever_the_letters(tmp_path):
    first, second = find(put(tmp_path, {"Anna.ipynb": text(), "anna.ipynb": text()}))
    assert first.refused is None
    assert second.refused == "'Anna' is of the same student already"
    assert first.key.lower() != second.key.lower()


@pytest.mark.parametrize("name", ["a b", "-x", "=1+1", "x" * 80, "ä", "a\nb", "a\x1b[2Jb"])
def test_odd_name_gets_a_key_that_no_student_can_have_and_the_reason(name, tmp_path):
    (one,) = find(put(tmp_path, {f"{name}/{LAB}.ipynb": text()}))
    assert one.refused == "its name is no student's id: names.csv has to say whose it is"
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*~[0-9a-f]{8}", one.key)
    assert collect.printable(one.name).isprintable()


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({f"{LAB}.ipynb": unsolved(), "final.ipynb": solved()}, "final.ipynb"),
        ({f"{LAB}.ipynb": solved(), f"{LAB}-Copy1.ipynb": solved(sum="TOTAL = 12")}, f"{LAB}.ipynb"),
        ({"a.ipynb": solved(), "b.ipynb": solved()}, "a.ipynb"),
        (
            {"notes.ipynb": nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), "work.ipynb": solved()},
            "work.ipynb",
        ),
        ({"empty.ipynb": None, f"{LAB}/{LAB}.ipynb": unsolved()}, f"{LAB}/{LAB}.ipynb"),
        ({"a.ipynb": solved(), "b.ipynb": solved(sum="TOTAL = 12")}, None),
    ],
)
def test_of_two_notebooks_the_one_with_answers_is_taken(files, taken, tmp_path):
    (one,) = find(put(tmp_path, {f"anna/{name}": text(node) if node else b"" for name, node in files.items()}))
    if taken is None:
        assert "cannot be told: a.ipynb, b.ipynb all hold answers" in one.refused
    else:
        assert (one.notebook, one.notes) == (taken, [f"of several notebooks, {taken} was graded"])


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
    with pytest.raises(collect.Refused, match=told):
        collect.read(put(tmp_path, {"x.ipynb": content}) / "x.ipynb")


def test_links_and_pipes_are_not_opened(tmp_path):
    put(tmp_path / "in", {f"anna/{LAB}.ipynb": text(), "anna/helper.py": b"1"})
    (tmp_path / "in/anna/link").symlink_to("/etc/passwd")
    (tmp_path / "in/anna/folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "in/anna/pipe")
    (one,) = find(tmp_path / "in")
    assert [note.split(" was left out")[0] for note in one.notes] == ["'folder'", "'link'", "'pipe'"]
    assert one.files() == ["helper.py", f"{LAB}.ipynb"]
    (tmp_path / "in/ben.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "in/cleo.ipynb")
    for one in find(tmp_path / "in")[1:]:
        assert (one.refused, one.notes[0].split("out: ")[1]) == (
            "there is no notebook in it",
            "it is no ordinary file.",
        )


def test_outputs_and_metadata_of_a_submission_are_not_looked_at(tmp_path):
    node = sample_lab.source()
    node.cells[5].outputs = [nbformat.v4.new_output("stream", text="x")]
    cells = collect.read(put(tmp_path, {"x.ipynb": text(node)}) / "x.ipynb")
    assert set().union(*cells) == {"type", "source", "grade_id"}
    assert [cell["grade_id"] for cell in cells if cell["grade_id"]][:2] == ["sum", "check-sum"]


# What is made of it.

ORDER = ["sum", "check-sum", "words", "check-words", "report", "check-report"]


def asked(made: nbformat.NotebookNode) -> list[str]:
    """The marked cells, in order."""
    return [source.marks(cell)["grade_id"] for cell in made.cells if source.marks(cell)]


@pytest.mark.filterwarnings("ignore:Non-unique cell id")
@pytest.mark.parametrize(
    "change",
    [
        *(hostile.forge, hostile.unlock, hostile.ask_something_else, hostile.remove_checks, hostile.swap_ids),
        *(hostile.duplicate, hostile.strip, hostile.strange_metadata),
    ],
)
def test_the_labs_checks_are_in_their_places_whatever_was_submitted(change, tmp_path):
    released, node = unsolved(), solved()
    change(node)
    path = put(tmp_path, {"x.ipynb": nbformat.writes(node, version=nbformat.NO_CONVERT).encode()}) / "x.ipynb"
    made = rebuild.rebuild(released, collect.read(path))
    assert [mark for mark in asked(made) if mark.startswith("check")] == ORDER[1::2]
    assert [cell.task for cell in source.check_cells(made)] == ["sum", "words", "report"]
    wanted = [cell.source for cell in released.cells if source.marks(cell).get("grade")]
    assert [cell.source for cell in made.cells if source.marks(cell).get("grade")] == wanted
    text = "\n".join(cell.source for cell in made.cells)
    for answer, check in (("TOTAL = sum", '"sum", '), ("WORDS = [", '"words", '), ("REPORT = ", '"report", ')):
        assert text.rindex(answer) < text.rindex(f"checks.check({check}")


def test_checks_are_known_by_their_text_and_unknown_marks_are_dropped():
    released = sample_lab.source()
    cells = [{"type": cell.cell_type, "source": cell.source, "grade_id": None} for cell in released.cells]
    cells.insert(0, {"type": "code", "source": "600", "grade_id": "check-bonus"})
    made = rebuild.rebuild(released, cells)
    assert [cell.task for cell in source.check_cells(made)] == ["sum", "words", "report"]
    assert "nbgrader" not in made.cells[0].metadata


def test_other_notebook_is_refused():
    with pytest.raises(ValueError, match="none of the cells of this lab"):
        rebuild.rebuild(sample_lab.source(), [{"type": "code", "source": "1", "grade_id": "x"}])


# What is said of it.


def test_answers_of_a_run_are_read_as_data():
    with pytest.raises(ValueError, match="no answer"):
        running._answer([1])
    assert running._answer({"value": [1, None]}) == {"value": [1, None]}
    with pytest.raises(checks.NotPlain):
        running._answer({"value": "x" * 10**7})
    assert running._answer({"error": "x" * 999}) == {"error": "x" * 300}


def test_lab_that_runs_whole_pipelines_has_limits_of_its_own(monkeypatch):
    monkeypatch.delenv("COURSE_LABS")
    quick, long = grading.limits_of("lab-1-data"), grading.limits_of("lab-3-pipeline")
    assert quick.seconds == Limits.seconds
    assert quick.cell_seconds < Limits.cell_seconds < long.cell_seconds


@pytest.mark.usefixtures("plain_pages")
def test_remarks_say_what_an_instructor_should_look_at(class_, tmp_path):
    files = {
        "anna.ipynb": text(solved("anna")),
        "ben.ipynb": text(solved("anna")),
        "cleo.ipynb": text(solved("cleo", sum="import judges.lab_0_sums\nTOTAL = 7")),
        "dan.ipynb": text(solved("dan", sum="import inspect\nprint(inspect.getsource(checks.tasks))\nTOTAL = 7")),
        "eve.ipynb": text(solved("eve", sum="TOTAL = open('/course/src/course/labs/lab_0.py')")),
        "gus.ipynb": text(solved("gus", sum="# What judges ask.\nhere = '__file__'\nTOTAL = 7")),
        "fay.ipynb": text(solved("fay")).replace(b"STUDENT)", b'STUDENT, salt=\\"2025\\")'),
    }
    told = {name: row["remarks"] for name, row in class_(put(tmp_path / "in", files), salt="2026").items()}
    salt = "in its notebook the salt is '': its data were other ones than it is graded on"
    assert told["anna"] == told["gus"] == salt
    assert "in its notebook STUDENT is 'anna'" in told["ben"]
    assert "in its notebook the salt is '2025'" in told["fay"]
    for name, line in {"cleo": "import judges", "dan": "inspect.getsource", "eve": "src/course/labs"}.items():
        assert "look: it reads the course's internals: " in told[name]
        assert line in told[name]
        page = (class_.folder / f"feedback/{name}.html").read_text()
        assert f"<b>{name}: " in page
        assert line not in page


def test_nothing_of_a_student_reaches_the_terminal_raw(capsys):
    __main__._say("anna\x1b[2J: \u202e5 points\x07\nben")
    assert capsys.readouterr().out == "anna\\x1b[2J: \\u202e5 points\\x07\nben\n"


@pytest.mark.usefixtures("plain_pages")
def test_names_with_control_characters_are_escaped_everywhere(class_, tmp_path):
    got = class_(put(tmp_path / "in", {"a\x1b]0;x\x07\nb.ipynb": text(), "ben.ipynb": text(solved("a\x1b[1m"))}))
    assert set(got) == {"a\\x1b]0;x\\x07\\nb", "ben"}
    assert all(line.isprintable() for said in class_.said for line in said.split("\n"))
    assert "\x1b" not in (class_.folder / "grades.csv").read_text()


# A table that is whole at each moment.


def test_an_interrupted_class_has_its_table_and_goes_on(class_, tmp_path, monkeypatch):
    folder = put(tmp_path / "in", {f"{name}.ipynb": text(solved(name)) for name in ("anna", "ben", "cleo")})
    run = Stand.run

    def interrupted(self, *given, environment, **rest):
        if environment["COURSE_STUDENT"] == "cleo":
            raise KeyboardInterrupt
        return run(self, *given, environment=environment, **rest)

    monkeypatch.setattr(Stand, "run", interrupted)
    monkeypatch.setattr(marks, "feedback", lambda *_: [])
    with pytest.raises(KeyboardInterrupt):
        class_(folder)
    left = {name: (row["points"], row["ended"]) for name, row in rows(class_.folder).items()}
    assert left["cleo"] == ("", "not graded yet")
    assert set(left) == {"anna", "ben", "cleo"}
    monkeypatch.setattr(Stand, "run", run)
    done = {name for name, (points, _) in left.items() if points == "6"}
    Stand.ran.clear()
    assert {row["points"] for row in class_(folder).values()} == {"6"}
    assert set(Stand.ran) == {"anna", "ben", "cleo"} - done


def test_a_page_that_an_interrupt_has_prevented_is_made_when_it_goes_on(class_, tmp_path, monkeypatch):
    made, folder = marks.feedback, put(tmp_path / "in", {"anna.ipynb": text(solved("anna"))})

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(marks, "feedback", interrupted)
    with pytest.raises(KeyboardInterrupt):
        class_(folder)
    assert rows(class_.folder)["anna"]["points"] == "6"
    monkeypatch.setattr(marks, "feedback", made)
    assert class_(folder)["anna"]["feedback"] == "feedback/anna.html"


def test_only_what_has_changed_is_graded_again(class_, tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "feedback", lambda *_: [])
    folder = put(tmp_path / "in", {f"{name}.ipynb": text(solved(name)) for name in ("anna", "ben", "cleo")})
    class_(folder)
    for change, again, points in (
        (lambda: None, [], "6"),
        (lambda: put(folder, {"ben.ipynb": text(solved("ben", sum="TOTAL = 0"))}), ["ben"], "2"),
        (lambda: put(folder, {"anna.ipynb": text(unsolved()), "dan.ipynb": text()}), ["dan", "anna"], "2"),
    ):
        Stand.ran.clear()
        change()
        assert class_(folder)["ben"]["points"] == points
        assert sorted(Stand.ran) == sorted(again)


def test_one_student_is_graded_again_and_the_others_are_left(class_, tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "feedback", lambda *_: [])
    folder = put(tmp_path / "in", {f"{name}.ipynb": text(solved(name)) for name in ("anna", "ben")})
    class_(folder)
    put(folder, {"anna.ipynb": text(unsolved()), "ben.ipynb": text(unsolved())})
    got = class_(folder, student="Ben", salt="another")
    assert {name: row["points"] for name, row in got.items()} == {"anna": "6", "ben": "0"}
    with pytest.raises(grading.GradingFailed, match="STUDENT=zoe: there is no submission of that student"):
        class_(folder, student="zoe")


def test_another_salt_grades_all_again_and_keeps_the_earlier_results(class_, tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "feedback", lambda *_: [])
    folder = put(tmp_path / "in", {"anna.ipynb": text(solved("anna"))})
    class_(folder)
    class_(folder, salt="2026")
    assert Stand.ran == ["anna", "anna"]
    assert "anna" in rows(class_.folder.parent / "earlier" / f"{LAB}-1")


def test_a_fault_of_ours_stops_one_submission_and_no_other_and_is_tried_again(class_, tmp_path, monkeypatch):
    given = [marks.feedback, rebuild.own]

    def fails(*asked):
        if "fault" in str(asked):
            raise OSError("no space left")
        return given[1](*asked)

    monkeypatch.setattr(rebuild, "own", fails)
    monkeypatch.setattr(marks, "feedback", lambda *_: 1 / 0)
    folder = put(
        tmp_path / "in", {"anna.ipynb": text(solved("anna")), "ben.ipynb": text(solved("ben", sum="fault = 1"))}
    )
    got = class_(folder)
    assert {name: row["points"] for name, row in got.items()} == {"anna": "6", "ben": "0"}
    assert "the feedback page could not be made: ZeroDivisionError" in got["anna"]["remarks"]
    assert got["ben"]["ended"] == "not graded: grading itself failed (OSError: no space left)"
    monkeypatch.setattr(rebuild, "own", given[1])
    Stand.ran.clear()
    assert class_(folder)["ben"]["ended"] == "finished"
    assert Stand.ran == ["ben"]


def test_a_page_that_is_never_done_costs_neither_marks_nor_table(class_, tmp_path, monkeypatch):
    from tools.grade import converters

    monkeypatch.setattr(marks, "SECONDS", 0.2)
    monkeypatch.setattr(converters, "page", lab_9_bad.never)
    got = class_(put(tmp_path / "in", {f"{name}.ipynb": text(solved(name)) for name in ("anna", "ben")}))
    for row in got.values():
        assert (row["points"], row["ended"], row["feedback"]) == ("6", "finished", "")
        assert "the feedback page of its cells could not be made: it took more than 0.2 seconds" in row["remarks"]


def test_a_page_that_cannot_be_made_of_a_students_cells_is_one_of_the_labs(class_, tmp_path, monkeypatch):
    made = apart.Apart.results
    monkeypatch.setattr(
        apart.Apart,
        "results",
        lambda self, work, *given, **rest: (
            ([], "is too much")
            if "secret" in str(given) and work.__module__ == marks.CONVERTERS
            else made(self, work, *given, **rest)
        ),
    )
    got = class_(put(tmp_path / "in", {"anna.ipynb": text(solved("anna", sum="secret = 12; TOTAL = 12"))}))
    assert (got["anna"]["points"], got["anna"]["feedback"]) == ("2.5", "feedback/anna.html")
    page = (class_.folder / "feedback/anna.html").read_text()
    assert "secret" not in page
    assert "The sum</b>: 0.5 of 2" in page
    assert "could not be made: it is too much" in page


def test_the_page_shows_tasks_by_title_and_what_the_student_wrote_as_it_was_written(class_, tmp_path):
    node = solved("anna", words="print('3 <4')\nWORDS = ['span']")
    evil = "<script>alert(1)</script> [x](javascript:alert(2)) <b style='position: fixed' onclick=alert(3)>bold</b>"
    node.cells.insert(
        1, nbformat.v4.new_markdown_cell(f"`a < b` and a < b\n\n| p | q |\n|---|---|\n| 1 | 2 |\n\n{evil}")
    )
    class_(put(tmp_path / "in", {"anna.ipynb": text(node)}))
    page = (class_.folder / "feedback/anna.html").read_text()
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert "<code>a &lt; b</code> and a &lt; b" in page
    assert "3 &lt;4" in page
    assert re.search(r"<h2>The sum</h2>", page)
    assert (
        page.count("<a ") == page.count("</a>") == 2 * 3 + 4
    )  # of each task its place and the way there; of checks the way up
    assert re.search(r"<td>1</td>\s*<td>2</td>", page)
    assert 'href="#check-words">The words</a></td><td>0 of 1' in page
    assert not re.search(r"<script|=.javascript:|onclick=|<[^>]*position: *fixed|check-words</", page)
    assert "<b>bold</b>" in page


# What counts besides the checks, and what goes back.


@pytest.mark.usefixtures("plain_pages")
def test_points_by_hand_and_lateness_are_in_the_table_each_time(class_, tmp_path):
    hand = "student,task,points,why\nANNA,words,0.5,nearly\nanna,,1,good questions\nben,sum,0,copied\nzoe,,1,\n"
    folder = put(
        tmp_path / "in",
        {f"{name}.ipynb": text(solved(name)) for name in ("anna", "ben")} | {"by-hand.csv": hand.encode()},
    )
    late = datetime.fromisoformat("2026-12-01T23:59+01:00")
    for name, when in {"anna": late.timestamp() + 60, "ben": late.timestamp()}.items():
        os.utime(folder / f"{name}.ipynb", (when, when))
    for _ in range(2):
        got = class_(folder, rules=table.Rules(late, 2))
        assert {name: (row["points"], row["words"]) for name, row in got.items()} == {
            "anna": ("4.5", "0.5"),
            "ben": ("4", "1"),
        }
        assert got["anna"]["changed"] == (
            "by hand, words: 1 -> 0.5 (nearly); by hand, all: 1 (good questions); late, 1 day begun: -2"
        )
        assert "by hand, sum: 2 -&gt; 0 (copied)" in (class_.folder / "feedback/ben.html").read_text()
    assert "by-hand.csv names students without a submission: zoe" in class_.said
    for line, told in (
        ("anna,sums,1,", "tasks are sum, words, report"),
        ("anna,sum,nan,", "'nan' is no number"),
        ("zoe,,1,\nzoe,,2,", "or the student's second"),
    ):
        put(folder, {"by-hand.csv": f"student,task,points,why\n{line}\n".encode()})
        with pytest.raises(grading.GradingFailed, match=rf"by-hand\.csv, line \d: .*{told}"):
            class_(folder)


@pytest.mark.usefixtures("plain_pages")
def test_a_submission_called_as_the_file_of_points_stops_no_class(class_, tmp_path):
    folder = put(tmp_path / "in", {"anna.ipynb": text(solved("anna")), "by-hand.csv/work.ipynb": text()})
    got = class_(folder)
    assert got["anna"]["points"] == "6"
    assert len(got) == 2


@pytest.mark.parametrize(
    ("when", "mark", "days"),
    [
        ("2026-12-01T23:59+01:00", None, 0),
        ("2026-12-02T00:00+01:00", None, 1),
        ("2026-12-02T23:59:01", None, 2),
        (None, True, 1),
        (None, False, 0),
        (None, None, None),
    ],
)
def test_days_late_are_counted_from_what_is_known(when, mark, days):
    place = None if mark is None else platforms.Place("canvas", "a_1", "a", "1", "x.ipynb", mark)
    one = collect.Submission("a", "a", "a", Path(), place=place, when=datetime.fromisoformat(when) if when else None)
    assert table.Rules(datetime.fromisoformat("2026-12-01T23:59+01:00"), 1).days(one) == days


def test_a_time_keeps_its_zone():
    assert __main__._time("2026-12-01T23:59+01:00").utcoffset().total_seconds() == 3600
    assert __main__._time("2026-12-01T23:59").tzinfo
    assert __main__._time(None) is None


@pytest.mark.usefixtures("plain_pages")
def test_canvas_gets_what_it_imports(class_, tmp_path):
    names = b"submission,student\n101,ben@uni.example\ndocleo,cleo\n"
    got = class_(put(tmp_path / "in", CANVAS | {"names.csv": names}))
    assert [row["points"] for row in got.values()] == ["6", "6", "0"]
    assert "Canvas says that it was late" in got["docleo_LATE_102"]["remarks"]
    lines = list(csv.reader(io.StringIO((class_.folder / "canvas-grades.csv").read_text())))
    # lib/gradebook_importer.rb: Student, ID, the two SIS columns, and Section last before the assignments.
    assert lines[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LAB]
    assert lines[1:4] == [
        ["Points Possible", "", "", "", "", "6"],
        ["bergben", "101", "", "", "", "6"],
        ["docleo", "102", "", "", "", "6"],
    ]
    packed = zipfile.ZipFile(class_.folder / "canvas-feedback.zip").namelist()
    # app/models/assignment.rb, infer_comment_context_from_filename: user and attachment are the first two numbers between `_`.
    numbers = [[part for part in name.split("_") if re.fullmatch(r"\d+", part)][:2] for name in packed]
    assert numbers[:2] == [["101", "9001"], ["102", "9003"]]


@pytest.mark.usefixtures("plain_pages")
@pytest.mark.parametrize("folder", [f"{MOODLE}/", f"{MOODLE}_/", f"{MOODLE}_"])
def test_moodle_gets_what_it_imports(folder, class_, tmp_path):
    class_(
        put(
            tmp_path / "in",
            {f"{folder}{LAB}.ipynb": text(), "names.csv": "submission,student\nAnna Kovács,anna\n".encode()},
        )
    )
    (row,) = csv.DictReader(io.StringIO((class_.folder / "moodle-grades.csv").read_text()))
    # mod/assign/feedback/offline/importgradeslib.php: the three columns it has to have, the number after "Participant ".
    assert (row["Identifier"], row["Grade"]) == ("Participant 1234567", "6")
    assert "Last modified (grade)" in row
    (name,) = zipfile.ZipFile(class_.folder / "moodle-feedback.zip").namelist()
    # mod/assign/feedback/file/importziplib.php: explode('_', first part of the path, 5).
    assert name.split("/")[0].split("_", 4)[1:4] == ["1234567", "assignsubmission", "file"]
    assert name.endswith(f"{LAB}.html")


@pytest.mark.usefixtures("plain_pages")
def test_statistics_say_how_each_task_went(class_, tmp_path):
    wrong = "WORDS = ['<b>', 'x']"
    files = {"anna": {}, "ben": {"words": wrong}, "cleo": {"words": wrong, "sum": "TOTAL = 12"}}
    class_(put(tmp_path / "in", {f"{name}.ipynb": text(solved(name, **cells)) for name, cells in files.items()}))
    page = (class_.folder / "statistics.html").read_text()
    assert "3 submissions" in page
    cells = re.sub(r"(\s|<[^>]*>)+", " ", page)
    assert "The sum 1.5 of 2 1.5 2 1 0 1 × `TOTAL` is not" in cells
    assert "The words 0.33 of 1 0.33 1 0 2 2 × `WORDS` has to be a list of two words" in cells
    assert "http" not in page
    assert len(page) < 20_000


@pytest.mark.usefixtures("plain_pages")
def test_pairs_that_are_nearly_the_same_are_told(class_, tmp_path):
    long = "\n".join(
        f"value_{number} = compute({number}, {number * number}, 'own way {number * 7919}')" for number in range(40)
    )
    files = {
        "anna": long,
        "ben": long.replace("value_1 ", "other "),
        "cleo": long[::-1].replace("\n", "\n# "),
        "dan": "1",
    }
    got = class_(
        put(
            tmp_path / "in",
            {f"{name}.ipynb": text(solved(name, words=f"'''\n{own}\n'''")) for name, own in files.items()},
        )
    )
    assert re.search(r"nearly the same as ben \(9\d %\)", got["anna"]["remarks"])
    assert "nearly the same as anna" in got["ben"]["remarks"]
    assert not any("nearly" in got[name]["remarks"] for name in ("cleo", "dan"))
    page = (class_.folder / "feedback/ben.html").read_text()
    assert "<b>ben: " in page
    assert "nearly" not in page


# What is handed out.


def test_a_class_gets_the_labs_with_its_salt(tmp_path):
    labs = put(tmp_path / "labs", {f"{LAB}/{LAB}.ipynb": text(unsolved()), f"{LAB}/data.csv": b"1"})
    assert hand_out.hand_out(tmp_path / "class", "2026-a", labs) == "2026-a"
    begun = f'workspace = checks.begin("{LAB}", STUDENT, salt="2026-a")'
    node = form.read(tmp_path / f"class/{LAB}/{LAB}.ipynb")
    assert [cell.source.splitlines()[0] for cell in node.cells if "checks.begin" in cell.source] == [begun]
    assert (tmp_path / f"class/{LAB}/data.csv").read_bytes() == b"1"
    assert len(hand_out.hand_out(tmp_path / "other", "", labs)) == 12
    for folder, salt, told in (("class", "", "is not empty"), ("new", 'x"', "has to be of letters")):
        with pytest.raises(ValueError, match=told):
            hand_out.hand_out(tmp_path / folder, salt, labs)
