"""The compiled pipeline, run as Kubeflow would: killed and run again, the same result as locally, and a candidate that is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import outcomes
import pytest
import yaml
from kubeflow_backend import LOGS, Backend
from lazy_pipeline import create_components

from flights import data
from flights.config import Config

COMMAND = [str(Path(sys.executable).with_name("flights")), "run", "--engine", "kubeflow"]
PATIENCE = 600  # seconds, on a machine with much to do


@pytest.fixture(scope="module")
def config(make_config) -> Config:
    return make_config("kubeflow")


@pytest.fixture(scope="module")
def kubeflow(run):
    from engines.kubeflow import runner as kubeflow

    return kubeflow


def test_killed_in_a_step_then_run_again_it_finishes_with_one_version(kubeflow, config, root):
    """The first run is killed with -9, and its step with it; the second starts anew and leaves nothing of the first."""
    options = ["--data-root", config.data_root, "--output-root", config.output_root]
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + PATIENCE
        while not any(kubeflow.runs_folder(config).glob("flights-*/StatisticsGen/started")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(1)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    killed = kubeflow.latest_run(config)
    assert not running(str(kubeflow.runs_folder(config))), "the step outlived its run"

    seen = []
    reports = kubeflow.run(config, create_components, seen.append)
    assert seen == reports
    assert len(reports) == 10
    assert not killed.exists()
    assert kubeflow.verdict(config).startswith("Blessed and pushed")
    assert len(list(Path(config.serving_root).iterdir())) == 1


def running(name: str) -> list[str]:
    """The processes that have this in their command, half a second later."""
    time.sleep(0.5)
    found = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return [command.decode(errors="replace")[:80] for command in found if name.encode() in command]


def test_the_result_is_that_of_the_local_engine(kubeflow, config, run, make_config, tmp_path_factory):
    shared = outcomes.shared_folder(tmp_path_factory)
    assert outcomes.of_kubeflow(config) == outcomes.reference(
        dataclasses.replace(config, output_root=str(shared / "local")), run, shared
    )


def test_a_candidate_that_gains_too_little_is_refused_and_the_first_stays_in_service(kubeflow, config):
    """Without a baseline there is nothing to gain against, and it would be blessed: so the baseline was found."""
    (served,) = Path(config.serving_root).iterdir()
    kubeflow.run(dataclasses.replace(config, months=(1, 2), max_auc_loss=-0.4), create_components)
    assert kubeflow.verdict(config).startswith("Refused")
    assert list(Path(config.serving_root).iterdir()) == [served]


def test_a_step_that_fails_is_named_with_its_reason_and_its_log(kubeflow, make_config, tmp_path):
    broken = tmp_path / "data"
    source = data.month_path(make_config().data_root, 1)
    (broken / "span-01").mkdir(parents=True)
    text = source.read_text().replace(",UA,", ",??,")
    (broken / "span-01" / "flights.csv").write_text(text)
    with pytest.raises(
        kubeflow.EngineError, match=r"(?s)DataGate failed \(log: .*BadDataError: The data break the contract"
    ):
        kubeflow.run(Config(data_root=str(broken), output_root=str(tmp_path / "out")), create_components)
    assert kubeflow.verdict(Config(output_root=str(tmp_path / "out"))) == "No model was evaluated yet."


def test_all_steps_run_as_on_a_real_kubeflow_with_its_logs_and_its_store(run, make_config, tmp_path):
    """Each in an empty file system, with messages as driver and launcher make them; `kfp.local` makes others."""
    from engines.kubeflow import compiler, entrypoint

    path = compiler.compile_pipeline(Config(), create_components, tmp_path / "pipeline.yaml")
    serving = tmp_path / "serving"
    destination = json.dumps({"filesystem": {"base_directory": str(serving)}})
    parameters = {"data_root": str(Path(make_config().data_root).absolute()), "push_destination": destination}
    backend = Backend(next(yaml.safe_load_all(path.read_text())), tmp_path, parameters)
    for name in backend.tasks:
        status = backend.run(name, entrypoint.main)
        assert status == 0, backend.stored(backend.recorded[name][LOGS]["uri"]).read_text()[-2000:]
    assert len(backend.recorded) == 10
    blessing = backend.recorded["Evaluator"]["blessing"]["metadata"]
    assert blessing["blessed"] == 1
    assert blessing["current_model"] == backend.recorded["Trainer"]["model"]["uri"]
    assert len(list(serving.glob("*/saved_model.pb"))) == 1
    assert "/minio/" not in json.dumps(backend.recorded), "a folder of a pod that is gone is on record"
