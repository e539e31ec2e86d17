"""Compiles the pipeline for Kubeflow Pipelines and runs it on this machine as Kubeflow would: task by task, each a process or a container of its own."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from kfp import components, local

from engines.common import NodeReport, Report, one_at_a_time, require_inputs
from engines.errors import EngineError
from engines.kubeflow import compiler, containers, processes
from engines.kubeflow.entrypoint import properties
from engines.settings import Settings
from engines.store import INFRA_REFUSED, Refusal, infra_refusal, refusals, refused
from warm import client, imports

COMPLETE = "complete"
"""A file of this name is in the folder of each run that came to its end."""


def run(
    config: Settings,
    create: compiler.Create,
    report: Report = lambda _: None,
    in_containers: bool = False,
    image: str = compiler.IMAGE,
    before: processes.Before | None = None,
    imports_once: bool = True,
) -> list[NodeReport]:
    """Compiles and runs every component once, in order, and stops at the first that fails.

    What a killed run left behind is deleted first. There is no cache, because `kfp.local` has none, but for what `before` makes one.

    Args:
        config: the run.
        create: makes the components, from a package that the image, or Python's path here, holds.
        report: called after each task.
        in_containers: each task in a container of the image, instead of a process of this environment.
        image: its name.
        before: asked before each task, with its command, whether the task's message is in its folder already, so that it need not
            run. Only for processes.
        imports_once: processes are forked from one that has imported TFX, where the system bears it. Otherwise each imports it anew, as a
            container does.

    Raises:
        ValueError: `before` is given for containers.
        engines.errors.AlreadyRunningError: another process runs this pipeline in the same folder.
        engines.errors.MissingEngineError: no Docker engine, or no image, for containers.
        engines.errors.EngineError: a task failed.
        engines.errors.BadData: data are missing.
    """
    reports: list[NodeReport] = []
    failed: list[str] = []
    shown = sys.stdout

    def tell(node: NodeReport) -> None:
        reports.append(node)
        with contextlib.redirect_stdout(shown):
            report(node)

    def on_task(name: str, seconds: float, succeeded: bool) -> None:
        if succeeded:
            tell(NodeReport(name, "done", seconds))
        else:
            failed.append(name)

    def is_there(command: list[str]) -> bool:
        if before is None or not before(command):
            return False
        tell(NodeReport(processes.task_folder(command).name, "cached", 0.0))
        return True

    if before and in_containers:
        raise ValueError("before: only tasks that run as processes can be skipped.")
    require_inputs(config)
    with one_at_a_time(Path(config.output_root)), _warm(config, imports_once and not in_containers) as ready:
        repair(config)
        runner, steps = _engine(config, image if in_containers else None, is_there, ready)
        path = compiler.compile_pipeline(config, create, runs_folder(config) / "pipeline.yaml", image)
        pipeline = components.load_component_from_file(str(path))
        # kfp deletes it after a run that succeeded. Its own choice would be a folder among the system's temporary files, where one stays of each
        # run that failed.
        workspace = runs_folder(config) / "workspace"
        workspace.mkdir(exist_ok=True)
        local.init(runner, pipeline_root=str(runs_folder(config)), workspace_root=str(workspace))
        with steps(on_task), _quiet(runs_folder(config) / "kfp.log"):
            try:
                pipeline(**arguments(config))
            except RuntimeError as error:
                folder = latest_run(config)
                if not failed or not folder:
                    raise EngineError(str(error)) from None
                task = folder / failed[-1]
                raise EngineError(
                    f"{failed[-1]} failed (log: {processes.log_of(task)}):\n{processes.last_words(task)}"
                ) from None
        folder = latest_run(config)
        (folder / COMPLETE).touch()
    return reports


def _engine(
    config: Settings, image: str | None, before: processes.Before, ready: client.Warm | None
) -> tuple[local.DockerRunner | local.SubprocessRunner, Callable]:
    """What starts the tasks, and the context in which it does: containers of an image, or processes."""
    if image is None:
        return local.SubprocessRunner(use_venv=False), functools.partial(
            processes.as_processes, before=before, ready=ready
        )
    runner = containers.runner(config, runs_folder(config), image, compiler.MEMORY)
    return runner, containers.in_containers


@contextlib.contextmanager
def _warm(config: Settings, wanted: bool) -> Iterator[client.Warm | None]:
    """A process that imports TFX while this one compiles, and forks for each task; None where there is to be none."""
    # The folder's name: so that it is known whose processes these are.
    ready = client.near(imports.STEPS, processes.environment(), [str(runs_folder(config))]) if wanted else None
    try:
        yield ready
    finally:
        if ready:
            ready.end()


def arguments(config: Settings) -> dict[str, str]:
    """The parameters of a run on this machine."""
    destination = {"filesystem": {"base_directory": str(Path(config.serving_root).absolute())}}
    return {
        compiler.DATA_ROOT: str(Path(config.data_root).absolute()),
        compiler.PUSH_DESTINATION: json.dumps(destination),
    }


def runs_folder(config: Settings) -> Path:
    """Where the runs are, a folder each, and in it a folder for each task."""
    return Path(config.output_root).absolute() / "kubeflow"


def latest_run(config: Settings) -> Path | None:
    """The folder of the newest run; their names end with their time."""
    return max(
        (path for path in runs_folder(config).glob(f"{compiler.name_of(config)}-*") if path.is_dir()), default=None
    )


def verdict(config: Settings, refusal: Refusal = refused) -> str:
    """One sentence on the candidate of the latest run: blessed and pushed, or refused.

    Args:
        config: the run.
        refusal: says why a candidate was refused.
    """
    folder = latest_run(config)
    if folder is None or not (folder / "Pusher" / "executor_output.json").is_file():
        return "No model was evaluated yet."
    pushed = properties(folder / "Pusher" / "executor_output.json")["pushed_model"]
    if not pushed["pushed"]:
        blessed = (folder / "Evaluator" / "blessing" / "BLESSED").exists()
        checks = [path.parent for path in folder.glob(f"*/*/{INFRA_REFUSED}")]
        infra = infra_refusal(next(iter(checks), None))
        return refusals(blessed, refusal, folder / "Evaluator" / "evaluation", infra)
    return f"Blessed and pushed: {Path(config.serving_root) / pushed['pushed_version']}"


def repair(config: Settings) -> list[str]:
    """Deletes the runs that did not come to their end, and a version that such a run's Pusher wrote and never reported.

    Returns:
        The names of the runs that were deleted.
    """
    folders = [path for path in runs_folder(config).glob(f"{compiler.name_of(config)}-*") if path.is_dir()]
    unfinished = [path for path in folders if not (path / COMPLETE).exists()]
    if unfinished:
        containers.remove_left_over(runs_folder(config))
    for folder in unfinished:
        pusher = folder / "Pusher"
        if (pusher / processes.STARTED).exists() and not (pusher / "executor_output.json").exists():
            _delete_versions(Path(config.serving_root), int((pusher / processes.STARTED).stat().st_mtime))
        shutil.rmtree(folder)
    for version in Path(config.serving_root).glob("[0-9]*"):
        if not (version / "saved_model.pb").exists():
            shutil.rmtree(version)
    return [folder.name for folder in unfinished]


def _delete_versions(folder: Path, since: int) -> None:
    """Deletes the versions from `since` on, in seconds of the epoch, which is how Pusher counts them."""
    for version in folder.glob("[0-9]*"):
        if version.name.isdigit() and int(version.name) >= since:
            shutil.rmtree(version)


@contextlib.contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """What kfp prints goes to a file."""
    with path.open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(io.StringIO()):
        yield
