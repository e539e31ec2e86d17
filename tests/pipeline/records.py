"""Examples as a test wants to compare them: plain rows."""

from __future__ import annotations

import json
from pathlib import Path

Row = dict[str, list]


def read_split(examples_uri: str, split: str) -> list[bytes]:
    """The serialised tf.Examples of a split, in the order of its files."""
    import tensorflow as tf

    files = sorted(str(path) for path in (Path(examples_uri) / f"Split-{split}").glob("*.gz"))
    return [record.numpy() for record in tf.data.TFRecordDataset(files, compression_type="GZIP")]


def decode(record: bytes) -> Row:
    """The values of the features that are there."""
    import tensorflow as tf

    features = tf.train.Example.FromString(record).features.feature
    kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
    rows = {name: list(getattr(features[name], kind).value) for name, kind in kinds.items() if kind}
    return {name: values for name, values in rows.items() if values}


def as_flight(record: bytes) -> dict[str, int | float | str]:
    """A row as `flights predict` takes it: one value a column, text as text."""
    return {
        name: values[0].decode() if isinstance(values[0], bytes) else values[0]
        for name, values in decode(record).items()
    }


def unordered(rows: list[Row]) -> list[str]:
    """Rows in an order of their own, so that two lists compare equal when they hold the same rows."""
    return sorted(json.dumps(row, sort_keys=True, default=bytes.decode) for row in rows)
