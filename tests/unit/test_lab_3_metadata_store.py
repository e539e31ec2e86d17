"""Lab 3: a metadata store is read as data, whatever somebody has written into the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import lab_three
import pytest
from lab_three import STORE

from judges import lab_3_pipeline
from judges.lab_3 import own_runs
from judges.shared import metadata_store

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
VERSION = 1_700_000_001


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab in which January has run, with a package that is right elsewhere."""
    monkeypatch.setattr(lab_3_pipeline, "Elsewhere", lab_three.AllRight)
    lab = lab_three.lab(tmp_path)
    lab_three.Store(lab).run()
    return lab


def change(lab, *statements):
    with closing(sqlite3.connect(lab.workspace / STORE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def judge(lab, store=STORE):
    return lab_three.evaluate(lab, "january", store=store, version=VERSION)


def test_path_is_found_wherever_the_workspace_is(lab):
    assert judge(lab) == (4, "")
    assert judge(lab, f"/home/anna/course/out/lessons/{lab.name}/{STORE}") == (4, "")


@pytest.mark.parametrize(
    "given", ["../x", "nothing.sqlite", "", "pipeline", 3, ["x"], "/etc/passwd", "a\0b", "~" * 5000]
)
def test_path_that_is_none_is_told(lab, given):
    points, told = judge(lab, given)
    assert points == 0
    assert told
    assert len(told) < 300


def test_link_out_of_the_workspace_is_not_followed(lab, tmp_path):
    (tmp_path / "other.sqlite").write_bytes((lab.workspace / STORE).read_bytes())
    (lab.workspace / "link.sqlite").symlink_to(tmp_path / "other.sqlite")
    points, told = judge(lab, "link.sqlite")
    assert points == 0
    assert "leads out of your workspace" in told


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(4096)])
def test_file_that_is_no_store_is_told(lab, content):
    (lab.workspace / STORE).write_bytes(content)
    points, told = judge(lab)
    assert points == 0
    assert "metadata store" in told


def test_large_file_is_not_read(lab, monkeypatch):
    monkeypatch.setattr(metadata_store, "MOST_BYTES", 1000)
    assert "larger than" in judge(lab)[1]


def test_more_rows_and_more_runs_than_is_reasonable_are_not_read(lab, monkeypatch):
    monkeypatch.setattr(own_runs, "MOST_RUNS", 0)
    assert "holds 1 runs" in judge(lab)[1]
    monkeypatch.setattr(metadata_store, "MOST_ROWS", 3)
    assert "more than any lab needs" in judge(lab)[1]


def test_views_are_not_read(lab):
    change(lab, "ALTER TABLE Event RENAME TO Hidden", "CREATE VIEW Event AS SELECT * FROM Hidden")
    assert "without the tables" in judge(lab)[1]


FORGED = {
    "ids of text": "UPDATE Artifact SET type_id = 'x'",
    "a type that is none": "UPDATE Execution SET type_id = 999",
    "states of text": "UPDATE Execution SET last_known_state = 'COMPLETE'",
    "no events": "DELETE FROM Event",
    "examples elsewhere": "UPDATE Artifact SET uri = '/etc'",
    "examples above": f"UPDATE Artifact SET uri = '/x/{lab_three.LAB}/../../..'",
    "no addresses": "UPDATE Artifact SET uri = NULL",
    "an address of a megabyte": "UPDATE Artifact SET uri = hex(zeroblob(500000))",
}


def test_store_that_does_not_name_what_went_in_gets_no_more_than_it_shows(lab):
    change(lab, "UPDATE EventPath SET step_key = NULL")
    points, told = judge(lab)
    assert points == 3
    assert "without a blessing" in told


@pytest.mark.parametrize("what", FORGED)
def test_forged_rows_get_nothing_and_break_nothing(lab, what):
    change(lab, FORGED[what])
    points, told = judge(lab)
    assert points == 0
    assert told
    for task, more in (("cache", {}), ("february", {}), ("refused", {"column": "x"})):
        assert lab_three.evaluate(lab, task, store=STORE, **more)[0] == 0
