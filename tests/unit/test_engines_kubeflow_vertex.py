"""What is compiled for Vertex AI: of the format that it reads, without a path of this machine, and nothing is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lazy_pipeline import create_components

from engines.quiet import import_quietly
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")
IMAGE = "registry.example/flights/mlops-course:1"


@pytest.fixture(scope="module")
def vertex():
    import_quietly()
    from engines.kubeflow import vertex

    return vertex


@pytest.fixture(scope="module")
def compiled(vertex, tmp_path_factory) -> Path:
    return vertex.compile_for_vertex(
        Config(infra_check=True), create_components, tmp_path_factory.mktemp("vertex") / "job.json", IMAGE, "my-bucket"
    )


@pytest.fixture(scope="module")
def job(compiled) -> dict:
    return json.loads(compiled.read_text())


def test_it_is_of_the_format_and_a_field_too_many_is_not(vertex, compiled, tmp_path):
    job, spec = vertex.read(compiled)
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/flights"
    assert spec.schema_version == "2.1.0"
    (tmp_path / "job.json").write_text(compiled.read_text().replace('"retryPolicy"', '"retryPolice"'))
    with pytest.raises(vertex.json_format.ParseError, match="retryPolice"):
        vertex.read(tmp_path / "job.json")


def test_googles_own_client_takes_it(compiled):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    read = aiplatform.PipelineJob(
        display_name="flights",
        template_path=str(compiled),
        parameter_values={"data_root": "/gcs/other/data"},
        project="nobody",
        location="europe-west1",
        credentials=AnonymousCredentials(),
    )
    assert read.to_dict()["runtimeConfig"]["parameterValues"] == {"data_root": "/gcs/other/data"}
    assert read.to_dict()["runtimeConfig"]["gcsOutputDirectory"] == "gs://my-bucket/flights"


def test_it_names_no_path_of_this_machine_and_is_the_same_twice(vertex, compiled, root, tmp_path):
    text = compiled.read_text()
    assert not [path for path in (root, Path.home(), compiled.parent) if str(path) in text]
    elsewhere = Config(infra_check=True, data_root=str(tmp_path / "data"), output_root=str(tmp_path / "out"))
    again = vertex.compile_for_vertex(elsewhere, create_components, tmp_path / "again.json", IMAGE, "my-bucket")
    assert again.read_bytes() == compiled.read_bytes()


def test_steps_have_our_command_and_the_baseline_is_resolved_by_vertex(job):
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    containers = [executor["container"] for executor in executors.values() if "container" in executor]
    assert len(containers) == 10
    for container in containers:
        assert container["command"] == ["python", "-m", "engines.kubeflow.entrypoint"]
        assert container["image"] == IMAGE
        assert "lifecycle" not in container
    resolvers = [executor["resolver"] for executor in executors.values() if "resolver" in executor]
    assert len(resolvers) == 2
    tasks = job["pipelineSpec"]["root"]["dag"]["tasks"]
    baseline = tasks["Evaluator"]["inputs"]["artifacts"]["baseline_model"]["taskOutputArtifact"]["producerTask"]
    assert baseline == "LatestBlessedModel-model-resolver"
    checked = tasks["Pusher"]["inputs"]["artifacts"]["infra_blessing"]["taskOutputArtifact"]["producerTask"]
    assert checked == "InfraCheck"
    declared = job["pipelineSpec"]["components"]["Evaluator"]["inputDefinitions"]["artifacts"]
    assert declared["baseline_model"]["isOptional"] is True


def test_data_and_models_are_in_the_bucket(job):
    parameters = job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    assert parameters["data_root"]["defaultValue"] == "/gcs/my-bucket/data"
    assert "/gcs/my-bucket/serving" in parameters["push_destination"]["defaultValue"]


@pytest.mark.parametrize("image", ["mlops-course:1", "registry.example/mlops-course", "registry.example/course:latest"])
def test_an_image_that_nobody_could_fetch_is_refused(vertex, tmp_path, image):
    with pytest.raises(ValueError, match="REGISTRY/FOLDER/NAME:TAG"):
        vertex.compile_for_vertex(Config(), create_components, tmp_path / "job.json", image, "my-bucket")


def test_a_check_that_needs_docker_is_refused(vertex, tmp_path):
    with pytest.raises(ValueError, match=r"in a container there is no Docker engine\. Write infra_check=True"):
        vertex.compile_for_vertex(
            Config(infra_check="docker"), create_components, tmp_path / "job.json", IMAGE, "my-bucket"
        )


def test_an_address_is_no_name_of_a_bucket(vertex, tmp_path):
    with pytest.raises(ValueError, match="without gs://"):
        vertex.compile_for_vertex(Config(), create_components, tmp_path / "job.json", IMAGE, "gs://my-bucket")
