"""Importing TFX quietly: chatter is swallowed, an import that fails shows all of it, and later errors are heard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(program: str, folder) -> subprocess.CompletedProcess:
    """Runs a program that finds the `tfx` of a folder before the installed one."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def fake_tfx(tmp_path):
    """Stands in for TFX: a module that speaks to standard error while it loads, as TensorFlow's C++ side does."""

    def make(body: str):
        (tmp_path / "tfx").mkdir()
        (tmp_path / "tfx/__init__.py").write_text("")
        (tmp_path / "tfx/v1.py").write_text(f"import os\nos.write(2, b'cuInit: no device\\n')\n{body}\n")
        return tmp_path

    return make


def test_chatter_of_a_good_import_is_swallowed(fake_tfx):
    ended = run("from engines.quiet import import_quietly; import_quietly(); import tfx.v1", fake_tfx(""))
    assert ended.returncode == 0
    assert ended.stderr == ""


@pytest.mark.parametrize("failure", ["raise ImportError('glibc is too old')", "import no_such_module"])
def test_failed_import_shows_everything(failure, fake_tfx):
    ended = run("from engines.quiet import import_quietly; import_quietly()", fake_tfx(failure))
    assert ended.returncode == 1
    assert "cuInit: no device" in ended.stderr
    assert "Traceback" in ended.stderr
    assert ended.stderr.rstrip().endswith(("glibc is too old", "No module named 'no_such_module'"))


def test_standard_error_works_again_afterwards(fake_tfx):
    program = "import os; from engines.quiet import import_quietly; import_quietly(); os.write(2, b'heard')"
    assert run(program, fake_tfx("")).stderr == "heard"


def test_errors_are_logged_and_warnings_are_not(fake_tfx):
    program = """
import logging, warnings
from engines.quiet import import_quietly
import_quietly()
for name in ("tensorflow", "apache_beam.runners", "tfx"):
    logging.getLogger(name).error("error of %s", name)
    logging.getLogger(name).warning("warning of %s", name)
from absl import logging as absl_logging
absl_logging.error("error of absl")
absl_logging.warning("warning of absl")
warnings.warn("old", FutureWarning)
"""
    said = run(program, fake_tfx("")).stderr
    for name in ("tensorflow", "apache_beam.runners", "tfx", "absl"):
        assert f"error of {name}" in said
    assert "warning of" not in said
    assert "FutureWarning" not in said


def test_choice_of_the_user_is_kept(fake_tfx):
    program = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
from engines.quiet import import_quietly
import_quietly()
print(os.environ["TF_CPP_MIN_LOG_LEVEL"])
"""
    assert run(program, fake_tfx("")).stdout == "0\n"


@pytest.mark.parametrize("home", ["/dev/null/nobody", None])
def test_process_without_a_home_has_an_empty_one_as_long_as_it_runs(home, fake_tfx):
    """Unset it is the one of the system's list of users, in which the user of a container need not be."""
    lacking = (
        "del os.environ['HOME']; pwd.getpwuid = lambda number: {}[number]"
        if home is None
        else f"os.environ['HOME'] = {home!r}"
    )
    program = f"""
import os, pwd
{lacking}
from engines.quiet import import_quietly
import_quietly()
from pathlib import Path
assert Path.home().is_dir() and not list(Path.home().iterdir())
(Path.home() / "cache").mkdir()
print(Path.home())
if not os.fork():
    raise SystemExit
os.wait()
assert Path.home().is_dir()
"""
    ended = run(program, fake_tfx(""))
    assert ended.returncode == 0, ended.stderr
    assert not Path(ended.stdout.split()[0]).exists()


def test_home_that_can_be_written_is_kept(fake_tfx):
    home = fake_tfx("")
    program = f"import os; os.environ['HOME'] = {str(home)!r}; from engines.quiet import import_quietly; import_quietly(); print(os.environ['HOME'])"
    assert run(program, home).stdout == f"{home}\n"
