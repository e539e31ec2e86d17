"""Lab 3, task 4: months that are kept apart, and January's blessed model as baseline."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import FEBRUARY, STORE

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


def judge(lab):
    return lab_three.evaluate(lab, "february", store=STORE)


BOTH = {"train": {1: 1000, 2: 1000}, "eval": {1: 1000, 2: 1000}}
RIGHT = {
    "blessed": {},
    "refused": {"is_blessed": False},
    "other names": {"flights": {"old": FEBRUARY["month-01"], "new": FEBRUARY["month-02"]}},
    "a third split": {"flights": {"month-01": {1: 2000}, "all": {1: 2000, 2: 2000}, "month-02": {2: 2000}}},
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_february_passes(lab, store, what):
    store.run()
    store.run(**{"flights": FEBRUARY, **RIGHT[what]})
    assert judge(lab) == (4, "")


def test_one_right_run_among_wrong_ones_is_enough(lab, store):
    store.run()
    store.run(flights=FEBRUARY)
    store.run(flights=FEBRUARY)  # its baseline is February's own
    store.run(flights=FEBRUARY, splits=("month-01", "month-01"))
    assert judge(lab) == (4, "")


WRONG = {
    "not run": (None, 0, "has read January and February"),
    "alone": ({"flights": {"train": {2: 1300}, "eval": {2: 700}}}, 0, "has read January and February"),
    "stops early": ({"until": "Evaluator"}, 0, "has read January and February"),
    "learned from both": ({"flights": BOTH}, 0, "trained with 1,000 of month 1, 1,000 of month 2"),
    "judged on January": ({"splits": ("month-01", "month-01")}, 0, "judged on 2,000 of month 1"),
    "turned round": ({"splits": ("month-02", "month-01")}, 0, "trained with 2,000 of month 2"),
    "scaled with both": ({"analysed": ("month-01", "month-02")}, 0, "scales and vocabularies from"),
    "no such split": ({"splits": ("train", "month-02"), "analysed": ("month-01",)}, 0, "trained with none"),
    "no baseline": ({"baseline": "none"}, 2, "has no baseline"),
    "itself": ({"baseline": "itself"}, 2, "against itself"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_february_is_told(lab, store, what):
    how, points, told = WRONG[what]
    store.run()
    if how is not None:
        store.run(**{"flights": FEBRUARY, **how})
    got, message = judge(lab)
    assert told in message
    assert got == points


def test_baseline_that_was_never_blessed_is_told(lab, store):
    store.run(is_blessed=False)
    store.run(flights=FEBRUARY, baseline=store.at["Trainer"]["model"])
    points, told = judge(lab)
    assert points == 2
    assert "never blessed" in told


def test_baseline_of_another_month_is_told(lab, store):
    store.run(flights=FEBRUARY, baseline="none")
    store.run(flights=FEBRUARY)
    points, told = judge(lab)
    assert points == 2
    assert "not a model of January's" in told or "no baseline" in told
