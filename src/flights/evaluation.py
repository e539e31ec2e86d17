"""What a model must show before it may be pushed."""

from __future__ import annotations

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from flights.config import Config
from flights.data import LABEL
from flights.model import PROBABILITY

SLICES: list[list[str]] = [[], ["origin"]]
"""Metrics are computed over all flights, and for each airport of departure."""

METRICS = ["ExampleCount", "AUC", "Calibration"]
"""Of the model's ranking and of its probabilities. No precision and recall: their usual threshold of 0.5 is not the one that a
cost would choose, and for each further computation TFMA goes through all examples in Python."""


def make_eval_config(config: Config) -> tfma.EvalConfig:
    """Metrics, slices, and the thresholds that a candidate must pass.

    Value thresholds ask for `config.min_auc` on all evaluation flights, and for `config.min_slice_auc` on those of each
    airport. The change threshold compares with the latest blessed model on the same flights and allows a loss of
    `config.max_auc_loss`; where there is no such model, it does not apply.
    """
    overall, by_origin = (tfma.SlicingSpec(feature_keys=keys) for keys in SLICES)
    enough = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.min_auc}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -config.max_auc_loss}
        ),
    )
    enough_for_a_slice = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.min_slice_auc})
    )
    auc = tfma.MetricConfig(
        class_name="AUC",
        per_slice_thresholds=[
            config_pb2.PerSliceMetricThreshold(slicing_specs=[overall], threshold=enough),
            config_pb2.PerSliceMetricThreshold(slicing_specs=[by_origin], threshold=enough_for_a_slice),
        ],
    )
    others = [tfma.MetricConfig(class_name=name) for name in METRICS if name != "AUC"]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(signature_name="serving_default", label_key=LABEL, prediction_key=PROBABILITY),
        ],
        slicing_specs=[overall, by_origin],
        metrics_specs=[tfma.MetricsSpec(metrics=[auc, *others])],
    )
