"""What unit tests share: no test changes how the figures of the next one look, and none stays open."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def own_look() -> Iterator[None]:
    """Puts matplotlib's settings back: `course.begin` sets those of the house for the whole process."""
    with mpl.rc_context():
        yield


@pytest.fixture(autouse=True)
def no_figure_stays_open() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
