"""The served features as tf.Examples, so that TFX's StatisticsGen measures them as it measured those that the model was trained on.

A log has the columns of the key, and others only where a server was told to write them. Of a column that the log has not, the values are
those of the outcomes that were asked about, once they have come: what was, not what the client sent.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx_bsl.coders import example_coder

from engines import contents
from engines.errors import BadData
from operation import labels, served_log, served_rows
from operation.config import BEFORE, SERVED
from operation.project import Project, Watched, load_project
from operation.served_log import DAY, SHADOW, ServedLog

LOG, LABELS, LABELS_BEFORE = "log", "labels", "labels before"
"""Kinds of files, in the property that says what they held."""

OF_OUTCOMES = "of_outcomes"
"""Property of the rows that were served: the columns whose values the outcomes gave, by commas."""

BATCH_ROWS = 10_000


class Given(NamedTuple):
    """Settings of `components.ServedExampleGen`."""

    project: str
    log: str
    first: str
    last: str
    before: str
    contents: str
    sizes: str


def write(schema: types.Artifact, examples: types.Artifact, served: types.Artifact, given: Given) -> None:
    """Reads, joins, and writes.

    Raises:
        BadData: no line of the log can be about these days, or a file was changed while it was read.
    """
    project, files, sizes = load_project(given.project), json.loads(given.contents), json.loads(given.sizes)
    first, last = map(datetime.date.fromisoformat, (given.first, given.last))
    columns = features(schema, project)
    further = [name for name in columns if name not in project.key]

    def read(begin: datetime.date, end: datetime.date, kind: str) -> tuple[ServedLog, pd.DataFrame | None]:
        log = served_log.read(json.loads(given.log), project, begin, end, further, sizes)
        parts = [project.outcomes(Path(one)) for one in files[kind]]
        return log, pd.concat(parts, ignore_index=True) if parts else None

    log, outcomes = read(first, last, LABELS)
    _require_rows(log, given, project)
    splits = {SERVED: (log, outcomes)}
    if given.before:
        earlier = read(datetime.date.fromisoformat(given.before), first - datetime.timedelta(days=1), LABELS_BEFORE)
        splits |= {BEFORE: earlier} if len(earlier[0].rows) else {}
    _require_unchanged(files, sizes)

    unlogged = [name for name in further if log.rows[name].isna().all()]
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    examples.set_string_custom_property(contents.PROPERTY, given.contents)
    served.set_string_custom_property(OF_OUTCOMES, ",".join(unlogged if outcomes is not None else []))
    for name, (rows, known) in splits.items():
        table = _table(_answered(rows.rows, known, unlogged, project), columns)
        _write(table, Path(artifact_utils.get_split_uri([examples], name)))
    served_rows.save(ServedLog(log.rows.drop(columns=further), log.lines, log.faults), outcomes, served.uri)


def features(schema: types.Artifact, project: Project) -> dict[str, int]:
    """The columns of a schema with their types, but for the label, and for what a log has of every project."""
    found = tfdv.load_schema_text(str(next(Path(schema.uri).glob("*.pbtxt"))))
    return {one.name: one.type for one in found.feature if one.name not in (project.label, *served_log.HEAD)}


def noted(log: Iterable[str], labels_: Iterable[str], labels_before: Iterable[str]) -> tuple[str, str]:
    """What the files hold now: `contents` and `sizes` of `components.ServedExampleGen`. Labels that have not come are left out."""
    paths = served_log.parts(list(log))
    sizes = {str(one): one.stat().st_size for one in paths}
    held = {
        LOG: {path: contents.checksum(path, size) for path, size in sizes.items()},
        LABELS: _held(labels_),
        LABELS_BEFORE: _held(labels_before),
    }
    return json.dumps(held, sort_keys=True), json.dumps(sizes, sort_keys=True)


def _held(files: Iterable[str]) -> dict[str, str]:
    return {one: contents.checksum(one) for one in files if Path(one).is_file()}


def _require_rows(log: ServedLog, given: Given, project: Project) -> None:
    """Refuses a log that is about other days. One most of whose lines have lost their keys, or that cannot be read, is reported instead."""
    lines = log.lines
    if lines.rows or (lines.total and lines.without_key >= lines.other_days):
        return
    every = served_log.read(json.loads(given.log), project).rows[DAY]
    has = "there is no line at all"
    if len(every):
        has = f"{len(every):,} lines are about {every.min():%Y-%m-%d} to {every.max():%Y-%m-%d}"
    raise BadData(
        f"{', '.join(json.loads(given.log))}: no line is about {given.first} to {given.last}; {has}. "
        "Name the log of those days with --log."
    )


def _require_unchanged(files: Mapping[str, Mapping[str, str]], sizes: Mapping[str, int]) -> None:
    for held in files.values():
        for path, checksum in held.items():
            if not Path(path).is_file() or contents.checksum(path, sizes.get(path)) != checksum:
                raise BadData(f"{path}: changed while it was read, or was moved on as a full log. Watch again.")


def _answered(rows: pd.DataFrame, outcomes: pd.DataFrame | None, unlogged: list[str], project: Watched) -> pd.DataFrame:
    """What clients got; with columns that the log has not from the outcomes, where these have come."""
    rows = rows[rows["role"] != SHADOW].reset_index(drop=True)
    rows = rows.drop(columns=unlogged)
    if outcomes is None:
        return rows
    kept = [name for name in unlogged if name in outcomes]
    known = outcomes[[*project.key, project.label, *kept]]
    return rows.join(labels.join(rows[[*served_log.HEAD, *project.key, DAY]], known, project).rows[kept])


def _table(rows: pd.DataFrame, columns: Mapping[str, int]) -> pa.Table:
    """The columns with the schema's types; what is not of its type is missing."""
    made: dict[str, Any] = {}
    for name, kind in columns.items():
        if name not in rows:
            continue
        if kind == schema_pb2.BYTES:
            texts = [None if pd.isna(one) else str(one).encode() for one in rows[name]]
            made[name] = pa.array(texts, pa.binary())
        else:
            numbers = pd.to_numeric(rows[name], errors="coerce").astype(float)
            is_whole = kind == schema_pb2.INT
            numbers = numbers.where(numbers.abs() < (2**53 if is_whole else float("inf")))
            numbers = numbers.where(numbers % 1 == 0) if is_whole else numbers
            made[name] = pa.array(numbers, pa.float64(), from_pandas=True).cast(
                pa.int64() if is_whole else pa.float32()
            )
    return pa.table(made)


def _write(table: pa.Table, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    encoder = example_coder.RecordBatchToExamplesEncoder()
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for batch in table.to_batches(max_chunksize=BATCH_ROWS):
            lists = [_as_lists(column) for column in batch.columns]
            for example in encoder.encode(pa.RecordBatch.from_arrays(lists, names=batch.schema.names)):
                writer.write(example)


def _as_lists(column: pa.Array) -> pa.ListArray:
    """Each value as a list of one, as a tf.Example has it; a null stays a null."""
    offsets = pa.array(range(len(column) + 1), pa.int32())
    return pa.ListArray.from_arrays(offsets, column, mask=column.is_null())
