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
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from .columns import PROBABILITY
from .config import SCHEMA_FOLDER
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

Columns = dict[str, Sequence[Value]]
"""A value for each flight, by column."""


class FlightError(ValueError):
    """A flight to predict lacks a column, or holds what does not belong there."""


class Column(NamedTuple):
    """What the schema says of a column; read once, because a message of protobuf is slow to ask for each flight.

    Attributes:
        kind: `BYTES`, `INT` or `FLOAT` of the schema.
        words: those that there may be; None for any.
        first: the smallest number.
        last: the largest number.
        is_served: whether the model is handed it.
    """

    kind: int
    words: list[str] | None
    first: float
    last: float
    is_served: bool

    def takes(self, values: Sequence[Value]) -> bool:
        """Whether all of these are of its own type, and inside of its domain. Text for a number is not, nor is 5.0 for 5."""
        kinds = set(map(type, values))
        if self.kind == schema_pb2.BYTES:
            return kinds <= {str} and "" not in values and (self.words is None or set(self.words).issuperset(values))
        largest = 2**63 - 1 if self.kind == schema_pb2.INT else LARGEST
        return kinds <= ({int} if self.kind == schema_pb2.INT else {int, float}) and (
            not values
            or (
                max(self.first, -largest) <= min(values)
                and max(values) <= min(self.last, largest)
                and math.isfinite(sum(values))  # no comparison finds NaN
            )
        )


class Contract:
    """What the schema asks of a flight."""

    def __init__(self, schema: schema_pb2.Schema) -> None:
        """Reads it once.

        Args:
            schema: with the environments `REQUEST` and `SERVING`.
        """
        domains = {domain.name: list(domain.value) for domain in schema.string_domain}
        self.columns = {feature.name: _column(feature, domains) for feature in schema.feature}
        self.rules = [rule for rule in rules_of(schema) if rule.is_of_each_flight]
        self.required = [
            feature.name
            for feature in schema.feature
            if feature.presence.min_fraction == 1 and REQUEST not in feature.not_in_environment
        ]

    @classmethod
    @functools.cache
    def load(cls, path: str | Path = SCHEMA_FOLDER / "schema.pbtxt") -> Contract:
        """Reads a schema in text form, once; by default the one that the pipeline trains by."""
        return cls(read_schema(path))

    def check(self, flights: Sequence[Mapping[str, Value]], first: int = 0) -> list[dict[str, int | float | str]]:
        """The values of each flight that are known, in the type that the schema says.

        Args:
            flights: raw columns by name.
            first: the place of the first one in the request, for the error message.

        Raises:
            FlightError: naming the first flight that is refused, the column, and what belongs there.
        """
        known, refused = [], None
        for number, flight in enumerate(flights, first):
            try:
                known.append(self._values(flight, number))
            except FlightError as error:
                refused = error
                break
        columns = {name: [flight.get(name) for flight in known] for name in self.columns}
        broken = [(place, rule) for rule in self.rules if (place := _first_broken(rule, columns)) is not None]
        if broken:  # of two rules that the same flight breaks, that which the schema has first
            place, rule = min(broken, key=lambda one: one[0])
            value = shown(flights[place][rule.column])
            raise FlightError(f"flight {first + place}, column {rule.column}: {value} is not {rule.wanted}.")
        if refused:
            raise refused
        return known

    def columns_of(self, flights: Sequence[Mapping[str, Value]], first: int = 0) -> Columns:
        """What `check` gives, by column: a value for each flight, None where it is not known.

        Each column is looked at as a whole, which takes a tenth of the time; only where something is unusual, `check` finds the flight and the sentence.
        """
        found = self._all_usual(flights)
        if found is None:
            known = self.check(flights, first)
            found = {name: [flight.get(name) for flight in known] for name in self.columns}
        return found

    def _all_usual(self, flights: Sequence[Mapping[str, Value]]) -> Columns | None:
        """The columns, if `check` would accept each value as it is."""
        if any(type(flight) is not dict for flight in flights) or not self.columns.keys() >= set().union(*flights):
            return None
        found: Columns = {}
        for name, column in self.columns.items():
            values = [flight.get(name) for flight in flights]
            known = values if None not in values else [value for value in values if value is not None]
            if not column.takes(known) or (name in self.required and len(known) < len(values)):
                return None
            found[name] = values
        return found if all(_first_broken(rule, found) is None for rule in self.rules) else None

    def _values(self, flight: Mapping[str, Value], number: int) -> dict[str, int | float | str]:
        """The values of one flight, each inside of its domain."""
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
        return {name: self._value(name, value, number) for name, value in given.items()}

    def _value(self, name: str, value: Value, number: int) -> int | float | str:
        """One value in the type of its column, inside of its domain."""
        column = self.columns[name]

        def refusal(wanted: str) -> FlightError:
            return FlightError(f"flight {number}, column {name}: {shown(value)} is not {wanted}.")

        if column.kind == schema_pb2.BYTES:
            if not isinstance(value, str):
                raise refusal("text")
            if column.words is not None and value not in column.words:
                raise refusal(f"one of {', '.join(column.words)}")
            return str(value)
        real = _as_number(value)
        if column.kind == schema_pb2.INT and (real is None or not real.is_integer() or abs(real) >= 2**63):
            raise refusal("a whole number")
        if real is None:
            raise refusal("a number")
        if not column.first <= real <= column.last:
            raise refusal(f"from {column.first:g} to {column.last:g}")
        if column.kind == schema_pb2.INT:
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
            contract: what a flight must look like; that of `schema/` by default.
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
        examples = to_examples(flights, contract=self._contract)
        return self._serve(examples=tf.constant(examples, tf.string))[PROBABILITY].numpy()[:, 0].tolist()


def to_example(flight: Mapping[str, Value], number: int = 0, contract: Contract | None = None) -> bytes:
    """A flight as a serialised tf.Example of raw columns, without the label.

    Args:
        flight: raw columns by name.
        number: its place in the request, for the error message.
        contract: what it must look like; that of `schema/` by default.

    Raises:
        FlightError: naming the flight, the column, and what belongs there.
    """
    return to_examples([flight], number, contract)[0]


def to_examples(
    flights: Sequence[Mapping[str, Value]], first: int = 0, contract: Contract | None = None
) -> list[bytes]:
    """Flights as `to_example` makes each; `first` is the place of the first one in the request."""
    contract = contract or Contract.load()
    return encode(contract.columns_of(flights, first), contract)


def encode(columns: Columns, contract: Contract | None = None) -> list[bytes]:
    """Serialised tf.Examples of flights that `Contract.columns_of` has given.

    Serialised messages that are joined are one message with the parts of all (protobuf.dev/programming-guides/encoding, "Last One Wins"), and a column
    has few values: so each value is serialised once, and a flight is what its values are, joined. One by one, they took most of a prediction's time.
    """
    contract = contract or Contract.load()
    served = [(name, column.kind) for name, column in contract.columns.items() if column.is_served and name in columns]
    pieces = []
    for name, kind in served:
        piece = {value: b"" if value is None else _example(name, kind, value) for value in set(columns[name])}
        pieces.append([piece[value] for value in columns[name]])
    return [b"".join(of_one) for of_one in zip(*pieces, strict=True)]


@functools.lru_cache(2**16)
def _example(name: str, kind: int, value: int | float | str) -> bytes:
    """A tf.Example of one column."""
    feature = {name: _feature(kind, value)}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()  # type: ignore[no-any-return]


def _column(feature: schema_pb2.Feature, domains: Mapping[str, list[str]]) -> Column:
    kind = feature.WhichOneof("domain_info")
    ends = getattr(feature, kind) if kind in ("int_domain", "float_domain") else None
    # Where the schema tolerates words that it does not list, the model has a place for them.
    closed = not feature.distribution_constraints.min_domain_mass < 1
    return Column(
        feature.type,
        domains[feature.domain] if feature.domain and closed else None,
        ends.min if ends is not None and ends.HasField("min") else -math.inf,
        ends.max if ends is not None and ends.HasField("max") else math.inf,
        SERVING not in feature.not_in_environment,
    )


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


def _first_broken(rule: Rule, columns: Columns) -> int | None:
    """The place of the first flight that breaks a rule; one that lacks a value that the rule reads breaks nothing."""
    rows = list(zip(*(columns[name] for name in (rule.column, *rule.others)), strict=True))
    broken = {row for row in set(rows) if None not in row and _breaks(rule, row)}
    return next(place for place, row in enumerate(rows) if row in broken) if broken else None


@functools.lru_cache(2**16)
def _breaks(rule: Rule, row: tuple[int | float | str, ...]) -> bool:
    """Whether values break a rule. It is kept, because the same come again and again, and asking a rule takes longer than all else of a prediction."""
    arrays = [np.array([value], object if isinstance(value, str) else float) for value in row]
    return bool(find_broken(rule, dict(zip((rule.column, *rule.others), arrays, strict=True)))[0])
