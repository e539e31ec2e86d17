"""Tests of one group are run by one worker, whatever file they are in, and those that share a fixture of their file."""

from __future__ import annotations

import os
import subprocess
import sys

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


def test_a_group_has_one_worker(tmp_path, root):
    for file, group in {"test_a.py": "one", "test_b.py": "other", "test_c.py": "one"}.items():
        (tmp_path / file).write_text(TESTS.format(group=group))
    (tmp_path / "test_d.py").write_text(SHARED)
    options = ["-q", "-n", "2", "--dist", "loadgroup", "-p", "worker_groups", "-p", "no:cacheprovider"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env=variables | {"PYTHONPATH": str(root / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    one, other = ((tmp_path / group).read_text().split() for group in ("one", "other"))
    assert (len(one), len(other)) == (8, 4)
    assert len(set(one)) == len(set(other)) == 1
    assert set(one) != set(other)
    assert len((tmp_path / "shared").read_text().split()) == 1
