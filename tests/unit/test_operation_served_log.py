"""The log of requests as a table: every line is in it, or in the account of what is not."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pandas as pd
import pytest
from parcels_project import PARCELS, line, write

from operation import served_log
from serving.request_log import Answer, RequestLog


def test_what_a_server_wrote_is_read_as_it_was_answered(tmp_path):
    log = RequestLog(tmp_path / "log", largest=300, kept=9)
    for number in range(10):
        key = {"sent": ["2026-01-05"], "number": [number]}
        log.put(Answer(1_769_860_800.5 + number, f"id-{number}", 3, "champion", key, [number / 10]))
    log.close()
    assert len(list(tmp_path.iterdir())) > 3
    found = served_log.read(tmp_path / "log", PARCELS)
    assert found.rows["prediction"].tolist() == [number / 10 for number in range(10)]
    assert found.rows["number"].tolist() == list(range(10))
    assert found.rows["time"][0] == pd.Timestamp("2026-01-31T12:00:00.5", tz="UTC")
    assert found.rows[served_log.DAY].eq(pd.Timestamp("2026-01-05")).all()
    assert found.lines == served_log.Lines(total=10, rows=10)
    assert found.faults == ()


@pytest.mark.parametrize("part", [1, 3, 50_000])
def test_every_line_is_in_the_table_or_counted(tmp_path, monkeypatch, part):
    monkeypatch.setattr(served_log, "PART", part)
    file = write(
        tmp_path / "log",
        [
            line(1),
            '{"time": "2026-01-05T1',
            "7",
            b"\xff\x00",
            "",
            line(2) | {"version": True},
            line(3) | {"time": "yesterday"},
            line(4) | {"prediction": "0.5"},
            {name: value for name, value in line(5).items() if name != "prediction"},
            line(6, prediction=None),
            line(7, sent="2026-02-30"),
            line(8) | {"number": None},
            {name: value for name, value in line(9).items() if name not in ("number", "sent")},
            line(1),
            line(1) | {"time": "2026-01-06T00:00:00+00:00"},
            line(1) | {"id": "another"},
            line(1) | {"role": "shadow", "version": 4},
            line(10, sent="2025-12-31"),
            line(11, sent="2026-02-01"),
        ],
    )
    with file.open("ab") as opened:
        opened.write(b'{"time": "2026-01-31T23:59')
    found = served_log.read(file, PARCELS, datetime.date(2026, 1, 1), datetime.date(2026, 1, 31))
    assert found.rows["id"].tolist() == ["id-1", "another", "id-1"]
    assert found.rows["role"].tolist() == ["champion", "champion", "shadow"]
    became = {"rows": 3, "other_days": 2, "unreadable": 8, "no_number": 1, "without_key": 3, "repeated": 2}
    assert found.lines == served_log.Lines(**became, total=19, lost_columns={"sent": 1, "number": 2})
    assert sum(became.values()) == 19
    assert found.faults[0] == f"{file}, line 2: this is no whole line of a log of requests."
    assert len(found.faults) == served_log.SAID


def test_a_fault_says_what_is_missing(tmp_path):
    file = write(tmp_path / "log", [line(1) | {"number": None}, line(2, prediction=None), line(3, sent="2026-02-30")])
    assert served_log.read(file, PARCELS).faults == (
        f"{file}, line 1: the key lacks number.",
        f"{file}, line 2: the model answered with what is no number.",
        f"{file}, line 3: the key lacks a day that there is.",
    )


def test_versions_are_told_apart_by_what_they_did(tmp_path):
    other = [line(3, version=4, role="challenger"), line(3, version=4, role="shadow")]
    lines = [line(1), line(2, prediction=0.75), *other]
    found = served_log.read(write(tmp_path / "log", lines), PARCELS).versions
    assert found[["version", "role", "rows", "said"]].to_numpy().tolist() == [
        [3, "champion", 2, 0.5],
        [4, "challenger", 1, 0.25],
        [4, "shadow", 1, 0.25],
    ]


@pytest.mark.parametrize("lines", [[], ["no line"], [line(1, sent="2025-01-01")]])
def test_without_a_row_the_table_has_its_columns(tmp_path, lines):
    found = served_log.read(write(tmp_path / "log", lines), PARCELS, datetime.date(2026, 1, 1))
    assert list(found.rows) == [*served_log.HEAD, "sent", "number", served_log.DAY]
    assert found.rows["version"].dtype == "int64"
    assert found.versions.empty


def test_a_log_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"log: there is no log of requests\. Start the server with --log"):
        served_log.read(tmp_path / "log", PARCELS)


def test_a_key_that_the_log_uses_itself_is_refused(tmp_path):
    project = SimpleNamespace(name="parcels", key=("id", "number"))
    with pytest.raises(ValueError, match="The key of parcels has id, which a log of requests uses itself"):
        served_log.read(write(tmp_path / "log", [line(1)]), project)
