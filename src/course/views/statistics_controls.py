"""Statistics with controls: which feature, which month or split, and what to compare it with."""

from __future__ import annotations

from typing import Any

from course.controls import Explorer
from course.display import FigureView, Report
from course.views import distribution, protos, statistics_comparison, summary
from course.views.html import note, stack

_NOTHING = "nothing"
_EVERY = "all splits"


def choose(
    thing: Any,
    other: Any = None,
    feature: str | None = None,
    names: tuple[str, str] = ("January", "February"),
    month: str | None = None,
    against: str | None = None,
    split: str | None = None,
    table: bool = True,
) -> None:
    """One feature as a figure and a table, with controls to choose the feature, the split, the month, and what it is compared with.

    Args:
        thing: statistics (artifact, channel, path or proto); several months as `{"January": statistics, "February": ...}`.
        other: a second set of statistics, to compare with the first.
        feature: the one to start from, which the stored notebook shows; the first by default.
        names: what the two are called, where `other` is given.
        month: the one to start from; the last by default.
        against: the month that it is compared with at first, or `"nothing"`; the first by default.
        split: the one to start from.
        table: show the table of numbers under the figure too; on a slide there is no room for both.

    Raises:
        ValueError: nothing to choose from; no such feature, month or split to start from.
    """
    given = thing if other is None else dict(zip(names, (thing, other), strict=True))
    if isinstance(given, dict) and len(given) > 1:
        _months({name: protos.statistics(one) for name, one in given.items()}, feature, month, against, split, table)
    else:
        _splits(protos.statistics(given), feature, split, table)


def _months(
    months: dict[str, dict[str, protos.Statistics]],
    feature: str | None,
    month: str | None,
    against: str | None,
    split: str | None,
    table: bool,
) -> None:
    names = list(months)
    splits = list(dict.fromkeys(split for found in months.values() for split in found))
    several = any(len(found) > 1 for found in months.values())
    features = list(dict.fromkeys(n for found in months.values() for n in protos.feature_names(found)))
    controls = {"feature": features, "month": tuple(names), "compared_with": [_NOTHING, *names]}
    start = {"month": month or names[-1], "compared_with": against or names[0]}

    def drawn(feature: str, month: str, compared_with: str, split: str = splits[0]) -> Report:
        chosen = [name for name in names if name in (month, compared_with)]
        sides = {}
        for name in chosen:
            found = months[name]
            sides[name] = next(iter(found.values())) if len(found) == 1 else found.get(split, protos.Statistics())
        return _report(sides, feature, table)

    if several:
        controls["split"], start["split"] = splits, split or splits[0]
    _show(drawn, controls, start, feature)


def _splits(found: dict[str, protos.Statistics], feature: str | None, split: str | None, table: bool) -> None:
    controls: dict[str, Any] = {"feature": protos.feature_names(found)}

    def drawn(feature: str, split: str = _EVERY) -> Report:
        return _report(found if split == _EVERY else {split: found[split]}, feature, table)

    if len(found) > 1:
        controls["split"] = [_EVERY, *found]
    _show(drawn, controls, {"split": split or _EVERY}, feature)


def _show(drawn: Any, controls: dict[str, Any], start: dict[str, Any], feature: str | None) -> None:
    if not controls["feature"]:
        raise ValueError("There is no feature in these statistics. Were they made from examples with features?")
    start["feature"] = controls["feature"][0] if feature is None else feature
    for name, value in start.items():
        if name in controls and value not in controls[name]:
            raise ValueError(f"No {name.replace('_', ' ')} {value!r} here. There are: {', '.join(controls[name])}.")
    Explorer(drawn, None, controls, start).display()


def _report(sides: dict[str, protos.Statistics], feature: str, table: bool) -> Report:
    """The figure, and under it a table; between them, where there are two sides, a sentence about the difference."""
    if not any(protos.feature(dataset, feature) is not None for dataset in sides.values()):
        text = f"{feature}: not in the statistics of {' and '.join(sides)}."
        return Report(note(text), stack())
    figure = FigureView(*distribution.draw(sides, feature, common=True))
    words = [note(statistics_comparison.sentence(sides, feature))] if len(sides) == 2 else []
    return Report(figure, stack(*words, *([summary.tabled(sides, feature)] if table else [])))
