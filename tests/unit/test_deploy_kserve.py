"""What `deploy/kserve` hands to a cluster: fields that KServe's own client knows, and the command that starts the model server."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from serving import __main__ as command

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def documents() -> dict:
    text = (DEPLOY / "kserve" / "inference-service.yaml").read_text(encoding="utf-8")
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


@pytest.fixture(scope="module")
def container(documents) -> dict:
    (found,) = documents["ServingRuntime"]["spec"]["containers"]
    return found


def test_container_starts_the_model_server_of_the_course(container, monkeypatch):
    started = []
    monkeypatch.setattr(command, "serve", lambda *given, **options: started.append((given, options)))
    assert container["command"] == ["python", "-m", "serving"]
    assert command.main(container["args"]) == 0
    ((project,), options) = started[0]
    assert project.name == "flights"
    assert (options["host"], options["port"], options["folder"]) == ("0.0.0.0", 8080, "/mnt/models/serving")


def test_server_is_ready_when_a_version_answers(container):
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}


def test_models_are_on_the_volume_that_pusher_writes_to(documents):
    (claim,) = yaml.safe_load_all((DEPLOY / "kubeflow" / "volume.yaml").read_text(encoding="utf-8"))
    model = documents["InferenceService"]["spec"]["predictor"]["model"]
    assert model["storageUri"] == f"pvc://{claim['metadata']['name']}"


def test_service_names_the_runtime_and_a_format_of_it(documents):
    model, runtime = documents["InferenceService"]["spec"]["predictor"]["model"], documents["ServingRuntime"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"] in runtime["spec"]["supportedModelFormats"]


@pytest.mark.xdist_group("tfx")
def test_fields_are_those_of_kserve(documents):
    service, runtime = documents["InferenceService"]["spec"], documents["ServingRuntime"]["spec"]
    for kind, fields in {
        "V1beta1InferenceServiceSpec": service,
        "V1beta1PredictorSpec": service["predictor"],
        "V1beta1ModelSpec": service["predictor"]["model"],
        "V1alpha1ServingRuntimeSpec": runtime,
    }.items():
        module = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
        known = getattr(importlib.import_module(f"kserve.models.{module}"), kind).attribute_map.values()
        assert set(fields) <= set(known), kind
