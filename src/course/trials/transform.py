"""Prepares flights with a Transform graph: a step of a trial.

    main([GRAPH])

GRAPH is a folder as Transform writes `transform_graph`. For each file `raw/NAME.npz` of raw columns, each of shape (flights,), the graph is called once, for all
of its flights together; where a number is NaN or a word empty, the flight lacks it, and a column that the file does not have is not given. What is returned
goes to `prepared/NAME.npz`: tensors as they are, of a sparse one an empty array.
"""

from __future__ import annotations

from pathlib import Path


def main(arguments: list[str]) -> None:
    """Prepares them."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    graph = tft.TFTransformOutput(arguments[0])
    layer, spec = graph.transform_features_layer(), graph.raw_feature_spec()

    def tensor(name, values):
        there = values != "" if values.dtype.kind == "U" else ~np.isnan(values)
        values = values[there] if isinstance(spec[name], tf.io.VarLenFeature) else values
        values = (
            tf.constant(values.tolist(), tf.string) if values.dtype.kind == "U" else tf.cast(values, spec[name].dtype)
        )
        if not isinstance(spec[name], tf.io.VarLenFeature):
            return values[:, tf.newaxis]
        rows = np.flatnonzero(there)
        return tf.SparseTensor(np.stack([rows, rows * 0], axis=1), values, [len(there), 1])

    for path in sorted(Path("raw").glob("*.npz")):
        raw = np.load(path)
        prepared = layer({name: tensor(name, raw[name]) for name in raw.files if name in spec})
        found = {
            name: np.empty(0) if isinstance(one, tf.SparseTensor) else one.numpy() for name, one in prepared.items()
        }
        texts = {name: one.astype("S") for name, one in found.items() if one.dtype == object}
        Path("prepared").mkdir(exist_ok=True)
        np.savez(Path("prepared") / path.name, **(found | texts))
