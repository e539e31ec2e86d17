"""Two sets of statistics beside each other, such as those of two months."""

from __future__ import annotations

from typing import Any

from course.display import FigureView, Report
from course.views import distribution, histogram_bins, html, protos, summary
from course.views.html import View, heading, note, stack
from course.views.numbers import has_values, missing_share, number, percent, plain, quantile, shares, zero_share
from course.views.statistics_view import spark

_NEW = 3
"""Values that a sentence names before "and so many more"."""

Sides = dict[str, protos.Statistics]


def compare(
    left: Any,
    right: Any,
    feature: str | None = None,
    names: tuple[str, str] = ("January", "February"),
    split: str | tuple[str, str] | None = None,
    table: bool = True,
) -> View | Report:
    """Two sets of statistics beside each other, such as those of two months.

    Args:
        left: statistics: artifact, channel, path or proto.
        right: what to compare it with.
        feature: one feature, drawn over the same bins, with a sentence and a table of its numbers; without it, a table of all.
        names: what the two are called.
        split: which split, where they have several, or one for each side; the first by default.
        table: show the table under the figure too; on a slide there is no room for both.

    Raises:
        KeyError: no such feature or split; the message names those that there are.
        ValueError: both sides have the same name.
    """
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"names={names!r}: give two different names, one for each side.")
    splits = (split, split) if split is None or isinstance(split, str) else tuple(split)
    sides = {n: protos.one_split(t, s) for n, t, s in zip(names, (left, right), splits, strict=True)}
    if feature is None:
        return overview(sides)
    figure = FigureView(*distribution.draw(sides, feature, common=True))
    words = note(sentence(sides, feature))
    return Report(figure, stack(words, summary.tabled(sides, feature)) if table else words)


def overview(sides: Sides) -> View:
    """All features of both sides in a table: what is the same stands once, what differs with an arrow."""
    first, second = sides
    numeric, categorical, others = [], [], []
    for name in protos.feature_names(sides):
        pair = [protos.feature(dataset, name) for dataset in sides.values()]
        kinds = [one.WhichOneof("stats") if one is not None else None for one in pair]
        if kinds == ["num_stats", "num_stats"]:
            numeric.append(_numeric(name, [one.num_stats for one in pair]))
        elif kinds == ["string_stats", "string_stats"]:
            categorical.append(_categorical(name, [one.string_stats for one in pair]))
        else:
            others.append((plain(name), *(_kind(one) for one in pair)))
    counts = f"{' → '.join(f'{int(d.num_examples):,}' for d in sides.values())} examples"
    parts = [heading(f"{first} → {second}", counts)]
    if numeric:
        head = ["number", "missing", "zero", "lowest", "median", "highest", first, second]
        parts.append(html.table(head, numeric, numbers=range(1, 6)))
    if categorical:
        head = ["category", "missing", "different", "largest change of a share"]
        parts.append(html.table(head, categorical, numbers=(1, 2)))
    if others:
        parts.append(html.table(["other", first, second], others))
    return stack(*parts)


def _numeric(name: str, pair: list[Any]) -> tuple[str, ...]:
    edges = histogram_bins.common(pair)
    some = [has_values(one) for one in pair]
    return (
        plain(name),
        _arrow(*(percent(missing_share(one.common_stats)) for one in pair)),
        _arrow(*(percent(zero_share(one)) if any_ else "–" for one, any_ in zip(pair, some, strict=True))),
        *(
            _arrow(*(number(getattr(one, field)) if any_ else "–" for one, any_ in zip(pair, some, strict=True)))
            for field in ("min", "median", "max")
        ),
        *(spark(histogram_bins.filled(one, edges)) for one in pair),
    )


def _categorical(name: str, pair: list[Any]) -> tuple[str, ...]:
    moved = largest_change(*pair)
    words = f"{plain(moved[0])} {percent(moved[1] / 100)} → {percent(moved[2] / 100)}" if moved else ""
    missing = _arrow(*(percent(missing_share(one.common_stats)) for one in pair))
    return plain(name), missing, _arrow(*(f"{one.unique:,}" for one in pair)), words


def _arrow(left: str, right: str) -> str:
    return left if left == right else f"{left} → {right}"


def _kind(one: Any) -> str:
    """What a side holds, in a word."""
    words = {
        "num_stats": "numbers",
        "string_stats": "categories",
        "bytes_stats": "bytes",
        "struct_stats": "a structure",
    }
    return "not there" if one is None else words.get(one.WhichOneof("stats") or "", "no statistics")


def largest_change(left: Any, right: Any) -> tuple[str, float, float] | None:
    """The value whose share changed most, and its share on both sides in percent. None where there are no values."""
    before, after = shares(left), shares(right)
    values = sorted(before | after, key=lambda value: (-abs(after.get(value, 0) - before.get(value, 0)), value))
    return (values[0], before.get(values[0], 0.0), after.get(values[0], 0.0)) if values else None


def sentence(sides: Sides, feature: str) -> str:
    """What to see: how one feature differs between the two sides."""
    (first, left), (second, right) = ((name, protos.feature(d, feature)) for name, d in sides.items())
    kinds = [_kind(one) for one in (left, right)]
    if kinds[0] != kinds[1]:
        return f"{feature}: {kinds[0]} in {first}, {kinds[1]} in {second}."
    kind = left.WhichOneof("stats")
    if kind not in ("num_stats", "string_stats"):
        return f"{feature} holds {kinds[0]}: of that, the statistics tell no more than the table."
    pair = [getattr(one, kind) for one in (left, right)]
    empty = [name for name, one in zip(sides, pair, strict=True) if not has_values(one)]
    if empty:
        return f"{feature} has no values in {' and '.join(empty)}."
    parts = _numbers_in_words(pair, first, second) if kind == "num_stats" else _categories_in_words(pair, first, second)
    missing = [percent(missing_share(one.common_stats)) for one in pair]
    if missing[0] != missing[1]:
        parts.append(f"missing {missing[0]} in {first}, {missing[1]} in {second}")
    return f"{feature}: {'; '.join(parts)}."


def _numbers_in_words(pair: list[Any], first: str, second: str) -> list[str]:
    medians = [number(one.median) for one in pair]
    parts = [
        f"the median is {medians[0]} in both"
        if medians[0] == medians[1]
        else f"the median goes from {medians[0]} to {medians[1]}"
    ]
    halves = [f"{number(quantile(one, 0.25))} to {number(quantile(one, 0.75))}" for one in pair]
    same = halves[0] == halves[1]
    parts.append(f"the middle half is {halves[0]}" + (" in both" if same else f", then {halves[1]}"))
    span = histogram_bins.finite_range(pair[0])
    beyond = histogram_bins.outside(pair[1], *span) if span else 0.0
    if beyond >= 0.001:
        low, high = (number(value) for value in span)
        parts.append(f"{percent(beyond)} of {second}'s values lie outside {first}'s range of {low} to {high}")
    return parts


def _categories_in_words(pair: list[Any], first: str, second: str) -> list[str]:
    moved = largest_change(*pair)
    parts = []
    if moved and percent(moved[1] / 100) != percent(moved[2] / 100):
        before, after = (percent(share / 100) for share in moved[1:])
        parts.append(f"the share that changes most is that of {plain(moved[0])}, from {before} to {after}")
    else:
        parts.append("all shares are the same")
    before, after = (shares(one) for one in pair)
    if len(before) >= pair[0].unique and len(after) >= pair[1].unique:  # else the tail is not in the statistics
        for names, where in (
            (set(after) - set(before), f"only {second} has"),
            (set(before) - set(after), f"only {first} has"),
        ):
            if names:
                parts.append(f"{where} {_listed(sorted(names))}")
    return parts


def _listed(values: list[str]) -> str:
    more = len(values) - _NEW
    return ", ".join(plain(value) for value in values[:_NEW]) + (f" and {more} more" if more > 0 else "")
