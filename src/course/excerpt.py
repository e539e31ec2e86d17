"""A part of a long file, so that it can be read: as YAML, with long texts cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def excerpt(part: Any, width: int = 72, names: Mapping[str, str] | None = None) -> str:
    """YAML of what is given, in its own order; a text as it is.

    Args:
        part: dictionaries, lists and values, or a text.
        width: characters of a text; what is longer is cut, and ends with three dots.
        names: what stands in for parts of texts, for example for the path of a folder.
    """
    short = _cut(part, width, names or {})
    return short if isinstance(short, str) else yaml.safe_dump(short, sort_keys=False, width=1000).rstrip()


def _cut(part: Any, width: int, names: Mapping[str, str]) -> Any:
    if isinstance(part, Mapping):
        return {key: _cut(value, width, names) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_cut(value, width, names) for value in part]
    if not isinstance(part, str):
        return part
    text = " ".join(part.split())
    for long, short in names.items():
        text = text.replace(long, short)
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."
