"""A notebook runs in the environment that the tests began with, whatever other tests have imported in this worker before."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _own_environment(own_environment: None) -> None:
    """For each file."""
