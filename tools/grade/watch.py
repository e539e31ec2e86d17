"""Takes what a confined command says, watches what it uses, and ends all of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import time

import psutil

from tools.grade.limits import MEGABYTE, Limits, Running

PERIOD = 0.1
"""Seconds between two looks at memory and processes."""
LOOK = 0.5
"""Seconds that one look at the memory takes at most."""
SAID = 48 * MEGABYTE
"""Bytes that a command may send in all."""
GRACE = 20
"""Seconds that the command has beyond its time to end by itself."""
ERRORS = 4000


@dataclasses.dataclass
class Report:
    """What came out of a confined run: lines, the limit that ended it (if one did), seconds, what was left out, and words for who grades."""

    lines: list[bytes] = dataclasses.field(default_factory=list)
    limit: str | None = None
    seconds: float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    errors: str = ""


def watch(running: Running, limits: Limits) -> Report:
    """Follows a command to its end or to a limit; nothing of it runs any more afterwards."""
    report, started, looked = Report(), time.monotonic(), 0.0
    said: dict[str, list[bytes]] = {"out": [], "errors": []}
    with selectors.DefaultSelector() as selector, running.process:
        selector.register(running.process.stdout, selectors.EVENT_READ, "out")
        selector.register(running.process.stderr, selectors.EVENT_READ, "errors")
        try:
            while running.process.poll() is None and not report.limit:
                _listen(selector, said, PERIOD)
                if sum(map(len, said["out"])) > SAID:
                    report.limit = "output"
                elif (now := time.monotonic()) > looked + PERIOD:
                    looked, report.limit = now, _limit(running, limits, now - started)
        finally:
            running.kill()
        while sum(map(len, said["out"])) < SAID and _listen(selector, said, 0):
            pass
    report.seconds = time.monotonic() - started
    report.lines = b"".join(said["out"]).split(b"\n")[:-1]
    report.errors = b"".join(said["errors"])[:ERRORS].decode(errors="replace")
    return report


def _listen(selector: selectors.BaseSelector, said: dict[str, list[bytes]], seconds: float) -> bool:
    """Reads what there is; returns whether there was something."""
    if not selector.get_map():
        time.sleep(seconds)
        return False
    ready = selector.select(seconds)
    for key, _ in ready:
        piece = os.read(key.fd, MEGABYTE)
        if not piece:
            selector.unregister(key.fileobj)
        elif key.data == "out" or len(said["errors"]) < 9:
            said[key.data].append(piece)
    return bool(ready)


def _limit(running: Running, limits: Limits, seconds: float) -> str | None:
    """The limit that it has met."""
    if seconds > limits.seconds + GRACE:
        return "time"
    if _fills(running, limits):
        return "disk"
    if running.first is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(running.first)
        memory = {process: _used(process, "rss") for process in (family, *family.children(recursive=True))}
        alive = [process for process, used in memory.items() if used]  # one that has ended uses none
        if len(alive) > limits.processes:
            return "processes"
        if sum(memory.values()) > limits.memory:
            # What they share is counted once by the second way, which is slow, above all while they fork.
            shared, until = 0, time.monotonic() + LOOK
            for process in sorted(alive, key=memory.__getitem__, reverse=True):
                shared += _used(process, "pss")
                if shared > limits.memory:
                    return "memory"
                if time.monotonic() > until:
                    break
    return None


def _used(process: psutil.Process, what: str) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        with contextlib.suppress(psutil.AccessDenied):
            return getattr(process.memory_info() if what == "rss" else process.memory_full_info(), what)
        return process.memory_info().rss
    return 0


def _fills(running: Running, limits: Limits) -> bool:
    """Whether it has made more files than it may, or, where nothing else bounds it, larger ones."""
    if running.first is not None:
        room = os.fstatvfs(running.scratch)
        return room.f_files - room.f_ffree > limits.files
    sizes = []
    for _, _, names, folder in os.fwalk(".", dir_fd=running.scratch):
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(os.lstat(name, dir_fd=folder).st_size)
    return len(sizes) > limits.files or sum(sizes) > limits.disk
