"""What of watching is of flights, and the year 2013 as it is watched: July, and policies side by side, on the sample."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from flights import columns, data, watch
from flights.config import Config
from flights.watch import PROJECT
from operation import quality
from operation.policy import Calendar, CalibrationGap, Loss, Never
from operation.replay import Replay, replay


@pytest.fixture(scope="module")
def year(root) -> dict[str, pd.DataFrame]:
    """The months of the sample, 2,000 flights each."""
    return {
        f"2013-{month:02d}": pd.read_csv(data.month_path(root / "data" / "flights", month)) for month in range(1, 13)
    }


@pytest.fixture(scope="module")
def learn(year):
    """Logistic regression, each model fitted once, on all later months at once."""
    from flights.references import logistic_regression

    @functools.cache
    def fitted(periods: tuple[str, ...]) -> dict[str, np.ndarray]:
        later = {name: rows for name, rows in year.items() if name > periods[-1]}
        train = pd.concat([year[one] for one in periods])
        said = logistic_regression(train, pd.concat(later.values()))
        ends = np.cumsum([len(rows) for rows in later.values()])[:-1]
        return dict(zip(later, np.split(said, ends), strict=True))

    def learned(periods: Sequence[str]):
        return fitted(tuple(periods)).__getitem__

    return learned


@pytest.fixture(scope="module")
def tried(year, learn):
    """A policy's year, from March on, with a first model of January and February."""

    @functools.cache
    def run(policy) -> Replay:
        return replay(year, learn, policy, PROJECT, ("2013-01", "2013-02"))

    return run


def test_a_flight_is_on_its_day_and_one_without_a_date_on_none():
    dates = [(2013, 7, 4), (2013, "8", 9), (2013, 2, 30), (None, 1, 1), (2013, 1, 128), (2013, 101, 1), (2013, 0, 1)]
    days = PROJECT.day(pd.DataFrame(dates, columns=columns.DATE))
    assert days.tolist() == [pd.Timestamp("2013-07-04"), pd.Timestamp("2013-08-09"), *[pd.NaT] * 5]


def test_costs_are_those_of_the_plan_and_slices_have_words(year):
    assert PROJECT.costs.threshold == 0.25
    made = {name: make(year["2013-07"]) for name, make in PROJECT.slices.items()}
    assert tuple(made) == columns.WATCHED
    assert set(made["origin"]) == {"EWR", "JFK", "LGA"}
    assert set(made["part_of_day"]) == set(columns.PARTS_OF_DAY)


def test_the_key_finds_each_flight(year):
    for rows in year.values():
        assert not rows.duplicated(list(PROJECT.key)).any()


def test_july_has_a_healthy_auc_and_useless_probabilities(tried):
    july = next(one.quality for one in tried(Never()).served if one.period == "2013-07")
    assert july.auc.value == pytest.approx(0.67, abs=0.01)
    assert july.auc.low < 0.69 < july.auc.high
    assert july.said == pytest.approx(0.10, abs=0.01)
    assert july.happened == pytest.approx(0.312, abs=0.001)
    assert july.gap.high < -0.15


def test_what_predictions_promise_is_too_much_when_the_concept_has_moved(year, learn):
    """An AUC estimated without labels (CBPE), on average over the year."""
    model = learn(("2013-01", "2013-02"))
    months = list(year)[2:]
    promised = np.mean([quality.expected(model(one), PROJECT.costs).auc for one in months])
    kept = np.mean([quality.measure(model(one), year[one]["late"], PROJECT.costs).auc.value for one in months])
    assert promised - kept == pytest.approx(0.03, abs=0.015)


def test_a_trigger_by_the_gap_has_most_of_the_gain_with_fewer_trainings(tried):
    never, gap, monthly = tried(Never()), tried(CalibrationGap(0.04)), tried(Calendar(1))
    assert (never.retrainings, gap.retrainings, monthly.retrainings) == (0, 7, 9)
    assert never.cost - gap.cost > 0.85 * (never.cost - monthly.cost) > 5
    assert gap.auc > never.auc + 0.005


def test_a_trigger_by_the_auc_depends_on_what_it_is_compared_with(year, learn, tried):
    """With the pipeline's own baseline, the month before, it fires once, in the wrong season, and is worse than never."""

    def evaluated(periods: Sequence[str]) -> quality.Quality:
        month = periods[-1]
        before = list(year)[list(year).index(month) - 1]
        rows = year[month]
        return quality.measure(learn((before,))(month), rows["late"], PROJECT.costs, PROJECT.day(rows))

    found = replay(year, learn, Loss(0.02), PROJECT, ("2013-01", "2013-02"), baseline=evaluated)
    assert [one.period for one in found.served if one.decision.retrain] == ["2013-10"]
    assert found.cost > tried(Never()).cost
    assert tried(Loss(0.02)).cost < tried(Never()).cost


def test_a_watch_reads_the_log_and_the_labels_of_its_month_and_of_the_month_before(tmp_path):
    config = Config(output_root=str(tmp_path), data_root=str(tmp_path / "data"))
    december = watch.settings(config, 12, labels=tmp_path / "come")
    assert (december.before, december.first, december.last) == ("2013-11-01", "2013-12-01", "2013-12-31")
    assert december.log == (str(tmp_path / "requests.jsonl"),)
    assert december.labels == (str(tmp_path / "come/span-12/flights.csv"),)
    assert december.output_root == str(tmp_path / "monitoring")
    january = watch.settings(config, 1, log=["a", "b"])
    assert (len(january.log), january.before, january.labels_before) == (2, "2012-12-01", ())
    assert january.labels == (str(tmp_path / "data/span-01/flights.csv"),)
    with pytest.raises(ValueError, match="month 13: there are 1 to 12"):
        watch.settings(config, 13)


def test_refused_requests_are_counted_from_what_the_server_says_before_and_after(tmp_path):
    counted = 'serving_requests_total{{version="3",outcome="{}"}} {}\n'
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_text(counted.format("answered", 5))
    after.write_text(counted.format("answered", 9) + counted.format("refused", 2))
    found = watch.settings(Config(output_root=str(tmp_path)), 7, metrics=after, metrics_before=before)
    assert json.loads(found.requests) == {"answered": 4.0, "refused": 2.0}
    after.write_text("<html>")
    with pytest.raises(ValueError, match="not what /metrics of a model server gives"):
        watch.settings(Config(output_root=str(tmp_path)), 7, metrics=after)
    with pytest.raises(ValueError, match="--metrics-before without --metrics"):
        watch.settings(Config(output_root=str(tmp_path)), 7, metrics_before=before)


def test_outcomes_are_a_months_file_and_one_that_is_damaged_is_refused_by_line(root, tmp_path):
    july = PROJECT.outcomes(data.month_path(root / "data" / "flights", 7))
    assert len(july) == 2000
    assert {*columns.KEY, columns.LABEL, "dest"} <= set(july)
    bad = tmp_path / "flights.csv"
    bad.write_text(data.month_path(root / "data" / "flights", 7).read_text().replace(",B6,234,", ",B6,many,"))
    with pytest.raises(data.DataError, match="line 2, column flight"):
        PROJECT.outcomes(bad)
