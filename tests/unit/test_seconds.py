"""Processor seconds of the tests: what is summed and what not, the table, and pytest's part, also when it is interrupted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools.checks import seconds
from warm import usage

PASSED = [{"ended": 0, "chosen": "not long"}]


def test_forks_count_unless_they_are_in_the_sum_of_who_waited_for_their_server():
    run = {
        "tests/a.py": [{"seconds": 1.0}, {"seconds": 2.0, "server": "of/itself"}, {"seconds": 4.0, "server": "shared"}],
        "tests/b.py": [{"seconds": 8.0}, {"waited": "of/itself"}, {"count": "imports"}, {"count": "pipelines"}],
    }
    assert seconds.sums(run) == {"tests/b.py": (8.0, 1, 1), "tests/a.py": (5.0, 0, 0)}
    assert list(seconds.sums(run)) == ["tests/b.py", "tests/a.py"]


def test_table_has_all_and_by_kind_the_files():
    small = {name: [{"seconds": 0.25}] for name in ("tests/unit/c.py", "tests/unit/d.py")}
    tfx = {"tests/unit/e.py": [{"seconds": 0.5}, {"count": "imports"}]}
    notebooks = {"labs/b.ipynb": [{"seconds": 1.5}], "notebooks/a.ipynb": [{"seconds": 3.0}]}
    run = {**small, **tfx, **notebooks, seconds.PYTEST: [{"seconds": 0.5}, *PASSED]}
    assert seconds.table(run).splitlines()[2:] == [
        "| **all** | 6.0 | 1 |  |",
        "| **notebooks** | 4.5 |  |  |",
        "| notebooks/a.ipynb | 3.0 |  |  |",
        "| labs/b.ipynb | 1.5 |  |  |",
        "| **unit** | 1.0 | 1 |  |",
        "| tests/unit/e.py | 0.5 | 1 |  |",
        "| 2 that used less than a second each | 0.5 |  |  |",
        f"| **{seconds.PYTEST}** | 0.5 |  |  |",
    ]
    assert seconds.table({}).splitlines()[2:] == ["| **all**, which is not over | 0.0 |  |  |"]


WHOLE = {f"tests/{kind}/a.py": [] for kind in ("unit", "contract", "pipeline", "browser", "grading")}
WHOLE |= {"notebooks/a.ipynb": [], seconds.PYTEST: PASSED}


@pytest.mark.parametrize("ending", [[], [{"ended": 1, "chosen": "not long"}], [{"ended": 0, "chosen": ""}]])
def test_docs_are_of_a_whole_run_that_has_passed(ending):
    assert seconds.is_whole(WHOLE)
    assert not seconds.is_whole(WHOLE | {seconds.PYTEST: ending})


@pytest.mark.parametrize("without", WHOLE)
def test_docs_are_of_all_kinds_of_tests(without):
    assert not seconds.is_whole({name: lines for name, lines in WHOLE.items() if name != without})


def test_what_the_makefile_runs_is_noted_where_it_is_read(root):
    asked = re.findall(r" -m pytest .* --seconds (out/.*)", (root / "Makefile").read_text())
    assert [root / folder for folder in asked] == [seconds.FOLDER]


@pytest.fixture
def tfx(monkeypatch, tmp_path) -> type:
    """A stand-in for TFX's Pusher, which has the name and the method of `tfx.components.pusher.executor`."""

    class Executor:
        pushed = ()

        def Do(self, *arguments: object) -> None:
            Executor.pushed += arguments

    module = types.SimpleNamespace(Executor=Executor)
    monkeypatch.setitem(sys.modules, "tfx.components.pusher.executor", module)
    monkeypatch.setattr(usage, "_counted", False)
    monkeypatch.setenv(usage.FILE, str(tmp_path / "lines"))
    return Executor


def test_an_import_of_tfx_is_counted_once_and_each_pusher(tfx, tmp_path):
    usage.count_tfx()
    usage.count_tfx()
    tfx().Do("a", "b")
    tfx().Do("c")
    assert tfx.pushed == ("a", "b", "c")
    assert seconds.sums(seconds.read(tmp_path))["lines"] == (0.0, 1, 2)


def test_without_the_variable_nothing_is_counted_nor_changed(tfx, monkeypatch, tmp_path):
    monkeypatch.delenv(usage.FILE)
    before = tfx.Do
    usage.count_tfx()
    usage.note({"seconds": 1.0})
    assert tfx.Do is before
    assert not list(tmp_path.iterdir())


TESTS = {
    "test_one.py": "def test_it(): sum(range(10**7))\ndef test_child():\n    import os, subprocess, sys\n    child = {child!r}\n    subprocess.run([sys.executable, '-c', child], check=True)\n",
    "test_two.py": "def test_it():\n    import atexit, os\n    atexit.register(lambda: open('left', 'w').write(str(os.environ.get('WARM_USAGE'))))\ndef test_stops(): raise {error}\n",
}
CHILD = "import os\nwhile sum(os.times()[:2]) < 0.5: pass"


def run_pytest(folder: Path, root: Path, error: str, *options: str) -> tuple[int, str]:
    for name, text in TESTS.items():
        (folder / name).write_text(text.format(error=error, child=CHILD))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "processor_seconds",
        "-p",
        "xdist.plugin",
        "-p",
        "no:cacheprovider",
        "-q",
        *options,
    ]
    path = os.pathsep.join(map(str, (root, root / "tests", root / "src")))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "yes"  # all but xdist, which are most of the time of its start
    done = subprocess.run(
        [*command, "--seconds", "noted/run", "test_one.py", "test_two.py"],
        cwd=folder,
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("options", "error", "status", "outcome"),
    [
        pytest.param((), "KeyboardInterrupt", 2, "was interrupted", marks=pytest.mark.long),
        (("-n", "2", "--dist", "loadfile"), "ValueError", 1, "has failures"),
    ],
)
def test_pytest_notes_each_file_and_shows_the_table_at_its_end(root, tmp_path, options, error, status, outcome):
    ended, printed = run_pytest(tmp_path, root, error, *options)
    assert ended == status, printed
    assert f"| **all**, which {outcome} |" in printed
    found = seconds.sums(seconds.read(tmp_path / "noted" / "run"))
    assert set(found) == {"test_one.py", "test_two.py", seconds.PYTEST}
    assert found["test_one.py"].seconds > 0.5  # its child used them
    assert found["test_one.py"].seconds > found["test_two.py"].seconds
    assert (tmp_path / "left").read_text() == "None", (
        "what ends with its worker says of its forks that they are in a sum"
    )


def test_a_folder_with_other_things_is_not_emptied(root, tmp_path):
    kept = tmp_path / "noted" / "run" / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    ended, _ = run_pytest(tmp_path, root, "ValueError")
    assert ended == pytest.ExitCode.USAGE_ERROR
    assert kept.exists()
