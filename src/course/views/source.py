"""From whatever a lesson holds in its hand (artifact, channel, record of the metadata store, path) to type, folder, properties."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HIDDEN = {
    "component_id",
    "contents",
    "file_format",
    "input_fingerprint",
    "is_external",
    "name",
    "payload_format",
    "pipeline_name",
    "producer_component",
    "sample_rate_by_split",
    "split_names",
    "state",
    "stats_dashboard_link",
    "tfx_version",
}
"""Properties that say where and with what something ran, or that a view shows in another form."""


@dataclass(frozen=True)
class Source:
    """What a view needs to know of an artifact.

    Attributes:
        type_name: such as `Examples`; empty for a bare path.
        folder: where its files are.
        properties: all properties of its record, system ones included.
    """

    type_name: str
    folder: Path
    properties: dict[str, Any]

    @property
    def splits(self) -> list[str]:
        """Names of its splits, in the order of the record; empty where there are none."""
        named = self.properties.get("split_names")
        if named:
            return list(json.loads(named))
        return sorted(path.name.removeprefix("Split-") for path in self.folder.glob("Split-*"))

    def split_folder(self, split: str) -> Path:
        """Folder of one split.

        Raises:
            KeyError: there is no such split; the message names those that there are.
        """
        if split not in self.splits:
            raise KeyError(f"No split {split!r} here. There are: {', '.join(self.splits) or 'none'}.")
        return self.folder / f"Split-{split}"

    @property
    def telling(self) -> dict[str, Any]:
        """The properties that tell a reader something, and that are the same on every machine and in every run."""
        return {
            key: value
            for key, value in self.properties.items()
            if key not in _HIDDEN and not key.endswith("_id") and not _unstable(value)
        }


def source(thing: Any) -> Source:
    """Finds type, folder and properties of an artifact.

    Args:
        thing: a TFX artifact, a channel that has one (the newest counts), an artifact of the metadata store, or a path.

    Raises:
        LookupError: the channel is empty, because its component has not run.
        TypeError: nothing of the kind.
    """
    if isinstance(thing, Source):
        return thing
    if isinstance(thing, str | Path):
        return Source("", Path(thing), {})
    if hasattr(thing, "mlmd_artifact"):
        return Source(thing.type_name, Path(thing.uri), _properties(thing.mlmd_artifact))
    if is_channel(thing):
        artifacts = list(thing.get())
        if not artifacts:
            raise LookupError(f"This channel of {thing.type_name} is empty: run its component first.")
        return source(artifacts[-1])
    if hasattr(thing, "custom_properties") and hasattr(thing, "uri"):
        return Source(thing.type, Path(thing.uri), _properties(thing))
    raise TypeError(f"{type(thing).__name__} is no artifact. Give an artifact, a component's output, or a path.")


def is_channel(thing: Any) -> bool:
    """True for TFX's channels, what a component's `outputs` hold. Asks for no import of TFX."""
    return hasattr(thing, "type_name") and callable(getattr(thing, "get", None))


def _properties(record: Any) -> dict[str, Any]:
    found = {**record.properties, **record.custom_properties}
    return {key: _plain(value) for key, value in sorted(found.items())}


def _plain(value: Any) -> Any:
    """The Python value in a value of the metadata store."""
    kind = value.WhichOneof("value")
    if kind == "struct_value":
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(value.struct_value)
    return getattr(value, kind) if kind else None


def _unstable(value: Any) -> bool:
    """Paths, times, digests and long texts: true of one run on one machine only, or too much to read."""
    text = str(value)
    return (
        value is None or text == "" or "/" in text or len(text) > 60 or bool(re.search(r"\d{9,}|[0-9a-f]{20,}", text))
    )
