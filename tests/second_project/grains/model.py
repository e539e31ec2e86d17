"""What Transform and Trainer call: four measures scaled, and a linear model of three varieties."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

MEASURES = ("length_mm", "width_mm", "weight_mg", "groove_mm")
LABEL = "variety"
"""0, 1 or 2."""


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """Measures with mean 0 and variance 1; the label as it is."""
    scaled = tft.scale_to_z_score(_stacked({name: _dense(inputs[name]) for name in MEASURES}), elementwise=True)
    columns = dict(zip(MEASURES, tf.split(scaled, len(MEASURES), axis=1), strict=True))
    return columns | {LABEL: _dense(inputs[LABEL])}


def _dense(column: Any) -> tf.Tensor:
    return tf.sparse.to_dense(column) if isinstance(column, tf.SparseTensor) else column


def run_fn(fn_args: Any) -> None:
    """Trains, and exports a model that takes serialized raw examples and gives the probability of each variety."""
    keras.utils.set_random_seed(7)
    graph = tft.TFTransformOutput(fn_args.transform_graph_path)
    rows = [_read(fn_args.train_files, graph), _read(fn_args.eval_files, graph)]
    model = keras.Sequential([keras.Input((len(MEASURES),)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(*rows[0], validation_data=rows[1], epochs=20, batch_size=32, verbose=0)
    layer = graph.transform_features_layer()
    layer.call = tf.autograph.experimental.do_not_convert(layer.call)
    raw = {name: spec for name, spec in graph.raw_feature_spec().items() if name != LABEL}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def serve(examples: tf.Tensor) -> tf.Tensor:
        transformed = layer(tf.io.parse_example(examples, raw))
        return model(_stacked(transformed))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track(layer)
    archive.add_endpoint("serving_default", serve)
    archive.write_out(fn_args.serving_model_dir, verbose=False)


def _stacked(columns: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(columns[name], (-1, 1)) for name in MEASURES], 1)


def _read(patterns: list[str], graph: tft.TFTransformOutput) -> tuple[tf.Tensor, tf.Tensor]:
    """All examples of some files: measures (n, 4) and labels (n,)."""
    files = [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]
    records = list(tf.data.TFRecordDataset(files, compression_type="GZIP"))
    columns = tf.io.parse_example(records, graph.transformed_feature_spec())
    return _stacked(columns), tf.reshape(columns[LABEL], (-1,))
