"""Takes what a confined command says, watches what it uses, and ends all of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import time

import psutil

from tools.grade.bubblewrap import Running
from tools.grade.limits import MEGABYTE, Limits

PERIOD = 0.1
"""Seconds between two looks at memory and processes."""
SAID = 48 * MEGABYTE
"""Bytes that a command may send in all."""
LINE = 8 * MEGABYTE
GRACE = 20
"""Seconds that the command has beyond its time to end by itself."""
ERRORS = 4000


@dataclasses.dataclass
class Report:
    """What came out of a confined run: lines, the limit that ended it (if one did), bytes of memory, seconds."""

    lines: list[bytes] = dataclasses.field(default_factory=list)
    limit: str | None = None
    memory: int = 0
    seconds: float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    errors: str = ""


def watch(running: Running, limits: Limits) -> Report:
    """Follows a command to its end or to a limit; nothing of it runs any more afterwards."""
    report, started, said = Report(), time.monotonic(), {"out": b"", "errors": b""}
    with selectors.DefaultSelector() as selector, running.process:
        for name, stream in {"out": running.process.stdout, "errors": running.process.stderr}.items():
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, name)
        try:
            looked, taken = started, 0
            while running.process.poll() is None and not report.limit:
                taken += _listen(selector, said, report, PERIOD)
                if taken > SAID or len(said["out"]) > LINE:
                    report.limit = "output"
                elif (now := time.monotonic()) > looked + PERIOD:
                    looked, report.limit = now, _limit(running, limits, now - started, report)
        finally:
            running.kill()
        while taken < SAID and len(said["out"]) < LINE and (more := _listen(selector, said, report, 0)):
            taken += more
    report.seconds = time.monotonic() - started
    report.errors = said["errors"].decode(errors="replace")
    return report


def _listen(selector: selectors.BaseSelector, said: dict[str, bytes], report: Report, seconds: float) -> int:
    """Reads what there is; returns how many bytes."""
    taken = 0
    if not selector.get_map():
        time.sleep(seconds)
    for key, _ in selector.select(seconds) if selector.get_map() else ():
        piece = os.read(key.fd, MEGABYTE)
        taken += len(piece)
        if not piece:
            selector.unregister(key.fileobj)
        elif key.data == "errors":
            said["errors"] = (said["errors"] + piece)[:ERRORS]
        else:
            *lines, said["out"] = (said["out"] + piece).split(b"\n")
            report.lines += lines
    return taken


def _limit(running: Running, limits: Limits, seconds: float, report: Report) -> str | None:
    """The limit that it has met."""
    if seconds > limits.seconds + GRACE:
        return "time"
    if _fills(running, limits):
        return "disk"
    if running.first is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(running.first)
        memory = {process: _resident(process) for process in (family, *family.children(recursive=True))}
        memory = {process: used for process, used in memory.items() if used}  # one that has ended uses none
        if len(memory) > limits.processes:
            return "processes"
        used = sum(memory.values())
        if used > limits.memory:
            used = sum(map(_proportional, memory))  # exact where memory is shared, and slow
        report.memory = max(report.memory, used)
        if used > limits.memory:
            return "memory"
    return None


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _proportional(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.memory_full_info().pss
    return _resident(process)


def _fills(running: Running, limits: Limits) -> bool:
    """Whether it has made more files than it may, or, where nothing else bounds it, larger ones."""
    room = os.fstatvfs(running.scratch)
    if running.in_memory:
        return room.f_files - room.f_ffree > limits.files
    sizes = []
    for _, _, names, folder in os.fwalk(".", dir_fd=running.scratch):
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(os.lstat(name, dir_fd=folder).st_size)
    return len(sizes) > limits.files or sum(sizes) > limits.disk
