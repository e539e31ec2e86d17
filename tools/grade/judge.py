"""Makes what a lab gives, and evaluates its checks, in processes of their own that never run student code.

    python -m tools.grade.judge lab-1-data

A request is a line of JSON on standard input, and a line of JSON on standard output its reply:

- `deliver`, a folder, for a `student` and a `salt`: what the lab gives is written there. Reply: `{"error": sentence or null}`
- `answers` (for each task, for each name, `{"value": ...}` or `{"error": ...}`) with `student`, `salt`, `workspace` and `trials`, folders.
  Reply: for each task the outcome. Before it may come `{"trial": 0, "seconds": 120}`: the trial that has been laid into that folder of
  `trials` is to be run in a box; what is answered is `{"ran": [lines], "limit": sentence or null}`.

The lab's module, and what it names in `PRELOAD`, is imported once; each submission is evaluated in a fork, with limits: answers and files are
of unknown origin, and what reads them (a protobuf parser, a CSV reader) may be brought to crash. The checks after one that crashed run in
another fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from course import checks
from course.checks.catalogue import module
from course.checks.outcomes import BROKEN, OPEN, WRONG
from course.checks.session import TOLD
from judges import trial
from tools.grade.trials import Trials
from tools.notebooks.execute import ROOT

SECONDS = 60.0
"""For one check; what it waits for trials does not count."""
MEMORY = 4 * 2**30
_ANSWER = 2**20


class Judge:
    """The processes that evaluate: one for each submission that is graded at the same time."""

    def __init__(self, lab: str, log: Path, at_a_time: int = 1) -> None:
        """Starts them for a lab; what they print goes to `log`."""
        self._free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._all = []
        for _ in range(at_a_time):
            with open(log, "ab") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tools.grade.judge", lab],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": path, "COURSE_LIVE": "0"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
            self._all.append(process)
            self._free.put(process)

    def __enter__(self) -> Judge:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Ends the processes."""
        for process in self._all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def deliver(self, student: str, salt: str, folder: Path) -> None:
        """Writes what the lab gives to a student into a folder, and what is said of it into the file `session.TOLD` there.

        Raises:
            RuntimeError: it cannot be made, or the process is gone.
        """
        reply = self._ask({"deliver": str(folder), "student": student, "salt": salt})
        if reply["error"]:
            raise RuntimeError(f"what the lab gives cannot be made: {reply['error']}")

    def outcomes(
        self, student: str, salt: str, workspace: Path, answers: dict[str, dict[str, Any]], trials: Trials
    ) -> dict[str, checks.Outcome]:
        """The outcome of each task; tasks without answers were not reached.

        Raises:
            RuntimeError: the process is gone.
        """
        asked = {"student": student, "salt": salt, "workspace": str(workspace), "answers": answers}
        reply = self._ask(asked | {"trials": str(trials.folder)}, trials)
        return {name: checks.Outcome(**fields) for name, fields in reply.items()}

    def _ask(self, asked: dict[str, Any], trials: Trials | None = None) -> dict[str, Any]:
        process = self._free.get()
        try:
            while True:
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                process.stdin.flush()
                reply = json.loads(process.stdout.readline())
                if trials is None or "trial" not in reply:
                    return reply
                asked = trials.run(int(reply["trial"]), float(reply["seconds"]))
        except (OSError, ValueError) as error:
            raise RuntimeError("the process that evaluates is gone: its last words are in judge.log") from error
        finally:
            self._free.put(process)


class Confined:
    """Has trials run in a box, by who has started this process."""

    def __init__(self, folder: Path, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """`folder`: where they are laid; `ask`: sends a line and returns what is answered."""
        self.folder, self.ask = folder, ask

    def run(self, asked: trial.Trial) -> trial.Ran:
        """Runs one, or returns what came of it before."""
        return trial._kept(asked, self._run)

    def _run(self, asked: trial.Trial) -> trial.Ran:
        number = len(list(self.folder.iterdir()))
        top = self.folder / str(number)
        for path in (top, top / "given", top / "room"):
            path.mkdir()
        asked.lay(top / "given", "", "", str(top / "given"))
        told = self.ask({"trial": number, "seconds": asked.seconds})
        steps = trial.done([line.encode() for line in told["ran"]], asked)
        if told["limit"]:
            steps = [trial.Done(None, told["limit"]) if step == trial.Done(None) else step for step in steps]
        return trial.Ran(top / "room", steps)


def deliver(lab: str, request: dict[str, Any]) -> dict[str, Any]:
    """Has the lab's own module write what it gives, in a fork: it may keep what it computes."""
    folder = Path(request["deliver"])

    def work() -> Iterator[Any]:
        make = getattr(module(lab), "data", lambda own: [])
        lines = make(checks.Lab(lab, request["student"], folder, request["salt"]))
        (folder / TOLD).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield {"error": None}

    done, reason = _in_fork(lambda ask: work(), 1, limited=False)
    return done[0] if done else {"error": f"it {reason}; see judge.log"}


def evaluate_all(
    lab: str, request: dict[str, Any], ask: Callable[[str], str] | None = None
) -> dict[str, dict[str, Any]]:
    """The outcomes of a request; `ask` sends a line to who wants to know them, and returns the answer's."""
    known = checks.tasks(lab)
    found: dict[str, checks.Outcome] = {}
    left: dict[str, dict[str, Any]] = {}
    for name, task in known.items():
        given = request["answers"].get(name)
        if given is None or sorted(given) != sorted(task.answers):
            found[name] = _without(task, OPEN, "This check was not reached: the notebook ended before it.")
        elif unread := [
            f"The answer `{key}` cannot be read: {said['error']}" for key, said in given.items() if "error" in said
        ]:
            found[name] = _without(task, WRONG, "\n".join(unread))
        else:
            left[name] = {key: said["value"] for key, said in given.items()}

    def work(ask: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        runner = Confined(Path(request["trials"]), ask) if "trials" in request else None
        own = checks.Lab(lab, request["student"], Path(request["workspace"]), request.get("salt", ""), runner)
        for name, values in left.items():
            yield dataclasses.asdict(checks.evaluate(own, name, values))

    while left:  # usually once; again for what comes after a check that did not end well
        done, reason = _in_fork(work, len(left), ask)
        found |= {one["task"]: checks.Outcome(**one) for one in done}
        left = {name: values for name, values in left.items() if name not in found}
        if left:
            first = next(iter(left))
            found[first] = _without(known[first], BROKEN, f"The check {reason} on this answer.")
            del left[first]
    return {name: dataclasses.asdict(found[name]) for name in known}


def _without(task: checks.Task, state: str, message: str) -> checks.Outcome:
    return checks.Outcome(task.name, task.title, 0, task.points, state, message)


def _in_fork(
    work: Callable[[Callable[[dict[str, Any]], dict[str, Any]]], Iterator[dict[str, Any]]],
    number: int,
    ask: Callable[[str], str] | None = None,
    limited: bool = True,
) -> tuple[list[dict[str, Any]], str]:
    """Does work in a forked process, in which one piece can use what another has computed.

    Args:
        work: yields its results. It is called with a function that sends a line, such as `{"trial": 0}`, and returns what is answered.
        number: of results.
        ask: answers such lines.
        limited: whether the process has limits of its own.

    Returns:
        The results, as far as it came, and what happened then.
    """
    (reading, writing), (hearing, answering) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.close(answering)
            os.setsid()
            if limited:
                _limit()
            with os.fdopen(writing, "w") as stream, os.fdopen(hearing) as answers:

                def send(line: dict[str, Any]) -> dict[str, Any]:
                    print(json.dumps(line), file=stream, flush=True)
                    return json.loads(answers.readline())

                for result in work(send):
                    print(json.dumps(result), file=stream, flush=True)
        except BaseException as error:
            print(f"{error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    os.close(writing)
    os.close(hearing)
    done, rest, reason = [], b"", "ended without a result"
    deadline = time.monotonic() + SECONDS
    with os.fdopen(answering, "w") as answers:
        while len(done) < number:
            if not select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
                reason = f"took more than {SECONDS:.0f} seconds"
                break
            piece = os.read(reading, 65536)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                said = json.loads(line)
                if ask and "trial" in said:
                    with contextlib.suppress(BrokenPipeError):
                        print(ask(line.decode()), end="", file=answers, flush=True)
                else:
                    done.append(said)
                deadline = time.monotonic() + SECONDS
            if not piece or len(rest) > _ANSWER:
                break
    os.close(reading)
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return done, reason


def _limit() -> None:
    """Limits for the forked process, and, where it can be had, no network."""
    for kind, value in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, 120),
        (resource.RLIMIT_FSIZE, 2**28),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))
    if sys.platform == "linux":
        user, network = 0x10000000, 0x40000000
        ctypes.CDLL(None).unshare(network if os.geteuid() == 0 else user | network)


def main() -> None:
    """Answers requests until standard input ends."""
    lab = sys.argv[1]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no reply

    def ask(line: str) -> str:
        print(line, file=out, flush=True)
        return sys.stdin.readline()

    checks.tasks(lab)
    for name in getattr(module(lab), "PRELOAD", ()):
        importlib.import_module(name)
    while line := sys.stdin.readline():
        request = json.loads(line)
        reply = deliver(lab, request) if "deliver" in request else evaluate_all(lab, request, ask)
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
