"""How far a feature's distribution moved from one month to another, measured by TensorFlow Data Validation."""

from __future__ import annotations

import math
from typing import Any

from course.views import protos

MEASURES = {"l_infty": "infinity_norm", "jensen_shannon": "jensen_shannon_divergence"}
"""Our short names of the measures, and the fields of a `drift_comparator` that switch them on."""

TITLES = {"l_infty": "L-infinity distance", "jensen_shannon": "Jensen-Shannon divergence"}

_NAMES = {"L_INFTY": "l_infty", "JENSEN_SHANNON_DIVERGENCE": "jensen_shannon"}

_TYPES = {0: 2, 1: 3}
"""From the type of a feature in statistics (whole number, other number) to that in a schema. All else is bytes."""


def measures_of(months: dict[str, protos.Statistics], names: list[str], wanted: str = "auto") -> dict[str, str]:
    """The measure for each feature: `wanted`, or what suits its kind: L-infinity for categories, Jensen-Shannon for numbers.

    Raises:
        KeyError: no such feature; the message names those that there are.
        ValueError: there is no such measure, or it says nothing about numbers.
    """
    if wanted not in (*MEASURES, "auto"):
        raise ValueError(f"No measure {wanted!r}. There are: {', '.join(MEASURES)}, auto.")
    there = protos.feature_names(months)
    found = {}
    for name in names:
        if name not in there:
            raise KeyError(f"No feature {name!r} here. There are: {', '.join(there) or 'none'}.")
        categorical = "string_stats" in {kind_of(dataset, name) for dataset in months.values()}
        if wanted == "l_infty" and not categorical:
            raise ValueError(
                f"{name} holds numbers: the L-infinity distance compares the shares of values one by one, and TFDV reports "
                "0 for numbers. Use measure='jensen_shannon', or 'auto', which chooses for each feature."
            )
        found[name] = wanted if wanted != "auto" else "l_infty" if categorical else "jensen_shannon"
    return found


def kind_of(dataset: protos.Statistics, name: str) -> str:
    """Which kind of statistics a feature has, `num_stats` or `string_stats`; empty without any."""
    one = protos.feature(dataset, name)
    return (one.WhichOneof("stats") or "") if one is not None else ""


def distances(new: protos.Statistics, old: protos.Statistics, measures: dict[str, str]) -> dict[str, float]:
    """The distance of each feature between two sets of statistics.

    Args:
        new: the month that is judged.
        old: what it is held against.
        measures: for each feature the measure, a key of `MEASURES`.

    Returns:
        A number from 0 (the same) to 1 by feature; not a number where there is none, because a side has no values or values
        of another kind.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

    measured, schema = dict.fromkeys(measures, math.nan), schema_pb2.Schema()
    for name, measure in measures.items():
        kinds = {kind_of(new, name), kind_of(old, name)}
        if kinds not in ({"num_stats"}, {"string_stats"}):
            continue
        feature = schema.feature.add(name=name, type=_TYPES.get(protos.feature(new, name).type, schema_pb2.BYTES))
        # Any threshold above 0 makes TFDV measure; whether the distance is above it does not matter here.
        getattr(feature.drift_comparator, MEASURES[measure]).threshold = 1e-9
    found = tfdv.validate_statistics(_listed(new), schema, previous_statistics=_listed(old))
    for info in found.drift_skew_info:
        name = ".".join(info.path.step)
        for one in info.drift_measurements:
            kind = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(one.type)
            if _NAMES.get(kind) == measures.get(name):
                measured[name] = one.value
    return measured


def limits_of(thresholds: Any, names: list[str]) -> tuple[dict[str, float], dict[str, str]]:
    """The threshold of each feature, and the measure where a schema says one.

    Args:
        thresholds: one for all, one for each by name, a schema with `drift_comparator`s, or None.
        names: of the features that there are.

    Raises:
        KeyError: a threshold for a feature that is not there.
        ValueError: the schema has no threshold.
    """
    if thresholds is None:
        return {}, {}
    if isinstance(thresholds, int | float):
        return dict.fromkeys(names, float(thresholds)), {}
    if isinstance(thresholds, dict):
        if unknown := sorted(set(thresholds) - set(names)):
            raise KeyError(f"A threshold for {', '.join(unknown)}, but there are only: {', '.join(names)}.")
        return {name: float(value) for name, value in thresholds.items()}, {}
    limits, said = {}, {}
    for feature in protos.schema(thresholds).feature:
        for measure, field in MEASURES.items():
            if feature.name in names and feature.drift_comparator.HasField(field):
                limits[feature.name] = getattr(feature.drift_comparator, field).threshold
                said[feature.name] = measure
    if not limits:
        raise ValueError("No feature of this schema has a drift_comparator, so that there is no threshold.")
    return limits, said


def _listed(dataset: protos.Statistics) -> Any:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
