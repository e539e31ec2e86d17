"""InfraCheck as a component, with a real server and the real Pusher; and what TFX's own InfraValidator does where there is no Docker engine."""

from __future__ import annotations

import contextlib
import functools
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import scales_project

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def tfx():
    import_quietly()
    from tfx import v1

    return v1


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Path:
    """An artifact of examples, whose one split has lengths from 0 to 99."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-eval").mkdir()
    with tf.io.TFRecordWriter(str(folder / "Split-eval" / "examples.gz"), "GZIP") as writer:
        for length in range(100):
            writer.write(scales_project.example(float(length), label=0.0))
    return folder


@pytest.fixture
def run(tfx, examples, tmp_path):
    """Runs a candidate through a check and Pusher, and gives each execution's state and each artifact's custom properties."""

    def through(model: Path, check) -> tuple[dict[str, str], dict[str, dict]]:
        from ml_metadata.metadata_store import MetadataStore
        from ml_metadata.proto import metadata_store_pb2 as mlmd

        kinds = tfx.types.standard_artifacts
        candidate = tfx.dsl.Importer(source_uri=str(model), artifact_type=kinds.Model).with_id("Candidate")
        rows = tfx.dsl.Importer(
            source_uri=str(examples),
            artifact_type=kinds.Examples,
            properties={"split_names": '["eval"]'},
            custom_properties={"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"},
        ).with_id("Rows")
        checked = check(model=candidate.outputs["result"], examples=rows.outputs["result"])
        folder = tfx.proto.PushDestination.Filesystem(base_directory=str(tmp_path / "serving"))
        pusher = tfx.components.Pusher(
            model=candidate.outputs["result"],
            infra_blessing=checked.outputs["blessing"],
            push_destination=tfx.proto.PushDestination(filesystem=folder),
        )
        connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(tmp_path / "store"))
        pipeline = tfx.dsl.Pipeline(
            "checked",
            str(tmp_path / "artifacts"),
            components=[candidate, rows, checked, pusher],
            metadata_connection_config=connection,
            enable_cache=True,
        )
        tfx.orchestration.LocalDagRunner().run(pipeline)
        store = MetadataStore(connection)
        types = {one.id: one.name.rpartition(".")[2] for one in store.get_execution_types()}
        states = {types[one.type_id]: mlmd.Execution.State.Name(one.last_known_state) for one in store.get_executions()}
        said = {one.type: {key: value for key, value in one.custom_properties.items()} for one in store.get_artifacts()}
        return states, said

    return through


def in_artifact(model: Path) -> Path:
    """Where TFX looks for the SavedModel of an artifact."""
    return model / "Format-Serving"


@pytest.fixture
def infra_check(tfx):
    from serving.infra_check import InfraCheck

    return functools.partial(InfraCheck, project=scales_project.NAME, split="eval", rows=3)


@pytest.fixture
def served_here(monkeypatch):
    """A server that answers as `serving.server` does, by the same classes, in this process: lesson 09 and test_operation_staging have a real one that is good."""
    from serving import process
    from serving.models import SavedModel

    @contextlib.contextmanager
    def start(project, versions, **_):
        ours = scales_project.PROJECT
        model = SavedModel(versions / "1", ours.output)
        yield SimpleNamespace(ask=lambda rows: model.predict(ours.encode(ours.check(rows))))

    monkeypatch.setattr(process, "start", start)


@pytest.mark.usefixtures("served_here")
def test_a_good_candidate_is_blessed_with_a_reason_and_pushed(run, infra_check, tmp_path):
    scales_project.write(in_artifact(tmp_path / "model"))
    states, said = run(tmp_path / "model", infra_check)
    assert set(states.values()) == {"COMPLETE"}
    assert said["InfraBlessing"]["blessed"].int_value == 1
    reason = said["InfraBlessing"]["reason"].string_value
    assert reason == "The model server answered 3 examples as the model does by itself."
    (folder,) = (tmp_path / "artifacts" / "InfraCheck" / "blessing").iterdir()
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"INFRA_BLESSED": f"{reason}\n"}
    (version,) = (tmp_path / "serving").iterdir()
    assert (version / "saved_model.pb").is_file()


def test_one_that_calls_python_works_in_the_process_that_made_it_and_is_not_pushed(run, infra_check, tmp_path):
    """Evaluator runs in the process that trained, and would say nothing. And the pipeline goes on: the model's fault is no failure."""
    import tensorflow as tf

    def halved(columns):
        return tf.ensure_shape(tf.numpy_function(lambda length: length / 2, [columns["length"]], tf.float32), [None])

    model = scales_project.write(in_artifact(tmp_path / "model"), halved)
    ask = tf.saved_model.load(str(model)).signatures["serving_default"]
    assert ask(examples=tf.constant([scales_project.example(5.0)]))["weight"].numpy() == [[2.5]]
    states, said = run(tmp_path / "model", infra_check)
    assert set(states.values()) == {"COMPLETE"}
    assert said["InfraBlessing"]["blessed"].int_value == 0
    reason = said["InfraBlessing"]["reason"].string_value
    assert reason.startswith("The model server refuses it: it does not answer: ValueError: Could not find callback")
    (folder,) = (tmp_path / "artifacts" / "InfraCheck" / "blessing").iterdir()
    assert [path.name for path in folder.iterdir()] == ["INFRA_NOT_BLESSED"]
    assert said["PushedModel"]["pushed"].int_value == 0
    assert not (tmp_path / "serving").exists()


def test_a_check_that_cannot_be_made_fails_and_nothing_is_pushed(run, infra_check, tmp_path):
    """As TFX hands on the error of an executor: it ends the run."""
    from serving.candidate import CheckError

    scales_project.write(in_artifact(tmp_path / "model"))
    with pytest.raises(CheckError, match=r"scales_project:NONE: it cannot be imported"):
        run(tmp_path / "model", functools.partial(infra_check, project="scales_project:NONE"))
    assert not (tmp_path / "serving").exists()


def test_examples_are_chosen_from_the_first_to_the_last_of_a_split(tfx, examples, tmp_path):
    from serving import candidate, infra_check

    chosen = infra_check.read_examples(examples / "Split-eval", 4)
    assert [candidate._row(one, {"length": "FP32"})["length"] for one in chosen] == [0.0, 25.0, 50.0, 75.0]
    assert len(infra_check.read_examples(examples / "Split-eval", 200)) == 100
    with pytest.raises(candidate.CheckError, match="there are no examples in it"):
        infra_check.read_examples(tmp_path, 4)


def test_tfxs_infra_validator_refuses_every_model_where_no_docker_answers_and_only_the_log_says_why(
    run, tfx, tmp_path, caplog
):
    """And the cache repeats it. This is what InfraCheck, and asking for Docker before the run, are for."""
    nowhere = f"unix://{tmp_path}/nobody"  # said to TFX, which does not go by DOCKER_HOST: there may be an engine here
    scales_project.write(in_artifact(tmp_path / "model"))
    spec = tfx.proto.ServingSpec(
        tensorflow_serving=tfx.proto.TensorFlowServing(tags=["latest"]),
        local_docker=tfx.proto.LocalDockerConfig(client_base_url=nowhere),
    )
    check = functools.partial(tfx.components.InfraValidator, serving_spec=spec)
    with caplog.at_level(logging.ERROR, "absl"):
        states, said = run(tmp_path / "model", check)
    tracebacks = [one for one in caplog.records if one.exc_info]
    assert [one.getMessage() for one in tracebacks] == [
        f"Infra validation (attempt {number}/5) failed." for number in range(1, 6)
    ]
    assert {type(one.exc_info[1]).__name__ for one in tracebacks} == {"DockerException"}
    assert set(states.values()) == {"COMPLETE"}
    assert said["InfraBlessing"]["blessed"].int_value == 0
    assert "reason" not in said["InfraBlessing"]
    assert said["PushedModel"]["pushed"].int_value == 0
    again, _ = run(tmp_path / "model", check)
    assert again["InfraValidator"] == "CACHED"
