"""Tests of one group are run by one worker, whatever file they are in, and those that share a fixture of their file; files that wait are among others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TESTS = """
import os, pytest

pytestmark = pytest.mark.xdist_group("{group}")


@pytest.mark.parametrize("number", range(4))
def test_it(number):
    with open("{group}", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")
"""

SHARED = """
import os, pytest


@pytest.fixture(scope="module")
def shared():
    with open("shared", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")


@pytest.mark.parametrize("number", range(4))
def test_it(number, shared): pass


@pytest.mark.parametrize("number", range(4))
def test_alone(number): pass
"""

TWO = """
import pytest

{mark}
def test_one(): pass

{mark}
def test_two(): pass
"""

NAMED = """
import os


def test_it():
    with open("{name}", "w") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"])
"""


def run_pytest(folder, root, *options: str) -> str:
    """With the plugins that it takes, and without those that other packages bring along."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    plugins = ["-p", "xdist", "-p", "worker_groups", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugins],
        cwd=folder,
        env=variables | {"PYTHONPATH": str(root / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.long
def test_a_group_has_one_worker(tmp_path, root):
    for file, group in {"test_a.py": "one", "test_b.py": "other", "test_c.py": "one"}.items():
        (tmp_path / file).write_text(TESTS.format(group=group))
    (tmp_path / "test_d.py").write_text(SHARED)
    run_pytest(tmp_path, root, "-q", "-n", "2", "--dist", "loadgroup")
    one, other = ((tmp_path / group).read_text().split() for group in ("one", "other"))
    assert (len(one), len(other)) == (8, 4)
    assert len(set(one)) == len(set(other)) == 1
    assert set(one) != set(other)
    assert len((tmp_path / "shared").read_text().split()) == 1


def test_what_is_long_comes_first_and_files_that_wait_are_among_those_that_work(tmp_path, root):
    """Counted are those that are run: a file of long tests alone does not keep two others apart."""
    for name in ("unit/a", "unit/b", *(f"pipeline/{one}" for one in "cdefg"), "browser/h", "browser/i", "notebooks/j"):
        path = tmp_path / f"{name[:-1]}test_{name[-1]}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(TWO.format(mark="@pytest.mark.long" if name[-1] in "bc" else ""))
    (tmp_path / "unit" / "test_b.py").write_text(
        "import pytest\ndef test_it(): pass\n@pytest.mark.long\ndef test_long(): pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long: x\n")

    def order(*options: str) -> str:
        said = run_pytest(tmp_path, root, "-q", "--collect-only", *options)
        return "".join(line.partition(".py::")[0][-1] for line in said.splitlines() if "::" in line)

    assert order("-m", "not long") == "ddeehhffggiijjaab"
    assert order() == "ccddhheeffiiggjjbbaa"


def test_a_third_worker_has_no_file_of_the_pipeline_unless_long_tests_are_run(tmp_path, root):
    for name in "abcd":
        path = tmp_path / "pipeline" / f"test_{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(NAMED.format(name=name))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long: x\n")
    options = ("-q", "-n", "3", "--dist", "loadgroup", "pipeline")
    run_pytest(tmp_path, root, *options, "-m", "not long")
    workers = {name: (tmp_path / name).read_text() for name in "abcd"}
    assert workers["a"] == workers["c"] != workers["b"] == workers["d"]
    run_pytest(tmp_path, root, *options)
    assert len({(tmp_path / name).read_text() for name in "abcd"}) == 3
