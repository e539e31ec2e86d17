"""The gate between data and training: anomalies stop the pipeline.

TFX's ExampleValidator writes down what is wrong with the data and lets the pipeline go on. Nobody reads a report at three in
the morning; so this component reads it, and fails.
"""

from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts


class BadDataError(ValueError):
    """The data break the contract. The message says which split and column, how, and what to do."""


def list_anomalies(anomalies: standard_artifacts.ExampleAnomalies) -> list[str]:
    """What ExampleValidator found, a sentence each: split, column, and TFDV's description."""
    found = []
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        message = anomalies_pb2.Anomalies()
        folder = artifact_utils.get_split_uri([anomalies], split)
        message.ParseFromString((Path(folder) / "SchemaDiff.pb").read_bytes())
        found += _sentences(split, message)
    return found


def list_drift(
    statistics: standard_artifacts.ExampleStatistics,
    schema: standard_artifacts.Schema,
    reference_split: str,
    split: str,
) -> list[str]:
    """Columns whose distribution moved further than the schema's `drift_comparator` allows, a sentence each.

    Args:
        statistics: of both splits.
        schema: says for which columns, by which distance, and how far.
        reference_split: the earlier months.
        split: the new month.
    """
    contract = tfdv.load_schema_text(str(next(Path(schema.uri).glob("*.pbtxt"))))
    for feature in contract.feature:  # everything else was judged by ExampleValidator
        feature.ClearField("presence")
        feature.ClearField("value_count")
    earlier, new = (
        tfdv.load_stats_binary(str(Path(artifact_utils.get_split_uri([statistics], name)) / "FeatureStats.pb"))
        for name in (reference_split, split)
    )
    found = tfdv.validate_statistics(new, contract, previous_statistics=earlier)
    drifted = {".".join(info.path.step) for info in found.drift_skew_info if _exceeds(info)}
    for column in set(found.anomaly_info) - drifted:
        del found.anomaly_info[column]
    found.ClearField("dataset_anomaly_info")
    found.ClearField("data_missing")
    return _sentences(f"{split} against {reference_split}", found)


def _exceeds(info: anomalies_pb2.DriftSkewInfo) -> bool:
    return any(measure.value > measure.threshold for measure in info.drift_measurements)


def _sentences(where: str, message: anomalies_pb2.Anomalies) -> list[str]:
    found = []
    if message.data_missing:  # TFDV writes it down and calls it no anomaly: without values no rule is broken
        found.append(f"{where}: there are no flights in it.")
    if message.HasField("dataset_anomaly_info"):
        found.append(f"{where}: {message.dataset_anomaly_info.description}")
    for column, info in sorted(message.anomaly_info.items()):
        found.append(f"{where}, column {column}: {info.short_description}. {info.description}")
    return found


@component
def DataGate(
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    reference_split: Parameter[str] = "",
    new_split: Parameter[str] = "",
):
    """Fails when there is an anomaly, or drift between two splits; what comes after it in the pipeline then does not run.

    Without `reference_split` there is nothing to drift from, and only the anomalies count.
    """
    from flights import gate  # the function runs on its own, perhaps in a container: it imports what it needs

    found = gate.list_anomalies(anomalies)
    if reference_split:
        found += gate.list_drift(statistics, schema, reference_split, new_split)
    if found:
        raise gate.BadDataError(
            "The data break the contract in flights/schema:\n  "
            + "\n  ".join(found)
            + "\nNothing was trained. Mend the data, or, if the world has changed, the schema."
        )
