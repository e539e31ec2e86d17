"""Asks a pushed model about flights, given as raw columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import tensorflow as tf

from flights.data import COLUMN_TYPES, INTEGER, LABEL, TEXT
from flights.model import PROBABILITY

REQUIRED = ["weekday", "sched_dep_time", "carrier", "origin", "dest", "distance"]
"""What must be known of a flight; the weather and the plane may be missing."""

LIMITS = {"weekday": (1, 7), "sched_dep_time": (1, 2359)}
"""Columns that mean nothing outside these values, for which the model has no place. The schema says the same."""

Value = int | float | str | None


class FlightError(ValueError):
    """A flight to predict lacks a column, or holds what does not belong there."""


class Predictor:
    """A pushed model, loaded once and asked as often as one likes."""

    def __init__(self, model_folder: str | Path) -> None:
        """Loads a SavedModel written by the pipeline, for example a folder under `serving/`."""
        self._model = tf.saved_model.load(str(model_folder))
        self._serve = self._model.signatures["serving_default"]

    def predict(self, flights: Sequence[Mapping[str, Value]]) -> list[float]:
        """The probability of arriving late, from 0 to 1, for each flight.

        Args:
            flights: raw columns by name, as in the monthly files; what is unknown may be left out, but for `REQUIRED`.

        Raises:
            FlightError: naming the flight, the column, and what belongs there.
        """
        if not flights:
            return []
        examples = [to_example(flight, number) for number, flight in enumerate(flights)]
        return self._serve(examples=tf.constant(examples, tf.string))[PROBABILITY].numpy()[:, 0].tolist()


def to_example(flight: Mapping[str, Value], number: int = 0) -> bytes:
    """A flight as a serialised tf.Example of raw columns, without the label.

    Args:
        flight: raw columns by name.
        number: its place in the request, for the error message.
    """
    if not isinstance(flight, Mapping):
        raise FlightError(f"flight {number}: {flight!r} is not a flight. Write its columns by name.")
    given = {name: value for name, value in flight.items() if not _is_missing(value)}
    unknown = sorted(set(given) - set(COLUMN_TYPES))
    if unknown:
        raise FlightError(f"flight {number}: no column {', '.join(unknown)}; there are {', '.join(COLUMN_TYPES)}.")
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise FlightError(f"flight {number}: {', '.join(missing)} is missing.")
    given.pop(LABEL, None)
    return tf.train.Example(
        features=tf.train.Features(feature={name: _feature(name, value, number) for name, value in given.items()})
    ).SerializeToString()


def _is_missing(value: Value) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and math.isnan(value))


def _feature(name: str, value: Value, number: int) -> tf.train.Feature:
    def refusal(wanted: str) -> FlightError:
        return FlightError(f"flight {number}, column {name}: {value!r} is not {wanted}.")

    kind: pa.DataType = COLUMN_TYPES[name]
    if kind == TEXT:
        if not isinstance(value, str):
            raise refusal("text")
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
    real = _as_number(value)
    if kind != INTEGER:
        if real is None:
            raise refusal("a number")
        return tf.train.Feature(float_list=tf.train.FloatList(value=[real]))
    if real is None or not real.is_integer() or abs(real) >= 2**63:
        raise refusal("a whole number")
    first, last = LIMITS.get(name, (-math.inf, math.inf))
    if not first <= real <= last:
        raise refusal(f"from {first} to {last}")
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(real)]))


def _as_number(value: Value) -> float | None:
    """A finite number, also when it is written as text; None for anything else."""
    try:
        real = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return real if math.isfinite(real) else None
