"""Runs a command and ends it when the process that asked for it is gone: `python guard.py PARENT COMMAND...`.

A run that is killed with -9 cannot stop its job server any more, and a Java process of half a gigabyte would stay. Linux could
kill it by itself (PR_SET_PDEATHSIG), macOS could not; and a pipe that closes with its owner stays open in whatever the owner
forked. The number of the parent tells on both: it changes as soon as the parent is gone, and is no other process's by chance.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

INTERVAL = 0.2
"""Seconds between two looks."""

PATIENCE = 5
"""Seconds that the command is given to end of itself."""


def main(arguments: list[str]) -> int:
    """Waits for the command, for the end of the parent, or for SIGTERM; returns the command's exit status."""
    parent, command = int(arguments[0]), arguments[1:]
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None and os.getppid() == parent and not asked:
        time.sleep(INTERVAL)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.kill()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
