"""What a model must show: the thresholds as TFMA reads them."""

from __future__ import annotations

import importlib
import json

import pytest

from engines.quiet import import_quietly
from flights.config import Config, Demand
from flights.data import LABEL

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def make_eval_config():
    import_quietly()
    return importlib.import_module("flights.evaluation").make_eval_config


def auc_thresholds(eval_config) -> dict[tuple[str, ...], object]:
    """The threshold on the AUC for each slice, by the columns that make it."""
    (auc,) = [metric for metric in eval_config.metrics_specs[0].metrics if metric.class_name == "AUC"]
    return {
        tuple(spec.feature_keys): each.threshold for each in auc.per_slice_thresholds for spec in each.slicing_specs
    }


def test_demands_are_those_of_the_configuration(make_eval_config):
    thresholds = auc_thresholds(make_eval_config(Config(min_auc=0.7, min_slice_auc=0.6, max_auc_loss=0.03)))
    assert set(thresholds) == {(), ("origin",)}
    assert thresholds[()].value_threshold.lower_bound.value == 0.7
    assert thresholds["origin",].value_threshold.lower_bound.value == 0.6


def test_only_the_whole_is_held_against_the_baseline(make_eval_config):
    import tensorflow_model_analysis as tfma

    thresholds = auc_thresholds(make_eval_config(Config(max_auc_loss=0.03)))
    change = thresholds[()].change_threshold
    assert change.direction == tfma.MetricDirection.HIGHER_IS_BETTER
    assert change.absolute.value == -0.03
    assert not thresholds["origin",].HasField("change_threshold")


def test_loss_on_a_slice_can_be_demanded_too(make_eval_config):
    thresholds = auc_thresholds(make_eval_config(Config(max_slice_auc_loss=0.05)))
    assert thresholds["origin",].change_threshold.absolute.value == -0.05


def test_further_demands_bring_their_metric_and_their_slices(make_eval_config):
    demands = (
        Demand("AUC", by=("carrier",), max_loss=0.05),
        Demand("BinaryAccuracy", at_least=0.7),
        Demand("Calibration", by=("origin", "part_of_day"), at_least=0.5, at_most=2.0),
    )
    eval_config = make_eval_config(Config(demands=demands))
    assert auc_thresholds(eval_config)["carrier",].change_threshold.absolute.value == -0.05
    metrics = {metric.class_name: metric for metric in eval_config.metrics_specs[0].metrics}
    (accuracy,) = metrics["BinaryAccuracy"].per_slice_thresholds
    assert accuracy.threshold.value_threshold.lower_bound.value == 0.7
    (calibration,) = metrics["Calibration"].per_slice_thresholds
    assert calibration.threshold.value_threshold.upper_bound.value == 2.0
    measured = {tuple(spec.feature_keys) for spec in eval_config.slicing_specs}
    assert measured == {(), ("origin",), ("carrier",), ("origin", "part_of_day")}


@pytest.mark.parametrize(("airline", "blessed"), [("DL", False), ("HA", True)])
def test_demand_on_some_airlines_leaves_the_others_alone(make_eval_config, airline, blessed):
    settings = {"demands": (Demand("AUC", by=("carrier",), only=("DL", "UA"), max_loss=0.05),)}
    assert verdict(make_eval_config, (("carrier", airline),), 0.6, 0.7, **settings) is blessed


@pytest.mark.parametrize("by", [("orign",), "origin"])
def test_slice_by_a_column_that_there_is_not_is_refused(make_eval_config, by):
    with pytest.raises(ValueError, match="forms no slices"):
        make_eval_config(Config(slices=(by,)))


def test_thresholds_and_calibration_can_be_drawn(make_eval_config):
    names = {metric.class_name for metric in make_eval_config(Config()).metrics_specs[0].metrics}
    assert {"CalibrationPlot", "ConfusionMatrixPlot"} <= names


@pytest.mark.parametrize(("asked", "method"), [("bootstrap", 1), ("jackknife", 2), (True, 2)])
def test_intervals_are_estimated_on_demand(make_eval_config, asked, method):
    made = make_eval_config(Config(confidence_intervals=asked))
    options = made.options
    assert options.compute_confidence_intervals.value
    assert options.confidence_intervals.method == method
    (auc,) = [metric for metric in made.metrics_specs[0].metrics if metric.class_name == "AUC"]
    assert json.loads(auc.config) == {"num_thresholds": 1000}, "ten times as many take three times as long"
    assert not make_eval_config(Config()).options.compute_confidence_intervals.value


@pytest.mark.parametrize(("candidate", "blessed"), [(0.66, True), (0.64, False)])
def test_verdict_on_what_an_airline_lost(make_eval_config, candidate, blessed):
    slice_key = (("carrier", "DL"),)
    settings = {"demands": (Demand("AUC", by=("carrier",), max_loss=0.05),)}
    assert verdict(make_eval_config, slice_key, candidate, 0.7, **settings) is blessed


def test_every_slice_is_measured_and_no_threshold_waits_for_a_slice_that_is_not(make_eval_config):
    eval_config = make_eval_config(Config())
    measured = {tuple(spec.feature_keys) for spec in eval_config.slicing_specs}
    assert measured == {(), ("origin",)}
    assert set(auc_thresholds(eval_config)) <= measured


def test_metrics_are_named_once(make_eval_config):
    names = [metric.class_name for metric in make_eval_config(Config()).metrics_specs[0].metrics]
    assert len(names) == len(set(names))
    assert {"AUC", "ExampleCount"} <= set(names)


def test_model_is_asked_as_it_is_served(make_eval_config):
    from flights.model import PROBABILITY

    (spec,) = make_eval_config(Config()).model_specs
    assert (spec.signature_name, spec.label_key, spec.prediction_key) == ("serving_default", LABEL, PROBABILITY)


@pytest.mark.parametrize(
    ("candidate", "baseline", "blessed"),
    [
        (0.70, None, True),
        (0.59, None, False),
        (0.70, 0.705, True),
        (0.70, 0.715, False),
        (0.60, 0.55, True),
        (0.59, 0.55, False),
    ],
)
def test_verdict_on_all_flights(candidate, baseline, blessed, make_eval_config):
    assert verdict(make_eval_config, (), candidate, baseline) is blessed


@pytest.mark.parametrize(("candidate", "baseline", "blessed"), [(0.51, 0.9, True), (0.49, None, False)])
def test_verdict_on_an_airport(candidate, baseline, blessed, make_eval_config):
    assert verdict(make_eval_config, (("origin", "JFK"),), candidate, baseline) is blessed


def test_area_that_cannot_be_computed_is_no_pass(make_eval_config):
    """A slice where no flight was late has no area under the curve."""
    assert verdict(make_eval_config, (("origin", "JFK"),), float("nan"), None) is False


def test_same_model_again_passes_where_no_loss_is_allowed(make_eval_config):
    assert verdict(make_eval_config, (), 0.7, 0.7, max_auc_loss=0.0)
    assert not verdict(make_eval_config, (), 0.7, 0.7, max_auc_loss=-0.01)


def verdict(make_eval_config, slice_key, candidate, baseline, max_auc_loss=0.01, **settings) -> bool:
    """What TFMA's own validator says of areas that are given by hand, with demands of 0.6 and, for an airport, 0.5."""
    from tensorflow_model_analysis.evaluators import metrics_validator
    from tensorflow_model_analysis.metrics import metric_types
    from tensorflow_model_analysis.utils import config_util

    compared = baseline is not None
    eval_config = config_util.update_eval_config_with_defaults(
        make_eval_config(Config(min_auc=0.6, min_slice_auc=0.5, max_auc_loss=max_auc_loss, **settings)),
        has_baseline=compared,
        rubber_stamp=not compared,
    )
    name = "candidate" if compared else ""
    metrics = {metric_types.MetricKey(name="auc", model_name=name): candidate}
    if compared:
        metrics[metric_types.MetricKey(name="auc", model_name="baseline")] = baseline
        metrics[metric_types.MetricKey(name="auc", model_name=name, is_diff=True)] = candidate - baseline
    return metrics_validator.validate_metrics((slice_key, metrics), eval_config).validation_ok


def test_the_type_of_a_model_is_the_one_that_tfma_would_find_by_loading_it(make_eval_config, tmp_path):
    import keras
    import tensorflow as tf
    from tensorflow_model_analysis.utils import get_model_type

    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    archive = keras.export.ExportArchive()  # as `model.export`
    archive.add_endpoint("serving_default", network.__call__, input_signature=[tf.TensorSpec([None, 1])])
    archive.write_out(str(tmp_path / "model"), verbose=False)

    (spec,) = make_eval_config(Config()).model_specs
    without = type(spec)(signature_name=spec.signature_name, label_key=spec.label_key)
    assert spec.model_type == get_model_type(without, str(tmp_path / "model"))
