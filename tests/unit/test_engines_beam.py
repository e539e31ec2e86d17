"""The options for engines that are not run here: Beam knows each of them, and reads from them what is meant."""

from __future__ import annotations

import pytest

from engines import beam

pytestmark = pytest.mark.xdist_group("tfx")  # which imports Beam

DATAFLOW = {
    "project": "a-project-of-yours",
    "region": "europe-west1",
    "bucket": "gs://bucket",
    "image": "registry/course:1",
}


@pytest.fixture
def validate(monkeypatch):
    """Dataflow's own check of its options, without the look into the bucket, which needs an account."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    monkeypatch.setattr(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", lambda *_: None)
    return lambda arguments: PipelineOptionsValidator(PipelineOptions(arguments), DataflowRunner()).validate()


def read(arguments: list[str]) -> dict:
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(arguments).get_all_options()


def test_flink_cluster_takes_its_workers_from_the_course_image():
    options = read(beam.flink("jobs:8099", parallelism=4, artifacts="files:8098"))
    assert (options["runner"], options["job_endpoint"], options["parallelism"]) == ("PortableRunner", "jobs:8099", 4)
    assert options["artifact_endpoint"] == "files:8098"
    assert (options["environment_type"], options["environment_config"]) == ("EXTERNAL", beam.SIDECAR)
    assert options["environment_cache_millis"] == "600000"


def test_sidecar_is_a_program_of_beams_and_listens_where_it_is_said():
    from importlib.util import find_spec

    assert find_spec("apache_beam.runners.worker.worker_pool_main")
    assert beam.SIDECAR.endswith(":50000")


def test_spark_leaves_parallelism_to_spark():
    options = read(beam.spark("jobs:8099"))
    assert (options["runner"], options["job_endpoint"]) == ("PortableRunner", "jobs:8099")
    assert not any(argument.startswith("--parallelism") for argument in beam.spark("jobs:8099"))


def test_dataflow_finds_nothing_wrong_with_its_options(validate):
    arguments = beam.dataflow(**DATAFLOW)
    assert validate(arguments) == []
    options = read(arguments)
    assert options["sdk_container_image"] == "registry/course:1"
    assert options["max_num_workers"] == 8
    assert options["use_public_ips"] is False


def test_dataflow_finds_what_is_wrong(validate):
    (fault,) = validate(beam.dataflow(**DATAFLOW | {"project": "A Project"}))
    assert "A Project" in fault


def test_option_that_beam_does_not_know_is_named():
    with pytest.raises(ValueError, match=r"Beam knows no option --job_server, --paralelism\."):
        beam.checked(["--runner=PortableRunner", "--paralelism=2", "--job_server=here:1"])
