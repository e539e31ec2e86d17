"""Prometheus' query language: for a machine without `promtool`, which does this for rules of any kind.

The library `promql-parser` reads the expression; the values are found here, as Prometheus 2 finds them
(https://github.com/prometheus/prometheus/blob/v2.42.0/promql/engine.go). What is not in here is refused, never guessed.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import promql_parser as parser

from operation import promql_functions as functions

NAME = "__name__"

LOOKBACK = 300.0
"""Seconds after which a series without a new sample has no value."""

BEGINNING_COUNTS = True
"""Whether a sample at the very beginning of a range is in it: up to Prometheus 2 it is, from 3 on it is not. A rule should not depend on it."""

MOST_STEPS = 11_000
"""Of a subquery; Prometheus allows as many samples of a series in an answer."""

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector


class PromqlError(ValueError):
    """An expression cannot be read, or has no value here; the message has the expression."""


class Samples(NamedTuple):
    """A series.

    Attributes:
        times: seconds, rising.
        values: of the same length; None where the series was marked as ended.
    """

    times: list[float]
    values: list[float | None]


Storage = Mapping[Labels, Samples]


def parse(expression: str) -> Any:
    """The expression as the library reads it.

    Raises:
        PromqlError: it is none.
    """
    try:
        return parser.parse(expression)
    except ValueError as error:
        raise PromqlError(f"{expression}: {error}") from None


def nodes(expression: Any) -> list[Any]:
    """An expression and all that it is made of."""
    found: list[Any] = []
    parser.walk(expression, pre_visit=found.append)
    return found


def selectors(expression: Any) -> list[tuple[str | None, dict[str, str]]]:
    """The metrics that an expression reads, each with the labels that it names and, where one value is asked for, that value; None: found by labels alone."""
    found = [
        (node.name, {one.name: one.value if one.op == parser.MatchOp.Equal else "" for one in node.matchers.matchers})
        for node in nodes(expression)
        if isinstance(node, parser.VectorSelector)
    ]
    return [pair for place, pair in enumerate(found) if pair not in found[:place]]


def labels_of(series: str) -> Labels:
    """The labels of a series that is written as `name{label="value"}`."""
    node = parse(series)
    if not isinstance(node, parser.VectorSelector) or any(
        one.op != parser.MatchOp.Equal for one in node.matchers.matchers
    ):
        raise PromqlError(f'{series}: no series. Write name{{label="value"}}.')
    found = {one.name: one.value for one in node.matchers.matchers if one.value}
    return frozenset({NAME: node.name, **found}.items())


def evaluate(expression: Any, storage: Storage, at: float) -> Value:
    """The value of an expression at a time, in seconds; see `Evaluator`."""
    return Evaluator(storage).value(expression, at)


class Evaluator:
    """Finds the values of expressions in what was scraped.

    Attributes:
        every: seconds between evaluations, which is also the step of a subquery that names none.
    """

    def __init__(self, storage: Storage, every: float = 60.0) -> None:
        """An evaluator that reads these series."""
        self.every = every
        self._named: dict[str, dict[Labels, Samples]] = {}
        self._steps: dict[tuple[int, float], tuple[Any, Vector]] = {}
        for labels, samples in storage.items():
            self._named.setdefault(dict(labels)[NAME], {})[labels] = samples

    def record(self, name: str, labels: Mapping[str, str], values: Value, at: float) -> None:
        """Stores values as series of that name, with labels added, and marks those as ended that were there and are no longer."""
        known = self._named.setdefault(name, {})
        given = values.items() if isinstance(values, dict) else [(frozenset(), values)]
        new = _distinct(name, ((frozenset({**dict(one), **labels, NAME: name}.items()), value) for one, value in given))
        for one in known.keys() | new.keys():
            times, samples = known.setdefault(one, Samples([], []))
            if one in new or samples[-1] is not None:
                times.append(at)
                samples.append(new.get(one))

    @np.errstate(all="ignore")
    def value(self, node: Any, at: float) -> Value:
        """The value of an expression at a time.

        Args:
            node: of `parse`.
            at: seconds.

        Raises:
            PromqlError: something of it is not known here, or the two sides of an operator match more than once.
        """
        match node:
            case parser.NumberLiteral():
                return float(node.val)
            case parser.VectorSelector():
                return {labels: value for labels, (_, value) in self._instant(node, at).items()}
            case parser.ParenExpr():
                return self.value(node.expr, at)
            case parser.UnaryExpr():
                found = self.value(node.expr, at)
                return _mapped(node, found, operator.neg) if isinstance(found, dict) else -found
            case parser.BinaryExpr():
                return _binary(node, self.value(node.lhs, at), self.value(node.rhs, at))
            case parser.AggregateExpr():
                return self._aggregate(node, at)
            case parser.Call():
                return self._call(node, at)
        raise PromqlError(f"{node}: {type(node).__name__} cannot be evaluated here; `promtool` can.")

    def vector(self, node: Any, at: float) -> Vector:
        """The series that an expression gives at a time."""
        found = self.value(node, at)
        if not isinstance(found, dict):
            raise PromqlError(f"{node}: a number, where series belong.")
        return found

    def number(self, node: Any, at: float) -> float:
        """The number that an expression gives at a time."""
        found = self.value(node, at)
        if isinstance(found, dict):
            raise PromqlError(f"{node}: series, where a number belongs.")
        return found

    def _matching(self, node: Any) -> Iterator[tuple[Labels, Samples]]:
        if node.at is not None or node.matchers.or_matchers:
            raise PromqlError(f"{node}: `@` and `or` between labels cannot be evaluated here; `promtool` can.")
        tests = [(one.name, _MATCHES[str(one.op)](one.value)) for one in node.matchers.matchers]
        of_name = [self._named.get(node.name, {})] if node.name else self._named.values()
        for labels, samples in itertools.chain.from_iterable(one.items() for one in of_name):
            known = dict(labels)
            if all(test(known.get(name, "")) for name, test in tests):
                yield labels, samples

    def _instant(self, node: Any, at: float) -> dict[Labels, tuple[float, float]]:
        """The newest sample of each series: its time and value."""
        found, moment = {}, at - _seconds(node.offset)
        for labels, (times, values) in self._matching(node):
            place = bisect.bisect_right(times, moment) - 1
            if place < 0 or (value := values[place]) is None:
                continue
            if times[place] > moment - LOOKBACK or (BEGINNING_COUNTS and times[place] == moment - LOOKBACK):
                found[labels] = times[place], value
        return found

    def range(self, node: Any, at: float) -> tuple[dict[Labels, tuple[list[float], list[float]]], float, float]:
        """The times and values of each series within a range, its end included; and the range's beginning and end."""
        found: dict[Labels, tuple[list[float], list[float]]] = {}
        cut = bisect.bisect_left if BEGINNING_COUNTS else bisect.bisect_right
        if isinstance(node, parser.SubqueryExpr):
            end = at - _seconds(node.offset)
            start = end - _seconds(node.range)
            for moment in self._moments(node, start, end):
                for labels, value in self._at_step(node.expr, moment).items():
                    times, values = found.setdefault(labels, ([], []))
                    times.append(moment)
                    values.append(value)
            return found, start, end
        end = at - _seconds(node.vector_selector.offset)
        start = end - _seconds(node.range)
        for labels, (times, some) in self._matching(node.vector_selector):
            part = slice(cut(times, start), bisect.bisect_right(times, end))
            pairs = [pair for pair in zip(times[part], some[part], strict=True) if pair[1] is not None]
            if pairs:
                found[labels] = [time for time, _ in pairs], [value for _, value in pairs]  # type: ignore[misc]
        return found, start, end

    def _moments(self, node: Any, start: float, end: float) -> list[float]:
        """Those of a subquery: multiples of its step."""
        step = _seconds(node.step) or self.every
        if node.at is not None or (end - start) / step > MOST_STEPS:
            raise PromqlError(f"{node}: `@` and more than {MOST_STEPS:,} steps cannot be evaluated here.")
        first = math.ceil(start / step) if BEGINNING_COUNTS else math.floor(start / step) + 1
        return [number * step for number in range(first, math.floor(end / step) + 1)]

    def _at_step(self, node: Any, at: float) -> Vector:
        """The value at a step, found once: the ranges of one moment and the next share most of theirs."""
        key = id(node), at
        if key not in self._steps:
            self._steps[key] = node, self.vector(node, at)  # the node, too, or another could get its id
        return self._steps[key][1]

    def _aggregate(self, node: Any, at: float) -> Vector:
        kind, more = str(node.op), node.param
        groups: dict[Labels, Vector] = {}
        for labels, value in self.vector(node.expr, at).items():
            groups.setdefault(_signature(labels, node.modifier, frozenset()), {})[labels] = value
        if kind in functions.AGGREGATES:
            return {labels: float(functions.AGGREGATES[kind]([*values.values()])) for labels, values in groups.items()}
        if kind == "quantile":
            share = self.number(more, at)
            return {labels: functions.quantile(share, [*values.values()]) for labels, values in groups.items()}
        if kind in ("topk", "bottomk"):
            sign, most = (-1 if kind == "topk" else 1), max(0, int(self.number(more, at)))
            ranked = [
                sorted(each.items(), key=lambda pair: (math.isnan(pair[1]), sign * pair[1]))[:most]
                for each in groups.values()
            ]
            return dict(itertools.chain.from_iterable(ranked))
        if kind == "count_values":
            counts: Vector = {}
            for labels, values in groups.items():
                for value in values.values():
                    own = frozenset({**dict(labels), more.val: written(value)}.items())
                    counts[own] = counts.get(own, 0.0) + 1.0
            return counts
        raise PromqlError(f"{node}: {kind} cannot be evaluated here; `promtool` can.")

    def _call(self, node: Any, at: float) -> Value:
        name, arguments = node.func.name, [_bare(one) for one in node.args]
        ranges = [one for one in arguments if isinstance(one, parser.MatrixSelector | parser.SubqueryExpr)]
        if name in _CALLS:
            return _CALLS[name](self, node, arguments, at)
        if name in functions.OVER_RANGES and ranges:
            more = [self.number(one, at) for one in arguments if one is not ranges[0]]
            samples, start, end = self.range(ranges[0], at)
            of = {labels: functions.OVER_RANGES[name](*one, start, end, *more) for labels, one in samples.items()}
            found = {labels: float(value) for labels, value in of.items() if value is not None}
            return found if name == "last_over_time" else _mapped(node, found, float)
        if name in functions.NUMBERS:
            more = [self.number(one, at) for one in arguments[1:]]
            if name == "clamp" and more[0] > more[1]:
                return {}
            return _mapped(
                node, self.vector(arguments[0], at), lambda value: float(functions.NUMBERS[name](value, *more))
            )
        if name in functions.DATES:
            given = self.vector(arguments[0], at) if arguments else {frozenset(): at}
            return _mapped(node, given, lambda value: float(functions.DATES[name](datetime.fromtimestamp(value, UTC))))
        raise PromqlError(f"{node}: {name} cannot be evaluated here; `promtool` can.")


def _seconds(duration: Any) -> float:
    return float(duration.total_seconds()) if duration is not None else 0.0


def _bare(node: Any) -> Any:
    """Without the parentheses around it."""
    while isinstance(node, parser.ParenExpr):
        node = node.expr
    return node


def written(value: float) -> str:
    """As Go writes a number."""
    text = repr(value)
    return text.removesuffix(".0") if "e" not in text else text


_MATCHES: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "MatchOp.Equal": lambda wanted: lambda value: value == wanted,
    "MatchOp.NotEqual": lambda wanted: lambda value: value != wanted,
    "MatchOp.Re": lambda wanted: lambda value: re.fullmatch(wanted, value) is not None,
    "MatchOp.NotRe": lambda wanted: lambda value: re.fullmatch(wanted, value) is None,
}


def _nameless(labels: Labels) -> Labels:
    return frozenset(one for one in labels if one[0] != NAME)


def _mapped(node: Any, values: Vector, of: Callable[[float], float]) -> Vector:
    """What a function makes of each value; the series lose their names."""
    return _distinct(node, ((_nameless(labels), of(value)) for labels, value in values.items()))


def _distinct(node: Any, pairs: Iterable[tuple[Labels, float]]) -> Vector:
    found: Vector = {}
    for labels, value in pairs:
        if labels in found:
            raise PromqlError(f"{node}: several series have the labels {_shown(labels)} then.")
        found[labels] = value
    return found


# --- functions of their own kind


def _absent(run: Evaluator, _: Any, arguments: list[Any], at: float) -> Vector:
    (inner,) = arguments
    is_range = isinstance(inner, parser.MatrixSelector | parser.SubqueryExpr)
    if run.range(inner, at)[0] if is_range else run.vector(inner, at):
        return {}
    inner = getattr(inner, "vector_selector", inner)
    matchers = inner.matchers.matchers if isinstance(inner, parser.VectorSelector) else []
    names = [one.name for one in matchers]
    sure = [one for one in matchers if one.op == parser.MatchOp.Equal and names.count(one.name) == 1 and one.value]
    return {frozenset((one.name, one.value) for one in sure if one.name != NAME): 1.0}


def _histogram_quantile(run: Evaluator, _: Any, arguments: list[Any], at: float) -> Vector:
    share = run.number(arguments[0], at)
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    for labels, value in run.vector(arguments[1], at).items():
        known = dict(labels)
        if "le" in known:
            bound = float(known.pop("le"))
            buckets.setdefault(_nameless(frozenset(known.items())), []).append((bound, value))
    return {labels: functions.of_buckets(share, sorted(found)) for labels, found in buckets.items()}


def _relabelled(node: Any, values: Vector, name: str, of: Callable[[dict[str, str]], str | None]) -> Vector:
    """Series with another value of a label; None: as it is, empty: without it."""
    found = []
    for labels, value in values.items():
        known = dict(labels)
        new = of(known)
        own = known if new is None else {**known, name: new}
        found.append((frozenset((one, text) for one, text in own.items() if text), value))
    return _distinct(node, found)


def _label_replace(run: Evaluator, node: Any, arguments: list[Any], at: float) -> Vector:
    name, put, source, pattern = (one.val for one in arguments[1:])
    put = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: rf"\g<{found[1] or found[2]}>", put.replace("\\", r"\\"))

    def of(known: dict[str, str]) -> str | None:
        found = re.fullmatch(pattern, known.get(source, ""))
        return found.expand(put) if found else None

    return _relabelled(node, run.vector(arguments[0], at), name, of)


def _label_join(run: Evaluator, node: Any, arguments: list[Any], at: float) -> Vector:
    name, between, *sources = (one.val for one in arguments[1:])
    joined = lambda known: between.join(known.get(one, "") for one in sources)  # noqa: E731
    return _relabelled(node, run.vector(arguments[0], at), name, joined)


def _timestamp(run: Evaluator, node: Any, arguments: list[Any], at: float) -> Vector:
    if isinstance(arguments[0], parser.VectorSelector):
        return _distinct(node, ((_nameless(one), time) for one, (time, _) in run._instant(arguments[0], at).items()))
    return _mapped(node, run.vector(arguments[0], at), lambda _: at)


def _scalar(run: Evaluator, _: Any, arguments: list[Any], at: float) -> float:
    values = [*run.vector(arguments[0], at).values()]
    return values[0] if len(values) == 1 else math.nan


_CALLS: dict[str, Callable[[Evaluator, Any, list[Any], float], Value]] = {
    "absent": _absent,
    "absent_over_time": _absent,
    "histogram_quantile": _histogram_quantile,
    "label_replace": _label_replace,
    "label_join": _label_join,
    "scalar": _scalar,
    "vector": lambda run, _, arguments, at: {frozenset(): run.number(arguments[0], at)},
    "time": lambda *given: given[-1],
    "timestamp": _timestamp,
    "sort": lambda run, _, arguments, at: run.vector(arguments[0], at),
    "sort_desc": lambda run, _, arguments, at: run.vector(arguments[0], at),
}

# --- operators


def _signature(labels: Labels, modifier: Any, without_any: Labels | None = None) -> Labels:
    """The labels that a modifier keeps: those `by` or `on`, or all but the name and those `without` or `ignoring`; where there is none, `without_any`."""
    if modifier is None:
        return _nameless(labels) if without_any is None else without_any
    named = {*modifier.labels}
    if str(modifier.type).endswith((".By", ".Include")):
        return frozenset(one for one in labels if one[0] in named)
    return frozenset(one for one in labels if one[0] not in {*named, NAME})


_SETS = ("and", "or", "unless")


def _of_pair(sign: str, is_bool: bool, left: float, right: float) -> float | None:
    """What an operator makes of two numbers; None where a comparison drops them."""
    if sign in functions.ARITHMETIC:
        return float(functions.ARITHMETIC[sign](left, right))
    is_so = functions.COMPARISONS[sign](left, right)
    return float(is_so) if is_bool else left if is_so else None


def _binary(node: Any, left: Value, right: Value) -> Value:
    sign, modifier = str(node.op), node.modifier
    fill = modifier and modifier.fill_values
    if sign not in {*functions.ARITHMETIC, *functions.COMPARISONS, *_SETS} or (
        fill and (fill.lhs, fill.rhs) != (None, None)
    ):
        raise PromqlError(f"{node}: this operator cannot be evaluated here; `promtool` can.")
    is_bool = bool(modifier and modifier.return_bool)
    if isinstance(left, dict) and isinstance(right, dict):
        return _sets(sign, left, right, node) if sign in _SETS else _matched(sign, is_bool, left, right, node)
    if sign in _SETS:
        raise PromqlError(f"{node}: a number, where series belong.")
    if not isinstance(left, dict) and not isinstance(right, dict):
        found = _of_pair(sign, is_bool, left, right)
        assert found is not None  # the library refuses a comparison of two numbers without `bool`
        return found
    series = left if isinstance(left, dict) else right
    assert isinstance(series, dict)
    pairs: Vector = {}
    for labels, value in series.items():
        found = _of_pair(sign, is_bool, *((value, right) if isinstance(left, dict) else (left, value)))  # type: ignore[arg-type]
        if found is not None:
            pairs[labels] = found if is_bool or sign in functions.ARITHMETIC else value
    return _mapped(node, pairs, float) if is_bool or sign in functions.ARITHMETIC else pairs


def _sets(sign: str, left: Vector, right: Vector, node: Any) -> Vector:
    matching = node.modifier.matching if node.modifier else None
    others = {_signature(labels, matching) for labels in right}
    if sign == "or":
        known = {_signature(labels, matching) for labels in left}
        return left | {labels: value for labels, value in right.items() if _signature(labels, matching) not in known}
    return {
        labels: value for labels, value in left.items() if (_signature(labels, matching) in others) == (sign == "and")
    }


def _advice(one: Vector, matching: Any) -> str:
    """What to do about series of one side that cannot be told apart: a label that none of them has is the usual cause."""
    there = {name for labels in one for name, _ in labels} - {NAME}
    named = set(matching.labels) if matching and str(matching.type).endswith(".Include") else set()
    if absent := sorted(named - there):
        return f"no series of that side has a label {absent[0]}: its labels are {', '.join(sorted(there)) or 'none'}."
    return "say on which labels they match."


def _matched(sign: str, is_bool: bool, left: Vector, right: Vector, node: Any) -> Vector:
    """Each series of the side of many with the one of the other side that has the same labels."""
    modifier = node.modifier
    matching = modifier.matching if modifier else None
    card = str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
    if not left or not right:
        return {}
    many, one = (right, left) if card == "OneToMany" else (left, right)
    by: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items():
        signature = _signature(labels, matching)
        if signature in by:
            raise PromqlError(f"{node}: several series have the labels {_shown(signature)}; {_advice(one, matching)}")
        by[signature] = labels, value
    found: list[tuple[Labels, float]] = []
    seen: set[Labels] = set()
    for labels, value in many.items():
        signature = _signature(labels, matching)
        if signature not in by:
            continue
        its, other = by[signature]
        result = _of_pair(sign, is_bool, *((other, value) if card == "OneToMany" else (value, other)))
        if result is None:
            continue
        if card == "OneToOne" and signature in seen:
            raise PromqlError(f"{node}: several series have the labels {_shown(signature)}; write group_left.")
        seen.add(signature)
        keeps_name = sign in functions.COMPARISONS and not is_bool
        kept = labels if keeps_name else _nameless(labels)
        if card == "OneToOne" and matching is not None:
            is_on, named = str(matching.type).endswith(".Include"), {*matching.labels}
            kept = frozenset(pair for pair in kept if (pair[0] in named) == is_on)
        if card != "OneToOne":
            taken = {*modifier.group_labels}
            kept = frozenset(pair for pair in kept if pair[0] not in taken) | {pair for pair in its if pair[0] in taken}
        found.append((kept, result))
    return _distinct(node, found)


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels)) + "}"
