"""Lab 2, model: what it gives to the student, and its tasks.

It starts from the result of lab 1 for the question `hotel`, which is given (`lab_2/given_data.py`). The requests, the
flights that a model is asked about and the candidates for the gate depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_2 import (
    candidate_predictions,
    check_features,
    check_gate,
    check_model,
    check_noise,
    check_parity,
    check_tuner,
    given_data,
)

PRELOAD = ("tensorflow", "tensorflow_model_analysis", "keras_tuner", "sklearn.isotonic")
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 600, 180
"""What grading gives a submission, and each of its cells, by the clock and on one core: on a busy machine a search takes its time."""


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each folder: what is in it.
    """
    given_data.write(lab.workspace, lab.seed)
    candidate_predictions.write(lab.workspace, lab.seed)
    return [
        "months/span-04 to span-07: April, May, June and the first half of July with `id` and `target`, 4,000 flights each",
        "contract/schema.pbtxt: the curated schema",
        f"requests/flights.csv: {len(given_data.requests(lab.seed))} flights as they come in service (task 2)",
        f"candidates.csv: what a baseline and five candidates said about {sum(candidate_predictions.FLIGHTS.values()):,} flights (tasks 5 and 6)",
    ]


@checks.task("features", points=6, title="1. The features")
def features(lab: checks.Lab, graph: Any, own: Any) -> None:
    """A transform graph with two features of the student's own."""
    check_features.judge_features(lab, graph, own)


@checks.task("parity", points=3, title="2. The same in service")
def parity(lab: checks.Lab, graph: Any) -> None:
    """Requests, prepared by the graph."""
    check_parity.judge_parity(lab, graph)


@checks.task("tuner", points=4, title="3. The search")
def tuner(lab: checks.Lab, trials: Any, best: Any) -> None:
    """A search space, its trials and the best of them."""
    check_tuner.judge_search(lab, trials, best)


@checks.task("model", points=5, title="4. The model")
def model(lab: checks.Lab, model: Any, best: Any) -> None:
    """A model with the best hyperparameters, which is asked about flights that the student has not seen."""
    check_model.judge_model(lab, model, best)


@checks.task("noise", points=2, title="5. The noise")
def noise(lab: checks.Lab, noise: Any) -> None:
    """How much a difference of two areas varies by chance."""
    check_noise.judge_noise(lab, noise)


@checks.task("gate", points=5, title="6. The gate")
def gate(lab: checks.Lab) -> None:
    """A gate that blesses good models and refuses bad ones, those that the student has seen and others."""
    check_gate.judge_gate(lab)
