"""A pushed version made in a second: a network with random weights, its endpoint for devices, and vocabularies.

Numbers are scaled by made-up moments; `said_by` computes with NumPy what goes into the network, and asks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WORDS = {"carrier": ["UA", "B6", "DL"], "origin": ["EWR", "JFK", "LGA"], "dest": ["ORD", "ATL", "MCO", "BOS"]}

SETTINGS = {"hidden_units": (8,), "dropout": 0.3, "l2": 3e-3, "learning_rate": 3e-3}


def moments() -> dict[str, tuple[float, float]]:
    """Means that no number of 32 bits is, near what the columns hold."""
    from flights import features

    return {
        features.scaled(name): (missing + 1 / 3, 2.7 + number)
        for number, (name, missing) in enumerate({**features.NUMERIC, features.DEPARTURE: 800.0}.items())
    }


def network(seed: int = 1) -> Any:
    """A network for `WORDS`, whose biases are random as well."""
    import keras

    from flights import model

    keras.utils.set_random_seed(seed)
    made = model.build_model({name: len(words) for name, words in WORDS.items()}, SETTINGS)
    generator = np.random.default_rng(seed)
    made.set_weights([generator.normal(0, 0.5, weight.shape) for weight in made.get_weights()])
    return made


def push(folder: Path, made: Any) -> Path:
    """Writes the network as a version; its endpoint `serving_default` parses tf.Examples, as that of a real one does."""
    import keras
    import tensorflow as tf

    from flights import columns, edge

    spec = {"distance": tf.io.FixedLenFeature([1], tf.float32)}
    archive = keras.export.ExportArchive()
    archive.track(made)
    archive.add_endpoint(
        "serving_default",
        lambda examples: {columns.PROBABILITY: tf.sigmoid(tf.io.parse_example(examples, spec)["distance"])},
        input_signature=[tf.TensorSpec([None], tf.string, name="examples")],
    )
    archive.add_endpoint(
        edge.SIGNATURE, edge.endpoint(made, moments(), columns.PROBABILITY), input_signature=[edge.specification()]
    )
    archive.write_out(str(folder), verbose=False)
    for name, words in WORDS.items():
        (folder / "assets" / name).write_text("".join(f"{word}\n" for word in words))
    return folder


def said_by(made: Any, flights: Sequence[Mapping[str, Any]]) -> list[float]:
    """What the network says of flights of raw columns; in double precision up to its inputs."""
    from flights import features

    def column(name: str, missing: float) -> np.ndarray:
        values = np.array([flight.get(name) for flight in flights], float)  # None becomes NaN
        return np.where(np.isnan(values), missing, values)

    clock = np.array([flight["sched_dep_time"] for flight in flights])
    values = {name: column(name, missing) for name, missing in features.NUMERIC.items()}
    values[features.DEPARTURE] = 60 * (clock // 100) + clock % 100
    inputs = {}
    for name, of in values.items():
        mean, deviation = moments()[features.scaled(name)]
        inputs[features.scaled(name)] = ((of - mean) / deviation).astype("f4")
    for name, words in WORDS.items():
        found = [words.index(flight[name]) if flight[name] in words else len(words) for flight in flights]
        inputs[features.index(name)] = np.array(found)
    inputs[features.index("weekday")] = np.array([flight["weekday"] - 1 for flight in flights])
    return made({name: of[:, np.newaxis] for name, of in inputs.items()}).numpy()[:, 0].tolist()
