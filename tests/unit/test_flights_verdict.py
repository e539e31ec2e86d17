"""What is said of a candidate that was refused: demand, slice, number and limit, the same on every engine."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import pytest

from engines import store
from engines.quiet import import_quietly
from flights import verdict
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def tfma():
    import_quietly()
    return importlib.import_module("tensorflow_model_analysis")


@pytest.fixture
def evaluation(tfma, tmp_path) -> Path:
    """An evaluation in which TFMA found two demands missed: the file is written as TFMA writes it, a record with the message."""
    return write(tfma, tmp_path / "evaluation", [((), "auc", 0.594), ((("origin", "LGA"),), "auc", 0.482)])


def write(tfma, folder: Path, failures: list, missing: tuple = ()) -> Path:
    import tensorflow as tf
    from tensorflow_model_analysis.proto import validation_result_pb2

    result = validation_result_pb2.ValidationResult(validation_ok=False)
    for key, name, value in failures:
        one = result.metric_validations_per_slice.add()
        for column, of in key:
            one.slice_key.single_slice_keys.add(column=column, bytes_value=of.encode())
        failure = one.failures.add()
        failure.metric_key.name, failure.metric_key.is_diff = name, name.endswith("_diff")
        if value is not None:
            failure.metric_value.double_value.value = value
        if name.endswith("_diff"):
            failure.metric_threshold.change_threshold.absolute.value = 0.01
            failure.metric_threshold.change_threshold.direction = 2
        else:
            failure.metric_threshold.value_threshold.lower_bound.value = 0.6
    for column, value in missing:
        result.missing_slices.add().feature_values[column] = value
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    return folder


SAID = (
    "Refused: AUC of all flights is 0.594 (demanded: at least 0.6); AUC of origin LGA is 0.482 (demanded: at least 0.6). "
    "The candidate was not pushed."
)


def test_refusal_names_demand_slice_number_and_limit(evaluation):
    assert verdict.refusal(evaluation) == SAID


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (((("carrier", "AS"),), "auc", 0.0), "AUC of carrier AS is undefined: all labels there are alike (demanded: "),
        (((("carrier", "AS"),), "auc", math.nan), "AUC of carrier AS is undefined: all labels there are alike"),
        (
            ((("carrier", "AS"),), "calibration", math.nan),
            "calibration of carrier AS is undefined: it would be divided",
        ),
        (((("carrier", "AS"),), "auc", None), "AUC of carrier AS is undefined: TFMA has not computed it"),
        (((), "auc_diff", 0.0), "AUC of all flights changed by +0.000 (demanded: at least +0.01)"),
        (((("origin", "LGA"), ("hour", "6")), "auc", 0.5), "AUC of origin LGA, hour 6 is 0.500"),
    ],
)
def test_undefined_numbers_and_changes_are_said_as_what_they_are(tfma, tmp_path, failure, said):
    assert said in verdict.refusal(write(tfma, tmp_path, [failure]))


def test_slice_of_which_there_was_nothing_is_named(tfma, tmp_path):
    assert "carrier DELTA is undefined: nothing of it was evaluated" in verdict.refusal(
        write(tfma, tmp_path, [], missing=(("carrier", "DELTA"),))
    )


def test_many_missed_demands_are_counted(tfma, tmp_path):
    many = [((("carrier", f"{number:02}"),), "auc", 0.5) for number in range(9)]
    assert "; and 4 more. The candidate" in verdict.refusal(write(tfma, tmp_path, many))


@pytest.mark.parametrize("kept", ["nothing", "an empty folder", "a damaged file"])
def test_verdict_stays_where_the_evaluation_is_gone(tfma, tmp_path, kept):
    folder = tmp_path / "evaluation"
    if kept != "nothing":
        folder.mkdir()
    if kept == "a damaged file":
        (folder / "validations.tfrecord").write_bytes(b"no record")
    assert verdict.refusal(folder) == "Refused: the candidate missed a demand, and was not pushed."


def test_metadata_store_leads_to_the_evaluation_that_the_pusher_went_by(tmp_path, evaluation):
    """Evaluator, then Pusher, as TFX records them; then another Evaluator, whose candidate no Pusher has seen yet."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    config = Config(output_root=str(tmp_path / "out"))
    opened = store.open_store(config)

    def run(node: str, inputs: list[int], outputs: dict[str, tuple[str, dict[str, int]]]) -> dict[str, int]:
        kind = opened.put_execution_type(mlmd.ExecutionType(name=node))
        (execution,) = opened.put_executions([mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.COMPLETE)])
        events = [mlmd.Event(type=mlmd.Event.INPUT, execution_id=execution, artifact_id=one) for one in inputs]
        made = {}
        for name, (uri, properties) in outputs.items():
            artifact = mlmd.Artifact(type_id=opened.put_artifact_type(mlmd.ArtifactType(name=name)), uri=uri)
            for key, value in properties.items():
                artifact.custom_properties[key].int_value = value
            (made[name],) = opened.put_artifacts([artifact])
            events.append(mlmd.Event(type=mlmd.Event.OUTPUT, execution_id=execution, artifact_id=made[name]))
        opened.put_events(events)
        return made

    judged = {"ModelEvaluation": (str(evaluation), {}), "ModelBlessing": ("blessing", {"blessed": 0})}
    made = run("Evaluator", [], judged)
    run("Pusher", [made["ModelBlessing"]], {"PushedModel": ("pushed", {"pushed": 0})})
    run("Evaluator", [], {"ModelEvaluation": ("another", {}), "ModelBlessing": ("another", {"blessed": 0})})
    assert store.latest_verdict(config, verdict.refusal) == SAID

    infra = run("InfraCheck", [], {"InfraBlessing": (str(not_servable(tmp_path / "infra")), {"blessed": 0})})
    run("Pusher", [made["ModelBlessing"], *infra.values()], {"PushedModel": ("pushed", {"pushed": 0})})
    assert store.latest_verdict(config, verdict.refusal) == f"{SAID} {NOT_SERVABLE}"
    made = run("Evaluator", [], {"ModelEvaluation": (str(evaluation), {}), "ModelBlessing": ("good", {"blessed": 1})})
    run("Pusher", [made["ModelBlessing"], *infra.values()], {"PushedModel": ("pushed", {"pushed": 0})})
    assert store.latest_verdict(config, verdict.refusal) == f"{NOT_SERVABLE} The candidate was not pushed."


NOT_SERVABLE = "Refused as a model to be served: It has no weights."


def not_servable(folder: Path) -> Path:
    """What InfraCheck leaves of a candidate that it refuses."""
    folder.mkdir(parents=True)
    (folder / "INFRA_NOT_BLESSED").write_text("It has no weights.\n")
    return folder


def test_a_check_of_the_serving_that_says_nothing_is_named_as_such(tmp_path):
    """TFX's InfraValidator leaves an empty file: `_mark_not_blessed` of its executor."""
    assert store.infra_refusal(None) == ""
    assert store.infra_refusal(tmp_path) == ""
    (tmp_path / "INFRA_NOT_BLESSED").touch()
    assert store.infra_refusal(tmp_path) == (
        "Refused as a model to be served: why, only the log of that component says."
    )


def test_kubeflow_reads_the_evaluation_of_its_latest_run(tfma, tmp_path):
    from engines.kubeflow import runner as kubeflow

    config = Config(output_root=str(tmp_path))
    folder = tmp_path / "kubeflow" / "flights-1"
    (folder / "Pusher").mkdir(parents=True)
    message = {"artifacts": {"pushed_model": {"artifacts": [{"metadata": {"pushed": 0}}]}}}
    (folder / "Pusher" / "executor_output.json").write_text(json.dumps(message))
    write(tfma, folder / "Evaluator" / "evaluation", [((), "auc", 0.594), ((("origin", "LGA"),), "auc", 0.482)])
    assert kubeflow.verdict(config, verdict.refusal) == SAID
    not_servable(folder / "InfraCheck" / "blessing")
    assert kubeflow.verdict(config, verdict.refusal) == f"{SAID} {NOT_SERVABLE}"
    (folder / "Evaluator" / "blessing").mkdir()
    (folder / "Evaluator" / "blessing" / "BLESSED").touch()
    assert kubeflow.verdict(config, verdict.refusal) == f"{NOT_SERVABLE} The candidate was not pushed."
