"""The gate between data and training: anomalies stop the pipeline.

TFX's ExampleValidator writes down what is wrong with the data and lets the pipeline go on. Nobody reads a report at three in
the morning; so this component reads it, and fails.
"""

from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import v1 as tfx
from tfx.types import artifact_utils


class BadDataError(ValueError):
    """The data break the contract. The message says which split and column, how, and what to do."""


def list_anomalies(anomalies: tfx.types.standard_artifacts.ExampleAnomalies) -> list[str]:
    """One sentence for each anomaly: split, column, and TFDV's description."""
    found = []
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        message = anomalies_pb2.Anomalies()
        folder = artifact_utils.get_split_uri([anomalies], split)
        message.ParseFromString((Path(folder) / "SchemaDiff.pb").read_bytes())
        if message.HasField("dataset_anomaly_info"):
            found.append(f"{split}: {message.dataset_anomaly_info.description}")
        found += [
            f"{split}, column {column}: {info.short_description}. {info.description}"
            for column, info in sorted(message.anomaly_info.items())
        ]
        found += [
            f"{split}, column {'.'.join(drift.path.step)}: {measure.type.__class__.__name__} drift"
            for drift in message.drift_skew_info
            for measure in drift.drift_measurements
            if measure.value > measure.threshold > 0
        ]
    return found


@tfx.dsl.components.component
def DataGate(anomalies: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.ExampleAnomalies]):
    """Fails when ExampleValidator found an anomaly; what comes after it in the pipeline then does not run."""
    from flights import gate  # the function runs on its own, perhaps in a container: it imports what it needs

    found = gate.list_anomalies(anomalies)
    if found:
        raise gate.BadDataError(
            "The data break the contract in flights/schema:\n  "
            + "\n  ".join(found)
            + "\nNothing was trained. Mend the data, or, if the world has changed, the schema."
        )
