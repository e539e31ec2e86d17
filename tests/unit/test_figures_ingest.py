"""The charts of lesson 04 draw what they are given, and say it in their alt text."""

from __future__ import annotations

import pandas as pd
import pytest
from alt_text import alt

from course.figures import ingest


@pytest.fixture
def flights() -> pd.DataFrame:
    """Two flights on each of four days, two of them in another month."""
    days = [(1, 30), (1, 31), (2, 1), (2, 2)]
    rows = [(2013, month, day, time) for month, day in days for time in (630, 1845)]
    return pd.DataFrame(rows, columns=["year", "month", "day", "sched_dep_time"])


def test_splits_count_the_days_that_are_on_both_sides(flights: pd.DataFrame) -> None:
    by_row = flights.assign(split=["train", "eval"] * 4)
    by_time = flights.assign(split=["train"] * 6 + ["eval"] * 2)
    text = alt(ingest.splits({"by row": by_row, "by time": by_time}))
    assert "by row: 50% in eval, 4 of 4 days on both sides" in text
    assert "by time: 25% in eval, 0 of 4 days on both sides" in text


def test_splits_draw_each_flight_once_at_its_day_and_hour(flights: pd.DataFrame) -> None:
    figure = ingest.splits({"by row": flights.assign(split=["train", "eval"] * 4)})
    train, evaluated = (dots.get_offsets() for dots in figure.axes[0].collections)
    assert sorted(train[:, 1]) == [6.5] * 4
    assert sorted(evaluated[:, 1]) == [18.75] * 4
    assert len(set(train[:, 0])) == 4
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1 February"]


def test_optimism_tells_both_numbers_of_each_rule_and_draws_the_first_on_top() -> None:
    means = pd.DataFrame({"promised": [0.73, 0.67], "next month": [0.67, 0.65]}, index=["by row", "by time"])
    figure = ingest.optimism(means)
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["by time", "by row"]
    written = {(text.get_text(), text.xy[1]) for text in axes.texts}
    assert written == {("0.73", 1), ("0.67", 1), ("0.67", 0), ("0.65", 0)}
    assert alt(figure).endswith("by row 0.73 and 0.67; by time 0.67 and 0.65.")
