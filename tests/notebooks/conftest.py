"""A notebook runs in the environment that the tests began with, whatever other tests have imported in this worker before."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from warm import usage


@pytest.fixture(scope="module", autouse=True)
def own_environment(first_environment) -> Iterator[None]:
    """TensorFlow and TFX set variables that kernels would inherit, and that their server is chosen by."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - first_environment.keys() - {usage.FILE}:
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        for name, value in first_environment.items():
            patch.setenv(name, value)
        yield
