"""A policy tried on a year that is over: it sees no label before it came, and what it decides has its effect from then on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from parcels_project import PARCELS, month

from operation import quality
from operation.policy import Calendar, CalibrationGap, Drift, Guards, Loss, Never, NewRows
from operation.replay import Learn, replay
from operation.report import Distance

RATES = {"2026-01": 0.2, "2026-02": 0.2, "2026-03": 0.2, "2026-04": 0.4, "2026-05": 0.4, "2026-06": 0.4, "2026-07": 0.4}
"""How often parcels get lost: it moves in April."""

FIRST = ("2026-01",)


@pytest.fixture(scope="module")
def year() -> dict[str, pd.DataFrame]:
    return {name: month(f"{name}-01", 500, rate, rate, seed=3)[1] for name, rate in RATES.items()}


@pytest.fixture
def learn(year) -> Learn:
    """Says the rate of what it has learned from, a little more of heavy parcels. `asked` is what it has learned from each time."""

    def learned(periods: Sequence[str]):
        asked.append(tuple(periods))
        rate = float(np.mean([year[one]["lost"].mean() for one in periods]))
        return lambda period: rate + year[period]["grams"].to_numpy() / 1e6

    asked: list[tuple[str, ...]] = []
    learned.asked = asked
    return learned


def run(year, learn, policy, first=FIRST, **known):
    return replay(year, learn, policy, PARCELS, first, **known)


def when(found) -> list[str]:
    return [one.period for one in found.served if one.decision.retrain]


def test_without_a_retraining_the_first_model_serves_to_the_end(year, learn):
    found = run(year, learn, Never())
    assert [one.period for one in found.served] == list(RATES)[1:]
    assert {one.learned for one in found.served} == {FIRST}
    assert learn.asked == [FIRST]
    april = year["2026-04"]
    by_hand = quality.measure(learn(FIRST)("2026-04"), april["lost"], PARCELS.costs, april["sent"])
    assert found.served[2].quality == by_hand
    assert found.cost == pytest.approx(np.mean([one.quality.cost.value for one in found.served]))


def test_a_gap_is_seen_when_its_labels_have_come_and_gone_after_the_retraining(year, learn):
    found = run(year, learn, CalibrationGap(0.1))
    assert when(found) == ["2026-05"]
    assert found.served[3].learned == ("2026-04",)
    assert found.served[3].decision.measured == pytest.approx(abs(found.served[2].quality.gap.value))
    assert abs(found.served[3].quality.gap.value) < 0.05
    assert found.cost < run(year, learn, Never()).cost


def test_labels_that_come_later_are_seen_later(year, learn):
    assert when(run(year, learn, CalibrationGap(0.1), late=1)) == ["2026-06"]
    assert when(run(year, learn, Calendar(1))) == list(RATES)[2:]
    assert when(run(year, learn, Calendar(1), late=1)) == list(RATES)[3:]


@pytest.mark.parametrize("late", [0, 1, 2])
def test_no_model_learns_from_what_had_no_label_yet(year, learn, late):
    names = list(RATES)
    for one in run(year, learn, Calendar(1), late=late, window=None).served:
        assert names.index(one.learned[-1]) < max(1, names.index(one.period) - late)
        assert one.learned == tuple(names[: len(one.learned)])


def test_a_model_that_has_not_served_yet_is_not_judged_by_the_one_before(year, learn):
    """With labels a month later, those of May, when the old model served, are there when it is decided for July."""
    found = run(year, learn, CalibrationGap(0.1), first=("2026-01", "2026-02"), late=1)
    assert when(found) == ["2026-06"]
    assert found.served[-1].decision.reason == "No label of 2026-05 has come for the model in service."


def test_a_refused_period_is_neither_decided_by_nor_learned_from(year, learn):
    found = run(year, learn, Calendar(1), window=None, refused={"2026-03": "column grams is in ounces."})
    assert when(found) == ["2026-03", "2026-05", "2026-06", "2026-07"]
    assert "refused: column grams is in ounces." in found.served[2].decision.reason
    assert all("2026-03" not in one for one in learn.asked)


def test_guards_hold_a_replay_back_too(year, learn):
    assert when(run(year, learn, Calendar(1), guards=Guards(budget=2))) == ["2026-03", "2026-04"]
    assert when(run(year, learn, Calendar(1), guards=Guards(cool_down=70))) == ["2026-03", "2026-06"]


def test_new_rows_are_those_since_the_newest_that_was_learned_from(year, learn):
    found = run(year, learn, NewRows(1000))
    assert when(found) == ["2026-04", "2026-06"]
    assert [one.decision.measured for one in found.served] == [0, 500, 1000, 500, 1000, 500]


def test_distances_are_measured_from_what_the_model_in_service_learned_from(year, learn):
    asked = []

    def measure(learned, period):
        asked.append((learned, period))
        return [Distance("grams", "drift", 0.5 if period == "2026-03" else 0.0, 0.1)]

    assert when(run(year, learn, Drift(), distances=measure)) == ["2026-04"]
    later = [(("2026-03",), period) for period in ("2026-04", "2026-05", "2026-06")]
    assert asked == [(FIRST, "2026-02"), (FIRST, "2026-03"), *later]


def test_a_baseline_is_the_first_period_in_service_or_what_is_given(year, learn):
    found = run(year, learn, Loss(0.2, "cost"))
    assert when(found) == ["2026-05"]
    first, *_, last = [one.quality.cost.value for one in found.served[:3]]
    assert found.served[3].decision.measured == pytest.approx(last - first)
    dear = quality.measure([0.0], [1], PARCELS.costs)
    assert when(run(year, learn, Loss(0.2, "cost"), baseline=lambda _: dear)) == []


def test_the_table_has_a_row_for_each_period_with_its_reason(year, learn):
    table = run(year, learn, CalibrationGap(0.1)).as_table()
    assert table["period"].tolist() == list(RATES)[1:]
    assert table["learned"].tolist()[-1] == "2026-04"
    assert table["retrained"].sum() == 1
    assert table["reason"][3].endswith("a training is due beyond 10.")
    assert {"auc", "gap_low", "cost_high"} <= {*table}


@pytest.mark.parametrize("first", [(), ("2026-02",), tuple(RATES), ("2026-02", "2026-01")])
def test_the_first_model_learns_from_the_first_periods(year, learn, first):
    with pytest.raises(ValueError, match="name the first of 2026-01"):
        run(year, learn, Never(), first=first)
