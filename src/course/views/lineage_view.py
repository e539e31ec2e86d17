"""The lineage of a version, and what a month has reached, as a graph: of any TFX metadata store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course import style
from course.controls import Explorer
from course.display import FigureView, Report
from course.figures.canvas import SMALL, Sheet, text_width
from course.views import lineage_graph, metadata_tables
from course.views.graph_layout import arrange
from course.views.html import note
from course.views.lineage_graph import Box, Picture
from course.views.pipeline_graph import draw_lines, middles
from engines.lineage import Lineage, LineageError

_BELOW, _BOX, _MARGIN, _WIDEST, _GAP = 7.0, 62.0, 16.0, 150.0, 26.0
"""Pixels: below the graph, height of a box, margin at the sides, widest box, between two layers."""


def lineage(
    where: Any,
    version: str | int | None = None,
    model: int | None = None,
    span: int | None = None,
    checksum: str = "",
    artifact: int | None = None,
    pipeline: str = "",
    baseline: bool = True,
) -> Report:
    """Where a version comes from, or what data have reached, as a graph and a sentence.

    Solid lines: something was made from it. Dashed: it was judged on it, or held against it, and has learned nothing.

    Args:
        where: the path of a SQLite store, an `InteractiveContext`, an open `MetadataStore`, or an `engines.lineage.Lineage`.
        version: backward from a pushed version; without this and all others, from the newest.
        model: backward from the number of a model's artifact, also one that was refused.
        span: forward from a span.
        checksum: forward from a file of these contents; with `span`, both have to fit.
        artifact: forward from the number of any artifact.
        pipeline: only of this one.
        baseline: draw what the model was held against, with its data.

    Raises:
        engines.lineage.LineageError: the store has nothing of it; the message says what it has.
    """
    return _report(_picture(_opened(where), version, model, span, checksum, artifact, pipeline, baseline))


def explore_lineage(where: Any, pipeline: str = "", start: tuple[Any, ...] | None = None) -> None:
    """The same with controls: a question for each version and each span, and whether the baseline is drawn.

    Args:
        where: as for `lineage`.
        pipeline: only of this one.
        start: the question to start from, which the stored notebook shows, such as `("version", 7)`, `("span", 3)` or `("model", 12)`, with the pipeline
            as a third where two have such a version; by default, the newest version.

    Raises:
        ValueError: there is no such question, or no version was pushed yet.
    """
    opened = _opened(where)
    questions = _questions(opened, pipeline)
    wanted = tuple(map(str, start or ("version",)))
    fitting = [one for one in questions.values() if tuple(map(str, one))[: len(wanted)] == wanted]
    if not fitting:
        raise ValueError(f"{start} is no question of this store. There are: {', '.join(questions) or 'none'}.")

    def drawn(question: tuple[str, Any, str] = fitting[-1], baseline: bool = True) -> Report:
        kind, which, of = question
        return _report(_picture(opened, **{kind: which}, pipeline=of, baseline=baseline))

    Explorer(drawn, None, {"question": questions, "baseline": True}).display()


def _questions(opened: Lineage, pipeline: str) -> dict[str, tuple[str, Any, str]]:
    """Kind, which, and of which pipeline, by the words of the question."""
    names = lineage_graph.Names(opened)
    pushes, models = opened.versions(pipeline), opened.models(pipeline)
    several = len({one.step.pipeline for one in models}) > 1
    found: dict[str, tuple[str, Any, str]] = {}
    for push in pushes:
        of = f" of {push.step.pipeline}" if several else ""
        found[f"Where does {names.version(push)}{of} come from?"] = ("version", push.version, push.step.pipeline)
    for model in models:
        if not model.pushes:
            words = f"What made {names.model(model.artifact)}, {model.outcome}?"
            found[words] = ("model", model.artifact, model.step.pipeline)
    used = [use for model in models for use in (*model.trained_on, *model.validated_on)]
    for span in sorted({use.file.span for use in used if use.file.span is not None}):
        found[f"What has span {span} reached?"] = ("span", span, pipeline)
    return found


def _opened(where: Any) -> Lineage:
    if isinstance(where, Lineage):
        return where
    return Lineage.of_file(where) if isinstance(where, str | Path) else Lineage(metadata_tables.open_store(where))


def _picture(
    opened: Lineage,
    version: str | int | None = None,
    model: int | None = None,
    span: int | None = None,
    checksum: str = "",
    artifact: int | None = None,
    pipeline: str = "",
    baseline: bool = True,
) -> Picture:
    if span is not None or checksum or artifact is not None:
        reached = opened.reached(span, checksum, artifact, pipeline)
        if artifact is not None:
            asked = opened.graph.artifacts[artifact].type.lower()
        else:
            asked = (f"span {span}" if span is not None else "a file") + (f", {checksum[:6]}" if checksum else "")
        return lineage_graph.forward(opened, reached, asked)
    if model is not None:
        return lineage_graph.backward(opened, opened.model(model), baseline)
    pushes = opened.versions(pipeline)
    if version is None and not pushes:
        raise LineageError("No version was pushed yet.")
    name, of = (pushes[-1].version, pushes[-1].step.pipeline) if version is None else (version, pipeline)
    return lineage_graph.backward(opened, opened.version(name, of), baseline)


def _report(picture: Picture) -> Report:
    return Report(FigureView(_draw(picture), _alt(picture)), note(picture.said))


def _draw(picture: Picture) -> Any:
    layout = arrange(picture.parents)
    depth = max(layout.layer.values()) + 1
    width = min(_WIDEST, (style.WIDTH * style.DPI - 2 * _MARGIN - (depth - 1) * _GAP) / depth)
    left = [_MARGIN + number * (width + _GAP) for number in range(depth)]
    middle = middles(layout)
    sheet = Sheet(picture.title, middle[-1] + _BOX / 2 + 9 + _BELOW, "")
    draw_lines(sheet, layout, left, width, middle, picture.dashed)
    for key, box in picture.boxes.items():
        _draw_box(sheet, box, left[layout.layer[key]], middle[layout.row[key]] - _BOX / 2, width)
    return sheet.figure


def _draw_box(sheet: Sheet, box: Box, x: float, y: float, width: float) -> None:
    sheet.box(x, y, width, _BOX, colour=box.colour, kind="dashed" if box.apart else "tinted")
    weight, shift = "normal" if box.apart else "bold", 10 if box.words else 0
    sheet.text(x + width / 2, y + _BOX / 2 - shift, box.name, size=_fitting(box.name, width), weight=weight)
    if box.words:
        size = min(SMALL, _fitting(box.words, width))
        sheet.text(x + width / 2, y + _BOX / 2 + shift, box.words, size=size, colour=style.MUTED)


def _fitting(words: str, width: float) -> float:
    """Size in points at which words are no wider than a box."""
    return min(11.5, 11.5 * (width - 10) / text_width(words, 11.5, bold=True))


def _alt(picture: Picture) -> str:
    """Each box that comes from others, and along which lines nothing was learned."""

    def called(key: str) -> str:
        box = picture.boxes[key]
        return f"{box.name} ({box.words})" if box.words else box.name

    parts = []
    for key, parents in picture.parents.items():
        # In the order of the picture's boxes, which is the same in each run; a set has none.
        solid = [called(one) for one in picture.boxes if one in parents and (one, key) not in picture.dashed]
        dashed = [called(one) for one in picture.boxes if one in parents and (one, key) in picture.dashed]
        words = [f"from {', '.join(solid)}"] if solid else []
        words += [f"dashed: {', '.join(dashed)}"] if dashed else []
        if words:
            parts.append(f"{called(key)}: {'; '.join(words)}")
    return f"Graph. {picture.title}. {'. '.join(parts)}."
