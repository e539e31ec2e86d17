"""The curated schema as the output of a component.

TFX's `ImportSchemaGen` is told the path of the schema, and of a path the cache sees the path: after an edit of the file it would
hand on the old contract. Here the file's fingerprint is a setting too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component
from tfx.types import component_spec, standard_component_specs


class CuratedSchemaSpec(standard_component_specs.ImportSchemaGenSpec):
    """What `ImportSchemaGen` takes, and the fingerprint."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.ImportSchemaGenSpec.PARAMETERS,
        "fingerprint": component_spec.ExecutionParameter(type=str),
    }


class CuratedSchema(base_component.BaseComponent):
    """`ImportSchemaGen` that runs again when the schema was edited: same executor, same output."""

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = tfx.components.ImportSchemaGen.EXECUTOR_SPEC

    def __init__(self, schema_file: str) -> None:
        """Reads the file, for its fingerprint.

        Raises:
            FileNotFoundError: there is no such file.
        """
        super().__init__(
            CuratedSchemaSpec(
                schema_file=schema_file,
                fingerprint=hashlib.sha256(Path(schema_file).read_bytes()).hexdigest()[:16],
                schema=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Schema),
            )
        )
