"""Lab 2, tasks 5 and 6: noise is what a bootstrap finds, and a gate is judged by what it lets through."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import lab_two
import numpy as np
import pytest
from google.protobuf import json_format

from judges.lab_2 import candidate_predictions, check_gate, roc_auc
from judges.lab_2.candidate_predictions import GOOD, KINDS, NAMES, SLICES

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
SWEEP = ["student-1", *(pytest.param(f"student-{number}", marks=pytest.mark.long) for number in range(2, 6))]
"""Five ids, the first of them in each run, as in all other tests; the others have the gates and noise of a student of their own as well."""


pb: Any = None


@pytest.fixture(scope="module", autouse=True)
def _tfma():
    """TFMA's messages bring TensorFlow along: only in the worker that needs them, and not while all of them collect."""
    globals().update(pb=importlib.import_module("tensorflow_model_analysis.proto.config_pb2"))


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


# --- Task 5 -------------------------------------------------------------------------------------------------------


def area(labels, ranks, counts):
    """The area under the curve of flights of which each was drawn so often; a draw need not be sorted for it."""
    late, other = (np.bincount(ranks, counts * (labels == one)) for one in (1, 0))
    return (late * (other.cumsum() - other / 2)).sum() / (late.sum() * other.sum())


@functools.cache
def bootstrap(seed):
    """Differences of areas in 200 draws of flights, of shape (200, 2), for all flights and each slice: of the same flights, and of a draw for each of the two models."""
    table, rng, found = candidate_predictions.table(seed), np.random.default_rng(7), {}
    models, labels = (table.shown[GOOD].scores, table.baseline), table.labels
    ranks = {
        name: [np.unique(one[mask], return_inverse=True)[1] for one in models] for name, mask in table.masks.items()
    }
    for _ in range(200):
        draws = [np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels)) for _ in range(2)]
        for name, mask in table.masks.items():
            good = area(labels[mask], ranks[name][0], draws[0][mask])
            found.setdefault(name, []).append([good - area(labels[mask], ranks[name][1], one[mask]) for one in draws])
    return {name: np.array(values) for name, values in found.items()}


def truth(lab, factor=1.0, power=1):
    return {name: factor * value**power for name, value in candidate_predictions.table(lab.seed).noise.items()}


def deviations(lab, draws=200, paired=True):
    return {name: float(np.std(values[:draws, 0 if paired else 1])) for name, values in bootstrap(lab.seed).items()}


def alone(lab):
    table = candidate_predictions.table(lab.seed)
    scores = table.shown[GOOD].scores
    return {n: roc_auc.noise(table.labels[m], scores[m], scores[m] * 0) for n, m in table.masks.items()}


def itself(lab):
    table = candidate_predictions.table(lab.seed)
    after, before = table.areas(table.shown[GOOD].scores), table.areas(table.baseline)
    return {name: abs(after[name] - before[name]) for name in after}


NOISE = {
    "a bootstrap": (deviations, 2, ""),
    "a short bootstrap": (lambda lab: deviations(lab, draws=120), 2, ""),
    "the formula": (truth, 2, ""),
    "rounded": (lambda lab: {name: round(value, 3) for name, value in truth(lab).items()}, 2, ""),
    "one model alone": (alone, 0, "both areas from the same draw"),
    "a draw for each model": (lambda lab: deviations(lab, paired=False), 0, "both areas from the same draw"),
    "the difference itself": (itself, 0, "both areas from the same draw"),
    "the variance": (lambda lab: truth(lab, power=2), 0, "both areas from the same draw"),
    "an interval": (lambda lab: truth(lab, 3.92), 0, "both areas from the same draw"),
    "three times too large": (lambda lab: truth(lab, 3), 0, "is too large. What is asked"),
    "by the number of draws": (lambda lab: truth(lab, 200**-0.5), 0, "is too small. What is asked"),
    "the same for all": (lambda lab: dict.fromkeys(truth(lab), truth(lab)["all"]), 1, "It is not for "),
    "all only": (lambda lab: {"all": 0.004}, 0, "a dictionary with the keys"),
    "nothing": (lambda lab: dict.fromkeys(truth(lab), 0), 0, "between 0 and 1"),
    "text": (lambda lab: dict.fromkeys(truth(lab), "0.004"), 0, "between 0 and 1"),
}


@pytest.mark.parametrize("what", NOISE)
def test_noise_is_what_a_bootstrap_finds(lab, what):
    make, points, told = NOISE[what]
    got, message = lab_two.evaluate(lab, "noise", noise=make(lab))
    assert (got, told in message) == (points, True), message


# --- Candidates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", SWEEP)
def test_candidates_are_what_the_text_says(tmp_path, student):
    table = candidate_predictions.table(lab_two.lab(tmp_path, student).seed)
    everyone = [*table.shown.values(), *table.hidden]
    assert {one.kind for one in table.hidden} == {GOOD, *KINDS}
    for one in everyone:
        changes, areas = table.changes(one), table.areas(one.scores)
        worst = min(changes[name] for name in NAMES)
        assert {
            GOOD: changes["all"] > 3 and worst > -1 and max(areas.values()) < 0.8,
            "chance": 0 < changes["all"] < 1.5 and worst > -1,
            "worse": changes["all"] < -1,
            "slice": changes["all"] > 3 and worst < -3,
            "leak": areas["all"] > 0.88,
        }[one.kind]
    failing = {min(NAMES, key=table.changes(one).get) for one in everyone if one.kind == "slice"}
    assert failing == set(NAMES)


# --- Task 6 -------------------------------------------------------------------------------------------------------


def demand(gain=None, most=None, least=None, columns=(), **where):
    """A threshold for a slice, or for each slice of columns."""
    threshold = pb.MetricThreshold()
    if gain is not None:
        threshold.change_threshold.direction = pb.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = gain
    for bound, value in (("upper_bound", most), ("lower_bound", least)):
        if value is not None:
            getattr(threshold.value_threshold, bound).value = value
    return pb.PerSliceMetricThreshold(
        slicing_specs=[pb.SlicingSpec(feature_values=where, feature_keys=columns)], threshold=threshold
    )


def gate(*demands):
    area = pb.MetricConfig(class_name="AUC", per_slice_thresholds=demands)
    return pb.EvalConfig(
        metrics_specs=[pb.MetricsSpec(metrics=[area])],
        slicing_specs=[spec for one in demands for spec in one.slicing_specs],
    )


def right(lab, gain=2.2, loss=2.0, most=0.84, columns=tuple(SLICES), noise=None):
    """A demand on all flights, and one on each slice."""
    noise = noise or truth(lab)
    slices = [(column, name) for column in columns for name in SLICES[column]]
    return gate(
        demand(gain * noise["all"], most), *[demand(-loss * noise[name], **{column: name}) for column, name in slices]
    )


def judge(lab, config, name="gate/eval_config.pbtxt"):
    path = lab.workspace / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(config if isinstance(config, str) else str(config))
    return lab_two.evaluate(lab, "gate")


def relative(lab):
    """The demand on all flights in the map of thresholds of the specification, and relative to the baseline."""
    table, config = candidate_predictions.table(lab.seed), right(lab)
    overall = config.metrics_specs[0].metrics[0].per_slice_thresholds.pop(0).threshold
    change = overall.change_threshold
    change.relative.value = change.absolute.value / table.areas(table.baseline)["all"]
    change.ClearField("absolute")
    config.slicing_specs.add(feature_keys=["origin"])
    thresholds = config.metrics_specs[0].per_slice_thresholds["auc"].thresholds
    thresholds.add(slicing_specs=[pb.SlicingSpec()], threshold=overall)
    return config


def with_more(lab):
    """More metrics and slices, and what does not count here."""
    config = right(lab)
    config.metrics_specs[0].metrics[0].per_slice_thresholds.append(demand(-1.0, hour="17"))
    config.slicing_specs.extend(
        [pb.SlicingSpec(feature_keys=["hour"]), pb.SlicingSpec(feature_keys=["hour", "carrier"])]
    )
    config.model_specs.add(signature_name="serving_default", label_key="target", prediction_key="probability")
    config.options.compute_confidence_intervals.value = True
    config.metrics_specs[0].metrics.add(class_name="ExampleCount")
    calibration = config.metrics_specs[0].metrics.add(class_name="Calibration")
    calibration.per_slice_thresholds.append(demand(least=0.5, most=2))
    return config


RIGHT = {
    "in the middle": right,
    "strict": lambda lab: right(lab, 2.8, 1.5, 0.81),
    "generous": lambda lab: right(lab, 1.7, 2.7, 0.87),
    "from a bootstrap": lambda lab: right(lab, noise=deviations(lab)),
    "relative, in the map of the specification": relative,
    "with more metrics and model_specs": with_more,
}


@pytest.mark.parametrize("student", SWEEP)
def test_gates_between_the_kinds_pass_for_each_student(tmp_path, student):
    lab = lab_two.lab(tmp_path, student)
    assert {what: judge(lab, make(lab)) for what, make in RIGHT.items()} == dict.fromkeys(RIGHT, (5, ""))


def test_gate_as_json_passes_and_two_gates_do_not(lab):
    assert judge(lab, json_format.MessageToJson(right(lab)), "gate/eval_config.json") == (5, "")
    points, message = judge(lab, right(lab))
    assert (points, "two gates" in message) == (0, True)


@pytest.mark.parametrize("student", SWEEP)
def test_no_rule_of_thumb_is_right_for_any_student(tmp_path, student):
    """One limit for all slices, whatever it is; and floors without a baseline, whatever they are."""
    lab = lab_two.lab(tmp_path, student)
    table = candidate_predictions.table(lab.seed)
    noise, areas = table.noise, table.areas(table.baseline)
    limits = np.linspace(0.5 * min(noise.values()), 4 * max(noise.values()), 11)
    alike = [
        judge(lab, right(lab, noise=dict.fromkeys(noise, limit) | {"all": noise["all"]}, loss=1)) for limit in limits
    ]
    assert max(points for points, _ in alike) < 5
    for below in np.linspace(-0.05, 0.02, 7):
        floors = [demand(least=areas[n] + below, **{column: n}) for column in SLICES for n in SLICES[column]]
        assert judge(lab, gate(demand(least=areas["all"] + below, most=0.84), *floors))[0] <= 1


def without_slicing(lab):
    config = right(lab)
    del config.slicing_specs[1:]
    return config


def upside_down(lab):
    config = right(lab)
    first = config.metrics_specs[0].metrics[0].per_slice_thresholds[0].threshold.change_threshold
    first.direction = pb.MetricDirection.LOWER_IS_BETTER
    return config


def shown_only(lab):
    """Fits the five that were shown: the one slice that failed, and a limit beside the leak that was seen."""
    table = candidate_predictions.table(lab.seed)
    name = min(NAMES, key=table.changes(table.shown["slice"]).get)
    column = next(column for column in SLICES if name in SLICES[column])
    return gate(demand(2.2 * table.noise["all"], 0.905), demand(-2 * table.noise[name], **{column: name}))


def cross_slices(lab):
    config = right(lab)
    config.cross_slicing_specs.add()
    return config


def of_metric(**settings):
    return lambda lab: pb.EvalConfig(metrics_specs=[pb.MetricsSpec(metrics=[pb.MetricConfig(**settings)])])


WRONG = {
    "blesses everything": (lambda lab: gate(demand(-1.0, 1.0)), 0, "refuses no kind of bad ones"),
    "refuses everything": (lambda lab: gate(demand(1.0)), 0, "refuses a good candidate, `good` (its area is"),
    "any gain will do": (lambda lab: right(lab, gain=0.0), 3, "better only by chance"),
    "asks for too much": (lambda lab: right(lab, gain=6), 0, "refuses a good candidate"),
    "a loss is allowed": (lambda lab: right(lab, gain=-2.0), 2, "candidates that are worse overall, among them"),
    "nothing is too good": (lambda lab: right(lab, most=1.0), 3, "trained on the leak"),
    "no model may be as good": (lambda lab: right(lab, most=0.75), 0, "and you ask for `upper_bound` 0.75"),
    "only the airports": (lambda lab: right(lab, columns=["origin"]), 3, "worse on a slice"),
    "only the parts of the day": (lambda lab: right(lab, columns=["part"]), 3, "worse on a slice"),
    "no slices at all": (lambda lab: right(lab, columns=[]), 3, "worse on a slice"),
    "slices may not lose anything": (lambda lab: right(lab, loss=0), 0, "a change of +"),
    "slices may lose a lot": (lambda lab: right(lab, loss=8), 3, "worse on a slice"),
    "the noise of all flights for each slice": (
        lambda lab: right(lab, noise=dict.fromkeys(NAMES, truth(lab)["all"]) | {"all": truth(lab)["all"]}),
        0,
        "HIGHER_IS_BETTER",
    ),
    "fits what was shown": (shown_only, 2, "one that you have not seen"),
    "a value instead of a change": (lambda lab: gate(demand(most=0.84, least=0.76)), 0, "against another model"),
    "thresholds of slices that are not computed": (without_slicing, 0, "not computed (`slicing_specs`)"),
    "the wrong direction": (upside_down, 0, "LOWER_IS_BETTER"),
    "nothing demanded": (lambda lab: gate(), 0, "no threshold at all"),
    "no metrics": (lambda lab: "slicing_specs {}", 0, "has no metrics"),
    "no proto": (lambda lab: "auc > 0.7", 0, "is no EvalConfig"),
    "empty": (lambda lab: "", 0, "has no metrics"),
    "another column": (lambda lab: gate(demand(0.0, columns=["weekday"])), 0, "slices by 'weekday'"),
    "comparing slices": (cross_slices, 0, "uses `cross_slicing_specs`"),
    "another metric": (of_metric(class_name="Precision"), 0, "uses the metric 'Precision'"),
    "a metric of their own": (of_metric(class_name="AUC", module="os"), 0, "leave out the `module`"),
    "another curve": (of_metric(class_name="AUC", config='{"curve": "PR"}'), 0, "can hold `num_thresholds`"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_gate_is_told(lab, what):
    make, points, told = WRONG[what]
    got, message = judge(lab, make(lab))
    assert told in message
    assert got == points


def test_no_gate_and_one_that_leads_out_are_told(lab):
    points, message = lab_two.evaluate(lab, "gate")
    assert (points, "There is no file" in message) == (0, True)
    (lab.workspace / "gate").mkdir()
    (lab.workspace / "gate" / "eval_config.pbtxt").symlink_to("/etc/passwd")
    points, message = lab_two.evaluate(lab, "gate")
    assert (points, "leads out" in message) == (0, True)


@pytest.mark.long
def test_verdicts_are_those_of_tfma(tmp_path):
    """Metrics and thresholds as TFMA itself computes and applies them, on some flights: it takes three seconds for each thousand.

    TFMA takes thresholds of a change from a table only if it is told that there is a baseline.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.utils import config_util

    lab, few, judged = lab_two.lab(tmp_path), slice(500), (GOOD, "slice", "leak")
    whole = candidate_predictions.table(lab.seed)
    masks = {name: mask[few] for name, mask in whole.masks.items()}
    baseline = whole.baseline[few]
    shown = {kind: candidate_predictions.Candidate(kind, whole.shown[kind].scores[few], baseline) for kind in judged}
    table = candidate_predictions.Table(whole.flights[few], masks, baseline, shown, [])
    frame = table.flights[["target", "origin", "part", "hour"]].astype({"hour": int, "target": int})
    frame = frame.assign(baseline=baseline, **{kind: one.scores for kind, one in shown.items()})
    config = right(lab)
    for name in ("Calibration", "MeanLabel", "MeanPrediction", "ExampleCount"):
        config.metrics_specs[0].metrics.add(class_name=name)
    config.slicing_specs.add(feature_keys=["part"])
    own = pb.EvalConfig()
    own.CopyFrom(config)
    for name in (*judged, "baseline"):
        own.model_specs.add(name=name, label_key="target", prediction_key=name, is_baseline=name == "baseline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            model_eval_lib,
            "_update_eval_config_with_defaults",
            lambda eval_config, *_, **__: config_util.update_eval_config_with_defaults(eval_config, has_baseline=True),
        )
        tfma.analyze_raw_data(frame, own, output_path=str(tmp_path / "evaluation"))
    verdict = tfma.load_validation_result(str(tmp_path / "evaluation"))
    assert not verdict.missing_slices
    refused = {one.metric_key.model_name for per in verdict.metric_validations_per_slice for one in per.failures}
    gate_ = check_gate.Gate(config, table)
    assert {kind for kind, one in shown.items() if gate_.failures(one)} == refused
    for kind, one in shown.items():
        found = dict(tfma.load_eval_result(str(tmp_path / "evaluation"), model_name=kind).slicing_metrics)
        for key, mask in gate_.slices.items():
            for name, value in gate_.measured(one.scores, mask).items():
                assert found[key][""][""][name]["doubleValue"] == pytest.approx(value, abs=5e-4), (name, key)
