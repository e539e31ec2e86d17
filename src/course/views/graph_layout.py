"""Lays a directed acyclic graph out from left to right, on rows, so that lines run straight and rarely cross.

Layers go by the longest path, as Sugiyama et al. (1981) have it. Where their method then moves points up and down, this one puts every
node, and every line that passes layers, on a row of its own choice, and improves the choice until no single move or exchange helps:
good for pipelines, which have a dozen components, and easy to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

_LENGTH, _CROSSING, _ROW, _SOURCE = 1.0, 2.0, 1.5, 0.6
"""What a row of height difference, a crossing, and a further row cost; and the weight of lengths that start at a node without
parents, less than 1, so that it is the chain of the others which runs straight."""

Rows = dict[tuple[str, bool], int]
"""Row of each node (`(name, False)`) and of each line that passes layers on its way from a node (`(name, True)`)."""


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes:
        parents: what each node depends on, as given.
        layer: of each node, from 0 at the left.
        row: of each node, from 0 at the top.
        lines: for each node whose outputs pass layers: the row on which they do, and the last layer that they pass.
    """

    parents: Mapping[str, set[str]]
    layer: dict[str, int]
    row: dict[str, int]
    lines: dict[str, tuple[int, int]]


def arrange(parents: Mapping[str, set[str]]) -> Layout:
    """Lays out a graph.

    Args:
        parents: for each node, the nodes that it depends on; all of them must be keys too.

    Raises:
        ValueError: the graph has a cycle.
    """
    layer = _layers(parents)
    spans = {(name, False): (depth, depth) for name, depth in layer.items()}
    for name, depth in layer.items():
        last = max((layer[child] for child, needs in parents.items() if name in needs), default=0) - 1
        if last > depth:
            spans[name, True] = (depth + 1, last)
    sources = {name for name, needs in parents.items() if not needs}
    rows = _improve(_first_fit(spans), spans, _pieces(parents, layer), sources)
    used = sorted(set(rows.values()))
    place = {item: used.index(row) for item, row in rows.items()}
    lines = {name: (place[name, True], spans[name, True][1]) for name, is_line in spans if is_line}
    return Layout(parents, layer, {name: place[name, False] for name in layer}, lines)


def _layers(parents: Mapping[str, set[str]]) -> dict[str, int]:
    """One more than the deepest parent. A node without parents moves right, to just before the first that needs it."""
    layer: dict[str, int] = {}
    waiting = dict(parents)
    while waiting:
        ready = [name for name, needs in waiting.items() if all(parent in layer for parent in needs)]
        if not ready:
            raise ValueError(f"These nodes wait for each other in a circle: {', '.join(waiting)}.")
        for name in ready:
            layer[name] = 1 + max((layer[parent] for parent in waiting.pop(name)), default=-1)
    for name, needs in parents.items():
        children = [layer[child] for child, of in parents.items() if name in of]
        if not needs and children:
            layer[name] = min(children) - 1
    return {name: layer[name] for name in parents}


def _pieces(parents: Mapping[str, set[str]], layer: dict[str, int]) -> list[list[tuple[tuple[str, bool], ...]]]:
    """For each gap between two layers, what is joined across it. A line on its own row crosses gaps without a piece."""
    pieces: list[set] = [set() for _ in range(max(layer.values(), default=0) + 1)]
    for child, needs in parents.items():
        for parent in needs:
            direct = layer[child] == layer[parent] + 1
            pieces[layer[child] - 1].add(((parent, not direct), (child, False)))
            if not direct:
                pieces[layer[parent]].add(((parent, False), (parent, True)))
                for gap in range(layer[parent] + 1, layer[child] - 1):
                    pieces[gap].add(((parent, True), (parent, True)))
    return [sorted(gap) for gap in pieces]


def _first_fit(spans: dict[tuple[str, bool], tuple[int, int]]) -> Rows:
    """Each item on the first row that is free where it passes; nodes before lines."""
    rows: Rows = {}
    for item in sorted(spans, key=lambda one: one[1]):
        rows[item] = next(row for row in range(len(spans)) if _free(item, row, rows, spans))
    return rows


def _free(item: tuple[str, bool], row: int, rows: Rows, spans: dict) -> bool:
    low, high = spans[item]
    return not any(
        other != item and at == row and spans[other][0] <= high and low <= spans[other][1] for other, at in rows.items()
    )


def _improve(rows: Rows, spans: dict, pieces: list, sources: set[str]) -> Rows:
    """Moves single items, and exchanges pairs, as long as something gets better."""
    best = _cost(rows, pieces, sources)
    while True:
        found = best
        for candidate in _neighbours(rows, spans):
            cost = _cost(candidate, pieces, sources)
            if cost < found - 1e-9:
                found, better = cost, candidate
        if found >= best - 1e-9:
            return rows
        rows, best = better, found


def _neighbours(rows: Rows, spans: dict):
    """All that one move or one exchange leads to. One row above and one below those in use may be opened."""
    for item in rows:
        for row in range(min(rows.values()) - 1, max(rows.values()) + 2):
            if row != rows[item] and _free(item, row, rows, spans):
                yield {**rows, item: row}
    for one, other in combinations(rows, 2):
        if rows[one] != rows[other]:
            changed = {**rows, one: rows[other], other: rows[one]}
            if all(_free(item, changed[item], changed, spans) for item in (one, other)):
                yield changed


def _cost(rows: Rows, pieces: list, sources: set[str]) -> float:
    """Height differences along the pieces, crossings, and rows in use."""
    length, crossings = 0.0, 0
    for gap in pieces:
        ends = [(rows[start], rows[end], start, end) for start, end in gap]
        length += sum(abs(a - b) * (_SOURCE if start[0] in sources else 1) for a, b, start, _ in ends)
        crossings += sum(
            1 for (a, b, s, e), (c, d, t, f) in combinations(ends, 2) if s != t and e != f and (a - c) * (b - d) < 0
        )
    return _LENGTH * length + _CROSSING * crossings + _ROW * (max(rows.values()) - min(rows.values()))
