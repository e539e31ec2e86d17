"""How far distributions of columns are apart: by TFDV, as the schema's `drift_comparator` and `skew_comparator` say, with their limits."""

from __future__ import annotations

from collections.abc import Collection

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from operation.report import SKEW, Distance


def between(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    kind: str,
    of_outcomes: Collection[str] = (),
) -> list[Distance]:
    """The distances of columns that both have values of.

    Args:
        statistics: of what was served.
        other: of what it is held against.
        schema: says for which columns, by which measure, and how far. A column without a `skew_comparator` has the limit of its drift for skew.
        kind: `report.DRIFT` or `report.SKEW`.
        of_outcomes: columns whose values are those of the outcomes.
    """
    contract, known = schema_pb2.Schema(), _with_values(statistics) & _with_values(other)
    for one in schema.feature:
        limit = one.skew_comparator if kind == SKEW and one.HasField("skew_comparator") else one.drift_comparator
        if one.name in known and limit.ByteSize():
            feature = contract.feature.add(name=one.name, type=one.type)
            feature.drift_comparator.CopyFrom(limit)
    if not contract.feature:
        return []
    found = tfdv.validate_statistics(statistics, contract, previous_statistics=other)
    return [
        Distance(name, kind, measure.value, measure.threshold, name in of_outcomes)
        for info in found.drift_skew_info
        for name in [".".join(info.path.step)]
        for measure in info.drift_measurements
    ]


def _with_values(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> set[str]:
    """Columns that have a value."""
    return {
        ".".join(one.path.step) or one.name
        for dataset in statistics.datasets
        for one in dataset.features
        if getattr(one, one.WhichOneof("stats") or "num_stats").common_stats.num_non_missing
    }
