"""A place for a command that is not trusted: chooses how to confine it, starts it, and takes what it says and leaves as data of unknown origin."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.grade import bubblewrap, docker, left
from tools.grade.bubblewrap import Running
from tools.grade.limits import Limits
from tools.grade.watch import Report, watch
from tools.notebooks.execute import ROOT

BUBBLEWRAP, DOCKER, LIMITS = "bubblewrap", "docker", "limits"
WAYS = (BUBBLEWRAP, DOCKER, LIMITS)
INSIDE = ROOT / "tools" / "grade" / "inside"
"""The programs that are run in it, by their paths: no student's module is to be taken for a package of theirs."""

WORDS = {
    BUBBLEWRAP: "contained: each in a bubblewrap of its own",
    DOCKER: "contained: each in a container of its own",
    LIMITS: "NOT contained: a submission can read, change and delete what you can, and reach the network",
}


@dataclass(frozen=True)
class Box:
    """A way to confine, for one of the runs that go on side by side."""

    how: str
    slot: int = 0
    core: int | None = None

    def run(
        self,
        command: Sequence[str],
        into: Path,
        *,
        collect: str,
        folder: Path | None = None,
        limits: Limits | None = None,
        visible: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Report:
        """Runs a command, in which `{scratch}` stands for the folder that it can write to.

        Args:
            command: program and arguments. What it writes to its standard output is the report, line by line.
            into: a folder for the files that it leaves.
            collect: the folder within scratch in which it leaves files.
            folder: where it runs, empty.
            limits: what it may use.
            visible: what it can read besides the course and its environment.
            environment: variables besides the usual ones.

        Raises:
            RuntimeError: it cannot be started. The message says why.
        """
        limits = limits or Limits()
        shown = [*shown_paths(), *visible]
        with self._begin([*command], {**variables(), **(environment or {})}, shown, folder, limits) as running:
            report = watch(running, limits)
            report.notes += left.copy(collect, into, within=running.scratch)
        return report

    @contextlib.contextmanager
    def _begin(
        self, command: list[str], environment: dict[str, str], shown: list[Path], folder: Path | None, limits: Limits
    ) -> Iterator[Running]:
        with contextlib.ExitStack() as stack:
            if self.how == BUBBLEWRAP:
                scratch = bubblewrap.SCRATCH
            else:
                scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="course-room-"))
                for name in ("home", "tmp", "out", "folder"):
                    Path(scratch, name).mkdir()
            inside = docker.SCRATCH if self.how == DOCKER else scratch
            command = [part.replace("{scratch}", inside) for part in command]
            environment = {name: value.replace("{scratch}", inside) for name, value in environment.items()}
            if self.how == BUBBLEWRAP:
                running = bubblewrap.start(command, environment, shown, folder, limits, self.slot, self.core)
            elif self.how == DOCKER:
                running = docker.start(command, environment, shown, folder, limits, Path(scratch))
            else:
                running = _start(command, environment, limits, Path(scratch))
            stack.callback(os.close, running.scratch)
            yield running


def _start(command: list[str], environment: dict[str, str], limits: Limits, scratch: Path) -> Running:
    """Starts a command with limits, and nothing else to hold it."""
    process = subprocess.Popen(
        command,
        cwd=scratch / "folder",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    bubblewrap.restrain(process.pid, limits, None, own_user=False)

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    return Running(process, os.open(scratch, os.O_RDONLY | os.O_CLOEXEC), process.pid, False, kill)


def shown_paths() -> list[Path]:
    """What a submission can read: the environment, the course's code and data. Not what judges it, no solution, no other submission, no home."""
    names = (
        "src/judges",
        "src/course",
        "src/flights",
        "src/engines",
        "src/serving",
        "src/warm",
        "tools/grade/inside",
        "pyproject.toml",
    )
    own = [ROOT / name for name in (*names, "data", "out/data", ".tools/glibc", ".airflow")]
    found = [Path(sys.prefix), Path(sys.base_prefix), *own, *_added()]
    return [path for path in found if path.exists()]


def _added() -> list[Path]:
    """Folders of modules that who grades has added to Python's path, but none that has the course in it."""
    entries = [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return [path for path in entries if path.is_dir() and not (ROOT / "src").is_relative_to(path)]


def variables() -> dict[str, str]:
    """The environment of a submission: nothing of the environment of who grades."""
    path = os.pathsep.join(map(str, [ROOT / "src", *_added()]))
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
    if wanted == LIMITS and hasattr(os, "geteuid") and os.geteuid() == 0:
        raise RuntimeError(
            "CONTAIN=limits would run submissions as root, with nothing to hold them. Grade as an ordinary user."
        )
    told = []
    for way in [wanted] if wanted else (BUBBLEWRAP, DOCKER):
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
    with tempfile.TemporaryDirectory(prefix="course-probe-") as into:
        try:
            report = box.run(
                [sys.executable, "-c", "print('works')"], Path(into), collect="out", limits=Limits(seconds=30)
            )
        except (RuntimeError, OSError, ImportError) as error:
            return str(error)
    if report.lines == [b"works"]:
        return None
    return report.errors.strip().splitlines()[-1] if report.errors.strip() else "Python does not start in it"


def boxes(how: str, at_a_time: int) -> list[Box]:
    """A box for each of the runs that go on side by side; each has a core of its own where there are enough."""
    cores = sorted(os.sched_getaffinity(0)) if how == BUBBLEWRAP else []
    own = cores if at_a_time <= len(cores) else [None] * at_a_time
    return [Box(how, slot, own[slot]) for slot in range(at_a_time)]
