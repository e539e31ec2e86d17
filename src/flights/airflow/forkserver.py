"""A fork server for steps: a process that has imported TFX, and forks for each: `python -m flights.airflow.forkserver SOCKET`.

A task of Airflow starts a process for its step, which first imports TFX: ten times ten seconds in a run. Where a run goes on in the foreground, this
process is kept beside it. A step is a process of its own all the same: it begins without any module of a package that is not the course's, has the
environment of its task, and writes to where its task listens. Where nobody answers at the socket, a step imports what it needs by itself.

For an order, two file descriptors for what is printed come over the socket, then a line of JSON; the answer is the exit status. It ends with its
input.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flights.loading import quickly
from flights.runners.common import end_with_parent

FORKS = sys.platform == "linux"
"""Elsewhere the system's libraries do not bear it: there each step imports TFX anew."""
IMPORTED = (
    "tensorflow",
    "keras",
    "tensorflow_transform",
    "tfx.dsl.compiler.compiler",
    "tfx.orchestration.local.runner_utils",
    "tfx.orchestration.portable.launcher",
    "tfx.components.evaluator.executor",
    "tfx.components.example_validator.executor",
    "tfx.components.pusher.executor",
    "tfx.components.statistics_gen.executor",
    "tfx.components.trainer.executor",
    "tfx.components.transform.executor",
    "tfx.dsl.components.common.resolver",
    "flights.airflow.step",
    "flights.evaluation",
    "flights.gate",
    "flights.pipeline",
    "flights.store",
)
SOCKET = "FLIGHTS_FORK_SERVER"
"""Environment variable: where orders are taken."""


class ForkServer:
    """The process, from the side of who keeps it.

    Attributes:
        path: of the socket; empty where there is no such process.
    """

    def __init__(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts it; it is ready some ten seconds later, and a step that is ordered earlier waits.

        Args:
            words: what shall stand in its command, and in that of each step, for who looks for them.
            environment: its variables; by default those of this process.
        """
        self.path = ""
        self._process: subprocess.Popen | None = None
        if FORKS:
            self._folder = tempfile.TemporaryDirectory(prefix="fork")  # the name of a socket is short
            self.path = str(Path(self._folder.name) / "s")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flights.airflow.forkserver", self.path, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                preexec_fn=end_with_parent,
            )
            self._process.stdout.readline()  # it listens

    @property
    def is_there(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def end(self) -> None:
        """Ends it; a step that it has forked ends with its task."""
        if self._process is not None:
            self._process.kill()  # it may be importing still
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None
            self._folder.cleanup()


def ask(arguments: Sequence[str]) -> int | None:
    """Has the server that SOCKET names run a step, which writes to where this process does.

    Args:
        arguments: of `flights.airflow.step`.

    Returns:
        The exit status of the step; None when there is no such server.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.environ.get(SOCKET, ""))
        except OSError:  # none was started, or it has ended
            return None
        order = {"arguments": list(arguments), "environment": dict(os.environ), "folder": os.getcwd()}
        socket.send_fds(connection, [b"!"], [1, 2])
        connection.sendall(json.dumps(order).encode() + b"\n")
        answer = connection.recv(16)
    if not answer:  # the step was killed: whoever waits for this process shall see it
        os.kill(os.getpid(), signal.SIGKILL)
    return int(answer)


def main(path: str) -> None:
    """Listens, imports, and then takes orders until its input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    print("listening", flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quickly():
        for name in IMPORTED:
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready and not os.read(0, 1024):
            return
        if listener in ready:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                os.dup2(nowhere, 0)
                _serve(connection)
            connection.close()


def _serve(connection: socket.socket) -> None:
    """In the fork: runs the step, and answers."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, outputs, _, _ = socket.recv_fds(connection, 1, 2)
        for number, output in zip((1, 2), outputs, strict=True):
            os.dup2(output, number)
            os.close(output)
        with connection.makefile() as orders:
            order = json.loads(orders.readline())
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        status = _step(order)
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(f"{status}\n".encode())
    os._exit(status)  # what the parent has registered for its own end is not this process's


def _end_with(connection: socket.socket) -> None:
    """A step whose task was killed must not go on writing."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _step(order: dict[str, Any]) -> int:
    from flights.airflow import step

    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    importlib.invalidate_caches()
    return step.main(order["arguments"])


if __name__ == "__main__":
    main(sys.argv[1])
