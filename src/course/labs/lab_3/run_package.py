"""Runs the student's package on this machine, from a notebook."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from course.labs.lab_3 import package


def run(config: Any) -> None:
    """Runs `my_flights.pipeline.create_pipeline(config)` with TFX's LocalDagRunner, in this process, and prints how each node went.

    The package is imported anew, as its files are now. What a killed run left behind is put in order first.

    Raises:
        flights.data.DataError: a month is missing.
        Exception: what the component that fails raises; what comes after it has not run.
    """
    package.forget()
    pipeline = importlib.import_module(f"{package.NAME}.pipeline")

    from engines import local

    def show(report: Any) -> None:
        print(f"{report.node:<20} {report.state}")

    def create(config: Any, beam_args: Any) -> Any:
        found = pipeline.create_pipeline(config)
        expected = Path(config.metadata_path).resolve()
        stored = Path(found.metadata_connection_config.sqlite.filename_uri).resolve()
        if stored != expected:
            raise ValueError(
                f"create_pipeline puts the metadata store at {stored.name}, and the configuration says {expected.name}"
            )
        return found

    local.run(config, create, show)
