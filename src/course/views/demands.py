"""What an EvalConfig demands of a metric on a slice."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from flights.verdict import NO_LIMITS


def bounds(config: Any, metric: str, key: tuple[tuple[str, Any], ...]) -> tuple[float, float]:
    """The lowest and the highest value that is allowed, of several demands the strictest; not a number where nothing is demanded.

    Args:
        config: TFMA's `EvalConfig`, or None.
        metric: name of the metric.
        key: the slice, as pairs of column and value.
    """
    low, high = math.nan, math.nan
    for name, specs, threshold in _thresholds(config):
        if name != metric or not any(_matches(spec, key) for spec in specs):
            continue
        value = threshold.value_threshold
        if value.HasField("lower_bound") and value.lower_bound.value not in NO_LIMITS:
            low = max(value.lower_bound.value, low) if not math.isnan(low) else value.lower_bound.value
        if value.HasField("upper_bound"):
            high = min(value.upper_bound.value, high) if not math.isnan(high) else value.upper_bound.value
    return low, high


def _thresholds(config: Any) -> Iterator[tuple[str, list[Any], Any]]:
    """Metric, slices and threshold of each demand. Without slices, it is of everything."""
    for spec in config.metrics_specs if config is not None else ():
        for metric in spec.metrics:
            text = metric.config.strip()  # TFMA also takes it without its braces
            settings = json.loads(text if text.startswith("{") else f"{{{text}}}")
            name = settings.get("name") or snake(metric.class_name)
            if metric.HasField("threshold"):
                yield name, [None], metric.threshold
            for one in metric.per_slice_thresholds:
                yield name, list(one.slicing_specs) or [None], one.threshold
        for name, threshold in spec.thresholds.items():
            yield name, [None], threshold
        for name, several in spec.per_slice_thresholds.items():
            for one in several.thresholds:
                yield name, list(one.slicing_specs) or [None], one.threshold


def _matches(spec: Any, key: tuple[tuple[str, Any], ...]) -> bool:
    if spec is None:
        return not key
    columns = {column: str(value) for column, value in key}
    if set(spec.feature_keys) | set(spec.feature_values) != set(columns):
        return False
    return all(columns[column] == value for column, value in spec.feature_values.items())


def snake(name: str) -> str:
    """The name that TFMA gives to a metric's class: `AUCPrecisionRecall` is `auc_precision_recall`."""
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()
