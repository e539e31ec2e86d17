"""Runs a student's work elsewhere, on data of the check's choice, and returns what comes of it as data.

    ran = lab.run(
        Trial(
            "your package in another folder, on a month that you have not seen",
            files={"package": lab.workspace / "package", "months/span-01/flights.csv": month},
            steps=[Step("course.trials.pipeline", ["package", "months"], seconds=120)],
            modules=("tfx.v1",),
        )
    )
    ran.steps[0].status, ran.steps[0].said, ran.folder

On a student's machine it runs as the student (`Here`); in grading, confined. Nothing that comes back is to be trusted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Content = Path | bytes | str
KEPT = 8
"""Trials whose results are kept, for the tasks that share one."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One process: `main(arguments)` of a module that the student's code can see.

    Attributes:
        module: its name, of `course.trials`.
        arguments: what it is called with.
        files: what is laid into the folder before it, by the path there: a file or folder, or a file's content.
        seconds: that it has by the clock.
        kill_at: a pattern of paths in the folder: the step is killed (-9) when one is there.
    """

    module: str
    arguments: Sequence[str] = ()
    files: Mapping[str, Content] = dataclasses.field(default_factory=dict)
    seconds: float = 120
    kill_at: str = ""


@dataclasses.dataclass(frozen=True)
class Trial:
    """Steps in one folder, and what lies there before.

    Attributes:
        title: what is tried, for the student who waits for it.
        files: as those of a step.
        steps: one after the other; each runs whatever came of the one before.
        modules: what is imported once, before the steps are forked.
    """

    title: str
    files: Mapping[str, Content]
    steps: Sequence[Step]
    modules: Sequence[str] = ()

    @property
    def seconds(self) -> float:
        """That all steps have together."""
        return sum(step.seconds for step in self.steps)

    def lay(self, folder: Path, room: str, report: str, given: str) -> Path:
        """Writes the trial as `course.trials` takes it: `trial.json`, and for each step its files.

        Args:
            folder: an empty folder, in which it is written.
            room: the folder that the steps will run in; report: where the lines of the steps will go; given: what `folder` will be called then.
        """
        for number, step in enumerate(self.steps):
            place = folder / str(number)
            place.mkdir()
            for name, content in {**(self.files if number == 0 else {}), **step.files}.items():
                _lay(place / name, content)
        fields = ("module", "arguments", "seconds", "kill_at")
        steps = [{name: getattr(step, name) for name in fields} for step in self.steps]
        made = {"room": room, "given": given, "report": report, "modules": list(self.modules), "steps": steps}
        path = folder / "trial.json"
        path.write_text(json.dumps(made), encoding="utf-8")
        return path


@dataclasses.dataclass(frozen=True)
class Done:
    """How a step ended: its exit status, negative for a signal, None when its time was over or it was not begun; the last of what it said."""

    status: int | None
    said: str = ""

    @property
    def last(self) -> str:
        """Its last line, for a message, or why there is none."""
        if self.status is None:
            return "its time was over"
        return (self.said.strip().splitlines() or [f"it was ended with status {self.status}"])[-1][:300]


@dataclasses.dataclass(frozen=True)
class Ran:
    """What came of a trial: how its steps ended, and the folder with the files that are there now. `kept` holds the folder while it is needed."""

    folder: Path
    steps: list[Done]
    kept: Any = None


class Runner(Protocol):
    """What runs trials."""

    def run(self, trial: Trial) -> Ran:
        """Runs one."""


class Here:
    """Runs trials on this machine, as this user: in a fork of the warm process of this kernel, where there is one."""

    def run(self, trial: Trial) -> Ran:
        """Runs one."""
        return _kept(trial, self._run)

    def _run(self, trial: Trial) -> Ran:
        from course.trials.__main__ import main

        kept = tempfile.TemporaryDirectory(prefix="course-trial-")
        top = Path(kept.name)
        for name in ("room", "home", "tmp", "given"):
            (top / name).mkdir()
        path = trial.lay(top / "given", str(top / "room"), str(top / "report"), str(top / "given"))
        own = {"HOME": str(top / "home"), "TMPDIR": str(top / "tmp"), "COURSE_LIVE": "0"}
        main(str(path), {**os.environ, **own})
        _plain(top / "room")
        return Ran(top / "room", done((top / "report").read_bytes().splitlines(), trial), kept)


_RAN: dict[str, Ran] = {}


def _kept(trial: Trial, run: Any) -> Ran:
    """The result of the trial, from before if nothing of it has changed since."""
    key = digest(trial)
    if key not in _RAN:
        while len(_RAN) >= KEPT:
            del _RAN[next(iter(_RAN))]
        _RAN[key] = run(trial)
    return _RAN[key]


def digest(trial: Trial) -> str:
    """Of all that a trial runs and gives."""
    found = hashlib.sha256()
    for step in (trial, *trial.steps):
        fields = [getattr(step, name, None) for name in ("module", "arguments", "seconds", "kill_at", "modules")]
        found.update(repr(fields).encode())
        for name, content in step.files.items():
            found.update(f"\0{name}\0".encode())
            if isinstance(content, Path):
                for path in sorted(content.rglob("*")) if content.is_dir() else [content]:
                    found.update(str(path.relative_to(content)).encode())
                    found.update(path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
            else:
                found.update(content.encode() if isinstance(content, str) else content)
    return found.hexdigest()


def done(lines: Sequence[bytes], trial: Trial) -> list[Done]:
    """How each step ended, from the lines of the report; as not begun where there is none, or none that can be read."""
    found = [Done(None) for _ in trial.steps]
    for line in lines:
        try:
            told = json.loads(line)
            status, said = told["status"], str(told["said"])
            found[int(told["step"])] = Done(status if isinstance(status, int) else None, said)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
            continue
    return found


def _lay(place: Path, content: Content) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        copy = shutil.copytree if content.is_dir() else shutil.copy
        ignored = {"symlinks": True, "ignore": shutil.ignore_patterns("__pycache__"), "dirs_exist_ok": True}
        copy(content, place, **(ignored if content.is_dir() else {}))
    elif isinstance(content, bytes):
        place.write_bytes(content)
    else:
        place.write_text(content, encoding="utf-8")


def _plain(folder: Path) -> None:
    """Leaves ordinary files and folders only."""
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(top, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                path.unlink()
