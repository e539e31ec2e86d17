"""The model in service as a baseline: a candidate is held against what it would replace, which need not be the latest that was blessed.

A version that was blessed and pushed is not yet released, and one that was rolled back is no measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.common import resolver

from engines.lineage import Lineage, LineageError
from serving.in_service import version_in_service

if TYPE_CHECKING:
    from ml_metadata.metadata_store import MetadataStore

MODEL = "model"


class ModelInServiceStrategy(resolver.ResolverStrategy):
    """Gives the model of the version that answers, or none where there is none yet. What it raises fails the node (`engines.local`)."""

    def __init__(self, serving_root: str, pipeline: str = "") -> None:
        """Args: as of `version_in_service`."""
        self._serving_root, self._pipeline = serving_root, pipeline

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: Mapping[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Of all models, the one in service."""
        found = version_in_service(Lineage(store), self._serving_root, self._pipeline)
        if found is None:
            return {MODEL: []}
        wanted = [one for one in input_dict[MODEL] if one.id == found.push.model]
        if not wanted:
            raise LineageError(f"Version {found.push.version} is in service, and no model of this pipeline.")
        return {MODEL: wanted}


def model_in_service(serving_root: str, pipeline: str = "") -> tfx.dsl.Resolver:
    """The node that gives it, as its output `model`. Arguments: as of `version_in_service`."""
    return tfx.dsl.Resolver(
        strategy_class=ModelInServiceStrategy,
        config={"serving_root": serving_root, "pipeline": pipeline},
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
    ).with_id("ModelInService")
