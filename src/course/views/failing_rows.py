"""Which rows of the data show an anomaly. TFDV looks at statistics only, and does not say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from course.views import schema_constraints
from course.views.row_sources import Row

LOOKED_AT = 50_000
"""Rows that are looked at: enough to find some, and a second or two of time."""

Test = Callable[[list[Any]], int]
"""From a feature's values in one row to 0 (nothing wrong), or how plainly the row shows it: 2 plainly, 1 somewhat."""


@dataclass
class FailingRows:
    """Rows that show one anomaly.

    Attributes:
        rows: the first of them, label and values.
        count: how many there are in what was looked at.
        looked_at: how many rows that was.
        grade: how plainly they show it.
    """

    rows: list[Row] = field(default_factory=list)
    count: int = 0
    looked_at: int = 0
    grade: int = 1

    def add(self, row: Row, grade: int, most: int) -> None:
        """Takes a row; rows that show it more plainly replace those before."""
        if grade < self.grade:
            return
        if grade > self.grade:
            self.rows, self.count, self.grade = [], 0, grade
        self.count += 1
        if len(self.rows) < most:
            self.rows.append(row)


def find(rows: Iterable[Row], tests: dict[Any, tuple[str, Test]], most: int) -> dict[Any, FailingRows]:
    """Looks for the rows that show each of several anomalies, in one pass.

    Args:
        rows: the data.
        tests: by a key of the caller's, the feature and the test of its values.
        most: how many rows to keep of each.
    """
    found = {key: FailingRows() for key in tests}
    for number, row in enumerate(rows, start=1):
        if number > LOOKED_AT:
            break
        for key, (feature, test) in tests.items():
            found[key].looked_at = number
            if grade := test(row[1].get(feature, [])):
                found[key].add(row, grade, most)
    return found


def test_for(kind: str, feature: Any, shared: dict[str, list[str]]) -> Test | None:
    """The test for one reason of an anomaly; None where no single row can show it (drift, too few different values).

    Args:
        kind: name of the reason, one of `AnomalyInfo.Type`.
        feature: what the schema says of the feature; None if it does not know it.
        shared: the schema's domains that features share, by name.
    """
    if kind == "SCHEMA_NEW_COLUMN":
        return lambda values: 2 if values else 0
    if kind in ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_PRESENT", "FEATURE_TYPE_NOT_PRESENT"):
        return lambda values: 0 if values else 2
    if kind in ("FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_HAS_INF"):
        odd = math.isnan if kind.endswith("NAN") else math.isinf
        # In a pandas table NaN means "missing": there, a row without a value is the best that can be found.
        return _any(lambda value: isinstance(value, float) and odd(value), 1 if kind.endswith("NAN") else 0)
    if kind in ("ENUM_TYPE_INVALID_UTF8", "ENUM_TYPE_BYTES_NOT_STRING"):
        return _any(_is_no_text)
    return None if feature is None else _test_by_schema(kind, feature, shared)


def _test_by_schema(kind: str, feature: Any, shared: dict[str, list[str]]) -> Test | None:
    """The test for a reason that needs to know what is allowed."""
    low, high = schema_constraints.bounds(feature)
    if kind in ("INT_TYPE_SMALL_INT", "FLOAT_TYPE_SMALL_FLOAT", "BOOL_TYPE_SMALL_INT"):
        return _any(lambda value: _is_number(value) and value < low)
    if kind in ("INT_TYPE_BIG_INT", "FLOAT_TYPE_BIG_FLOAT", "BOOL_TYPE_BIG_INT"):
        return _any(lambda value: _is_number(value) and value > high)
    if kind == "BOOL_TYPE_UNEXPECTED_FLOAT":
        return _any(lambda value: _is_number(value) and value not in (0, 1))
    if kind in ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "BOOL_TYPE_UNEXPECTED_STRING"):
        values = schema_constraints.domain(feature, shared)
        return None if values is None else _any(lambda value: text(value) not in values)
    least, most = schema_constraints.counts(feature)
    if kind in ("FEATURE_TYPE_LOW_NUMBER_VALUES", "FEATURE_TYPE_NO_VALUES"):
        return lambda values: 2 if values and len(values) < least else 1 if len(values) < least else 0
    if kind in ("FEATURE_TYPE_HIGH_NUMBER_VALUES", "FEATURE_TYPE_UNEXPECTED_REPEATED"):
        return lambda values: 2 if len(values) > most else 0
    if kind == "INVALID_FEATURE_SHAPE":
        return lambda values: 0 if least <= len(values) <= most else 2 if values else 1
    if kind == "UNEXPECTED_DATA_TYPE" or "_NOT_" in kind or "STRING_TYPE_NOW" in kind or kind.endswith("_EXPECTED"):
        return _wrong_type(feature.type)
    return None


def text(value: Any) -> str:
    """A value as text, whatever it is kept as."""
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _any(test: Callable[[Any], bool], without: int = 0) -> Test:
    """True of one of the values; `without` is the grade of a row that has none."""
    return lambda values: 2 if any(test(value) for value in values) else 0 if values else without


def _wrong_type(wanted: int) -> Test:
    """A column is of one type: one text among numbers makes all of them text. The row that has it shows it most plainly."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    def grade(value: Any) -> int:
        if wanted == schema_pb2.BYTES:
            return 0 if isinstance(value, str | bytes) else 2
        if isinstance(value, str | bytes):
            return 1 if _reads_as(float if wanted == schema_pb2.FLOAT else int, text(value)) else 2
        if wanted == schema_pb2.INT:
            return 0 if not isinstance(value, float) else 1 if value == math.floor(value) else 2
        return 0 if isinstance(value, float) else 2

    return lambda values: max((grade(value) for value in values), default=0)


def _reads_as(kind: type, word: str) -> bool:
    try:
        kind(word)
    except ValueError:
        return False
    return True


def _is_no_text(value: Any) -> bool:
    if not isinstance(value, bytes):
        return False
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
