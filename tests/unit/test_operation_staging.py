"""The smoke test: a candidate and the champion, served apart from what answers clients."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import scales_project

from operation import staging
from operation.staging import SmokeFailed, StagingError
from serving import process, traffic
from serving.traffic import Traffic

pytestmark = pytest.mark.xdist_group("tfx")

ROWS = [{"length": float(length)} for length in range(30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Versions: 1 is good, 2 says twice as much, 3 gives NaN for a long one, 4 depends on what else is asked, 5 is broken, 6 fails for a long one."""
    import tensorflow as tf

    def fails(columns):
        with tf.control_dependencies([tf.debugging.assert_less(columns["length"], 25.0)]):
            return tf.sigmoid(columns["length"]) / 2

    made = tmp_path_factory.mktemp("scales") / "serving"
    weigh = {
        1: None,
        2: lambda columns: tf.sigmoid(columns["length"]),
        3: lambda columns: tf.where(columns["length"] > 25, math.nan, tf.sigmoid(columns["length"]) / 2),
        4: lambda columns: tf.sigmoid(columns["length"] - tf.reduce_mean(columns["length"])),
        6: fails,
    }
    for version, how in weigh.items():
        scales_project.write(made / str(version), how)
    (made / "5").mkdir()
    (made / "5" / "saved_model.pb").write_text("broken")
    traffic.write(made, Traffic(1))
    return made


@pytest.fixture(scope="module")
def serving(folder, tmp_path_factory) -> Iterator[tuple[Path, process.Server]]:
    """A copy of all versions, and its server, which each smoke test starts for itself: that takes six seconds."""
    copied = shutil.copytree(folder, tmp_path_factory.mktemp("staging") / "serving")
    with process.start(scales_project.NAME, copied) as server:
        yield copied, server


@pytest.fixture
def staged(serving, monkeypatch) -> None:
    """Smoke tests ask the server of all tests, which is told which two versions answer."""
    copied, server = serving

    @contextlib.contextmanager
    def stage(folder, candidate, champion, project, timeout):
        traffic.write(copied, Traffic(candidate, champion))
        server.wait_for(timeout, champion=candidate, challenger=champion, fault="")
        yield server

    monkeypatch.setattr(staging, "_staged", stage)


def smoke(folder, candidate, champion=1, rows=ROWS):
    return staging.smoke(folder, candidate, champion, scales_project.NAME, scales_project.PROJECT, rows)


@pytest.mark.parametrize("how", ["staged", pytest.param("by_itself", marks=pytest.mark.long)])
def test_a_good_candidate_passes_and_both_say_what_is_to_be_expected(how, folder, request):
    """By itself: with a server of its own, as tests/pipeline/test_release.py has it each day."""
    if how == "staged":
        request.getfixturevalue(how)
    found = smoke(folder, 2)
    assert found.champion == pytest.approx([0.5 / (1 + math.exp(-length)) for length in range(30)], abs=1e-5)
    assert found.candidate == pytest.approx([2 * one for one in found.champion], abs=1e-5)
    assert traffic.read(folder) == Traffic(1), "what answers clients is as it was"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (3, "Version 3 answers row 26 with what is no number."),
        (4, "Version 4 says 0.5000 of row 0 when it is served, and 0.0000 by itself."),
        (5, "By itself, version 5 does not answer"),
        (6, "By itself, version 6 does not answer"),
    ],
)
@pytest.mark.usefixtures("staged")
def test_a_bad_candidate_is_refused_with_its_reason(version, reason, folder):
    with pytest.raises(SmokeFailed) as refused:
        smoke(folder, version)
    assert str(refused.value).startswith(reason)


@pytest.mark.usefixtures("staged")
def test_of_a_champion_that_fails_nothing_is_expected(folder):
    """It may be why there is a release."""
    assert smoke(folder, 2, champion=6).champion == ()


def test_rows_that_may_not_be_asked_about_are_no_fault_of_the_candidate(folder):
    with pytest.raises(StagingError, match="are none that may be asked about: row 0, column length: -1 is below 0"):
        smoke(folder, 2, rows=[{"length": -1}])
    with pytest.raises(StagingError, match="There are no rows"):
        smoke(folder, 2, rows=[])
