"""What is planted in May: all eight kinds for all students, the same again for the same student, another for another."""

from __future__ import annotations

from collections import Counter

import lab_one
import numpy as np
import pandas as pd
import pytest

from course.labs import csv_files
from judges.lab_1 import delivery_notes, drift, faults, monthly_data
from judges.lab_1.questions import COLUMNS

pytestmark = pytest.mark.xdist_group("tfx")
SEEDS = [lab_one.seed(f"student-{number}") for number in range(30)]


def deliveries_of_all() -> list[faults.Delivery]:
    return [faults.delivery(number) for number in SEEDS]


def test_same_student_gets_the_same_bytes_again():
    for number in SEEDS[:2]:
        before = faults.delivery(number)
        faults.delivery.cache_clear()
        again = faults.delivery(number)
        assert monthly_data.to_csv(again.cells) == monthly_data.to_csv(before.cells)
        assert (again.notes, again.facts, again.news) == (before.notes, before.facts, before.news)


def test_no_two_of_thirty_students_have_the_same_answers():
    answers = [str(delivery.facts) for delivery in deliveries_of_all()]
    assert len(set(answers)) == len(answers)
    for kind in faults.KINDS:  # and hardly two have the same answer to one of the questions
        same = Counter(str(delivery.facts[kind]) for delivery in deliveries_of_all())
        assert len(same) >= (6 if kind in ("column", "renamed") else 10), kind


def test_all_kinds_are_there_in_columns_of_their_own_and_the_notes_say_which_two_are_news():
    for delivery in deliveries_of_all():
        facts, text = delivery.facts, delivery.notes
        assert set(facts) == set(faults.KINDS)
        assert all(found["rows"] >= 5 for found in facts.values() if "rows" in found)
        assert len({found["column"] for found in facts.values() if "column" in found}) == 7
        assert len(delivery.news) == 2
        assert ("value" in delivery.news) == (f"({facts['value']['value']})" in text)
        assert ("column" in delivery.news) == (f"new column, {facts['column']['column']}:" in text)
        assert ("gaps" in delivery.news) == ("instruments" in text)
        assert all(promise in text for promise in delivery_notes.PROMISES)
    assert {delivery.news for delivery in deliveries_of_all()} == {
        ("value", "gaps"),
        ("value", "column"),
        ("gaps", "column"),
    }


@pytest.mark.parametrize("number", SEEDS[:8])
def test_facts_are_what_counting_finds(number):
    """Counted here with other means than those of the generator, against the same May without faults."""
    clean, delivery = faults.delivery(number, ()).cells, faults.delivery(number)
    facts = delivery.facts
    file = delivery.cells.rename(columns={facts["renamed"]["now"]: facts["renamed"]["column"]})
    assert set(file) - set(clean) == {facts["column"]["column"]}
    assert len(file) - len(clean) == facts["duplicates"]["rows"]
    words = pd.to_numeric(file[facts["text"]["column"]].replace("", "0"), errors="coerce").isna()
    assert words.sum() == facts["text"]["rows"]
    assert list(file[facts["gaps"]["column"]]).count("") == facts["gaps"]["rows"] > 0.55 * len(file)
    assert list(file[facts["value"]["column"]]).count(facts["value"]["value"]) == facts["value"]["rows"]
    assert facts["value"]["value"] not in set(clean[facts["value"]["column"]])
    usual = set(clean[facts["range"]["column"]])
    assert sum(cell not in usual for cell in file[facts["range"]["column"]]) == facts["range"]["rows"]


@pytest.mark.parametrize("number", SEEDS[:8])
def test_unit_changes_where_it_says_and_nowhere_else(number):
    clean, changed = faults.delivery(number, ()).cells, faults.delivery(number, ("unit",))
    column, where = changed.facts["unit"]["column"], changed.facts["unit"]["where"]
    touched = changed.cells[column] != clean[column]
    assert set(clean.loc[touched, "origin"]) == ({"EWR", "JFK", "LGA"} if where == "all" else {where})
    here = (clean["origin"] == where) | (where == "all")
    assert touched[here & (clean[column] != "")].mean() > 0.9  # a calm is a calm in any unit
    pd.testing.assert_frame_equal(changed.cells.drop(columns=column), clean.drop(columns=column))


def test_a_value_in_another_unit_is_one_that_can_be():
    """For each column and place: with the narrowest ranges that the course itself uses, those of lesson 05's schema."""
    ranges = {"temp": (-30, 120), "dewp": (-40, 100), "wind_speed": (0, 120), "distance": (50, 6000)}
    ranges["sched_dep_time"] = (1, 2359)
    assert set(ranges) == set(faults.UNITS)
    clean = faults.delivery(SEEDS[0], ()).cells
    for column, (low, high) in ranges.items():
        for number in range(3):
            rng = np.random.default_rng(number)
            changed = pd.to_numeric(faults._unit(column, rng).plant(clean.copy(), rng)[column]).dropna()
            assert changed.between(low, high).all(), column
            assert (changed % 100 < 60).all() or column != "sched_dep_time"


def test_one_kind_is_the_same_with_and_without_the_others():
    for number in SEEDS[:2]:
        for kind in ("text", "range"):
            alone, all_of_them = faults.delivery(number, (kind,)), faults.delivery(number)
            assert alone.facts[kind]["column"] == all_of_them.facts[kind]["column"]
            assert alone.facts[kind]["rows"] <= all_of_them.facts[kind]["rows"]  # days that are there twice


def test_good_months_have_nothing_that_is_planted():
    year = monthly_data.year()
    for column, values in faults.IMPOSSIBLE.items():
        known = year[column].dropna().astype(float)
        assert not {known.min() <= float(value) <= known.max() for value in values} & {True}, column
    assert not set(delivery_notes.CARRIERS) & set(year["carrier"])
    assert not set(delivery_notes.AIRFIELDS) & set(year["origin"])
    assert not {column.name for column in delivery_notes.NEW_COLUMNS} & set(COLUMNS)
    assert not set(faults.RENAMED.values()) & set(COLUMNS)
    assert not monthly_data.month(4).duplicated().any()


def test_file_reads_with_the_types_of_the_delivery(tmp_path):
    path = monthly_data.write(monthly_data.month(2), tmp_path, 2)
    delivered = monthly_data.month(2)
    delivered = delivered.assign(tailnum=delivered.tailnum.where(delivered.tailnum.notna(), None))
    pd.testing.assert_frame_equal(csv_files.read(path), delivered, atol=0.005)


def test_drifted_months_differ_and_repeat():
    stories = [drift.choose(number) for number in SEEDS]
    assert len({(one.month, one.story) for one in stories}) >= 12
    assert {one.month for one in stories} <= set(range(7, 13))
    month, flights = drift.drifted(SEEDS[0])
    pd.testing.assert_frame_equal(flights, drift.drifted(SEEDS[0])[1])
    assert len(flights) == 2000
    assert set(flights["month"]) == {month}
