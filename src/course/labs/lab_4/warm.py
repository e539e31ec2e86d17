"""A process that has imported TFX, and forks for each step: `python -m course.labs.lab_4.warm SOCKET`.

A task of Airflow starts a process for its step, which first imports TFX: ten times ten seconds in a run. For as long as a notebook is open, `lab.airflow`
keeps this process beside it. A step is a process of its own all the same, begins without any module of a student's package, and writes to where its
task listens. Where nobody answers at the socket, the delivered `step.py` imports what it needs by itself.

An order comes over the socket: a line of JSON, and two file descriptors for what is printed. The answer is the exit status. It ends with its input.
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
from pathlib import Path
from typing import Any

from flights.loading import quickly

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
SOCKET = "LAB_4_WORKER"
"""Environment variable: where orders are taken."""


class Worker:
    """The process, from the notebook's side."""

    def __init__(self) -> None:
        """Starts it; it is ready some ten seconds later, and who calls it earlier waits."""
        self._folder = tempfile.TemporaryDirectory(prefix="w")  # the name of a socket is short
        self.path = str(Path(self._folder.name) / "s")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "course.labs.lab_4.warm", self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._process.stdout.readline()  # it listens

    @property
    def is_there(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main(path: str) -> None:
    """Listens, imports, and then takes orders until its input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    print("listening", flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
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
                _serve(connection)
            connection.close()


def _serve(connection: socket.socket) -> None:
    """In the fork: runs the step, and answers."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        text, outputs, _, _ = socket.recv_fds(connection, 1 << 16, 2)
        for number, output in zip((1, 2), outputs, strict=True):
            os.dup2(output, number)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        status = _step(json.loads(text))
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

    os.chdir(order["folder"])
    sys.path.insert(0, order["package"])
    importlib.invalidate_caches()
    return step.main(order["arguments"])


if __name__ == "__main__":
    main(sys.argv[1])
