"""Rows of data, whatever they are kept in: an Examples artifact, a table in memory, a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from course.views import rows
from course.views.source import Source, is_channel, source

Row = tuple[Any, dict[str, list[Any]]]
"""What a row is called (its label in a pandas index, else its number from 1), and its values by column; none is an empty list."""

_FORMATS = {7: "tf.SequenceExamples", 11: "protos of their own kind", 15: "Parquet files"}
"""Payload formats of TFX that are no tf.Examples."""


def read(thing: Any, split: str | None = None) -> Iterator[Row]:
    """The rows of a data set, one after the other.

    Args:
        thing: an Examples artifact, its channel, or its folder; a pandas or pyarrow table; a CSV or Parquet file.
        split: which split of the artifact; the first by default.

    Raises:
        TypeError: nothing of the kind; the message says what there may be.
        KeyError: no such split.
    """
    if hasattr(thing, "iterrows"):
        return _of_pandas(thing)
    if hasattr(thing, "to_pylist") and hasattr(thing, "column_names"):
        return _of_arrow(thing)
    if isinstance(thing, str | Path) and not Path(thing).exists():
        raise FileNotFoundError(
            f"{Path(thing).name} is not there. Give an Examples artifact, its folder, or a file of data."
        )
    if isinstance(thing, str | Path) and Path(thing).is_file():
        return _of_file(Path(thing))
    return _of_artifact(_artifact(thing), split)


def splits(thing: Any) -> list[str]:
    """Names of the splits of an artifact; empty for a table, which has none."""
    table = hasattr(thing, "iterrows") or hasattr(thing, "to_pylist")
    file = isinstance(thing, str | Path) and Path(thing).is_file()
    return [] if table or file else _artifact(thing).splits


def _artifact(thing: Any) -> Source:
    if isinstance(thing, str | Path | Source) or hasattr(thing, "uri") or is_channel(thing):
        return source(thing)
    raise TypeError(
        f"examples={type(thing).__name__} is no data. Give an Examples artifact, its channel or folder, a pandas or "
        "pyarrow table, or the path of a CSV or Parquet file."
    )


def _of_artifact(origin: Source, split: str | None) -> Iterator[Row]:
    kept = _FORMATS.get(int(origin.properties.get("payload_format") or 0))
    if kept:
        raise TypeError(f"These examples are kept as {kept}, not as tf.Examples: read them yourself, and give a table.")
    if not origin.splits:
        raise LookupError(
            f"{origin.type_name or 'This folder'} has no splits: there is no folder Split-… in it. A table or a file may be given too."
        )
    records = rows.read_records(origin.split_folder(split or origin.splits[0]), 10**9)
    return ((number, rows.decode(record)) for number, record in enumerate(records, start=1))


def _of_file(path: Path) -> Iterator[Row]:
    import pandas as pd

    if not path.name.endswith((".parquet", ".csv", ".csv.gz")):
        raise TypeError(f"{path.name} is neither CSV nor Parquet: read it yourself, and give a table.")
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return _of_pandas(frame.set_axis(range(1, len(frame) + 1)))


def _of_arrow(table: Any) -> Iterator[Row]:
    for number, row in enumerate(table.to_pylist(), start=1):
        yield number, {str(name): _as_list(value) for name, value in row.items()}


def _of_pandas(frame: Any) -> Iterator[Row]:
    import pandas as pd

    names = [str(name) for name in frame.columns]
    columns = [frame.iloc[:, place].tolist() for place in range(len(names))]
    for label, *values in zip(frame.index, *columns, strict=True):
        # pandas has NaN, None, NA and NaT for what is missing.
        found = (_as_list(v) if _is_collection(v) else [] if pd.isna(v) else [v] for v in values)
        yield label, dict(zip(names, found, strict=True))


def _is_collection(value: Any) -> bool:
    return isinstance(value, list | tuple) or (hasattr(value, "shape") and value.shape != ())


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    if _is_collection(value):
        values: Iterable[Any] = value.tolist() if hasattr(value, "tolist") else value
        return [one for one in values if one is not None]
    return [value]
