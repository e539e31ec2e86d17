"""What a model must show before it may be pushed."""

from __future__ import annotations

import tensorflow_model_analysis as tfma

from flights.config import Config
from flights.data import LABEL
from flights.model import PROBABILITY

SLICES: list[list[str]] = [[], ["origin"]]
"""Metrics are computed over all flights, and for each airport of departure."""

METRICS = ["ExampleCount", "AUC", "BinaryCrossEntropy", "Precision", "Recall", "Calibration"]


def make_eval_config(config: Config) -> tfma.EvalConfig:
    """Metrics, slices, and the two thresholds that a candidate must pass on all evaluation flights.

    The value threshold asks for `config.min_auc`. The change threshold compares with the latest blessed model on the same
    flights and allows a loss of `config.max_auc_loss`; without such a model it does not apply.
    """
    auc = tfma.MetricConfig(
        class_name="AUC",
        threshold=tfma.MetricThreshold(
            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.min_auc}),
            change_threshold=tfma.GenericChangeThreshold(
                direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -config.max_auc_loss}
            ),
        ),
    )
    others = [tfma.MetricConfig(class_name=name) for name in METRICS if name != "AUC"]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(signature_name="serving_default", label_key=LABEL, prediction_key=PROBABILITY),
        ],
        slicing_specs=[tfma.SlicingSpec(feature_keys=keys) for keys in SLICES],
        metrics_specs=[tfma.MetricsSpec(metrics=[auc, *others])],
    )
