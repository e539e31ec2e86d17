"""The features of my_flights, as the solution of lab 3 leaves it."""

import tensorflow as tf
import tensorflow_transform as tft

LABEL = "late"
GAPS = {"distance": 900.0, "plane_year": 2001.0, "seats": 149.0, "temp": 57.0, "dewp": 42.0, "humid": 58.0}
GAPS |= {"wind_speed": 10.0, "wind_gust": 0.0, "precip": 0.0, "pressure": 1018.0, "visib": 10.0}
WORDS = {"carrier": 20, "origin": 5, "dest": 110}  # columns of text, with the most words that are kept


def filled(column, missing):
    """Decimals of shape (batch, 1), without gaps."""
    if not isinstance(column, tf.SparseTensor):
        return tf.cast(column, tf.float32)
    column = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), [column.dense_shape[0], 1])
    return tf.sparse.to_dense(column, missing)


DERIVED = ["minute"]


def derive(columns, scheduled):
    """Numbers that no column says as it stands; `scheduled` is HHMM."""
    return {"minute": scheduled // 100 * 60 + scheduled % 100}


def preprocessing_fn(inputs):
    """Raw flights to features, each of shape (batch, 1): scaled numbers, and places in vocabularies."""
    numbers = {name: filled(inputs[name], gap) for name, gap in GAPS.items()}
    numbers |= derive(numbers, filled(inputs["sched_dep_time"], 1200.0))
    together = tf.cast(tf.concat([*numbers.values()], axis=1), tf.float64)
    z_scores = tf.cast(tft.scale_to_z_score(together, elementwise=True), tf.float32)
    outputs = dict(zip(numbers, tf.split(z_scores, len(numbers), axis=1), strict=True))
    for name, most in WORDS.items():
        words = {"top_k": most, "num_oov_buckets": 1, "vocab_filename": name}
        outputs[f"{name}_index"] = tft.compute_and_apply_vocabulary(inputs[name], **words)
    outputs["weekday_index"] = inputs["weekday"] - 1
    return outputs | {LABEL: inputs[LABEL]}
