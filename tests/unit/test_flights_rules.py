"""Rules that need the rows: how they are written, what each finds, and what it says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from flights import rules
from flights.config import Config

NAN = float("nan")


def of(tag: str, column: str = "x", others: tuple[str, ...] = ("a", "b", "c")) -> rules.Rule:
    """The rule of a tag, in a schema of a few columns."""
    schema = schema_pb2.Schema()
    schema.feature.add(name=column).annotation.tag.append(tag)
    for name in others:
        schema.feature.add(name=name)
    [found] = rules.rules_of(schema)
    return found


def broken(tag: str, earlier: dict | None = None, **columns: list) -> list[bool]:
    """Which rows of a few columns break a rule."""
    frames = [None if part is None else rules.columns_of(pd.DataFrame(part)) for part in (columns, earlier)]
    return rules.find_broken(of(tag), *frames).tolist()


def said(tag: str, earlier: dict | None = None, **columns: list) -> list[str]:
    """The sentences about a few columns."""
    frames = [None if part is None else rules.columns_of(pd.DataFrame(part)) for part in (columns, earlier)]
    return rules.list_broken([of(tag)], frames[0], "month-02", frames[1])


# --- How they are written -----------------------------------------------------------------------------------------


def test_every_tag_of_the_schema_is_a_rule():
    schema = rules.read_schema(Config().schema_file)
    found = rules.rules_of(schema)
    assert len(found) == sum(len(feature.annotation.tag) for feature in schema.feature)
    assert {rule.form for rule in found} == set(rules.FORMS)


@pytest.mark.parametrize(
    "tag", ["hhm", "mean 1 to", "matches ", "hhmm in 2", "hhmm in 0.x", "weekday of a b", "one for each "]
)
def test_tag_that_is_no_rule_is_refused_and_not_forgotten(tag):
    with pytest.raises(ValueError, match=r"schema, column x: .* is no rule; rules are hhmm"):
        of(tag)


def test_rule_about_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="column x: 'one for each a wings' reads wings, which is no column"):
        of("one for each a wings")


def test_rules_load_without_tensorflow():
    """Every prediction needs them, and whoever only reads the schema waits for nothing else."""
    code = "import sys, flights.rules; print({'tensorflow', 'tfx', 'tensorflow_data_validation', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# --- What they find -----------------------------------------------------------------------------------------------


def test_minutes_of_a_time_end_at_59():
    assert broken("hhmm", x=[0, 59, 60, 1275, 2359, 1299, NAN]) == [False, False, True, True, False, True, False]


def test_text_has_to_match_from_end_to_end():
    values = ["JFK", "JFK ", " JFK", "jfk", "JF", "JFKX", "JFK\n", "J\u00a0K", None]
    assert broken("matches [A-Z]{3}", x=values) == [False, True, True, True, True, True, True, True, False]


def test_day_has_to_be_one_of_its_month():
    day = {"a": [2013, 2013, 2012, 2013, 2013, 2013], "b": [2, 2, 2, 4, 13, 1], "c": [28, 29, 29, 31, 1, NAN]}
    assert broken("date of a b c", x=[0] * 6, **day) == [False, True, False, True, True, False]


def test_weekday_has_to_be_that_of_the_date():
    """30 June 2013 was a Sunday. A date that does not exist is another rule's to find."""
    day = {"a": [2013] * 5, "b": [6, 6, 6, 6, 2], "c": [30, 30, 30, 29, 30]}
    assert broken("weekday of a b c", x=[7, 0, 1, 6, 3], **day) == [False, True, True, False, False]


def test_humidity_has_to_follow_from_temperature_and_dew_point():
    """20 degrees Celsius with a dew point of 10 make 52.5 per cent, by the tables of meteorology."""
    weather = {"a": [68.0, 68.0, 20.0, 68.0], "b": [50.0, 50.0, 10.0, NAN], "c": [0.0] * 4}
    assert broken("humidity of a b", x=[52.5, 46.0, 52.5, 0.0], **weather) == [False, True, True, False]


def test_multiple_allows_for_two_decimals():
    assert broken("multiple of 1.15078", x=[0.0, 10.36, 25.32, 11.0, 4.63, NAN]) == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_value_is_held_against_what_most_earlier_flights_have():
    earlier = {"a": ["EWR"] * 3 + ["JFK"], "b": ["SFO"] * 4, "x": [2565, 2565, 2566, 2586]}
    now = {"a": ["EWR", "EWR", "JFK", "LGA", None], "b": ["SFO"] * 5, "x": [2565, 2566, 2565, 9, 9]}
    assert broken("one for each a b", earlier, **now) == [False, True, True, False, False]


def test_value_is_held_against_what_most_flights_of_the_same_hour_have():
    """Not against earlier flights: they are of other days. `a/100` is the hour of a time as HHMM."""
    now = {"a": [900, 915, 959, 1000, 900], "b": [1, 1, 1, 1, 2], "x": [39.0, 39.0, 40.0, 40.0, NAN]}
    assert broken("alike for each a/100 b", {"a": [900] * 9, "b": [1] * 9, "x": [7.0] * 9}, **now) == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_planned_time_is_held_against_that_of_the_route_also_over_midnight():
    earlier = {"a": [900, 1000, 2300], "b": ["JFK"] * 3, "c": ["LAX"] * 3, "x": [1200, 1310, 200]}
    now = {
        "a": [900, 900, 2330, 900, 900],
        "b": ["JFK"] * 4 + ["LGA"],
        "c": ["LAX"] * 5,
        "x": [1215, 1300, 240, NAN, 2300],
    }
    assert broken("minutes after a b c", earlier, **now) == [False, True, False, False, False]


def test_two_columns_that_must_differ():
    assert broken("unlike a", a=["EWR", "EWR", None], x=["SFO", "EWR", "SFO"]) == [False, True, False]


# --- What they say ------------------------------------------------------------------------------------------------


def test_broken_rule_is_a_sentence_with_count_and_first_value():
    assert said("hhmm", x=[1200, 1275, 1299]) == [
        "month-02, column x: 2 of 3 flights are not a time of day as HHMM, with minutes from 00 to 59; the first has 1275."
    ]


def test_share_that_is_tolerated_is_told():
    values = {"x": [1.0] * 9 + [0.5]}
    assert said("multiple of 1 in 0.9", **values) == []
    (sentence,) = said("multiple of 1 in 0.95", **values)
    assert sentence.endswith("1 of 10 flights are not a multiple of 1; the first has 0.5. Up to 5% are tolerated.")


def test_long_value_is_cut():
    (sentence,) = said("matches [A-Z]{3}", x=["A" * 5000])
    assert len(sentence) < 200


@pytest.mark.parametrize(("share", "told"), [(0.24, False), (0.76, True), (0.0, True), (1.0, True), (0.5, False)])
def test_mean_outside_of_its_limits_is_told(share, told):
    late = [1] * int(1000 * share) + [0] * int(1000 * (1 - share))
    assert len(said("mean 0.05 to 0.5", x=late)) == told


def test_mean_of_few_flights_may_be_further_away():
    """Three standard errors: 6 of 10 late flights are chance, 600 of 1,000 are not."""
    assert said("mean 0.05 to 0.5", x=[1] * 6 + [0] * 4) == []
    assert said("mean 0.05 to 0.5", x=[1] * 600 + [0] * 400) == [
        "month-02, column x: the mean is 0.6, and it should be from 0.05 to 0.5."
    ]


def test_mean_of_a_group_is_told_with_the_group_when_it_has_enough_flights():
    late, by = [0, 1] * 100 + [0] * 200 + [1] * 199, ["UA"] * 200 + ["DL"] * 200 + ["B6"] * 199
    assert said("mean 0.1 to 0.6 for each a", x=late, a=by) == [
        "month-02, column x: the mean where a is 'DL' is 0, and it should be from 0.1 to 0.6."
    ]
    assert said("mean 0.1 to 0.6 for each a/8", x=[0] * 200, a=[9] * 200) == [
        "month-02, column x: the mean where a is 8 to 15 is 0, and it should be from 0.1 to 0.6."
    ]


def test_label_that_nothing_ranks_is_told_and_so_is_one_that_is_made_of_the_column():
    time = list(range(1000))
    assert said("AUC 0.56 to 0.8 by a", a=time, x=[0, 1, 1, 0] * 250)[0].startswith(
        "month-02, column x: a alone ranks it with an AUC of 0.500, and that should be from 0.56 to 0.8."
    )
    assert said("AUC 0.56 to 0.8 by a", a=time, x=[0] * 500 + [1] * 500)
    assert said("AUC 0.56 to 0.8 by a", a=time, x=[0] * 400 + [0, 1] * 300) == []
    assert said("AUC 0.56 to 0.8 by a", a=time[:8], x=[0, 1, 1, 0] * 2) == []  # of few flights no order is seen
    assert said("AUC 0.56 to 0.8 by a", a=time, x=[0] * 1000) == []  # one value has no order


@pytest.mark.parametrize(("alike", "told"), [(30, True), (20, False)])
def test_one_value_of_too_many_is_told(alike, told):
    values = [NAN] * 50 + [1970] * alike + list(range(2000, 2100 - alike))
    expected = f"month-02, column x: {alike} of 100 flights have 1970, and no value should have more than 14.00%. "
    assert said("at most 0.14 alike", x=values) == [expected + "Does it stand for a value that is missing?"] * told


def test_value_that_many_had_and_none_has_is_told():
    earlier = {"x": ["UA"] * 90 + ["US"] * 9 + ["HA"]}
    assert said("keeps values of 0.02", earlier, x=["UA"] * 300) == [
        "month-02, column x: no flight has 'US', which 9.0% of the earlier flights have. Are flights left out?"
    ]
    assert said("keeps values of 0.02", earlier, x=["UA"] * 100) == []  # 9 are expected, which may be chance
    assert said("keeps values of 0.02", earlier, x=["UA"] * 300 + ["US"]) == []


@pytest.mark.parametrize(("days", "told"), [(range(1, 29), []), (range(4, 29), []), (range(5, 29), [4])])
def test_days_of_a_month_may_be_missing_up_to_a_limit(days, told):
    flights = {"x": list(days) * 20, "a": [2013] * 20 * len(days), "b": [2] * 20 * len(days)}
    expected = "month-02, column x: no flight on {} of the 28 days of 2013-02, the first is day 1. Is the month whole?"
    assert said("every day of a b but 3", **flights) == [expected.format(gone) for gone in told]


def test_few_flights_need_not_be_of_every_day():
    assert said("every day of a b but 3", x=[1, 2, 3], a=[2013] * 3, b=[2] * 3) == []


def test_rule_about_earlier_flights_waits_until_they_have_the_column():
    assert said("one for each a", {"x": [1]}, x=[1], a=[2]) == []


@pytest.mark.parametrize("columns", [{}, {"x": []}, {"x": ["late"]}, {"x": [None]}])
def test_column_that_is_absent_empty_or_text_is_the_statistics_to_report(columns):
    assert said("hhmm", **columns) == []
    assert said("mean 1 to 2", **columns) == []


def test_missing_values_break_nothing():
    assert said("mean 1 to 2", x=[NAN, NAN]) == []
    assert said("matches [A-Z]{3}", x=[None, None]) == []


def test_value_that_cannot_be_shown_is_still_told_of():
    class Shy:
        def __repr__(self):
            raise RuntimeError

    assert rules.shown(Shy()) == "a Shy"
    assert rules.shown(10**5000) == "a int"
    assert rules.shown(np.float64(1275.0)) == "1275"
