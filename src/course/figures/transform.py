"""What Transform does: one pass over all rows, then a graph that serves training and requests alike."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

_ALT = """Two steps from left to right. Step one, analyse: all rows of the training splits go through the analyzers (mean, quantiles,
vocabulary), once. Their results become constants in the transform graph, a box in the middle that holds the mappers. Step two, map: the
graph prepares the rows for training, and, as a part of the exported model, each single request in serving. Both get the same
operations with the same constants."""


def analyze_and_map() -> Figure:
    """Analyzers look at all rows once; the graph with their results maps rows in training and in serving."""
    sheet = Sheet("Analyse once, then map every row with the same graph", 360, _ALT)
    data, model, serve = style.PHASES["Data"], style.PHASES["Model"], style.PHASES["Deployment"]
    rows = sheet.box(16, 160, 150, 90, "all rows of the\ntraining splits", colour=data, kind="outlined")
    sheet.text(284, 78, "1  analyse", size=14, weight="bold", colour=data)
    analyzers = sheet.box(206, 110, 156, 190, colour=data, kind="tinted")
    for number, words in enumerate(("mean, deviation", "quantiles", "vocabulary")):
        sheet.box(220, 124 + 56 * number, 128, 42, words, colour=data, kind="outlined")
    sheet.text(284, 330, "a full pass, once", size=SMALL, colour=style.MUTED)

    graph = sheet.box(420, 110, 190, 190, colour=style.INK, kind="outlined")
    sheet.text(515, 136, "transform graph", size=14, weight="bold")
    sheet.box(436, 162, 158, 52, "constants", colour=data, kind="bare")
    sheet.box(436, 230, 158, 52, "mappers", colour=style.MUTED, kind="bare")
    sheet.arrow(rows.right, analyzers.left, colour=style.INK)
    sheet.arrow(analyzers.right, graph.left, colour=style.INK)

    sheet.text(740, 78, "2  map", size=14, weight="bold", colour=style.INK)
    training = sheet.box(670, 110, 214, 82, "training:\nall rows, once a run", colour=model, kind="tinted")
    serving = sheet.box(670, 218, 214, 82, "serving: in the model,\nat every request", colour=serve, kind="tinted")
    sheet.arrow((610, 180), training.left, colour=style.INK)
    sheet.arrow((610, 230), serving.left, colour=style.INK)
    sheet.text(777, 330, "the same operations and constants", size=SMALL, colour=style.MUTED)
    return sheet.figure
