"""One axis of parallel coordinates: numbers, numbers on a logarithmic scale, or categories, each mapped to 0 to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from course.views.numbers import readable

_WIDE = 50
"""From this ratio of the largest to the smallest on, positive numbers are drawn on a logarithmic scale."""
UNUSED = -0.14
"""Where a hyperparameter is that does not apply to a trial: below the others."""
_FEW = 6


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        name: of what.
        kind: `number`, `log`, `category`, or `steps` for a few numbers that come again and again, drawn equally far apart.
        values: all different values, in order.
    """

    name: str
    kind: str
    values: list[Any]

    def place(self, value: Any) -> float:
        """Where a value is, from 0 to 1; `UNUSED` for one that is missing."""
        if value is None or text(value) not in [text(one) for one in self.values]:
            return UNUSED
        if self.kind in ("category", "steps"):
            places = [text(one) for one in self.values]
            return 0.5 if len(places) == 1 else places.index(text(value)) / (len(places) - 1)
        low, high = self._at(self.values[0]), self._at(self.values[-1])
        return 0.5 if low == high else (self._at(value) - low) / (high - low)

    def _at(self, value: Any) -> float:
        return math.log10(value) if self.kind == "log" else float(value)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and labels: all values if they are few, else the ends and rounded values between."""
        if not self.values:
            return []
        apart = 0.08
        few = self.values if len(self.values) <= _FEW or self.kind in ("category", "steps") else []
        if not few:
            low, high = self._at(self.values[0]), self._at(self.values[-1])
            between = [low + (high - low) * part / 4 for part in range(5)]
            raw = [10**one if self.kind == "log" else one for one in between]
            return [(part / 4, _short(value)) for part, value in enumerate(raw)]
        found: list[tuple[float, str]] = []
        for value in few[:12]:
            place = self.place(value)
            if not found or place - found[-1][0] >= apart or value == few[-1]:
                if found and place - found[-1][0] < apart:
                    found.pop()
                found.append((place, text(value)))
        return found


def of(name: str, values: list[Any], scale: str | None) -> Axis:
    """The axis that suits these values; None among them stands for a value that is missing.

    Args:
        name: of what.
        values: of all trials.
        scale: `log`, or None to judge by the values.
    """
    there = [value for value in values if value is not None]
    if not there or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in there):
        return Axis(name, "category", sorted({text(one): one for one in there}.values(), key=text))
    different = sorted(set(there))
    if len(different) <= _FEW and len(there) > len(different):
        return Axis(name, "steps", different)
    wide = different[0] > 0 and (scale == "log" or different[-1] / different[0] >= _WIDE)
    return Axis(name, "log" if wide else "number", different)


def text(value: Any) -> str:
    """A hyperparameter's value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _short(value)
    return readable(str(value), 18).replace(r"\$", "$")


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1e4 else f"{value:,.0f}"
