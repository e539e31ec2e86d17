"""The latest blessed model, for an engine whose metadata store TFX's Resolver cannot ask.

The open-source Kubeflow Pipelines runs containers and importers, no resolvers. What was pushed was blessed, and Pusher keeps it in
numbered versions: the newest of them is the baseline. With none, the output stays empty, and the container's command leaves the
Evaluator's optional input out.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import Artifact, artifact_utils, channel, component_spec, standard_artifacts

SERVING_FOLDER = "Format-Serving"
"""Where TFX looks for the SavedModel in a Model artifact."""


class LatestPushedModelSpec(component_spec.ComponentSpec):
    """Pusher's destination in, a model out."""

    PARAMETERS: ClassVar = {"push_destination": component_spec.ExecutionParameter(type=str)}
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class LatestPushedModelExecutor(base_executor.BaseExecutor):
    """Copies the newest version."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Leaves the output empty when nothing was pushed yet.

        Raises:
            ValueError: the destination is not a folder's.
        """
        model = artifact_utils.get_single_instance(output_dict["model"])
        newest = newest_version(pushed_to(exec_properties["push_destination"]))
        if newest:
            shutil.copytree(newest, Path(model.uri) / SERVING_FOLDER)
            model.set_string_custom_property("pushed_version", newest.name)


class LatestPushedModel(base_component.BaseComponent):
    """Gives the newest model of a Pusher's destination as `model`."""

    SPEC_CLASS = LatestPushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LatestPushedModelExecutor)

    def __init__(self, push_destination: object) -> None:
        """Args: push_destination: as Pusher takes it, in JSON, or a runtime parameter that will hold that."""
        super().__init__(
            LatestPushedModelSpec(
                push_destination=push_destination, model=channel.Channel(type=standard_artifacts.Model)
            )
        )


def pushed_to(push_destination: str) -> Path:
    """The folder of a Pusher's destination, which is given in JSON.

    Raises:
        ValueError: it is no JSON, or names no folder.
    """
    try:
        return Path(json.loads(push_destination)["filesystem"]["base_directory"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f'push_destination={push_destination!r}: write {{"filesystem": {{"base_directory": "FOLDER"}}}}.'
        ) from None


def newest_version(folder: Path) -> Path | None:
    """The complete version with the highest number; `saved_model.pb` is what Pusher writes last."""
    versions = [path.parent for path in folder.glob("*/saved_model.pb") if path.parent.name.isdigit()]
    return max(versions, key=lambda path: int(path.name), default=None)
