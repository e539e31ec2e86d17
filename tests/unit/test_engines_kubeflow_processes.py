"""Tasks as processes of this machine: what each leaves behind, what is said of one that fails, and which need not run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kfp.local import status, subprocess_task_handler

from engines.kubeflow import processes

Step = Callable[..., status.Status]


@pytest.fixture
def told() -> list[tuple[str, float, bool]]:
    """What was told of the tasks."""
    return []


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], list[str]]:
    """The command of a task `Step` that runs a line of Python."""
    given = json.dumps({"outputs": {"outputFile": str(tmp_path / "Step" / "executor_output.json")}})
    return lambda code: ["python", "-c", code, "--json_serialized_invocation_args", given]


def run(command: list[str]) -> status.Status:
    """Runs a task as `kfp.local` does: by the handler that is there now."""
    return subprocess_task_handler.SubprocessTaskHandler("image:1", command, "", object()).run()


def test_a_task_has_a_folder_with_its_log_and_the_time_of_its_start(command, told, tmp_path):
    with processes.as_processes(lambda *task: told.append(task)):
        assert run(command("print('worked')")) == status.Status.SUCCESS
    ((name, seconds, succeeded),) = told
    assert (name, succeeded) == ("Step", True)
    assert seconds > 0
    assert processes.log_of(tmp_path / "Step").read_text() == "worked\n"
    assert (tmp_path / "Step" / processes.STARTED).exists()


def test_python_is_that_of_this_environment(command, told, tmp_path):
    with processes.as_processes(lambda *task: told.append(task)):
        run(command("import sys; print(sys.executable)"))
    assert processes.log_of(tmp_path / "Step").read_text().strip() == sys.executable


def test_a_task_that_fails_is_told_with_its_last_words(command, told, tmp_path):
    code = "import sys; print('a line'); raise ValueError('the data are bad\\nin line 3')"
    with processes.as_processes(lambda *task: told.append(task)):
        assert run(command(code)) == status.Status.FAILURE
    assert [(name, succeeded) for name, _, succeeded in told] == [("Step", False)]
    assert processes.last_words(tmp_path / "Step") == "ValueError: the data are bad\nin line 3"


def test_a_log_without_an_error_gives_its_last_line_and_an_empty_one_nothing(tmp_path):
    processes.log_of(tmp_path).write_text("first\nlast\n")
    assert processes.last_words(tmp_path) == "last"
    processes.log_of(tmp_path).write_text("")
    assert processes.last_words(tmp_path) == ""


def test_a_task_whose_message_is_there_already_does_not_run(command, told, tmp_path):
    asked = []

    def before(task: list[str]) -> bool:
        asked.append(task)
        return True

    with processes.as_processes(lambda *task: told.append(task), before):
        assert run(command("raise SystemExit(1)")) == status.Status.SUCCESS
    assert told == []
    assert not processes.log_of(tmp_path / "Step").exists()
    assert processes.task_folder(asked[0]) == tmp_path / "Step"


def test_what_is_raised_before_a_task_ends_the_run_and_kfps_own_handler_is_back(command):
    theirs = subprocess_task_handler.SubprocessTaskHandler

    def before(_: list[str]) -> bool:
        raise KeyError("stop")

    with pytest.raises(KeyError), processes.as_processes(lambda *_: None, before):
        run(command("pass"))
    assert subprocess_task_handler.SubprocessTaskHandler is theirs


def test_outside_of_it_kfp_refuses_a_containers_command_as_before(command):
    with pytest.raises(Exception, match="only supports running Lightweight Python Components"):
        subprocess_task_handler.SubprocessTaskHandler("python:3.11", ["echo", "x"], "", object())
