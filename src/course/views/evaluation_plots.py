"""Reads the plots of a TFMA evaluation: confusion matrices at thresholds, and the histogram of calibration."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from course.views.evaluation import Key, class_name, ordered, proto_key, read, result_key, slice_name
from course.views.metrics_view import sub_name
from course.views.source import source

_NEEDS = {
    "matrices": "tfma.MetricConfig(class_name='ConfusionMatrixPlot')",
    "buckets": "tfma.MetricConfig(class_name='CalibrationPlot')",
}

_FIELDS = {
    "matrices": (
        "confusion_matrix_at_thresholds",
        "matrices",
        ("threshold", "true_positives", "false_positives", "true_negatives", "false_negatives"),
    ),
    "buckets": (
        "calibration_histogram_buckets",
        "buckets",
        (
            "lower_threshold_inclusive",
            "upper_threshold_exclusive",
            "num_weighted_examples",
            "total_weighted_label",
            "total_weighted_refined_prediction",
        ),
    ),
}


class Plot:
    """The plots of one model on one slice; taken apart when they are asked for, because there are thousands of numbers."""

    def __init__(self) -> None:
        """Nothing yet; `add` takes what there is."""
        self._found: dict[str, Any] = {}

    def add(self, data: Any) -> None:
        """Takes a message with plots, or the dict that an `EvalResult` has of it. What came first stays."""
        for kind, (outer, inner, _) in _FIELDS.items():
            rows = data.get(_camel(outer), {}).get(inner, []) if isinstance(data, dict) else _rows(data, outer, inner)
            if len(rows):
                self._found.setdefault(kind, rows)

    def has(self, kind: str) -> bool:
        """Whether there are `matrices` or `buckets`."""
        return kind in self._found

    @cached_property
    def matrices(self) -> np.ndarray:
        """A row for each threshold, in order: threshold, true positives, false positives, true and false negatives."""
        return _numbers(self._found.get("matrices", []), _FIELDS["matrices"][2])

    @cached_property
    def buckets(self) -> np.ndarray:
        """A row for each bucket that has examples: lower bound, upper bound, examples, sum of labels, sum of predictions."""
        found = _numbers(self._found.get("buckets", []), _FIELDS["buckets"][2])
        return found[found[:, 2] > 0]


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
    several = len({part for *_, part in found}) > 1  # one class of several is not all of them
    for key, model, data, part in sorted(found, key=lambda one: (ordered(one[0]), one[3])):
        name = slice_name(key) + (f" ({part})" if several and part else "")
        plot = made.setdefault(model, {}).setdefault(name, Plot())
        plot.add(data)
    full = {m: {n: plot for n, plot in side.items() if plot.has(kind)} for m, side in made.items()}
    judged = read(thing).candidate if len(full) > 1 else ""
    full = {model: full[model] for model in sorted(full, key=lambda name: name != judged) if full[model]}
    if not full:
        raise ValueError(
            "This evaluation has no plot to draw that from. Add to the metrics of the EvalConfig: "
            f"{_NEEDS[kind]}; then run the Evaluator again."
        )
    return full


Found = tuple[Key, str, Any, str]
"""Slice, model, data, and the output or class that they are of, where the model has several."""


def _of_plots(messages: Any) -> Iterator[Found]:
    for message in messages:
        for one in message.plot_keys_and_values:
            yield proto_key(message), one.key.model_name, one.value, _part(one.key)


def _of_metrics(messages: Any) -> Iterator[Found]:
    """Matrices that were asked for as a metric, at a few thresholds."""
    for message in messages:
        for one in message.metric_keys_and_values:
            if one.value.WhichOneof("type") == "confusion_matrix_at_thresholds" and not one.key.is_diff:
                yield proto_key(message), one.key.model_name, one.value, _part(one.key)


def _part(key: Any) -> str:
    return f"{key.output_name} {class_name(key)}".strip()


def _of_result(result: Any) -> Iterator[Found]:
    for raw, outputs in result.plots:
        for output, sub_keys in (outputs or {}).items():
            for sub, data in sub_keys.items():
                yield result_key(raw), "", data, f"{output} {sub_name(sub)}".strip()
    for raw, outputs in result.slicing_metrics:
        for output, sub_keys in (outputs or {}).items():
            for sub, metrics in sub_keys.items():
                for value in metrics.values():
                    if "confusionMatrixAtThresholds" in value:
                        yield result_key(raw), "", value, f"{output} {sub_name(sub)}".strip()


def _rows(message: Any, outer: str, inner: str) -> Any:
    return getattr(getattr(message, outer), inner) if message.HasField(outer) else []


def _numbers(rows: Any, names: tuple[str, ...]) -> np.ndarray:
    """Rows of numbers, ordered by the first."""
    found = np.array([[_number(row, name) for name in names] for row in rows]).reshape(-1, len(names))
    return found[np.argsort(found[:, 0], kind="stable")]


def _number(row: Any, name: str) -> float:
    """A field of a message, or of the dict of one; wrapped numbers are unwrapped."""
    value = row.get(_camel(name), 0.0) if isinstance(row, dict) else getattr(row, name)
    return float(getattr(value, "value", value))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
