"""Makes what a lab gives, and evaluates its checks, in processes that never run student code (`apart`).

The lab's module, and what it names in `PRELOAD`, is imported once, and what its function `prepare` keeps is computed once.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from course import checks
from course.checks.catalogue import module
from course.checks.outcomes import BROKEN, OPEN, WRONG
from course.checks.session import TOLD
from judges import trial
from tools.grade.apart import Apart, Ask, Line

SECONDS = 60.0
"""For one check; what it waits for trials does not count."""
PREPARED = "COURSE_PREPARED"
"""Environment variable of the process whose forks evaluate: the lab."""


class Judge:
    """Evaluates the submissions of a lab."""

    def __init__(self, lab: str, apart: Apart) -> None:
        """Works in processes of `apart`, which was given what `modules` says, and the lab as `PREPARED`."""
        self._lab, self._apart = lab, apart

    @staticmethod
    def modules(lab: str) -> list[str]:
        """What is to be imported once."""
        return [*getattr(module(lab), "PRELOAD", ()), __name__]

    def deliver(self, student: str, salt: str, folder: Path) -> None:
        """Writes what the lab gives to a student into a folder, and what is said of it into the file `session.TOLD` there.

        Raises:
            RuntimeError: it cannot be made.
        """
        done, reason = self._apart.results(deliver, self._lab, student, salt, str(folder), seconds=SECONDS)
        if not done:
            raise RuntimeError(f"what the lab gives cannot be made: it {reason}; see judge.log")

    def outcomes(
        self, student: str, salt: str, top: Path, answers: Mapping[str, Line], run: Callable[[int, float], Line]
    ) -> dict[str, checks.Outcome]:
        """The outcome of each task; tasks without answers were not reached.

        Args:
            student: whose lab it is.
            salt: of the class.
            top: has the folders `workspace`, with what the submission left, and `trials`, empty.
            answers: for each task, for each name, `{"value": ...}` or `{"error": sentence}`.
            run: runs a trial, by its number and its seconds (`Box.trial`).
        """
        known, found, left = checks.tasks(self._lab), {}, {}
        for name, task in known.items():
            given = answers.get(name)
            if given is None or sorted(given) != sorted(task.answers):
                found[name] = _without(task, OPEN, "This check was not reached: the notebook ended before it.")
            elif unread := [
                f"The answer `{key}` cannot be read: {of['error']}" for key, of in given.items() if "error" in of
            ]:
                found[name] = _without(task, WRONG, "\n".join(unread))
            else:
                left[name] = {key: said["value"] for key, said in given.items()}
        while left:  # usually once; again for what comes after a check that did not end well
            done, reason = self._apart.results(
                evaluate, self._lab, student, salt, str(top), left,
                seconds=SECONDS, number=len(left), ask=lambda line: run(int(line["ask"]), float(line["seconds"])),
            )  # fmt: skip
            found |= {one["task"]: checks.Outcome(**one) for one in done}
            left = {name: values for name, values in left.items() if name not in found}
            if left:
                first = next(iter(left))
                found[first] = _without(known[first], BROKEN, f"The check {reason} on this answer.")
                del left[first]
        return {name: found[name] for name in known}


def _without(task: checks.Task, state: str, message: str) -> checks.Outcome:
    return checks.Outcome(task.name, task.title, 0, task.points, state, message)


# In a process of its own.


def deliver(lab: str, student: str, salt: str, folder: str, ask: Ask) -> Iterator[Line]:
    """Has the lab's own module write what it gives."""
    make = getattr(module(lab), "data", lambda own: [])
    lines = make(checks.Lab(lab, student, Path(folder), salt))
    Path(folder, TOLD).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    yield {}


def evaluate(lab: str, student: str, salt: str, top: str, answers: dict[str, Line], ask: Ask) -> Iterator[Line]:
    """The outcome of each task, by its answers."""
    own = checks.Lab(lab, student, Path(top, "workspace"), salt, Confined(Path(top, "trials"), ask))
    for name, values in answers.items():
        yield dataclasses.asdict(checks.evaluate(own, name, values))


@dataclasses.dataclass(frozen=True)
class Confined:
    """Has trials run in a box, by who has started this process: lays them into a folder of `folder`, and asks."""

    folder: Path
    ask: Ask

    def run(self, asked: trial.Trial) -> trial.Ran:
        """Runs one, or returns what came of it before."""
        return trial._kept(asked, self._run)

    def _run(self, asked: trial.Trial) -> trial.Ran:
        number = len(list(self.folder.iterdir()))
        top = self.folder / str(number)
        (top / "given").mkdir(parents=True)
        asked.lay(top / "given", "", "", str(top / "given"))
        told = self.ask({"ask": number, "seconds": asked.seconds})
        steps = trial.done([line.encode() for line in told["ran"]], asked)
        if told["limit"]:
            steps = [trial.Done(None, told["limit"]) if step == trial.Done(None) else step for step in steps]
        return trial.Ran(top / "room", steps)


if PREPARED in os.environ:
    getattr(module(os.environ[PREPARED]), "prepare", lambda: None)()
