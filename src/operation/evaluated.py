"""What a model was worth in an evaluation of TFX's Evaluator: AUC from its metrics, what was said and happened from its calibration plot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from operation.project import Costs
from operation.quality import Estimate, Quality

AUC = "auc"


def read(folder: str | Path, costs: Costs) -> Quality | None:
    """Of all examples.

    TFMA keeps no log loss unless it is told to, and no single prediction: the log loss is not a number, and so is the cost where the threshold of
    `costs` is no border of the calibration plot's buckets. Intervals are there where the Evaluator was told to make them.

    None where the files are gone from the folder of a `ModelEvaluation`, or no `CalibrationPlot` was asked for.
    """
    import tensorflow_model_analysis as tfma

    if not any(Path(folder).glob("metrics*")) or not any(Path(folder).glob("plots*")):
        return None
    buckets = _buckets(tfma.load_plots(str(folder)))
    if not len(buckets) or not (rows := buckets[:, 1].sum()):
        return None
    lower, count, happened, said = buckets.T
    acts = lower >= costs.threshold - 1e-9
    errors = np.where(acts, (count - happened) * costs.false_alarm, happened * costs.miss).sum()
    is_border = np.isclose(lower, costs.threshold).any()
    mean, rate = float(said.sum() / rows), float(happened.sum() / rows)
    return Quality(
        rows=round(rows),
        said=mean,
        happened=rate,
        auc=_auc(tfma.load_metrics(str(folder))),
        gap=Estimate(mean - rate),
        log_loss=Estimate(math.nan),
        cost=Estimate(float(errors / rows) if is_border else math.nan),
    )


def _of_all(messages: Any, pairs: str) -> Iterator[Any]:
    """What the messages of all examples say of the candidate."""
    for message in messages:
        if not message.slice_key.single_slice_keys:
            yield from (one for one in getattr(message, pairs) if one.key.model_name != "baseline")


def _buckets(messages: Any) -> np.ndarray:
    """Lower border, examples, those where it happened, sum of predictions; shape (buckets, 4)."""
    for one in _of_all(messages, "plot_keys_and_values"):
        if found := one.value.calibration_histogram_buckets.buckets:
            names = ("num_weighted_examples", "total_weighted_label", "total_weighted_refined_prediction")
            sums = [[getattr(bucket, name).value for name in names] for bucket in found]
            return np.column_stack([[bucket.lower_threshold_inclusive for bucket in found], sums])
    return np.empty((0, 4))


def _auc(messages: Any) -> Estimate:
    for one in _of_all(messages, "metric_keys_and_values"):
        if one.key.name == AUC and not one.key.is_diff:
            if one.value.HasField("bounded_value"):
                found = one.value.bounded_value
                return Estimate(found.value.value, found.lower_bound.value, found.upper_bound.value)
            return Estimate(one.value.double_value.value)
    return Estimate(math.nan)
