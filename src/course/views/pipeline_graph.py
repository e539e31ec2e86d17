"""A pipeline as a graph of its components, with the state of each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from course import style
from course.display import FigureView
from course.figures.canvas import SMALL, Sheet, text_width
from course.views import metadata_tables
from course.views.component_view import is_cached
from course.views.graph_layout import Layout, arrange

PHASE = {
    "ExampleGen": "Data",
    "StatisticsGen": "Data",
    "Schema": "Data",
    "ExampleValidator": "Data",
    "Transform": "Data",
    "DataGate": "Data",
    "Trainer": "Model",
    "Tuner": "Model",
    "Evaluator": "Model",
    "Validator": "Model",
    "Resolver": "Model",
    "Model": "Model",
    "Pusher": "Deployment",
    "BulkInferrer": "Deployment",
}
"""Phase of the lifecycle by what a component's id contains; the first that fits."""

State = tuple[str, float | None]
_TOP, _BOX, _MARGIN, _PORT = 46.0, 62.0, 16.0, 12.0
"""Pixels above the graph, height of a box, margin at the sides, distance between the ends of lines at a box."""

_LINE = {"color": style.MUTED, "linewidth": 1.5, "zorder": 1}
_DASHED = _LINE | {"linestyle": (0, (3, 2))}


def pipeline(components: Any, results: Any = None, times: bool = False, title: str | None = None) -> FigureView:
    """The pipeline as a graph: what depends on what, and how each component fared.

    Args:
        components: the nodes, as a dict by id, a list, or a TFX `Pipeline`.
        results: how they fared. A list of what `InteractiveContext.run` returned, or of the reports of `engines.local.run`;
            a dict of states by id (`done`, `cached`, `failed`); or a metadata store (an `InteractiveContext`, or the path of its SQLite file), whose last run
            is shown. Without it, colours tell the phases of the lifecycle.
        times: also show seconds. Off by default: they differ each time, and outputs are committed. Needs a store or reports.
        title: of the figure; by default it sums the states up.
    """
    nodes = _nodes(components)
    parents = _parents(nodes)
    states = None if results is None else _states(results, list(nodes))
    layout = arrange(parents)
    figure = _draw(layout, states, times, title or _title(states))
    return FigureView(figure, _alt(parents, states))


def _nodes(components: Any) -> dict[str, Any]:
    """Nodes by id."""
    listed = getattr(components, "components", components)
    return dict(listed) if isinstance(listed, Mapping) else {node.id: node for node in listed}


def _parents(nodes: dict[str, Any]) -> dict[str, set[str]]:
    """What each node depends on: the makers of its inputs, and the nodes that it was told to wait for."""
    parents = {}
    for name, node in nodes.items():
        makers = {maker for channel in node.inputs.values() for maker in channel.get_data_dependent_node_ids()}
        makers |= {other.id for other in getattr(node, "upstream_nodes", ())}
        parents[name] = {maker for maker in makers if maker in nodes and maker != name}
    return parents


def _states(results: Any, names: list[str]) -> dict[str, State]:
    """State and seconds of each node; `new` where nothing is known.

    Raises:
        KeyError: a state for a component that is not in the pipeline.
    """
    if isinstance(results, str | Path) or hasattr(results, "metadata_connection_config"):
        found: dict[str, State] = dict(metadata_tables.last_run(results))
    elif isinstance(results, Mapping):
        found = {name: _state(result) for name, result in results.items()}
        if strange := sorted(set(found) - set(names)):
            raise KeyError(f"No component {', '.join(strange)} in this pipeline. There are: {', '.join(names)}.")
    else:
        found = dict(_reported(result) for result in results)
    return {name: found.get(name, ("new", None)) for name in names}


def _reported(result: Any) -> tuple[str, State]:
    """Id and state from a report of a runner (`node`, `state`, `seconds`) or from a result of the interactive context."""
    if hasattr(result, "node"):
        return result.node, (result.state, getattr(result, "seconds", None))
    return result.component.id, _state(result)


def _state(result: Any) -> State:
    if isinstance(result, str):
        return result, None
    if isinstance(result, tuple):
        return result
    return ("cached" if is_cached(result) else "done"), None


def _draw(layout: Layout, states: dict[str, State] | None, times: bool, title: str) -> Any:
    """The figure: boxes on a grid of layers and rows, and lines between them."""
    depth = max(layout.layer.values(), default=0) + 1
    gap = 26.0 if depth < 9 else 20.0
    width = min(150.0, (style.WIDTH * style.DPI - 2 * _MARGIN - (depth - 1) * gap) / depth)
    left = [_MARGIN + number * (width + gap) for number in range(depth)]
    middle = middles(layout)
    key = 34 if states is None else 0
    below = _BOX / 2 + 9 if max(layout.row.values(), default=0) == len(middle) - 1 else 10
    sheet = Sheet(title, middle[-1] + below + 7 + key, "")
    draw_lines(sheet, layout, left, width, middle)
    size = min([11.5, *(_fitting(name, width - 12) for name in layout.layer)])
    for name, number in layout.layer.items():
        y = middle[layout.row[name]] - _BOX / 2
        _node(sheet, name, left[number], y, width, size, None if states is None else states[name], times)
    if states is None:
        _phases_key(sheet)
    return sheet.figure


def draw_lines(
    sheet: Sheet,
    layout: Layout,
    left: list[float],
    width: float,
    middle: list[float],
    dashed: Collection[tuple[str, str]] = (),
) -> None:
    """The lines of a graph.

    Args:
        sheet: to draw on.
        layout: of the graph.
        left: edge of the boxes of each layer, in pixels.
        width: of a box.
        middle: of each row.
        dashed: the parent and child of lines that are; a line that several share is only if all are.
    """
    solid = {(parent, name) for name, needs in layout.parents.items() for parent in needs} - set(dashed)
    for name, (row, last) in layout.lines.items():
        start, far = left[layout.layer[name]] + width, layout.layer[name] + 1
        kind = _DASHED if all(layout.layer[child] <= far for parent, child in solid if parent == name) else _LINE
        _line(sheet, start, middle[layout.row[name]], left[far], middle[row], kind=kind)
        sheet.axes.plot([left[far], left[last] + width], [middle[row]] * 2, **kind)
    for name, ports in _arrivals(layout).items():
        whole = {_source(layout, parent, name) for parent, child in solid if child == name}
        for (x_layer, row), shift in ports.items():
            kind = _LINE if (x_layer, row) in whole else _DASHED
            start, end = left[x_layer] + width, left[layout.layer[name]]
            _line(sheet, start, middle[row], end, middle[layout.row[name]] + shift, head=True, kind=kind)


def middles(layout: Layout) -> list[float]:
    """Height of the middle of each row, in pixels: a row that has only lines is lower than one with boxes."""
    boxes = set(layout.row.values())
    rows = max([*boxes, *(row for row, _ in layout.lines.values())], default=0) + 1
    half = [_BOX / 2 + 9 if row in boxes else 13.0 for row in range(rows)]
    middles, y = [], _TOP
    for one in half:
        middles.append(y + one)
        y += 2 * one
    return middles


def _arrivals(layout: Layout) -> dict[str, dict[tuple[int, int], float]]:
    """For each node, where its inputs come from (layer, row), and by how much their ends lie off its middle, in pixels."""
    found = {}
    for name, needs in layout.parents.items():
        sources = {_source(layout, parent, name) for parent in needs}
        above = sorted((s for s in sources if s[1] < layout.row[name]), key=lambda s: -s[1])
        below = sorted((s for s in sources if s[1] > layout.row[name]), key=lambda s: s[1])
        level = len(sources) - len(above) - len(below)
        ports = {source: 0.0 for source in sources}
        for side, sign in ((above, -1), (below, 1)):
            alone = not level and not (below if side is above else above)
            for number, source in enumerate(side):
                ports[source] = sign * _PORT * (number + (0 if alone else 1))
        found[name] = ports
    return found


def _source(layout: Layout, parent: str, name: str) -> tuple[int, int]:
    """Layer and row from which a parent's line comes to a node: its own, or those of the line that passes layers."""
    before = layout.layer[name] - 1
    return before, layout.row[parent] if layout.layer[parent] == before else layout.lines[parent][0]


def _line(
    sheet: Sheet, x: float, y: float, to_x: float, to_y: float, head: bool = False, kind: Mapping[str, Any] = _LINE
) -> None:
    """A line that leaves and arrives level."""
    tip = 8 if head else 0
    bend = (x + to_x - tip) / 2
    curve = Curve([(x, y), (bend, y), (bend, to_y), (to_x - tip, to_y)], [Curve.MOVETO] + [Curve.CURVE4] * 3)
    sheet.axes.add_patch(
        PathPatch(
            curve, facecolor="none", **{"edgecolor" if name == "color" else name: value for name, value in kind.items()}
        )
    )
    if head:
        xs, ys = [to_x - tip, to_x - 1, to_x - tip], [to_y - 4, to_y, to_y + 4]
        sheet.axes.fill(xs, ys, color=style.MUTED, linewidth=0, zorder=3)


def _node(
    sheet: Sheet, name: str, x: float, y: float, width: float, size: float, state: State | None, times: bool
) -> None:
    """A box with the name, and under it the state."""
    if state is None:
        colour, kind, words = style.PHASES.get(phase(name), style.MUTED), "tinted", ""
    else:
        colour, kind = style.STATES.get(state[0], style.MUTED), "dashed" if state[0] == "new" else "tinted"
        words = "not run" if state[0] == "new" else state[0]
        if times and state[1] is not None:
            words += f", {state[1]:.1f} s"
    sheet.box(x, y, width, _BOX, colour=colour, kind=kind)
    shift = -9 if words else 0
    sheet.text(x + width / 2, y + _BOX / 2 + shift, "\n".join(two_lines(name)), size=size, weight="bold")
    if words:
        sheet.text(x + width / 2, y + _BOX - 12, words, size=min(SMALL, size + 0.5), colour=colour)


def phase(name: str) -> str:
    """Phase of the lifecycle of a component, guessed from its id; empty if unknown."""
    return next((where for word, where in PHASE.items() if word in name), "")


def two_lines(name: str) -> list[str]:
    """A CamelCase name in at most two lines of about the same length."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^A-Za-z0-9]+", name) or [name]
    cuts = [("".join(words[:cut]), "".join(words[cut:])) for cut in range(1, len(words))]
    best = min(cuts, key=lambda lines: max(map(len, lines)), default=None)
    return [name] if best is None or len(name) < 9 else list(best)


def _fitting(name: str, width: float) -> float:
    """Size in points at which a name, in two lines, is no wider than so many pixels."""
    return 11.5 * width / max(text_width(line, 11.5, bold=True) for line in two_lines(name))


def _title(states: dict[str, State] | None) -> str:
    if states is None:
        return "The pipeline"
    words = []
    for state in ("failed", "unfinished", "cancelled", "done", "cached", "new"):
        names = [name for name, (one, _) in states.items() if one == state]
        shown = "not run" if state == "new" else state
        if names:
            words.append(f"{names[0]} {shown}" if state == "failed" and len(names) == 1 else f"{len(names)} {shown}")
    return f"The pipeline: {', '.join(words)}"


def _phases_key(sheet: Sheet) -> None:
    """Which colour is which phase."""
    x = _MARGIN
    for name in ("Data", "Model", "Deployment"):
        sheet.box(x, sheet.height - 34, 14, 14, colour=style.PHASES[name], kind="filled", radius=3)
        sheet.text(x + 21, sheet.height - 27, name, across="left")
        x += 46 + text_width(name, 12)


def _alt(parents: dict[str, set[str]], states: dict[str, State] | None) -> str:
    """Each component, what it waits for, and its state."""
    parts = []
    for name, needs in parents.items():
        words = f"{name} needs {', '.join(n for n in parents if n in needs)}" if needs else f"{name} comes first"
        parts.append(
            words if states is None else f"{words} ({'not run' if states[name][0] == 'new' else states[name][0]})"
        )
    return f"Graph of a pipeline with {len(parents)} components. {'; '.join(parts)}."
