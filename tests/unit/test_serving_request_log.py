"""The log of requests: whole lines, in order, rotated, and counted where they are lost."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from serving import request_log
from serving.request_log import Answer, RequestLog


def answer(number: int, rows: int = 2) -> Answer:
    key = {"month": [number] * rows, "carrier": [None, "UA", "é\n"][:rows]}
    return Answer(1_769_860_800.5, f"id-{number}", 3, "champion", key, [0.25, 0.5, 0.75][:rows])


def test_each_row_is_a_line_with_its_key_columns(tmp_path):
    log = RequestLog(tmp_path / "new" / "requests.jsonl")
    log.put(answer(7, 3))
    log.close()
    lines = (tmp_path / "new" / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    head = {"time": "2026-01-31T12:00:00.500000+00:00", "id": "id-7", "version": 3, "role": "champion", "month": 7}
    assert [json.loads(line) for line in lines] == [
        head | {"carrier": None, "prediction": 0.25},
        head | {"carrier": "UA", "prediction": 0.5},
        head | {"carrier": "é\n", "prediction": 0.75},
    ]
    assert list(json.loads(lines[0])) == ["time", "id", "version", "role", "month", "carrier", "prediction"]
    assert list(request_log.read(log.file)) == [json.loads(line) for line in lines]


def test_nothing_is_lost_on_an_ordinary_end_though_many_write_at_once(tmp_path):
    log = RequestLog(tmp_path / "log")
    many = [
        threading.Thread(target=lambda at=at: [log.put(answer(at + n)) for n in range(100)]) for at in (0, 1000, 2000)
    ]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    log.close()
    found = list(request_log.read(log.file))
    assert len(found) == 600
    assert log.lost == 0
    for at in (0, 1000, 2000):
        assert [one["month"] for one in found if one["month"] // 1000 == at // 1000][::2] == list(range(at, at + 100))


def test_a_full_file_is_rotated_and_read_in_order(tmp_path):
    log = RequestLog(tmp_path / "log", largest=1000, kept=3)
    for number in range(40):
        log.put(answer(number, 1))
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2", "log.3"}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    months = [one["month"] for one in request_log.read(log.file)]
    assert months == list(range(40 - len(months), 40))
    assert len(months) > 20


def test_a_later_server_goes_on_behind_what_an_earlier_one_has_written(tmp_path):
    for number in (1, 2):
        log = RequestLog(tmp_path / "log")
        log.put(answer(number, 1))
        log.close()
    assert [one["month"] for one in request_log.read(tmp_path / "log")] == [1, 2]


@pytest.mark.parametrize("half", ['{"time": "20', "x" * 10_000, "", '{"a": 1}'])
def test_a_line_that_a_killed_process_left_half_written_is_cut_off(half, tmp_path):
    for whole in ("", '{"month": 1}\n', '{"month": 1}\n' * 1000):
        (tmp_path / "log").write_text(whole + half)
        assert len(list(request_log.read(tmp_path / "log"))) == whole.count("\n")
        log = RequestLog(tmp_path / "log")
        log.put(answer(2, 1))
        log.close()
        text = (tmp_path / "log").read_text()
        assert text.startswith(whole)
        assert text.count("\n") == whole.count("\n") + 1
        assert json.loads(text.splitlines()[-1])["month"] == 2


def test_what_was_written_before_a_kill_stays_whole(tmp_path):
    """Of a process that is killed while it writes, all lines but the last are whole, and in order from the first on."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from tests.unit.test_serving_request_log import answer\n"
        "from serving.request_log import RequestLog\n"
        "log = RequestLog(sys.argv[1]); number = 0\n"
        "while True:\n"
        "    log.put(answer(number, 1)); number += 1\n"
        "    if number == 500: print('begun', flush=True)\n"
    )
    # A small queue of its own: what does not fit is lost, and so the numbers have gaps, but never go back.
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log"), *sys.path], stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    while not (tmp_path / "log").stat().st_size:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    months = [one["month"] for one in request_log.read(tmp_path / "log")]
    assert months
    assert months == sorted(set(months))
    assert months[0] == 0


def test_what_the_disk_refuses_is_counted_told_once_and_holds_up_nothing(tmp_path, monkeypatch, caplog):
    log = RequestLog(tmp_path / "log")

    class Full:
        closed = False

        def write(self, _):
            raise OSError("no space left on device")

        def flush(self):
            pass

        def close(self):
            pass

        def seek(self, *_):
            pass

        def tell(self):
            return 0

        def fileno(self):
            return stream.fileno()

    stream, log._handler.stream = log._handler.stream, Full()
    with caplog.at_level(logging.ERROR, "serving"):
        for number in range(5):
            log.put(answer(number, 3))
        log.put(answer(9, 3))
        log.close()
    stream.close()
    assert log.lost == 18
    assert len([message for message in caplog.messages if "cannot be written" in message]) == 1


def test_an_answer_that_no_json_holds_is_lost_alone(tmp_path):
    log = RequestLog(tmp_path / "log")
    log.put(answer(1, 1))
    log.put(answer(2, 3)._replace(id="\ud800"))
    log.put(answer(3, 1)._replace(version=2**70))
    log.put(answer(4, 1))
    log.close()
    assert [one["month"] for one in request_log.read(log.file)] == [1, 4]
    assert log.lost == 4


def test_a_file_that_is_moved_or_removed_is_begun_anew(tmp_path):
    """As logrotate and a tidy user do; lines for a file without a name would be neither found nor counted as lost."""
    log = RequestLog(tmp_path / "folder" / "log")

    def put(number: int) -> None:
        log.put(answer(number, 1))
        written = threading.Event()
        log._queue.put(answer(number, 1)._replace(predictions=Told(written)))
        assert written.wait(30)

    class Told(list):
        """What the writer looks at after all that was put before; fewer than the rows, so that it writes nothing."""

        def __init__(self, event):
            super().__init__()
            self.event = event

        def __len__(self):
            self.event.set()
            return 0

    put(1)
    log.file.rename(tmp_path / "moved")
    put(2)
    log.file.unlink()
    put(3)
    shutil.rmtree(tmp_path / "folder")
    put(4)
    assert log.lost == 1
    log.file.parent.mkdir()
    put(5)
    log.close()
    assert [json.loads(line)["month"] for line in (tmp_path / "moved").read_text().splitlines()] == [1]
    assert [one["month"] for one in request_log.read(log.file)] == [5]
    assert log.lost == 1


def test_a_disk_that_is_too_slow_costs_lines_and_never_a_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(request_log, "WAITING", 3)
    log = RequestLog(tmp_path / "log")
    may_write = threading.Event()
    handle = log._handler.handle
    log._handler.handle = lambda record: (may_write.wait(30), handle(record))
    for number in range(10):
        log.put(answer(number, 2))
    lost = log.lost
    may_write.set()
    log.close()
    # One may have been taken by the writer already.
    assert lost in (12, 14)
    assert len(list(request_log.read(log.file))) == 20 - lost


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        RequestLog(tmp_path / "file" / "log")
    assert os.listdir(tmp_path) == ["file"]
