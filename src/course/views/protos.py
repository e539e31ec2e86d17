"""Reads what TFX's data components write, straight from their files: no import of TensorFlow is needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from course.views.source import source

Statistics = statistics_pb2.DatasetFeatureStatistics


def statistics(thing: Any) -> dict[str, Statistics]:
    """The statistics of each split.

    Args:
        thing: an ExampleStatistics artifact (or anything that `source` takes); the path of one file of statistics; the proto
            itself; or several of these by name, to compare them.

    Returns:
        The statistics by split name; by `name, split` (or name, if there is one split) where several were given.
    """
    if isinstance(thing, Statistics):
        return {"data": thing}
    if isinstance(thing, statistics_pb2.DatasetFeatureStatisticsList):
        return {dataset.name or "data": dataset for dataset in thing.datasets}
    if isinstance(thing, dict):
        found = {}
        for name, one in thing.items():
            splits = statistics(one)
            found |= {name if len(splits) == 1 else f"{name}, {split}": s for split, s in splits.items()}
        return found
    if isinstance(thing, str | Path) and Path(thing).is_file():
        return {"data": _first(Path(thing))}
    origin = source(thing)
    return {split: _first(origin.split_folder(split) / "FeatureStats.pb") for split in origin.splits}


def _first(path: Path) -> Statistics:
    message = _parsed(path, statistics_pb2.DatasetFeatureStatisticsList())
    return message.datasets[0] if message.datasets else Statistics()


def _parsed(path: Path, message: Any) -> Any:
    """The proto in a file.

    Raises:
        FileNotFoundError, ValueError: there is no such file, or it holds something else; the message says what to do.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path.name} in {path.parent.name}: is this the artifact of another component?"
        )
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError:
        kind = type(message).__name__
        raise ValueError(f"{path.name} in {path.parent.name} is no {kind}: it is damaged, or something else.") from None
    return message


def feature_name(feature: Any) -> str:
    """Name of a feature in statistics; steps of a path are joined by dots."""
    return feature.name or ".".join(feature.path.step)


def feature(dataset: Statistics, name: str) -> Any:
    """The statistics of one feature; None if it is not there."""
    return next((one for one in dataset.features if feature_name(one) == name), None)


def one_split(thing: Any, split: str | None = None) -> Statistics:
    """The statistics of one split: the one that is named, else the first.

    Raises:
        KeyError: no such split; the message names those that there are.
    """
    found = statistics(thing)
    if split is not None and split not in found:
        raise KeyError(f"No split {split!r} here. There are: {', '.join(found)}.")
    return found[split] if split is not None else next(iter(found.values()))


def feature_names(found: dict[str, Statistics]) -> list[str]:
    """Names of all features, in the order of the data."""
    return list(dict.fromkeys(feature_name(f) for dataset in found.values() for f in dataset.features))


def schema(thing: Any) -> schema_pb2.Schema:
    """The schema in a Schema artifact, in a text file, or itself."""
    if isinstance(thing, schema_pb2.Schema):
        return thing
    path = source(thing).folder
    return text_format.Parse((path / "schema.pbtxt" if path.is_dir() else path).read_text(), schema_pb2.Schema())


def anomalies(thing: Any) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of each split in an ExampleAnomalies artifact.

    Returns:
        The anomalies by split name; `data` where the proto or one file of it was given.
    """
    if isinstance(thing, anomalies_pb2.Anomalies):
        return {"data": thing}
    if isinstance(thing, str | Path) and Path(thing).is_file():
        return {"data": _parsed(Path(thing), anomalies_pb2.Anomalies())}
    origin, found = source(thing), {}
    for split in origin.splits:
        found[split] = _parsed(origin.split_folder(split) / "SchemaDiff.pb", anomalies_pb2.Anomalies())
    return found
