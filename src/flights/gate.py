"""The gate between data and training: anomalies stop the pipeline.

TFX's ExampleValidator writes down what is wrong with the data and lets the pipeline go on. Nobody reads a report at three in
the morning; so this component reads it, and fails. What statistics cannot show, the rules across rows and columns of
`rules`, it checks itself.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx_bsl.coders import example_coder

from engines.errors import BadData

from . import rules

BATCH_ROWS = 10_000


class BadDataError(BadData):
    """The data break the contract. The message says which split and column, how, and what to do."""


def list_anomalies(anomalies: standard_artifacts.ExampleAnomalies) -> list[str]:
    """What ExampleValidator found, a sentence each: split, column, and TFDV's description."""
    found = []
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        message = anomalies_pb2.Anomalies()
        folder = artifact_utils.get_split_uri([anomalies], split)
        message.ParseFromString((Path(folder) / "SchemaDiff.pb").read_bytes())
        found += sentences(split, message)
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
    contract = rules.read_schema(_schema_file(schema))
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
    return sentences(f"{split} against {reference_split}", found)


def list_broken_rules(
    examples: standard_artifacts.Examples, schema: standard_artifacts.Schema, new_split: str = ""
) -> list[str]:
    """Which rules of the schema the flights break, a sentence each.

    Args:
        examples: raw, of all splits.
        schema: holds the rules as tags, see `rules`.
        new_split: the new month, which is held against the flights of the other splits; the last split by default.
    """
    asked = rules.rules_of(rules.read_schema(_schema_file(schema)))
    needed = {name for rule in asked for name in (rule.column, *rule.others)}
    names = artifact_utils.decode_split_names(examples.split_names)
    flights = {name: read_columns(artifact_utils.get_split_uri([examples], name), needed) for name in names}
    earlier = [flights[name] for name in names if name != (new_split or names[-1])] or list(flights.values())
    known = set.intersection(*(set(part) for part in earlier))
    before = {column: np.concatenate([part[column] for part in earlier]) for column in known}
    of_splits = [rule for rule in asked if not rule.is_of_whole_months]
    found = [sentence for name in names for sentence in rules.list_broken(of_splits, flights[name], name, before)]
    in_each = set.intersection(*(set(part) for part in flights.values()))
    everything = {column: np.concatenate([part[column] for part in flights.values()]) for column in in_each}
    of_months = [rule for rule in asked if rule.is_of_whole_months]
    return found + rules.list_broken(of_months, everything, "all splits")


def read_columns(folder: str, columns: set[str]) -> dict[str, np.ndarray]:
    """Columns of the tf.Examples in a folder, as `rules` takes them; those that are not there are left out."""
    files = sorted(str(path) for path in Path(folder).glob("*.gz"))
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    batches = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(BATCH_ROWS)
    decoded = [pa.Table.from_batches([decoder.DecodeBatch(batch.tolist())]) for batch in batches.as_numpy_iterator()]
    if not decoded:
        return {}
    table = pa.concat_tables(decoded, promote_options="permissive").combine_chunks()
    return {name: _one_value_each(table[name]) for name in table.column_names if name in columns}


def _one_value_each(column: pa.ChunkedArray) -> np.ndarray:
    """A column of lists as one value a row: numbers as float with NaN for none, text as objects with None for none."""
    lists = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_null(lists.type):
        return np.full(len(lists), np.nan)
    values, rows = lists.flatten(), pa.compute.list_parent_indices(lists).to_numpy()
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        words = values.dictionary_encode()
        texts = np.array([word.decode(errors="replace") for word in words.dictionary.to_pylist()] or [None], object)
        one_each = np.full(len(lists), None, object)
        one_each[rows] = texts[words.indices.to_numpy()]
        return one_each
    one_each = np.full(len(lists), np.nan)
    one_each[rows] = values.to_numpy(zero_copy_only=False)
    return one_each


def _schema_file(schema: standard_artifacts.Schema) -> Path:
    return next(Path(schema.uri).glob("*.pbtxt"))


def _exceeds(info: anomalies_pb2.DriftSkewInfo) -> bool:
    return any(measure.value > measure.threshold for measure in info.drift_measurements)


def sentences(where: str, message: anomalies_pb2.Anomalies) -> list[str]:
    """What TFDV found, a sentence each; `where` is how they begin."""
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
    examples: InputArtifact[standard_artifacts.Examples] = None,
):
    """Fails when there is an anomaly, a broken rule, or drift between two splits; what comes after it in the pipeline then does not run.

    Without `reference_split` there is nothing to drift from, and only anomalies and rules count; without `examples`, no rules.
    """
    from . import gate  # the function runs on its own, perhaps in a container: it imports what it needs

    found = gate.list_anomalies(anomalies)
    if examples:
        found += gate.list_broken_rules(examples, schema, new_split)
    if reference_split:
        found += gate.list_drift(statistics, schema, reference_split, new_split)
    if found:
        raise gate.BadDataError(
            f"The data break the contract in {__package__}/schema:\n  "
            + "\n  ".join(found)
            + "\nNothing was trained. Mend the data, or, if the world has changed, the schema."
        )


DataGate.NO_RETRY = True  # to the engines: bad data stay bad
