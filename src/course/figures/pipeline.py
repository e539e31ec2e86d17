"""A pipeline as a graph, and a component from inside."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Box, Sheet

_DAG_ALT = """A directed acyclic graph, drawn from left to right. ExampleGen's examples go to StatisticsGen and Transform.
StatisticsGen's statistics go to ExampleValidator. A curated schema goes to ExampleValidator and Transform. Transform's examples and
graph go to Trainer, Trainer's model to Evaluator and Pusher, Evaluator's blessing to Pusher. Dashed arrows bring configuration
into four components: months into ExampleGen, features into Transform, training steps into Trainer, thresholds into Evaluator."""


def pipeline_dag() -> Figure:
    """The running example as a directed acyclic graph: components, artifacts between them, configuration into them."""
    sheet = Sheet("A pipeline is a graph of components, joined by artifacts", 420, _DAG_ALT)
    data, model, deploy = style.PHASES["Data"], style.PHASES["Model"], style.PHASES["Deployment"]
    examples = _component(sheet, 16, 190, 116, "ExampleGen", data)
    statistics = _component(sheet, 190, 74, 128, "StatisticsGen", data)
    validator = _component(sheet, 392, 74, 160, "ExampleValidator", data)
    schema = sheet.box(190, 306, 128, 48, "curated\nschema", colour=data, kind="outlined")
    transform = _component(sheet, 392, 190, 160, "Transform", data)
    trainer = _component(sheet, 632, 190, 92, "Trainer", model)
    evaluator = _component(sheet, 784, 190, 100, "Evaluator", model)
    pusher = _component(sheet, 784, 306, 100, "Pusher", deploy)

    sheet.path([examples.top, (74, 98), (188, 98)])
    _name(sheet, 82, 88, "examples")
    sheet.arrow(statistics.right, validator.left)
    _name(sheet, 322, 88, "statistics")
    sheet.path([schema.right, (352, 330), (352, 110), (390, 110)])
    sheet.path([schema.right, (352, 330), (352, 226), (390, 226)])
    _name(sheet, 360, 262, "schema")
    sheet.bridge(352, 214)
    sheet.arrow(examples.right, transform.left)
    _name(sheet, 140, 204, "examples")
    sheet.arrow(transform.right, trainer.left)
    _name(sheet, 558, 204, "examples,")
    _name(sheet, 558, 226, "graph")
    sheet.arrow(trainer.right, evaluator.left)
    _name(sheet, 731, 204, "model")
    sheet.path([trainer.bottom, (678, 330), (782, 330)])
    _name(sheet, 704, 320, "model")
    sheet.arrow(evaluator.bottom, pusher.top)
    _name(sheet, 842, 272, "blessing", across="right", shift=-16)

    _configured(sheet, examples, "months", below=True)
    for box, words in ((transform, "features"), (trainer, "training steps"), (evaluator, "thresholds")):
        _configured(sheet, box, words)
    _dag_legend(sheet, 396)
    return sheet.figure


def _component(sheet: Sheet, x: float, y: float, width: float, name: str, colour: str) -> Box:
    return sheet.box(x, y, width, 48, name, colour=colour, size=13, weight="bold")


def _name(sheet: Sheet, x: float, y: float, artifact: str, across: str = "left", shift: float = 0) -> None:
    """The name of an artifact beside its arrow."""
    sheet.text(x + shift, y, artifact, size=SMALL, colour=style.MUTED, across=across)


def _configured(sheet: Sheet, box: Box, words: str, below: bool = False) -> None:
    """A chip with a part of the configuration, and the dashed arrow that brings it in."""
    (x, y), side = (box.bottom, 1) if below else (box.top, -1)
    chip = sheet.chip(x, y + side * 45, words)
    sheet.arrow(chip.top if below else chip.bottom, (x, y), dashed=True)


def _dag_legend(sheet: Sheet, y: float) -> None:
    """What a box, an arrow and a dashed arrow mean."""
    sheet.box(16, y - 8, 26, 16, colour=style.MUTED, radius=4)
    sheet.text(50, y, "component: one step", across="left")
    sheet.arrow((230, y), (264, y))
    sheet.text(272, y, "artifact: what a step makes", across="left")
    sheet.arrow((496, y), (530, y), dashed=True)
    sheet.text(538, y, "configuration: what you decide", across="left")
