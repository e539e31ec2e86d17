"""What decides about a retraining: each policy on both sides of its limit, together, and held back."""

from __future__ import annotations

import dataclasses
import datetime
import math

import pytest

from operation import policy
from operation.policy import (
    AllOf,
    AnyOf,
    Calendar,
    CalibrationGap,
    Drift,
    Guards,
    Loss,
    Never,
    NewRows,
    Past,
    Situation,
)
from operation.quality import Estimate, Quality
from operation.report import Distance

NOW = Situation(datetime.date(2013, 8, 1), "2013-07", trained=datetime.date(2013, 3, 1), new_rows=8000)


def worth(auc: float = 0.7, gap: float = 0.0, wide: float = 0.05, cost: float = 0.6, log_loss: float = 0.5) -> Quality:
    ends = Estimate(gap, gap - wide, gap + wide)
    return Quality(2000, 0.31 + gap, 0.31, Estimate(auc), ends, Estimate(log_loss), Estimate(cost))


def with_(**known) -> Situation:
    return dataclasses.replace(NOW, **known)


FAR, NEAR = Distance("temp", "drift", 0.5, 0.1), Distance("carrier", "drift", 0.05, 0.1)

CASES = [
    (Calendar(5), NOW, True, 5),
    (Calendar(6), NOW, False, 5),
    (Calendar(1), with_(day=datetime.date(2013, 3, 31)), False, 0),
    (Calendar(1), with_(day=datetime.date(2014, 3, 1)), True, 12),
    (NewRows(8000), NOW, True, 8000),
    (NewRows(8001), NOW, False, 8000),
    (Drift(), with_(distances=(FAR, NEAR)), True, 1),
    (Drift(2), with_(distances=(FAR, NEAR)), False, 1),
    (Drift(2, limit=0.04), with_(distances=(FAR, NEAR)), True, 2),
    (Drift(), with_(distances=(NEAR,)), False, 0),
    (CalibrationGap(0.04), with_(quality=worth(gap=-0.05)), True, 0.05),
    (CalibrationGap(0.04), with_(quality=worth(gap=0.05)), True, 0.05),
    (CalibrationGap(0.06), with_(quality=worth(gap=-0.05)), False, 0.05),
    (CalibrationGap(0.04, surely=True), with_(quality=worth(gap=-0.05)), False, 0.0),
    (CalibrationGap(0.04, surely=True), with_(quality=worth(gap=-0.1)), True, 0.05),
    (CalibrationGap(0.04, surely=True), with_(quality=worth(gap=0.1)), True, 0.05),
    (Loss(0.02), with_(quality=worth(0.67), baseline=worth(0.7)), True, 0.03),
    (Loss(0.04), with_(quality=worth(0.67), baseline=worth(0.7)), False, 0.03),
    (Loss(0.02), with_(quality=worth(0.73), baseline=worth(0.7)), False, -0.03),
    (Loss(0.1, "cost"), with_(quality=worth(cost=0.8), baseline=worth()), True, 0.2),
    (Loss(0.1, "log_loss"), with_(quality=worth(log_loss=0.4), baseline=worth()), False, -0.1),
]


@pytest.mark.parametrize(("one", "situation", "retrain", "measured"), CASES)
def test_a_policy_decides_by_its_measure_and_says_both_numbers(one, situation, retrain, measured):
    found = one.decide(situation)
    assert found.retrain is retrain
    assert found.measured == pytest.approx(measured)
    assert found.limit is not None
    assert found.policy == repr(one)
    assert found.reason.endswith(".")


NOTHING_KNOWN = [
    (CalibrationGap(0.04), NOW, "No label of 2013-07 has come for the model in service."),
    (CalibrationGap(1, surely=True), with_(quality=worth(wide=math.nan)), "The gap of 2013-07 has no interval."),
    (Loss(0.02), NOW, "No label of 2013-07 has come for the model in service."),
    (Loss(0.02), with_(quality=worth()), "There is no baseline."),
    (Loss(0.02), with_(quality=worth(math.nan), baseline=worth()), "The auc is undefined."),
    (Drift(), NOW, "No distances of columns were measured."),
    (Never(), NOW, "No retraining is planned."),
]


@pytest.mark.parametrize(("one", "situation", "reason"), NOTHING_KNOWN)
def test_what_is_not_known_is_no_reason_to_retrain(one, situation, reason):
    found = one.decide(situation)
    assert (found.retrain, found.reason, found.measured) == (False, reason, None)


def test_a_first_model_is_due_at_once():
    assert Calendar(3).decide(with_(trained=None)).retrain


def test_july_is_seen_by_the_gap_and_not_by_the_auc():
    """The numbers of July 2013: 10 % was said, 31 % happened, and the AUC went from 0.716 to 0.674 within its interval."""
    july = with_(quality=worth(0.674, -0.21), baseline=worth(0.68))
    assert not Loss(0.02).decide(july).retrain
    found = CalibrationGap(0.04).decide(july)
    assert found.retrain
    said = "10.0% was said in 2013-07 and 31.0% happened: 21.0 points apart; a training is due beyond 4."
    assert found.reason == said


def test_several_policies_are_asked_together():
    yes, no = Calendar(1), NewRows(9000)
    assert AnyOf((no, yes)).decide(NOW) == yes.decide(NOW)
    neither = AnyOf((no, Never())).decide(NOW)
    assert neither.reason == f"{no.decide(NOW).reason} No retraining is planned."
    assert not neither.retrain
    assert AllOf((yes, no)).decide(NOW) == no.decide(NOW)
    both = AllOf((yes, NewRows(10))).decide(NOW)
    assert both.retrain
    assert "5 months ago" in both.reason
    assert "8,000 labelled rows" in both.reason
    assert AllOf((yes, AnyOf((no, yes)))).decide(NOW).retrain


LAST = [Past(datetime.date(2013, 7, 10), "2013-06")]
SAME = [Past(datetime.date(2013, 7, 31), "2013-07")]


@pytest.mark.parametrize(
    ("situation", "guards", "past", "why"),
    [
        (with_(refused="300 rows are in Celsius."), Guards(), [], "the data of 2013-07 were refused: 300 rows"),
        (with_(refused="bad.", asked="by Ada: try."), Guards(), [], "the data of 2013-07 were refused: bad."),
        (with_(new_rows=0), Guards(), [], "no labelled rows have come since the last training."),
        (NOW, Guards(cool_down=30), LAST, "the last retraining was 22 days ago, and 30 are to pass."),
        (NOW, Guards(budget=1), LAST, "1 retraining has used the budget of 365 days up."),
        (NOW, Guards(), SAME, "with the labels up to 2013-07 it was tried already."),
    ],
)
def test_a_guard_holds_back_what_a_policy_wants_and_says_why(situation, guards, past, why):
    found = policy.decide(situation, Calendar(1), guards, past)
    assert not found.retrain
    assert f" Not now: {why}" in found.reason
    free = dataclasses.replace(situation, refused="", new_rows=1)
    assert policy.decide(free, Calendar(1)).retrain


def test_guards_let_through_what_they_are_not_about():
    within = Guards(cool_down=22, budget=2)
    assert policy.decide(NOW, Calendar(1), within, LAST).retrain
    old = [Past(datetime.date(2012, 7, 10), "2012-06")]
    assert policy.decide(NOW, Calendar(1), Guards(budget=1), old).retrain
    assert policy.decide(NOW, Calendar(9), Guards(cool_down=90), LAST) == Calendar(9).decide(NOW)


def test_what_is_asked_for_by_hand_needs_no_policy_and_waits_for_no_guard():
    asked = with_(asked="Ada: a new airport opens.")
    found = policy.decide(asked, Never(), Guards(cool_down=90, budget=1), [*LAST, *SAME])
    assert (found.retrain, found.policy) == (True, "by hand")
    assert found.reason == "Asked for by hand: Ada: a new airport opens."


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        *((Calendar, {"months": one}) for one in (0, True, None)),
        (NewRows, {"rows": -1}),
        *((Drift, one) for one in ({"columns": 0}, {"limit": 0.0})),
        *((CalibrationGap, {"limit": one}) for one in (math.nan, math.inf, True)),
        *((Loss, one) for one in ({"limit": 0.0}, {"limit": 0.1, "measure": "gap"})),
        *((kind, {"policies": ()}) for kind in (AnyOf, AllOf)),
        *((Guards, {name: value}) for name, value in (("cool_down", -1), ("budget", 0), ("days", 0))),
    ],
)
def test_settings_that_always_or_never_retrain_are_refused(make, settings):
    with pytest.raises(ValueError, match=rf"{make.__name__}.*(is a number|name policies|measure is)"):
        make(**settings)


def test_what_a_setting_is_by_default_may_be_given():
    assert (Drift(1, None), Guards(0, None)) == (Drift(), Guards())


def test_words_of_a_policy_tell_apart_all_that_its_file_says():
    rules = [(Calendar(1), Guards()), (Calendar(2), Guards()), (Calendar(1), Guards(budget=3)), (Never(), Guards())]
    rules += [(AnyOf((one, NewRows(5))), guards) for one, guards in rules]
    assert len({policy.words(*one) for one in rules}) == len(rules)
    assert policy.words(Calendar(1)) == policy.words(Calendar(1), Guards())
