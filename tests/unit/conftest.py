"""What unit tests share: no test changes how the figures of the next one look, and none stays open."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from warm.client import Warm


@pytest.fixture(scope="session")
def warm_kernels() -> Warm | None:
    """The process that the course's kernels are forked from, begun once for the tests of the group `warm`."""
    from warm import kernels

    return kernels.prepare("mlops-course")


@pytest.fixture(scope="session")
def everything() -> pd.DataFrame:
    """All flights of the year with what is known only afterwards, and those that never arrived: made once for the tests of a worker, which change nothing of it."""
    from flights import data

    return data.build_year(keep_afterwards=True, keep_unarrived=True)


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
def sketched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests of what views and figures say, they are drawn whole, but coarsely, and stored in no time; `test_course_display` has their images."""
    if not request.path.name.startswith(("test_course_views", "test_course_figures", "test_figures_")):
        return
    from course import display, style

    def png(figure: Figure) -> bytes:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=style.DPI / 2, pil_kwargs={"compress_level": 0})
        if "matplotlib.pyplot" in sys.modules:  # it keeps the figures that it has made, and no others
            sys.modules["matplotlib.pyplot"].close(figure)
        return buffer.getvalue()

    monkeypatch.setattr(display, "png", png)


@pytest.fixture(autouse=True)
def no_figure_stays_open() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
