"""The charts of lesson 08: what they draw is what they were given, and their alt text says the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from alt_text import alt

from course.figures import evaluate


def test_lowest_says_how_often_chance_is_as_low() -> None:
    figure = evaluate.lowest(np.array([0.4, 0.5, 0.6, 0.7]), 0.5)
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 4
    assert figure.axes[0].lines[0].get_xdata()[0] == 0.5
    assert "in the middle 0.550; 50% of them are at or below the measured 0.500" in alt(figure)


def test_difference_marks_nothing_and_the_interval() -> None:
    figure = evaluate.difference(np.linspace(-0.1, 0.3, 401), 0.1)
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [0, 0.1]
    assert "+0.100, and 95 % of the draws from -0.090 to +0.290" in alt(figure)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["measured", "95 % of the draws"]


def test_burden_has_two_bars_for_each_slice() -> None:
    table = pd.DataFrame({"false alarms": [0.2, 0.4], "misses": [0.6, 0.1]}, index=["JFK", "LGA"])
    figure = evaluate.burden(table)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.2, 0.4, 0.6, 0.1]
    assert "JFK 20% and 60%; LGA 40% and 10%" in alt(figure)


def test_importances_keep_the_order_that_they_are_given() -> None:
    table = pd.DataFrame({"loss": [0.2, -0.01], "spread": [0.01, 0.02]}, index=["departure", "airport"])
    figure = evaluate.importances(table, "What it goes by")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["departure", "airport"]
    assert figure.axes[0].get_title() == "What it goes by"
    assert "departure 0.200; airport -0.010" in alt(figure)


def test_owed_shows_what_speaks_for_late_and_against() -> None:
    figure = evaluate.owed(0.8, pd.Series({"departure": 0.18, "airline": -0.01}))
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.18, -0.01]
    assert bars[0].get_facecolor() != bars[1].get_facecolor()
    assert "Prediction 80%. departure +0.18; airline -0.01." in alt(figure)


def test_owed_has_no_sign_where_there_is_nothing_to_see() -> None:
    figure = evaluate.owed(0.8, pd.Series({"departure": 0.18, "pressure": -0.004, "weekday": 0.002}))
    assert [text.get_text() for text in figure.axes[0].texts] == ["+0.18", "0.00", "0.00"]
    assert "pressure 0.00; weekday 0.00." in alt(figure)
