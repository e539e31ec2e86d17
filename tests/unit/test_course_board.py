"""TensorBoard in a lesson: on this machine only, stopped when it is told to, and stable where it is stored."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from course.board import Board


@pytest.fixture
def board(tmp_path: Path):
    pytest.importorskip("tensorboard")
    (tmp_path / "run").mkdir()
    running = Board({"first": tmp_path / "run"})
    yield running
    running.stop()


def test_a_board_answers_on_this_machine_and_stops(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    assert board.url.startswith(("http://127.0.0.1:", "http://localhost:"))
    with urllib.request.urlopen(board.url, timeout=30) as page:
        assert b"TensorBoard" in page.read()
    monkeypatch.setenv("COURSE_LIVE", "1")
    assert board.url in board._repr_mimebundle_()["text/html"]
    monkeypatch.setenv("COURSE_LIVE", "0")
    assert board._repr_mimebundle_() == {"text/plain": "TensorBoard is running, on this machine only."}
    board.stop()
    board.stop()
    assert not board.running()
    assert repr(board) == "TensorBoard has stopped."
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(board.url, timeout=5)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Board(tmp_path / "nowhere")


def test_a_board_ends_with_its_kernel_even_if_that_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    code = "import sys; from course.board import Board; print(Board(sys.argv[1]).url, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as kernel:
        url = kernel.stdout.readline().strip()
        urllib.request.urlopen(url, timeout=30).close()
        kernel.kill()
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("TensorBoard outlived its kernel")
