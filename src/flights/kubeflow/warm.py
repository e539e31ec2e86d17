"""A process that has imported TFX, and forks for each step of a pipeline: `python -m flights.kubeflow.warm`.

On Kubeflow each step is a container that imports TFX anew, six to ten seconds long. On this machine the imports are made once, while the
pipeline is compiled. A step is a process of its own all the same: it begins without any module of a package that is not the course's, and nothing of
it stays when it ends.

It says that it is ready, reads an order on each line of its input, in JSON, and answers with a line: the exit status of the step, negative for a signal. With
`--once` it imports nothing before, takes one order and ends with the step's status: where a process that has loaded TensorFlow must not fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from flights.runners.common import EngineError, end_with_parent
from warm.loading import quickly

FORKS = sys.platform == "linux"
"""Elsewhere the system's libraries do not bear it: there each step imports TFX anew."""
ONCE = "--once"
READY = "ready"
COMMAND = (sys.executable, "-m", "flights.kubeflow.warm")
IMPORTED = (
    "tensorflow",
    "keras",
    "tensorflow_transform",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
    "tfx.components.evaluator.executor",
    "flights.kubeflow.entrypoint",
    "flights.kubeflow.baseline",
    "flights.kubeflow.compiler",
    "flights.pipeline",
)


class WarmError(EngineError):
    """The process that forks the steps has ended."""


class Warm:
    """The process, from the side of who orders steps."""

    def __init__(
        self, *words: str, command: Sequence[str] = COMMAND, environment: dict[str, str] | None = None
    ) -> None:
        """Starts it; it is ready some ten seconds later, and who orders a step earlier waits.

        Args:
            words: what shall stand in its command, and in that of each step, for who looks for them.
            command: another than its own.
            environment: its variables; by default those of this process.
        """
        self._process = subprocess.Popen(
            [*command, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=end_with_parent,
        )
        self._is_ready = False

    @property
    def is_there(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Waits until the imports are made.

        Raises:
            WarmError: the process has ended.
        """
        try:
            if not self._is_ready and self._process.stdout.readline().strip() != READY:
                self.end()
                raise WarmError("The process that starts the steps has ended: is there memory left?")
        except KeyboardInterrupt:
            self.end()
            raise
        self._is_ready = True

    def run(self, order: dict[str, Any]) -> int:
        """Has a step run to its end.

        Args:
            order: see `step`.

        Returns:
            The exit status, negative for a signal.

        Raises:
            WarmError: the process has ended, and the step with it.
        """
        self.wait()
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self.end()
            raise WarmError("The process that starts the steps has ended: is there memory left?") from None
        except KeyboardInterrupt:
            self.end()
            raise

    def end(self) -> None:
        """Ends it, and a step that it may be running."""
        with contextlib.suppress(OSError):  # it has ended, or may not be killed: then its input's end ends it
            self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main() -> None:
    """Imports, and then takes orders until its input ends."""
    with open(os.devnull, "w") as nowhere:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with quickly():
            for name in IMPORTED:
                importlib.import_module(name)
        print(READY, file=answers, flush=True)
        for line in sys.stdin:
            print(_forked(json.loads(line)), file=answers, flush=True)


def _forked(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        status = step(order) or 0  # None: as `sys.exit` takes it
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what the parent has registered for its own end is not this process's


def step(order: dict[str, Any]) -> int:
    """Runs a step in this process.

    Args:
        order: `module` and `function` to call with `argument`, `log`: file for what is printed; and, where they are to be others than this
            process's, `folder` to work in, `path` that packages are found on first, and `without`: folder below which none are found.
    """
    end_with_parent()
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, number)
    if "folder" in order:
        os.chdir(order["folder"])
    if "path" in order:
        sys.path[:] = [order["path"], *(path for path in sys.path if path and not path.startswith(order["without"]))]
    importlib.invalidate_caches()
    return getattr(importlib.import_module(order["module"]), order["function"])(order["argument"])


def once() -> int:
    """Takes one order in this process."""
    try:
        return step(json.loads(sys.stdin.readline())) or 0
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if ONCE in sys.argv:
        sys.exit(once())
    main()
