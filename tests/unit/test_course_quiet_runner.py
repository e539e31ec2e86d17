"""What TFX's runner logs beside an exception is not shown; other errors are."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from course import quiet


@pytest.fixture
def absl_says(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What gets through absl's logger."""
    logger, said = logging.getLogger("absl"), []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    logger.addFilter(quiet.tells_more_than_the_exception)
    return said


def test_failed_execution_is_told_by_its_exception_only(absl_says: list[str]) -> None:
    logging.getLogger("absl").error("Execution %d failed.", 6)
    logging.getLogger("absl").error("Disk full.")
    assert absl_says == ["Disk full."]


def test_tfx_still_logs_the_line_that_is_left_out() -> None:
    import importlib.util

    origin = importlib.util.find_spec("tfx").submodule_search_locations[0]
    launcher = Path(origin) / "orchestration/portable/launcher.py"
    assert "'Execution %d failed.'" in launcher.read_text()


def test_what_child_processes_write_goes_nowhere_and_comes_again(capfd: pytest.CaptureFixture[str]) -> None:
    write = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"]
    with quiet.children():
        subprocess.run(write, check=True)
    assert capfd.readouterr() == ("", "")
    subprocess.run(write, check=True)
    assert capfd.readouterr() == ("out\n", "err\n")


def test_after_an_error_children_are_heard_again(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), quiet.children():
        raise KeyError("x")
    subprocess.run([sys.executable, "-c", "print('out')"], check=True)
    assert capfd.readouterr().out == "out\n"
