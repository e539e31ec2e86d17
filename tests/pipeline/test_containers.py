"""The course's image, and the compiled pipeline step by step in its containers. Needs a Docker engine; without one it is skipped."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import outcomes
import pytest

from flights.config import Config

pytestmark = pytest.mark.long
IMAGE = "mlops-course:latest"
COMMAND = [str(Path(sys.executable).with_name("flights")), "run", "--engine", "kubeflow", "--containers"]
PATIENCE = 900  # seconds, on a machine with much to do


@pytest.fixture(scope="module")
def engine() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers (as root: `bash deploy/image/engine.sh make test-all` starts one)")
    return client


@pytest.fixture(scope="module")
def image(engine, root) -> str:
    """The image of this working tree; what has not changed since it was built last is not built again."""
    built = subprocess.run(["make", "image"], cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return IMAGE


@pytest.fixture(scope="module")
def config(make_config) -> Config:
    return make_config("containers")


def inside(engine: docker.DockerClient, program: str, **settings) -> str:
    """What a program in Python prints, in a container of the image that is on no network."""
    said = engine.containers.run(IMAGE, ["python", "-c", program], network_mode="none", remove=True, **settings)
    return said.decode().strip()


def test_the_image_holds_the_packages_of_the_lock_and_no_others(engine, image):
    program = (
        "from pathlib import Path; from tools.checks import project;"
        "lock = Path('requirements/course.txt').read_text();"
        "print(len(project.pins(lock)), list(project.other_versions(lock)))"
    )
    pins, _, faults = inside(engine, program).partition(" ")
    assert int(pins) > 200
    assert faults == "[]"


def test_the_image_is_not_roots_and_its_libraries_cannot_be_changed(engine, image):
    program = (
        "import os, sys, numpy; print(os.getuid(), os.access(numpy.__path__[0], os.W_OK), os.access('src', os.W_OK))"
    )
    assert inside(engine, program) == "1000 False True"
    assert inside(engine, program, user="12345:12345") == "12345 False False"


def test_the_image_holds_the_sources_of_this_tree_and_no_compiler(engine, image, root):
    program = (
        "import hashlib, pathlib, shutil; files = sorted(pathlib.Path('src').rglob('*.py'));"
        "print(hashlib.sha256(b''.join(file.read_bytes() for file in files)).hexdigest(), shutil.which('g++'))"
    )
    here = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert inside(engine, program).split() == [here[0], "None"]


def test_a_step_whose_container_is_killed_is_named(engine, image, config, root):
    """Whichever of the steps without inputs was first to run."""
    from engines.kubeflow import processes

    with started(config, root) as process:
        container = container_of(process, engine, config)
        step = processes.task_folder(container.attrs["Config"]["Cmd"]).name
        container.kill()
        _, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"{step} failed (log: " in complaints
    assert complaints.strip().endswith("KilledError: the container was killed: signal 9.")
    assert not containers_of(engine, config)


def test_killed_with_a_container_at_work_then_run_again_it_finishes_with_one_version(engine, image, config, root):
    """Nobody is there to end the container when the run's own process is killed: the next run does."""
    with started(config, root) as process:
        container_of(process, engine, config)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    (orphan,) = containers_of(engine, config)

    with started(config, root) as process:
        said, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaints
    assert said.splitlines()[-1].startswith("Blessed and pushed: ")
    assert len([line for line in said.splitlines() if line.split()[1] == "done"]) == 10
    (version,) = Path(config.serving_root).iterdir()
    assert said.splitlines()[-1].endswith(str(version))
    assert orphan.name not in {container.name for container in engine.containers.list(all=True)}
    assert not containers_of(engine, config)


def test_what_containers_wrote_is_not_roots(engine, config):
    """It is that of who ran the pipeline, or, where that is root, of the image's user."""
    files = [path for path in Path(config.serving_root).rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_uid for path in files} == {os.getuid() or 1000}


def test_the_result_is_that_of_the_local_engine(engine, config, run, tmp_path_factory):
    shared = outcomes.shared_folder(tmp_path_factory)
    local = dataclasses.replace(config, output_root=str(shared / "local"))
    assert outcomes.of_kubeflow(config) == outcomes.reference(local, run, shared)


@contextmanager
def started(config: Config, root: Path) -> Iterator[subprocess.Popen]:
    """A run in a process of its own, which does not outlive the block."""
    options = ["--data-root", config.data_root, "--output-root", config.output_root]
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def containers_of(engine: docker.DockerClient, config: Config) -> list:
    from engines.kubeflow import containers
    from engines.kubeflow import runner as kubeflow

    label = f"{containers.LABEL}={kubeflow.runs_folder(config)}"
    return engine.containers.list(all=True, filters={"label": label})


def container_of(process: subprocess.Popen, engine: docker.DockerClient, config: Config):
    """The container of a step, once it runs."""
    end = time.monotonic() + PATIENCE
    while True:
        running = [container for container in containers_of(engine, config) if container.status == "running"]
        if running:
            return running[0]
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
