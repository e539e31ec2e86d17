"""Lab 2, tasks 5 and 6: noise is what a bootstrap finds, and a gate is judged by what it lets through."""

from __future__ import annotations

import json

import lab_two
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from judges.lab_2 import candidate_predictions, check_gate, check_noise, roc_auc
from judges.lab_2.candidate_predictions import GOOD, KINDS, NAMES, SLICES

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
STUDENTS = [f"student-{number}" for number in range(2, 14)]
IN_EACH_RUN = STUDENTS[:3]
"""Students whose candidates are drawn for each change; those of the others are drawn among the long proofs."""


@pytest.fixture
def lab(tmp_path):
    return lab_two.lab(tmp_path)


# --- Task 5 -------------------------------------------------------------------------------------------------------


def areas(labels, scores, times):
    """The area for each draw: `times` says how often each draw has each flight, of shape (draws, flights)."""
    places = np.unique(scores, return_inverse=True)[1]
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    low, high = (np.add.reduceat((times * (labels == kind))[:, order], starts, axis=1) for kind in (0, 1))
    below = np.cumsum(low, axis=1) - low / 2
    return (high * below).sum(axis=1) / (high.sum(axis=1) * low.sum(axis=1))


def test_areas_of_draws_are_those_of_the_flights_drawn():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(2, size=300), rng.random(300).round(2)
    rows = rng.integers(300, size=(5, 300))
    times = np.array([np.bincount(one, minlength=300) for one in rows])
    assert areas(labels, scores, times) == pytest.approx([roc_auc_score(labels[one], scores[one]) for one in rows])


def deviations(seed, *times):
    """Standard deviations of the differences in draws: of the good candidate, and of the baseline where it has draws of its own."""
    table, good = candidate_predictions.table(seed), candidate_predictions.shown(seed)[GOOD].scores
    found = {}
    for name, mask in table.masks.items():
        labels = table.labels[mask]
        of_good, of_baseline = (
            areas(labels, good[mask], times[0][:, mask]),
            areas(labels, table.baseline[mask], times[-1][:, mask]),
        )
        found[name] = float(np.std(of_good - of_baseline))
    return found


def bootstrap(seed, draws=200, paired=True, number=7):
    """Standard deviations of the differences, by drawing flights."""
    rng, size = np.random.default_rng(number), len(candidate_predictions.table(seed).labels)
    flights = rng.integers(size, size=(draws, 1 if paired else 2, size))
    return deviations(
        seed, *np.array([[np.bincount(rows, minlength=size) for rows in one] for one in flights]).swapaxes(0, 1)
    )


def judge_noise(lab, noise):
    return lab_two.evaluate(lab, "noise", noise=noise)


@pytest.mark.parametrize("draws", [120, 300])
def test_bootstrap_passes(lab, draws):
    assert judge_noise(lab, bootstrap(lab.seed, draws)) == (2, "")


def test_formula_passes_and_so_do_rounded_numbers(lab):
    truth = check_noise.truth(lab.seed)
    assert judge_noise(lab, truth) == (2, "")
    assert judge_noise(lab, {name: round(value, 3) for name, value in truth.items()}) == (2, "")


def test_bootstrap_of_labels_apart_passes(lab):
    """Late and punctual flights drawn each for themselves."""
    labels, rng = candidate_predictions.table(lab.seed).labels, np.random.default_rng(1)
    of_kind = [np.flatnonzero(labels == kind) for kind in (0, 1)]
    draws = [np.concatenate([rng.choice(rows, len(rows)) for rows in of_kind]) for _ in range(150)]
    assert judge_noise(
        lab, deviations(lab.seed, np.array([np.bincount(rows, minlength=len(labels)) for rows in draws]))
    ) == (2, "")


def times(factor, names=("all", *NAMES)):
    return lambda lab: {
        name: value * (factor if name in names else 1) for name, value in check_noise.truth(lab.seed).items()
    }


WRONG_NOISE = {
    "each model its own draw": (lambda lab: bootstrap(lab.seed, 60, paired=False), 0, "as if|draw of its own"),
    "the variance": (
        lambda lab: {name: value**2 for name, value in check_noise.truth(lab.seed).items()},
        0,
        "too small",
    ),
    "a width of 95 %": (times(3.92), 0, "too large"),
    "divided by the root of the draws": (times(200**-0.5), 0, "too small"),
    "one for all": (lambda lab: dict.fromkeys(("all", *NAMES), check_noise.truth(lab.seed)["all"]), 1, "It is not for"),
    "twice as large on slices": (times(2, NAMES), 1, "It is not for EWR"),
    "a number": (lambda lab: 0.004, 0, "a dictionary with the keys"),
    "without the parts": (lambda lab: {"all": 0.004, "EWR": 0.006}, 0, "a dictionary with the keys"),
    "nothing": (lambda lab: dict.fromkeys(("all", *NAMES), 0), 0, "between 0 and 1"),
    "text": (lambda lab: dict.fromkeys(("all", *NAMES), "0.004"), 0, "between 0 and 1"),
    "lists": (lambda lab: {key: [0.004] for key in ("all", *NAMES)}, 0, "between 0 and 1"),
}


@pytest.mark.parametrize("what", WRONG_NOISE)
def test_wrong_noise_is_told(lab, what):
    make, points, told = WRONG_NOISE[what]
    got, message = judge_noise(lab, make(lab))
    assert any(one in message for one in told.split("|"))
    assert got == points


def test_formula_and_bootstrap_agree():
    for seed in range(3):
        truth = check_noise.truth(seed)
        found = bootstrap(seed, 300)
        assert all(abs(found[name] / truth[name] - 1) < 0.2 for name in truth)


# --- Candidates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "student", [*IN_EACH_RUN, *(pytest.param(one, marks=pytest.mark.long) for one in STUDENTS[3:])]
)
def test_candidates_are_what_the_text_says(tmp_path, student):
    seed = lab_two.lab(tmp_path, student).seed
    table = candidate_predictions.table(seed)
    hidden = candidate_predictions.hidden(seed)
    assert len(hidden) == 18
    for one in [*candidate_predictions.shown(seed).values(), *hidden]:
        overall = table.change(one.scores, "all")
        slices = {name: table.change(one.scores, name) for name in NAMES}
        largest = max(roc_auc.auc(table.labels[mask], one.scores[mask]) for mask in table.masks.values())
        if one.kind == GOOD:
            assert overall > 3
            assert min(slices.values()) > -1
            assert largest < 0.8
        elif one.kind == "chance":
            assert 0 < overall < 1.5
            assert min(slices.values()) > -1
        elif one.kind == "worse":
            assert overall < -1
        elif one.kind == "slice":
            assert overall > 3
            assert min(slices.values()) < -3
        else:
            assert roc_auc.auc(table.labels, one.scores) > 0.88
    failing = {min(NAMES, key=lambda name: table.change(one.scores, name)) for one in hidden if one.kind == "slice"}
    shown = min(NAMES, key=lambda name: table.change(candidate_predictions.shown(seed)["slice"].scores, name))
    assert failing | {shown} == set(NAMES)


# --- Task 6 -------------------------------------------------------------------------------------------------------


def protos():
    from tensorflow_model_analysis.proto import config_pb2

    return config_pb2


def demand(where, gain=None, most=None, least=None):
    """A threshold for a slice."""
    pb = protos()
    threshold = pb.MetricThreshold()
    if gain is not None:
        threshold.change_threshold.direction = pb.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = gain
    if most is not None:
        threshold.value_threshold.upper_bound.value = most
    if least is not None:
        threshold.value_threshold.lower_bound.value = least
    return pb.PerSliceMetricThreshold(slicing_specs=[pb.SlicingSpec(**where)], threshold=threshold)


def gate(*demands, slices=None):
    pb = protos()
    area = pb.MetricConfig(class_name="AUC", per_slice_thresholds=demands)
    specs = [spec for one in demands for spec in one.slicing_specs] if slices is None else slices
    return pb.EvalConfig(metrics_specs=[pb.MetricsSpec(metrics=[area])], slicing_specs=specs)


def each_slice(noise, factor, **more):
    return [
        demand({"feature_values": {column: name}}, gain=-factor * noise[name], **more)
        for column in SLICES
        for name in SLICES[column]
    ]


def right(lab, gain=2.2, loss=2.0, most=0.84):
    noise = check_noise.truth(lab.seed)
    return gate(demand({}, gain=gain * noise["all"], most=most), *each_slice(noise, loss))


def judge(lab, config, name="gate/eval_config.pbtxt"):
    path = lab.workspace / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(config if isinstance(config, str) else str(config))
    return lab_two.evaluate(lab, "gate")


@pytest.mark.parametrize(
    "student", [*IN_EACH_RUN, *(pytest.param(one, marks=pytest.mark.long) for one in STUDENTS[3:6])]
)
@pytest.mark.parametrize(("gain", "loss", "most"), [(2.2, 2.0, 0.84), (1.7, 1.5, 0.81), (2.8, 2.7, 0.87)])
def test_gates_between_the_kinds_pass(tmp_path, student, gain, loss, most):
    lab = lab_two.lab(tmp_path, student)
    assert judge(lab, right(lab, gain, loss, most)) == (5, "")


def test_gate_from_a_bootstrap_passes(tmp_path):
    for student in IN_EACH_RUN[:2]:
        lab = lab_two.lab(tmp_path, student)
        noise = bootstrap(lab.seed, 150)
        assert judge(lab, gate(demand({}, gain=2.2 * noise["all"], most=0.84), *each_slice(noise, 2))) == (5, "")


def test_gate_as_json_with_model_specs_and_more_metrics_passes(lab):
    from google.protobuf import json_format

    config = right(lab)
    config.model_specs.add(signature_name="serving_default", label_key="target", prediction_key="probability")
    config.metrics_specs[0].metrics.add(class_name="ExampleCount")
    calibration = config.metrics_specs[0].metrics.add(class_name="Calibration")
    calibration.threshold.value_threshold.lower_bound.value = 0.5
    calibration.threshold.value_threshold.upper_bound.value = 2
    config.options.compute_confidence_intervals.value = True
    assert judge(lab, json_format.MessageToJson(config), "gate/eval_config.json") == (5, "")


def test_one_threshold_for_the_slices_of_a_column_passes(lab):
    """By `feature_keys`, in the map of thresholds of the specification, and relative to the baseline."""
    pb, noise = protos(), check_noise.truth(lab.seed)
    table = candidate_predictions.table(lab.seed)
    base = roc_auc.auc(table.labels, table.baseline)
    overall = pb.MetricThreshold()
    overall.change_threshold.direction = pb.MetricDirection.HIGHER_IS_BETTER
    overall.change_threshold.relative.value = 2.2 * noise["all"] / base
    overall.value_threshold.upper_bound.value = 0.84
    config = gate(*each_slice(noise, 2))
    config.slicing_specs.add()
    config.slicing_specs.add(feature_keys=["origin"])
    config.metrics_specs[0].per_slice_thresholds["auc"].thresholds.add(
        slicing_specs=[pb.SlicingSpec()], threshold=overall
    )
    assert judge(lab, config) == (5, "")


def shown_only(lab):
    """Fits the five that were shown: the one slice that failed, and limits beside what was seen."""
    table, shown = candidate_predictions.table(lab.seed), candidate_predictions.shown(lab.seed)
    name = min(NAMES, key=lambda one: table.change(shown["slice"].scores, one))
    column = next(column for column in SLICES if name in SLICES[column])
    noise = check_noise.truth(lab.seed)
    return gate(
        demand({}, gain=2.2 * noise["all"], most=0.905),
        demand({"feature_values": {column: name}}, gain=-2 * noise[name]),
    )


def unsliced(lab):
    config = right(lab)
    del config.slicing_specs[1:]
    return config


def upside_down(lab):
    config = right(lab)
    pb = protos()
    first = config.metrics_specs[0].metrics[0].per_slice_thresholds[0].threshold.change_threshold
    first.direction = pb.MetricDirection.LOWER_IS_BETTER
    return config


def of_all(lab):
    noise = check_noise.truth(lab.seed)
    return gate(
        demand({}, gain=2.2 * noise["all"], most=0.84),
        *[demand({"feature_keys": [column]}, gain=0.0) for column in SLICES],
    )


def origins_only(lab):
    noise = check_noise.truth(lab.seed)
    return gate(
        demand({}, gain=2.2 * noise["all"], most=0.84),
        *[one for one in each_slice(noise, 2) if "origin" in one.slicing_specs[0].feature_values],
    )


def bless_all(lab):
    return gate(demand({}, gain=-1.0, most=1.0))


def refuse_all(lab):
    return gate(demand({}, gain=1.0))


WRONG = {
    "blesses everything": (bless_all, 0, "a door that is always open"),
    "refuses everything": (refuse_all, 0, "Your gate refuses the candidate `good`"),
    "no change demanded": (lambda lab: right(lab, gain=-0.0), 3, "It blesses `chance`"),
    "any gain will do": (lambda lab: right(lab, gain=0.0), 3, "It blesses `chance`"),
    "asks for too much": (lambda lab: right(lab, gain=6), 0, "Your gate refuses"),
    "a loss is allowed": (lambda lab: right(lab, gain=-2.0), 2, "of 3 others that are worse overall it blesses 1"),
    "nothing is too good": (lambda lab: right(lab, most=1.0), 3, "It blesses `leak`"),
    "no model may be as good": (lambda lab: right(lab, most=0.75), 0, "Your gate refuses the candidate `good`"),
    "only the airports": (origins_only, 3, "worse on a slice"),
    "no slices at all": (
        lambda lab: gate(right(lab).metrics_specs[0].metrics[0].per_slice_thresholds[0]),
        3,
        "It blesses `slice`",
    ),
    "slices may not lose anything": (of_all, 0, "Your gate refuses"),
    "slices may lose a lot": (lambda lab: right(lab, loss=8), 3, "`slice`"),
    "fits what was shown": (shown_only, 2, "others that are worse on a slice it blesses"),
    "a value instead of a change": (lambda lab: gate(demand({}, least=0.76, most=0.84)), None, ""),
    "thresholds of slices that are not computed": (unsliced, 0, "not computed (`slicing_specs`)"),
    "the wrong direction": (upside_down, 0, "Your gate refuses the candidate `good`"),
    "nothing demanded": (lambda lab: gate(), 0, "no threshold at all"),
    "no metrics": (lambda lab: "slicing_specs {}", 0, "has no metrics"),
    "no proto": (lambda lab: "auc > 0.7", 0, "is no EvalConfig"),
    "empty": (lambda lab: "", 0, "has no metrics"),
    "another column": (lambda lab: gate(demand({"feature_keys": ["weekday"]}, gain=0.0)), 0, "slices by 'weekday'"),
    "another metric": (
        lambda lab: 'metrics_specs { metrics { class_name: "Precision" } }',
        0,
        "uses the metric 'Precision'",
    ),
    "a metric of their own": (
        lambda lab: 'metrics_specs { metrics { class_name: "AUC" module: "os" } }',
        0,
        "leave `module` out",
    ),
    "a metric with code in its settings": (
        lambda lab: 'metrics_specs { metrics { class_name: "AUC" config: "{\\"curve\\": \\"PR\\"}" } }',
        0,
        "has to be a JSON object",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_gate_is_told(lab, what):
    make, points, told = WRONG[what]
    got, message = judge(lab, make(lab))
    assert told in message
    assert got == points if points is not None else got < 4


def test_no_gate_two_gates_and_one_that_leads_out_are_told(lab):
    points, message = lab_two.evaluate(lab, "gate")
    assert (points, "There is no file" in message) == (0, True)
    (lab.workspace / "gate").mkdir()
    (lab.workspace / "gate" / "eval_config.pbtxt").symlink_to("/etc/passwd")
    points, message = lab_two.evaluate(lab, "gate")
    assert (points, "leads out" in message) == (0, True)
    (lab.workspace / "gate" / "eval_config.pbtxt").unlink()
    judge(lab, right(lab))
    points, message = judge(lab, right(lab), "gate/eval_config.json")
    assert (points, "two gates" in message) == (0, True)


def test_gate_of_another_student_is_worth_less_where_noise_differs(tmp_path):
    """Numbers from elsewhere may fit by chance, the shape of the answer is the same: it never breaks."""
    lab, other = lab_two.lab(tmp_path, "student-2"), lab_two.lab(tmp_path, "student-3")
    points, _ = judge(lab, right(other))
    assert 0 <= points <= 5


@pytest.fixture(scope="module")
def tfma_says(tmp_path_factory):
    """Metrics of each candidate and what refuses it, as TFMA itself computes them for some flights, all in one evaluation.

    TFMA takes thresholds of a change from a table only if it is told that there is a baseline.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.proto import config_pb2
    from tensorflow_model_analysis.utils import config_util

    def complete(eval_config, *_, **__):
        return config_util.update_eval_config_with_defaults(eval_config, has_baseline=True)

    lab = lab_two.lab(tmp_path_factory.mktemp("judged by TFMA"))
    whole, few = candidate_predictions.table(lab.seed), slice(FEW)
    masks = {name: mask[few] for name, mask in whole.masks.items()}
    table = candidate_predictions.Table(whole.flights[few], whole.baseline[few], masks, whole.noise)
    scores = {kind: candidate_predictions.shown(lab.seed)[kind].scores[few] for kind in BY_TFMA}
    frame = table.flights[["target", "origin", "part", "hour"]].astype({"hour": int, "target": int})
    frame = frame.assign(baseline=table.baseline, **scores)
    config = right(lab)
    for name in ("Calibration", "MeanLabel", "MeanPrediction", "ExampleCount"):
        config.metrics_specs[0].metrics.add(class_name=name)
    config.slicing_specs.add(feature_keys=["part"])
    own = config_pb2.EvalConfig()
    own.CopyFrom(config)
    for name in (*BY_TFMA, "baseline"):
        own.model_specs.add(name=name, label_key="target", prediction_key=name, is_baseline=name == "baseline")
    folder = str(tmp_path_factory.mktemp("evaluation"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_eval_lib, "_update_eval_config_with_defaults", complete)
        tfma.analyze_raw_data(frame, own, output_path=folder)
    verdict = tfma.load_validation_result(folder)
    assert not verdict.missing_slices
    refused = {
        failure.metric_key.model_name for one in verdict.metric_validations_per_slice for failure in one.failures
    }
    metrics = {kind: dict(tfma.load_eval_result(folder, model_name=kind).slicing_metrics) for kind in BY_TFMA}
    return config, table, scores, metrics, refused


BY_TFMA = ("good", "slice", "leak")
FEW = 1000
"""Flights that are enough to compare computations: TFMA takes three seconds for each thousand."""


@pytest.mark.parametrize("kind", BY_TFMA)
def test_verdicts_are_those_of_tfma(kind, tfma_says):
    """Metrics and thresholds as TFMA itself computes and applies them."""
    config, table, scores, metrics, refused = tfma_says
    ours = check_gate.Gate(config, table)
    for name, (reported, compute) in check_gate.METRICS.items():
        for key, mask in ours.slices.items():
            value = metrics[kind][key][""][""][reported]["doubleValue"]
            assert value == pytest.approx(compute(table.labels[mask], scores[kind][mask]), abs=2e-4), (name, key)
    assert (kind not in refused) == (not ours.failures(scores[kind])) == (kind == GOOD)


def test_data_says_what_it_writes(lab):
    from judges import lab_2_model

    told = lab_2_model.data(lab)
    written = {path.relative_to(lab.workspace).parts[0] for path in lab.workspace.rglob("*") if path.is_file()}
    assert {line.partition(":")[0].partition("/")[0] for line in told} == written
    assert json.dumps(sorted(KINDS)) == '["chance", "leak", "slice", "worse"]'
