"""TensorBoard in a lesson: on this machine only, stopped when it is told to, and stable where it is stored."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from course.board import Board


def _log(folder: Path, **values: float) -> None:
    """Writes events of one step, in the form that Keras's callback writes: values as tensors."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir()
    with open(folder / "events.out.tfevents.1.host.v2", "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1, file_version="brain.Event:2").SerializeToString())
        for name, value in values.items():
            writer.write(Event(wall_time=1, step=1, summary=scalar_pb(name, value)).SerializeToString())


def _values(board: Board, name: str) -> list[float]:
    """What the board shows of a scalar; it reads the logs after it has begun to answer."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{board.url}data/plugin/scalars/scalars?run=first/.&tag={name}") as found:
                return [value for _, _, value in json.load(found)]
        except urllib.error.HTTPError:
            time.sleep(0.1)
    return []


@pytest.fixture
def board(tmp_path: Path):
    pytest.importorskip("tensorboard")
    _log(tmp_path / "run", loss=0.25)
    running = Board({"first": tmp_path / "run"})
    yield running
    running.stop()


def test_a_board_answers_on_this_machine_and_stops(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    assert board.url.startswith(("http://127.0.0.1:", "http://localhost:"))
    with urllib.request.urlopen(board.url, timeout=30) as page:
        assert b"TensorBoard" in page.read()
    assert _values(board, "loss") == [0.25]
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
