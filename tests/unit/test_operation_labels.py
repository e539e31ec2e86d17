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
    rows = read(
        line(1),
        line(2, prediction=0.1),
        line(2, prediction=0.9, id="again", time="2026-01-02T00:00:00+00:00"),
        line(3),
        line(4),
        line(5, sent="2026-01-09"),
        line(6, role="shadow", version=4),
        line(1, role="shadow", version=4),
        line(7),
    )
    outcomes = pd.DataFrame(
        [
            outcome(1, 1),
            outcome(2, 0),
            outcome(2, 0),
            outcome(3, 0),
            outcome(3, 1),
            outcome(6, 1),
            outcome(7, None),
            outcome(8, 1),
            outcome(9, 0, sent="2026-01-06"),
            outcome(9, 0, sent="2025-12-31"),
        ]
    )
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
    assert found.matches == labels.Matches(
        served=9,
        matched=4,
        asked_again=1,
        not_yet=1,
        missing=2,
        ambiguous=1,
        outcomes=6,
        answered=2,
        not_asked=3,
        contradictory=1,
    )


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
    found = labels.join(
        read(), pd.DataFrame([outcome(1)]), PARCELS, first=datetime.date(2026, 1, 1), last=datetime.date(2026, 1, 31)
    )
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
