"""Lab 2 for its tests: a student's lab in a folder, and right answers made without TFX."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pandas as pd
import student_lab

from course import checks
from judges.lab_2 import check_features, given_data
from judges.lab_2.given_data import KEY

LAB = "lab-2-model"
ROWS = 200
"""Flights of a month in tests of tasks 1 and 2: reading 16,000 examples takes seconds."""
TRANSFORMED, TRIALS, BEST = "transformed", "trials", "best"


lab = functools.partial(student_lab.empty, LAB)
evaluate = student_lab.evaluate


def small(monkeypatch: Any) -> None:
    """Months of 200 flights."""
    monkeypatch.setattr(given_data, "MONTH_ROWS", ROWS)
    forget()


def forget() -> None:
    """What was made of the months is made anew."""
    for made in (given_data.month, given_data.requests, check_features._raw):
        made.cache_clear()


def prepared(flights: pd.DataFrame) -> pd.DataFrame:
    """Flights as a right `preprocessing_fn` prepares them."""
    train = given_data.split("train")
    found = pd.DataFrame({KEY: flights[KEY].astype(int)})
    if "target" in flights:
        found["target"] = flights["target"].astype(int)
    raw = {"distance": 900.0, "temp": 45.0, "dewp": 28.0, "humid": 55.0, "wind_speed": 10.0, "visib": 10.0}

    def column(frame: pd.DataFrame, name: str) -> np.ndarray:
        return frame[name].astype(float).fillna(raw[name]).to_numpy()

    def minute(frame: pd.DataFrame) -> np.ndarray:
        scheduled = frame["sched_dep_time"].to_numpy(dtype=float)
        return scheduled // 100 * 60 + scheduled % 100

    made = {name: lambda frame, name=name: column(frame, name) for name in raw}
    made["minute"] = minute
    made["rough_air"] = lambda frame: column(frame, "wind_speed") * (11 - column(frame, "visib"))
    made["near_evening"] = lambda frame: np.abs(minute(frame) - 1110)
    for name, make in made.items():
        usual = make(train)
        found[name] = ((make(flights) - usual.mean()) / usual.std()).astype(np.float32)
    for name in ("carrier", "origin"):
        places = {word: place for place, word in enumerate(train[name].value_counts().index)}
        found[f"{name}_index"] = [places.get(word, len(places)) for word in flights[name]]
    return found


def write_transformed(lab: checks.Lab, change: Any = None, folder: str = TRANSFORMED) -> dict[str, pd.DataFrame]:
    """Writes transformed examples of both splits as Transform does; `change` takes a split's table, its flights, and returns another."""
    import tensorflow as tf

    frames = {}
    for name in given_data.SPLITS:
        flights = given_data.split(name).sample(frac=1, random_state=1).reset_index(drop=True)
        frame = prepared(flights)
        frame = frame if change is None else change(frame, flights)
        place = lab.workspace / folder / f"Split-{name}"
        place.mkdir(parents=True)
        path = str(place / "transformed_examples-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for row in frame.to_dict("records"):
                writer.write(example(row))
        frames[name] = frame
    return frames


def example(row: dict[str, Any]) -> bytes:
    """A serialised tf.Example of a row; None is no value, a list several."""
    import tensorflow as tf

    made = tf.train.Example()
    for name, value in row.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        feature = made.features.feature[name]
        if values and isinstance(values[0], str):
            feature.bytes_list.value.extend(word.encode() for word in values)
        elif values and isinstance(values[0], int | np.integer):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return made.SerializeToString()


def served(lab: checks.Lab) -> pd.DataFrame:
    """The requests, prepared."""
    return prepared(given_data.requests(lab.seed))


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
