"""ExampleGen for the monthly files: which flights go into which split, and a reader that refuses broken files.

`CsvExampleGen` parses each row in Python, inside Beam; for the full year that takes a minute. Arrow reads
the same files with declared types, and tfx_bsl's encoder turns whole record batches into tf.Examples, in a seventh of the time.
Publisher and the layout of the artifact are those of `CsvExampleGen`; its driver is asked, and the files' contents besides. Whichever reads, the same check comes first.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import tensorflow as tf
import tfx.components
from tfx import types
from tfx.components.example_gen import utils
from tfx.components.example_gen.csv_example_gen import executor as csv_executor
from tfx.components.util import examples_utils
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils
from tfx_bsl.coders import example_coder

from engines import contents

from . import columns, data

if TYPE_CHECKING:
    from .config import Config  # what it is told is in its settings

TRAIN_BUCKETS, EVAL_BUCKETS = 2, 1
BATCH_ROWS = 10_000

PATTERN_CHARACTERS = "*?[{\\^$|"
"""What TFX's drivers read as a glob or a regular expression, also in the path before the pattern."""


def make_example_gen(config: Config) -> tfx.components.CsvExampleGen:
    """The first component: the months for training and the last month, or whole days of a single month drawn into both.

    Days are not torn apart, because flights of one day share its weather and its jams: an evaluation flight with its
    neighbours in the training data would be too easy.

    Raises:
        data.DataError: TFX would take the path of the data for a pattern.
    """
    root = plain_root(config)
    month, _ = config.months
    if config.is_single_month:
        source = example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern="span-{SPAN:2}/" + columns.FILE)]
        )
        spans = range_config_pb2.RangeConfig(
            static_range=range_config_pb2.StaticRange(start_span_number=month, end_span_number=month)
        )
        splits = example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[
                    example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=TRAIN_BUCKETS),
                    example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=EVAL_BUCKETS),
                ],
                partition_feature_name=columns.PARTITION,
            )
        )
    else:
        source = example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in config.month_splits]
        )
        spans, splits = None, None
    component = ArrowCsvExampleGen if config.reader == "arrow" else CheckedCsvExampleGen
    return component(input_base=root, input_config=source, output_config=splits, range_config=spans).with_id(
        "CsvExampleGen"
    )


def plain_root(config: Config) -> str:
    """The folder of the data, if TFX takes its path for a path.

    Raises:
        data.DataError: TFX would take it for a pattern.
    """
    if found := sorted(set(config.data_root) & set(PATTERN_CHARACTERS)):
        raise data.DataError(
            f"data_root={config.data_root!r}: TFX takes {' '.join(found)} in a path for a pattern. Rename the folder, or give a path without it: "
            "a relative one, from inside the folder."
        )
    return config.data_root


class ArrowExecutor(csv_executor.Executor):
    """Reads CSV with Arrow and writes tf.Examples, without a Beam pipeline.

    Attributes:
        left_out: columns that are read and checked, and do not go into the examples.
    """

    left_out: ClassVar[frozenset[str]] = frozenset()

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes one gzipped TFRecord file for each output split.

        Raises:
            data.DataError: an input file is missing or broken; nothing of it is kept.
        """
        source, target = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties["input_config"], source)
        proto_utils.json_to_proto(exec_properties["output_config"], target)
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        names = utils.generate_output_split_names(source, target)
        examples.split_names = artifact_utils.encode_split_names(names)
        examples_utils.set_payload_format(examples, exec_properties["output_data_format"])
        examples_utils.set_file_format(examples, "tfrecords_gzip")
        with contents.noted(examples, exec_properties):
            # Everything is read, and so checked, before anything is written.
            tables = _read_splits(exec_properties["input_base"], [split.pattern for split in source.splits])
        if target.split_config.splits:
            tables = _partition(tables[0], target.split_config)
        for name, table in zip(names, tables, strict=True):
            known = [column for column in table.column_names if column not in self.left_out]
            _write_examples(table.select(known), Path(artifact_utils.get_split_uri([examples], name)))


class ArrowCsvExampleGen(tfx.components.CsvExampleGen):
    """`CsvExampleGen` with an executor and a driver of ours; the same artifact."""

    DRIVER_CLASS = contents.Driver
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ArrowExecutor)


class CheckedCsvExecutor(csv_executor.Executor):
    """TFX's own reader, behind the check of ours: alone it takes in what it can make sense of, and names neither file nor line."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads everything twice: to check it, and as TFX does.

        Raises:
            data.DataError: an input file is missing or broken, or TFX would read it in another way than `ArrowExecutor` does.
        """
        source, target = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties["input_config"], source)
        proto_utils.json_to_proto(exec_properties["output_config"], target)
        patterns = [split.pattern for split in source.splits]
        with contents.noted(artifact_utils.get_single_instance(output_dict["examples"]), exec_properties):
            tables = _read_splits(exec_properties["input_base"], patterns)
            if target.split_config.partition_feature_name:
                _partition(tables[0], target.split_config)
            for pattern in patterns:
                _require_plain_headers(exec_properties["input_base"], _paths(exec_properties["input_base"], pattern))
            super().Do(input_dict, output_dict, exec_properties)


class CheckedCsvExampleGen(tfx.components.CsvExampleGen):
    """`CsvExampleGen` that checks the files before it reads them."""

    DRIVER_CLASS = contents.Driver
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(CheckedCsvExecutor)


def _require_plain_headers(input_base: str, paths: list[str]) -> None:
    """TFX's reader divides a header at its commas and no more, and goes by that of the first file.

    Raises:
        data.DataError: a header has quotes or a byte order mark, or another order than that of the first file of the split.
    """
    headers = [data.header_line(Path(input_base) / path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        if '"' in header or header.startswith("\ufeff"):
            what = "quotes" if '"' in header else "byte order mark"
            raise data.DataError(
                f"{path}, line 1: TFX's reader would take the {what} for a part of the names. Write them without, or use reader='arrow'."
            )
        if header != headers[0]:
            raise data.DataError(
                f"{path}, line 1: other columns than in {paths[0]}, or in another order, which TFX's reader does not allow in one split. "
                "Use reader='arrow', or write the months alike."
            )


def _read_splits(input_base: str, patterns: Sequence[str]) -> list[pa.Table]:
    """All months of each split, checked together: a flight is in one month, and in one split."""
    paths = [_paths(input_base, pattern) for pattern in patterns]
    tables = iter(data.read_tables([Path(input_base) / path for one in paths for path in one]))
    return [pa.concat_tables([next(tables) for _ in one], promote_options="default") for one in paths]


def _paths(input_base: str, pattern: str) -> list[str]:
    """The files that a pattern stands for, relative to `input_base`.

    A pattern of `Config.month_splits` names its months, and stands for them whether they exist or not: no month is missed in
    silence. A pattern with a `*` or `?` takes what is there, and there has to be something.
    """
    if "*" in pattern or "?" in pattern:
        found = sorted(
            path.relative_to(input_base).as_posix() for path in Path(input_base).glob(pattern) if path.is_file()
        )
        if not found:
            raise data.DataError(f"{pattern}: no such file in {Path(input_base).name}. Has the month been delivered?")
        return found
    several = re.fullmatch(r"(.*)\[(\d)-(\d)\](.*)", pattern)
    if not several:
        return [pattern]
    before, first, last, after = several.groups()
    return [f"{before}{digit}{after}" for digit in range(int(first), int(last) + 1)]


def _partition(table: pa.Table, split_config: example_gen_pb2.SplitConfig) -> list[pa.Table]:
    """Divides the rows by a hash: of one integer column, in the same way as TFX's own executor, or of the whole row.

    Raises:
        data.DataError: one of the splits would have no row.
    """
    bounds, total = [], 0
    for split in split_config.splits:
        total += split.hash_buckets
        bounds.append(total)

    def split_of(key: bytes) -> int:
        return bisect.bisect(bounds, int(hashlib.sha256(key).hexdigest(), 16) % total)

    keys = _row_keys(table)
    if split_config.partition_feature_name:
        keys = _column_keys(table, split_config.partition_feature_name)
    index = pa.array([split_of(key) for key in keys])
    tables = [table.filter(pa.compute.equal(index, number)) for number in range(len(bounds))]
    for split, part in zip(split_config.splits, tables, strict=True):
        if not len(part):
            raise data.DataError(
                f"None of the {len(table):,} flights falls into the split {split.name}. Are there so few days or flights? "
                "Take a whole month, or two."
            )
    return tables


def _column_keys(table: pa.Table, name: str) -> list[bytes]:
    """What TFX hashes for a row when one column decides: the column's value as a serialised feature."""

    def key(value: int) -> bytes:
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return feature.SerializeToString(deterministic=True)

    column = table[name].to_pylist()
    keys = {value: key(value) for value in set(column)}
    return [keys[value] for value in column]


def _row_keys(table: pa.Table) -> list[bytes]:
    """What is hashed when the whole row decides: its values, in the order of the columns' names.

    Not the encoded tf.Example, which TFX takes: tfx_bsl's encoder writes the features of an example in an order that
    differs from process to process, and a flight must not change its split because the process is a new one.
    """
    columns = [table[name].to_pylist() for name in sorted(table.column_names)]
    return [repr(row).encode() for row in zip(*columns, strict=True)]


def _write_examples(table: pa.Table, folder: Path) -> None:
    fileio.makedirs(str(folder))
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for example in encode(table):
            writer.write(example)


def encode(table: pa.Table) -> Iterator[bytes]:
    """Serialised tf.Examples, a row each; a null becomes a missing feature."""
    encoder = example_coder.RecordBatchToExamplesEncoder()
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        columns = [_as_lists(column) for column in batch.columns]
        yield from encoder.encode(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))


def _as_lists(column: pa.Array) -> pa.ListArray:
    """Wraps each value in a list of one, the shape that tf.Example has; a null stays a null."""
    if pa.types.is_string(column.type):
        column = column.cast(pa.binary())
    offsets = pa.array(range(len(column) + 1), pa.int32())
    return pa.ListArray.from_arrays(offsets, column, mask=column.is_null())
