"""Views of models from results made by hand: each odd thing that an evaluation or a search can hold, without TensorFlow."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from course import views
from course.controls import Explorer
from course.views import calibration_view, demands, evaluation, evaluation_plots, parallel_axis, tuning_results


def single(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """A metric as TFMA's `EvalResult` has it, with an interval if there is one."""
    if low is None:
        return {"doubleValue": value}
    return {"boundedValue": {"value": value, "lowerBound": low, "upperBound": high}}


def result(
    slices: dict[tuple[Any, ...], dict[str, Any]], drawn: dict[tuple[Any, ...], dict[str, Any]] | None = None
) -> Any:
    """An `EvalResult`: metrics and plots by slice."""
    metrics = [(key, {"": {"": values}}) for key, values in slices.items()]
    return SimpleNamespace(
        slicing_metrics=metrics, plots=[(k, {"": {"": v}}) for k, v in (drawn or {}).items()], config=None
    )


def origin(name: str, *more: tuple[str, Any]) -> tuple[Any, ...]:
    """A slice by the airport."""
    return (("origin", name), *more)


PLAIN = result(
    {
        (): {"auc": single(0.68, 0.66, 0.70), "example_count": single(2000), "mean_squared_error": single(0.2)},
        origin("JFK"): {"auc": single(0.61, 0.5, 0.72), "example_count": single(70), "mean_squared_error": single(0.3)},
        origin("EWR"): {"auc": single(0.75), "example_count": single(1300), "mean_squared_error": single(0.1)},
        origin("LGA"): {"auc": single(0.0), "example_count": single(9), "mean_squared_error": single(0.15)},
        (("hour", 5),): {"auc": single(0.7), "example_count": single(30)},
        (("hour", 10),): {"auc": single(0.6), "example_count": single(30)},
        origin("JFK", ("hour", 5)): {"auc": single(0.65), "example_count": single(20)},
        origin("X"): {"__ERROR__": {"debugMessage": "too few examples"}},
    }
)


def rows(view: Any) -> list[str]:
    """The first cells of a table in plain text."""
    lines = repr(view).splitlines()
    ruled = next(i for i, line in enumerate(lines) if line.startswith("---"))
    return [line.split("  ")[0] for line in lines[ruled + 1 :] if line.strip() and "  " in line]


# --- slices


def test_slices_are_in_the_order_that_is_asked_for() -> None:
    assert rows(views.slices(PLAIN, by="origin"))[0] == "all examples"
    assert rows(views.slices(PLAIN, sort="auc", by="origin"))[1:] == [
        "origin = JFK",
        "origin = EWR",
        "origin = LGA",
        "origin = X",
    ]
    assert rows(views.slices(PLAIN, sort="-examples", by="origin"))[1:3] == ["origin = EWR", "origin = JFK"]
    assert rows(views.slices(PLAIN, by="hour", sort="slice"))[1:] == ["hour = 5", "hour = 10"]
    with pytest.raises(KeyError, match="auc, mean_squared_error"):
        views.slices(PLAIN, sort="accuracy")


def test_an_interval_is_shown_where_there_is_one_and_nowhere_else() -> None:
    text = repr(views.slices(PLAIN, by="origin"))
    assert "0.610  0.500 to 0.720" in text
    assert "95% interval" not in repr(views.slices(PLAIN, "mean_squared_error", by="origin"))


def test_a_slice_without_a_value_says_why() -> None:
    text = repr(views.slices(PLAIN, by="origin"))
    assert "no value" in text
    assert "Without a value: 2 of 4 slices" in text
    assert "labels are alike" in text or "too few examples" in text


def test_slices_of_crossed_columns_are_found_in_any_order_and_wrong_ones_are_named() -> None:
    for by in (["hour", "origin"], ("origin", "hour"), "origin × hour"):
        assert len(rows(views.slices(PLAIN, by=by))) == 2
    with pytest.raises(KeyError, match="There are: hour, origin, origin × hour"):
        views.slices(PLAIN, by="carrier")


def test_hundreds_of_slices_are_folded_and_the_figure_shows_the_worst() -> None:
    many = result(
        {(("town", f"T{i}"),): {"auc": single(0.5 + i / 1000), "example_count": single(i)} for i in range(1, 401)}
    )
    view = views.slices(many, rows=30)
    assert "370 more slices" in view.text
    assert "<details>" in view.markup
    figure = views.slice_plot(many)
    assert "town = T1 0.501" in figure.alt
    assert "T300" not in figure.alt
    assert "first 30 of 400" in repr(figure)
    width = figure.parts[0]._metadata["image/png"]["width"]
    assert width <= 900


def test_the_plot_starts_with_the_worst_and_numbers_stay_in_their_order() -> None:
    assert views.slice_plot(PLAIN, by="origin").alt.index("JFK") < views.slice_plot(PLAIN, by="origin").alt.index("EWR")
    loss = views.slice_plot(PLAIN, "mean_squared_error", by="origin").alt
    assert loss.index("JFK 0.300") < loss.index("EWR 0.100")
    hours = views.slice_plot(PLAIN, by="hour").alt
    assert hours.index("hour = 5") < hours.index("hour = 10")


def test_a_minimum_counts_the_slices_below_it() -> None:
    text = repr(views.slice_plot(PLAIN, by="origin", minimum=0.73))
    assert "Below what is demanded: 1 of 2 slices. With the whole interval: 1." in text


def test_an_evaluation_without_slices_or_metrics_says_what_to_add() -> None:
    with pytest.raises(KeyError, match="SlicingSpec"):
        views.slices(result({(): {"auc": single(0.7)}}), by="origin")
    with pytest.raises(ValueError, match="MetricConfig"):
        views.slices(result({(): {}}))


def test_two_slices_held_against_each_other_have_a_name() -> None:
    crossed = ((("origin", "JFK"),), (("origin", "EWR"),))
    assert evaluation.result_key(crossed) == (("", "origin = EWR against origin = JFK"),)
    assert evaluation.slice_name(evaluation.result_key(crossed)) == "origin = EWR against origin = JFK"


def test_a_metrics_class_has_the_name_that_tfma_gives_it() -> None:
    named = {"AUC": "auc", "AUCPrecisionRecall": "auc_precision_recall", "ExampleCount": "example_count"}
    assert {name: demands.snake(name) for name in named} == named


# --- against the baseline


def test_a_model_is_held_against_a_second_evaluation() -> None:
    other = result(
        {(): {"auc": single(0.6)}, origin("JFK"): {"auc": single(0.65)}, origin("EWR"): {"auc": single(0.7)}}
    )
    table = views.against_baseline(PLAIN, other, by="origin").table()
    assert table.loc["origin = JFK", "change"] == pytest.approx(-0.04)
    assert list(table.index)[:3] == ["all examples", "origin = JFK", "origin = EWR"]
    assert math.isnan(table.loc["origin = LGA", "change"])


def test_less_of_a_loss_is_a_gain() -> None:
    one = "mean_squared_error"
    other = result({(): {one: single(0.2)}, origin("JFK"): {one: single(0.2)}, origin("EWR"): {one: single(0.2)}})
    found = views.against_baseline(PLAIN, other, one, by="origin")
    assert list(found.table().index)[1:3] == ["origin = JFK", "origin = EWR"]
    assert "Worse on 1 of 2 slices. Furthest: origin = JFK (+0.100). Largest gain: origin = EWR (-0.100)." in repr(
        found
    )


def test_changes_with_intervals_say_which_leave_out_zero() -> None:
    both = {"auc": single(0.7), "auc_diff": single(0.02, 0.01, 0.03)}
    one = result({(): both, origin("JFK"): {"auc": single(0.7), "auc_diff": single(0.02, -0.01, 0.05)}})
    text = repr(views.against_baseline(one))
    assert "0.680 to 0.700 (+0.020, +0.010 to +0.030)" in text
    assert "On 0 of 1 the interval leaves out zero" in text


def test_without_a_baseline_the_error_says_how_to_get_one() -> None:
    with pytest.raises(ValueError, match="is_baseline=True"):
        views.against_baseline(PLAIN)
    with pytest.raises(KeyError, match="No model 'older'"):
        views.against_baseline(PLAIN, "older")


# --- thresholds and calibration


def matrix(threshold: float, tp: float, fp: float, tn: float, fn: float) -> dict[str, float]:
    return {
        "threshold": threshold,
        "truePositives": tp,
        "falsePositives": fp,
        "trueNegatives": tn,
        "falseNegatives": fn,
    }


PLOTS = result(
    {(): {"auc": single(0.7)}},
    {
        (): {
            "confusionMatrixAtThresholds": {
                "matrices": [matrix(0.0, 30, 70, 0, 0), matrix(0.5, 20, 10, 60, 10), matrix(1.0, 0, 0, 70, 30)]
            },
            "calibrationHistogramBuckets": {
                "buckets": [
                    {"upperThresholdExclusive": 0.0, "numWeightedExamples": 0.0},
                    {
                        "lowerThresholdInclusive": 0.1,
                        "upperThresholdExclusive": 0.2,
                        "numWeightedExamples": 60.0,
                        "totalWeightedLabel": 9.0,
                        "totalWeightedRefinedPrediction": 9.0,
                    },
                    {
                        "lowerThresholdInclusive": 0.5,
                        "upperThresholdExclusive": 0.6,
                        "numWeightedExamples": 40.0,
                        "totalWeightedLabel": 4.0,
                        "totalWeightedRefinedPrediction": 22.0,
                    },
                ]
            },
        }
    },
)


@pytest.mark.parametrize(("miss", "best", "cost"), [(1.0, 0.5, 0.2), (10.0, 0.0, 0.7), (0.1, 1.0, 0.03)])
def test_the_operating_point_follows_the_cost_of_a_miss(miss: float, best: float, cost: float) -> None:
    found = views.thresholds(PLOTS, cost_miss=miss)
    assert found.threshold == found.best == best
    assert found.rates["cost"] == pytest.approx(cost)


def test_rates_are_those_of_the_definition() -> None:
    rates = views.thresholds(PLOTS, at=0.52).rates
    assert rates["recall"] == pytest.approx(2 / 3)
    assert rates["precision"] == pytest.approx(2 / 3)
    assert rates["false_positive_rate"] == pytest.approx(1 / 7)
    assert rates["alarms"] == pytest.approx(0.3)
    text = repr(views.thresholds(PLOTS, cost_miss=2))
    assert "No alarm at all costs 0.6, an alarm for all 0.7." in text


def test_an_operating_point_may_be_best_by_a_metric() -> None:
    assert views.thresholds(PLOTS, metric="accuracy").threshold == 0.5
    with pytest.raises(KeyError, match="cost, recall"):
        views.thresholds(PLOTS, metric="auc")


def test_without_plots_the_error_says_which_metric_to_add() -> None:
    with pytest.raises(ValueError, match="ConfusionMatrixPlot"):
        views.thresholds(PLAIN)
    with pytest.raises(ValueError, match="CalibrationPlot"):
        views.calibration(PLAIN)
    with pytest.raises(KeyError, match="There are: all examples"):
        views.calibration(PLOTS, "origin = JFK")


def test_calibration_compares_what_was_predicted_with_what_was_observed() -> None:
    found = views.calibration(PLOTS)
    assert (found.predicted, found.observed) == (pytest.approx(0.31), pytest.approx(0.13))
    assert found.error == pytest.approx(0.4 * 0.45)
    assert list(found.table()["examples"]) == [60, 40]
    assert "In 1 of 2 groups" in repr(found)


def test_groups_hold_about_as_many_examples_each_and_lose_none() -> None:
    side = evaluation_plots.plots(PLOTS, "buckets")[""]["all examples"].buckets
    fine = np.repeat(side[:1], 1000, axis=0)
    assert calibration_view.grouped(fine, 10)[:, 0] == pytest.approx(6000)
    assert calibration_view.grouped(fine, 10, "width")[:, 0].sum() == 60_000


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = calibration_view.wilson(np.array([0.1, 0.0, 3.5]), np.array([100.0, 10.0, 5.0]))
    assert (low[0], high[0]) == (pytest.approx(0.0552, abs=1e-3), pytest.approx(0.1744, abs=1e-3))
    assert low[1] == pytest.approx(0, abs=1e-9)
    assert math.isnan(low[2])


# --- trials


def records(folder: Path, found: list[dict[str, Any]]) -> Path:
    """TFX's tuner results."""
    (folder / "tuner_results.json").write_text(json.dumps(found))
    return folder


def kept(folder: Path, name: str, values: dict[str, Any], status: str = "COMPLETED", **scores: float) -> None:
    """A trial as KerasTuner keeps it: its loss over two steps, and metrics that are better when higher."""
    space = [{"class_name": "Float", "config": {"name": "rate", "sampling": "log"}}]
    metrics = {
        key: {"direction": "min" if "loss" in key else "max", "observations": [{"value": [score], "step": 0}]}
        for key, score in scores.items()
    }
    state = {"trial_id": name, "hyperparameters": {"space": space, "values": values}, "metrics": {"metrics": metrics}}
    state |= {"score": scores.get("val_auc"), "status": status}
    path = folder / f"trial_{name}" / "trial.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(state))


TFX = [
    {"trial_id": "2", "score": 0.7, "rate": 0.001, "kind": "relu", "deep": True, "drop": 0.1},
    {"trial_id": "0", "score": 0.6, "rate": 0.1, "kind": "tanh", "deep": False},
    {"trial_id": "1", "score": 0.5, "rate": 0.01, "kind": "tanh", "deep": False, "tuner/bracket": 1},
]


def test_trials_of_tfx_show_the_best_first_and_values_that_do_not_apply_as_dashes(tmp_path: Path) -> None:
    found = views.trials(records(tmp_path, TFX), objective="val_auc")
    assert found.best == {"rate": 0.001, "kind": "relu", "deep": True, "drop": 0.1}
    assert found.score == 0.7
    text = repr(found)
    assert "val_auc" in text
    assert "–" in text
    assert "bracket" not in text
    assert list(found.table()["score"]) == [0.7, 0.6, 0.5]


def test_the_direction_follows_the_order_of_tfx_which_puts_the_best_first(tmp_path: Path) -> None:
    found = views.trials(records(tmp_path, TFX[::-1]))
    assert found.score == 0.5
    assert "lower is better" in repr(found)
    assert views.trials(records(tmp_path, TFX[::-1]), direction="max").score == 0.7


def test_a_single_trial_and_a_search_without_any(tmp_path: Path) -> None:
    found = views.trials(records(tmp_path, TFX[:1]))
    assert found.score == 0.7
    assert "kind relu" in found.alt
    with pytest.raises(ValueError, match="no trial"):
        views.trials(records(tmp_path, []))
    with pytest.raises(FileNotFoundError, match=r"tuner_results\.json"):
        views.trials(tmp_path / "nothing")


def test_trials_of_keras_tuner_know_failed_ones_other_metrics_and_scales(tmp_path: Path) -> None:
    kept(tmp_path, "0", {"rate": 0.01}, val_auc=0.6, val_loss=0.5)
    kept(tmp_path, "1", {"rate": 0.02}, val_auc=0.7, val_loss=0.6)
    kept(tmp_path, "2", {"rate": 0.03}, "FAILED")
    found = views.trials(tmp_path)
    assert found.score == 0.7
    assert "Without a score: 1 of 3." in repr(found)
    assert "failed" in repr(found)
    assert tuning_results.search(tmp_path).scales == {"rate": "log"}
    assert views.trials(tmp_path, "val_loss").best == {"rate": 0.01}
    with pytest.raises(KeyError, match="val_auc, val_loss"):
        views.trials(tmp_path, "accuracy")


def test_a_search_in_which_every_trial_failed_is_shown_without_a_figure(tmp_path: Path) -> None:
    kept(tmp_path, "0", {"rate": 0.01}, "FAILED")
    found = views.trials(tmp_path)
    assert "No trial has a score." in repr(found)
    assert found.alt == ""


@pytest.mark.parametrize(
    ("values", "scale", "kind"),
    [
        ([0.1, 0.2, 0.4], None, "number"),
        ([0.001, 0.01, 0.1], None, "log"),
        ([0.01, 0.02, 0.03], "log", "log"),
        ([0.0, 0.5, 10.0], "log", "number"),
        ([8, 16, 8, 32], None, "steps"),
        (["relu", "tanh"], None, "category"),
        ([True, False], None, "category"),
        ([1, "auto"], None, "category"),
        ([None, None], None, "category"),
    ],
)
def test_an_axis_suits_its_values(values: list[Any], scale: str | None, kind: str) -> None:
    made = parallel_axis.of("x", values, scale)
    assert made.kind == kind
    assert all(0 <= made.place(value) <= 1 for value in values if value is not None)
    assert made.place(None) < 0
    assert all(0 <= place <= 1 for place, _ in made.ticks())


# --- with controls


def test_controls_draw_each_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Explorer] = []
    monkeypatch.setattr(Explorer, "display", lambda self: made.append(self))
    views.explore_slices(PLAIN, by="origin")
    views.explore_thresholds(PLOTS, cost_miss=3)
    views.explore_trials(records(tmp_path, TFX))
    slices, thresholds, trials = made
    assert slices.values["slices_by"] == "origin"
    for control, value in (("slices_by", "hour"), ("order", "fewest examples first"), ("metric", "mean_squared_error")):
        slices.values[control] = value
        assert "image/png" in slices._parts()[0][0]
    thresholds.values["threshold"] = 0.9
    assert "At 0.90" in str(thresholds._parts()[1][0])
    trials.values |= {"show": "drop", "rank": 2}
    assert "Trial 2 by rank" in str(trials._parts()[1][0])
