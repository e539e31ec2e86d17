"""A place for a command that is not trusted: chooses how to confine it, and takes what it says and leaves as data of unknown origin."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.grade import bubblewrap, docker, left
from tools.grade.limits import SCRATCH, Limits, Order, Running
from tools.grade.watch import Report, watch
from tools.notebooks.execute import ROOT

BUBBLEWRAP, DOCKER = "bubblewrap", "docker"
WAYS = (BUBBLEWRAP, DOCKER)
WORDS = {BUBBLEWRAP: "each in a bubblewrap of its own", DOCKER: "each in a container of its own"}
INSIDE = ROOT / "tools" / "grade" / "inside"
"""The programs that are run in it, by their paths: no student's module is to be taken for a package of theirs."""
MARGIN, MOST = 60.0, 1800.0
"""Seconds that a trial has beyond those of its steps, for imports; and seconds that a check may ask for."""


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
        """Runs a command.

        Args:
            command: program and arguments. What it writes to its standard output is the report, line by line.
            into: a folder for the files that it leaves.
            collect: the folder within `SCRATCH` in which it leaves them.
            folder: where it runs, empty; by default in `SCRATCH`.
            limits: what it may use.
            visible: what it can read besides the course and its environment.
            environment: variables besides the usual ones.

        Raises:
            RuntimeError, OSError: it cannot be started. The message says why.
        """
        given, shown = {**variables(), **(environment or {})}, [*shown_paths(), *visible]
        order = Order(command, given, shown, folder or Path(SCRATCH), limits or Limits(), self.slot, self.core)
        with self._running(order) as running:
            report = watch(running, order.limits)
            copy = left.Copy(into)
            try:
                copy.folder(collect, within=running.scratch)
            except OSError:
                copy.notes.append("There is no workspace: the notebook did not begin the lab, or removed the folder.")
            report.notes += copy.notes
        return report

    @contextlib.contextmanager
    def _running(self, order: Order) -> Iterator[Running]:
        with tempfile.TemporaryDirectory(prefix="course-room-") as room:
            running = docker.start(order, Path(room)) if self.how == DOCKER else bubblewrap.start(order)
            try:
                yield running
            finally:
                os.close(running.scratch)

    def trial(self, folder: Path, limits: Limits, number: int, seconds: float) -> dict[str, Any]:
        """Runs a trial that a check asks for (see `judges.trial`): what its steps said, as lines, and the limit that it has met.

        Args:
            folder: holds for each trial a folder, named by its number, with `given`, what it is made of, and `room`, for what comes of it.
            limits: what it may use besides time.
            number: of the trial.
            seconds: that its steps have.
        """
        top = folder / str(number)
        report = self.run(
            [sys.executable, "-P", "-m", "course.trials", str(top / "given" / "trial.json"), f"{SCRATCH}/out/room"],
            top / "room",
            collect="out/room",
            limits=replace(limits, seconds=min(seconds, MOST) + MARGIN),
            visible=[top / "given"],
        )
        words = limits.words(report.limit) if report.limit else None
        return {"ran": [line.decode(errors="replace") for line in report.lines], "limit": words}


def shown_paths() -> list[Path]:
    """What a submission can read: the environment, the course's code and data. Not what judges it, no solution, no other submission, no home."""
    packages = [ROOT / "src" / name for name in ("course", "flights", "engines", "operation", "serving", "warm")]
    own = [ROOT / name for name in ("pyproject.toml", "data", "out/data", ".airflow")]
    glibc = (
        Path(sys.prefix).parent / ".tools" / "glibc"
    )  # of a Python that has its own: see tools/setup/private_glibc.sh
    found = [Path(sys.prefix), Path(sys.base_prefix), glibc, INSIDE, *packages, *own, *_added()]
    return [path for path in found if path.exists()]


def _added() -> list[Path]:
    """Folders of modules that who grades has added to Python's path, but none in which the course lies."""
    entries = [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return [path for path in entries if path.is_dir() and not (ROOT / "src").is_relative_to(path)]


def variables() -> dict[str, str]:
    """The environment of a submission: nothing of the environment of who grades."""
    found = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(map(str, [ROOT / "src", *_added()])),
        "HOME": f"{SCRATCH}/home",
        "TMPDIR": f"{SCRATCH}/tmp",
        "IPYTHONDIR": f"{SCRATCH}/home/ipython",
        "MPLCONFIGDIR": f"{SCRATCH}/home/matplotlib",
        "COURSE_OUT": f"{SCRATCH}/out",
        "COURSE_LIVE": "0",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return found | {name: os.environ[name] for name in ("COURSE_LABS",) if name in os.environ}


def choose(wanted: str | None = None) -> str:
    """The best way to confine that works on this machine, or the one that is asked for.

    Raises:
        RuntimeError: none works, or not the one that is asked for. The message says why.
    """
    told = []
    for way in [wanted] if wanted else WAYS:
        if reason := _fails(Box(way)):
            told.append(f"{way}: {reason}")
        else:
            return way
    raise RuntimeError(
        "\n  ".join(["Submissions cannot be confined on this machine, so nothing was run.", *told])
        + "\nINSTRUCTORS.md says what each way needs."
    )


def _fails(box: Box) -> str | None:
    """Tries a way to confine. Returns why it does not work."""
    with tempfile.TemporaryDirectory(prefix="course-probe-") as into:
        try:
            command = [sys.executable, "-c", "print('works')"]
            report = box.run(command, Path(into), collect="out", limits=Limits(seconds=30))
        except (RuntimeError, OSError, ImportError) as error:
            return str(error)
    said = report.errors.strip().splitlines() or ["Python does not start in it"]
    return None if report.lines == [b"works"] else said[0 if box.how == DOCKER else -1]


def boxes(how: str, at_a_time: int) -> list[Box]:
    """A box for each of the runs that go on side by side; each has a core of its own where there are enough."""
    cores = sorted(os.sched_getaffinity(0)) if how == BUBBLEWRAP else []
    own = cores if at_a_time <= len(cores) else [None] * at_a_time
    return [Box(how, slot, own[slot]) for slot in range(at_a_time)]
