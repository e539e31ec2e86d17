"""How much a submission may use."""

from __future__ import annotations

import dataclasses

MEGABYTE = 2**20


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
    files: int = 20_000
    processes: int = 32
    threads: int = 512
    output: int = 64 * 1024
    """Letters of output that are kept of a cell."""
    flood: int = 16 * MEGABYTE
    """Letters of output at which a cell is stopped."""

    def words(self, limit: str) -> str:
        """What is said of a run that has met a limit, by the limit's name."""
        return {
            "memory": f"it used more than {self.memory // MEGABYTE} MB of memory",
            "processes": f"it started more than {self.processes} processes",
            "time": f"it was not done after {self.seconds:.0f} seconds, and could not be interrupted",
            "output": "it sent more data than a notebook has",
            "disk": f"it made more than {self.files:,} files, or more than {self.disk // MEGABYTE} MB of them",
        }[limit]
