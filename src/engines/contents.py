"""What the files hold that an ExampleGen reads: checksums of their bytes, among its settings and on its examples.

TFX's driver goes by number, size and date of the files, so that its cache hands on the examples of a file that was replaced with its size and
date kept, and the metadata store cannot say which of two deliveries of a month a model has learned from. With the bytes' checksums among
the settings the cache sees the difference; on the artifact they are there for `engines.lineage`, also where an engine runs no driver of the project's.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tfx import types
from tfx.components.example_gen import driver
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from engines.errors import BadData
from engines.events import CONTENTS

PROPERTY = CONTENTS
"""Of ExampleGen's execution and of its examples: JSON, `{input split: {path below input_base: SHA-256}}`."""

CHUNK = 1 << 20


def checksums(input_base: str, splits: Iterable[example_gen_pb2.Input.Split]) -> str:
    """The files that the splits' patterns stand for, as `PROPERTY` has them.

    Args:
        input_base: folder that the patterns start from.
        splits: with span and version filled in, as the driver leaves them.
    """
    found = {}
    for split in splits:
        paths = sorted(fileio.glob(os.path.join(input_base, split.pattern)))
        found[split.name] = {os.path.relpath(path, input_base): checksum(path) for path in paths}
    return json.dumps(found, sort_keys=True)


def checksum(path: str, size: int | None = None) -> str:
    """SHA-256 of a file.

    Args:
        path: of the file.
        size: bytes from its beginning; None: all. Of a file that is written at its end, what was there once stays the same.
    """
    digest, left = hashlib.sha256(), math.inf if size is None else size
    with fileio.open(path, "rb") as file:
        while chunk := file.read(int(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


class Driver(driver.FileBasedDriver):
    """TFX's driver, and the checksums among the settings, which the cache compares."""

    def resolve_exec_properties(self, exec_properties: dict[str, Any], *info: Any, **named: Any) -> dict[str, Any]:
        """Adds `PROPERTY` to what TFX's driver finds."""
        resolved = super().resolve_exec_properties(exec_properties, *info, **named)
        resolved[PROPERTY] = _of(resolved)
        return resolved


@contextmanager
def noted(examples: types.Artifact, exec_properties: Mapping[str, Any]) -> Iterator[None]:
    """Within it an executor reads the files; afterwards their checksums are on its output.

    Args:
        examples: the output.
        exec_properties: of the executor: `input_base`, `input_config`, and where the driver is `Driver`, what it has found.

    Raises:
        BadData: a file was changed since the driver looked at it, or while it was read.
    """
    before = exec_properties.get(PROPERTY) or _of(exec_properties)
    yield
    if changed := _differences(before, _of(exec_properties)):
        raise BadData(f"{', '.join(changed)}: changed while it was read. Run again when it is delivered in full.")
    examples.set_string_custom_property(PROPERTY, before)


def _of(exec_properties: Mapping[str, Any]) -> str:
    source = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties["input_config"], source)
    return checksums(exec_properties["input_base"], source.splits)


def _differences(before: str, after: str) -> list[str]:
    """Paths whose checksum is another, or that are there once only."""
    sides = [
        {path: sum_ for files in json.loads(side).values() for path, sum_ in files.items()} for side in (before, after)
    ]
    return sorted(path for path in sides[0].keys() | sides[1].keys() if sides[0].get(path) != sides[1].get(path))
