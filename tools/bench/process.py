"""What is common to all that is measured: a command in a process of its own, and a line of the table."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FULL_DATA = REPOSITORY / "out" / "data" / "flights"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table; `target` is in words, as design and issues state it. Without seconds, the remark says why."""

    what: str
    seconds: float | None
    cpu_seconds: float
    peak_gb: float
    target: str
    remark: str = ""


def run(
    command: list[str], environment: dict[str, str] | None = None, cwd: Path = REPOSITORY
) -> tuple[str, float, float, float]:
    """Runs a command to its end: its output, wall seconds, processor seconds, and peak memory in GB of its largest process.

    Raises:
        RuntimeError: it failed; the message ends with what it said last.
    """
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=os.environ | (environment or {})
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        output.seek(0)
        said = output.read()
    if status != 0:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed:\n{said[-2000:]}")
    scale = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kilobytes here
    return said, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale


def without_paths(text: str) -> str:
    """A text without the folders of this machine, since the page is committed: what lies in the repository is named from there."""
    text = text.replace(f"{REPOSITORY}/", "").replace(f"{Path.home()}/", "/")
    return re.sub(r"(?<![\w.:/~-])/(?:[\w.+-]+/)*([\w.+-]*\w)", r"\1", text)
