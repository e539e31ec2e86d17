"""What the Trainer is given and what it leaves behind, and what is inside the model that it exports."""

from __future__ import annotations

from matplotlib.figure import Figure

from course import style
from course.figures.canvas import SMALL, Sheet

_TRAINER_ALT = """The Trainer component as a box around run_fn, your code. From the left come five artifacts, each with the
argument under which run_fn finds it: examples (train_files, eval_files, data_accessor), the transform graph (transform_output), the
schema (schema_path), the best hyperparameters of the Tuner (hyperparameters, optional), and last month's model (base_model,
optional). From above comes the configuration: train_args, eval_args, custom_config. To the right go two artifacts: the model
(serving_model_dir) and the model run, the logs of training (model_run_dir)."""

_MODEL_ALT = """The exported model is one graph with three stages, left to right. A raw flight, as a serialised tf.Example, goes into
the first stage, which parses it. The second stage is the transform graph of Transform, with mean, deviation and vocabularies as
constants. The third is the Keras network. Out comes the probability of being late. ExportArchive tracks the tables of the
second stage and finds the weights of the third by itself; the endpoint serving_default runs through all three. Service, Evaluator
and batch inference all call this endpoint."""


def trainer_anatomy() -> Figure:
    """The Trainer: artifacts in, `run_fn` in the middle, artifacts out, with the names of the arguments."""
    sheet = Sheet("The Trainer brings files and settings; run_fn does the rest", 420, _TRAINER_ALT)
    data, model, muted = style.PHASES["Data"], style.PHASES["Model"], style.MUTED
    inputs = (
        ("examples", "train_files, eval_files, data_accessor", data, "outlined"),
        ("transform graph", "transform_output", data, "outlined"),
        ("schema", "schema_path", data, "outlined"),
        ("best hyperparameters", "hyperparameters", model, "dashed"),
        ("last month's model", "base_model", model, "dashed"),
    )
    sheet.box(480, 84, 180, 306, "", colour=model, kind="tinted")
    sheet.text(570, 112, "Trainer", size=14, weight="bold")
    sheet.box(498, 140, 144, 122, "run_fn(fn_args)\nyour code:\nread, build, fit,\nexport", colour=model, kind="filled")
    sheet.text(570, 300, "train_args\neval_args\ncustom_config", size=SMALL)
    sheet.text(570, 356, "from the configuration", size=SMALL, colour=muted, slant="italic")
    for number, (name, argument, colour, kind) in enumerate(inputs):
        y = 84 + 64 * number
        box = sheet.box(16, y, 176, 48, name, colour=colour, kind=kind)
        sheet.arrow(box.right, (480, y + 24), colour=style.INK, dashed=kind == "dashed")
        sheet.text(204, y + 12, argument, size=SMALL, colour=muted, across="left")
    for y, name, argument in ((130, "model", "serving_model_dir"), (268, "model run: logs", "model_run_dir")):
        box = sheet.box(728, y, 156, 52, name, colour=model, kind="outlined")
        sheet.arrow((660, y + 26), box.left, colour=style.INK)
        sheet.text(806, y + 70, argument, size=SMALL, colour=muted)
    return sheet.figure


def exported_model() -> Figure:
    """The exported model: parsing, the Transform graph and the network in one SavedModel."""
    sheet = Sheet("One file takes a raw flight and returns a probability", 300, _MODEL_ALT)
    data, model, serve = style.PHASES["Data"], style.PHASES["Model"], style.PHASES["Deployment"]
    flight = sheet.box(16, 120, 138, 84, "raw flight\n(tf.Example)", colour=data, kind="outlined")
    sheet.box(190, 66, 526, 196, "", colour=style.INK, kind="outlined")
    sheet.text(453, 90, "SavedModel, endpoint serving_default", size=14, weight="bold")
    parse = sheet.box(208, 120, 122, 84, "parse by\nthe raw schema", colour=style.MUTED, kind="tinted")
    transform = sheet.box(
        366, 120, 166, 84, "transform graph\nmean, deviation,\nvocabularies", colour=data, kind="tinted"
    )
    network = sheet.box(568, 120, 130, 84, "Keras network\nweights", colour=model, kind="tinted")
    answer = sheet.box(752, 120, 132, 84, "probability\nof being late", colour=serve, kind="outlined")
    for start, end in ((flight, parse), (parse, transform), (transform, network), (network, answer)):
        sheet.arrow(start.right, end.left, colour=style.INK)
    sheet.text(449, 234, "archive.track: its tables", size=SMALL, colour=style.MUTED)
    sheet.text(633, 234, "found by itself", size=SMALL, colour=style.MUTED)
    sheet.text(269, 234, "add_endpoint", size=SMALL, colour=style.MUTED)
    return sheet.figure
