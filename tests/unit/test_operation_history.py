"""The history of decisions: whole at each moment, written by one process at a time, and put in order after a kill."""

from __future__ import annotations

import datetime
import json
import math
import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from operation import history, records
from operation.history import BEGUN, DECLINED, DONE, FAILED, INTERRUPTED, REFUSED, Busy, History, HistoryError
from operation.policy import Decision, Past

YES = Decision(True, "21.0 points apart.", "CalibrationGap(limit=0.04)", 0.21, 0.04)
NO = Decision(False, "Not enough.", "NewRows(rows=5)", math.nan, 5)


@pytest.fixture
def kept(tmp_path) -> History:
    return History(tmp_path / "new", lambda: datetime.datetime(2013, 8, 1, 3, tzinfo=datetime.UTC))


def test_a_decision_is_recorded_with_its_reason_and_a_retraining_with_its_end(kept):
    assert kept.records() == []
    with kept.alone("a test"):
        declined = kept.decide(NO, "2013-06", "Ada")
        begun = kept.decide(YES, "2013-07", "a schedule")
        done = kept.end(begun, DONE, "1375315200", "in 20 s")
    assert (declined.number, declined.state, declined.process) == (1, DECLINED, 0)
    assert declined.at == "2013-08-01T03:00:00+00:00"
    assert (begun.state, begun.process) == (BEGUN, os.getpid())
    again = History(kept.folder).records()
    assert again[1] == done
    assert (again[1].decision, again[1].version, again[1].note) == (YES, "1375315200", "in 20 s")
    assert again[0].decision.measured is None
    assert [path.name for path in sorted(kept.folder.iterdir())] == [".history.lock", "history.jsonl"]


def test_what_counts_for_budget_and_cool_down_is_what_was_begun(kept):
    with kept.alone("a test"):
        kept.decide(NO, "2013-01")
        for month, end in enumerate((DONE, REFUSED, FAILED, INTERRUPTED), 2):
            kept.end(kept.decide(YES, f"2013-0{month}"), end)
        kept.decide(YES, "2013-06")
    day = datetime.date(2013, 8, 1)
    assert kept.past() == [Past(day, f"2013-0{month}") for month in (2, 3, 4, 6)]


@pytest.mark.parametrize("end", [BEGUN, DECLINED, "gone"])
def test_a_retraining_ends_once_and_in_an_end(kept, end):
    with kept.alone("a test"):
        declined, begun = kept.decide(NO, "2013-06"), kept.decide(YES, "2013-07")
        with pytest.raises(ValueError, match=rf"cannot become {end}"):
            kept.end(begun, end)
        with pytest.raises(ValueError, match=r"Decision 1 \(2013-06\) is declined"):
            kept.end(declined, DONE)
        kept.end(begun, DONE)
        with pytest.raises(ValueError, match=r"is done, and cannot become failed"):
            kept.end(begun, FAILED)


def test_without_the_lock_nothing_is_written(kept):
    with pytest.raises(Busy, match="written without its lock"):
        kept.decide(NO, "2013-06")
    with kept.alone("a test"):
        pass
    with pytest.raises(Busy, match="written without its lock"):
        kept.decide(NO, "2013-06")
    assert kept.records() == []


FORK = multiprocessing.get_context("fork")
"""A process of its own that has made all imports."""


def own(folder: Path, begun: Event, over: Event) -> None:
    """Begins a retraining, and has the lock until that is over."""
    kept = History(folder)
    with kept.alone("the schedule"):
        kept.decide(Decision(True, "Because.", "Calendar(months=1)", 1, 1), "2013-07", "the schedule")
        begun.set()
        over.wait()


@pytest.fixture
def over() -> Event:
    return FORK.Event()


@pytest.fixture
def owner(kept, over):
    """Another process, which retrains until that is over."""
    begun = FORK.Event()
    process = FORK.Process(target=own, args=(kept.folder, begun, over))
    process.start()
    assert begun.wait(60)
    yield process
    process.kill()
    process.join()


def test_never_two_at_once(kept, owner, over):
    said = rf"the schedule \(process {owner.pid}, since .*\) is deciding or retraining in .*new\. Nothing was done"
    with pytest.raises(Busy, match=said), kept.alone("a second"):
        raise AssertionError("two at once")
    assert [one.state for one in kept.records()] == [BEGUN]
    over.set()
    owner.join()
    with kept.alone("a second") as told:
        assert told == []


def test_a_lock_whose_owner_is_dead_is_taken_over_and_said(kept, owner):
    owner.kill()
    owner.join()
    (kept.folder / ".history.jsonl.half").write_text("{")
    with kept.alone("the next") as told:
        assert len(told) == 1
        assert told[0].startswith(f"the schedule (process {owner.pid}, since ")
        assert told[0].endswith("ended without giving the lock back; it was taken over.")
        assert not (kept.folder / ".history.jsonl.half").exists()
        assert kept.settle() == ["Retraining 1 (2013-07) was cut off: it is struck out, and may be begun again."]
        assert kept.settle() == []
    (record,) = kept.records()
    assert (record.state, record.note) == (INTERRUPTED, f"Process {owner.pid} ended before it was done.")
    assert kept.past() == []


def test_a_retraining_that_was_cut_off_after_its_release_is_finished(kept):
    with kept.alone("a test"):
        kept.decide(YES, "2013-07")
        told = kept.settle(lambda record: "1375315200" if record.period == "2013-07" else "")
    assert told == ["Retraining 1 (2013-07) was cut off after it had pushed version 1375315200: it is recorded now."]
    (record,) = kept.records()
    assert (record.state, record.version) == (DONE, "1375315200")


def test_an_error_gives_the_lock_back(kept):
    with pytest.raises(KeyError), kept.alone("a test"):
        raise KeyError
    with kept.alone("the next") as told:
        assert told == []


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_history_that_cannot_be_written_stays_as_it_was(kept, monkeypatch, place):
    def full(*_):
        raise OSError("no space left on device")

    with kept.alone("a test"):
        kept.decide(NO, "2013-06")
        before = kept.file.read_bytes()
        monkeypatch.setattr(records.os, place, full)
        with pytest.raises(OSError, match="no space"):
            kept.decide(YES, "2013-07")
    assert kept.file.read_bytes() == before
    assert [path.name for path in sorted(kept.folder.iterdir())] == [".history.lock", "history.jsonl"]


@pytest.mark.parametrize("line", ["{", "7", '{"number": 1}', '{"decision": {"retrain": true}}'])
def test_a_line_that_is_no_decision_is_named(kept, line):
    with kept.alone("a test"):
        kept.decide(NO, "2013-06")
    kept.file.write_text(kept.file.read_text() + line + "\n")
    with pytest.raises(HistoryError, match=r"history\.jsonl, line 2: no decision"):
        kept.records()


def test_each_line_is_json_that_people_read(kept):
    with kept.alone("a test"):
        kept.decide(YES, "2013-07", "Ada")
    assert json.loads(kept.file.read_text())["decision"]["reason"] == "21.0 points apart."


def test_prometheus_reads_how_retrainings_ended_and_when_one_began(kept):
    with kept.alone("a test"):
        kept.decide(NO, "2013-06")
        kept.end(kept.decide(YES, "2013-07"), REFUSED)
        idle = history.to_prometheus(kept.records(), "parcels")
        kept.decide(YES, "2013-08")
    text = history.to_prometheus(kept.records(), "parcels")
    for part in (idle, text):
        assert 'operation_retrainings_total{model="parcels",state="refused"} 1.0' in part
        assert 'operation_retrainings_total{model="parcels",state="failed"} 0.0' in part
        assert "_created" not in part
    begun = f'operation_retraining_begun_timestamp_seconds{{model="parcels"}} {1375326000 / 1e9}e+09'
    assert begun in text
    assert "begun_timestamp_seconds{" not in idle
    assert list(text_string_to_metric_families(history.to_prometheus([], "parcels")))
