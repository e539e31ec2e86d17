"""Lab 2 for its tests: a student's lab in a folder, and right answers made without TFX."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import student_lab

from course import checks
from judges.lab_2 import given_data

LAB = "lab-2-model"
GRAPH, TRIALS, BEST = "graph", "trials", "best"


lab = functools.partial(student_lab.empty, LAB)
evaluate = student_lab.evaluate


def write_graph(preprocessing_fn: Any, flights: pd.DataFrame, folder: Path) -> None:
    """Writes a transform graph as TFX's Transform does, whose analyzers have seen these flights."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.tfxio import tf_example_record

    from course.labs.lab_2_model import to_examples

    schema = text_format.Parse(given_data.SCHEMA.read_text(), schema_pb2.Schema())
    examples = tf_example_record.TFExampleBeamRecord("none", schema=schema, telemetry_descriptors=["test"])
    with tft_beam.Context(temp_dir=f"{folder}-temporary"), beam.Pipeline() as pipeline:
        raw = pipeline | beam.Create(to_examples(flights)) | examples.BeamSource()
        made = (raw, examples.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(preprocessing_fn)
        made | tft_beam.WriteTransformFn(str(folder))
    (folder / "metadata").mkdir()
    shutil.copy(given_data.SCHEMA, folder / "metadata" / "schema.pbtxt")


RATES = (0.001, 0.003, 0.006, 0.01, 0.02, 0.0005)
SPACE: dict[str, tuple[str, dict[str, Any]]] = {
    "learning_rate": ("Float", {"min_value": 5e-4, "max_value": 2e-2, "step": None, "sampling": "log"}),
    "units": ("Choice", {"values": [8, 16, 32], "ordered": True}),
    "l2": ("Float", {"min_value": 1e-4, "max_value": 1e-2, "step": None, "sampling": "log"}),
}


def trials(count: int = 6) -> list[dict[str, Any]]:
    """What KerasTuner writes for trials, with `val_auc` as objective; the second is the best."""
    made = []
    for number in range(count):
        values = {
            "learning_rate": RATES[number % 6] * (1 + number // 6),
            "units": (8, 16, 32)[number % 3],
            "l2": 0.001 * (number + 1),
        }
        score = 0.74 - 0.01 * abs(number - 1)
        metrics = {
            "loss": ("min", 0.30 + 0.01 * number),
            "auc": ("max", 0.75 + 0.01 * number),
            "val_loss": ("min", 0.33 - 0.01 * number),
            "val_auc": ("max", score),
        }
        made.append(
            {
                "trial_id": f"{number:02d}",
                "hyperparameters": {
                    "space": [
                        {"class_name": kind, "config": {"name": name, "default": None, "conditions": [], **config}}
                        for name, (kind, config) in SPACE.items()
                    ],
                    "values": values,
                },
                "metrics": {
                    "metrics": {
                        name: {"direction": direction, "observations": [{"value": [value], "step": 4}]}
                        for name, (direction, value) in metrics.items()
                    }
                },
                "score": score,
                "best_step": 4,
                "status": "COMPLETED",
                "message": None,
            }
        )
    return made


def write_trials(lab: checks.Lab, made: list[dict[str, Any]], best: int = 1) -> None:
    """Writes trials, and the best one as the Tuner hands it on."""
    for number, trial in enumerate(made):
        folder = lab.workspace / TRIALS / f"trial_{number:02d}"
        folder.mkdir(parents=True)
        (folder / "trial.json").write_text(json.dumps(trial))
    write_best(lab, made[best]["hyperparameters"])


def write_best(lab: checks.Lab, config: dict[str, Any]) -> None:
    """Writes the Tuner's artifact."""
    (lab.workspace / BEST).mkdir(exist_ok=True)
    (lab.workspace / BEST / "best_hyperparameters.txt").write_text(json.dumps(config))
