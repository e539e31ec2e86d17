"""Runs the steps of a compiled pipeline as processes of this machine, where there is no Docker.

`kfp.local` runs a compiled pipeline task by task, in containers (`DockerRunner`) or processes (`SubprocessRunner`), but refuses to run
a container's command as a process: the image might hold something else than this machine. Here the image is made of this
environment, so it may.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kfp.local import status, subprocess_task_handler

from engines import common
from engines.common import end_with_parent
from engines.errors import EngineError
from warm import client

OnTask = Callable[[str, float, bool], None]
"""Told of each task: its name, its seconds, and whether it succeeded."""

Before = Callable[[list[str]], bool]
"""Asked before each task, with its command: whether what it would write is there already, so that it need not run."""

OURS = "engines.kubeflow."
"""Where the modules are whose `main` is a task."""

STARTED = "started"
"""A file in the folder of each task, as old as its start."""


@contextlib.contextmanager
def as_processes(on_task: OnTask, before: Before = lambda _: False, ready: client.Warm | None = None) -> Iterator[None]:
    """Within it, `kfp.local.SubprocessRunner` takes container components as well.

    Args:
        on_task: called after each task, whose output is in a file: `log_of`.
        before: called before each task, whose folder is there; what it raises ends the run.
        ready: a process with TFX's imports, which forks for each task; without one, each task imports anew, as in a container.
    """
    theirs = subprocess_task_handler.SubprocessTaskHandler

    class ProcessTaskHandler(theirs):
        def __init__(self, image: str, full_command: list[str], pipeline_root: str, runner: object) -> None:
            # Not theirs, which is where the command is refused.
            self.image, self.full_command = image, full_command
            self.pipeline_root, self.runner = pipeline_root, runner

        def run(self) -> status.Status:
            started = time.monotonic()
            folder = begin(self.full_command)
            if before(self.full_command):
                return status.Status.SUCCESS
            code = _start(self.full_command, log_of(folder), ready)
            on_task(folder.name, time.monotonic() - started, code == 0)
            return status.Status.SUCCESS if code == 0 else status.Status.FAILURE

    subprocess_task_handler.SubprocessTaskHandler = ProcessTaskHandler
    try:
        yield
    finally:
        subprocess_task_handler.SubprocessTaskHandler = theirs


def _start(command: list[str], log: Path, ready: client.Warm | None) -> int:
    """Runs a command to its end, and returns its exit status.

    Raises:
        EngineError: the warm process has ended.
    """
    if ready is not None and command[:2] == ["python", "-m"] and command[2].startswith(OURS):
        with log.open("w") as file, open(os.devnull) as nothing:
            files = (nothing.fileno(), file.fileno(), file.fileno())
            try:
                task = ready.fork(command[2], "main", command[3:], environment=environment(), files=files)
            except client.WarmError as error:
                raise EngineError(str(error)) from None
        with contextlib.closing(task):
            return task.wait()
    with log.open("w") as file:
        return subprocess.run(
            [sys.executable if part == "python" else part for part in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment(),
            preexec_fn=end_with_parent,
            check=False,
        ).returncode


def task_folder(command: list[str]) -> Path:
    """The folder of a task, by the message that its command is given."""
    given = json.loads(command[command.index("--json_serialized_invocation_args") + 1])
    return Path(given["outputs"]["outputFile"]).parent


def begin(command: list[str]) -> Path:
    """Makes the folder of a task, with the file that tells when it started."""
    folder = task_folder(command)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STARTED).touch()
    return folder


def log_of(folder: Path) -> Path:
    """The file with what a task printed."""
    return folder / "log.txt"


def last_words(folder: Path) -> str:
    """The message with which a task failed: from its last line that begins with the name of an error on."""
    return common.last_words(log_of(folder).read_text(errors="replace"))


def environment() -> dict[str, str]:
    """The variables of a task."""
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1"}
