"""What a model must show before it may be pushed."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2

from . import cost, plan
from .config import Config
from .data import LABEL
from .model import PROBABILITY
from .plan import Costs, Demand

METRICS = ["ExampleCount", "AUC", "Calibration"]
"""Of the model's ranking and of its probabilities. No precision and recall: their usual threshold of 0.5 is not the one that a
cost would choose, and for each further computation TFMA goes through all examples in Python."""

PLOTS = {"CalibrationPlot": {"num_buckets": 100}, "ConfusionMatrixPlot": {"num_thresholds": 100}}
"""What probabilities mean, and what each threshold would do: both are read off the histogram that the AUC is made from."""

DEFINED = 1e-6
"""Of a slice whose labels are all alike TFMA says an AUC of exactly 0, which is below no `at_most` and no worse than the baseline's 0. No
AUC that is demanded, however, may be undefined."""

THRESHOLDS_WITH_INTERVALS = 1000
"""Thresholds of the AUC where each metric has an interval, instead of 10,000: TFMA then adds up tables of so many rows twenty times for
each slice, which took three times as long for the same AUC to four digits."""


def make_eval_config(config: Config) -> tfma.EvalConfig:
    """Metrics, plots, slices, and the thresholds that a candidate must pass.

    What is demanded is `demands(config)`. A change threshold compares with the latest blessed model on the same flights; where
    there is no such model, it does not apply. TFMA holds the metrics against the thresholds, not their confidence intervals.
    """
    wanted = demands(config)
    costs = config.plan.costs if config.plan is not None else None
    names = dict.fromkeys([*METRICS, *(demand.metric for demand in wanted)])
    metrics = [_metric(name, [demand for demand in wanted if demand.metric == name], costs) for name in names]
    if config.confidence_intervals:
        metrics[METRICS.index("AUC")].config = json.dumps({"num_thresholds": THRESHOLDS_WITH_INTERVALS})
    plots = [tfma.MetricConfig(class_name=name, config=json.dumps(settings)) for name, settings in PLOTS.items()]
    slices = dict.fromkeys([(), *config.slices, *(demand.by for demand in wanted)])
    options = config_pb2.Options()
    if config.confidence_intervals:
        options.compute_confidence_intervals.value = True
        bootstrap = config.confidence_intervals == "bootstrap"
        options.confidence_intervals.method = "POISSON_BOOTSTRAP" if bootstrap else "JACKKNIFE"
    return tfma.EvalConfig(
        model_specs=[
            # With the type, as TFMA would find it: it would load each model once more, to see whether Keras has saved it.
            tfma.ModelSpec(
                signature_name="serving_default",
                label_key=LABEL,
                prediction_key=PROBABILITY,
                model_type=constants.TF_GENERIC,
            ),
        ],
        slicing_specs=[_slicing(columns) for columns in slices],
        metrics_specs=[tfma.MetricsSpec(metrics=[*metrics, *plots])],
        options=options,
    )


def demands(config: Config) -> list[Demand]:
    """Everything that is demanded of a candidate: what the plan says, or what `config.BARS` say, then `config.demands`.

    The bars are, of all flights, an AUC of `config.min_auc`, and not more than `config.max_auc_loss` less than that of the latest
    blessed model; of each slice by one of `config.guarded`, `config.min_slice_auc`, and `config.max_slice_auc_loss` where it is set.
    """
    if config.plan is not None:
        return [*config.plan.demands, *config.demands]
    whole = Demand("AUC", at_least=config.min_auc, max_loss=config.max_auc_loss)
    parts = [
        Demand("AUC", by, at_least=config.min_slice_auc, max_loss=config.max_slice_auc_loss) for by in config.guarded
    ]
    return [whole, *parts, *config.demands]


def _metric(name: str, wanted: Iterable[Demand], costs: Costs | None) -> tfma.MetricConfig:
    """A metric with its thresholds."""
    thresholds = [
        config_pb2.PerSliceMetricThreshold(slicing_specs=_guarded(demand), threshold=_threshold(demand))
        for demand in wanted
    ]
    if name == plan.COST:
        settings = json.dumps(dataclasses.asdict(costs))
        return tfma.MetricConfig(
            class_name=name, module=cost.__name__, config=settings, per_slice_thresholds=thresholds
        )
    return tfma.MetricConfig(class_name=name, per_slice_thresholds=thresholds)


def _guarded(demand: Demand) -> list[tfma.SlicingSpec]:
    """The slices that a demand is made of."""
    if demand.only:
        return [tfma.SlicingSpec(feature_values={demand.by[0]: value}) for value in demand.only]
    return [_slicing(demand.by)]


def _threshold(demand: Demand) -> tfma.MetricThreshold:
    """The limits of a demand, for TFMA.

    A threshold on the value is always among them: one on a change alone does not apply without a baseline, and with it the question
    whether there is such a slice at all would be left out.
    """
    metric, threshold = plan.METRICS[demand.metric], tfma.MetricThreshold()
    at_least = metric.low if demand.at_least is None else demand.at_least
    if demand.metric.startswith("AUC"):
        at_least = max(at_least, DEFINED)
    if math.isfinite(at_least):
        threshold.value_threshold.lower_bound.value = at_least
    if demand.at_most is not None:
        threshold.value_threshold.upper_bound.value = demand.at_most
    if demand.max_loss is not None:
        lower = metric.better == plan.LOWER
        direction = tfma.MetricDirection.LOWER_IS_BETTER if lower else tfma.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.direction = direction
        threshold.change_threshold.absolute.value = demand.max_loss if lower else -demand.max_loss
    return threshold


def _slicing(columns: Iterable[str]) -> tfma.SlicingSpec:
    """Slices by each combination of values of these columns; without columns, all examples."""
    return tfma.SlicingSpec(feature_keys=list(columns))
