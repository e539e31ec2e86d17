"""`flights retrain` as Kubeflow starts it: the compiled step, its parameters filled in by Kubeflow's own SDK, twice in one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kfp import components, local
from kfp.local import status, subprocess_task_handler
from kubeflow_api.record import load

from flights import registry, retrain
from flights.config import Config
from operation.history import DECLINED, DONE

PATIENCE = 1800  # seconds, on a machine with much to do


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that runs the step, as a process with nothing in its home and its folder, and returns what it printed."""
    compiled = tmp_path / "retrain.yaml"
    assert load("compile").main(["mlops-course:0123456789ab", "--retrain", "--output", str(compiled)]) == 0
    pod, said = tmp_path / "pod", []
    environment = os.environ | {"HOME": str(pod), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    class InPod(subprocess_task_handler.SubprocessTaskHandler):
        """Theirs refuses what has an image."""

        def __init__(self, image: str, full_command: list[str], pipeline_root: str, runner: object) -> None:
            self.command = full_command

        def run(self) -> status.Status:
            pod.mkdir()
            done = subprocess.run(
                self.command, cwd=pod, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            shutil.rmtree(pod)
            said.append(done.stdout)
            assert done.returncode == 0, done.stderr
            return status.Status.SUCCESS

    monkeypatch.setattr(subprocess_task_handler, "SubprocessTaskHandler", InPod)

    def run(**parameters: str) -> str:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "kfp"))
        components.load_component_from_file(str(compiled))(**parameters)
        return said[-1]

    return run


@pytest.mark.long
def test_its_first_run_trains_and_registers_and_the_next_one_finds_that_and_declines(start, root, tmp_path):
    data, output = tmp_path / "data", tmp_path / "pipeline"
    for span in ("span-01", "span-02"):
        shutil.copytree(root / "data" / "flights" / span, data / span)
    config = Config(data_root=str(data), output_root=str(output))

    said = start(data_root=str(data), output_root=str(output))
    (first,) = retrain.history_of(config).records()
    assert (first.state, first.period, first.decision.reason) == (DONE, "2013-02", "There is no model yet.")
    assert [one.version for one in registry.of(config).versions()] == [first.version]
    assert f"version {first.version} is registered" in said

    said = start(data_root=str(data), output_root=str(output))
    records = retrain.history_of(config).records()
    assert [one.state for one in records] == [DONE, DECLINED]
    assert "no retraining" in said
    assert [path.name for path in Path(config.serving_root).glob("[0-9]*")] == [first.version]
