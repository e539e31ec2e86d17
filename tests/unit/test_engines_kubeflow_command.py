"""A command as a pipeline of one step: what Kubeflow takes, and starts by its calendar."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kubeflow_api import serving
from kubeflow_api.record import load

from engines.kubeflow import checks
from engines.quiet import import_quietly
from flights import cli
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")

IMAGE = "mlops-course:0123456789ab"


@pytest.fixture(scope="module")
def command():
    import_quietly()
    from engines.kubeflow import command

    return command


@pytest.fixture(scope="module")
def compiled(command, root, tmp_path_factory) -> Path:
    """By the script of the repository."""
    path = tmp_path_factory.mktemp("kubeflow") / "retrain.yaml"
    assert load("compile").main([IMAGE, "--retrain", "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def documents(compiled) -> list[dict]:
    return list(yaml.safe_load_all(compiled.read_text()))


def test_its_step_is_the_command_with_the_folders_of_the_volume(documents):
    spec, platform = documents
    ((label, executor),) = spec["deploymentSpec"]["executors"].items()
    (mount,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][label]["pvcMount"]
    assert mount == {"constant": Config().volume, "mountPath": "/mnt/flights"}
    words = executor["container"]["command"]
    for name, value in spec["root"]["inputDefinitions"]["parameters"].items():
        words = [value["defaultValue"] if word == f"{{{{$.inputs.parameters['{name}']}}}}" else word for word in words]
    assert words[0] == "flights"
    told = cli.parser().parse_args(words[1:])
    assert (told.command, told.data_root, told.output_root) == ("retrain", "/mnt/flights/data", "/mnt/flights/pipeline")


def test_the_second_run_is_not_answered_from_the_cache_and_no_run_is_tried_twice(documents):
    """Nothing that its step is given changes from month to month, so the cache would take each run for the first."""
    (task,) = documents[0]["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache")
    assert "retryPolicy" not in task


def test_kfp_reads_it_and_no_server_refuses_it(compiled):
    from kfp import components

    assert checks.problems(compiled.read_text()) == []
    read = components.load_component_from_file(str(compiled))
    assert set(read.pipeline_spec.root.input_definitions.parameters) == {"data_root", "output_root"}


def test_the_calendar_starts_it_one_run_at_a_time_beside_the_schedule_of_the_pipeline(compiled, tmp_path, monkeypatch):
    monkeypatch.setattr("kfp.client.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    with serving() as service:
        assert load().main([str(compiled), "--host", service.address, "--every", "monthly"]) == 0
        (one,) = service.recurring
    assert set(service.pipelines.values()) == {"flights-retrain"}
    assert one["trigger"]["cron_schedule"]["cron"] == "0 0 6 1 * *"
    assert one["max_concurrency"] == "1"


def test_what_a_server_would_refuse_is_not_written(command, tmp_path):
    path = tmp_path / "pipeline.yaml"
    with pytest.raises(checks.CheckError, match="requests 2 of cores, and its limit is 1"):
        command.compile_command(Config(), lambda *folders: ["true", *folders], path, "ab", requests=(2, 1.25))
    assert not path.exists()
