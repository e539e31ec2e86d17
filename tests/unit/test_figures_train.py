"""The charts of lesson 07 draw what they are given, and say it in their alt text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from alt_text import alt

from course.figures import train


def test_the_standing_counts_in_how_many_months_the_last_is_first() -> None:
    figure = train.standing(pd.DataFrame({"rule": [0.5, 0.7, 0.5], "network": [0.6, 0.6, 0.7]}, index=[3, 4, 5]))
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[0.5, 0.7, 0.5], [0.6, 0.6, 0.7]]
    assert "rule 0.567, network 0.633. network is first in 2 of 3." in alt(figure)


def test_reliability_holds_each_bucket_against_what_happened() -> None:
    predicted, labels = np.array([0.75, 0.25, 0.25, 0.75]), np.array([1, 0, 1, 1])
    figure = train.reliability({"a": predicted}, labels, buckets=2)
    line = figure.axes[0].lines[1]
    assert line.get_xdata() == pytest.approx([0.25, 0.75])
    assert line.get_ydata() == pytest.approx([0.5, 1.0])
    assert "a: where it says 0.75, 1.00 were late" in alt(figure)


def test_reliability_names_each_line_beside_the_axes() -> None:
    figure = train.reliability({"a": np.array([0.75, 0.25])}, np.array([1, 0]), buckets=2)
    figure.canvas.draw()
    [axes] = figure.axes
    assert len(axes.get_legend().get_texts()) == len(axes.lines)
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1


def test_starts_begin_before_any_training() -> None:
    figure = train.starts({"warm": [0.7, 0.75], "cold": [0.5, 0.72]}, {"long": 0.74})
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0, 1]
    assert "warm: 0.700 before training, 0.750 at the end; cold: 0.500" in alt(figure)
