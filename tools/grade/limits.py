"""How much a submission may use, and what is started with it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MEGABYTE = 2**20
SCRATCH = "/scratch"
"""The folder that a confined command writes to."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a submission may use: seconds for its notebook and for a cell by the clock, bytes, and letters of output."""

    seconds: float = 300
    cell_seconds: float = 90
    memory: int = 3 * 1024 * MEGABYTE
    """For all processes together, files in memory aside."""
    disk: int = 512 * MEGABYTE
    files: int = 20_000
    processes: int = 32
    threads: int = 512
    output: int = 64 * 1024
    """Letters that are kept of a cell."""
    flood: int = 16 * MEGABYTE
    """Letters at which a cell is stopped."""

    def words(self, limit: str) -> str:
        """What is said of a run that has met a limit, by the limit's name."""
        return {
            "memory": f"it used more than {self.memory // MEGABYTE} MB of memory",
            "processes": f"it started more than {self.processes} processes",
            "time": f"it was not done after {self.seconds:.0f} seconds, and could not be interrupted",
            "output": "it sent more data than a notebook has",
            "disk": f"it made more than {self.files:,} files, or more than {self.disk // MEGABYTE} MB of them",
        }[limit]


@dataclasses.dataclass(frozen=True)
class Order:
    """A command that is to be confined.

    Attributes:
        command: program and arguments. Its standard output is what it reports.
        environment: its variables.
        shown: files and folders that it can read, under the same names.
        folder: where it works: an empty folder of its own.
        limits: what it may use.
        slot: number among those that run side by side.
        core: the one processor that it runs on; any if None.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    shown: Sequence[Path]
    folder: Path
    limits: Limits
    slot: int = 0
    core: int | None = None


@dataclasses.dataclass(frozen=True)
class Running:
    """A command that is confined.

    Attributes:
        process: reports on its output; what it says on its errors is for who grades.
        scratch: a descriptor of the folder that it writes to.
        kill: ends all of it, and returns when nothing of it runs any more.
        first: the process whose children are all that it has started; None where they cannot be seen.
    """

    process: subprocess.Popen[bytes]
    scratch: int
    kill: Callable[[], None]
    first: int | None = None
