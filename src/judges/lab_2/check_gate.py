"""Judges the gate by what it blesses and what it refuses: task 6 of lab 2.

The gate is a TFMA EvalConfig, a file. Its thresholds are applied by TFMA's own validator; the metrics that go into it are computed here, in
milliseconds for a candidate, where TFMA takes seconds (a test holds the two against each other).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from course import checks
from judges.lab_2 import candidate_predictions, roc_auc
from judges.lab_2.candidate_predictions import BASELINE, GOOD, KINDS, Candidate, Table
from judges.shared import workspace_files

FILE = "gate/eval_config.pbtxt"
NAMES = ("gate/eval_config.pbtxt", "gate/eval_config.json")
COLUMNS = ("origin", "part", "carrier", "hour")
MOST_SLICES, MOST_SPECS = 2000, 300
CANDIDATE = "candidate"

Metric = Callable[[np.ndarray, np.ndarray], float]


def _divided(above: float, below: float) -> float:
    return above / below if below else float("nan")


METRICS: dict[str, tuple[str, Metric]] = {
    "AUC": ("auc", roc_auc.auc),
    "Calibration": ("calibration", lambda labels, scores: _divided(scores.sum(), labels.sum())),
    "MeanPrediction": ("mean_prediction", lambda labels, scores: float(scores.mean())),
    "MeanLabel": ("mean_label", lambda labels, scores: float(labels.mean())),
    "ExampleCount": ("example_count", lambda labels, scores: float(len(labels))),
}
"""TFMA's metrics that a gate can use here: the name under which TFMA reports each, and how it is computed."""


def judge_gate(lab: checks.Lab) -> None:
    """Blesses the good ones and refuses the bad ones.

    Raises:
        checks.Wrong: it does not. A point for each kind of bad candidates that is refused, if every good one is blessed.
    """
    config = read(lab)
    gate = Gate(config, candidate_predictions.table(lab.seed))
    shown, hidden = candidate_predictions.shown(lab.seed), candidate_predictions.hidden(lab.seed)
    _good(gate, [shown[GOOD], *(one for one in hidden if one.kind == GOOD)])
    problems, points = [], 0
    for kind, words in KINDS.items():
        others = [one for one in hidden if one.kind == kind]
        if not gate.failures(shown[kind].scores):
            problems.append(f"It blesses `{kind}`, the candidate that is {words}: {_look(kind)}")
        elif passed := [one for one in others if not gate.failures(one.scores)]:
            problems.append(
                f"It refuses `{kind}`, but of {len(others)} others that are {words} it blesses {len(passed)}. "
                f"{_again(kind)}"
            )
        else:
            points += 1
    if problems:
        blessed = "Your gate blesses the good candidates." if points else "Your gate blesses the good candidates, and"
        nothing = [] if points else ["refuses no kind of bad ones: a door that is always open is none."]
        raise checks.Wrong("\n".join([" ".join([blessed, *nothing]), *problems]), points=points)


def _good(gate: Gate, good: list[Candidate]) -> None:
    """Raises where a good candidate is refused."""
    for number, one in enumerate(good):
        if failed := gate.failures(one.scores):
            which = f"the candidate `{GOOD}`" if number == 0 else "another good candidate, which you have not seen"
            change = gate.table.change(one.scores, "all")
            raise checks.Wrong(
                f"Your gate refuses {which} (it gains {change:.1f} standard deviations overall, and no slice loses more than one). "
                f"What stops it: {'; '.join(failed[:2])}. A gate that refuses what is good is worth no more than none."
            )


def _look(kind: str) -> str:
    return {
        "worse": "which threshold compares with the baseline?",
        "slice": "which threshold looks at each airport, and at each part of the day?",
        "chance": "how much may the area grow by chance alone? Task 5 has the number.",
        "leak": "which threshold says that a result is too good to be true?",
    }[kind]


def _again(kind: str) -> str:
    return {
        "worse": "A loss need not be as large as the one that you have seen.",
        "slice": "The next model may fail on another airport, or in another part of the day, and each slice has noise of its own.",
        "chance": "Is your threshold the noise, or what the one candidate happened to gain?",
        "leak": "The next leak may be smaller than the one that you have seen. What is the most that an honest model has reached?",
    }[kind]


def read(lab: checks.Lab) -> Any:
    """The student's EvalConfig.

    Raises:
        checks.Wrong: there is none, or it asks for what is not part of this lab.
    """
    from google.protobuf import json_format, text_format
    from tensorflow_model_analysis.proto import config_pb2

    there = [name for name in NAMES if workspace_files.inside(lab, name).is_file()]
    name = there[0] if there else FILE
    if len(there) > 1:
        raise checks.Wrong(f"There are two gates, {' and '.join(f'`{one}`' for one in there)}: which one counts?")
    content = workspace_files.text(lab, name, "Make the folder, and write your EvalConfig as text, `str(config)`.")
    parse = json_format.Parse if name.endswith(".json") else text_format.Parse
    try:
        config = parse(content, config_pb2.EvalConfig())
    except Exception as error:
        raise checks.Wrong(f"`{name}` is no EvalConfig: {str(error)[:200]}") from error
    _refuse_strange(config)
    return config


def _refuse_strange(config: Any) -> None:
    """Raises where the configuration uses what this lab has no candidates for."""
    if not config.metrics_specs or not any(spec.metrics for spec in config.metrics_specs):
        raise checks.Wrong("Your EvalConfig has no metrics: look at `metrics_specs`.")
    if config.cross_slicing_specs:
        raise checks.Wrong(
            "Your EvalConfig uses `cross_slicing_specs`, which compare slices. This lab does not need them."
        )
    specs = [*config.slicing_specs]
    for one in config.metrics_specs:
        for field in ("model_names", "output_names", "output_weights", "binarize", "aggregate", "query_key"):
            if (
                getattr(one, field)
                if field in ("model_names", "output_names", "output_weights", "query_key")
                else one.HasField(field)
            ):
                raise checks.Wrong(
                    f"Your EvalConfig uses `{field}` of a MetricsSpec. There is one model with one output: leave it out."
                )
        specs += [
            spec for held in one.per_slice_thresholds.values() for per in held.thresholds for spec in per.slicing_specs
        ]
        for metric in one.metrics:
            _metric(metric)
            specs += [spec for per in metric.per_slice_thresholds for spec in per.slicing_specs]
            if metric.cross_slice_thresholds:
                raise checks.Wrong("Your EvalConfig uses `cross_slice_thresholds`. This lab does not need them.")
        if one.cross_slice_thresholds:
            raise checks.Wrong("Your EvalConfig uses `cross_slice_thresholds`. This lab does not need them.")
    if len(specs) > MOST_SPECS:
        raise checks.Wrong(f"Your EvalConfig names more than {MOST_SPECS} slices.")
    for spec in specs:
        named = [*spec.feature_keys, *spec.feature_values]
        unknown = [name for name in named if name not in COLUMNS]
        if unknown or spec.slice_keys_sql:
            raise checks.Wrong(
                f"Your EvalConfig slices by {unknown[0] if unknown else 'SQL'!r}. The candidates have: {', '.join(COLUMNS)}."
            )
        if len(set(named)) < len(named) or len(named) > 2:
            raise checks.Wrong("A slice of your EvalConfig names a column twice, or more than two columns.")


def _metric(metric: Any) -> None:
    if metric.class_name not in METRICS:
        raise checks.Wrong(
            f"Your EvalConfig uses the metric {metric.class_name[:40]!r}. Here it can use: {', '.join(METRICS)}."
        )
    settings = {}
    if metric.config:
        try:
            settings = json.loads(metric.config)
        except (ValueError, RecursionError):
            settings = None
    if not isinstance(settings, dict) or not set(settings) <= {"name", "num_thresholds"}:
        raise checks.Wrong(
            f"The `config` of the metric {metric.class_name} has to be a JSON object with `name` and `num_thresholds` at most."
        )
    name = settings.get("name", METRICS[metric.class_name][0])
    if not isinstance(name, str) or name != METRICS[metric.class_name][0]:
        raise checks.Wrong(f"The metric {metric.class_name} keeps its name here: {METRICS[metric.class_name][0]!r}.")
    if metric.module and metric.module not in ("tensorflow_model_analysis.metrics", "tfma.metrics"):
        raise checks.Wrong(f"The metric {metric.class_name} is one of TFMA's: leave `module` out.")


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
        del own.model_specs[:]
        own.model_specs.add(name=CANDIDATE, label_key="target", prediction_key=CANDIDATE)
        own.model_specs.add(name=BASELINE, label_key="target", prediction_key=BASELINE, is_baseline=True)
        own.options.Clear()
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
        self.metrics = {
            METRICS[metric.class_name][0]: METRICS[metric.class_name][1]
            for spec in self.config.metrics_specs
            for metric in spec.metrics
        }
        self.table, self.slices = table, self._slices(table)
        self.baseline = [self._measured(table.baseline, mask) for mask in self.slices.values()]

    def failures(self, scores: np.ndarray) -> list[str]:
        """What stops a candidate, each as a piece of a sentence; empty when it is blessed."""
        from tensorflow_model_analysis.evaluators import metrics_validator
        from tensorflow_model_analysis.proto import validation_result_pb2

        whole, told = validation_result_pb2.ValidationResult(), []
        for (key, mask), baseline in zip(self.slices.items(), self.baseline, strict=True):
            computed = self._computed(self._measured(scores, mask), baseline)
            result = metrics_validator.validate_metrics((key, computed), self.config)
            told += [_told(key, one) for found in result.metric_validations_per_slice for one in found.failures]
            metrics_validator.merge_details(whole, result)
        missing = metrics_validator.get_missing_slices(whole.validation_details.slicing_details, self.config)
        told += [f"a threshold for the slice {_spec(one)}, which is not computed (`slicing_specs`)" for one in missing]
        return told

    def _slices(self, table: Table) -> dict[tuple, np.ndarray]:
        """The slices that the configuration asks for, as TFMA writes them, with their flights."""
        found: dict[tuple, np.ndarray] = {}
        texts = {name: table.flights[name].astype(str).to_numpy() for name in COLUMNS}
        for spec in self.config.slicing_specs:
            fixed = dict(spec.feature_values)
            values = {name: [fixed[name]] for name in fixed} | {
                name: sorted(set(texts[name])) for name in spec.feature_keys
            }
            for chosen in itertools.product(*values.values()):
                key = tuple(sorted(zip(values, chosen, strict=True)))
                mask = np.ones(len(table.flights), bool)
                for name, value in key:
                    mask &= texts[name] == value
                if mask.any():
                    found[tuple((name, _as_feature(name, value)) for name, value in key)] = mask
                if len(found) > MOST_SLICES:
                    raise checks.Wrong(f"Your EvalConfig asks for more than {MOST_SLICES:,} slices.")
        return found

    def _measured(self, scores: np.ndarray, mask: np.ndarray) -> dict[str, float]:
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
            weights = {key.example_weighted for key in computed} or {None}
            for weighted in weights:
                own = metric_types.MetricKey(name=name, model_name=CANDIDATE, example_weighted=weighted)
                computed.setdefault(own, mine)
                computed[own.make_baseline_key(BASELINE)] = theirs
        return computed


def _as_feature(name: str, value: str) -> Any:
    return int(value) if name == "hour" else value


def _told(key: tuple, failure: Any) -> str:
    where = " and ".join(f"{name} {value}" for name, value in key) or "all flights"
    if failure.message:
        return f"{failure.metric_key.name} on {where} ({failure.message.strip()[:60]})"
    difference = "the change of " if failure.metric_key.is_diff else ""
    return f"{difference}{failure.metric_key.name} on {where} is {failure.metric_value.double_value.value:.4f}"


def _spec(spec: Any) -> str:
    return ", ".join([*spec.feature_keys, *(f"{name} {value}" for name, value in sorted(spec.feature_values.items()))])
