"""Warm start: a month's training goes on from the weights of an earlier model.

Vocabularies and moments are computed anew from each month's flights. Word 3 may be United in January and Delta in February, and one
standard deviation of temperature is not as many degrees. So weights are taken over by what they mean: the row of an embedding by its
word, and the inputs are put back into the units in which the first layer was trained. Before any training, the new model
then says of every flight what the earlier one says.

What this needs lies beside the served model, in a folder of its own in the same artifact: it is not pushed.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from . import features

FOLDER = "Format-Keras"
"""Beside TFX's `Format-Serving`, in the artifact of the model."""

MODEL_FILE, PAST_FILE = "model.keras", "past.json"

Moments = dict[str, tuple[float, float]]
"""Mean and standard deviation of each scaled input, by its name."""


class BaseModelError(ValueError):
    """Training cannot go on from the model that it was given."""


@dataclasses.dataclass(frozen=True)
class Past:
    """What must be known of a trained model in order to go on from it.

    Attributes:
        vocabularies: the words of each categorical column, in the order of its embedding's rows; unknown words come after them.
        moments: those in whose units the first layer counts.
        settings: with which it was trained.
        history: metrics by epoch, from `keras.Model.fit`.
        started_from: folder of the model that it went on from itself; empty for random weights.
    """

    vocabularies: dict[str, list[str]]
    moments: Moments
    settings: dict[str, Any]
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    started_from: str = ""

    @classmethod
    def of(cls, transform: tft.TFTransformOutput, settings: dict[str, Any]) -> Past:
        """That of a model with random weights, made for the output of Transform."""
        words = {name: [word.decode() for word in transform.vocabulary_by_name(name)] for name in features.CATEGORICAL}
        return cls(words, moments_of(transform), settings)


@dataclasses.dataclass(frozen=True)
class Units:
    """What takes scaled inputs from one month's moments to another's: times `scale`, plus `offset`, in the order of the inputs."""

    scale: list[float]
    offset: list[float]

    @classmethod
    def between(cls, now: Moments, then: Moments) -> Units:
        """Of two sets of moments with the same inputs."""
        pairs = [(now[name], then[name]) for name in now]
        return cls(
            [deviation / deviation_then for (_, deviation), (_, deviation_then) in pairs],
            [(mean - mean_then) / deviation_then for (mean, _), (mean_then, deviation_then) in pairs],
        )


def folder_of(serving_model: str | Path) -> Path:
    """The folder for warm starts that belongs to a SavedModel in an artifact."""
    return Path(serving_model).parent / FOLDER


def remember(
    serving_model: str,
    model: keras.Model,
    transform: tft.TFTransformOutput,
    settings: dict[str, Any],
    history: dict[str, list[float]],
    base_model: str | None = None,
) -> None:
    """Writes what a later training needs in order to go on from this one."""
    past = Past.of(transform, settings)
    if base_model:  # the first layer still counts as it learned to
        past = dataclasses.replace(past, moments=recall(base_model).moments)
    folder = folder_of(serving_model)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL_FILE)
    curves = {name: [float(value) for value in values] for name, values in history.items()}
    past = dataclasses.replace(past, history=curves, started_from=base_model or "")
    (folder / PAST_FILE).write_text(json.dumps(dataclasses.asdict(past), indent=1), encoding="utf-8")


def recall(serving_model: str | Path) -> Base:
    """What was remembered of a model.

    Args:
        serving_model: folder of its SavedModel in the artifact of the Trainer.

    Raises:
        BaseModelError: it was trained before there were warm starts, or is not one of ours.
    """
    folder = folder_of(serving_model)
    try:
        past = json.loads((folder / PAST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BaseModelError(
            f"warm start: {folder} does not exist, so {serving_model} cannot be gone on from. "
            "Run once without --warm-start: the model that is blessed then can."
        ) from None
    past["moments"] = {name: (mean, deviation) for name, (mean, deviation) in past["moments"].items()}
    return Base(**past, folder=folder)


@dataclasses.dataclass(frozen=True)
class Base(Past):
    """The past of a model that was stored; `folder` is where."""

    folder: Path = Path()

    def model(self) -> keras.Model:
        """The trained network, on scaled and indexed features."""
        return keras.models.load_model(self.folder / MODEL_FILE, compile=False)


def require_same_layers(base: Base, settings: dict[str, Any]) -> None:
    """Refuses a start with other layers than the earlier model has.

    Raises:
        BaseModelError: says which.
    """
    then, now = list(base.settings["hidden_units"]), list(settings["hidden_units"])
    if then != now:
        raise BaseModelError(
            f"warm start: the latest blessed model has hidden_units {then}, and this run asks for {now}. "
            f"Ask for {'-'.join(map(str, then)) or 'none'} (--hidden-units), or start without --warm-start."
        )


def carry_over(base: Base, now: Past, model: keras.Model) -> None:
    """Gives a model the weights of an earlier one: embeddings by word, all others as they are.

    A word that the earlier model had not met begins as its unknown words do.

    Raises:
        BaseModelError: a layer has another shape; features or model were changed since.
    """
    by_word = {f"{name}_embedding": name for name in now.vocabularies}
    earlier = {layer.name: layer for layer in base.model().layers}
    for place, layer in enumerate(model.layers):
        if not layer.weights:
            continue
        weights = earlier[layer.name].get_weights() if layer.name in earlier else None
        column = by_word.get(layer.name)
        if weights and column:
            weights = [rows_by_word(weights[0], base.vocabularies[column], now.vocabularies[column])]
        if weights is None or [one.shape for one in weights] != [one.shape for one in layer.get_weights()]:
            raise BaseModelError(
                f"warm start: layer {layer.name} (number {place}) is not as it was when the latest blessed model was trained. "
                "Were features or model changed? Then start without --warm-start."
            )
        layer.set_weights(weights)


def rows_by_word(rows: np.ndarray, then: list[str], now: list[str]) -> np.ndarray:
    """The rows of an embedding in the order of another vocabulary.

    Args:
        rows: shape (words then + unknown, width).
        then: the words of those rows.
        now: the words of the rows that are wanted.

    Returns:
        Shape (words now + unknown, width).
    """
    place = {word: number for number, word in enumerate(then)}
    unknown = list(range(len(then), len(rows)))
    return rows[[place.get(word, len(then)) for word in now] + unknown]


def moments_of(transform: tft.TFTransformOutput) -> Moments:
    """Mean and standard deviation that a Transform graph scales with.

    They are constants in the graph and have no names. But z = (x - mean) / deviation is a line, and two of its points show it.
    """
    spec = {name: kind for name, kind in transform.raw_feature_spec().items() if name in features.RAW}
    parsed = tf.io.parse_example([_example(value, spec) for value in _POINTS], spec)
    scaled = transform.transform_features_layer()(parsed)
    found = {}
    for name, column in features.measured(parsed).items():
        (low, high), (first, second) = (
            one.numpy()[:, 0].astype(float) for one in (column, scaled[features.scaled(name)])
        )
        if low == high:
            raise ValueError(
                f"features.measured: {name} is {low:g} where its columns are {_POINTS[0]} and where they are {_POINTS[1]}. "
                "A warm start tells from two values of a feature how it is scaled: make it from a number that varies."
            )
        deviation = (high - low) / (second - first)
        found[features.scaled(name)] = (low - first * deviation, deviation)
    return found


_POINTS = (0, 10_000)
"""What all numbers are at both points: far apart, for the sake of precision."""


def _example(value: int, spec: dict[str, Any]) -> bytes:
    """A row with this in each column of numbers, and a word that there is not in the others."""
    columns = {}
    for name, kind in spec.items():
        if kind.dtype == tf.string:
            columns[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"?"]))
        elif kind.dtype == tf.int64:
            columns[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        else:
            columns[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=columns)).SerializeToString()
