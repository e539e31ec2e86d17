"""Runs the command, passes on what it says, watches what it uses, and ends all of it."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools.grade.confine import syscalls, system
from tools.grade.confine.plan import FLOOD, MEGABYTE, NAMESPACES, OWN_PROCESSES, Plan

PERIOD = 0.1
"""Seconds between two looks at memory and processes."""
SAID = 48 * MEGABYTE
"""Bytes that a command may send in all."""
LINE = 8 * MEGABYTE
GRACE = 20
"""Seconds that the command has beyond its time to end by itself."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Ended:
    """How it ended: None for by itself, else the limit that it met, and the most memory that was seen (bytes)."""

    limit: str | None
    status: int | None
    memory: int
    seconds: float


def run(plan: Plan, scratch: str, send: Callable[[bytes], None]) -> Ended:
    """Runs the plan's command to its end or to a limit. Calls `send` with each line that it writes to its descriptor 3."""
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _become(plan, scratch, writing)
        except BaseException as error:
            print(f"the command could not be started: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(127)
    os.close(writing)
    try:
        return _Watch(plan, child, reading, send, started).watch()
    finally:
        end_all(plan, child)
        os.close(reading)


def end_all(plan: Plan, child: int) -> None:
    """Kills every process of the command, and waits until none is left."""
    for _ in range(50):
        if plan.how in OWN_PROCESSES:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # this process is the first of its namespace: all others in it
        else:
            for pid in processes(plan, child):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not processes(plan, child):
            return
        time.sleep(0.05)


def processes(plan: Plan, child: int) -> list[int]:
    """The processes of the command that are alive."""
    own = os.getpid()
    if not os.path.isdir("/proc/self"):  # macOS: the process group is all that can be known
        try:
            os.killpg(child, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [child]
    everyone = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
    return [pid for pid in everyone if _alive(pid) and (plan.how in OWN_PROCESSES or _belongs(pid, plan.uid, child))]


def _alive(pid: int) -> bool:
    return _stat(pid)[:1] not in (["Z"], ["X"], [])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, session, ..."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _belongs(pid: int, uid: int | None, child: int) -> bool:
    """Without namespaces: by the user where it has one of its own; else by the session, which it can leave."""
    if uid is not None:
        try:
            return os.stat(f"/proc/{pid}").st_uid == uid
        except OSError:
            return False
    fields = _stat(pid)
    return len(fields) > 3 and (fields[3] == str(child) or pid == child)


class _Watch:
    """One run that is being watched."""

    def __init__(self, plan: Plan, child: int, reading: int, send: Callable[[bytes], None], started: float) -> None:
        self.plan, self.child, self.reading, self.send, self.started = plan, child, reading, send, started
        self.memory = self.said = 0
        self.rest = b""
        self.open = True

    def watch(self) -> Ended:
        status = None
        while True:
            self._listen()
            limit = self._limit()
            pid, status = self._reap()
            if pid == self.child or limit:
                break
        while self.open and self._listen():
            pass
        return Ended(limit, status if pid == self.child else None, self.memory, time.monotonic() - self.started)

    def _reap(self) -> tuple[int, int | None]:
        """Also takes note of orphans, which come to the first process of a namespace."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return self.child, None
            if pid in (0, self.child):
                return pid, os.waitstatus_to_exitcode(status) if pid else None

    def _listen(self) -> bool:
        """Reads what there is; returns whether there was something."""
        ready, _, _ = select.select([self.reading] if self.open else [], [], [], PERIOD)
        if not ready:
            return False
        piece = os.read(self.reading, MEGABYTE)
        self.open = bool(piece)
        self.said += len(piece)
        *lines, self.rest = (self.rest + piece).split(b"\n")
        for line in lines:
            self.send(line)
        return self.open and self.said < SAID and len(self.rest) < LINE

    def _limit(self) -> str | None:
        limits = self.plan.limits
        if self.said >= SAID or len(self.rest) >= LINE:
            return "output"
        if time.monotonic() - self.started > limits.seconds + GRACE:
            return "time"
        alive = processes(self.plan, self.child)
        if len(alive) > limits.processes:
            return "processes"
        used = sum(map(_resident, alive))
        if used > limits.memory:
            used = sum(map(_proportional, alive))  # exact where memory is shared, and slow
        self.memory = max(self.memory, used)
        return "memory" if used > limits.memory else None


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return _resident(pid)


def _become(plan: Plan, scratch: str, writing: int) -> None:
    """Turns the forked process into the command. Descriptor 3 is the way to what watches it; all others lead nowhere."""
    os.setsid()
    if plan.how in NAMESPACES:
        os.chdir(plan.folder)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(writing, 100)
    os.dup2(100, 3)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(4, 4096)
    os.set_inheritable(3, True)
    _limits(plan)
    if sys.platform == "linux":
        system.drop_capabilities()
    if plan.uid is not None and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(plan.uid, plan.uid, plan.uid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    if sys.platform == "linux":
        system.no_new_privileges()
        program = syscalls.program()
        if program:
            system.seccomp(program)
        system.give_up_capabilities()
    os.umask(0o022)
    environment = {name: value.replace("{scratch}", scratch) for name, value in plan.environment.items()}
    command = [part.replace("{scratch}", scratch) for part in plan.command]
    if plan.forks:
        from tools.grade.inside import forked  # with libraries, which this process has only then

        command += forked.fork(environment | {FLOOD: str(plan.limits.flood)}, plan.how in OWN_PROCESSES)
    os.execve(command[0], command, environment)


def _limits(plan: Plan) -> None:
    limits = plan.limits
    wanted: Iterable[tuple[str, int]] = (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_CPU", round(2 * limits.seconds) + 60),
        ("RLIMIT_DATA", limits.memory),
        ("RLIMIT_FSIZE", limits.disk),
        ("RLIMIT_MEMLOCK", 8 * MEGABYTE),
        ("RLIMIT_MSGQUEUE", 0),
        ("RLIMIT_NOFILE", 1024),
        ("RLIMIT_NPROC", limits.threads + _threads_of_user(plan)),
    )
    for name, value in wanted:
        if hasattr(resource, name):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))


def _threads_of_user(plan: Plan) -> int:
    """Threads that the user has already, where the limit counts them: everywhere but in a namespace or user of its own."""
    if plan.uid is not None or plan.how in OWN_PROCESSES:
        return 0
    count = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
    return count
