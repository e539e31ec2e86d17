"""Decoded tf.Examples as a small table."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.views.html import View, heading, stack, table
from course.views.source import source


def examples(thing: Any, split: str | None = None, rows: int = 5) -> View:
    """The first examples of a split, decoded: a column an example, because there are more features than fit beside each other.

    Args:
        thing: an Examples artifact (or what holds one).
        split: name of the split; the first by default.
        rows: how many examples to show.
    """
    origin = source(thing)
    split = split or origin.splits[0]
    decoded = [decode(record) for record in read_records(origin.split_folder(split), rows)]
    names = sorted({name for example in decoded for name in example})
    cells = [(name, *(_shown(example.get(name)) for example in decoded)) for name in names]
    columns = ["feature", *(str(number) for number in range(1, len(decoded) + 1))]
    return stack(
        heading(f"Examples, split {split}", f"the first {len(decoded)}"),
        table(columns, cells, numbers=range(1, len(columns))),
    )


def read_records(folder: Path, count: int) -> Iterator[bytes]:
    """The first records of the TFRecord files in a folder, gzipped or not.

    A TFRecord is a length (8 bytes, little-endian), a checksum of it (4), the record, and a checksum of that (4). The
    checksums are not verified: this is for looking.
    """
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while count > 0 and len(head := file.read(12)) == 12:
                yield file.read(struct.unpack("<Q", head[:8])[0])
                file.read(4)
                count -= 1


def decode(record: bytes) -> dict[str, list[Any]]:
    """A serialised tf.Example as its values by feature name; a feature without values is an empty list."""
    from tensorflow.core.example import example_pb2

    features = example_pb2.Example.FromString(record).features.feature
    return {
        name: list(getattr(feature, kind).value) if (kind := feature.WhichOneof("kind")) else []
        for name, feature in features.items()
    }


def _shown(values: list[Any] | None) -> str:
    if not values:
        return "missing"
    return ", ".join(_one(value) for value in values[:4]) + (" …" if len(values) > 4 else "")


def _one(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
