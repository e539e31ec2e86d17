"""A metric by slice: as a table that is sorted, as a figure with intervals, and with controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from course.controls import Explorer
from course.display import Report
from course.views import slice_figure
from course.views.evaluation import COUNT, Evaluation, rank, read
from course.views.html import View, folded, heading, note, stack, table
from course.views.learning_curves_view import lower_is_better
from course.views.metrics_view import EVERYTHING, spoken
from course.views.numbers import plain

_ROWS = 30
"""Rows of a table that are not folded."""
_EVERY = "all slices"
_ORDERS = {
    "lowest value first": "{}",
    "highest value first": "-{}",
    "most examples first": "-examples",
    "fewest examples first": "examples",
    "by name": "slice",
}


def slices(
    evaluation: Any,
    metric: str | Sequence[str] | None = None,
    sort: str | None = None,
    by: str | Sequence[str] | None = None,
    model: str | None = None,
    rows: int = _ROWS,
) -> View:
    """Metrics by slice as a table: the number of examples, each metric, and its interval where one was computed.

    Args:
        evaluation: a ModelEvaluation artifact, its channel, its folder, or an `EvalResult` of TFMA.
        metric: one metric, or several; by default `auc` where there is one, else the first.
        sort: `"slice"`, `"examples"` or a metric, lowest first; highest first with a minus, as in `"-examples"`. By default
            by column and value.
        by: only the slices that these columns make, such as `"origin"`, or `["origin", "carrier"]` for crossed ones.
        model: which model, where the evaluation has several; by default the one that is judged.
        rows: how many slices to show; the others are folded away.

    Raises:
        KeyError: no such metric, column or model; the message names those that there are.
    """
    found = read(evaluation)
    metrics = [found.metric(one) for one in ([metric] if isinstance(metric, str) or metric is None else metric)]
    names = in_order(found, found.members(by), sort, model, metrics[0])
    return tabled(found, metrics, names, model, rows)


def slice_plot(
    evaluation: Any,
    metric: str | None = None,
    by: str | Sequence[str] | None = None,
    minimum: float | None = None,
    sort: str | None = None,
    model: str | None = None,
    most: int = slice_figure.MOST,
) -> Report:
    """A metric by slice as a figure: a dot for each slice with its interval, a line for all examples, and what is demanded.

    Args:
        evaluation: as for `slices`, like `metric`, `by`, `sort` and `model`. Slices of one column of numbers, such as the
            hour, are in the order of the numbers by default, others with the worst value first, as far as its name tells.
        metric: which one.
        by: columns that make the slices; all slices by default.
        minimum: what is demanded of each slice; by default what the EvalConfig demands, if anything.
        sort: as for `slices`.
        model: which model.
        most: how many slices to draw, the first of that order.

    Raises:
        KeyError: no such metric, column or model; the message names those that there are.
    """
    found = read(evaluation)
    name = found.metric(metric)
    members = found.members(by)
    order = in_order(found, members, sort or _usual(found, members, name), model, name)
    return slice_figure.draw(found, name, order, minimum, model, most)


def explore_slices(
    evaluation: Any,
    metric: str | None = None,
    by: str | Sequence[str] | None = None,
    minimum: float | None = None,
    sort: str | None = None,
    model: str | None = None,
    table: bool = True,
) -> None:
    """A metric by slice, as figure and table, with controls: metric, columns, order, and how small a slice may be.

    Args:
        evaluation: as for `slice_plot`, like `minimum`.
        metric: the one to start from, which the stored notebook shows.
        by: the columns to start from; the first that there are by default.
        minimum: what is demanded of each slice, in the metric to start from; of other metrics, what the EvalConfig demands.
        sort: one of `"slice"`, `"examples"`, `"-examples"`, the metric, or the metric with a minus, to start from.
        model: the one to start from.
        table: show the table under the figure too; on a slide there is no room for both.
    """
    found = read(evaluation)
    first = found.metric(metric)
    members = found.members(by)
    groups = list(found.groups) or [_EVERY]
    if len(groups) > 1:
        groups.append(_EVERY)
    several = len(found.models) > 1

    def drawn(metric: str, slices_by: str, order: str, examples_at_least: int = 0, model: str | None = model) -> Report:
        inside = found.members(None if slices_by == _EVERY else slices_by)
        enough = [name for name in inside if not found.count(name) < examples_at_least]
        names = in_order(found, enough, _ORDERS[order].format(metric), model, metric)
        demanded = minimum if metric == first else None  # it is given for the metric to start from
        figure = slice_figure.draw(
            found, metric, names, demanded, model, slice_figure.MOST, hidden=len(inside) - len(enough)
        )
        return Report(*figure.parts, *([tabled(found, [metric], names, model, _ROWS)] if table else []))

    wanted = sort or _usual(found, members, first)
    order = next((words for words, text in _ORDERS.items() if text.format(first) == wanted), "lowest value first")
    start_by = groups[0] if by is None else next(one for one, inside in found.groups.items() if inside == members)
    controls: dict[str, Any] = {"metric": found.metrics, "slices_by": groups, "order": list(_ORDERS)}
    start = {"metric": first, "slices_by": start_by, "order": order}
    sizes = _sizes(found)
    if len(sizes) > 1:
        controls["examples_at_least"] = {f"{size:,}": size for size in sizes}
    if several:
        controls["model"], start["model"] = list(found.models), model if model is not None else found.candidate
    Explorer(drawn, None, controls, start).display()


def in_order(found: Evaluation, names: list[str], sort: str | None, model: str | None, metric: str) -> list[str]:
    """Names of slices, sorted; those without a value come last.

    Raises:
        KeyError: there is nothing of that name to sort by.
    """
    side = found.side(model)
    if sort is None:
        return names
    back, what = sort.startswith("-"), sort.removeprefix("-")
    if what == "slice":
        ranked = sorted(names, key=lambda name: [rank(value) for _, value in found.keys[name]])
        return ranked[::-1] if back else ranked
    if what in ("examples", COUNT):
        values = {name: found.count(name) for name in names}
    else:
        found.metric(what)
        values = {name: side[name][what].value if what in side.get(name, {}) else math.nan for name in names}
    with_value = [name for name in names if not math.isnan(values[name])]
    ranked = sorted(with_value, key=lambda name: -values[name] if back else values[name])
    return ranked + [name for name in names if math.isnan(values[name])]


def tabled(found: Evaluation, metrics: list[str], names: list[str], model: str | None, rows: int) -> View:
    """The table: everything first, then these slices in this order; those past `rows` are folded away."""
    side = found.side(model)
    whole = [EVERYTHING] if EVERYTHING in found.keys else []
    columns = ["slice", "examples"]
    for metric in metrics:
        intervals = any(side.get(name, {}).get(metric, _NONE).has_interval for name in [*whole, *names])
        columns += [spoken(metric), *(["95% interval"] if intervals else [])]
    wide = [len(columns)]
    lines = [_line(found, side, metrics, name, columns) for name in [*whole, *names]]
    shown, rest = lines[: rows + len(whole)], lines[rows + len(whole) :]
    parts = [heading("Metrics by slice", _many(len(names), model, found)), table(columns, shown, range(1, wide[0]))]
    if rest:
        parts.append(folded(f"{len(rest)} more slices", table(columns, rest, range(1, wide[0]))))
    silent = [name for name in names if any(metric not in side.get(name, {}) for metric in metrics)]
    if silent:
        why = next((found.silent[name] for name in silent if name in found.silent), "")
        parts.append(
            note(f"Without a value: {len(silent)} of {len(names)} slices." + (f" {plain(why, 170)}" if why else ""))
        )
    return stack(*parts)


def _line(found: Evaluation, side: Any, metrics: list[str], name: str, columns: list[str]) -> list[Any]:
    count = found.count(name)
    line: list[Any] = [plain(name, 60), "" if math.isnan(count) else f"{count:,.0f}"]
    for metric in metrics:
        value = side.get(name, {}).get(metric, _NONE)
        line.append(slice_figure.written(value.value) if math.isfinite(value.value) else "no value")
        if columns[len(line) :][:1] == ["95% interval"]:
            line.append(slice_figure.interval(value))
    return line


def _many(count: int, model: str | None, found: Evaluation) -> str:
    which = f" of {model or found.candidate}" if len(found.models) > 1 else ""
    return f"{count} slice{'' if count == 1 else 's'}{which}"


def _usual(found: Evaluation, names: list[str], metric: str) -> str:
    """The order without one: of one column of numbers by number, else by value."""
    numbers = all(len(found.keys[name]) == 1 and rank(found.keys[name][0][1])[0] == 0 for name in names)
    one = len({found.keys[name][0][0] for name in names if found.keys[name]}) == 1
    return "slice" if names and numbers and one else f"-{metric}" if lower_is_better(metric) else metric


def _sizes(found: Evaluation) -> list[int]:
    """Sizes of slices to choose a least one from: round numbers up to the median."""
    counts = sorted(found.count(name) for name in found.members(None) if not math.isnan(found.count(name)))
    top = counts[len(counts) // 2] if counts else 0
    return [0] + [size for size in (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000) if size <= top]


_NONE = slice_figure.NONE
