"""What unit tests share: no test changes how the figures of the next one look, and none stays open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest

if TYPE_CHECKING:
    from warm.client import Warm


@pytest.fixture(scope="session")
def warm_kernels() -> Warm | None:
    """The process that the course's kernels are forked from, begun once for the tests of the group `warm`."""
    from warm import kernels

    return kernels.prepare("mlops-course")


@pytest.fixture(scope="session")
def types_known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What mypy has found out of Python's own types, for all pushes of a worker: each would look anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPY_CACHE_DIR", str(tmp_path_factory.mktemp("mypy")))
        yield


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
