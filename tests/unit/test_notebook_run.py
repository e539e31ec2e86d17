"""What is run, and how it is reported."""

from __future__ import annotations

import re
import subprocess
import sys

import sample_lesson
from nbval.plugin import get_sanitize_patterns

from tools.notebooks import __main__ as command
from tools.notebooks import execute, form, run


def test_notebooks_are_told_apart_by_their_folder():
    paths = [
        run.ROOT / "notebooks" / "00-a.ipynb",
        run.ROOT / "solutions" / "l" / "l.ipynb",
        run.ROOT / "labs" / "l" / "l.ipynb",
    ]
    assert [run.kind(path) for path in paths] == ["lesson", "solution", "lab"]


def test_copies_that_jupyter_keeps_are_not_notebooks_of_the_course(tmp_path):
    for name in ("notebooks/00-a.ipynb", "notebooks/.ipynb_checkpoints/00-a-checkpoint.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in run.notebooks("notebooks", tmp_path)] == ["00-a.ipynb"]


def test_report_shows_times_and_what_is_wrong():
    results = [
        run.Result("notebooks/01-b.ipynb", 61.4, "cell 7, code cell 3 (x): its output is not the committed one."),
        run.Result("notebooks/00-a.ipynb", 58.0, None, "12 outputs, 3 figures"),
    ]
    lines = run.report(results).splitlines()
    assert re.fullmatch(r"\| notebooks/00-a.ipynb \| passed \| 58 +\| 12 outputs, 3 figures \|", lines[2])
    assert re.match(r"\| notebooks/01-b.ipynb \| FAILED \| 61 ", lines[3])
    assert "cell 7, code cell 3 (x): its output is not the committed one." in lines


def test_report_says_which_folders_are_empty(monkeypatch):
    monkeypatch.setattr(run, "notebooks", lambda folder: [])
    assert "No notebooks yet in: notebooks/, solutions/, labs/." in run.report([])


def test_patterns_of_nbval_are_read():
    text = run.SANITIZE.read_text()
    assert len(get_sanitize_patterns(text)) == len(re.findall("^regex:", text, re.MULTILINE)) > 0


def test_workspace_is_private_and_goes():
    with execute.private_workspace() as first, execute.private_workspace() as second:
        assert first["COURSE_OUT"] != second["COURSE_OUT"]
    assert first["COURSE_LIVE"] == "0"


def test_parameter_that_a_notebook_does_not_have_is_refused(tmp_path, capsys):
    path = tmp_path / "90-sample.ipynb"
    form.write(sample_lesson.source(), path)
    status = command.main(["save", str(path), "-p", "delay=1", "--output", str(tmp_path / "out.ipynb")])
    assert status == 1
    assert "has no parameter delay; it has delays" in capsys.readouterr().err


def test_parameters_go_to_another_file_only(tmp_path):
    path = tmp_path / "90-sample.ipynb"
    form.write(sample_lesson.source(), path)
    done = subprocess.run(
        [sys.executable, "-m", "tools.notebooks", "save", str(path), "-p", "delays=[1]"],
        cwd=run.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--output" in done.stderr


def test_notebook_that_is_not_there_is_named(capsys):
    assert command.main(["save", "notebooks/no-such.ipynb"]) == 1
    assert "no-such.ipynb" in capsys.readouterr().err


def test_run_ends_as_the_tests_of_its_notebooks_do(tmp_path, monkeypatch):
    """pytest's exit status is 1 where some tests failed (its documentation, "Exit codes"); a long test has the real one."""
    started = []
    monkeypatch.setattr(
        command.subprocess,
        "run",
        lambda words, **_: started.append(words) or subprocess.CompletedProcess(words, len(started) - 1),
    )
    path = tmp_path / "90-sample.ipynb"
    path.touch()
    assert [command.main(["run", str(path)]) for _ in range(2)] == [0, 1]
    assert started[0][:4] == [sys.executable, "-m", "pytest", "tests/notebooks/test_notebooks.py"]
    assert started[0][-2:] == ["--notebook", str(path)]


def test_check_format_fails_on_a_notebook_that_was_not_saved(tmp_path, capsys):
    path = tmp_path / "90-sample.ipynb"
    form.write(sample_lesson.with_outputs(), path)
    assert command.main(["check-format", str(path)]) == 0
    path.write_text(path.read_text().replace("[5, 10, 25]", "[5, 10, 26]"))
    assert command.main(["check-format", str(path)]) == 1
    assert "cell 3: the id does not follow" in capsys.readouterr().err


def test_check_names_the_cell(tmp_path, capsys):
    path = tmp_path / "90-sample.ipynb"
    node = sample_lesson.with_outputs()
    node.cells[5].source = "!pip install x"
    form.write(form.normalise(node), path)
    assert command.main(["check", str(path)]) == 1
    assert f"{path}, cell 6: line 1 runs a shell or an installer" in capsys.readouterr().err
