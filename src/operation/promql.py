"""Prometheus' query language, as far as our rules use it: for a machine without `promtool`, which does this for rules of any kind.

The library `promql-parser` reads the expression; the values are found here, as Prometheus 2 finds them
(https://github.com/prometheus/prometheus/blob/v2.42.0/promql/engine.go and functions.go). What is not in here is refused, never guessed.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import promql_parser as parser

NAME = "__name__"

LOOKBACK = 300.0
"""Seconds after which a series without a new sample has no value."""

BEGINNING_COUNTS = True
"""Whether a sample at the very beginning of a range is in it: up to Prometheus 2 it is, from 3 on it is not. A rule should not depend on it."""

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


def selectors(expression: Any) -> list[tuple[str, dict[str, str]]]:
    """The metrics that an expression reads, each with the labels that it names and, where one value is asked for, that value."""
    found = []

    def note(node: Any) -> bool:
        if isinstance(node, parser.MatrixSelector):
            note(node.vector_selector)
        if isinstance(node, parser.VectorSelector):
            asked = {one.name: one.value if one.op == parser.MatchOp.Equal else "" for one in node.matchers.matchers}
            found.append((node.name, asked))
        return True

    parser.walk(expression, pre_visit=note)
    return list({(name, *sorted(asked.items())): (name, asked) for name, asked in found}.values())


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
    """The value of an expression at a time.

    Args:
        expression: of `parse`.
        storage: what was scraped.
        at: seconds.

    Raises:
        PromqlError: something of it is not known here, or the two sides of an operator match more than once.
    """
    kind = type(expression)
    if kind not in _KINDS:
        raise PromqlError(f"{expression}: {kind.__name__} cannot be evaluated here; `promtool` can.")
    return _KINDS[kind](expression, storage, at)


def _vector(node: Any, storage: Storage, at: float) -> Vector:
    found = evaluate(node, storage, at)
    if not isinstance(found, dict):
        raise PromqlError(f"{node}: a number, where series belong.")
    return found


def _matching(node: Any, storage: Storage) -> Iterable[tuple[Labels, Samples]]:
    if node.at is not None:
        raise PromqlError(f"{node}: `@` cannot be evaluated here; `promtool` can.")
    tests = [(one.name, _MATCHES[str(one.op)](one.value)) for one in node.matchers.matchers]
    for labels, samples in storage.items():
        known = dict(labels)
        if (not node.name or known[NAME] == node.name) and all(test(known.get(name, "")) for name, test in tests):
            yield labels, samples


_MATCHES: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "MatchOp.Equal": lambda wanted: lambda value: value == wanted,
    "MatchOp.NotEqual": lambda wanted: lambda value: value != wanted,
    "MatchOp.Re": lambda wanted: lambda value: re.fullmatch(wanted, value) is not None,
    "MatchOp.NotRe": lambda wanted: lambda value: re.fullmatch(wanted, value) is None,
}


def _offset(node: Any) -> float:
    return float(node.offset.total_seconds()) if node.offset is not None else 0.0


def _instant(node: Any, storage: Storage, at: float) -> Vector:
    found, moment = {}, at - _offset(node)
    for labels, (times, values) in _matching(node, storage):
        place = bisect.bisect_right(times, moment) - 1
        if place < 0 or (value := values[place]) is None:
            continue
        if times[place] > moment - LOOKBACK or (BEGINNING_COUNTS and times[place] == moment - LOOKBACK):
            found[labels] = value
    return found


def _range(node: Any, storage: Storage, at: float) -> dict[Labels, list[tuple[float, float]]]:
    """The samples of each series within the range, its end included."""
    inner = node.vector_selector
    end = at - _offset(inner)
    start, found = end - node.range.total_seconds(), {}
    for labels, (times, values) in _matching(inner, storage):
        first = (bisect.bisect_left if BEGINNING_COUNTS else bisect.bisect_right)(times, start)
        last = bisect.bisect_right(times, end)
        samples = [
            (time, value)
            for time, value in zip(times[first:last], values[first:last], strict=True)
            if value is not None
        ]
        if samples:
            found[labels] = samples
    return found


def _rate(samples: list[tuple[float, float]], start: float, end: float, is_counter: bool = True) -> float | None:
    """How much a series rose within a range: extrapolated to its ends, as `extrapolatedRate` does."""
    if len(samples) < 2:
        return None
    rise = samples[-1][1] - samples[0][1]
    if is_counter:
        rise += sum(before for (_, before), (_, after) in itertools.pairwise(samples) if after < before)
    to_start, to_end = samples[0][0] - start, end - samples[-1][0]
    seen = samples[-1][0] - samples[0][0]
    between = seen / (len(samples) - 1)
    if is_counter and rise > 0 and samples[0][1] >= 0:
        to_start = min(to_start, seen * samples[0][1] / rise)
    covered = seen + sum(one if one < between * 1.1 else between / 2 for one in (to_start, to_end))
    return rise * covered / seen


def _over_range(
    of: Callable[[list[tuple[float, float]], float, float], float | None],
) -> Callable[[Any, Storage, float], Vector]:
    def call(node: Any, storage: Storage, at: float) -> Vector:
        (ranged,) = node.args
        if not isinstance(ranged, parser.MatrixSelector):
            raise PromqlError(f"{node}: ranges of expressions cannot be evaluated here; `promtool` can.")
        end = at - _offset(ranged.vector_selector)
        start = end - ranged.range.total_seconds()
        found = {_nameless(labels): of(samples, start, end) for labels, samples in _range(ranged, storage, at).items()}
        return {labels: value for labels, value in found.items() if value is not None}

    return call


def _per_second(samples: list[tuple[float, float]], start: float, end: float) -> float | None:
    rise = _rate(samples, start, end)
    return None if rise is None else rise / (end - start)


def _nameless(labels: Labels) -> Labels:
    return frozenset(one for one in labels if one[0] != NAME)


def _abs(node: Any, storage: Storage, at: float) -> Vector:
    return {_nameless(labels): abs(value) for labels, value in _vector(node.args[0], storage, at).items()}


def _absent(node: Any, storage: Storage, at: float) -> Vector:
    (inner,) = node.args
    if _vector(inner, storage, at):
        return {}
    matchers = inner.matchers.matchers if isinstance(inner, parser.VectorSelector) else []
    return {frozenset((one.name, one.value) for one in matchers if one.op == parser.MatchOp.Equal): 1.0}


def _histogram_quantile(node: Any, storage: Storage, at: float) -> Vector:
    wanted, inner = node.args
    share = evaluate(wanted, storage, at)
    assert isinstance(share, float)
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    for labels, value in _vector(inner, storage, at).items():
        known = dict(labels)
        if "le" in known:
            bound = float(known.pop("le"))
            buckets.setdefault(_nameless(frozenset(known.items())), []).append((bound, value))
    return {labels: _quantile(share, sorted(found)) for labels, found in buckets.items()}


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float:
    """From the counts up to each bound: a straight line within a bucket."""
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share - 0.5)
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or not buckets[-1][1]:
        return math.nan
    rising, most = [], -math.inf
    for bound, count in buckets:
        most = max(most, count)
        rising.append((bound, most))
    rank = share * rising[-1][1]
    place = next(number for number, (_, count) in enumerate(rising) if count >= rank)
    if place == len(rising) - 1:
        return rising[-2][0]
    bound, count = rising[place]
    if place == 0:
        return bound if bound <= 0 else bound * rank / count
    below, before = rising[place - 1]
    return below + (bound - below) * (rank - before) / (count - before)


_CALLS: dict[str, Callable[[Any, Storage, float], Value]] = {
    "rate": _over_range(_per_second),
    "increase": _over_range(_rate),
    "delta": _over_range(lambda samples, start, end: _rate(samples, start, end, is_counter=False)),
    "avg_over_time": _over_range(lambda samples, *_: sum(value for _, value in samples) / len(samples)),
    "max_over_time": _over_range(lambda samples, *_: max(value for _, value in samples)),
    "min_over_time": _over_range(lambda samples, *_: min(value for _, value in samples)),
    "count_over_time": _over_range(lambda samples, *_: float(len(samples))),
    "abs": _abs,
    "absent": _absent,
    "histogram_quantile": _histogram_quantile,
    "time": lambda _, __, at: at,
}


def _call(node: Any, storage: Storage, at: float) -> Value:
    if node.func.name not in _CALLS:
        raise PromqlError(f"{node}: {node.func.name} cannot be evaluated here; `promtool` can.")
    return _CALLS[node.func.name](node, storage, at)


_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}


def _aggregate(node: Any, storage: Storage, at: float) -> Vector:
    if str(node.op) not in _AGGREGATES:
        raise PromqlError(f"{node}: {node.op} cannot be evaluated here; `promtool` can.")
    groups: dict[Labels, list[float]] = {}
    for labels, value in _vector(node.expr, storage, at).items():
        groups.setdefault(_signature(labels, node.modifier, frozenset()), []).append(value)
    return {labels: _AGGREGATES[str(node.op)](values) for labels, values in groups.items()}


def _signature(labels: Labels, modifier: Any, without_any: Labels | None = None) -> Labels:
    """The labels that a modifier keeps: those `by` or `on`, or all but the name and those `without` or `ignoring`.

    Args:
        labels: of a series.
        modifier: of the library; None where there is none.
        without_any: what is kept then; None: all but the name.
    """
    if modifier is None:
        return _nameless(labels) if without_any is None else without_any
    named = {*modifier.labels}
    if str(modifier.type).endswith((".By", ".Include")):
        return frozenset(one for one in labels if one[0] in named)
    return frozenset(one for one in labels if one[0] not in {*named, NAME})


def _divide(one: float, other: float) -> float:
    if other:
        return one / other
    return math.nan if not one or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1.0, other)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_SETS = ("and", "or", "unless")


def _binary(node: Any, storage: Storage, at: float) -> Value:
    sign = str(node.op)
    if sign not in {*_ARITHMETIC, *_COMPARISONS, *_SETS} or (node.modifier and node.modifier.return_bool):
        raise PromqlError(f"{node}: this operator cannot be evaluated here; `promtool` can.")
    left, right = (evaluate(one, storage, at) for one in (node.lhs, node.rhs))
    if isinstance(left, dict) and isinstance(right, dict):
        return _sets(sign, left, right, node) if sign in _SETS else _matched(sign, left, right, node)
    if sign in _SETS:
        raise PromqlError(f"{node}: a number, where series belong.")
    if not isinstance(left, dict) and not isinstance(right, dict):
        if sign in _COMPARISONS:
            raise PromqlError(f"{node}: two numbers are compared, which is the same at any time.")
        return _ARITHMETIC[sign](left, right)
    series = left if isinstance(left, dict) else right
    assert isinstance(series, dict)
    pairs = {labels: (value, right) if isinstance(left, dict) else (left, value) for labels, value in series.items()}
    if sign in _COMPARISONS:
        return {labels: series[labels] for labels, pair in pairs.items() if _COMPARISONS[sign](*pair)}  # type: ignore[arg-type]
    return {_nameless(labels): _ARITHMETIC[sign](*pair) for labels, pair in pairs.items()}  # type: ignore[arg-type]


def _sets(sign: str, left: Vector, right: Vector, node: Any) -> Vector:
    matching = node.modifier.matching if node.modifier else None
    others = {_signature(labels, matching) for labels in right}
    if sign == "or":
        known = {_signature(labels, matching) for labels in left}
        return left | {labels: value for labels, value in right.items() if _signature(labels, matching) not in known}
    return {
        labels: value for labels, value in left.items() if (_signature(labels, matching) in others) == (sign == "and")
    }


def _matched(sign: str, left: Vector, right: Vector, node: Any) -> Vector:
    """Each series of the side of many with the one of the other side that has the same labels."""
    modifier = node.modifier
    matching = modifier.matching if modifier else None
    card = str(modifier.card).rpartition(".")[2] if modifier else "OneToOne"
    many, one = (right, left) if card == "OneToMany" else (left, right)
    by: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items():
        signature = _signature(labels, matching)
        if signature in by:
            raise PromqlError(
                f"{node}: several series have the labels {_shown(signature)}; say on which labels they match."
            )
        by[signature] = labels, value
    found: Vector = {}
    seen: set[Labels] = set()
    for labels, value in many.items():
        signature = _signature(labels, matching)
        if signature not in by:
            continue
        if card == "OneToOne" and signature in seen:
            raise PromqlError(f"{node}: several series have the labels {_shown(signature)}; write group_left.")
        seen.add(signature)
        its, other = by[signature]
        pair = (other, value) if card == "OneToMany" else (value, other)
        if sign in _COMPARISONS and not _COMPARISONS[sign](*pair):
            continue
        keeps_name = sign in _COMPARISONS and (card != "OneToOne" or matching is None)
        kept = labels if keeps_name else signature if card == "OneToOne" else _nameless(labels)
        if card != "OneToOne":
            taken = {*modifier.group_labels}
            kept = frozenset(pair for pair in kept if pair[0] not in taken) | {pair for pair in its if pair[0] in taken}
        found[kept] = pair[0] if sign in _COMPARISONS else _ARITHMETIC[sign](*pair)
    return found


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels)) + "}"


def _negative(node: Any, storage: Storage, at: float) -> Value:
    found = evaluate(node.expr, storage, at)
    return {_nameless(labels): -value for labels, value in found.items()} if isinstance(found, dict) else -found


_KINDS: dict[type, Callable[[Any, Storage, float], Value]] = {
    parser.NumberLiteral: lambda node, _, __: float(node.val),
    parser.VectorSelector: _instant,
    parser.ParenExpr: lambda node, storage, at: evaluate(node.expr, storage, at),
    parser.UnaryExpr: _negative,
    parser.Call: _call,
    parser.AggregateExpr: _aggregate,
    parser.BinaryExpr: _binary,
}
