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
from engines.quiet import import_quietly

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
    assert found.limits("auc", "town = A")[0] == 0.9
    assert math.isnan(found.limits("auc", "all examples")[0])
    assert "Below what is demanded: 2 of 2 slices." in repr(views.slice_plot(written, by="town"))


def test_no_view_shows_an_undefined_area_as_a_number(written: Path) -> None:
    """In town C all labels are alike; TFMA writes 0 for both models, and 0 for what changed."""
    against = views.against_baseline(written, by="town")
    assert math.isnan(against.values["town = C"][2].value)
    assert "of 2 slices" in repr(against)
    assert "No comparison: 1." in repr(against)
    shown = [repr(against), repr(views.slices(written, by="town")), repr(views.metrics(written))]
    line = [next(line for line in text.splitlines() if line.startswith("town = C")) for text in shown]
    assert all("no value" in one for one in line)
    assert not any("0.000" in one for one in line)
    assert "No value: " in repr(views.metrics(written, "auc"))


def test_upper_limit_is_drawn_and_counted_and_the_strictest_of_several_demands_counts(written: Path) -> None:
    found = evaluation.read(written)
    changed = type(found.config)()
    changed.CopyFrom(found.config)
    (metric,) = [one for one in changed.metrics_specs[0].metrics if one.class_name == "AUC"]
    for bound in (0.5, 0.6):
        one = metric.per_slice_thresholds.add()
        one.slicing_specs.add(feature_keys=["town"])
        one.threshold.value_threshold.upper_bound.value = bound
    metric.threshold.value_threshold.lower_bound.value = 1e-6  # asks for a value, and for no certain one
    metric.threshold.value_threshold.upper_bound.value = 0.7
    found.config = changed
    assert found.limits("auc", "town = A") == (0.9, 0.5)
    (view, text) = views.slice_plot(found, by="town").parts
    assert "Above what is demanded: 2 of 2 slices." in repr(text)
    assert "Of all examples at most 0.7 is demanded: missed." in repr(text)
    labels = [one.get_text() for one in view.figure.axes[0].get_legend().get_texts()]
    assert {"at least 0.9", "at most 0.5"} <= set(labels)


def test_minimum_belongs_to_the_metric_that_it_was_given_for(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from course.controls import Explorer

    made: list[Explorer] = []
    monkeypatch.setattr(Explorer, "display", lambda self: made.append(self))
    views.explore_slices(written, "binary_accuracy", by="town", minimum=0.01)
    (explorer,) = made
    chosen = {"slices_by": "town", "order": "by name"}
    assert "Below what is demanded: 0 of 3" in repr(explorer._draw(metric="binary_accuracy", **chosen))
    assert "Below what is demanded: 2 of 2" in repr(explorer._draw(metric="auc", **chosen)), "0.9, by the EvalConfig"


def test_calibration_is_judged_by_how_near_it_is_to_1() -> None:
    from course.views.baseline_comparison import gain

    up, down = evaluation.Value(1.4), evaluation.Value(1.1)
    assert (
        gain("calibration", up, down, evaluation.Value(0.3)) < 0 < gain("calibration", down, up, evaluation.Value(-0.3))
    )
    assert gain("cost_against_rule", up, down, evaluation.Value(0.3)) < 0 < gain("auc", up, down, evaluation.Value(0.3))


def test_groups_without_an_interval_are_not_called_in_line() -> None:
    """Where the label is no share between 0 and 1, as in a regression, there is nothing to hold the prediction against."""
    from course.views.calibration_view import Calibration

    view, text = Calibration(np.array([[50.0, 12.0, 3.0], [50.0, 30.0, 29.0]]), "all examples").parts
    labels = [one.get_text() for one in view.figure.axes[0].get_legend().get_texts()]
    assert labels == ["perfect", "no interval, not judged"]
    assert "Not judged: 2 of 2 groups" in repr(text)
    assert "In 0 of" not in repr(text)


def of_three_classes() -> Any:
    """What TFMA loads of a model with three classes: metrics and plots of each class apart."""
    import types

    matrices = [
        {"threshold": 0.5, "truePositives": 5.0, "falsePositives": 1.0, "trueNegatives": 3.0, "falseNegatives": 1.0}
    ]
    metrics = {f"classId:{number}": {"auc": {"doubleValue": 0.7 + number / 10}} for number in range(3)}
    plots = {name: {"confusionMatrixAtThresholds": {"matrices": matrices}} for name in metrics}
    return types.SimpleNamespace(slicing_metrics=[((), {"": metrics})], plots=[((), {"": plots})], config=None)


def test_one_class_of_three_is_not_shown_as_all() -> None:
    text = repr(views.metrics(of_three_classes()))
    assert [f"auc (class {number})" in text for number in range(3)] == [True] * 3
    assert "AUC" not in text
    with pytest.raises(KeyError, match=r"all examples \(class 0\); all examples \(class 1\)"):
        views.thresholds(of_three_classes())
    assert views.thresholds(of_three_classes(), "all examples (class 2)").where == "all examples (class 2)"


def test_refusal_names_the_demands_that_were_missed(written: Path, tmp_path: Path) -> None:
    """The evaluation lies beside the blessing, as TFX's Evaluator leaves them."""
    import shutil

    shutil.copytree(written, tmp_path / "evaluation" / "7")
    (tmp_path / "blessing" / "7").mkdir(parents=True)
    (tmp_path / "blessing" / "7" / "NOT_BLESSED").touch()
    text = repr(views.blessing(tmp_path / "blessing" / "7"))
    assert "AUC of town A is 0." in text
    assert "demanded: at least 0.9" in text
    assert "AUC of town C is undefined: all labels there are alike" in text


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
