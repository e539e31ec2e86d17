"""The network without its pipeline: learned from a table in about a second, for replays of a year in which many models are tried.

It has the features of `features.preprocessing_fn` and the layers and settings of the pipeline's model, and is never served.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from . import features, references
from .columns import LABEL, WEEKDAY
from .config import Config
from .model import batches_of, build_model

Predict = Callable[[pd.DataFrame], npt.NDArray[np.float64]]
"""Gives the probability of each row to be late, shape (rows,)."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What is known of the rows that a network learns from, by which it sees any row.

    Attributes:
        mean: of each of `features.SCALED`,
        deviation: and its standard deviation.
        words: of each categorical column, those that are kept, by their place: the most frequent first, then by the alphabet backward, as
            Transform has them.
    """

    mean: pd.Series
    deviation: pd.Series
    words: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, flights: pd.DataFrame) -> Prepared:
        """By raw columns."""
        columns = references.prepare(flights)
        scaled = columns[list(features.SCALED)]
        words = {}
        for name, most in features.CATEGORICAL.items():
            counts = columns[name].value_counts()
            counts = counts[counts.index != ""]
            kept = sorted(counts.items(), key=lambda one: (one[1], one[0]), reverse=True)[:most]
            words[name] = {word: place for place, (word, _) in enumerate(kept)}
        return cls(scaled.mean(), scaled.std(ddof=0), words)

    def __call__(self, flights: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
        """The inputs of the network, each of shape (rows, 1)."""
        columns = references.prepare(flights)
        found: dict[str, npt.NDArray[Any]] = {}
        for name in features.SCALED:
            z = (columns[name] - self.mean[name]) / (self.deviation[name] or 1.0)
            found[features.scaled(name)] = z.to_numpy("float32")[:, None]
        for name, places in self.words.items():
            place = columns[name].map(places).fillna(len(places))  # the bucket for unknown words comes after them
            found[features.index(name)] = place.to_numpy("int64")[:, None]
        found[features.index(WEEKDAY)] = columns[WEEKDAY].to_numpy("int64")[:, None] - 1
        return found


def learn(flights: pd.DataFrame, config: Config | None = None) -> Predict:
    """Trains the network on raw columns with labels, from the same random weights each time.

    Args:
        flights: to learn from.
        config: whose settings of training count; None: those that the pipeline has by itself.
    """
    config = config or Config()
    names = ("hidden_units", "dropout", "l2", "learning_rate", "seed")
    network, start = _compiled(tuple((name, getattr(config, name)) for name in names))
    for variable, value in zip(_variables(network), start, strict=True):
        variable.assign(value)
    keras.utils.set_random_seed(config.seed)
    prepared = Prepared.of(flights)
    columns = prepared(flights) | {LABEL: flights[LABEL].to_numpy("int64")[:, None]}
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    network.fit(batches_of(tensors, config.batch_size, config.seed), epochs=config.train_epochs, verbose=0)
    weights = network.get_weights()

    def predict(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        network.set_weights(weights)
        return np.asarray(network(prepared(rows)), float)[:, 0]

    return predict


@functools.cache
def _compiled(settings: tuple[tuple[str, Any], ...]) -> tuple[keras.Model, list[Any]]:
    """A network and its weights before any training. One for all trainings: TensorFlow prepares it once, which takes longer than a training."""
    tf.config.experimental.enable_op_determinism()
    known = dict(settings)
    keras.utils.set_random_seed(known["seed"])
    network = build_model(dict(features.CATEGORICAL), known, follow_auc=False)
    return network, [variable.numpy() for variable in _variables(network)]


def _variables(network: keras.Model) -> list[Any]:
    """All that training changes: weights, and what the optimiser remembers."""
    return [*network.variables, *network.optimizer.variables]
