"""A project of nobody's: a scale's weight from a length, with what the model server asks of a project, and small models of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

NAME = "scales_project:PROJECT"


class Scales:
    """`serving.models.Project`; it takes no negative lengths."""

    name = "scales"
    output = "weight"
    key = ()
    inputs: ClassVar = {"length": "FP32"}
    sample = ({"length": 1.0},)

    def check(self, rows):
        for number, row in enumerate(rows):
            if not row.get("length", 0) >= 0:
                raise ValueError(f"row {number}, column length: {row['length']} is below 0.")
        return {"length": [row.get("length") for row in rows]}

    def encode(self, columns):
        return [example(length) for length in columns["length"]]


PROJECT = Scales()


def example(length: float | None, **further: float) -> bytes:
    """A serialised tf.Example: the length, and what a client does not know."""
    import tensorflow as tf

    values = {name: value for name, value in {"length": length, **further}.items() if value is not None}
    floats = {name: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=floats)).SerializeToString()


def write(folder: Path, weigh: Callable[[Any], Any] | None = None) -> Path:
    """A SavedModel that weighs.

    Args:
        folder: to write.
        weigh: the weights, (batch,), from the columns `length` and `label`, (batch,); 0 for what is missing. By default half the length.
    """
    import tensorflow as tf

    spec = {name: tf.io.FixedLenFeature([], tf.float32, 0.0) for name in ("length", "label")}

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.half = tf.Variable(0.5)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples):
            columns = tf.io.parse_example(examples, spec)
            return {"weight": (weigh(columns) if weigh else tf.sigmoid(columns["length"]) * self.half)[:, None]}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return folder
