"""The charts of lesson 13: mistakes of an alarm are counted on both sides, and alt texts say the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from alt_text import alt
from parcels_project import PARCELS, month

from course.figures import monitor
from operation.policy import Calendar, Never
from operation.replay import replay

MONTHS = pd.DataFrame(
    {
        "period": ["2013-04", "2013-04", "2013-05", "2013-08", "2013-09"],
        "gap": [-0.10, 0.05, 0.01, 0.09, -0.02],
        "loss": [-0.02, 0.03, 0.05, 0.00, 0.01],
        "saved": [20.0, -1.0, 8.0, -2.0, 0.5],
        "needed": [True, False, True, False, False],
    }
)


@pytest.mark.parametrize(
    ("by", "limit", "expected"),
    [("gap", 0.04, (2, 1)), ("gap", 0.08, (1, 1)), ("loss", 0.02, (1, 1)), ("loss", 0.2, (0, 2))],
)
def test_mistakes_are_false_alarms_and_missed_ones(by, limit, expected):
    assert monitor.mistakes(MONTHS, by, limit) == expected


def test_a_gap_counts_to_either_side_and_of_the_auc_only_a_loss():
    assert monitor.mistakes(MONTHS.assign(gap=-MONTHS.gap), "gap", 0.04) == monitor.mistakes(MONTHS, "gap", 0.04)
    assert monitor.mistakes(MONTHS.assign(loss=-0.3), "loss", 0.02) == (0, 2)


def test_alarms_are_told_for_the_months_that_the_limit_is_chosen_on_and_for_the_others():
    words = alt(monitor.alarms(MONTHS, ["2013-04", "2013-05"])(by="gap", limit=0.04))
    assert "chosen on Apr to May, 3 points: 1 false alarms, 1 asleep of 2" in words
    assert "tried on Aug to Sep, 2 points: 1 false alarms, 0 asleep of 0" in words


def test_a_year_is_told_month_by_month():
    served = pd.DataFrame(
        {
            "period": ["2013-07", "2013-08"],
            "auc": [0.714, 0.7],
            "auc_low": [0.67, 0.6],
            "auc_high": [0.76, 0.8],
            "said": [0.15, 0.16],
            "happened": [0.312, 0.25],
            "cost": [78.1, 64.4],
            "promised_auc": [0.657, 0.66],
            "promised_cost": [35.0, 36.0],
        }
    )
    assert "Jul: AUC 0.71, said 15%, happened 31%, cost 78, promised 35; Aug: AUC 0.70" in alt(monitor.year(served))


def test_policies_are_told_with_their_cost_and_when_each_retrained():
    periods = {name: month(f"{name}-01", 200, 0.2, 0.2, seed=3)[1] for name in ("2026-01", "2026-02", "2026-03")}
    learn = lambda _: lambda period: np.full(len(periods[period]), 0.1)  # noqa: E731
    found = {
        "never": replay(periods, learn, Never(), PARCELS, ["2026-01"]),
        "monthly": replay(periods, learn, Calendar(1), PARCELS, ["2026-01"]),
    }
    words = alt(monitor.policies(found))
    assert f"never: {found['never'].cost:.2f}, retrained never" in words
    assert f"monthly: {found['monthly'].cost:.2f}, retrained Mar" in words


def test_labels_that_an_action_has_changed_lower_the_auc_and_those_held_out_do_not():
    draw = np.random.default_rng(3)
    said = draw.random(4000)
    rows = pd.DataFrame({"said": said, "late": (draw.random(4000) < said).astype(int), "period": "2013-07"})
    rows = rows.assign(day=np.arange(4000) % 28, held_out=np.arange(4000) % 4 == 0)
    rows["seen"] = rows.late.where(rows.held_out | (rows.said < PARCELS.costs.threshold), 0)
    words = alt(monitor.measured(rows, PARCELS.costs))
    means = dict(part.rsplit(" ", 1) for part in words.split("Means: ")[1].rstrip(".").split(", "))
    assert float(means["as it is"]) == pytest.approx(float(means["by the flights held out"]), abs=0.05)
    assert float(means["by all labels that are seen"]) < float(means["as it is"]) - 0.1
