"""Judges February's run, held against January's model: task 4 of lab 3."""

from __future__ import annotations

from collections import Counter
from typing import Any

from course import checks
from judges.lab_3 import months, runs
from judges.lab_3.runs import Runs
from judges.shared.metadata_store import Run


def judge_february(lab: checks.Lab, store: Any) -> None:
    """Two points for months that are kept apart, two for the baseline.

    Raises:
        checks.Wrong: they are not, or it is another.
    """
    own = Runs(lab, store)
    found = [run for run in own.of(1, 2) if not runs.missing(run)]
    if not found:
        raise checks.Wrong("No whole run in your store has read January and February. `Config(..., months=(1, 2))`?")
    told = {run.name: _window(own, run) for run in found}
    apart = [run for run in found if not told[run.name]]
    if not apart:
        raise checks.Wrong(told[found[-1].name])
    told = {run.name: _baseline(own, run) for run in apart}
    if all(told.values()):
        raise checks.Wrong(told[apart[-1].name], points=2)


def _window(own: Runs, run: Run) -> str:
    uses = (
        ("The model is trained with", runs.learned_from(run), 1),
        ("Transform learns scales and vocabularies from", runs.analysed(run), 1),
        ("The model is judged on", runs.judged_on(run), 2),
    )
    for what, names, number in uses:
        counted = own.held(run, names)
        if counted != Counter({str(number): months.ROWS}):
            held = ", ".join(f"{count:,} of month {month}" for month, count in sorted(counted.items())) or "none"
            return f"{what} {held} (split {', '.join(names)[:60]}). It should be the {months.ROWS:,} flights of month {number}."
    return ""


def _baseline(own: Runs, run: Run) -> str:
    evaluator = run.find("Evaluator")
    baseline = evaluator.one("inputs", "baseline_model")
    if baseline is None:
        return "The months are kept apart. The Evaluator of February's run has no baseline: which component looks up the latest blessed model?"
    model = evaluator.one("inputs", "model")
    if model and baseline.id == model.id:
        return "February's run holds the model against itself. Run February before you run it again."
    trainer = own.store.producer(baseline)
    graph = trainer.one("inputs", "transform_graph") if trainer else None
    transform = own.store.producer(graph) if graph else None
    raw = transform.one("inputs", "examples") if transform else None
    if raw is None or own.months(raw) != {"1"}:
        return "The baseline of February's run is not a model of January's."
    judged = [one for one in own.store.executions if one.is_a("Evaluator") and one.one("inputs", "model") == baseline]
    blessed = [one.one("outputs", "blessing") for one in judged if one.has_worked]
    if not any(found and found.properties.get("blessed") == 1 for found in blessed):
        return "The baseline of February's run was never blessed: the latest model is not the latest good one."
    return ""
