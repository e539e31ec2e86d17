"""Which dates a project's spans have, whatever their length, and which of them a run reads."""

from __future__ import annotations

import datetime

import pytest

from engines.airflow.calendar import Calendar, CalendarError

MONTHS = Calendar("months", "month", "2013-01-01", 1, 26, "span-{span:02d}/*.csv")
YEARS = Calendar("years", "year", "2019-01-01", 2019, 2022, "{span}/harvest.csv")
WEEKS = Calendar("weeks", "week", "2020-12-27", 1, 60, "week-{span}.csv")  # a Sunday
DAYS = Calendar("days", "day", "2024-02-27", 0, 400, "{span}.csv")


@pytest.mark.parametrize(
    ("calendar", "span", "date"),
    [
        (MONTHS, 1, "2013-01-01"),
        (MONTHS, 12, "2013-12-01"),
        (MONTHS, 13, "2014-01-01"),
        (MONTHS, 22, "2014-10-01"),
        (YEARS, 2019, "2019-01-01"),
        (YEARS, 2022, "2022-01-01"),
        (WEEKS, 2, "2021-01-03"),
        (WEEKS, 53, "2021-12-26"),
        (DAYS, 2, "2024-02-29"),
        (DAYS, 366, "2025-02-27"),
    ],
)
def test_a_span_has_a_date_and_the_date_its_span(calendar, span, date):
    begin = datetime.date.fromisoformat(date)
    assert calendar.date_of(span) == begin
    assert calendar.span_of(begin) == span
    assert calendar.span_of(datetime.datetime(begin.year, begin.month, begin.day, 23, tzinfo=datetime.UTC)) == span
    if span > calendar.first:
        assert calendar.span_of(begin - datetime.timedelta(days=1)) == span - 1


@pytest.mark.parametrize("calendar", [MONTHS, YEARS, WEEKS, DAYS])
def test_dates_before_the_first_and_after_the_last_have_none(calendar):
    before = calendar.date_of(calendar.first) - datetime.timedelta(days=1)
    after = calendar.date_of(calendar.last + 1)
    assert [calendar.span_of(date) for date in (before, after, None)] == [None, None, None]
    assert calendar.span_of(after - datetime.timedelta(days=1)) == calendar.last
    with pytest.raises(CalendarError, match=rf"name the {calendar.unit} in the field `{calendar.field}`"):
        calendar.spans(after, "", 3)


def test_a_run_reads_the_spans_before_its_own_as_far_as_there_are_any():
    assert YEARS.spans(datetime.date(2022, 5, 1), "", 2) == (2020, 2022)
    assert YEARS.spans(datetime.date(2020, 5, 1), "", 3) == (2019, 2020)
    assert YEARS.spans(None, "2021", 1) == (2020, 2021)
    assert YEARS.spans(None, "2019-2022", 1) == (2019, 2022)
    assert MONTHS.spans(None, "14", 3) == (11, 14)
    for asked in ("3", "2018", "2020-2023", "2021-2020", "two"):
        with pytest.raises(CalendarError, match=r"^years="):
            YEARS.spans(None, asked, 1)


def test_the_time_of_the_data_is_said_in_words():
    assert Calendar("months", "month", "2013-01-01", 1, 12, "x").when == "2013"
    assert MONTHS.when == "2013-01 to 2015-02"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": "hour"}, "one of day, week, month, year"),
        ({"start": "January"}, "start='January'"),
        ({"files": "{month}.csv"}, "'month'"),
        ({"field": "my months"}, "field='my months'"),
        ({"first": 27}, "two numbers in order"),
    ],
)
def test_what_is_no_calendar_is_refused(change, told):
    given = {"field": "months", "unit": "month", "start": "2013-01-01", "first": 1, "last": 26, "files": "{span}.csv"}
    with pytest.raises(CalendarError, match=told):
        Calendar(**given | change)
