"""Which demands a candidate missed, in words: read from what the Evaluator left, once for every engine."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

MOST = 5
"""Missed demands that a sentence names."""

NO_LIMITS = (-1.0, 0.0, 1e-6)
"""Lower bounds that only say that there must be a value (`evaluation`)."""


@dataclasses.dataclass(frozen=True)
class Missed:
    """A demand that a candidate missed.

    Attributes:
        metric: its name as TFMA writes it, for example `auc`.
        slice: columns and values; empty for all flights.
        value: what was measured: the metric, or its change against the baseline. Not a number where it is undefined.
        limit: what was demanded, in words: `at least 0.6`.
        is_change: whether it is a change.
        why: why there is no value, where there is none.
    """

    metric: str
    slice: tuple[tuple[str, str], ...]
    value: float
    limit: str
    is_change: bool = False
    why: str = ""

    @property
    def where(self) -> str:
        """The slice in words."""
        return ", ".join(f"{column} {value}".strip() for column, value in self.slice) or "all flights"

    def __str__(self) -> str:
        """One clause, such as `AUC of origin LGA is 0.482 (demanded: at least 0.6)`."""
        name = self.metric.upper() if self.metric == "auc" else self.metric.replace("_", " ")
        if self.why:
            return f"{name} of {self.where} is undefined: {self.why} (demanded: {self.limit})"
        if self.is_change:
            return f"{name} of {self.where} changed by {self.value:+.3f} (demanded: {self.limit})"
        return f"{name} of {self.where} is {self.value:.3f} (demanded: {self.limit})"


def missed(evaluation: str | Path) -> list[Missed]:
    """The demands that were missed; none for a candidate that was blessed.

    Args:
        evaluation: folder of the Evaluator's artifact.
    """
    import tensorflow_model_analysis as tfma

    return missed_of(tfma.load_validation_result(str(evaluation)))


def missed_of(result: Any) -> list[Missed]:
    """The demands that were missed, from TFMA's `ValidationResult`: all flights first."""
    found = [
        _failure(failure, tuple((key.column, _plain(key)) for key in one.slice_key.single_slice_keys))
        for one in sorted(result.metric_validations_per_slice, key=lambda one: len(one.slice_key.single_slice_keys))
        for failure in one.failures
    ]
    for spec in result.missing_slices:
        where = (*((column, "") for column in spec.feature_keys), *spec.feature_values.items())
        found.append(Missed("each metric", where, math.nan, "a value", why="nothing of it was evaluated"))
    if not found and not result.validation_ok:
        found.append(
            Missed(
                "each metric",
                (),
                math.nan,
                "a value",
                why="no threshold is set" if result.missing_thresholds else "unknown",
            )
        )
    # An undefined value misses each of its limits; it is said once.
    return list({(one.metric, one.slice, one.why or one): one for one in reversed(found)}.values())[::-1]


def refusal(evaluation: str | Path | None) -> str:
    """One sentence on a candidate that was refused: which demands it missed, where, by what numbers.

    Args:
        evaluation: folder of the Evaluator's artifact; None where it is not known.
    """
    try:
        found = missed(evaluation) if evaluation is not None and Path(evaluation).is_dir() else []
    except (
        Exception
    ):  # deleted, half copied, damaged: TFMA asserts, TensorFlow has errors of its own; the verdict stands
        found = []
    if not found:
        return "Refused: the candidate missed a demand, and was not pushed."
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"Refused: {'; '.join(str(one) for one in found[:MOST])}{more}. The candidate was not pushed."


def _failure(failure: Any, where: tuple[tuple[str, str], ...]) -> Missed:
    metric, is_change = failure.metric_key.name.removesuffix("_diff"), failure.metric_key.is_diff
    value, why = failure.metric_value.double_value.value, ""
    if not failure.HasField("metric_value"):
        value, why = math.nan, "TFMA has not computed it"
    elif metric.startswith("auc") and not is_change and not value > 0:  # TFMA's number for it is 0
        value, why = math.nan, "all labels there are alike"
    elif math.isnan(value):
        why = "it would be divided by 0"
    return Missed(metric, where, value, limit(failure.metric_threshold, is_change), is_change, why)


def limit(threshold: Any, is_change: bool) -> str:
    """A threshold of TFMA in words.

    Args:
        threshold: a `MetricThreshold`.
        is_change: whether it is of the change, or of the value.
    """
    if not is_change:
        bounds = threshold.value_threshold
        low, high = bounds.lower_bound.value, bounds.upper_bound.value
        parts = [f"at least {low:g}"] if bounds.HasField("lower_bound") and low not in NO_LIMITS else []
        parts += [f"at most {high:g}"] if bounds.HasField("upper_bound") else []
        return " and ".join(parts) or "a value"
    change = threshold.change_threshold
    side = "at most" if change.direction == 1 else "at least"  # MetricDirection: 1 is LOWER_IS_BETTER
    parts = [f"{side} {change.absolute.value:+g}"] if change.HasField("absolute") else []
    parts += [f"{side} {change.relative.value:+.0%}"] if change.HasField("relative") else []
    return " and ".join(parts) or "a change for the better"


def _plain(one: Any) -> str:
    value = getattr(one, one.WhichOneof("kind"))
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return re.sub(r"\s+", " ", text)
