"""What of the model goes to places without TensorFlow: a browser, a telephone, a sensor.

LiteRT knows no tf.Example, no text and no double precision, and browsers no 64-bit integers. So this endpoint takes numbers as they
are in the monthly files, NaN for one that is not known, and words as their place in the vocabulary of training. It scales
by itself, in 32 bits: its caller looks up words, and nothing else. It takes one flight at a time, because LiteRT in a browser
has no batches of a size that is not known before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from . import features
from .columns import WEEKDAY, minutes

if TYPE_CHECKING:
    import keras

    from .warm_start import Moments

SIGNATURE = "edge"
"""Name of the endpoint in the SavedModel."""

REAL = list(features.NUMERIC)
"""Inputs of float32, as in the raw columns of these names."""

WHOLE = [*features.CLOCK.values(), WEEKDAY]
"""Inputs of int32, as in the raw columns of these names."""

WORDS = {features.index(name): name for name in features.CATEGORICAL}
"""Inputs of int32 that are places in a vocabulary, each with its raw column; an unknown word has the place after the last."""

Inputs = dict[str, tf.Tensor]


def specification() -> dict[str, tf.TensorSpec]:
    """The inputs by their names, each of shape (1, 1)."""
    kinds = dict.fromkeys(REAL, tf.float32) | dict.fromkeys([*WHOLE, *WORDS], tf.int32)
    return {name: tf.TensorSpec([1, 1], kind, name) for name, kind in kinds.items()}


def endpoint(model: keras.Model, moments: Moments, output: str) -> Callable[[Inputs], Inputs]:
    """The function behind the endpoint: from raw numbers and places of words to what the network says.

    Args:
        model: on transformed features, as `model.build_model` makes it.
        moments: means and standard deviations of the Transform graph, by the names of the scaled features.
        output: name of the probability.
    """
    mean, deviation = np.array([moments[features.scaled(name)] for name in features.SCALED]).T
    # What is left of two neighbours is exact, and a mean rounded to 32 bits is not: first the whole number, then the rest.
    whole = np.round(mean)

    @tf.autograph.experimental.do_not_convert
    def predict(inputs: Inputs) -> Inputs:
        known = [
            tf.where(tf.math.is_nan(inputs[name]), missing, inputs[name]) for name, missing in features.NUMERIC.items()
        ]
        clocks = [tf.cast(minutes(inputs[column]), tf.float32) for column in features.CLOCK.values()]
        measured = tf.concat([*known, *clocks], axis=1)
        z_scores = (measured - whole.astype("f4") - (mean - whole).astype("f4")) / deviation.astype("f4")
        columns = tf.split(z_scores, len(features.SCALED), axis=1)
        scaled = dict(zip(map(features.scaled, features.SCALED), columns, strict=True))
        places = {name: inputs[name] for name in WORDS} | {features.index(WEEKDAY): inputs[WEEKDAY] - 1}
        return {output: model(scaled | {name: tf.cast(place, tf.int64) for name, place in places.items()})}

    return predict
