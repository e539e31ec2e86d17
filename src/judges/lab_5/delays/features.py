"""The features of delays."""

import tensorflow as tf
import tensorflow_transform as tft

LABEL = "late"
NUMBERS = ["distance", "temp", "wind_speed", "visib"]
WORDS = {"origin": 5, "carrier": 20}
GAPS = {"distance": 900.0, "temp": 57.0, "wind_speed": 10.0, "visib": 10.0}


def filled(column, missing):
    """Decimals of shape (batch, 1), without gaps."""
    if not isinstance(column, tf.SparseTensor):
        return tf.cast(column, tf.float32)
    column = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), [column.dense_shape[0], 1])
    return tf.sparse.to_dense(column, missing)


def preprocessing_fn(inputs):
    """Raw flights to features, each of shape (batch, 1)."""
    gaps = GAPS
    numbers = [filled(inputs[name], gaps[name]) for name in NUMBERS]
    scheduled = filled(inputs["sched_dep_time"], 1200.0)
    numbers.append(scheduled // 100 * 60 + scheduled % 100)
    scaled = tft.scale_to_z_score(tf.concat(numbers, axis=1), elementwise=True)
    outputs = dict(zip([*NUMBERS, "minute"], tf.split(scaled, len(numbers), axis=1), strict=True))
    for name, most in WORDS.items():
        outputs[f"{name}_index"] = tft.compute_and_apply_vocabulary(inputs[name], top_k=most, num_oov_buckets=1)
    return outputs | {LABEL: inputs[LABEL]}
