"""Features: which columns of a flight the model sees, and how Transform prepares them.

`preprocessing_fn` is traced into a TensorFlow graph once the statistics of the training flights are known; that graph is part
of the exported model, so that training and serving cannot prepare a flight in two ways.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from .columns import DEPARTURE as SCHEDULED
from .columns import LABEL, WEEKDAY, minutes

NUMERIC = {
    "distance": 0.0,
    "plane_year": 2001.0,
    "seats": 149.0,
    "temp": 57.0,
    "dewp": 42.0,
    "humid": 58.0,
    "wind_speed": 10.4,
    "wind_gust": 0.0,  # missing means: no gusts
    "precip": 0.0,
    "pressure": 1018.0,
    "visib": 10.0,
}
"""Columns that are scaled to mean 0 and standard deviation 1, each with the value that stands in for a missing one: the median of
2013, unless a remark says otherwise. Not NaN: Transform's running mean becomes NaN for good after two batches without a value."""

DEPARTURE = "dep_minute"
"""Scheduled departure in minutes after midnight."""

CLOCK = {DEPARTURE: SCHEDULED}
"""Features that are minutes after midnight, each with its column (HHMM); scaled like the numeric columns."""

SCALED = (*NUMERIC, *CLOCK)
"""All that is scaled, in the order in which the model takes it."""

CATEGORICAL = {"carrier": 20, "origin": 5, "dest": 110}
"""Columns of text, with the largest vocabulary that is kept."""

UNKNOWN = 1
"""Buckets for words that the training flights did not have."""

RAW = [*NUMERIC, *CATEGORICAL, *CLOCK.values(), WEEKDAY]
"""The raw columns that the model is made from."""

GROUPS = {
    "departure": [SCHEDULED],
    "weekday": [WEEKDAY],
    "airline": ["carrier"],
    "airport": ["origin"],
    "destination": ["dest", "distance"],
    "aircraft": ["plane_year", "seats"],
    "temperature and humidity": ["temp", "dewp", "humid"],
    "wind": ["wind_speed", "wind_gust"],
    "rain and visibility": ["precip", "visib"],
    "pressure": ["pressure"],
}
"""Every column that the model is made from, once: columns that say the same stand together, by a name for people."""


def scaled(name: str) -> str:
    """Name of a scaled numeric feature."""
    return f"{name}_scaled"


def index(name: str) -> str:
    """Name of a feature that is a place in a vocabulary."""
    return f"{name}_index"


def measured(inputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """What is scaled, before it is.

    Args:
        inputs: as for `preprocessing_fn`.

    Returns:
        For each of `SCALED` a float32 tensor of shape (batch, 1).
    """
    clocks = {name: tf.cast(minutes(_dense(inputs[column], -1)), tf.float32) for name, column in CLOCK.items()}
    return {name: _dense(inputs[name], missing) for name, missing in NUMERIC.items()} | clocks


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Prepares raw flights for the model.

    Args:
        inputs: a batch of raw columns; dense of shape (batch, 1), or sparse where the schema lets a value be missing.

    Returns:
        Dense tensors of shape (batch, 1): float32 for `scaled` names, int64 for `index` names and the label.
    """
    columns = list(measured(inputs).values())
    # One analyzer for all of them: each analyzer is a branch of the Beam pipeline and costs half a second on its own. In double
    # precision: Beam makes its batches by the clock, and sums of float32 would be rounded otherwise in each run.
    z_scores = tf.cast(
        tft.scale_to_z_score(tf.cast(tf.concat(columns, axis=1), tf.float64), elementwise=True), tf.float32
    )

    outputs = {
        scaled(name): column for name, column in zip(SCALED, tf.split(z_scores, len(columns), axis=1), strict=True)
    }
    for name, top_k in CATEGORICAL.items():
        outputs[index(name)] = tft.compute_and_apply_vocabulary(
            _dense(inputs[name], ""), top_k=top_k, num_oov_buckets=UNKNOWN, vocab_filename=name
        )
    outputs[index(WEEKDAY)] = _dense(inputs[WEEKDAY], 1) - 1
    outputs[LABEL] = _dense(inputs[LABEL], 0)
    return outputs


def _dense(column: tf.Tensor | tf.SparseTensor, missing: float | int | str) -> tf.Tensor:
    """A column of shape (batch, 1); numbers become float32 when the stand-in for a missing value is a float."""
    if isinstance(missing, float):
        column = tf.cast(column, tf.float32)
    if isinstance(column, tf.SparseTensor):
        column = tf.sparse.to_dense(
            tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1]), default_value=missing
        )
    return column
