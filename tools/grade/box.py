"""The trusted side of a confined run: chooses how to confine, starts it, and takes what comes as data of unknown origin."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tools.grade import docker
from tools.grade.confine import frames, pack, room
from tools.grade.confine.plan import (
    CONTAINER,
    LIMITS,
    NAMESPACES,
    OWN_USER,
    ROOT_NAMESPACES,
    USER_NAMESPACES,
    Limits,
    Plan,
)
from tools.grade.inside import forked
from tools.notebooks.execute import ROOT
from warm.client import FORKS, Fork, Warm, WarmError

DOCKER = "docker"
WAYS = (ROOT_NAMESPACES, USER_NAMESPACES, DOCKER, OWN_USER, LIMITS)
FIRST_UID = 2_000_000_000
"""User ids from here on are nobody's, on ordinary systems and on those that hand out ranges to containers."""
MARGIN = 90
"""Seconds beyond a run's own limits after which it is killed from outside."""
_MOST = 256 * 2**20

WORDS = {
    ROOT_NAMESPACES: "contained: own namespaces and an own user for each submission (started by root)",
    USER_NAMESPACES: "contained: own namespaces for each submission",
    DOCKER: "contained: a container for each submission",
    OWN_USER: "PARTLY contained: an own user for each submission, but it can read what every user can, and reach the network",
    LIMITS: "NOT contained: a submission can read, change and delete what you can, and reach the network",
}


@dataclasses.dataclass
class Report:
    """What came out of a confined run."""

    lines: list[bytes] = dataclasses.field(default_factory=list)
    limit: str | None = None
    memory: int = 0
    seconds: float = 0.0
    notes: list[str] = dataclasses.field(default_factory=list)
    complete: bool = False
    errors: str = ""


@dataclasses.dataclass(frozen=True)
class Box:
    """A way to confine, for one of the runs that go on side by side."""

    how: str
    slot: int = 0
    core: int | None = None
    warm: Warm | None = None

    def run(
        self,
        command: list[str],
        into: Path,
        *,
        folder: Path,
        collect: str,
        limits: Limits | None = None,
        visible: Sequence[Path] = (),
        given: Path | None = None,
        environment: dict[str, str] | None = None,
        forks: bool = False,
    ) -> Report:
        """Runs a command and takes what it says and leaves.

        Args:
            command: program and arguments.
            into: an empty folder for the files that it leaves.
            folder: where it runs, under the course's folder.
            collect: the folder in which it leaves files.
            limits: what it may use.
            visible: what it can read besides the course and its environment.
            given: a folder whose files it finds in `folder`.
            environment: variables besides the usual ones.
            forks: the command wants a kernel, and takes one that was forked from the warm process, where there is one.
        """
        with tempfile.TemporaryDirectory(prefix="course-room-") as room:
            os.chmod(room, 0o755)  # the command's own user passes through it
            (Path(room) / "room").mkdir()
            plan = Plan(
                how=CONTAINER if self.how == DOCKER else self.how,
                room=f"{room}/room",
                visible=[str(path) for path in (*shown_paths(), *visible) if path.exists()],
                top=str(ROOT),
                folder=str(folder),
                command=command,
                environment={**variables(), **(environment or {})},
                collect=collect,
                limits=limits or Limits(),
                given=str(given) if given else None,
                uid=FIRST_UID + self.slot if self.how in (ROOT_NAMESPACES, OWN_USER) else None,
                core=self.core,
                forks=forks and self.warm is not None,
            )
            if self.how != DOCKER:
                return _take([sys.executable, "-B", "-m", "tools.grade.confine"], plan, into, self.warm)
            name = f"course-{os.getpid()}-{self.slot}-{Path(room).name}"
            try:
                return _take(*docker.start(plan, name), into)
            finally:
                docker.remove(name)


def shown_paths() -> list[Path]:
    """What a submission can read: the environment, the course's code and data. Not the solutions, not other submissions, no home."""
    own = [ROOT / name for name in ("src", "data", "tools", "pyproject.toml", "out/data", ".tools/glibc", ".airflow")]
    added = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return [Path(sys.prefix), Path(sys.base_prefix), *own, *(path.resolve() for path in added if path.is_dir())]


def variables() -> dict[str, str]:
    """The environment of a submission: nothing of the environment of who grades."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": path,
        "HOME": "{scratch}/home",
        "TMPDIR": "{scratch}/tmp",
        "IPYTHONDIR": "{scratch}/home/ipython",
        "MPLCONFIGDIR": "{scratch}/home/matplotlib",
        "COURSE_OUT": "{scratch}/out",
        "COURSE_LIVE": "0",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if "COURSE_LABS" in os.environ:
        found["COURSE_LABS"] = os.environ["COURSE_LABS"]
    return found


def choose(wanted: str | None = None) -> str:
    """The best way to confine that works on this machine, or the one that is asked for.

    Raises:
        RuntimeError: none works, or not the one that is asked for. `LIMITS` confines nothing, and has to be asked for.
    """
    if wanted is not None and wanted not in WAYS:
        raise RuntimeError(f"CONTAIN={wanted!r} is not known; known are: {', '.join(WAYS)}")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    possible = [ROOT_NAMESPACES] if root else [USER_NAMESPACES]
    possible += [DOCKER, *([OWN_USER] if root else [])]
    if root and wanted == LIMITS:
        raise RuntimeError(
            "CONTAIN=limits would run submissions as root, with nothing to hold them. Grade as an ordinary user."
        )
    told = []
    for way in [wanted] if wanted else possible:
        reason = docker.missing() if way == DOCKER else None
        if reason := reason or _fails(Box(way)):
            told.append(f"{way}: {reason}")
        else:
            return way
    raise RuntimeError(
        "Submissions cannot be confined on this machine, so nothing was run.\n  "
        + "\n  ".join(told)
        + "\nINSTRUCTORS.md says how to grade in a container. CONTAIN=limits grades all the same, when you trust every submission."
    )


def _fails(box: Box) -> str | None:
    """Tries a way to confine. Returns why it does not work."""
    code = "import os, json, ctypes; os.write(3, b'works\\n')"
    with tempfile.TemporaryDirectory(prefix="course-probe-") as into:
        limits = Limits(seconds=30)
        report = box.run(
            [sys.executable, "-c", code], Path(into), folder=ROOT / "labs", collect="{scratch}/out", limits=limits
        )
    if report.lines == [b"works"]:
        return None
    return report.errors.strip().splitlines()[-1] if report.errors.strip() else "Python does not start in it"


@contextlib.contextmanager
def warmed(how: str) -> Iterator[Warm | None]:
    """A process that has imported TFX, for boxes to fork from; None where what is forked could not be confined as well as what is started.

    It is started with what a submission may know and no more, because all that is in its memory is in that of each fork.
    """
    with tempfile.TemporaryDirectory(prefix="course-warm-") as home:
        own = {name: value.replace("{scratch}", home) for name, value in variables().items()}
        shown = [str(path) for path in (*room.SYSTEM, *shown_paths()) if os.path.exists(path)]
        for name in ("home", "tmp"):
            os.mkdir(f"{home}/{name}")
        warm = None
        if FORKS and how in NAMESPACES:
            # By the path, and not by the folder in which it is started, which becomes the environment of no fork.
            through = [sys.executable, "-B", "-m", "tools.grade.confine.readonly", how, *shown, "--"]
            with contextlib.suppress(WarmError, OSError):
                warm = Warm.own(forked.IMPORTED, own, through=through)
        try:
            yield warm
        finally:
            if warm:
                warm.end()


def _begin(
    start: list[str], plan: Plan, warm: Warm | None, files: tuple[int, int, int]
) -> Fork | subprocess.Popen[bytes]:
    """Starts what confines, with its input, output and errors; in a fork of the warm process where the plan says so."""
    if plan.forks and warm:
        return warm.fork(
            "tools.grade.confine.__main__", "main", None, environment=variables(), folder=ROOT, files=files
        )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    stdin, stdout, stderr = files
    return subprocess.Popen(
        start, cwd=ROOT, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )


def _take(start: list[str], plan: Plan, into: Path, warm: Warm | None = None) -> Report:
    """Starts the confined run, and reads its frames until it ends or is killed."""
    report = Report()
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as asked:
        asked.write(plan.dumps().encode())
        asked.seek(0)
        reading, writing = os.pipe()
        try:
            process = _begin(start, plan, warm, (asked.fileno(), writing, errors.fileno()))
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        killer = threading.Timer(plan.limits.seconds + MARGIN, _kill, [process])
        killer.daemon = True
        killer.start()
        try:
            with os.fdopen(reading, "rb") as frames_:
                _read(frames_, into, report)
        except (ValueError, OSError) as error:
            report.notes.append(f"What the run reported could not be read: {error}")
        finally:
            killer.cancel()
            _kill(process)
            process.wait()
            if isinstance(process, Fork):
                process.close()
        errors.seek(0)
        report.errors = errors.read(4000).decode(errors="replace")
    return report


def _kill(process: Fork | subprocess.Popen[bytes]) -> None:
    """Kills the run, and with its first process the whole namespace."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _read(stream: Any, into: Path, report: Report) -> None:
    files = _Files(into)
    try:
        for kind, content in frames.read(stream, _MOST):
            if kind == frames.LINE:
                report.lines.append(content)
            elif kind == frames.NAME:
                files.open(content)
            elif kind == frames.DATA:
                files.add(content)
            else:
                ended = json.loads(content)
                report.limit, report.memory, report.seconds = ended["limit"], ended["memory"], ended["seconds"]
                report.notes += ended["notes"]
                report.complete = True
    finally:
        files.close()


class _Files:
    """Writes the files that a run left, under a folder and nowhere else."""

    def __init__(self, into: Path) -> None:
        self.into, self.count, self.file = into, 0, None

    def open(self, name: bytes) -> None:
        self.close()
        self.count += 1
        path = PurePosixPath(name.decode("utf-8"))
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in str(path) or self.count > pack.FILES:
            raise ValueError(f"{str(path)[:80]!r} is no place for a file")
        target = self.into.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(target, "xb")  # noqa: SIM115

    def add(self, content: bytes) -> None:
        if self.file is None:
            raise ValueError("content without a file")
        self.file.write(content)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


def boxes(how: str, at_a_time: int, warm: Warm | None = None) -> list[Box]:
    """A box for each of the runs that go on side by side; each has a core of its own where there are enough."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    own: Callable[[int], int | None] = lambda slot: cores[slot] if at_a_time <= len(cores) else None  # noqa: E731
    return [Box(how, slot, own(slot) if how in NAMESPACES else None, warm) for slot in range(at_a_time)]
