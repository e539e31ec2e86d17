"""Judges the model by what it says about a month without labels: task 4 of lab 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from course import checks
from judges.lab_1.questions import TARGET
from judges.lab_2 import check_tuner, given_data, roc_auc
from judges.lab_2.given_data import KEY
from judges.shared import workspace_files

FILE, TAKEN, COLUMN = "predictions.csv", "trained-with.json", "probability"
ENOUGH, SOMETHING, IMPOSSIBLE = 0.73, 0.68, 0.88
"""Areas: what a sensible model reaches on every draw, what has learned at least something, and what nobody reaches who does not know the answer."""
CALIBRATED = (0.7, 1.4)
"""Predicted late flights by those that were late."""


def judge_model(lab: checks.Lab, best: Any) -> None:
    """Two points for the ranking, two for the probabilities, one for the hyperparameters.

    Raises:
        checks.Wrong: something is not good enough, or too good.
    """
    flights = given_data.unlabelled(lab.seed)
    scores = _read(lab, flights)
    labels = flights[TARGET].to_numpy(dtype=int)
    area, ratio = roc_auc.auc(labels, scores), float(scores.sum() / labels.sum())
    if area > IMPOSSIBLE:
        raise checks.Wrong(
            f"On the second half of July your predictions have an area of {area:.2f}. No model gets that from what is known before the departure: something in them knows the answer."
        )
    problems, points = [], 0.0
    if area >= ENOUGH:
        points += 2
    else:
        points += area >= SOMETHING
        problems.append(_weak(area))
    if area < SOMETHING:
        problems.append("Calibration is judged where there is something to calibrate.")
    elif CALIBRATED[0] <= ratio <= CALIBRATED[1]:
        points += 2
    else:
        problems.append(
            f"Your model expects {scores.mean():.1%} of the flights to be late or cancelled, which is {ratio:.1f} times as many as were. "
            "A probability has to mean what it says: has something in the training changed the share of late flights?"
        )
    try:
        _taken(lab, best)
        points += 1
    except checks.Wrong as wrong:
        problems.append(wrong.message)
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def _weak(area: float) -> str:
    if area < 0.45:
        return (
            f"On the second half of July your predictions have an area of {area:.2f}: turned round they would be better. Which class does your probability stand for? "
            "And does your network get the same columns in service as in training, each under its name, and no other?"
        )
    return (
        f"On the second half of July your predictions have an area of {area:.2f}; {ENOUGH:.2f} is asked for. Which variables does your model see (lesson 06), and for "
        "how long does it learn? Compare its area on the split `eval` with that on `train`; if both are better than this, what is different in service?"
    )


def _read(lab: checks.Lab, flights: Any) -> np.ndarray:
    table = workspace_files.table(lab, FILE)
    workspace_files.keys(table, FILE, flights[KEY], KEY)
    if COLUMN not in table:
        raise checks.Wrong(f"`{FILE}` has no column `{COLUMN}`.")
    scores = table[COLUMN].to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(scores).all():
        raise checks.Wrong(
            f"`{FILE}` has no probability for {(~np.isfinite(scores)).sum():,} flights. Some have no weather, and some a carrier that is new."
        )
    if scores.min() < 0 or scores.max() > 1:
        raise checks.Wrong(
            f"`{FILE}`: probabilities lie between 0 and 1; yours go from {scores.min():.3g} to {scores.max():.3g}."
        )
    if len(np.unique(scores)) < 50:
        raise checks.Wrong(
            f"`{FILE}` has {len(np.unique(scores))} different values: give probabilities, not decisions."
        )
    return scores


def _taken(lab: checks.Lab, best: Any) -> None:
    wanted = check_tuner.best_values(lab, best)
    taken = workspace_files.mapping(
        workspace_files.text(lab, TAKEN, "Your `run_fn` writes it: the values that it has taken."), TAKEN
    )
    taken = taken["values"] if isinstance(taken.get("values"), dict) else taken
    off = [name for name, value in wanted.items() if not name.startswith("tuner/") and taken.get(name) != value]
    if off:
        raise checks.Wrong(
            f"The model was not trained with what the Tuner has found: `{TAKEN}` has `{off[0][:40]}` {str(taken.get(off[0]))[:40]}, and `BEST` has another value. "
            "What does the Trainer get as `hyperparameters`?"
        )
