"""The browser, for the tests that need one; where there is none, they are skipped with the package to install."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import chromium
from selenium import webdriver


@pytest.fixture(scope="module", autouse=True)
def _own_environment(own_environment: None) -> None:
    """Kernels of JupyterLab are forks of the process that those of the notebooks are, which has imported TFX already."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[webdriver.Chrome]:
    """Headless Chromium with a page of 1280 x 720, the size of a slide."""
    if chromium.missing():
        pytest.skip(chromium.missing())
    with chromium.open_browser() as browser:
        yield browser
