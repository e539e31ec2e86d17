"""Records on disk: a file of JSON lines that is written whole each time, and the lock of the one process that may write it.

It is written beside its place, then moved: a process that is killed leaves it as it was before or after, never between.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import orjson

FILE = "history.jsonl"

LOCK = ".history.lock"
"""Beside it."""

One = TypeVar("One")


class Busy(RuntimeError):
    """Another process has the lock at this moment."""


class RecordError(ValueError):
    """A record cannot be read."""


def read(file: Path, make: Callable[[dict[str, Any]], One], what: str) -> list[One]:
    """The records of a file of JSON lines, the oldest first; none where there is no file. `what` is the message's word for one.

    Raises:
        RecordError: a line was changed by hand so that it is none; names file and line.
    """
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines() if file.exists() else [], 1):
        try:
            found.append(make(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise RecordError(f"{file}, line {number}: no {what} ({error}). Mend the line, or take it out.") from None
    return found


def write(file: Path, records: Iterable[Any]) -> None:
    """Writes dataclasses as the lines of a file; null stands for what is not a number."""
    write_whole(file, "".join(json.dumps(as_json(one)) + "\n" for one in records))


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that it is whole at any moment, as before or as after."""
    handle, beside = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.chmod(beside, 0o644)  # who exports or shows it may be another user
        os.replace(beside, file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(folder: Path, who: str, at: str, doing: str) -> Iterator[str]:
    """For as long as this is entered, no other process enters it. The lock ends with its process, however that ends.

    Args:
        folder: of the record; it is made.
        who: for others to read,
        at: when,
        doing: and what they are told is done.

    Yields:
        An earlier owner that ended without giving the lock back; empty after an ordinary end.

    Raises:
        Busy: another process has it; says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "Another process"
            raise Busy(f"{owner} is {doing}. Nothing was done. Try again later.") from None
        for unfinished in folder.glob(f".{FILE}.*"):  # of a process that was killed while it wrote
            unfinished.unlink(missing_ok=True)
        lock.seek(0)
        left = lock.read().strip()
        lock.truncate(0)
        lock.write(f"{who} (process {os.getpid()}, since {at})\n")
        lock.flush()
        try:
            yield left
        finally:
            lock.truncate(0)


def stamp(moment: datetime.datetime) -> str:
    """A time with a zone as it is recorded: ISO 8601 in UTC."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")


def as_json(value: Any) -> Any:
    """A dataclass as JSON has it: null for what is not a number, and Python's own numbers for NumPy's."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
