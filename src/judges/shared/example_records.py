"""Reads back what a student's ExampleGen has written, a record at a time and never more than is reasonable."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from course import checks

MOST_RECORDS, MOST_BYTES = 20_000, 10_000
"""In a split, and in a record."""


def split(folder: Path) -> list[dict[str, Any]]:
    """The examples of a split, each as its features by name: a number, text, or None for a feature without value.

    Raises:
        checks.Wrong: the files are not those of an ExampleGen.
    """
    import tensorflow as tf

    examples = []
    for record in _records(folder):
        try:
            example = tf.train.Example.FromString(record)
        except Exception as error:
            raise checks.Wrong(f"The records in `{folder.name}` are not tf.Examples.") from error
        examples.append({name: _value(feature) for name, feature in example.features.feature.items()})
    return examples


def _value(feature: Any) -> Any:
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else []
    if len(values) != 1:
        return None if not values else f"{len(values)} values"
    return values[0].decode("utf-8", "replace") if kind == "bytes_list" else values[0]


def _records(folder: Path) -> Iterator[bytes]:
    count = 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            try:
                for record in _framed(gzip.GzipFile(fileobj=raw) if is_gzip else raw):
                    count += 1
                    if count > MOST_RECORDS:
                        raise checks.Wrong(f"`{folder.name}` holds more than {MOST_RECORDS:,} examples.")
                    yield record
            except (OSError, EOFError, struct.error) as error:
                raise checks.Wrong(f"`{folder.name}/{path.name}` is no file of records.") from error


def _framed(stream: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """TFRecord: length (8 bytes), its checksum (4), the record, its checksum (4)."""
    while head := stream.read(12):
        (length,) = struct.unpack("<Q", head[:8])
        if length > MOST_BYTES:
            raise OSError("a record of an unreasonable length")
        record = stream.read(length)
        if len(record) != length or len(stream.read(4)) != 4:
            raise EOFError("the last record is cut off")
        yield record
