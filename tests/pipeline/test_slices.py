"""The evaluation in the pipeline: slices that are no column, intervals, a demand on one airline."""

from __future__ import annotations

import ledger
import pytest

from flights.config import Config, Demand
from flights.data import read_month

# Lesson 08 shows slices and intervals for each change.
pytestmark = pytest.mark.long

SETTINGS = {
    "months": (1, 2),
    "train_epochs": 2,
    "guarded": (),
    "min_auc": 1.0,  # no model is blessed, and none becomes a baseline
}
INTERVALS = SETTINGS | {"slices": (), "confidence_intervals": "jackknife"}
"""Each slice with intervals is evaluated twenty times: they are shown on all flights alone."""


@pytest.fixture(scope="module")
def judged(run, make_config) -> dict:
    """The metrics of a model trained on January and judged on February, with intervals."""
    config = make_config(**INTERVALS)
    run(config)
    return metrics(config)


@pytest.fixture(scope="module")
def sliced(run, judged, make_config) -> Config:
    """The same model, judged by part of the day, and by airport and hour; and with a demand on one airline."""
    demands = (Demand("AUC", by=("carrier",), only=("DL",), at_least=0.99),)
    slices = (("part_of_day",), ("origin", "hour"))
    # A pipeline of another output would train anew: so what follows reads the newest evaluation, and runs no other.
    config = make_config(**SETTINGS | {"min_auc": 0.0, "slices": slices}, demands=demands)
    states = {report.node: report.state for report in run(config)}
    assert (states["Trainer"], states["Evaluator"]) == ("cached", "done")
    return config


def metrics(config: Config) -> dict:
    """The metrics of the newest evaluation by slice."""
    import tensorflow_model_analysis as tfma

    result = tfma.load_eval_result(ledger.last_output(config, "Evaluator", "evaluation").uri)
    return {key: found[""][""] for key, found in result.slicing_metrics}


def test_interval_lies_around_the_value(judged):
    auc = judged[()]["auc"]["boundedValue"]
    assert auc["lowerBound"] < auc["value"] < auc["upperBound"]


def test_intervals_of_two_evaluations_are_alike(run, judged, make_config):
    """TFMA draws anew each time. The demand differs, so that the Evaluator runs again; the model and the flights are the same."""
    before = judged[()]["auc"]["boundedValue"]
    again = make_config(**INTERVALS | {"min_auc": 0.99})
    states = {report.node: report.state for report in run(again)}
    assert (states["Trainer"], states["Evaluator"]) == ("cached", "done")
    after = metrics(again)[()]["auc"]["boundedValue"]
    assert after["value"] == before["value"]
    widths = [found["upperBound"] - found["lowerBound"] for found in (before, after)]
    assert max(widths) < 3 * min(widths)


def test_flights_are_counted_by_part_of_the_day_and_by_airport_and_hour(sliced):
    february = read_month(sliced.data_root, 2)
    counts = {key: found["example_count"]["doubleValue"] for key, found in metrics(sliced).items()}
    assert counts[()] == len(february)
    assert counts[("part_of_day", "00-09"),] == (february.sched_dep_time < 900).sum()
    jfk_at_17 = ((february.origin == "JFK") & (february.sched_dep_time // 100 == 17)).sum()
    assert counts[("hour", 17), ("origin", "JFK")] == jfk_at_17


def test_airline_below_its_demand_is_enough_for_a_refusal(sliced):
    import tensorflow_model_analysis as tfma

    found = tfma.load_validation_result(ledger.last_output(sliced, "Evaluator", "evaluation").uri)
    (missed,) = found.metric_validations_per_slice
    assert [(key.column, key.bytes_value) for key in missed.slice_key.single_slice_keys] == [("carrier", b"DL")]
    assert ledger.last_output(sliced, "Evaluator", "blessing").custom_properties["blessed"].int_value == 0
