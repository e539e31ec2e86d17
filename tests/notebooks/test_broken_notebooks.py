"""A notebook that is broken on purpose turns the run red, and the message names the cell.

The run is the test that CI makes of each notebook, on copies of a small lesson; long tests have the command itself, and a real lesson.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import sample_lesson
import test_notebooks
from jupyter_client.connect import LocalPortCache
from papermill import engines
from papermill.iorw import write_ipynb

from tools.notebooks import __main__ as command
from tools.notebooks import execute, form, run

pytestmark = pytest.mark.slow
REAL = "02-plan"
"""The lesson that is broken: the one that runs fastest."""


def run_notebooks(*paths: Path) -> tuple[int, str]:
    """Starts the command on notebooks and returns its exit code and what it printed."""
    command = [sys.executable, "-m", "tools.notebooks", "run", *map(str, paths), "--at-a-time", "1"]
    done = subprocess.run(command, cwd=run.ROOT, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder for copies, from which `../data` leads to the course's data as it does from `notebooks/`."""
    top = tmp_path_factory.mktemp("net")
    (top / "data").symlink_to(run.ROOT / "data")
    (top / "notebooks").mkdir()
    return top / "notebooks"


@pytest.fixture(scope="module")
def saved(folder) -> nbformat.NotebookNode:
    """The sample lesson, executed and saved as a writer would."""
    path = folder / f"{sample_lesson.NAME}.ipynb"
    form.write(sample_lesson.source(), path)
    execute.save(path)
    return form.read(path)


def write(node: nbformat.NotebookNode, folder: Path, name: str) -> Path:
    path = folder / f"{name}.ipynb"
    form.write(node, path)
    return path


def code(node: nbformat.NotebookNode, number: int) -> nbformat.NotebookNode:
    return [cell for cell in node.cells if cell.cell_type == "code"][number - 1]


@pytest.fixture(scope="module")
def changed(saved, folder) -> Path:
    """A copy with a wrong number, other text, a removed output, and another error message, each in a cell of its own."""
    node = form.normalise(saved)
    code(node, 3).outputs[0].text = "4 flights\n"
    code(node, 3).outputs[1].data["text/plain"] = "41"
    code(node, 4).outputs.clear()
    code(node, 5).outputs[0].evalue = "nothing happened"
    code(node, 6).outputs[0].data["text/html"] = "<b>late: 2</b>"
    return write(node, folder, "changed")


@pytest.mark.long
def test_the_command_ends_with_an_error_where_a_notebook_is_broken_and_names_the_cell(saved, changed, folder):
    """That a run without a broken notebook ends with 0 is seen wherever all tests pass."""
    status, printed = run_notebooks(write(saved, folder, "unbroken"), changed)
    assert status == 1, printed
    assert "1 failed, 1 passed" in printed
    assert "code cell 3 (print(" in printed


def test_changed_outputs_turn_the_test_of_a_notebook_red_and_are_named(changed, pytestconfig):
    with pytest.raises(pytest.fail.Exception) as failed:
        test_notebooks.test_notebook_runs_and_shows_what_is_committed(changed, lambda *_: None, pytestconfig)
    printed = str(failed.value)
    for number, first_line in ((3, "print("), (4, "figure, axes"), (5, "1 / 0"), (6, "from IPython")):
        assert f"code cell {number} ({first_line}" in printed, printed
    for line in ("-4 flights", "+3 flights", "-41", "+40", "-nothing happened", "-<b>late: 2</b>"):
        assert line in printed, printed
    assert "the run shows it, the notebook does not" in printed
    assert "0 figures are committed, the run draws 1" in printed


def problem(node: nbformat.NotebookNode, folder: Path, name: str, timeout: float = 300) -> str:
    """Runs a notebook and returns what is wrong with it; fails when nothing is."""
    result = run.run(write(form.normalise(node), folder, name), timeout)
    assert result.problem, f"a broken notebook passed: {result}"
    return result.problem


def test_changed_figure_is_caught(saved, folder):
    """nbval does not compare pictures; the run does."""
    node = form.normalise(saved)
    code(node, 4).source = code(node, 4).source.replace(", delays)", ", delays[::-1])")
    told = problem(node, folder, "figure")
    assert "code cell 4 (figure, axes" in told
    assert "figure 1 differs from the committed one" in told


@pytest.mark.long
def test_exception_is_caught(saved, folder):
    """As it is where a notebook is saved, which is shown below."""
    node = form.normalise(saved)
    code(node, 3).source = "print('so far so good')\nraise ValueError('no such month')"
    told = problem(node, folder, "exception")
    assert "code cell 3 (print('so far so good')) failed" in told
    assert "ValueError: no such month" in told


@pytest.mark.long
def test_error_that_was_meant_and_does_not_come_is_caught(saved, folder):
    node = form.normalise(saved)
    code(node, 5).source = "1 / 1"
    assert "code cell 5 (1 / 1): its output is not the committed one" in problem(node, folder, "no-error")


def test_notebook_that_was_never_executed_is_caught(saved, folder):
    """nbval compares nothing in a cell that has no execution count, and passes it."""
    node = form.normalise(saved)
    code(node, 3).update(execution_count=None, outputs=[])
    assert "saved without having been executed: cell 6" in problem(node, folder, "unexecuted")


def test_dead_kernel_is_caught(saved, folder):
    node = form.normalise(saved)
    code(node, 3).source = "import os\nos._exit(1)"
    told = problem(node, folder, "dead")
    assert "code cell 3 (import os): the kernel died" in told
    assert "code cell 4" not in told


@pytest.mark.parametrize(("kernels", "runs"), [(1, True), (2, False)])
def test_kernel_whose_port_was_taken_meanwhile_is_started_once_more(kernels, runs, folder, monkeypatch):
    """Jupyter finds a free port, and the kernel listens there some time later: here another program does, for so many kernels."""
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    path, real, asked = write(node, folder, "taken"), LocalPortCache.find_available_port, []
    with socket.create_server(("127.0.0.1", 0)) as other:

        def find(self: LocalPortCache, ip: str) -> int:
            asked.append(ip)
            first_of_its_kernel = len(asked) % 5 == 1
            return other.getsockname()[1] if first_of_its_kernel and len(asked) <= 5 * kernels else real(self, ip)

        monkeypatch.setattr(LocalPortCache, "find_available_port", find)
        if runs:
            assert execute.execute(path).cells[0].outputs[0].data["text/plain"] == "42"
        else:
            with pytest.raises(execute.NotebookFailed, match="the kernel gave no answer"):
                execute.execute(path)
    assert len(asked) == 10


def test_notebook_that_does_not_end_is_stopped(saved, folder):
    node = form.normalise(saved)
    code(node, 3).source = "import time; time.sleep(600)"  # a loop would take a core from what else is tested
    told = problem(node, folder, "endless", timeout=30)
    assert "code cell 3 (import time; time.sleep(600)): it was not done after 30 seconds" in told


def test_papermill_sets_parameters_and_does_not_write_after_each_cell(saved, folder, monkeypatch):
    path, written = write(saved, folder, "parameters"), []
    monkeypatch.setattr(engines, "write_ipynb", lambda nb, to: written.append(to) or write_ipynb(nb, to))
    assert execute.own_parameters(path) == {"delays": [5, 10, 25]}
    executed = execute.execute(path, {"delays": [1, 2]})
    assert len(written) == 2  # before the first cell, and at the end
    assert code(executed, 3).outputs[0].text == "2 flights\n"
    assert [cell.id for cell in executed.cells] == [cell.id for cell in saved.cells]


def test_failed_save_leaves_the_notebook_as_it_was(saved, folder, capsys):
    node = form.normalise(saved)
    code(node, 3).source = 'raise ValueError("no such month")'
    path = write(node, folder, "unsaved")
    before = path.read_bytes()
    assert command.main(["save", str(path)]) == 1
    said = capsys.readouterr().err
    assert 'code cell 3 (raise ValueError("no such month")) failed' in said
    assert "ValueError: no such month" in said
    assert path.read_bytes() == before
    kept = re.search(r"as far as it came: (\S+)", said)
    assert kept
    assert (run.ROOT / kept[1]).exists()


@pytest.mark.long
def test_saving_again_changes_nothing(saved, folder):
    path = write(saved, folder, sample_lesson.NAME)
    before = path.read_bytes()
    execute.save(path)
    assert path.read_bytes() == before


# A lesson in parts: its exercises are tried while it runs.


@pytest.fixture(scope="module")
def _exercises(folder) -> Iterator[None]:
    """Kernels find the checks of the sample's exercises beside the notebook: by PYTHONPATH they would be forks of a process of their own."""
    (folder / "sample_exercises").symlink_to(run.ROOT / "tests" / "sample_exercises")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_EXERCISES", "sample_exercises")
        yield


@pytest.fixture(scope="module")
def in_parts(_exercises, folder) -> nbformat.NotebookNode:
    """The sample lesson in parts, executed and saved as a writer would."""
    path = folder / f"{sample_lesson.NAME}.ipynb"
    form.write(sample_lesson.in_parts(), path)
    execute.save(path)
    return form.read(path)


def test_exercises_are_committed_unsolved_and_proved_when_they_run(in_parts, folder):
    shown = [cell.outputs[0].data["text/plain"] for cell in in_parts.cells if "exercise" in form.tags(cell)]
    assert [text.partition(".")[0] for text in shown] == [
        f"{title}: not answered yet" for title, *_ in sample_lesson.EXERCISES
    ]
    result = run.run(write(in_parts, folder, "exercises"))
    assert result.problem is None
    assert result.note.endswith("3 exercises")


def test_exercise_whose_opened_answer_is_not_accepted_turns_the_run_red(in_parts, folder):
    node = form.normalise(in_parts)
    answer = next(cell for cell in node.cells if "max(delays)" in cell.source)
    answer.source = answer.source.replace("max(delays)", "min(delays)")
    told = problem(node, folder, "wrong-answer")
    assert '(# Proof of the exercise "longest") failed' in told
    assert "the opened answer has to be 'right', and the check says: The longest delay: not right yet" in told


# A real lesson: its first cells, so that the test takes seconds, and what they show changed.


@pytest.fixture(scope="module")
def lesson(folder) -> nbformat.NotebookNode:
    path = run.ROOT / "notebooks" / f"{REAL}.ipynb"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    return form.read(path)


def first_cells(lesson: nbformat.NotebookNode, showing: int) -> tuple[nbformat.NotebookNode, list[int]]:
    """Returns a copy that ends with the given number of cells that show text, and the places of those among the code cells."""
    node = form.normalise(lesson)
    places, number = [], 0
    for index, cell in enumerate(node.cells):
        if cell.cell_type != "code":
            continue
        number += 1
        texts = [
            output
            for output in cell.outputs
            if output.output_type == "stream" or "text/plain" in output.get("data", {})
        ]
        if texts and "nbval-ignore-output" not in form.tags(cell):
            places.append(number)
        if len(places) == showing:
            node.cells = node.cells[: index + 1]
            return node, places
    pytest.fail(f"{REAL} has fewer than {showing} cells whose text is compared")


def change_first_text(cell: nbformat.NotebookNode) -> None:
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = "1234.5 " + output.text
            return
        if "text/plain" in output.get("data", {}):
            output.data["text/plain"] = "1234.5 " + output.data["text/plain"]
            return


@pytest.mark.long
def test_real_lesson_broken_turns_the_run_red(lesson, folder):
    node, (changed, removed) = first_cells(lesson, showing=2)
    change_first_text(code(node, changed))
    code(node, removed).outputs.clear()
    path = write(form.normalise(node), folder, REAL)
    result = run.run(path)
    assert result.problem, "a broken lesson passed"
    for number in (changed, removed):
        assert re.search(rf"code cell {number} \(.*\): its output is not the committed one", result.problem), (
            result.problem
        )
    assert "1234.5" in result.problem
    others = set(map(int, re.findall(r"code cell (\d+) ", result.problem))) - {changed, removed}
    assert not others, f"cells that are not broken were blamed too:\n{result.problem}"
