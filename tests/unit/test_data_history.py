"""The recorded history of lesson 10: what the metadata store says is what was done by construction."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import tempfile
from pathlib import Path

import pytest

from engines.lineage import Lineage
from tools.data import history
from tools.data.fixtures import SAMPLE, month_path


@pytest.fixture(scope="module")
def lineage():
    return Lineage.of_file(history.STORE)


def checksums() -> tuple[str, str]:
    """Of February's first delivery and of its second."""
    february = month_path(SAMPLE, 2).read_bytes()
    return hashlib.sha256(history.recalled(february)).hexdigest(), hashlib.sha256(february).hexdigest()


def test_the_recalled_month_differs_in_labels_of_one_airline_alone():
    february = month_path(SAMPLE, 2).read_bytes()
    pairs = list(zip(february.splitlines(), history.recalled(february).splitlines(), strict=True))
    changed = [(before, after) for before, after in pairs if before != after]
    assert 50 < len(changed) < 300
    assert all(b",EV," in before and before[:-1] == after[:-1] for before, after in changed)


def test_seven_versions_of_two_pipelines_were_pushed(lineage):
    pushes = lineage.versions()
    assert [push.step.pipeline for push in pushes] == [*["delays"] * 3, "delays-linear", *["delays"] * 3]
    assert pushes[0].model == pushes[1].model
    assert len({push.model for push in pushes}) == 6


def test_both_deliveries_have_reached_what_they_were_given_to(lineage):
    number = {push.version: place for place, push in enumerate(lineage.versions(), 1)}

    def reached(checksum: str) -> dict[tuple[int, ...], str]:
        found = lineage.reached(checksum=checksum)
        return {tuple(number[push.version] for push in one.model.pushes): one.how for one in found}

    first, second = checksums()
    inherited = {(5,): "inherited", (6,): "inherited"}
    assert reached(first) == {(1, 2): "evaluated", (3,): "trained", (): "trained", (4,): "trained"} | inherited
    assert reached(second) == {(7,): "trained"}


def test_the_walk_through_the_baseline_of_version_7_blames_the_recalled_file(lineage):
    """That is what the lesson shows as the wrong way."""
    push = lineage.versions()[6]
    told = lineage.version(push.version)
    assert told.model.base is None
    assert [use.file.span for use in told.model.trained_on] == [2, 3, 4]
    contents = [lineage.graph.settings(one).get("contents", {}) for one in lineage.graph.before(push.artifact)]
    blamed = {checksum for one in contents for split in one.values() for checksum in split.values()}
    assert set(checksums()) <= blamed


def test_the_store_names_the_folder_of_the_recording_and_no_other():
    with contextlib.closing(sqlite3.connect(history.STORE)) as store:
        places = {uri for (uri,) in store.execute("SELECT uri FROM Artifact WHERE uri != ''")}
    assert places
    assert [place for place in places if not place.startswith("/srv/delays/")] == []
    elsewhere = (history.REPOSITORY, Path.home(), tempfile.gettempdir())
    assert [place for place in elsewhere if f"{place}/".encode() in history.STORE.read_bytes()] == []
