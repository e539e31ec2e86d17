"""What predictions were worth: numbers that scikit-learn and a simulation give as well, by version and slice, and before labels come."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from parcels_project import PARCELS, line, month, outcome
from sklearn.metrics import log_loss, roc_auc_score

from operation import labels, quality
from operation.served_log import DAY


def joined(lines: pd.DataFrame, outcomes: pd.DataFrame) -> labels.Joined:
    rows = lines.assign(time=pd.to_datetime(lines["time"], utc=True, format="ISO8601"), **{DAY: PARCELS.day(lines)})
    return labels.join(rows, outcomes, PARCELS)


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    said = np.round(draw.beta(1, 4, rows), 2)  # with ties
    return said, (draw.random(rows) < said).astype(int)


def test_numbers_are_those_of_scikit_learn():
    said, happened = drawn(3000, 1)
    found = quality.measure(said, happened, PARCELS.costs)
    assert found.rows == 3000
    assert found.auc.value == pytest.approx(roc_auc_score(happened, said), abs=1e-12)
    assert found.log_loss.value == pytest.approx(log_loss(happened, np.clip(said, 1e-7, 1 - 1e-7)), abs=1e-6)
    assert found.gap.value == pytest.approx(said.mean() - happened.mean())


def test_cost_is_that_of_acting_from_the_threshold_on():
    found = quality.measure([0.1, 0.1, 0.2, 0.9], [0, 1, 0, 1], PARCELS.costs)
    assert found.cost.value == (0 + 4 + 1 + 0) / 4
    assert quality.cost_of(np.array([0.19, 0.2]), np.array([1, 1]), PARCELS.costs).tolist() == [4, 0]


@pytest.mark.parametrize("of_days", [False, True])
def test_an_interval_covers_the_true_number_as_often_as_it_says(of_days):
    """300 months whose true numbers are those of all of them together; of 95 % intervals, 93 to 98 % cover them.

    With days, all rows of a day share how probable it is, and intervals that took each row by itself would cover far less.
    """
    draw = np.random.default_rng(7)
    months = []
    for _ in range(300):
        days = np.repeat(np.arange(30), 20)
        shift = np.repeat(draw.normal(size=30), 20) * of_days
        score = draw.normal(size=600)
        happened = (draw.random(600) < 1 / (1 + np.exp(1 - score - shift))).astype(int)
        months.append((1 / (1 + np.exp(1 - score)), happened, days))
    true = quality.measure(*(np.concatenate([one[at] for one in months]) for at in (0, 1)), PARCELS.costs)

    def covered(with_days: bool) -> dict[str, float]:
        found = [quality.measure(p, y, PARCELS.costs, d if with_days else None) for p, y, d in months]

        def share(name: str) -> float:
            number, intervals = getattr(true, name).value, [getattr(one, name) for one in found]
            return float(np.mean([one.low <= number <= one.high for one in intervals]))

        return {name: share(name) for name in ("auc", "gap", "log_loss", "cost")}

    assert {name: share for name, share in covered(True).items() if not 0.92 <= share <= 0.985} == {}
    if of_days:  # what a day has for all its rows moves this most
        assert covered(False)["gap"] < 0.8


def test_the_variance_of_the_auc_is_that_of_delong():
    """By their formula, in the open: components for each row, over all pairs."""
    said, happened = drawn(200, 3)
    positives, negatives = said[happened == 1], said[happened == 0]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)
    found = quality.measure(said, happened, PARCELS.costs).auc
    assert found.value == pytest.approx(wins.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * math.sqrt(variance), rel=0.03)


@pytest.mark.parametrize("happened", [[0, 0, 0], [1, 1, 1]])
def test_what_is_undefined_is_no_number_and_the_rest_is_there(happened):
    found = quality.measure([0.1, 0.2, 0.3], happened, PARCELS.costs)
    assert math.isnan(found.auc.value)
    assert found.gap.value == pytest.approx(0.2 - happened[0])


def test_a_single_day_has_no_interval_and_no_rows_have_no_number():
    one = quality.measure([0.1, 0.9], [0, 1], PARCELS.costs, [7, 7])
    assert one.auc.value == 1
    assert math.isnan(one.auc.low)
    none = quality.measure([], [], PARCELS.costs)
    assert none.rows == 0
    assert math.isnan(none.gap.value)
    with pytest.raises(ValueError, match=r"\(2,\) predictions, and labels \(1,\)"):
        quality.measure([0.1, 0.2], [1], PARCELS.costs)


def test_a_certain_prediction_that_is_wrong_costs_much_and_not_infinitely_much():
    assert quality.measure([0.0, 1.0], [1, 0], PARCELS.costs).log_loss.value == pytest.approx(-math.log(1e-7))


def test_versions_and_slices_divide_the_rows_and_a_shadow_stands_by_itself():
    lines, outcomes = month("2026-01-01", 600, 0.3, 0.3)
    lines["version"] = np.where(lines["number"] % 5 == 0, 4, 3)
    lines["role"] = np.where(lines["version"] == 4, "challenger", "champion")
    shadow = lines.assign(role="shadow", version=5, prediction=0.5)
    outcomes.loc[outcomes["number"] < 50, "depot"] = None
    found = joined(pd.concat([lines, shadow], ignore_index=True), outcomes)
    whole = quality.of(found, PARCELS)
    assert whole.rows == 600
    versions = {part.value: part.quality for part in quality.by_version(found, PARCELS)}
    assert {name: one.rows for name, one in versions.items()} == {"3": 480, "4": 120, "5 (shadow)": 600}
    assert versions["5 (shadow)"].said == 0.5
    parts = quality.by_slice(found, PARCELS)
    assert {(part.by, part.value): part.quality.rows for part in parts} == {
        ("depot", "A"): 275,
        ("depot", "B"): 275,
        ("depot", "missing"): 50,
        ("large", "True"): 200,
        ("large", "False"): 400,
    }
    by_hand = found.rows[(found.rows["role"] != "shadow") & (found.rows["grams"] > 1000)]
    large = next(part.quality for part in parts if (part.by, part.value) == ("large", "True"))
    assert large == quality.measure(by_hand["prediction"], by_hand["lost"], PARCELS.costs, by_hand[DAY])
    assert quality.as_table(parts)["rows"].sum() == 1200
    assert list(quality.as_table(parts)) == ["by", "value", *quality.flat(whole)]


def test_calibration_goes_from_low_to_high_and_has_every_row():
    lines, outcomes = month("2026-01-01", 1000, 0.3, 0.1)
    bins = quality.calibration(joined(lines, outcomes), PARCELS)
    assert len(bins) == quality.BINS
    assert sum(one.rows for one in bins) == 1000
    assert [one.said for one in bins] == sorted(one.said for one in bins)
    assert all(one.happened.value > one.said for one in bins)
    same = quality.calibration(joined(lines.assign(prediction=0.5), outcomes), PARCELS)
    assert [one.rows for one in same] == [1000]
    assert quality.calibration(joined(lines[:0], outcomes), PARCELS) == []


def test_the_expected_auc_is_the_mean_over_what_may_happen():
    said, _ = drawn(400, 5)
    draw = np.random.default_rng(6)
    happened = [(draw.random(400) < said).astype(int) for _ in range(300)]
    found = quality.expected(said, PARCELS.costs)
    assert found.auc == pytest.approx(np.mean([roc_auc_score(one, said) for one in happened]), abs=0.005)
    costs = [quality.cost_of(said, one, PARCELS.costs).mean() for one in happened]
    assert found.cost == pytest.approx(np.mean(costs), abs=0.01)


def test_the_expected_auc_does_not_see_that_the_concept_moved():
    """The same predictions in a world where it happens to all alike: the AUC is lost, and what is expected stays."""
    said, _ = drawn(4000, 5)
    anyhow = (np.random.default_rng(8).random(4000) < 0.3).astype(int)
    assert quality.expected(said, PARCELS.costs).auc > 0.7
    assert quality.measure(said, anyhow, PARCELS.costs).auc.value < 0.53


@pytest.mark.parametrize("said", [[], [0.0, 0.0], [1.0]])
def test_what_cannot_be_expected_is_no_number(said):
    assert math.isnan(quality.expected(said, PARCELS.costs).auc)


def test_an_outcome_without_slices_of_its_own_is_enough():
    found = joined(pd.DataFrame([line(1), line(2)]), pd.DataFrame([outcome(1, 1), outcome(2)]))
    assert quality.of(found, PARCELS).happened == 0.5
