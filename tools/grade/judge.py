"""Evaluates the checks of a lab, in a process of its own that never ran student code.

    python -m tools.grade.judge lab-1-data

A request is a line of JSON on standard input: student, workspace (a folder), answers (for each task, for each name, `{"value": ...}` or
`{"error": ...}`). The reply is a line of JSON on standard output: for each task the outcome. The lab's module, and what it names in
`PRELOAD`, is imported once; each submission is evaluated in a fork, with limits: answers and files are of unknown origin, and what reads
them (a protobuf parser, a CSV reader) may be brought to crash. The checks after one that crashed run in another fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from course import checks
from course.checks.catalogue import module
from course.checks.outcomes import BROKEN, OPEN, WRONG
from tools.notebooks.execute import ROOT

SECONDS = 60.0
"""For one check."""
MEMORY = 4 * 2**30
_ANSWER = 2**20


class Judge:
    """The process that evaluates."""

    def __init__(self, lab: str, log: Path) -> None:
        """Starts it for a lab; what it prints goes to `log`."""
        self._lock = threading.Lock()
        command = [sys.executable, "-m", "tools.grade.judge", lab]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path, "COURSE_LIVE": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def __enter__(self) -> Judge:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process."""
        self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()

    def outcomes(self, student: str, workspace: Path, answers: dict[str, dict[str, Any]]) -> dict[str, checks.Outcome]:
        """The outcome of each task; tasks without answers were not reached.

        Raises:
            RuntimeError: the process is gone.
        """
        request = json.dumps({"student": student, "workspace": str(workspace), "answers": answers}) + "\n"
        with self._lock:
            try:
                self._process.stdin.write(request.encode())
                self._process.stdin.flush()
                reply = self._process.stdout.readline()
            except OSError as error:
                raise RuntimeError(f"the process that evaluates is gone ({error})") from error
        if not reply:
            raise RuntimeError("the process that evaluates is gone: its last words are in judge.log")
        return {name: checks.Outcome(**fields) for name, fields in json.loads(reply).items()}


def evaluate_all(lab: str, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The outcomes of a request."""
    own = checks.Lab(lab, request["student"], Path(request["workspace"]))
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
    while left:  # usually once; again for what comes after a check that did not end well
        done, reason = _in_fork(own, left)
        found |= done
        left = {name: values for name, values in left.items() if name not in done}
        if left:
            first = next(iter(left))
            found[first] = _without(known[first], BROKEN, f"The check {reason} on this answer.")
            del left[first]
    return {name: dataclasses.asdict(found[name]) for name in known}


def _without(task: checks.Task, state: str, message: str) -> checks.Outcome:
    return checks.Outcome(task.name, task.title, 0, task.points, state, message)


def _in_fork(lab: checks.Lab, answers: dict[str, dict[str, Any]]) -> tuple[dict[str, checks.Outcome], str]:
    """Evaluates tasks one after the other in a forked process: they share what they compute.

    Returns:
        The outcomes, as far as it came, and what happened then.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setsid()
            _limit()
            with os.fdopen(writing, "w") as stream:
                for name, values in answers.items():
                    print(json.dumps(dataclasses.asdict(checks.evaluate(lab, name, values))), file=stream, flush=True)
        except BaseException as error:
            print(f"{lab.student}: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    os.close(writing)
    done, rest, reason = {}, b"", "ended without a result"
    deadline = time.monotonic() + SECONDS
    while len(done) < len(answers):
        if not select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
            reason = f"took more than {SECONDS:.0f} seconds"
            break
        piece = os.read(reading, 65536)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            outcome = checks.Outcome(**json.loads(line))
            done[outcome.task], deadline = outcome, time.monotonic() + SECONDS
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
    checks.tasks(lab)
    for name in getattr(module(lab), "PRELOAD", ()):
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(evaluate_all(lab, json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
