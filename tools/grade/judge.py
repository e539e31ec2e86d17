"""Makes what a lab gives, and evaluates its checks, in processes of their own that never run student code.

    python -m tools.grade.judge lab-1-data

Requests are lines of JSON on standard input, and lines of JSON on standard output their replies:

- `deliver`, a folder, for a `student` and a `salt`: what the lab gives is written there. Reply: `{"error": sentence or null}`
- `answers` (for each task, for each name, `{"value": ...}` or `{"error": ...}`) with `student`, `salt`, and the folders `workspace` and `trials`.
  Reply: for each task the outcome. Before it may come `{"trial": 0, "seconds": 120}`: the trial that has been laid into that folder of
  `trials` is to be run in a box; what is answered is `{"ran": [lines], "limit": sentence or null}`.

The lab's module, and what it names in `PRELOAD`, is imported once, and what its function `prepare` keeps is computed once. Each request is
worked on in a fork, with limits: answers and files are of unknown origin, and what reads them (a protobuf parser, a CSV reader) may be brought
to crash. The checks after one that crashed run in another fork.
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
import socket
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
from tools.notebooks.execute import ROOT

SECONDS = 60.0
"""For one check; what it waits for trials does not count."""
MEMORY = 4 * 2**30
_ANSWER = 2**20

Line = dict[str, Any]
Ask = Callable[[Line], Line]
"""Sends a line, and returns what is answered."""


class Judge:
    """The processes that evaluate: one for each submission that is graded at the same time."""

    def __init__(self, lab: str, log: Path, at_a_time: int = 1) -> None:
        """Starts them for a lab; what they print goes to `log`."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        with open(log, "ab") as errors:
            settings = {
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": errors,
                "start_new_session": True,
            }
            settings |= {"cwd": ROOT, "env": {**os.environ, "PYTHONPATH": path, "COURSE_LIVE": "0"}}
            command = [sys.executable, "-m", "tools.grade.judge", lab]
            self._all = [subprocess.Popen(command, **settings) for _ in range(at_a_time)]
        for process in self._all:
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
        self, student: str, salt: str, top: Path, answers: dict[str, Line], run: Callable[[int, float], Line]
    ) -> dict[str, checks.Outcome]:
        """The outcome of each task; tasks without answers were not reached.

        Args:
            student: whose lab it is.
            salt: of the class.
            top: has the folders `workspace`, with what the submission left, and `trials`, empty.
            answers: for each task.
            run: runs a trial, by its number and its seconds (`Box.trial`).

        Raises:
            RuntimeError: the process is gone.
        """
        asked = {"student": student, "salt": salt, "answers": answers}
        reply = self._ask(asked | {name: str(top / name) for name in ("workspace", "trials")}, run)
        return {name: checks.Outcome(**fields) for name, fields in reply.items()}

    def _ask(self, asked: Line, run: Callable[[int, float], Line] | None = None) -> Line:
        process = self._free.get()
        try:
            while True:
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                process.stdin.flush()
                reply = json.loads(process.stdout.readline())
                if run is None or "trial" not in reply:
                    return reply
                asked = run(int(reply["trial"]), float(reply["seconds"]))
        except (OSError, ValueError) as error:
            raise RuntimeError("the process that evaluates is gone: its last words are in judge.log") from error
        finally:
            self._free.put(process)


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
        told = self.ask({"trial": number, "seconds": asked.seconds})
        steps = trial.done([line.encode() for line in told["ran"]], asked)
        if told["limit"]:
            steps = [trial.Done(None, told["limit"]) if step == trial.Done(None) else step for step in steps]
        return trial.Ran(top / "room", steps)


def deliver(lab: str, request: Line) -> Line:
    """Has the lab's own module write what it gives."""

    def work(_: Ask) -> Iterator[Line]:
        folder = Path(request["deliver"])
        make = getattr(module(lab), "data", lambda own: [])
        lines = make(checks.Lab(lab, request["student"], folder, request["salt"]))
        (folder / TOLD).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield {"error": None}

    done, reason = _in_fork(work, 1)
    return done[0] if done else {"error": f"it {reason}; see judge.log"}


def evaluate_all(lab: str, request: Line, ask: Ask | None = None) -> dict[str, Line]:
    """The outcomes of a request; `ask` has trials run."""
    known = checks.tasks(lab)
    found: dict[str, Line] = {}
    left: dict[str, Line] = {}
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

    def work(send: Ask) -> Iterator[Line]:
        runner = Confined(Path(request["trials"]), send) if "trials" in request else None
        own = checks.Lab(lab, request["student"], Path(request["workspace"]), request.get("salt", ""), runner)
        for name, values in left.items():
            yield dataclasses.asdict(checks.evaluate(own, name, values))

    while left:  # usually once; again for what comes after a check that did not end well
        done, reason = _in_fork(work, len(left), ask)
        found |= {one["task"]: one for one in done}
        left = {name: values for name, values in left.items() if name not in found}
        if left:
            first = next(iter(left))
            found[first] = _without(known[first], BROKEN, f"The check {reason} on this answer.")
            del left[first]
    return {name: found[name] for name in known}


def _without(task: checks.Task, state: str, message: str) -> Line:
    return dataclasses.asdict(checks.Outcome(task.name, task.title, 0, task.points, state, message))


def _in_fork(work: Callable[[Ask], Iterator[Line]], number: int, ask: Ask | None = None) -> tuple[list[Line], str]:
    """Does work in a forked process, in which one piece can use what another has computed.

    Args:
        work: yields its results. It is called with a function that sends a line, such as `{"trial": 0}`, and returns what is answered.
        number: of results.
        ask: answers such lines.

    Returns:
        The results, as far as it came, and what happened then.
    """
    own, other = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            own.close()
            os.setsid()
            _limit()
            with other.makefile("rw", encoding="utf-8") as stream:

                def send(line: Line) -> None:
                    print(json.dumps(line), file=stream, flush=True)

                for result in work(lambda line: send(line) or json.loads(stream.readline())):
                    send(result)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    other.close()
    done, rest, reason = [], b"", "ended without a result"
    with own:
        deadline = time.monotonic() + SECONDS
        while len(done) < number and len(rest) < _ANSWER:
            if not select.select([own], [], [], max(0.0, deadline - time.monotonic()))[0]:
                reason = f"took more than {SECONDS:.0f} seconds"
                break
            try:
                piece = own.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for said in map(json.loads, lines):
                if ask and "trial" in said:
                    with contextlib.suppress(BrokenPipeError):
                        own.sendall(json.dumps(ask(said)).encode() + b"\n")
                else:
                    done.append(said)
                deadline = time.monotonic() + SECONDS
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

    def ask(line: Line) -> Line:
        print(json.dumps(line), file=out, flush=True)
        return json.loads(sys.stdin.readline())

    checks.tasks(lab)
    for name in getattr(module(lab), "PRELOAD", ()):
        importlib.import_module(name)
    getattr(module(lab), "prepare", lambda: None)()
    while line := sys.stdin.readline():
        request = json.loads(line)
        reply = deliver(lab, request) if "deliver" in request else evaluate_all(lab, request, ask)
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
