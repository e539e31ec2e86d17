"""What is done in a process that has nothing of the notebook: steps of a pipeline, and compiling, as in an image."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import importlib
import importlib.util
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from warm import client
from warm.imports import STEPS as IMPORTED

_warm: list[client.Warm] = []


class StepError(RuntimeError):
    """A step failed, or the pipeline could not be compiled. The message ends with its last words."""


def call(module: str, function: str, argument: Any, image: Path, without: Path, log: Path) -> int:
    """Calls a function in a new process, with an empty folder to work in, and packages of `image` before all others.

    Args:
        module, function: what is called; it returns an exit status.
        argument: what it is called with, as JSON carries it.
        image: folder with installed packages.
        without: the workspace, in which the empty folder is; nothing in it is found, apart from `image`.
        log: file for what it prints.

    Returns:
        The exit status, negative for a signal.
    """
    empty = without / ".empty"
    empty.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("w") as file, open(os.devnull) as nothing:
        files = (nothing.fileno(), file.fileno(), file.fileno())
        try:
            step = client.begin(
                _running(),
                module,
                function,
                argument,
                environment=environment,
                folder=empty,
                path=[str(image)],
                files=files,
            )
        except client.WarmError as error:
            raise StepError(f"{error} Run this cell again.") from None
    return step.wait()


def _running() -> client.Warm | None:
    """The process with TFX's imports, which is started at its first use."""
    if not _warm or not _warm[0].is_there:
        end()
        _warm.extend(filter(None, [client.near(IMPORTED)]))
        atexit.register(end)
    return _warm[0] if _warm else None


def end() -> None:
    """Ends the process with TFX's imports, and a step that it may be running."""
    while _warm:
        _warm.pop().end()


def run(
    path: Path,
    image: Path,
    workspace: Path,
    runs: Path,
    arguments: dict[str, str],
    report: Callable[[str, float], None],
    through: Sequence[str] = (),
) -> Path:
    """Runs a compiled pipeline, one task after the other, each in a new process.

    Args:
        path: the YAML file.
        image: folder with the packages that the image would hold.
        workspace: below it nothing else is imported.
        runs: folder of the runs; this one's is below it.
        arguments: parameters of the run.
        report: called after each task, with its name and seconds.
        through: the module that is to start the one of each task, if another.

    Returns:
        The folder of the run, with a folder for each task.

    Raises:
        StepError: a task failed.
    """
    from kfp import components, local

    from engines.kubeflow import processes

    shown, failed, folders = sys.stdout, [], []

    def start(command: list[str]) -> bool:
        folder, began = processes.task_folder(command), time.monotonic()
        folders.append(folder.parent)
        if command[:2] != ["python", "-m"]:
            raise StepError(f"{folder.name}: its command is {command[:3]}, and can only be run in its image.")
        module, *given = [*through, *command[2:]]
        status = call(module, "main", given, image, workspace, processes.log_of(folder))
        if status:
            failed.append(folder)
            raise StepError(f"{folder.name} failed: exit status {status}")
        with contextlib.redirect_stdout(shown):
            report(folder.name, time.monotonic() - began)
        return True

    pipeline = components.load_component_from_file(str(path))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(runs))
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
        try:
            with processes.as_processes(lambda *_: None, start):
                pipeline(**arguments)
        except Exception as error:
            if failed:
                words = processes.last_words(failed[-1])
                message = f"{failed[-1].name} failed. The last words of its log:\n{words[-1500:]}"
            else:
                message = f"{str(error)[:600]}\n{printed.getvalue()[-600:] if not folders else ''}".strip()
            raise StepError(message) from None
    return folders[0]


def compile_package(job: dict[str, Any]) -> int:
    """In the new process: compiles a package's pipeline into files.

    Args:
        job: `package`, and `files`: for each its `path` and the `settings` of the configuration, which is the package's own `config.Config`, or that of flights. Also
            `image`, and `resources`, which may be left out. A setting that the configuration does not know is left out.
    """
    from engines.kubeflow.compiler import compile_pipeline
    from flights import config as of_flights

    package, resources = job["package"], job.get("resources", {})
    there = importlib.util.find_spec(f"{package}.config")
    configuration = (importlib.import_module(f"{package}.config") if there else of_flights).Config
    known = {field.name for field in dataclasses.fields(configuration)}
    create = importlib.import_module(f"{package}.pipeline").create_components
    for number, one in enumerate(job["files"]):
        time.sleep(1.1 if number else 0)  # a clock that is read has gone on
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in one["settings"].items()}
        config = configuration(**{name: value for name, value in given.items() if name in known})
        compile_pipeline(
            config, create, one["path"], job["image"], {name: tuple(two) for name, two in resources.items()}
        )
    return 0
