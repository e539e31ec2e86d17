"""Reads the plots of a TFMA evaluation: confusion matrices at thresholds, and the histogram of calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course.views.evaluation import Key, ordered, proto_key, result_key, slice_name
from course.views.source import source

_NEEDS = {
    "matrices": "tfma.MetricConfig(class_name='ConfusionMatrixPlot')",
    "buckets": "tfma.MetricConfig(class_name='CalibrationPlot')",
}


@dataclass
class Plot:
    """The plots of one model on one slice.

    Attributes:
        matrices: a row for each threshold, in order: threshold, true positives, false positives, true and false negatives.
        buckets: a row for each bucket of predictions: lower bound, upper bound, examples, sum of labels, sum of predictions.
    """

    matrices: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))
    buckets: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))


Plots = dict[str, dict[str, Plot]]
"""By model, then by slice."""


def plots(thing: Any, kind: str) -> Plots:
    """The plots of an evaluation by model and slice, everything first.

    Args:
        thing: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        kind: what each must have, `matrices` or `buckets`.

    Raises:
        ValueError: there are none; the message says what to add to the EvalConfig.
    """
    if isinstance(thing, dict):
        return thing
    if hasattr(thing, "slicing_metrics"):
        found = list(_of_result(thing))
    else:
        import tensorflow_model_analysis as tfma

        folder = str(source(thing).folder)
        found = [*_of_plots(tfma.load_plots(folder)), *_of_metrics(tfma.load_metrics(folder))]
    made: Plots = {}
    for key, model, data in sorted(found, key=lambda one: ordered(one[0])):
        plot = made.setdefault(model, {}).setdefault(slice_name(key), Plot())
        plot.matrices = _matrices(data) if not len(plot.matrices) else plot.matrices
        plot.buckets = _buckets(data) if not len(plot.buckets) else plot.buckets
    full = {m: {n: plot for n, plot in side.items() if len(getattr(plot, kind))} for m, side in made.items()}
    full = {model: side for model, side in full.items() if side}
    if not full:
        raise ValueError(
            "This evaluation has no plot to draw that from. Add to the metrics of the EvalConfig: "
            f"{_NEEDS[kind]}; then run the Evaluator again."
        )
    return full


def _of_plots(messages: Any) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    from google.protobuf.json_format import MessageToDict

    for message in messages:
        for one in message.plot_keys_and_values:
            yield proto_key(message), one.key.model_name, MessageToDict(one.value)


def _of_metrics(messages: Any) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Matrices that were asked for as a metric, at a few thresholds."""
    from google.protobuf.json_format import MessageToDict

    for message in messages:
        for one in message.metric_keys_and_values:
            if one.value.WhichOneof("type") == "confusion_matrix_at_thresholds" and not one.key.is_diff:
                yield proto_key(message), one.key.model_name, MessageToDict(one.value)


def _of_result(result: Any) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    for raw, outputs in result.plots:
        for sub_keys in (outputs or {}).values():
            for data in sub_keys.values():
                yield result_key(raw), "", data
    for raw, outputs in result.slicing_metrics:
        for sub_keys in (outputs or {}).values():
            for metrics in sub_keys.values():
                for value in metrics.values():
                    if "confusionMatrixAtThresholds" in value:
                        yield result_key(raw), "", value


def _matrices(data: dict[str, Any]) -> np.ndarray:
    rows = data.get("confusionMatrixAtThresholds", {}).get("matrices", [])
    names = ("threshold", "truePositives", "falsePositives", "trueNegatives", "falseNegatives")
    return _numbers(rows, names)


def _buckets(data: dict[str, Any]) -> np.ndarray:
    """The buckets that hold examples."""
    rows = data.get("calibrationHistogramBuckets", {}).get("buckets", [])
    names = (
        "lowerThresholdInclusive",
        "upperThresholdExclusive",
        "numWeightedExamples",
        "totalWeightedLabel",
        "totalWeightedRefinedPrediction",
    )
    found = _numbers(rows, names)
    return found[found[:, 2] > 0]


def _numbers(rows: list[dict[str, Any]], names: tuple[str, ...]) -> np.ndarray:
    """Rows of numbers, ordered by the first."""
    found = np.array([[float(row.get(name, 0.0)) for name in names] for row in rows]).reshape(-1, len(names))
    return found[np.argsort(found[:, 0], kind="stable")]
