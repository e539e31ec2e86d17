"""Tasks as forks of a warm process: which it runs, which start anew, and what is said when it has ended."""

from __future__ import annotations

import json

import pytest
from kfp.local import status, subprocess_task_handler

from engines.errors import EngineError
from engines.kubeflow import processes
from flights.config import Config
from warm import client

pytestmark = pytest.mark.skipif(not client.FORKS, reason="on this system each task imports TFX anew")


@pytest.fixture
def ready():
    """What is imported before the first fork plays no part here, and takes ten seconds."""
    made = client.Warm.own(["json"], processes.environment())
    yield made
    made.end()


def task(folder, *command: str) -> status.Status:
    """Runs a task as `kfp.local` does: by the handler that is there now."""
    given = json.dumps({"outputs": {"outputFile": str(folder / "Step" / "executor_output.json")}})
    command = [*command, "--json_serialized_invocation_args", given]
    return subprocess_task_handler.SubprocessTaskHandler("image:1", command, "", object()).run()


def test_tasks_of_ours_go_to_it_and_others_start_anew(ready, tmp_path):
    told = []
    with processes.as_processes(lambda *one: told.append(one[::2]), ready=ready):
        assert task(tmp_path, "python", "-m", "engines.kubeflow.entrypoint") == status.Status.FAILURE
        log = processes.log_of(tmp_path / "Step").read_text()
        assert "executor_class_path" in log
        ready.end()
        assert task(tmp_path, "python", "-c", "print('anew')") == status.Status.SUCCESS
        with pytest.raises(EngineError, match="has ended"):
            task(tmp_path, "python", "-m", "engines.kubeflow.entrypoint")
    assert told == [("Step", False), ("Step", True)]


def test_a_run_within_a_kernel_has_forks_of_the_process_that_the_kernel_is_one_of(ready, tmp_path, monkeypatch):
    from engines.kubeflow import runner

    monkeypatch.setenv(client.SOCKET, str(ready.path))
    with runner._warm(Config(output_root=str(tmp_path)), True) as found:
        assert found.path == ready.path
    assert ready.is_there, "it is not the run's to end"
