"""A package of somebody's own, whose pipeline is the first node of the course's: for tests of what is around a step."""

from __future__ import annotations

from pathlib import Path

from engines.airflow.project import Project
from flights import schedule

PACKAGE = """
import dataclasses
from flights import pipeline
from flights.config import Config as FlightsConfig
from tfx import v1 as tfx

@dataclasses.dataclass(frozen=True)
class Config(FlightsConfig):
    pipeline_name: str = "first-node"

def create_pipeline(config):
    whole = pipeline.create_pipeline(config)
    return tfx.dsl.Pipeline(
        pipeline_name=whole.pipeline_info.pipeline_name,
        pipeline_root=whole.pipeline_info.pipeline_root,
        components=[pipeline.create_components(config)["CsvExampleGen"]],
        metadata_connection_config=whole.metadata_connection_config,
        beam_pipeline_args=pipeline.BEAM_ARGS,
    )
"""


def project(folder: Path) -> Project:
    """Writes the package into a folder; its months are to be in `months` there, and what it makes goes into `output`."""
    package = folder / "packages" / "their_flights"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pipeline.py").write_text(PACKAGE)
    settings = {"data_root": str(folder / "months"), "output_root": str(folder / "output")}
    return schedule.project(
        settings, 3, "their_flights.pipeline:create_pipeline", "their_flights.pipeline:Config", (str(package.parent),)
    )
