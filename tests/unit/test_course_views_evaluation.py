"""Views of models on what TFMA really writes, for a pipeline that is none of ours, and on TensorBoard's event files."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from course import views
from course.views import evaluation
from flights.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")

CONFIG = """
  model_specs { name: "red" label_key: "label" prediction_key: "score" }
  model_specs { name: "old" label_key: "label" prediction_key: "older" is_baseline: true }
  slicing_specs {} slicing_specs { feature_keys: "town" } slicing_specs { feature_keys: ["town", "hour"] }
  metrics_specs {
    model_names: ["red", "old"]
    metrics { class_name: "AUC" per_slice_thresholds {
      slicing_specs { feature_keys: "town" } threshold { value_threshold { lower_bound { value: 0.9 } } } } }
    metrics { class_name: "BinaryAccuracy" } metrics { class_name: "ExampleCount" }
    metrics { class_name: "ConfusionMatrixPlot" config: '"num_thresholds": 20' }
    metrics { class_name: "CalibrationPlot" config: '"num_buckets": 20' }
  }
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of two models with made-up scores; in town C every label is 0."""
    import_quietly()
    import apache_beam as beam
    import pyarrow as pa
    from google.protobuf import text_format
    from tfx_bsl.arrow import table_util

    config_pb2 = importlib.import_module("tensorflow_model_analysis.proto.config_pb2")
    tfma = importlib.import_module("tensorflow_model_analysis")
    chance = np.random.default_rng(1)
    rows = pd.DataFrame({"town": chance.choice(["A", "B", "C"], 600), "hour": chance.integers(5, 7, 600)})
    rows["score"] = chance.random(600)
    rows["older"] = (rows["score"] + chance.random(600)) / 2
    rows["label"] = ((chance.random(600) < rows["score"]) & (rows["town"] != "C")).astype(float)
    folder = tmp_path_factory.mktemp("evaluation")
    config = text_format.Parse(CONFIG, config_pb2.EvalConfig())
    batch = table_util.CanonicalizeRecordBatch(pa.RecordBatch.from_pandas(rows))
    with beam.Pipeline(runner="FnApiRunner") as pipeline:  # as tfma.analyze_raw_data does, which takes no runner
        made = pipeline | beam.Create([batch])
        _ = made | tfma.ExtractEvaluateAndWriteResults(
            eval_config=config, output_path=str(folder), writers=tfma.default_writers(str(folder), eval_config=config)
        )
    return folder


@pytest.fixture(scope="module")
def with_intervals(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same evaluation with intervals, in the form in which TFMA writes those that it computes."""
    import tensorflow as tf

    tfma = importlib.import_module("tensorflow_model_analysis")
    folder = tmp_path_factory.mktemp("intervals")
    with tf.io.TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord")) as writer:
        for message in tfma.load_metrics(str(written)):
            for one in message.metric_keys_and_values:
                if one.value.WhichOneof("type") == "double_value" and one.key.name == "auc":
                    for side, off in (("lower_bound", -0.1), ("upper_bound", 0.1)):
                        bound = getattr(one.confidence_interval, side)
                        bound.double_value.value = one.value.double_value.value + off
            writer.write(message.SerializeToString())
    (folder / "eval_config.json").write_text((written / "eval_config.json").read_text())
    return folder


def test_metrics_of_each_model_are_those_that_tfma_loads(written: Path) -> None:
    tfma = importlib.import_module("tensorflow_model_analysis")
    found = evaluation.read(written)
    assert (list(found.models), found.candidate, found.baseline) == (["red", "old"], "red", "old")
    for model in found.models:
        for key, outputs in tfma.load_eval_result(str(written), model_name=model).slicing_metrics:
            for metric in ("auc", "binary_accuracy", "example_count"):
                value = found.side(model)[evaluation.slice_name(key)].get(metric, evaluation.Value(0.0)).value
                assert value == pytest.approx(outputs[""][""][metric]["doubleValue"])
    assert set(found.groups) == {"town", "hour × town"}


def test_an_auc_of_labels_of_one_kind_is_no_value(written: Path) -> None:
    text = repr(views.slices(written, by="town"))
    assert "town = C" in text
    assert "no value" in text
    assert "labels are alike" in text
    assert "No value: 1." in repr(views.slice_plot(written, by="town"))


def test_demands_come_from_the_evaluation(written: Path) -> None:
    found = evaluation.read(written)
    assert found.minimum("auc", "town = A") == 0.9
    assert math.isnan(found.minimum("auc", "all examples"))
    assert "Below what is demanded: 2 of 2 slices." in repr(views.slice_plot(written, by="town"))


def test_intervals_are_read_and_shown(with_intervals: Path) -> None:
    value = evaluation.read(with_intervals).side()["all examples"]["auc"]
    assert (value.low, value.high) == (pytest.approx(value.value - 0.1), pytest.approx(value.value + 0.1))
    assert f"{value.low:.3f} to {value.high:.3f}" in repr(views.slices(with_intervals))
    loaded = importlib.import_module("tensorflow_model_analysis").load_eval_result(
        str(with_intervals), model_name="red"
    )
    assert f"{value.value:.3f}" in repr(views.metrics(loaded))


def test_the_baseline_is_that_of_the_evaluation_or_of_another_one(written: Path, with_intervals: Path) -> None:
    inside = views.against_baseline(written, by="town").table()
    auc = evaluation.read(written)
    expected = auc.side("red")["town = A"]["auc"].value - auc.side("old")["town = A"]["auc"].value
    assert inside.loc["town = A", "change"] == pytest.approx(expected)
    assert views.against_baseline(written, with_intervals).table()["change"].dropna().eq(0).all()
    assert views.against_baseline(written, "old").table().loc["town = A", "change"] == pytest.approx(expected)


def test_plots_are_those_of_the_slice_and_of_the_model(written: Path) -> None:
    rates = views.thresholds(written, {"town": "A"}, cost_miss=3).rates
    assert 0 < rates["recall"] <= 1
    new, old = (views.calibration(written, "town = A", 5, model=model) for model in ("red", "old"))
    assert new.observed == pytest.approx(old.observed)
    assert new.predicted != old.predicted
    count = evaluation.read(written).count("town = A")
    assert new.table()["examples"].sum() == pytest.approx(count)


def test_an_eval_result_in_memory_shows_the_same_as_its_files(written: Path) -> None:
    tfma = importlib.import_module("tensorflow_model_analysis")
    loaded = tfma.load_eval_result(str(written), model_name="red")
    assert (
        repr(views.slices(loaded, by="town")).splitlines()[2:5]
        == repr(views.slices(written, by="town")).splitlines()[2:5]
    )
    found = (views.thresholds(one, cost_miss=3).rates for one in (loaded, written))
    assert next(found) == pytest.approx(next(found))


def test_a_folder_of_another_component_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="another component"):
        views.slices(tmp_path)


# --- learning curves


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs as Keras writes them, with training and validation, and one as older programs do, with scalars in the top folder."""
    import_quietly()
    import tensorflow as tf

    top = tmp_path_factory.mktemp("runs")

    def write(folder: Path, tag: str, values: list[float]) -> None:
        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default():
            for step, value in enumerate(values):
                tf.summary.scalar(tag, value, step=step)
        writer.close()

    for name, best in (("January", 0.4), ("February", 0.3)):
        write(top / name / "train", "epoch_loss", [0.9, 0.5, 0.2])
        write(top / name / "validation", "epoch_loss", [0.9, best, 0.6])
        write(top / name / "validation", "epoch_auc", [0.5, 0.7, 0.6])
    with tf.Graph().as_default():
        old = tf.compat.v1.summary.FileWriter(str(top / "old"))
        summary: Any = tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag="loss", simple_value=0.25)])
        old.add_summary(summary, 7)
        old.close()
    return top


def test_training_and_validation_are_told_apart_and_the_best_epoch_is_named(runs: Path) -> None:
    found = views.learning_curves(runs / "January")
    assert set(found.curves["run"]) == {"training", "validation"}
    assert "lowest loss on validation 0.4, at epoch 2; at the end 0.6" in repr(found)
    assert views.learning_curves(runs / "January", "auc").best["run"][1] == pytest.approx(0.7)


def test_several_runs_are_compared_whether_named_or_found_in_folders(runs: Path) -> None:
    named = views.learning_curves({name: runs / name for name in ("January", "February")})
    assert named.table().shape == (3, 4)
    assert "February: lowest loss on validation 0.3" in repr(named)
    with pytest.raises(KeyError, match="There are: auc, loss"):
        views.learning_curves({"January": runs / "January"}, "accuracy")


def test_events_of_older_programs_are_read(runs: Path) -> None:
    assert views.learning_curves(runs / "old").best["run"] == (7, pytest.approx(0.25))


def test_without_events_the_error_says_how_to_write_some(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="TensorBoard"):
        views.learning_curves(tmp_path)
