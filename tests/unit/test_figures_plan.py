"""The charts of lesson 02 draw what they are given, and say it in their alt text."""

from __future__ import annotations

import pandas as pd
import pytest
from alt_text import alt

from course.figures import plan


def test_thresholds_name_the_marked_shares() -> None:
    share = pd.Series({minutes: 0.4 / (1 + minutes / 15) for minutes in range(61)})
    assert "40% at 0, 20% at 15, 8% at 60" in alt(plan.thresholds(share, marks=[0, 15, 60]))


def test_days_point_out_the_named_ones() -> None:
    index = pd.MultiIndex.from_tuples([(2, 8), (2, 9), (2, 10)])
    table = pd.DataFrame({"gone": [0.5, 0.57, 0.01], "late": [0.47, 0.23, 0.2]}, index=index)
    figure = plan.days(table, named={"9 February": (2, 9)})
    assert [text.get_text() for text in figure.axes[0].texts] == ["9 February"]
    assert "9 February: 57% gone, 23% late" in alt(figure)


def test_a_suspicious_column_has_its_own_colour_and_the_largest_is_on_top() -> None:
    figure = plan.single_columns(pd.Series({"hour": 0.63, "dep_delay": 0.9, "air_time": 0.5}))
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([0, 0.13, 0.4])
    assert bars[0].get_facecolor() == bars[1].get_facecolor() != bars[2].get_facecolor()
    assert alt(figure) == "AUC of single columns: dep_delay 0.90, hour 0.63, air_time 0.50."


def test_costs_find_the_cheapest_threshold_and_tell_the_chosen_one() -> None:
    curve = pd.Series({0.0: 900.0, 0.25: 400.0, 0.5: 600.0, 1.0: 700.0})
    ends = {"false alarm": 100, "missed": 50, "caught": 150, "left alone": 700}
    text = alt(plan.costs(curve, 0.5, ends))
    assert "chosen: 600 at 0.50; cheapest: 400 at 0.25" in text
    assert "missed 50" in text


def test_a_threshold_outside_the_curve_is_refused() -> None:
    with pytest.raises(KeyError):
        plan.costs(pd.Series({0.0: 1.0, 1.0: 2.0}), 0.5, {"false alarm": 0, "missed": 0, "caught": 0, "left alone": 0})


def test_calibration_and_months_tell_every_month() -> None:
    means = pd.DataFrame({"score": [0.15, 0.24], "late": [0.29, 0.13]}, index=[4, 9])
    assert "month 4 15% and 29%, month 9 24% and 13%" in alt(plan.calibration(means, means))
    table = pd.DataFrame({"model": [0.64], "low": [0.61], "high": [0.66], "rule": [0.6]}, index=[4])
    assert "month 4 0.64 (0.61 to 0.66), rule 0.60" in alt(plan.months(table, bar=0.6))
