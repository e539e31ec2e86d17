"""The process that has made the imports, and forks for each order: `python -m warm.server SOCKET MODULE ...`.

It listens before it imports: an order that comes earlier waits. An order is one connection to its Unix socket, kept open until the fork ends.

    asked     three file descriptors (input, output, errors), then one line of JSON: `module` and `function` to call with `argument`, `environment`,
              `folder` to work in, `path`: folders in which modules are found first; or `{"hold": true}`, which forks nothing
    answered  a line of JSON when the fork has begun, `{"pid": 17}`, and one when it has ended, `{"status": 0}`, negative for a signal;
              where the imports have failed, `{"error": "ModuleNotFoundError: ..."}` instead

A fork is killed when its connection closes: who has ordered it is gone. The server ends when, for `--linger` seconds, no connection was open, and its
forks end with it.

What a fork inherits: the modules that were imported here, `PYTHONHASHSEED`, and no more than that. It begins with the environment, folder, input and
outputs of its order, random numbers of its own, no thread but one, and none of the server's connections.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from warm import usage
from warm.loading import quickly
from warm.process import end_with_parent

FIRST = 10.0
"""Seconds that who has started it has for the first connection."""
LONGEST = 4 * 2**20
"""Bytes of an order, at most: an environment is some thousands."""


@dataclass
class Connection:
    """One order, from the server's side.

    Attributes:
        socket: to who has ordered.
        received: of the order, as long as it is not whole.
        descriptors: those that came with it: input, output, errors.
        pid: of the fork, once there is one.
        usage: the file for what the fork has used; none if empty.
    """

    socket: socket.socket
    received: bytes = b""
    descriptors: tuple[int, ...] = ()
    pid: int | None = None
    usage: str = ""


class Server:
    """Takes orders at a socket that listens already."""

    def __init__(self, listener: socket.socket, linger: float, error: str) -> None:
        """Takes over a listening socket; `linger`: seconds; `error`: why nothing can be forked, if so."""
        self._listener, self._linger, self._error = listener, linger, error
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(listener, selectors.EVENT_READ)
        self._open: list[Connection] = []

    def serve(self) -> None:
        """Takes orders, until for `linger` seconds no connection was open."""
        self._note(resource.getrusage(resource.RUSAGE_SELF))  # of the imports
        linger = max(self._linger, FIRST)
        while True:
            ready = self._waiting.select(None if self._open else linger)
            if not ready and not self._open and self._is_left():
                return
            linger = self._linger
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, int):  # a fork has ended
                    self._report(key.fileobj, key.data)
                else:
                    self._read(key.data)

    def _is_left(self) -> bool:
        """Whether nobody has come in this very moment; nobody can any more then.

        Who connects to a shared server (`Warm.shared`) holds a lock meanwhile: once that is had here, a connection is to be seen or is not there.
        """
        path = self._listener.getsockname()
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):  # it is not shared
                fcntl.flock(stack.enter_context(open(f"{path}.lock", "rb")), fcntl.LOCK_EX)
            if self._waiting.select(0):
                return False
            os.unlink(path)
            return True

    def _accept(self) -> None:
        connection = Connection(self._listener.accept()[0])
        self._open.append(connection)
        self._waiting.register(connection.socket, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection) -> None:
        """Reads of an order what has come; forks when it is whole."""
        try:
            words, descriptors, _, _ = socket.recv_fds(connection.socket, 2**16, 3)
        except OSError:
            words, descriptors = b"", []
        connection.descriptors += tuple(descriptors)
        connection.received += words
        if not words or len(connection.received) > LONGEST:
            self._close(connection)
        elif connection.pid is None and connection.received.endswith(b"\n"):
            try:
                order = json.loads(connection.received)
            except ValueError:
                self._close(connection)
                return
            if "hold" in order:
                return
            if self._error:
                self._answer(connection, {"error": self._error})
                self._close(connection)
            else:
                self._fork(connection, order)

    def _fork(self, connection: Connection, order: dict[str, Any]) -> None:
        server = os.getpid()
        pid = os.fork()
        if not pid:
            end_with_parent()
            if os.getppid() != server:  # it has ended before it could be followed
                os._exit(1)
            self._leave(connection)
            become(order, connection.descriptors)
        connection.pid = pid
        connection.usage = order["environment"].get(usage.FILE, "")
        for number in connection.descriptors:
            os.close(number)
        connection.descriptors = ()
        self._waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, connection)
        self._answer(connection, {"pid": pid})

    def _leave(self, own: Connection) -> None:
        """In the fork: lets go of all that is the server's, and of what came with other orders than its own."""
        numbers = [key.fileobj for key in self._waiting.get_map().values() if isinstance(key.fileobj, int)]
        self._waiting.close()
        self._listener.close()
        for number in numbers:
            os.close(number)
        for connection in self._open:
            connection.socket.close()
            numbers = () if connection is own else connection.descriptors
            for number in numbers:
                os.close(number)

    def _report(self, ended: int, connection: Connection) -> None:
        self._waiting.unregister(ended)
        os.close(ended)
        _, status, used = os.wait4(connection.pid, 0)
        connection.pid = None
        self._note(used, connection.usage)
        self._answer(connection, {"status": os.waitstatus_to_exitcode(status)})
        self._close(connection)

    def _note(self, used: resource.struct_rusage, file: str = "") -> None:
        usage.note({"seconds": usage.seconds(used), "server": self._listener.getsockname()}, file)

    def _answer(self, connection: Connection, words: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it is closed, which is seen where it is read
            connection.socket.sendall(json.dumps(words).encode() + b"\n")

    def _close(self, connection: Connection) -> None:
        """Forgets a connection; its fork, if it has one, is killed, and forgotten when it has ended."""
        if connection.socket.fileno() >= 0:
            self._waiting.unregister(connection.socket)
            connection.socket.close()
        if connection.pid is not None:
            os.kill(connection.pid, signal.SIGKILL)
        elif connection in self._open:
            self._open.remove(connection)
        for number in connection.descriptors:
            os.close(number)
        connection.descriptors = ()


def become(order: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """Turns this process into what was ordered, and ends it with the status that the function returns."""
    status = 1
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        _begin_anew(order)
        function = getattr(importlib.import_module(order["module"]), order["function"])
        status = function(order["argument"]) or 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what the server has registered for its own end is not this process's


def _begin_anew(order: dict[str, Any]) -> None:
    """Environment, folder, path and random numbers of a process of its own."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    own = filter(None, order["environment"].get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [*order.get("path", []), *own]
    importlib.invalidate_caches()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler if name == signal.SIGINT else signal.SIG_DFL)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def main() -> None:
    """Listens, imports, and takes orders."""
    parser = argparse.ArgumentParser(prog="python -m warm.server", allow_abbrev=False)
    parser.add_argument("--once", metavar="ORDER", help="do this one thing in this process, without a fork")
    parser.add_argument("socket", nargs="?")
    parser.add_argument("--linger", type=float, default=0.0, help="seconds to live on when nobody is connected")
    parser.add_argument("--mark", action="append", help="means nothing; stands in the command for who looks for it")
    parser.add_argument("modules", nargs="*")
    arguments = parser.parse_args()
    # The folder in which the server was started is no folder of modules, and none that it holds on to.
    sys.path[:] = [os.path.abspath(folder) for folder in sys.path[1:]]
    if arguments.once:
        end_with_parent()
        become(json.loads(arguments.once))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(arguments.socket)
    listener.listen(64)
    os.chdir("/")
    print("listening", flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is loaded
    error = ""
    try:
        with quickly():
            for name in arguments.modules:
                importlib.import_module(name)
    except Exception as failed:
        error = f"{type(failed).__name__}: {failed}"
    Server(listener, arguments.linger, error).serve()


if __name__ == "__main__":
    main()
