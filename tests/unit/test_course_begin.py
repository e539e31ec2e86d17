"""`course.begin`: a folder of the lesson's own, quiet logs, and errors that still show."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client import KernelManager
from jupyter_client.manager import start_new_kernel

from course import imports, quiet
from course.begin import fresh_workspace, output_root


@pytest.fixture(autouse=True)
def _undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `quiet` changes in this process is as before after each test."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, os.environ.get(name, "0"))
    levels = {name: logging.getLogger(name).level for name in quiet.LOGGERS}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_OUT", str(tmp_path / "out"))
    return tmp_path / "out"


def test_workspace_is_new_and_empty_each_time(out: Path) -> None:
    first = fresh_workspace("00-first")
    (first / "left").mkdir()
    (first / "left" / "behind.txt").write_text("old")
    second = fresh_workspace("00-first")
    assert second == first == (out / "lessons" / "00-first").resolve()
    assert list(second.iterdir()) == []


def test_workspace_of_another_lesson_is_left_alone(out: Path) -> None:
    other = fresh_workspace("01-other")
    (other / "kept.txt").write_text("kept")
    fresh_workspace("00-first")
    assert (other / "kept.txt").read_text() == "kept"


def test_a_folder_that_begin_did_not_make_is_refused_not_emptied(out: Path) -> None:
    mine = out / "lessons" / "00-first"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("three years of work")
    with pytest.raises(FileExistsError, match="Move them away"):
        fresh_workspace("00-first")
    assert (mine / "thesis.txt").read_text() == "three years of work"


def test_a_link_in_its_place_is_removed_and_what_it_leads_to_stays(out: Path, tmp_path: Path) -> None:
    fresh_workspace("00-first").rmdir()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    (out / "lessons" / "00-first").symlink_to(precious)
    workspace = fresh_workspace("00-first")
    assert not workspace.is_symlink()
    assert (precious / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["", "..", "../other", "a/b", "/tmp/x", ".hidden", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(out: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        fresh_workspace(name)


class Kernel:
    """A kernel of the course in which a lesson begins."""

    def __init__(self, out: Path) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(
            kernel_name="mlops-course", env=os.environ | {"COURSE_OUT": str(out)}
        )

    def begin(self) -> str:
        """What the first cell of a lesson prints."""
        said: list[str] = []

        def hear(message: dict) -> None:
            said.append(message["content"].get("text", ""))

        code = "import course; print(course.begin('00-first').name)"
        reply = self.client.execute_interactive(code, output_hook=hear, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(said)

    def restart(self) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernels(out: Path, warm_kernels: object) -> Iterator[tuple[Kernel, Kernel]]:
    both = (Kernel(out), Kernel(out))
    yield both
    for kernel in both:
        kernel.end()


@pytest.mark.xdist_group("warm")
def test_second_kernel_in_a_lesson_is_told_and_leaves_the_folder_of_the_first(
    out: Path, kernels: tuple[Kernel, Kernel]
) -> None:
    first, second = kernels
    assert first.begin() == "00-first\n"
    (out / "lessons/00-first/answer.txt").write_text("an evening's work")
    mine = "00-first-2\n"
    told = (
        "Another kernel is working in out/lessons/00-first; this one has a folder of its own, out/lessons/00-first-2.\n"
    )
    assert second.begin() == told + mine
    assert second.begin() == told + mine, "the same when its first cell is run again"
    assert (out / "lessons/00-first/answer.txt").read_text() == "an evening's work"
    first.restart()
    assert first.begin() == "00-first\n"
    second.restart()
    first.end()
    assert second.begin() == told + mine, "a kernel that is restarted keeps its folder"


def test_folder_of_a_kernel_that_was_killed_is_free_though_its_children_live(out: Path) -> None:
    code = """import os, time
from course.begin import fresh_workspace
fresh_workspace("00-first")
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            assert fresh_workspace("00-first").name == "00-first-2"
            process.kill()
            process.wait()
            os.kill(child, 0)  # it lives
            assert fresh_workspace("00-first").name == "00-first"
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)


def test_file_system_without_locks_gives_the_folder_all_the_same(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOLCK is what fcntl(2) promises where a remote file system cannot lock."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert fresh_workspace("00-first").name == "00-first"


def test_output_goes_to_the_repository_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_OUT", raising=False)
    assert output_root() == Path(__file__).resolve().parents[2] / "out"


def test_import_brings_in_nothing_heavy_and_views_and_figures_need_no_tensorflow() -> None:
    heavy = ["tensorflow", "tfx", "apache_beam", "ml_metadata", "ipywidgets", "matplotlib", "pandas"]
    code = f"import course, sys; print([m for m in {heavy} if m in sys.modules]); course.views, course.figures"
    code += "; print([m for m in ('tensorflow', 'tfx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_native_noise_is_dropped_and_native_errors_pass(capfd: pytest.CaptureFixture[str]) -> None:
    lines = [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795451130.992136   12672 cudart_stub.cc:31] Could not find cuda drivers",
        "W0000 00:00:1795451130.992136   12672 something.cc:31] Perhaps",
        "2026-11-23 16:23:07.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] rebuild TensorFlow",
        "E0000 00:00:1795451130.992136   12672 real.cc:31] Out of memory",
        "F0000 00:00:1795451130.992136   12672 real.cc:32] Check failed",
        "ImportError: a traceback of Python's",
    ]
    with quiet.native_errors_only():
        os.write(2, "\n".join([*lines, ""]).encode())
    os.write(2, b"I0000 after it, everything passes\n")
    shown = capfd.readouterr().err.splitlines()
    assert shown == [*lines[4:], "I0000 after it, everything passes"]


def test_an_error_inside_of_the_silence_is_raised_and_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="real"), quiet.native_errors_only():
        raise ValueError("real")
    os.write(2, b"I0000 heard\n")
    assert "heard" in capfd.readouterr().err


def test_log_messages_below_errors_are_dropped_and_errors_are_not(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings():
        quiet.logs()
    for name in quiet.LOGGERS:
        logging.getLogger(f"{name}.part").warning("noise")
        logging.getLogger(f"{name}.part").error("serious")
    assert [record.getMessage() for record in caplog.records] == ["serious"] * len(quiet.LOGGERS)


def test_what_beam_says_of_a_module_that_is_there_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """The words are those of `apache_beam.ml.inference.base`."""
    with warnings.catch_warnings():
        quiet.logs()
    logging.warning("Resource module is not available for current platform, memory usage cannot be fetched.")
    logging.warning("a warning of the reader's own")
    assert [record.getMessage() for record in caplog.records] == ["a warning of the reader's own"]


def test_warnings_of_the_own_code_still_show() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        quiet.logs()
        warnings.warn_explicit("theirs", UserWarning, "x.py", 1, module="tensorflow.python.thing")
        warnings.warn_explicit("theirs", FutureWarning, "x.py", 1, module="apache_beam")
        warnings.warn_explicit("ours", UserWarning, "x.py", 1, module="__main__")
        warnings.warn_explicit("ours", UserWarning, "x.py", 1, module="flights.model")
    assert [str(one.message) for one in seen] == ["ours", "ours"]


def test_something_happens_around_an_import_once_and_the_module_is_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_for_test.py").write_text("seen = list(calls) if 'calls' in globals() else 'none'\nvalue = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    calls: list[str] = []

    class Around:
        def __init__(self, module: object) -> None:
            self.module = module

        def __enter__(self) -> None:
            calls.append(f"before {hasattr(self.module, 'value')}")

        def __exit__(self, *error: object) -> None:
            calls.append(f"after {hasattr(self.module, 'value')}")

    imports.around("made_for_test", Around)
    imports.around("made_for_test", Around)
    import made_for_test

    assert made_for_test.value == 7
    assert calls == ["before False", "after True"]
    assert type(made_for_test.__spec__.loader).__name__ == "SourceFileLoader"
    del sys.modules["made_for_test"]
