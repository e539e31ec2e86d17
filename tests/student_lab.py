"""A student's lab for tests: an empty workspace, and what a check says of answers."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import itertools
import linecache
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from course import checks
from judges import trial
from tools.labs import source
from tools.notebooks import form
from warm import client


def empty(name: str, folder: Path, student: str = "student-1", runner: Any = None) -> checks.Lab:
    """A student's lab with an empty workspace."""
    workspace = folder / student / name
    workspace.mkdir(parents=True)
    return checks.Lab(name, student, workspace, runner=runner)


@functools.cache
def solution(name: str) -> dict[str, str]:
    """The cells of a lab's solution, by their ids."""
    return {source.marks(cell).get("grade_id"): cell.source for cell in form.read(source.notebook(name)).cells}


@functools.cache
def warm(modules: Sequence[str]) -> client.Warm | None:
    """The process that steps of trials are forked from, begun once."""
    found = client.start(modules)
    if found:
        atexit.register(found.end)
    return found


def forking(monkeypatch: Any, modules: Sequence[str]) -> None:
    """Lets trials have forks of it."""
    if found := warm(modules):
        monkeypatch.setenv(client.SOCKET, str(found.path))


def cells(names: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """Runs cells as IPython does: each under a name by which its source can be found."""
    count = itertools.count()

    def cell(source: str) -> dict[str, Any]:
        name = f"<cell {next(count)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), names)
        return names

    return cell


class InThisProcess:
    """Runs the steps of a trial as `judges.trial.Here` does, but in this process, which has imported TensorFlow."""

    def run(self, asked: trial.Trial) -> trial.Ran:
        kept = tempfile.TemporaryDirectory(prefix="course-trial-")
        asked.lay(Path(kept.name), "", "", "")
        room, done = Path(kept.name) / "0", []
        [step] = asked.steps
        with contextlib.chdir(room):
            try:
                importlib.import_module(step.module).main(list(step.arguments))
                done.append(trial.Done(0))
            except Exception as error:
                done.append(trial.Done(1, f"{type(error).__name__}: {error}"))
        return trial.Ran(room, done, kept)


def evaluate(lab: checks.Lab, task: str, **answers: Any) -> tuple[float, str]:
    """Points and message. A check that breaks is no outcome."""
    outcome = checks.evaluate(lab, task, answers)
    assert outcome.state not in ("check failed", "not answered yet"), outcome.message
    return outcome.points, outcome.message
