"""Rows of a log find what became of them; what finds nothing is counted on both sides."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from parcels_project import PARCELS, line, outcome, write

from operation import labels, served_log


@pytest.fixture
def read(tmp_path):
    return lambda *lines: served_log.read(write(tmp_path / "log", lines), PARCELS).rows


def test_each_row_and_each_outcome_is_matched_or_counted(read):
    shadow = {"role": "shadow", "version": 4}
    again = line(2, prediction=0.9, id="again", time="2026-01-02T00:00:00+00:00")
    few = [line(3), line(4), line(5, sent="2026-01-09"), line(6, **shadow), line(1, **shadow), line(7)]
    rows = read(line(1), line(2, prediction=0.1), again, *few)
    known = [
        (1, 1),
        (2, 0),
        (2, 0),
        (3, 0),
        (3, 1),
        (6, 1),
        (7, None),
        (8, 1),
        (9, 0, "2026-01-06"),
        (9, 0, "2025-12-31"),
    ]
    outcomes = pd.DataFrame([outcome(*one) for one in known])
    found = labels.join(rows, outcomes, PARCELS, last=datetime.date(2026, 1, 31))
    assert found.until == datetime.date(2026, 1, 6)
    assert found.rows[["number", "role", "prediction", "lost"]].to_numpy().tolist() == [
        [1, "champion", 0.25, 1],
        [2, "champion", 0.9, 0],
        [6, "shadow", 0.25, 1],
        [1, "shadow", 0.25, 1],
    ]
    assert found.outcomes["number"].tolist() == [1, 2, 6, 8, 9]
    assert found.is_answered.tolist() == [True, True, False, False, False]
    of_rows = {"served": 9, "matched": 4, "asked_again": 1, "not_yet": 1, "missing": 2, "ambiguous": 1}
    assert found.matches == labels.Matches(**of_rows, outcomes=6, answered=2, not_asked=3, contradictory=1)


def test_labels_that_have_not_come_are_not_yet_and_not_missing(read):
    rows = read(line(1), line(2, sent="2026-02-03"), line(3, sent="2026-02-04"))
    early = pd.DataFrame([outcome(1), outcome(2, 1, sent="2026-02-03")])
    none = early.assign(lost=None)
    assert labels.join(rows, none, PARCELS).matches.not_yet == 3
    assert labels.join(rows, none, PARCELS).until is None
    assert labels.join(rows, none.iloc[:0], PARCELS).matches == labels.Matches(served=3, not_yet=3)
    until = datetime.date(2026, 1, 31)
    found = labels.join(rows, early, PARCELS, until)
    assert (found.matches.matched, found.matches.not_yet, found.matches.missing) == (1, 2, 0)
    assert labels.join(rows, early, PARCELS, datetime.date(2026, 2, 28)).matches.missing == 1


def test_a_number_that_was_logged_as_text_is_the_same_number(read):
    found = labels.join(read(line("1"), line("x")), pd.DataFrame([outcome(1), outcome(2)]), PARCELS)
    assert found.rows["number"].tolist() == ["1"]
    assert (found.matches.missing, found.matches.not_asked) == (1, 1)


def test_a_key_that_is_missing_matches_no_other(read):
    outcomes = pd.DataFrame([outcome(np.nan, 1), outcome(1)])
    found = labels.join(read(line(1), line("x"), line("y")), outcomes, PARCELS)
    assert (found.matches.matched, found.matches.missing, found.matches.asked_again) == (1, 2, 0)
    assert found.matches.outcomes == 1


def test_a_log_without_rows_leaves_all_outcomes_unasked(read):
    days = {"first": datetime.date(2026, 1, 1), "last": datetime.date(2026, 1, 31)}
    found = labels.join(read(), pd.DataFrame([outcome(1)]), PARCELS, **days)
    assert found.matches == labels.Matches(outcomes=1, not_asked=1)
    assert "lost" in found.rows


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([{"sent": "2026-01-05", "number": 1}], "no column lost"),
        ([outcome(1) | {"id": 7}], "have id, which a log of requests uses itself"),
        ([outcome(1), outcome(2, 0.5)], r"row 1, column lost: 0\.5\. A label is 0, 1, or missing"),
    ],
)
def test_outcomes_that_cannot_be_joined_are_refused(read, outcomes, said):
    with pytest.raises(ValueError, match=said):
        labels.join(read(line(1)), pd.DataFrame(outcomes), PARCELS)


@pytest.mark.parametrize("seed", range(12))
def test_no_row_and_no_outcome_is_lost_whatever_comes(tmp_path, seed):
    """Logs and outcomes by chance, with whatever may be wrong in them: the accounts add up, and labels are those of the keys."""
    draw = np.random.default_rng(seed)

    def days(rows: int) -> list[str]:
        return [f"2026-01-{day:02d}" for day in draw.integers(1, 9, rows)]

    lines = [
        line(
            int(draw.integers(20)) if draw.random() < 0.9 else None,
            sent,
            float(draw.random()) if draw.random() < 0.9 else None,
            id=f"id-{draw.integers(60)}",
            role=str(draw.choice(["champion", "challenger", "shadow"])),
            version=int(draw.integers(3, 5)),
            time=f"2026-01-01T{draw.integers(24):02d}:00:00+00:00",
        )
        for sent in days(150)
    ]
    outcomes = pd.DataFrame(
        [outcome(int(draw.integers(20)), draw.choice([0, 1, np.nan]), sent) for sent in days(200)]
    ).assign(row=range(200), code=7)
    first, last = datetime.date(2026, 1, 2), datetime.date(2026, 1, 7)
    log = served_log.read(write(tmp_path / "log", [*lines, *lines[:10], "half"]), PARCELS, first, last)
    counts = log.lines
    became = ("rows", "other_days", "unreadable", "no_number", "without_key", "repeated")
    assert counts.total == 161 == sum(getattr(counts, name) for name in became)
    until = datetime.date(2026, 1, int(draw.integers(3, 9)))
    several_files = outcomes.set_axis([*range(100), *range(100)])
    found = labels.join(log.rows, several_files, PARCELS, until, first, last)
    matches = found.matches
    became = ("matched", "asked_again", "not_yet", "missing", "ambiguous")
    assert matches.served == counts.rows == sum(getattr(matches, name) for name in became)
    assert matches.outcomes == matches.answered + matches.not_asked + matches.contradictory
    assert len(found.outcomes) == matches.answered + matches.not_asked
    known = outcomes.dropna(subset="lost").groupby(["sent", "number"])["lost"].agg(["min", "max"])
    for one in found.rows.itertuples():
        assert one.lost == known.loc[(one.sent, one.number), "min"] == known.loc[(one.sent, one.number), "max"]
        assert one.sent <= until.isoformat()
    due = known.loc["2026-01-02" : f"2026-01-{min(7, until.day):02d}"]
    assert len(due) == matches.outcomes
    assert (due["min"] != due["max"]).sum() == matches.contradictory
