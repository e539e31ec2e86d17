"""A model card: what a model is for, what it learned from, how good it is and for whom, in a page that is written from the artifacts.

The form follows Mitchell and others, "Model Cards for Model Reporting" (2019). Google's model-card-toolkit cannot be installed beside
TFX 1.21: its last release (2.0.0, 2023) needs TFMA < 0.42, and TFX needs 0.52. What only people know stands in `model_card.md`, the
template; every result is read from the evaluation, and none can be written by hand.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from . import verdict
from .plan import AGREED, Costs, Plan

TEMPLATE = Path(__file__).with_suffix(".md")
LEAST = 200
"""A slice with fewer examples is listed as too small to be judged: its AUC moves by several hundredths by chance alone."""


def write(
    path: str | Path,
    evaluation: str | Path,
    blessed: bool,
    trained_on: str,
    settings: dict[str, Any],
    costs: Costs | None = None,
    template: str | Path = TEMPLATE,
) -> Path:
    """Writes the card of a model.

    Args:
        path: the Markdown file.
        evaluation: folder of the Evaluator's artifact, with plots.
        blessed: the Evaluator's verdict.
        trained_on: the training data in words, for example `months 4 to 6 of 2013`.
        settings: of the training, by name.
        costs: of errors; those of the plan (`plan.AGREED`) by default.
        template: the text, with `$name` for each thing that is filled in.

    Raises:
        KeyError: the template asks for something that this does not know.
    """
    costs = costs or Plan.load(AGREED).costs
    result = tfma.load_eval_result(str(evaluation), model_name=_model_name(evaluation))
    slices = {_name(key): _scalars(metrics) for key, metrics in result.slicing_metrics}
    columns = {_name(key): tuple(column for column, _ in key) for key, _ in result.slicing_metrics}
    matrix = _matrix_at(result, costs.threshold)
    whole = slices.pop("all flights")
    filled = {
        "verdict": "**Blessed**: it met every demand."
        if blessed
        else "**Refused**: it missed a demand. Do not use it.",
        "trained_on": trained_on,
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "examples": f"{_value(whole['example_count']):,.0f}",
        "auc": _with_interval(whole["auc"]),
        "calibration": f"{_value(whole['calibration']):.2f}",
        "threshold": f"{costs.threshold:.2f}",
        "operating": _operating(matrix, costs),
        "demands": "\n".join(_demands(evaluation)),
        "slices": "\n".join(_table(slices, columns)),
        "worst": _worst(slices),
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(string.Template(Path(template).read_text()).substitute(filled))
    return path


def _model_name(evaluation: str | Path) -> str | None:
    """The candidate's name where there was a baseline; None for a model that was judged alone."""
    specs = tfma.load_eval_result(str(evaluation)).config.model_specs
    return tfma.CANDIDATE_KEY if len(specs) > 1 else None


def _name(key: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(f"{column} {value}" for column, value in key) or "all flights"


def _scalars(metrics: Any) -> dict[str, Any]:
    """Values of TFMA by name: numbers, or numbers with bounds; differences to the baseline are not among them."""
    return {name: value for name, value in metrics[""][""].items() if not name.endswith("_diff")}


def _value(value: Any) -> float:
    """The number itself; NaN where TFMA says that it cannot be computed."""
    return value["doubleValue"] if "doubleValue" in value else value.get("boundedValue", {}).get("value", math.nan)


def _count(metrics: dict[str, Any]) -> float:
    """Number of flights; TFMA gives no metrics of a slice that is smaller than asked for."""
    return _value(metrics["example_count"]) if "example_count" in metrics else 0.0


def _with_interval(value: Any) -> str:
    bounds = value.get("boundedValue")
    text = f"{_value(value):.3f}" if _value(value) > 0 else "undefined"
    return f"{text} ({bounds['lowerBound']:.3f} to {bounds['upperBound']:.3f})" if bounds else text


def _demands(evaluation: str | Path) -> Iterator[str]:
    """A line for each demand that was missed; one that says so, where all were met."""
    found = verdict.missed(evaluation)
    yield from (f"- Missed: {one}" for one in found)
    if not found:
        yield "- All were met."


def _table(slices: dict[str, Any], columns: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """A row for each slice that is large enough, by the columns that make it."""
    yield "| slice | flights | AUC | predicted / observed |"
    yield "|---|---|---|---|"
    for name in sorted(slices, key=lambda name: (len(columns[name]), columns[name], name)):
        of = slices[name]
        if _count(of) >= LEAST and not _has_auc(of):
            yield f"| {name} | {_count(of):,.0f} | undefined: all or none late | |"
        elif _count(of) >= LEAST:
            yield f"| {name} | {_count(of):,.0f} | {_with_interval(of['auc'])} | {_value(of['calibration']):.2f} |"


def _has_auc(of: dict[str, Any]) -> bool:
    """Whether there is an AUC: where all labels are alike TFMA writes exactly 0, which is none."""
    return "auc" in of and _value(of["auc"]) > 0


def _worst(slices: dict[str, Any]) -> str:
    judged = {name: _value(of["auc"]) for name, of in slices.items() if _count(of) >= LEAST and _has_auc(of)}
    small = sum(_count(of) < LEAST for of in slices.values())
    if not judged:
        return f"No slice has {LEAST} flights, late ones and others among them: none is judged."
    worst = min(judged, key=judged.get)
    return (
        f"The lowest AUC is that of {worst}, {judged[worst]:.3f}. It is the lowest of {len(judged)} slices, and the lowest of many "
        f"is low by chance as well. {small} slices have fewer than {LEAST} flights and are not judged."
    )


def _matrix_at(result: tfma.EvalResult, threshold: float) -> dict[str, float]:
    """Counts of all flights at the threshold of the plot that is nearest."""
    plots = next(plots for key, plots in result.plots if not key)
    matrices = plots[""][""]["confusionMatrixAtThresholds"]["matrices"]
    return min(matrices, key=lambda one: abs(one.get("threshold", 0.0) - threshold))


def _operating(matrix: dict[str, float], costs: Costs) -> str:
    names = ("truePositives", "falsePositives", "trueNegatives", "falseNegatives")
    found, false, left, missed = (float(matrix.get(name, 0.0)) for name in names)
    thousand = np.array([found, false, left, missed]) / (found + false + left + missed) * 1000
    dollars = thousand[1] * costs.false_alarm + thousand[3] * costs.miss
    return (
        f"Of 1,000 flights it raises {thousand[0] + thousand[1]:.0f} alarms, {thousand[0]:.0f} of them right, and misses "
        f"{thousand[3]:.0f} late flights. At {costs.false_alarm:g} for a false alarm and {costs.miss:g} for a miss, errors cost "
        f"{dollars:,.0f}; never to act would cost {(thousand[0] + thousand[3]) * costs.miss:,.0f}."
    )
