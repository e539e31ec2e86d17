"""What all runners share: the report of a node, one run at a time in a folder, and what is said when an engine is not there."""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flights.config import Config


@dataclasses.dataclass(frozen=True)
class NodeReport:
    """How one node of a run went.

    Attributes:
        node: its id.
        state: `done`, or `cached` when an earlier execution's artifacts were used.
        seconds: wall time.
    """

    node: str
    state: str
    seconds: float


Report = Callable[[NodeReport], None]
"""Called after each node."""


class AlreadyRunningError(RuntimeError):
    """Another run uses the same output folder."""


class MissingEngineError(RuntimeError):
    """The engine is not on this machine; the message says how to get it."""


class EngineError(RuntimeError):
    """A component failed, or the engine did; the message says which, and where its log is."""


def require_months(config: Config) -> None:
    """Names the months that are not there; ExampleGen's driver would only name its pattern.

    Raises:
        flights.data.DataError: a month is missing.
    """
    from flights import data  # pandas and Arrow, which Airflow's environment lacks; it shares the rest of this file

    first, last = config.months
    paths = [data.month_path(config.data_root, month) for month in range(first, last + 1)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise data.DataError(f"{', '.join(missing)}: no such file. Is the month there? `make data` builds all twelve.")


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with the process, however it ends.

    Raises:
        AlreadyRunningError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"Another run is using {folder}: wait for it to end, or choose another --output-root."
            ) from None
        yield


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """In a child that was just started (`preexec_fn`): it is killed, or sent another signal, when its parent ends, however that ends.

    A step that went on writing after its run was killed with -9 would meet the next run. Linux only; elsewhere the child goes on.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, number)


def last_words(said: str) -> str:
    """The message with which a step ended: from the last line that begins with the name of an error on."""
    lines = said.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"[A-Za-z_.]*(Error|Exception)\b", line)]
    return "\n".join(lines[starts[-1] :] if starts else lines[-1:])
