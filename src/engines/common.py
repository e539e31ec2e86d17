"""What all engines share: the report of a node, what is looked at before a run, one run at a time in a folder."""

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

from engines.errors import AlreadyRunningError
from engines.settings import Settings


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


def require_inputs(config: Settings) -> None:
    """Whether a run can begin: asked before anything runs. The configuration may have a `require_inputs()` of its own, for data that are missing, say.

    Raises:
        ValueError: the name of the output folder is a pattern.
        Exception: what the configuration's own `require_inputs` raises.
    """
    require_plain_name(config)
    if check := getattr(config, "require_inputs", None):
        check()


def require_plain_name(config: Settings) -> None:
    """TFX, Beam and TensorFlow take paths for patterns: files would not be found, or those of other folders would.

    Raises:
        ValueError: the path of the output folder has a character with a meaning in patterns.
    """
    folder = str(Path(config.output_root).absolute())
    if found := re.search(r"[*?\[\\]", folder):
        raise ValueError(
            f"--output-root: {folder} has a {found[0]} in its name, which TFX takes for a pattern. Choose a folder without * ? [ and \\."
        )


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
