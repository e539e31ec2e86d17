"""How far a feature's distribution moved from one month to another, measured by TensorFlow Data Validation."""

from __future__ import annotations

import math
from typing import Any

from course.views import protos

MEASURES = {"l_infty": "infinity_norm", "jensen_shannon": "jensen_shannon_divergence"}
"""Our short names of the measures, and the fields of a `drift_comparator` that switch them on."""

TITLES = {"l_infty": "L-infinity distance", "jensen_shannon": "Jensen-Shannon divergence"}

_NUMBERS = {"L_INFTY": "l_infty", "JENSEN_SHANNON_DIVERGENCE": "jensen_shannon"}


def measure_of(dataset: protos.Statistics, name: str, wanted: str = "auto") -> str:
    """The measure for a feature: `wanted`, or what suits its kind: L-infinity for categories, Jensen-Shannon for numbers.

    Raises:
        ValueError: there is no such measure, or it says nothing about numbers.
    """
    if wanted not in (*MEASURES, "auto"):
        raise ValueError(f"No measure {wanted!r}. There are: {', '.join(MEASURES)}, auto.")
    feature = protos.feature(dataset, name)
    categorical = feature is not None and feature.WhichOneof("stats") == "string_stats"
    if wanted == "auto":
        return "l_infty" if categorical else "jensen_shannon"
    if wanted == "l_infty" and not categorical and feature is not None:
        raise ValueError(
            f"{name} holds numbers: the L-infinity distance compares the shares of values one by one, and TFDV reports 0 "
            "for numbers. Use measure='jensen_shannon', or 'auto', which chooses for each feature."
        )
    return wanted


def distances(new: protos.Statistics, old: protos.Statistics, measures: dict[str, str]) -> dict[str, float]:
    """The distance of each feature between two sets of statistics.

    Args:
        new: the month that is judged.
        old: what it is held against.
        measures: for each feature the measure, a key of `MEASURES`.

    Returns:
        A number from 0 (the same) to 1 by feature; not a number where TFDV measures nothing, because a side has no values.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

    schema = schema_pb2.Schema()
    for name, measure in measures.items():
        feature = schema.feature.add(name=name, type=_type(new, old, name))
        # Any threshold above 0 makes TFDV measure; whether the distance is above it does not matter here.
        getattr(feature.drift_comparator, MEASURES[measure]).threshold = 1e-9
    found = tfdv.validate_statistics(_listed(new), schema, previous_statistics=_listed(old))
    measured = dict.fromkeys(measures, math.nan)
    for info in found.drift_skew_info:
        name = ".".join(info.path.step)
        for one in info.drift_measurements:
            if _NUMBERS.get(anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(one.type)) == measures.get(name):
                measured[name] = one.value
    return measured


def _listed(dataset: protos.Statistics) -> Any:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])


def _type(new: protos.Statistics, old: protos.Statistics, name: str) -> int:
    """The feature's type in a schema. TFDV measures nothing for a feature without one."""
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    kinds = statistics_pb2.FeatureNameStatistics
    names = {kinds.INT: schema_pb2.INT, kinds.FLOAT: schema_pb2.FLOAT, kinds.STRUCT: schema_pb2.STRUCT}
    feature = protos.feature(new, name) or protos.feature(old, name)
    return names.get(feature.type, schema_pb2.BYTES) if feature is not None else schema_pb2.BYTES
