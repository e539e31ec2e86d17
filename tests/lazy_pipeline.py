"""The functions that make the pipeline of `flights`; TFX is imported when one is called, not when a test names it."""

from __future__ import annotations

from typing import Any


def create_components(*given: Any) -> Any:
    """`flights.pipeline.create_components`."""
    from flights import pipeline

    return pipeline.create_components(*given)


def create_pipeline(*given: Any) -> Any:
    """`flights.pipeline.create_pipeline`."""
    from flights import pipeline

    return pipeline.create_pipeline(*given)
