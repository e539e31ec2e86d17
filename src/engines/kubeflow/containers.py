"""Runs the steps of a compiled pipeline in containers of an image, as Kubeflow does, by a Docker engine on this machine.

`kfp.local.DockerRunner` says how; what starts the containers is ours. Kubeflow's own lets a container that has gone before its exit
status was asked for count as a success, and mixes the output of all steps.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.types import Mount
from kfp import local
from kfp.local import docker_task_handler, status

from engines.errors import MissingEngineError
from engines.kubeflow import processes
from engines.settings import Settings

LABEL = "engines.runs"
"""Label of each container: the folder of the runs that it belongs to."""

NO_ENGINE = (
    "No Docker engine answers ({reason}). Start Docker Desktop, or Docker's service; as root on Debian or Ubuntu, "
    "`apt-get install docker.io` and `bash deploy/image/engine.sh COMMAND` do without either. Then `make image`, once. "
    "Without `--containers`, the same steps run as processes."
)
NO_IMAGE = "The Docker engine has no image {image}: `make image` builds it."


def image_user(image: str) -> tuple[int, int]:
    """The user and group whose processes an image is made for.

    Raises:
        engines.errors.MissingEngineError: no Docker engine, or no such image.
    """
    try:
        user = _client().images.get(image).attrs["Config"]["User"] or "0:0"
    except docker.errors.ImageNotFound:
        raise MissingEngineError(NO_IMAGE.format(image=image)) from None
    uid, _, gid = user.partition(":")
    if not uid.isdigit() or not (gid or "0").isdigit():
        raise MissingEngineError(
            f"Image {image}: its user is {user!r}. Kubernetes, too, wants a number: USER 1000:1000."
        )
    return int(uid), int(gid or 0)


def runner(config: Settings, runs: Path, image: str, memory_gb: float) -> local.DockerRunner:
    """How each step runs: on no network, with the data to read, and the runs and the pushed models to write.

    Nothing in a container runs as root: what it writes is the caller's, or, where that is root, that of the image's user.

    Args:
        config: the run.
        runs: the folder of the runs.
        image: name of the image.
        memory_gb: what a step may use, as on Kubeflow.

    Raises:
        engines.errors.MissingEngineError: no Docker engine, or no such image.
        ValueError: the runs are to be tracked in a file, which a container would lose.
    """
    in_image = image_user(image)
    tracking_uri = getattr(config, "tracking_uri", "")
    if tracking_uri and not tracking_uri.startswith("http"):
        raise ValueError(
            f"tracking_uri={tracking_uri!r}: no file of a container's outlives it. Name a server, http://..."
        )
    uid, gid = _user(in_image)
    serving, data = Path(config.serving_root).absolute(), Path(config.data_root).absolute()
    for folder in (serving, runs):
        folder.mkdir(parents=True, exist_ok=True)
        _hand_to(folder, uid, gid)
    return local.DockerRunner(
        entrypoint="",
        user=f"{uid}:{gid}",
        mounts=[Mount(str(data), str(data), "bind", read_only=True), Mount(str(serving), str(serving), "bind")],
        network_mode="host" if tracking_uri else "none",
        mem_limit=int(memory_gb * 1e9),
        environment={"HOME": "/tmp", "USER": "student", "TF_CPP_MIN_LOG_LEVEL": "2"},
        security_opt=["label=disable"],  # where SELinux is on, it would refuse the mounts
        labels={LABEL: str(runs)},
    )


@contextmanager
def in_containers(on_task: processes.OnTask) -> Iterator[None]:
    """Within it, `kfp.local.DockerRunner` tells of each task, and keeps its log beside its outputs.

    Args:
        on_task: called after each task, whose output is in a file: `processes.log_of`.
    """
    theirs = docker_task_handler.DockerTaskHandler

    class ContainerTaskHandler(theirs):
        def run(self) -> status.Status:
            started = time.monotonic()
            folder = processes.begin(self.full_command)
            uid, _, gid = self.runner.container_run_args["user"].partition(":")
            _hand_to(folder, int(uid), int(gid))
            succeeded = _run(self, processes.log_of(folder))
            on_task(folder.name, time.monotonic() - started, succeeded)
            return status.Status.SUCCESS if succeeded else status.Status.FAILURE

    docker_task_handler.DockerTaskHandler = ContainerTaskHandler
    try:
        yield
    finally:
        docker_task_handler.DockerTaskHandler = theirs


def remove_left_over(runs: Path) -> list[str]:
    """Ends the containers of a run whose own process was killed: they would go on, and write where the next run does.

    Returns:
        Their names; none where no Docker engine answers.
    """
    try:
        containers = _client().containers.list(all=True, filters={"label": f"{LABEL}={runs}"})
    except MissingEngineError:
        return []
    for container in containers:
        container.remove(force=True)
    return [container.name for container in containers]


def _client() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        reason = (re.findall(r"'([^']+)'", str(error)) or [str(error)])[-1]
        raise MissingEngineError(NO_ENGINE.format(reason=reason)) from None
    return client


def _user(in_image: tuple[int, int]) -> tuple[int, int]:
    """Who the processes of a container are."""
    if any("rootless" in option for option in _client().info().get("SecurityOptions") or []):
        return 0, 0  # in the container; outside it, that is the caller
    return (os.getuid(), os.getgid()) if os.getuid() else in_image


def _hand_to(folder: Path, uid: int, gid: int) -> None:
    if os.getuid() == 0 and uid:
        os.chown(folder, uid, gid)


def _run(task: docker_task_handler.DockerTaskHandler, log: Path) -> bool:
    """Runs the container of a task to its end; however that comes, the container is gone afterwards."""
    client = _client()
    with log.open("wb") as file:
        try:
            container = client.containers.run(
                task.image,
                task.full_command,
                detach=True,
                volumes=task.get_volumes_to_mount(client),
                **task.runner.container_run_args,
            )
        except docker.errors.DockerException as error:
            file.write(f"{type(error).__name__}: {error}\n".encode())
            return False
        try:
            for lines in container.logs(stream=True):
                file.write(lines)
            code = container.wait()["StatusCode"]
            container.reload()
            file.write(_epitaph(code, container.attrs["State"]).encode())
        finally:
            container.remove(force=True)
    return code == 0


def _epitaph(code: int, state: dict[str, Any]) -> str:
    """What a process that was killed could not say itself."""
    if code <= 128:
        return ""
    why = "it used more memory than a step has" if state.get("OOMKilled") else f"signal {code - 128}"
    return f"\nKilledError: the container was killed: {why}.\n"
