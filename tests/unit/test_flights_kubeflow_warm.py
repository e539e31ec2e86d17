"""The process that forks the tasks: what it runs, what it leaves to others, and what is said when it has ended."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest
from kfp.local import status, subprocess_task_handler

from flights.kubeflow import processes, warm
from flights.runners.common import EngineError

pytestmark = pytest.mark.skipif(not warm.FORKS, reason="on this system each task imports TFX anew")

LIGHT = "from flights.kubeflow import warm; warm.IMPORTED = ('json',); warm.main()"
"""What is imported before the first fork plays no part here, and takes ten seconds."""


@pytest.fixture
def ready():
    made = warm.Warm(command=[sys.executable, "-c", LIGHT], environment=processes.environment())
    yield made
    made.end()


def test_a_task_is_a_fork_that_has_its_own_log(ready, tmp_path):
    order = {"module": "os", "function": "getpid", "argument": None, "log": str(tmp_path / "log.txt")}
    assert ready.run(order) == 1, "getpid takes no argument"
    assert "TypeError: " in (tmp_path / "log.txt").read_text()
    assert ready.run(order | {"module": "builtins", "function": "print", "argument": "worked"}) == 0
    assert (tmp_path / "log.txt").read_text() == "worked\n"
    assert ready.is_there


def test_when_it_was_killed_it_says_so_at_the_next_task(ready, tmp_path):
    ready.wait()
    os.kill(ready._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="has ended: is there memory left"):
        ready.run({"module": "os", "function": "abort", "argument": None, "log": str(tmp_path / "log.txt")})


def test_one_that_cannot_import_does_not_make_anybody_wait(tmp_path):
    broken = warm.Warm(command=[sys.executable, "-c", LIGHT.replace("json", "no_such_module")])
    with pytest.raises(warm.WarmError):
        broken.wait()
    assert not broken.is_there


def task(folder, *command: str) -> status.Status:
    """Runs a task as `kfp.local` does: by the handler that is there now."""
    given = json.dumps({"outputs": {"outputFile": str(folder / "Step" / "executor_output.json")}})
    command = [*command, "--json_serialized_invocation_args", given]
    return subprocess_task_handler.SubprocessTaskHandler("image:1", command, "", object()).run()


def test_tasks_of_ours_go_to_it_and_others_start_anew(ready, tmp_path):
    told = []
    with processes.as_processes(lambda *one: told.append(one[::2]), ready=ready):
        assert task(tmp_path, "python", "-m", "flights.kubeflow.entrypoint") == status.Status.FAILURE
        log = processes.log_of(tmp_path / "Step").read_text()
        assert "executor_class_path" in log
        ready.end()
        assert task(tmp_path, "python", "-c", "print('anew')") == status.Status.SUCCESS
        with pytest.raises(warm.WarmError):
            task(tmp_path, "python", "-m", "flights.kubeflow.entrypoint")
    assert told == [("Step", False), ("Step", True)]
