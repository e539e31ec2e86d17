"""The curated schema as the output of a component.

TFX's `ImportSchemaGen` is told the path of the schema, and of a path the cache sees the path: after an edit of the file it would
hand on the old contract. Here the file's fingerprint is a setting too. And a schema may be named by the package that it lies in,
which is where the code runs: in a container, the path of another machine is of no use.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from pathlib import Path
from typing import Any, ClassVar

from tfx import types
from tfx.components.schema_gen.import_schema_gen import executor as import_schema
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts, standard_component_specs

from engines.places import IN_PACKAGE


def locate(schema_file: str) -> Path:
    """The file that a path, or a name that begins with `package:`, stands for."""
    if not schema_file.startswith(IN_PACKAGE):
        return Path(schema_file)
    package, _, path = schema_file.removeprefix(IN_PACKAGE).partition("/")
    return Path(str(importlib.resources.files(package))) / path


def fingerprint(schema_file: str) -> str:
    """Of the file's content.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return hashlib.sha256(locate(schema_file).read_bytes()).hexdigest()[:16]


class CuratedSchemaExecutor(import_schema.Executor):
    """`ImportSchemaGen`'s, which also finds a schema by its package."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the schema.

        Raises:
            ValueError: the schema here is another than that of which the pipeline was told.
        """
        schema_file = exec_properties["schema_file"]
        if (found := fingerprint(schema_file)) != exec_properties["fingerprint"]:
            raise ValueError(
                f"{schema_file} has the fingerprint {found} here, and {exec_properties['fingerprint']} where the pipeline was made: "
                "the code here is another version. Build the image anew, or compile the pipeline anew."
            )
        super().Do(input_dict, output_dict, {**exec_properties, "schema_file": str(locate(schema_file))})


class CuratedSchemaSpec(standard_component_specs.ImportSchemaGenSpec):
    """What `ImportSchemaGen` takes, and the fingerprint."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.ImportSchemaGenSpec.PARAMETERS,
        "fingerprint": component_spec.ExecutionParameter(type=str),
    }


class CuratedSchema(base_component.BaseComponent):
    """`ImportSchemaGen` that runs again when the schema was edited."""

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(CuratedSchemaExecutor)

    def __init__(self, schema_file: str) -> None:
        """Reads the file, for its fingerprint.

        Raises:
            FileNotFoundError: there is no such file.
        """
        super().__init__(
            CuratedSchemaSpec(
                schema_file=schema_file,
                fingerprint=fingerprint(schema_file),
                schema=channel.Channel(type=standard_artifacts.Schema),
            )
        )
