"""The log of requests: a line of JSON for each row that was answered, to be joined with its label when that is known.

    {"time": "2026-01-31T12:00:00.000001+00:00", "id": "...", "version": 3, "role": "champion", KEY COLUMNS..., "prediction": 0.25}

A thread writes it, so that answers do not wait for a disk. Lost are, on an ordinary end, none; when the process is killed, the rows that were
answered after the last write, which are those of some milliseconds; when the disk refuses to take them, or takes them too slowly, those that `lost` counts.
The file is rotated: a full one gets the suffix `.1`, the one before `.2`, and the oldest goes. One that is moved or removed meanwhile is begun anew.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, NamedTuple

import orjson

LARGEST = 100 * 2**20
"""Bytes of a file before it is rotated."""

KEPT = 5
"""Full files that are kept."""

WAITING = 10_000
"""Answers that wait to be written, before further ones are lost."""

LOG = logging.getLogger("serving")


class Answer(NamedTuple):
    """What was answered to a request.

    Attributes:
        time: seconds since 1970.
        id: of the request.
        version: that answered.
        role: of that version.
        key: columns by name, a value for each row.
        predictions: one for each row.
    """

    time: float
    id: str
    version: int
    role: str
    key: Mapping[str, Sequence[Any]]
    predictions: Sequence[float]


class RequestLog:
    """The file, and the thread that writes it."""

    def __init__(self, file: str | Path, largest: int = LARGEST, kept: int = KEPT) -> None:
        """Opens the file; what there is stays, but for a line that a killed process has left half written.

        Raises:
            OSError: the file cannot be written.
        """
        self.file = Path(file)
        self.lost = 0
        self.file.parent.mkdir(parents=True, exist_ok=True)
        _cut_half_line(self.file)
        self._handler = RotatingFileHandler(self.file, maxBytes=largest, backupCount=kept, encoding="utf-8")
        self._handler.terminator = ""
        self._handler.handleError = lambda record: self._failed()  # type: ignore[method-assign]
        self._queue: queue.Queue[Answer | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._write, name="request log", daemon=True)
        self._thread.start()

    def put(self, answer: Answer) -> None:
        """Has an answer written soon; never waits."""
        try:
            self._queue.put_nowait(answer)
        except queue.Full:
            self.lost += len(answer.predictions)

    def close(self) -> None:
        """Writes what waits, and closes the file."""
        self._queue.put(None)
        self._thread.join()
        self._handler.close()

    def _write(self) -> None:
        while (answer := self._queue.get()) is not None:
            self._rows = len(answer.predictions)
            try:
                lines = _lines(answer)
                if not self._is_in_place():
                    self._handler.close()  # opened again by the handler, with the next line
            except Exception:  # such as a value that no JSON holds; without this thread, all later answers were lost
                self._failed()
            else:
                self._handler.handle(logging.makeLogRecord({"msg": lines}))

    def _is_in_place(self) -> bool:
        """Whether what is written goes to the file of that name; one that is moved or removed would take lines that no one finds."""
        stream = self._handler.stream
        try:
            return stream is None or os.path.samestat(os.stat(self.file), os.fstat(stream.fileno()))
        except FileNotFoundError:
            return False

    def _failed(self) -> None:
        """Counts what is lost; called where the fault is handled."""
        if not self.lost:
            LOG.exception("%s cannot be written; answers go on without it", self.file)
        self.lost += self._rows


def files(file: str | Path) -> list[Path]:
    """The files of a log that are there, the oldest first: its full ones, then the one that is written."""
    file = Path(file)
    full = [one for one in file.parent.glob(f"{file.name}.*") if one.suffix[1:].isdecimal()]
    return [one for one in (*sorted(full, key=lambda one: -int(one.suffix[1:])), file) if one.exists()]


def read(file: str | Path, since: datetime.datetime | None = None) -> Iterator[dict[str, Any]]:
    """The lines of a log, the oldest first, those of its full files included. A last line that is not whole is left out.

    Args:
        file: that is written.
        since: leaves out files that were last written before; None: none.
    """
    for path in files(file):
        if since and path.stat().st_mtime < since.timestamp():
            continue
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _lines(answer: Answer) -> str:
    at = datetime.datetime.fromtimestamp(answer.time, datetime.UTC).isoformat()
    head = {"time": at, "id": answer.id, "version": answer.version, "role": answer.role}
    names = [*answer.key, "prediction"]
    rows = zip(*answer.key.values(), answer.predictions, strict=True)
    lines = [orjson.dumps(head | dict(zip(names, row, strict=True))) for row in rows]
    return b"\n".join([*lines, b""]).decode()


def _cut_half_line(file: Path) -> None:
    """Takes off what is after the last end of a line."""
    if not file.exists():
        return
    with file.open("r+b") as opened:
        end = position = opened.seek(0, os.SEEK_END)
        while position:
            position = max(0, position - 4096)
            opened.seek(position)
            if (found := opened.read(min(4096, end - position)).rfind(b"\n")) >= 0:
                position += found + 1
                break
        if position != end:
            opened.truncate(position)
