"""What the pipeline tests share. Each file is for one worker: a run of the pipeline is shared within it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from engines.quiet import import_quietly
from flights.config import Config
from tools.notebooks import form
from warm import client, kernels, usage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here runs components of TFX. The run that other files are compared with, or go on from a copy of, comes first."""
    items.sort(key=lambda item: item.path.name != "test_january.py")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # of TFX and Keras among themselves


@pytest.fixture(scope="session")
def run() -> Callable:
    """`engines.local.run` of this pipeline, once TFX is imported."""
    import_quietly()
    from engines import local
    from flights.pipeline import create_pipeline

    return lambda config, *given, **how: local.run(config, create_pipeline, *given, **how)


@pytest.fixture(scope="session")
def _server(first_environment: dict[str, str]) -> Iterator[client.Warm | None]:
    """That of the course's kernels, which notebooks are run with beside these tests: steps of a lesson are forks of it as well."""
    found = first_environment | KernelSpecManager().get_kernel_spec(form.KERNEL).env
    found |= {name: os.environ[name] for name in (usage.FILE,) if name in os.environ}  # who measures counts its imports
    server = kernels.server(found) if client.FORKS else None
    yield server
    if server:
        server.end()


@pytest.fixture(scope="module")
def shared_by_trials(_server: client.Warm | None) -> Iterator[None]:
    """The same for steps of a trial, in a whole file."""
    with pytest.MonkeyPatch.context() as patch:
        if _server:
            patch.setenv(client.SOCKET, str(_server.path))
        yield


@pytest.fixture
def shared_imports(_server: client.Warm | None, monkeypatch) -> None:
    """Steps of a run in this process are forks of one server for all tests, as those of a lesson are of its kernel's.

    Not for a test that looks for steps by their commands, in which a server of the run's own has the run's folder.
    """
    if _server:
        monkeypatch.setenv(client.SOCKET, str(_server.path))


@pytest.fixture
def forked(_server, root, tmp_path) -> Iterator[Callable]:
    """A function that starts `flights WORDS` in a process to be killed: a fork of the server, which has imported TFX.

    It does not outlive the test. What it says is in a file of the test's folder, `said.txt`. Instead of `flights.cli`, a module of this folder may do it.
    """
    running = []

    def start(words: Sequence[str], module: str = "flights.cli") -> client.Fork | subprocess.Popen:
        with open(os.devnull) as nothing, (tmp_path / "said.txt").open("w") as said:
            files = (nothing.fileno(), said.fileno(), said.fileno())
            settings = {"folder": root, "path": [str(Path(__file__).parent)], "files": files}
            running.append(client.begin(_server, module, "main", list(words), **settings))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
    if running:
        print((tmp_path / "said.txt").read_text())  # pytest shows it when the test has failed


@pytest.fixture(scope="session")
def run_until(run) -> Callable[[Config, str], None]:
    """Runs the components of a pipeline up to one of them, and no further."""
    from tfx import v1 as tfx

    from flights import pipeline

    def until(config: Config, last: str) -> None:
        components = pipeline.create_components(config)
        wanted = list(components)[: list(components).index(last) + 1]
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name=config.pipeline_name,
                pipeline_root=config.pipeline_root,
                components=[components[name] for name in wanted],
                enable_cache=config.enable_cache,
                metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                    config.metadata_path
                ),
                beam_pipeline_args=pipeline.BEAM_ARGS,
            )
        )

    return until


@pytest.fixture(scope="module")
def make_config(tmp_path_factory, root) -> Callable[..., Config]:
    """A configuration on the sample, with the output of this file's own; `output` names another folder."""
    folder = tmp_path_factory.mktemp("pipeline")

    def make(output: str = "output", **settings) -> Config:
        return Config(**{"data_root": str(root / "data/flights"), "output_root": str(folder / output), **settings})

    return make
