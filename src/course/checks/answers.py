"""Answers as data: what a student's variable says, in the types that JSON has."""

from __future__ import annotations

import math
from datetime import date
from pathlib import PurePath
from typing import Any

DEPTH, ITEMS, LETTERS = 20, 100_000, 1_000_000
"""What an answer may have at most: levels of nesting, values in all, letters in all."""

_LISTS = ("list", "tuple", "range", "dict_keys", "dict_values")


class NotPlain(ValueError):
    """An answer is not data. The message says what it is and what to give instead."""


def plain(value: Any) -> Any:
    """The same value in the types of JSON: None, bool, int, float, str, list, dict with text as keys.

    `...` becomes None (not answered yet). Tuples, sets (in order of their values), ranges, the numbers and arrays of NumPy, the
    columns and indices of pandas become lists and numbers (a column whose index is text, a dictionary), paths and days become text: 2013-06-01.

    Raises:
        NotPlain: it holds something else, or too much.
    """
    return _Walk().walk(value, 0)


class _Walk:
    """One conversion, and how much it has met so far."""

    def __init__(self) -> None:
        self.items = self.letters = 0

    def walk(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if value is None or value is Ellipsis:
            return None
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return self._float(float(value))
        if isinstance(value, str | PurePath):
            return self._text(str(value))
        if isinstance(value, date):  # those of pandas, too, and moments
            return self._text(value.isoformat())
        if isinstance(value, dict):
            return self._dict(value, depth)
        if type(value).__name__ in _LISTS or isinstance(value, list | tuple):
            return [self.walk(item, depth + 1) for item in value]
        if isinstance(value, set | frozenset):
            return sorted(
                (self.walk(item, depth + 1) for item in value), key=lambda item: (str(type(item)), repr(item))
            )
        if type(value).__module__.partition(".")[0] in ("numpy", "pandas") and hasattr(value, "tolist"):
            if getattr(getattr(value, "dtype", None), "kind", "") == "M":  # `tolist` makes nanoseconds of moments
                value = value.astype(str)
            return self._array(value, depth)
        raise NotPlain(f"it {_holds(depth)} {_kind(value)}, which cannot be stored as an answer: {_advice(value)}")

    def _count(self, depth: int) -> None:
        self.items += 1
        if depth > DEPTH:
            raise NotPlain(f"it is nested more than {DEPTH} levels deep, or holds itself")
        if self.items > ITEMS:
            raise NotPlain(f"it holds more than {ITEMS:,} values")

    def _integer(self, value: int) -> int:
        if abs(value) >= 2**63:
            raise NotPlain("it holds a whole number of more than 18 digits")
        return value

    def _float(self, value: float) -> float:
        if not math.isfinite(value):
            raise NotPlain(f"it holds {value}, which is not a number: look at how it was computed")
        return value

    def _text(self, value: str) -> str:
        self.letters += len(value)
        if self.letters > LETTERS:
            raise NotPlain(f"it holds more than {LETTERS:,} letters")
        # A half of a surrogate pair has no form in a file.
        return value.encode("utf-8", "replace").decode("utf-8")

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        result = {}
        for key, item in value.items():
            name = self.walk(key, depth + 1)
            if isinstance(name, bool) or not isinstance(name, str | int):
                raise NotPlain(f"it {_holds(depth)} a dictionary with {_kind(key)} as key: use text as keys")
            result[str(name)] = self.walk(item, depth + 1)
        return result

    def _array(self, value: Any, depth: int) -> Any:
        if getattr(value, "size", 1) > ITEMS:
            raise NotPlain(f"it holds more than {ITEMS:,} values")
        if type(value).__name__ == "Series" and all(isinstance(name, str) for name in value.index):
            return self._dict(value.to_dict(), depth)
        listed = value.tolist()
        if type(listed) is type(value):
            raise NotPlain(f"it {_holds(depth)} {_kind(value)}: {_advice(value)}")
        return self.walk(listed, depth)


def _holds(depth: int) -> str:
    return "holds" if depth else "is"


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return f"the class `{value.__name__}` itself"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function `{value.__name__}` itself"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} `{name}`"


def _advice(value: Any) -> str:
    if isinstance(getattr(value, "uri", None), str):  # an artifact of TFX
        return "give its `.uri`."
    if isinstance(value, type) or callable(value):
        return "call it, and give what it returns."
    if type(value).__name__ == "DataFrame":
        return "give the column, list or number that was asked for."
    if isinstance(value, complex | bytes):
        return "give a number or text."
    return "give a number, text, a list or a dictionary of them; larger things are written to a file in the workspace."
