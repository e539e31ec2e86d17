"""What is run, what it may see and how much it may use."""

from __future__ import annotations

import dataclasses
import json

ROOT_NAMESPACES, USER_NAMESPACES, CONTAINER = "root namespaces", "user namespaces", "container"
OWN_USER, LIMITS = "own user", "limits"
"""How a command is confined. The first two hide everything that is not named; `CONTAINER` is for a program that is the first process of a
container; `OWN_USER` (for root) can read what all users can; with `LIMITS` the command can do what the user can who grades, within
limits of time and memory."""
NAMESPACES = (ROOT_NAMESPACES, USER_NAMESPACES)
OWN_PROCESSES = (*NAMESPACES, CONTAINER)
"""Where all processes there are belong to the command, but for the one that watches."""

MEGABYTE = 2**20

FLOOD = "COURSE_FLOOD"
"""Environment variable of a kernel: letters of output at which a cell is stopped."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a submission may use."""

    seconds: float = 300
    """For the whole notebook, by the clock."""
    cell_seconds: float = 90
    """For one cell."""
    memory: int = 3 * 1024 * MEGABYTE
    """Bytes for all processes together, files in memory aside."""
    disk: int = 512 * MEGABYTE
    """Bytes of all files together."""
    processes: int = 32
    threads: int = 512
    output: int = 64 * 1024
    """Letters of output that are kept of a cell."""
    flood: int = 16 * MEGABYTE
    """Letters of output at which a cell is stopped."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """One confined run.

    `room` is an empty folder: where the new file system is put together, or, without namespaces, the folder that the command works in.
    `visible` are paths that the command may read, under the same name. `folder` is where it runs; `given` is a folder whose files it finds
    there. `environment` and `command` may name `{scratch}`, the one place that the command can write to.
    With `forks`, this process has imported what a kernel needs, and the command is told of a kernel that was forked from it.
    """

    how: str
    room: str
    visible: list[str]
    top: str
    folder: str
    command: list[str]
    environment: dict[str, str]
    collect: str
    limits: Limits = Limits()
    given: str | None = None
    uid: int | None = None
    core: int | None = None
    forks: bool = False

    def dumps(self) -> str:
        """The plan as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        """The plan from JSON."""
        fields = json.loads(text)
        return cls(**{**fields, "limits": Limits(**fields["limits"])})
