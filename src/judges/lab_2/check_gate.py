"""Judges the gate by what it blesses and what it refuses: task 6 of lab 2.

The gate is a TFMA EvalConfig, a file. Its thresholds are applied by TFMA's own validator; the metrics that go into it are computed here, in
milliseconds for a candidate, where TFMA takes seconds (a test holds the two against each other).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from google.protobuf.message import Message

from course import checks
from judges.lab_2 import candidate_predictions, roc_auc
from judges.lab_2.candidate_predictions import BASELINE, GOOD, KINDS, Candidate, Table
from judges.shared import workspace_files

NAMES = ("gate/eval_config.pbtxt", "gate/eval_config.json")
COLUMNS = ("origin", "part", "carrier", "hour")
MOST_SLICES = 2000
CANDIDATE = "candidate"

METRICS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "AUC": ("auc", roc_auc.auc),
    "Calibration": (
        "calibration",
        lambda labels, scores: scores.sum() / labels.sum() if labels.any() else float("nan"),
    ),
    "MeanPrediction": ("mean_prediction", lambda labels, scores: float(scores.mean())),
    "MeanLabel": ("mean_label", lambda labels, scores: float(labels.mean())),
    "ExampleCount": ("example_count", lambda labels, scores: float(len(labels))),
}
"""TFMA's metrics that a gate can use here: the name under which TFMA reports each, and how it is computed."""
USED = (
    *("metrics_specs", "metrics", "class_name", "module", "config", "threshold", "thresholds", "per_slice_thresholds"),
    *("slicing_specs", "feature_keys", "feature_values", "example_weights"),
    *("key", "value", "value_threshold", "change_threshold", "lower_bound", "upper_bound"),
    *("absolute", "relative", "direction"),
)
"""Fields of an EvalConfig that this lab has candidates for."""
LOOK = {
    "worse": "Which threshold compares with the baseline? A loss need not be large.",
    "slice": "Which thresholds look at each airport, and at each part of the day, each with its own noise?",
    "chance": "How much may the area grow by chance alone? Task 5 has the number.",
    "leak": "Which threshold says that a result is too good to be true, and what is the most that an honest model reaches?",
}


def judge_gate(lab: checks.Lab) -> None:
    """Blesses the good ones and refuses the bad ones.

    Raises:
        checks.Wrong: it does not. A point for each kind of bad candidates that is refused, if every good one is blessed.
    """
    gate = Gate(read(lab), candidate_predictions.table(lab.seed))
    shown, hidden = gate.table.shown, gate.table.hidden
    for one in (shown[GOOD], *(one for one in hidden if one.kind == GOOD)):
        if failed := gate.failures(one):
            raise checks.Wrong(
                f"Your gate refuses a good candidate, {_named(gate.table, one)}. "
                f"What stops it: {'; '.join(failed[:2])}. A gate that refuses what is good is worth no more than none."
            )
    problems, points = [], 0
    for kind, words in KINDS.items():
        others = [one for one in hidden if one.kind == kind]
        blessed = [one for one in (shown[kind], *others) if not gate.failures(one)]
        points += not blessed
        if blessed:
            problems.append(
                f"It blesses {len(blessed)} of {1 + len(others)} candidates that are {words}, among them {_named(gate.table, blessed[0])}. {LOOK[kind]}"
            )
    if problems:
        said = "Your gate blesses the good candidates" + ("." if points else ", and refuses no kind of bad ones.")
        raise checks.Wrong("\n".join([said, *problems]), points=points)


def _named(table: Table, one: Candidate) -> str:
    """Which one it is, and what it does against its baseline."""
    changes = table.changes(one)
    worst = min(candidate_predictions.NAMES, key=changes.get)
    which = f"`{one.kind}`" if one is table.shown[one.kind] else "one that you have not seen"
    against = "" if one.baseline is table.baseline else ", against another model in production than yours"
    after, before = (table.areas(scores)["all"] for scores in (one.scores, one.baseline))
    return (
        f"{which}{against} (its area is {after:.3f}, and that of the baseline {before:.3f}: a change of {changes['all']:+.1f} standard deviations overall, "
        f"and of {changes[worst]:+.1f} for {worst}, where it is least)"
    )


def read(lab: checks.Lab) -> Any:
    """The student's EvalConfig.

    Raises:
        checks.Wrong: there is none, or it asks for what is not part of this lab.
    """
    from google.protobuf import json_format, text_format
    from tensorflow_model_analysis.proto import config_pb2

    there = [name for name in NAMES if workspace_files.inside(lab, name).is_file()]
    name = there[0] if there else NAMES[0]
    if len(there) > 1:
        raise checks.Wrong(f"There are two gates, {' and '.join(f'`{one}`' for one in there)}: which one counts?")
    content = workspace_files.text(lab, name, "Make the folder, and write your EvalConfig as text, `str(config)`.")
    parse = json_format.Parse if name.endswith(".json") else text_format.Parse
    try:
        config = parse(content, config_pb2.EvalConfig())
    except Exception as error:
        raise checks.Wrong(f"`{name}` is no EvalConfig: {str(error)[:200]}") from error
    for ignored in ("model_specs", "options"):
        config.ClearField(ignored)
    if not any(spec.metrics for spec in config.metrics_specs):
        raise checks.Wrong("Your EvalConfig has no metrics: look at `metrics_specs`.")
    _refuse_strange(config)
    return config


def _refuse_strange(message: Any) -> None:
    """Raises where the configuration, or a part of it, uses what this lab has no candidates for."""
    for field, value in message.ListFields():
        if field.name not in USED:
            raise checks.Wrong(f"Your EvalConfig uses `{field.name}`, which this lab has no use for: leave it out.")
        if field.name in ("feature_keys", "feature_values") and (strange := set(value) - set(COLUMNS)):
            raise checks.Wrong(
                f"Your EvalConfig slices by {min(strange)!r}. The candidates have: {', '.join(COLUMNS)}."
            )
        if field.name == "class_name" and value not in METRICS:
            raise checks.Wrong(
                f"Your EvalConfig uses the metric {value[:40]!r}. Here it can use: {', '.join(METRICS)}."
            )
        if field.name == "module" and value not in ("tensorflow_model_analysis.metrics", "tfma.metrics"):
            raise checks.Wrong(f"The metrics here are TFMA's own: leave out the `module` {value[:40]!r}.")
        if field.name == "config":
            settings = workspace_files.mapping(value, "config of a metric")
            name = METRICS.get(message.class_name, ("",))[0]
            if not set(settings) <= {"name", "num_thresholds"} or settings.get("name", name) != name:
                raise checks.Wrong(
                    "The `config` of a metric can hold `num_thresholds`, and the `name` that it has anyway."
                )
        if field.message_type:
            parts = [value] if isinstance(value, Message) else value.values() if hasattr(value, "values") else value
            for one in parts:
                if isinstance(one, Message):
                    _refuse_strange(one)


class Gate:
    """A configuration, ready to judge candidates of a table."""

    def __init__(self, config: Any, table: Table) -> None:
        """Completes it as TFX's Evaluator does where there is a baseline.

        Raises:
            checks.Wrong: TFMA does not take it, or it asks for too many slices.
        """
        from tensorflow_model_analysis.metrics import metric_specs
        from tensorflow_model_analysis.proto import config_pb2
        from tensorflow_model_analysis.utils import config_util

        own = config_pb2.EvalConfig()
        own.CopyFrom(config)
        own.model_specs.add(name=CANDIDATE, label_key="target", prediction_key=CANDIDATE)
        own.model_specs.add(name=BASELINE, label_key="target", prediction_key=BASELINE, is_baseline=True)
        if not own.slicing_specs:
            own.slicing_specs.add()
        try:
            self.config = config_util.update_eval_config_with_defaults(own, has_baseline=True)
            self.thresholds = metric_specs.metric_thresholds_from_metrics_specs(
                self.config.metrics_specs, eval_config=self.config
            )
        except Exception as error:
            raise checks.Wrong(f"TFMA does not take your EvalConfig: {str(error).strip()[:200]}") from error
        if not self.thresholds:
            raise checks.Wrong("Your EvalConfig has no threshold at all, so it refuses nothing.")
        self.metrics = dict(METRICS[metric.class_name] for spec in own.metrics_specs for metric in spec.metrics)
        self.table = table
        self._before: dict[int, dict[tuple, dict[str, float]]] = {}
        self.slices = {key: mask for key, mask in self._slices(table).items() if self._has_threshold(key)}

    def failures(self, one: Candidate) -> list[str]:
        """What stops a candidate, each as a piece of a sentence; empty when it is blessed."""
        from tensorflow_model_analysis.evaluators import metrics_validator
        from tensorflow_model_analysis.proto import validation_result_pb2

        whole, told = validation_result_pb2.ValidationResult(), []
        before = self._before.setdefault(id(one.baseline), {})  # a table has two, of many candidates
        for key, mask in self.slices.items():
            if key not in before:
                before[key] = self.measured(one.baseline, mask)
            computed = self._computed(self.measured(one.scores, mask), before[key])
            result = metrics_validator.validate_metrics((key, computed), self.config)
            told += [_told(key, failure) for found in result.metric_validations_per_slice for failure in found.failures]
            metrics_validator.merge_details(whole, result)
        missing = metrics_validator.get_missing_slices(whole.validation_details.slicing_details, self.config)
        return told + [
            f"a threshold for a slice that is not computed (`slicing_specs`): {' '.join(str(spec).split()) or 'all flights'}"
            for spec in missing
        ]

    def _has_threshold(self, key: tuple) -> bool:
        """Whether a threshold is of this slice: TFMA reads the whole configuration anew for each slice that it validates."""
        from tensorflow_model_analysis.slicer import slicer_lib

        specs = [spec for one in self.thresholds.values() for spec, _ in one]
        return any(not spec or slicer_lib.SingleSliceSpec(spec=spec).is_slice_applicable(key) for spec in specs)

    def _slices(self, table: Table) -> dict[tuple, np.ndarray]:
        """The slices that the configuration asks for, as TFMA writes them, with their flights."""
        flights, found = table.flights, {}
        for spec in self.config.slicing_specs:
            fixed = dict(spec.feature_values)
            columns = sorted({*fixed, *spec.feature_keys})
            groups = flights.groupby(columns).groups if columns else {(): flights.index}
            for values, rows in groups.items():
                key = tuple(zip(columns, values if isinstance(values, tuple) else (values,), strict=True))
                if all(str(value) == fixed.get(name, str(value)) for name, value in key):
                    key = tuple((name, int(value) if name == "hour" else value) for name, value in key)
                    found[key] = flights.index.isin(rows)
            if len(found) > MOST_SLICES:
                raise checks.Wrong(f"Your EvalConfig asks for more than {MOST_SLICES:,} slices.")
        return found

    def measured(self, scores: np.ndarray, mask: np.ndarray) -> dict[str, float]:
        """The metrics of a slice, by name."""
        labels = self.table.labels[mask]
        return {name: compute(labels, scores[mask]) for name, compute in self.metrics.items()}

    def _computed(self, candidate: dict[str, float], baseline: dict[str, float]) -> dict[Any, float]:
        """The metrics of a slice as TFMA keeps them: of candidate and baseline, and their differences."""
        from tensorflow_model_analysis.metrics import metric_types

        computed = {}
        for name, mine in candidate.items():
            theirs = baseline[name]
            for key in [key for key in self.thresholds if key.name == name and key.model_name == CANDIDATE]:
                computed[key] = mine - theirs if key.is_diff else mine
            for weighted in {key.example_weighted for key in computed} or {None}:
                own = metric_types.MetricKey(name=name, model_name=CANDIDATE, example_weighted=weighted)
                computed.setdefault(own, mine)
                computed[own.make_baseline_key(BASELINE)] = theirs
        return computed


def _told(key: tuple, failure: Any) -> str:
    """What failed: the metric and its value where, and the bound and direction that were asked for."""
    from tensorflow_model_analysis.proto import config_pb2

    where = " and ".join(f"{name} {value}" for name, value in key) or "all flights"
    value, asked = failure.metric_value.double_value.value, failure.metric_threshold
    if failure.metric_key.is_diff:
        change = asked.change_threshold
        direction = config_pb2.MetricDirection.Name(change.direction) if change.direction else "no direction"
        bounds = [f"`{field.name}` {bound.value:.4g}" for field, bound in change.ListFields() if field.message_type]
        said = f"the change of {failure.metric_key.name} on {where} is {value:+.4f}, and you ask for {' and '.join(bounds)}, {direction}"
    else:
        bounds = [f"`{field.name}` {bound.value:.4g}" for field, bound in asked.value_threshold.ListFields()]
        said = f"{failure.metric_key.name} on {where} is {value:.4f}, and you ask for {' and '.join(bounds)}"
    return said if bounds else f"{failure.metric_key.name} on {where} ({failure.message.strip()[:60]})"
