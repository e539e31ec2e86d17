"""Two sets of statistics beside each other."""

from __future__ import annotations

from typing import Any

from course.display import FigureView
from course.views import distribution, protos
from course.views.html import View, stack
from course.views.profile import overview


def compare(
    left: Any,
    right: Any,
    feature: str | None = None,
    names: tuple[str, str] = ("January", "February"),
    split: str | None = None,
) -> View | FigureView:
    """Two sets of statistics beside each other, such as those of two months.

    Args:
        left: statistics: artifact, channel, path or proto.
        right: what to compare it with.
        feature: one feature, drawn over the same bins; without it, a table of all.
        names: what the two are called.
        split: which split, where they have several; the first by default.

    Raises:
        KeyError: no such feature or split; the message names those that there are.
    """
    found = {name: protos.one_split(thing, split) for name, thing in zip(names, (left, right), strict=True)}
    if feature is None:
        return stack(*(overview(name, dataset) for name, dataset in found.items()))
    return FigureView(*distribution.draw(found, feature))
