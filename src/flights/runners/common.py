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

from flights import places
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
        ValueError: the name of the output folder is a pattern.
        PermissionError: the tracking store cannot be written.
        flights.data.DataError: a month is missing.
    """
    from flights import data  # pandas and Arrow, which Airflow's environment lacks; it shares the rest of this file

    require_plain_name(config)
    require_tracking(config)
    if not Path(config.data_root).is_dir():
        raise data.DataError(
            f"There is no folder {config.data_root} in {Path.cwd()}. Run from the repository, or give --data-root."
            if not Path(config.data_root).is_absolute()
            else f"{config.data_root}: no such folder. Give --data-root another one."
        )
    first, last = config.months
    paths = [data.month_path(config.data_root, month) for month in range(first, last + 1)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise data.DataError(f"{', '.join(missing)}: no such file. Is the month there? `make data` builds all twelve.")


def require_plain_name(config: Config) -> None:
    """TFX, Beam and TensorFlow take paths for patterns: files would not be found, or those of other folders would.

    Raises:
        ValueError: the path of the output folder has a character with a meaning in patterns.
    """
    folder = str(Path(config.output_root).absolute())
    if found := re.search(r"[*?\[\\]", folder):
        raise ValueError(
            f"--output-root: {folder} has a {found[0]} in its name, which TFX takes for a pattern. Choose a folder without * ? [ and \\."
        )


def require_tracking(config: Config) -> None:
    """The file that runs are logged to can be written: said now, not when the model has been trained and pushed.

    Raises:
        PermissionError: it cannot.
    """
    file = places.sqlite_file(config.tracking_uri)
    if file and (place := places.unwritable(file)):
        raise PermissionError(f"--track: {place} cannot be written, and {file} is to be kept there. Name another file.")


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with the process, however it ends.

    Raises:
        AlreadyRunningError: another process has it.
        OSError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise type(error)(
            f"Nothing can be written in {folder} ({error.strerror}). Choose another --output-root."
        ) from None
    with lock as file:
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
