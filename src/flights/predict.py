"""Asks a pushed model about flights, given as raw columns.

What may be asked is what may be learnt: the schema says it, with its types, ranges, words and rules.
"""

from __future__ import annotations

import functools
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from .config import SCHEMA_FOLDER
from .model import PROBABILITY
from .month_rules import LONGEST, shown
from .rules import Rule, find_broken, read_schema, rules_of

REQUEST = "REQUEST"
"""The schema's environment of a flight that is to be predicted: what must be known of it."""

SERVING = "SERVING"
"""The schema's environment of data in service: what is not in it, the label, is not handed to the model."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number that is written as text, as in a monthly file."""

LARGEST = float(np.finfo(np.float32).max)
"""What a tf.Example can hold of a real number."""

Value = int | float | str | None


class FlightError(ValueError):
    """A flight to predict lacks a column, or holds what does not belong there."""


class Contract:
    """What the schema asks of one flight."""

    def __init__(self, schema: schema_pb2.Schema) -> None:
        """Reads it once.

        Args:
            schema: with the environments `REQUEST` and `SERVING`.
        """
        self.columns = {feature.name: feature for feature in schema.feature}
        self.words = {domain.name: list(domain.value) for domain in schema.string_domain}
        self.rules = [rule for rule in rules_of(schema) if rule.is_of_each_flight]
        self.required = [
            name
            for name, column in self.columns.items()
            if column.presence.min_fraction == 1 and REQUEST not in column.not_in_environment
        ]

    @classmethod
    @functools.cache
    def load(cls, path: str | Path = SCHEMA_FOLDER / "schema.pbtxt") -> Contract:
        """Reads a schema in text form, once; by default the one that the pipeline trains by."""
        return cls(read_schema(path))

    def check(self, flight: Mapping[str, Value], number: int) -> dict[str, int | float | str]:
        """The values of a flight that are known, each in the type that the schema says.

        Args:
            flight: raw columns by name.
            number: its place in the request, for the error message.

        Raises:
            FlightError: naming the flight, the column, and what belongs there.
        """
        if not isinstance(flight, Mapping):
            raise FlightError(f"flight {number}: {shown(flight)} is not a flight. Write its columns by name.")
        given = {name: value for name, value in flight.items() if not _is_missing(value)}
        unknown = sorted((name for name in flight if name not in self.columns), key=str)
        if unknown:
            named = ", ".join(map(_named, unknown[:5]))
            raise FlightError(f"flight {number}: no column {named}; there are {', '.join(self.columns)}.")
        missing = [name for name in self.required if name not in given]
        if missing:
            raise FlightError(f"flight {number}: {', '.join(missing)} is missing.")
        known = {name: self._value(name, value, number) for name, value in given.items()}
        for rule in self.rules:
            if {rule.column, *rule.others} <= set(known) and _breaks(rule, known):
                raise FlightError(
                    f"flight {number}, column {rule.column}: {shown(given[rule.column])} is not {rule.wanted}."
                )
        return known

    def _value(self, name: str, value: Value, number: int) -> int | float | str:
        """One value in the type of its column, inside of its domain."""
        column = self.columns[name]

        def refusal(wanted: str) -> FlightError:
            return FlightError(f"flight {number}, column {name}: {shown(value)} is not {wanted}.")

        if column.type == schema_pb2.BYTES:
            if not isinstance(value, str):
                raise refusal("text")
            # Where the schema tolerates words that it does not list, the model has a place for them.
            closed = not column.distribution_constraints.min_domain_mass < 1
            if column.domain and closed and value not in self.words[column.domain]:
                raise refusal(f"one of {', '.join(self.words[column.domain])}")
            return str(value)
        real = _as_number(value)
        if column.type == schema_pb2.INT and (real is None or not real.is_integer() or abs(real) >= 2**63):
            raise refusal("a whole number")
        if real is None:
            raise refusal("a number")
        kind = column.WhichOneof("domain_info")
        if kind in ("int_domain", "float_domain"):
            ends = getattr(column, kind)
            first = ends.min if ends.HasField("min") else -math.inf
            last = ends.max if ends.HasField("max") else math.inf
            if not first <= real <= last:
                raise refusal(f"from {first:g} to {last:g}")
        if column.type == schema_pb2.INT:
            return int(real)
        if abs(real) > LARGEST:
            raise refusal("a number that the model can take")
        return real


class Predictor:
    """A pushed model, loaded once and asked as often as one likes."""

    def __init__(self, model_folder: str | Path, contract: Contract | None = None) -> None:
        """Loads a SavedModel written by the pipeline, for example a folder under `serving/`.

        Args:
            model_folder: of the SavedModel.
            contract: what a flight must look like; that of `flights/schema` by default.
        """
        self._contract = contract or Contract.load()
        self._model = tf.saved_model.load(str(model_folder))
        self._serve = self._model.signatures["serving_default"]

    def predict(self, flights: Sequence[Mapping[str, Value]]) -> list[float]:
        """The probability of arriving late, from 0 to 1, for each flight.

        Args:
            flights: raw columns by name, as in the monthly files; what is unknown may be left out, where the schema allows it.

        Raises:
            FlightError: naming the flight, the column, and what belongs there.
        """
        if not flights:
            return []
        examples = [to_example(flight, number, self._contract) for number, flight in enumerate(flights)]
        return self._serve(examples=tf.constant(examples, tf.string))[PROBABILITY].numpy()[:, 0].tolist()


def to_example(flight: Mapping[str, Value], number: int = 0, contract: Contract | None = None) -> bytes:
    """A flight as a serialised tf.Example of raw columns, without the label.

    Args:
        flight: raw columns by name.
        number: its place in the request, for the error message.
        contract: what it must look like; that of `flights/schema` by default.

    Raises:
        FlightError: naming the flight, the column, and what belongs there.
    """
    contract = contract or Contract.load()
    known = contract.check(flight, number)
    features = {
        name: _feature(contract.columns[name].type, value)
        for name, value in known.items()
        if SERVING not in contract.columns[name].not_in_environment
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _named(column: object) -> str:
    """The name of a column that there is not, as a message shows it."""
    return column if isinstance(column, str) and column.isidentifier() and len(column) <= LONGEST else shown(column)


def _is_missing(value: Value) -> bool:
    if isinstance(value, numbers.Real):
        return bool(value != value)
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, str) and value == "")


def _feature(kind: int, value: int | float | str) -> tf.train.Feature:
    if kind == schema_pb2.BYTES:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
    if kind == schema_pb2.INT:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


def _as_number(value: Value) -> float | None:
    """A finite number, also when it is written as text; None for anything else, and for True and False."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real | str):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if math.isfinite(real) else None


def _breaks(rule: Rule, known: Mapping[str, int | float | str]) -> bool:
    columns = {
        name: np.array([known[name]], object if isinstance(known[name], str) else float)
        for name in (rule.column, *rule.others)
    }
    return bool(find_broken(rule, columns)[0])
