"""The charts of lesson 06 draw what they are given, and say it in their alt text."""

from __future__ import annotations

import pandas as pd
from alt_text import alt
from matplotlib import pyplot

from course.figures import features


def test_batches_have_means_of_their_own() -> None:
    figure = features.batches(pd.Series([10.0, 20.0, 30.0, 40.0, 50.0]), size=2)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [15, 35, 50]
    assert "In batches of 2 flights the mean temperature lies between 15 and 50 degrees" in alt(figure)
    assert "30.0" in alt(figure)


def test_a_cross_without_flights_says_so() -> None:
    share = pd.DataFrame({"EWR": [0.25, None], "JFK": [0.5, 0.125]}, index=["UA", "AA"])
    figure = features.crossed(share, share * 0 + 8)
    assert [text.get_text() for text in figure.axes[0].texts] == ["25%\nof 8", "50%\nof 8", "none", "12%\nof 8"]
    assert alt(figure) == "Late flights: UA from EWR 25%, UA from JFK 50%, AA from JFK 12%."


NIGHTLY = pd.Series([0.5, 0.33, 0.67], pd.to_datetime(["2013-07-09 04:00", "2013-07-10 04:00", "2013-07-11 04:00"]))
DAILY = pd.Series([0.33, 0.67], pd.to_datetime(["2013-07-09", "2013-07-10"]))


def arrows(figure: pyplot.Figure) -> list[str]:
    """Where the arrows end, left or right of the question they start at."""
    ends = [(text.xy[0], text.xyann[0]) for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    return ["past" if end < start else "future" for end, start in ends]


def test_one_arrow_goes_to_the_past_and_one_to_the_future() -> None:
    asked, landed = pd.Timestamp("2013-07-10 16:12"), pd.Timestamp("2013-07-10 22:12")
    figure = features.timeline(NIGHTLY, DAILY, asked, landed, "UA to SAT")
    assert arrows(figure) == ["past", "future"]
    assert "takes 33%, counted 10 July 04:00." in alt(figure)
    assert "takes 67%" in alt(figure)
    assert "this one, landed at 22:12" in alt(figure)


def test_a_route_without_a_past_has_but_one_arrow() -> None:
    asked, landed = pd.Timestamp("2013-07-09 03:00"), pd.Timestamp("2013-07-09 09:00")
    figure = features.timeline(NIGHTLY, DAILY, asked, landed, "UA to SAT")
    assert len(arrows(figure)) == 1
    assert "finds nothing that is young enough" in alt(figure)


def test_a_count_that_is_too_old_is_no_past() -> None:
    asked, landed = pd.Timestamp("2013-07-10 16:12"), pd.Timestamp("2013-07-10 22:12")
    old = pd.Series([0.5], pd.to_datetime(["2013-07-07 04:00"]))
    figure = features.timeline(old, DAILY, asked, landed, "UA to SAT")
    assert len(arrows(figure)) == 1
    assert "50%" in [text.get_text() for text in figure.axes[0].texts]


def test_replay_counts_the_months_in_which_the_leak_did_harm() -> None:
    aucs = pd.DataFrame(
        {
            "without history": [0.63, 0.73],
            "as of then": [0.65, 0.73],
            "by date, as measured": [0.79, 0.83],
            "by date, as served": [0.64, 0.68],
        },
        index=[4, 5],
    )
    text = alt(features.replay(aucs))
    assert "by date, as measured 0.810, by date, as served 0.660" in text
    assert "in 1 of 2 months" in text
