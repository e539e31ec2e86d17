"""Judges the model by what it says about flights that the student has not seen: task 4 of lab 2."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from course import checks
from course.labs.lab_2.notebook import to_examples
from judges.lab_1.questions import TARGET
from judges.lab_2 import check_tuner, given_data, roc_auc
from judges.lab_2.given_data import KEY, KNOWN
from judges.shared import answer_forms, workspace_files
from judges.trial import Step, Trial

TAKEN = "trained-with.json"
ENOUGH, SOMETHING, IMPOSSIBLE = 0.73, 0.68, 0.88
"""Areas: what a sensible model reaches on every draw, what has learned at least something, and what none reaches that does not know the answer."""
CALIBRATED = (0.7, 1.4)
"""Predicted late flights by those that were late."""
AGAIN = 64
"""So many flights are asked about twice, in other company."""


def judge_model(lab: checks.Lab, model: Any, best: Any) -> None:
    """Two points for the ranking, two for the probabilities, one for the hyperparameters.

    Raises:
        checks.Wrong: something is not good enough, or too good.
    """
    scores = _asked(lab, model)
    labels = given_data.unseen(lab.seed)[TARGET].to_numpy(dtype=int)
    area, ratio = roc_auc.auc(labels, scores), float(scores.sum() / labels.sum())
    where = f"On the second half of July your model has an area of {area:.2f}"
    if area > IMPOSSIBLE:
        raise checks.Wrong(
            f"{where}. None gets that from what is known before the departure: something in it knows the answer."
        )
    judges = [(2, lambda: _ranks(area, where)), (2, lambda: _means_it(area, ratio, scores.mean()))]
    answer_forms.parts([*judges, (1, lambda: _taken(lab, best))])


def _ranks(area: float, where: str) -> None:
    if area < ENOUGH:
        raise checks.Wrong(
            f"{where}; {ENOUGH:.2f} is asked for. Which variables does it see (lesson 06), and for how long does it learn? Compare its area on the split `eval` with "
            "that on `train`; if both are better than this, what is different in service: does your network get its columns each under its name, "
            "and which class does its probability stand for?",
            points=float(area >= SOMETHING),
        )


def _means_it(area: float, ratio: float, mean: float) -> None:
    if area < SOMETHING:
        raise checks.Wrong("Calibration is judged where there is something to calibrate.")
    if not CALIBRATED[0] <= ratio <= CALIBRATED[1]:
        raise checks.Wrong(
            f"Your model expects {mean:.1%} of the flights to be late or cancelled, which is {ratio:.1f} times as many as were. "
            "A probability has to mean what it says: has something in the training changed the share of late flights?"
        )


def _asked(lab: checks.Lab, given: Any) -> np.ndarray:
    """What the model says about each flight of `given_data.unseen`.

    Raises:
        checks.Wrong: it cannot be asked, or gives something else than a probability.
    """
    folder = workspace_files.folder(lab, given, "MODEL", "the `uri` of the Trainer's output `model`")
    saved = [one for one in (folder, folder / "Format-Serving") if (one / "saved_model.pb").is_file()]
    if not saved:
        raise checks.Wrong(f"There is no SavedModel in `MODEL` ({folder.name}), nor in `Format-Serving` below it.")
    flights = given_data.unseen(lab.seed)[[KEY, *KNOWN]]
    examples = to_examples(flights)
    lines = [base64.b64encode(one) for one in [*examples, *examples[AGAIN - 1 :: -1]]]
    arguments = ["model", "examples", "said.json", "probability"]
    ran = lab.run(
        Trial(
            "your model, on flights of the second half of July",
            files={"model/1": saved[0], "examples": b"\n".join(lines)},
            steps=[Step("course.trials.predictions", arguments)],
            modules=("tensorflow", "tensorflow_transform"),
        )
    )
    [step] = ran.steps
    if step.status != 0:
        raise checks.Wrong(
            f"Your model, loaded in another process, does not answer serialised examples with the columns of a request. It ends with: {step.last}"
        )
    try:
        said = np.array(json.loads((ran.folder / "said.json").read_text(encoding="utf-8")), dtype=float)
    except (OSError, ValueError, TypeError) as error:
        raise checks.Wrong("What your model says cannot be read as numbers.") from error
    if said.shape != (len(lines),):
        raise checks.Wrong(f"Asked about {len(lines):,} flights, your model gives {said.size:,} numbers: one each.")
    if not np.isfinite(said).all():
        raise checks.Wrong(
            f"Your model has no probability for {(~np.isfinite(said)).sum():,} flights. Some have no weather, and some a carrier that is new."
        )
    if said.min() < 0 or said.max() > 1:
        raise checks.Wrong(
            f"Probabilities lie between 0 and 1; your model's go from {said.min():.3g} to {said.max():.3g}."
        )
    scores, again = said[: len(flights)], said[len(flights) :]
    if not np.allclose(scores[AGAIN - 1 :: -1], again, atol=1e-4):
        raise checks.Wrong(
            "Asked about the same flights again, among others, your model gives other probabilities. What in it depends on the batch, or on chance?"
        )
    if len(np.unique(scores)) < 50:
        raise checks.Wrong(
            f"Your model gives {len(np.unique(scores))} different values: give probabilities, not decisions."
        )
    return scores


def _taken(lab: checks.Lab, best: Any) -> None:
    wanted = check_tuner.best_values(lab, best)
    text = workspace_files.text(lab, TAKEN, "Your `run_fn` writes it: the values that it has taken.")
    taken = workspace_files.mapping(text, TAKEN)
    taken = taken["values"] if isinstance(taken.get("values"), dict) else taken
    off = [name for name, value in wanted.items() if not name.startswith("tuner/") and taken.get(name) != value]
    if off:
        raise checks.Wrong(
            f"The model was not trained with what the Tuner has found: `{TAKEN}` has `{off[0][:40]}` {str(taken.get(off[0]))[:40]}, and `BEST` {str(wanted[off[0]])[:40]}. "
            "What does the Trainer get as `hyperparameters`?"
        )
