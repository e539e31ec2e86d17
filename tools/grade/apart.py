"""Has a function work on what students wrote or left, in a process of its own: parsers of pages, of protobufs, of CSV may be brought to crash.

The process is a fork of one that has made the imports. It has limits, no network where that can be had, and speaks lines of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools.notebooks.execute import ROOT
from warm import client

LETTERS = 2**24
"""Of a line, at most."""

Line = dict[str, Any]
Ask = Callable[[Line], Line]
"""Sends a line, and returns what is answered."""


class Apart:
    """A process that has made some imports, from which others are forked; ends with the block that it is used in."""

    def __init__(self, modules: Sequence[str], log: Path, **environment: str) -> None:
        """Begins the imports; what is printed goes to `log`; `environment` are variables besides those of this process."""
        path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
        self._environment = {**os.environ, "PYTHONPATH": path, "COURSE_LIVE": "0"}
        self._warm = client.start(modules, self._environment | environment)
        self._log = log.open("ab")

    def __enter__(self) -> Apart:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the process, and all that were forked from it."""
        if self._warm:
            self._warm.end()
        self._log.close()

    def results(
        self,
        work: Callable[..., Any],
        *given: Any,
        seconds: float,
        memory: int = 4 * 2**30,
        number: int = 1,
        ask: Ask | None = None,
    ) -> tuple[list[Line], str]:
        """What a function yields, as far as it came, and what happened then.

        Args:
            work: is called with what is given, as JSON carries it, and with a function that has `ask` answer a line.
            given: its arguments.
            seconds: for each result; what it waits for answers does not count.
            memory: bytes of the process.
            number: of results.
            ask: answers a line, which has the key `ask`.

        Raises:
            warm.client.WarmError: the imports failed, or the process that forks is gone.
        """
        own, other = socket.socketpair()
        task = {"work": [work.__module__, work.__name__], "given": given, "cpu": 2 * seconds, "memory": memory}
        with own:
            with other:
                files = (other.fileno(), other.fileno(), self._log.fileno())
                settings = {"environment": self._environment, "folder": ROOT, "files": files}
                process = client.begin(self._warm, __name__, "main", None, **settings)
            own.settimeout(seconds)
            done, reason = [], "ended without a result"
            try:
                with own.makefile("rwb") as stream:
                    stream.write(json.dumps(task).encode() + b"\n")  # an order has room for 4 MB only
                    stream.flush()
                    while len(done) < number and (line := stream.readline(LETTERS)).endswith(b"\n"):
                        said = json.loads(line)
                        if "ask" not in said:
                            done.append(said)
                        elif ask:
                            stream.write(json.dumps(ask(said)).encode() + b"\n")
                            stream.flush()
            except TimeoutError:
                reason = f"took more than {seconds:g} seconds"
            except (OSError, ValueError) as error:
                reason = f"ended: {error}"
            finally:
                for kill in (os.killpg, os.kill):  # it leads a session, and may have started others
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        kill(process.pid, signal.SIGKILL)
                process.wait()
        return done, reason


def main(_: None) -> None:
    """In the process: reads what is to be done, does it, and writes what it yields."""
    answers, stream = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no result
    task = json.loads(answers.readline())
    limits = {resource.RLIMIT_DATA: task["memory"], resource.RLIMIT_CPU: round(task["cpu"]) + 1}
    for kind, value in {**limits, resource.RLIMIT_FSIZE: 2**28, resource.RLIMIT_CORE: 0}.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))
    if sys.platform == "linux":
        user, network = 0x10000000, 0x40000000
        ctypes.CDLL(None).unshare(network if os.geteuid() == 0 else user | network)

    def say(line: Line) -> None:
        print(json.dumps(line), file=stream, flush=True)

    def ask(line: Line) -> Line:
        say(line)
        return json.loads(answers.readline())

    module, name = task["work"]
    for result in getattr(importlib.import_module(module), name)(*task["given"], ask):
        say(result)
