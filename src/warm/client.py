"""Asks a `warm.server` for forks: one of this process's own, or one that all processes of a user share."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from warm import usage

FORKS = sys.platform == "linux"
"""Elsewhere a process that has loaded these libraries does not bear a fork: there each begins anew."""

READ_AT_IMPORT = (
    *("CUDA", "GRPC", "HOME", "KERAS", "LANG", "LD_", "MALLOC"),
    *("MKL", "OMP", "OPENBLAS", "PYTHON", "TF_", "XLA"),
)
"""How the names of variables begin that Python and its libraries read once, when they are loaded: a server is for one set of them."""


SOCKET = "WARM_SERVER"
"""Environment variable by which a process is told of a server that it may have forks of."""


class WarmError(RuntimeError):
    """The server has ended, or cannot be started."""


class Fork:
    """A process that a server has forked. It is killed when this object is closed, and when this process ends."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, answers: io.RawIOBase) -> None:
        """Takes over the connection of its order, from which the server's answers are read."""
        self.pid, self.returncode, self._answers = pid, None, answers

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._read(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end, and returns the exit status.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: it has not ended within them.
        """
        if self._read(timeout) is None:
            raise TimeoutError(f"process {self.pid} has not ended after {timeout} s")
        return self.returncode

    def _read(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            line = self._answers.readline()  # or nothing, when the server has ended, and its forks with it
            self.returncode = json.loads(line)["status"] if line.endswith(b"\n") else -signal.SIGKILL
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Lets go of it; it is killed if it has not ended."""
        self._answers.close()


class Warm:
    """A server, which lives at least as long as this object.

    Attributes:
        path: of its socket.
    """

    def __init__(self, path: Path) -> None:
        """Connects to the server at a socket.

        Raises:
            OSError: none answers there.
        """
        self.path = path
        self._process: subprocess.Popen | None = None
        self._held = _connect(path)
        _send(self._held, {"hold": True})

    @classmethod
    def told(cls) -> Warm | None:
        """The server that the variable SOCKET names; None where there is none."""
        try:
            return cls(Path(os.environ.get(SOCKET, "")))
        except OSError:  # none was started, or it has ended
            return None

    @classmethod
    def own(
        cls,
        modules: Iterable[str],
        environment: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        through: Sequence[str] = (),
        python: str | Path = sys.executable,
    ) -> Warm:
        """Starts a server of this process's own, which ends with it.

        Args:
            modules: what it imports; it is ready some seconds later, and an order that comes earlier waits.
            environment: its variables; by default those of this process.
            words: what shall stand in its command, and so in that of each fork, for who looks for them.
            through: a command that prepares something, and becomes the command that follows it.
            python: of the environment whose packages are imported; this package is found in it as well.
        """
        path = Path(tempfile.mkdtemp(prefix="warm")) / "s"  # the name of a socket has at most 107 bytes
        process = _start([*through, *_command(path, modules, 0.0, words, python)], environment)
        found = cls(path)
        found._process = process
        return found

    @classmethod
    def shared(cls, modules: Sequence[str], environment: Mapping[str, str], linger: float) -> Warm:
        """The server of this user for these imports and this environment; starts it if there is none.

        Args:
            modules: what it imports.
            environment: its variables; those that are read at import have to be the same.
            linger: seconds that it lives on when nobody is connected.

        Raises:
            WarmError: it cannot be started.
        """
        folder = _runtime_folder()
        path = folder / _key(modules, environment)
        with (folder / f"{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return cls(path)
            except OSError:
                path.unlink(missing_ok=True)  # of one that was killed
                # By a shell that ends at once: the server may outlive this process, and is not this one's to wait for.
                command = ["/bin/sh", "-c", '"$0" "$@" &', *_command(path, modules, linger)]
                _start(command, environment).wait()
                return cls(path)

    def fork(
        self, module: str, function: str, argument: Any, *, files: Sequence[int] = (0, 1, 2), **settings: Any
    ) -> Fork:
        """Has a function called in a process of its own; waits until it has begun.

        Args:
            module: where the function is; imported in the fork.
            function: its name.
            argument: what it is called with, as JSON carries it.
            files: descriptors of its input, output and errors.
            settings: `environment`: its variables, by default those of this process; `folder` that it works in, by default this process's;
                `path`: folders in which it finds modules first.

        Raises:
            WarmError: the server has ended, or could not make its imports.
        """
        order = _order(module, function, argument, **settings)
        try:
            with _connect(self.path) as connection:
                answers = connection.makefile("rb", buffering=0)  # keeps it open
                _send(connection, order, files)
            found = json.loads(answers.readline())
        except (OSError, ValueError):
            raise WarmError(f"The process that forks has ended ({self.path}). Is there memory left?") from None
        if "error" in found:
            raise WarmError(f"The process that forks cannot import what it is for: {found['error']}")
        return Fork(found["pid"], answers)

    @property
    def is_there(self) -> bool:
        """Whether the server lives."""
        return not select.select([self._held], [], [], 0)[0]  # nothing is sent on this connection but its end

    def end(self) -> None:
        """Lets go of the server: one of this process's own ends at once, and its forks with it."""
        self._held.close()
        if self._process:
            self._process.kill()  # it may be importing still
            self._process.wait()
            usage.note({"waited": str(self.path)})
            shutil.rmtree(self.path.parent, ignore_errors=True)


def start(
    modules: Iterable[str], environment: Mapping[str, str] | None = None, words: Sequence[str] = ()
) -> Warm | None:
    """`Warm.own`, or None on a system whose processes do not fork: there each step makes its imports itself."""
    return Warm.own(modules, environment, words) if FORKS else None


def near(
    modules: Iterable[str], environment: Mapping[str, str] | None = None, words: Sequence[str] = ()
) -> Warm | None:
    """The server that this process was told of, or `start`: a kernel is told of the one that it is a fork of, which has imported TFX already.

    What that one lacks of the modules, a fork imports itself; variables that are read at import are those of the kernel.
    """
    return Warm.told() or start(modules, environment, words)


def begin(warm: Warm | None, module: str, function: str, argument: Any, **settings: Any) -> Fork | subprocess.Popen:
    """`Warm.fork`, or, where there is no warm process, the same in a process that makes its imports itself.

    Raises:
        WarmError: the server has ended, or could not make its imports.
    """
    return (warm.fork if warm else cold)(module, function, argument, **settings)


def forked(module: str, function: str, argument: Any) -> int | None:
    """Has the server that this process was told of do its work, in a fork that writes to where this process does, and ends with it.

    Returns:
        The exit status of the fork; None when there is no such server.
    """
    found = Warm.told()
    if found is None:
        return None
    try:
        status = found.fork(module, function, argument).wait()
    except WarmError:
        return None
    if status < 0:  # the fork was killed: who waits for this process shall see it
        os.kill(os.getpid(), -status)
    return status


def cold(
    module: str,
    function: str,
    argument: Any,
    *,
    files: Sequence[int] = (0, 1, 2),
    python: str | Path = sys.executable,
    **settings: Any,
) -> subprocess.Popen:
    """Has a function called in a process of its own, as `Warm.fork` does, but of a process that begins from nothing."""
    order = _order(module, function, argument, **settings)
    command = [str(python), "-m", "warm.server", "--once", json.dumps(order)]
    return subprocess.Popen(command, env=order["environment"], stdin=files[0], stdout=files[1], stderr=files[2])


def _order(
    module: str,
    function: str,
    argument: Any,
    environment: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    path: Sequence[str] = (),
) -> dict[str, Any]:
    """An order as the server takes it."""
    called = {"module": module, "function": function, "argument": argument}
    environment = dict(os.environ if environment is None else environment)
    return called | {"environment": environment, "folder": str(folder or os.getcwd()), "path": list(path)}


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: socket.socket, order: dict[str, Any], files: Sequence[int] = ()) -> None:
    words = json.dumps(order).encode() + b"\n"
    if files:
        sent = socket.send_fds(connection, [words], list(files))
        words = words[sent:]
    if words:  # `sendall` of nothing asks all the same whether the other end is there, and a quick fork may have ended
        connection.sendall(words)


def _command(
    path: Path,
    modules: Iterable[str],
    linger: float,
    words: Sequence[str] = (),
    python: str | Path = sys.executable,
) -> list[str]:
    marks = [f"--mark={word}" for word in words]
    return [str(python), "-m", "warm.server", "--linger", str(linger), *marks, str(path), *modules]


def _start(command: Sequence[str], environment: Mapping[str, str] | None) -> subprocess.Popen:
    """Starts a server, and returns when it listens.

    Raises:
        WarmError: it ends before.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal is for who has started it
    )
    with process.stdout, process.stderr:
        if not process.stdout.readline():
            raise WarmError(f"The process that forks does not start: {process.stderr.read().decode()[-500:]}")
    return process


def _key(modules: Sequence[str], environment: Mapping[str, str]) -> str:
    """A name for what a server is made of: Python, the packages that are installed, this package, imports, and what is read at import."""
    packages = {Path(folder) for folder in sys.path if folder.endswith("-packages")} | {Path(__file__).parent}
    made_of = {
        "python": [sys.executable, sys.version],
        "packages": sorted((str(folder), folder.stat().st_mtime_ns) for folder in packages if folder.exists()),
        "sources": sorted((path.name, path.stat().st_mtime_ns) for path in Path(__file__).parent.glob("*.py")),
        "modules": list(modules),
        "environment": sorted((name, value) for name, value in environment.items() if name.startswith(READ_AT_IMPORT)),
    }
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def _runtime_folder() -> Path:
    """Where sockets lie that only this user may use.

    Raises:
        WarmError: the folder is another user's.
    """
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(own) / "warm" if own and Path(own).is_dir() else Path(tempfile.gettempdir()) / f"warm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise WarmError(f"{folder}: it is not this user's alone. Delete it.")
    return folder
