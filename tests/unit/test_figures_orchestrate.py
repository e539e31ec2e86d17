"""The charts of lesson 11: schedules, retries and transforms are computed as the engines do it, and alt texts say the numbers."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest
from alt_text import alt

from course.controls import Explorer
from course.figures import orchestrate


def test_a_run_starts_when_its_month_is_over() -> None:
    april = next(run for run in orchestrate.runs(switched_on=1, catchup=True, days_late=0) if run.month == 4)
    assert april.starts == april.works == datetime.date(2013, 5, 1)
    assert not april.is_backfill


def test_december_starts_in_the_next_year() -> None:
    december = orchestrate.runs(switched_on=1, catchup=True, days_late=3)[-1]
    assert (december.starts, december.works) == (datetime.date(2014, 1, 1), datetime.date(2014, 1, 4))


def test_catchup_makes_up_for_all_that_was_missed() -> None:
    made = orchestrate.runs(switched_on=4, catchup=True, days_late=0)
    assert [run.month for run in made] == list(range(1, 13))
    assert [run.month for run in made if run.is_backfill] == [1, 2, 3]
    assert {run.starts for run in made if run.is_backfill} == {datetime.date(2013, 4, 15)}


def test_without_catchup_the_newest_is_made_and_nothing_before_it() -> None:
    made = orchestrate.runs(switched_on=4, catchup=False, days_late=0)
    assert [run.month for run in made] == list(range(3, 13))
    assert [run.month for run in made if run.is_backfill] == [3]


def test_a_schedule_that_begins_later_has_no_runs_before() -> None:
    assert [run.month for run in orchestrate.runs(6, True, 0, first=5)] == list(range(5, 13))


def test_a_backfilled_run_does_not_wait_for_data_that_are_there() -> None:
    january, march = (orchestrate.runs(switched_on=4, catchup=True, days_late=20)[place] for place in (0, 2))
    assert january.works == january.starts
    assert (march.starts, march.works) == (datetime.date(2013, 4, 15), datetime.date(2013, 4, 21))


@pytest.mark.parametrize("month", [1, 6, 12])
def test_calendar_shows_a_run_for_each_month(month: int) -> None:
    figure = orchestrate.calendar(switched_on=month, catchup=True, days_late=5)
    assert len(figure.axes[0].patches) == 12
    assert "waits 5 days" in alt(figure)


def test_calendar_says_which_months_have_none() -> None:
    figure = orchestrate.calendar(switched_on=6, catchup=False, days_late=0)
    assert sum(text.get_text() == "no run" for text in figure.axes[0].texts) == 4
    assert "At once it makes up for: May. Then each month from Jun to Dec" in alt(figure)


def test_first_attempt_that_succeeds_is_the_last() -> None:
    assert orchestrate.attempts(outage=0, retries=3, delay=5, growing=True, takes=4) == [
        orchestrate.Attempt(0, 4, True)
    ]


def test_even_retries_are_as_far_apart_as_the_delay() -> None:
    made = orchestrate.attempts(outage=100, retries=3, delay=5, growing=False)
    assert [attempt.start for attempt in made] == [0, 6, 12, 18]
    assert not any(attempt.succeeded for attempt in made)


def test_growing_retries_double_the_delay_and_outlast_the_fault() -> None:
    made = orchestrate.attempts(outage=20, retries=3, delay=5, growing=True)
    assert [attempt.start for attempt in made] == [0, 6, 17, 38]
    assert [attempt.succeeded for attempt in made] == [False, False, False, True]


def test_retries_draws_each_attempt_and_says_how_it_ends() -> None:
    figure = orchestrate.retries(outage=20, delay=5)
    assert len(figure.axes[0].patches) == 1 + 1 + 4 + 4  # the fault, and the attempts of three policies
    said = alt(figure)
    assert "no retry: 1 attempt, a person is called at 1 min" in said
    assert "3 retries, even: 4 attempts, a person is called at 19 min" in said
    assert "3 retries, growing: 4 attempts, done at 42 min" in said


def test_spread_merges_the_counts_of_all_workers() -> None:
    counts = {"span-01": {"JFK": (1, 4), "EWR": (2, 5)}, "span-02": {"JFK": (2, 8)}}
    figure = orchestrate.spread(counts)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "JFK: 3 / 12 = 0.250" in shown
    assert "EWR: 2 / 5 = 0.400" in shown
    assert "JFK 3 of 12, 0.250" in figure.course_alt


def test_beside_has_a_bar_for_each_component_and_runner() -> None:
    seconds = pd.DataFrame({"FnApiRunner": [4.3, 18.2], "Flink": [30.8, 38.8]}, index=["StatisticsGen", "Transform"])
    figure = orchestrate.beside(seconds)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [4.3, 18.2, 30.8, 38.8]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["StatisticsGen", "Transform"]
    assert "StatisticsGen 4 on FnApiRunner, 31 on Flink; Transform 18 on FnApiRunner, 39 on Flink" in alt(figure)


@pytest.mark.parametrize(
    ("draw", "controls", "start"),
    [
        (orchestrate.calendar, {"switched_on": (1, 12), "catchup": True, "days_late": (0, 25, 5)}, "middle of Jun"),
        (orchestrate.retries, {"outage": (0, 90, 5), "delay": (1, 15)}, "lasts 20 minutes"),
    ],
)
def test_figures_work_with_controls(draw, controls, start: str) -> None:
    data, _ = Explorer(draw, None, controls)._parts()[0]
    assert start in data["text/plain"]
