"""The model: a small network on the transformed features, and `run_fn`, which TFX's Trainer calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.public import tfxio

from . import edge, features, warm_start
from .columns import LABEL, PROBABILITY

if TYPE_CHECKING:  # on Kubeflow each training imports this module anew, and does without the rest of TFX
    from tfx import v1 as tfx

EMBEDDING = 2

STEPS_AT_ONCE = 128
"""Training steps that TensorFlow takes without coming back to Python between them: the same steps, in less time."""


TUNABLE = ("learning_rate", "hidden_units", "dropout", "l2", "batch_size", "train_epochs")
"""Settings that a Tuner may choose."""

NUMERIC_INPUTS = [features.scaled(name) for name in features.SCALED]
"""The scaled inputs, in the order in which the network takes them."""


def build_model(
    vocabulary_sizes: dict[str, int],
    settings: dict[str, Any],
    units: warm_start.Units | None = None,
    follow_auc: bool = True,
) -> keras.Model:
    """A feed-forward network, compiled.

    Args:
        vocabulary_sizes: for each categorical column, the number of words that training kept.
        settings: `hidden_units`, `dropout`, `l2` and `learning_rate`, as in `config.Config`.
        units: how the scaled inputs become those of an earlier month, whose weights the model goes on with.
        follow_auc: whether each epoch tells its AUC, which takes a quarter of a training step.

    Returns:
        A model from a dict of (batch, 1) tensors to a probability of shape (batch, 1).
    """
    penalty = keras.regularizers.L2(settings["l2"])
    numeric = {name: keras.Input((1,), name=name, dtype="float32") for name in NUMERIC_INPUTS}
    sizes = {name: size + features.UNKNOWN for name, size in vocabulary_sizes.items()} | {features.WEEKDAY: 7}
    places = {features.index(name): keras.Input((1,), name=features.index(name), dtype="int64") for name in sizes}
    embedded = []
    for name, size in sizes.items():
        embedding = keras.layers.Embedding(size, EMBEDDING, embeddings_regularizer=penalty, name=f"{name}_embedding")
        embedded.append(keras.layers.Flatten()(embedding(places[features.index(name)])))
    measured = keras.layers.Concatenate()(list(numeric.values()))
    if units:
        measured = keras.layers.Rescaling(units.scale, units.offset, name="units")(measured)
    # No measurement is further than this from the mean, but for faults and rarities such as a cloudburst.
    clipped = keras.ops.clip(measured, -4, 4)
    hidden = keras.layers.Concatenate()([clipped, *embedded])
    for number, width in enumerate(settings["hidden_units"]):
        # Named, because a warm start finds layers by name, and Keras's own names count all layers of the process.
        dense = keras.layers.Dense(width, activation="relu", kernel_regularizer=penalty, name=f"hidden_{number}")
        hidden = keras.layers.Dropout(settings["dropout"])(dense(hidden))
    output = keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty, name=PROBABILITY)(hidden)
    model = keras.Model(numeric | places, output)
    model.compile(
        optimizer=keras.optimizers.Adam(settings["learning_rate"]),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")] if follow_auc else None,
        steps_per_execution=STEPS_AT_ONCE,
    )
    # Otherwise the first training step makes the optimiser's variables, and TensorFlow traces it twice: without them, and with them.
    model.optimizer.build(model.trainable_variables)
    return model


Columns = dict[str, tf.Tensor]
"""Features and label of all examples, each of shape (examples, 1)."""


def load(
    files: list[str],
    accessor: tfx.components.DataAccessor,
    transform: tft.TFTransformOutput,
    transformed: bool = True,
    keep: Sequence[str] = (),
) -> Columns:
    """All examples, decoded once, in large batches, into memory (the full year is 40 MB).

    Args:
        files: patterns of TFRecord files.
        accessor: TFX's way to read them, of which raw ones make use.
        transform: the output of Transform, which knows their schema.
        transformed: whether the files hold transformed examples; raw ones are taken through the Transform graph here.
        keep: raw columns to have beside the transformed ones.
    """
    if transformed:
        dataset = _transformed(files, transform)
    else:
        options = tfxio.TensorFlowDatasetOptions(batch_size=8192, num_epochs=1, shuffle=False)
        layer = transform.transform_features_layer()
        raw_batches = accessor.tf_dataset_factory(files, options, transform.raw_metadata.schema)
        dataset = raw_batches.map(lambda raw: layer(raw) | {name: raw[name] for name in keep})
    batches = list(dataset)
    return {name: tf.concat([batch[name] for batch in batches], axis=0) for name in batches[0]}


def _transformed(files: list[str], transform: tft.TFTransformOutput) -> tf.data.Dataset:
    """Batches of transformed examples, in the order of the files.

    Transform writes dense tf.Examples in compressed TFRecords, which TensorFlow's own parser decodes several times as fast as TFX's
    dataset factory: that goes by way of Arrow, and can read what Transform did not write.
    """
    spec = transform.transformed_feature_spec()
    paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP").batch(8192)

    @tf.autograph.experimental.do_not_convert
    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.io.parse_example(serialized, spec)

    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def batches_of(columns: Columns, batch_size: int, shuffle_seed: int | None) -> tf.data.Dataset:
    """Batches of (features, label); an epoch draws an order of the rows, gathers all of them in it at once, and cuts batches from that.

    Args:
        columns: features and label.
        batch_size: examples a batch.
        shuffle_seed: of the order, anew in each epoch; None keeps the order.
    """
    # One table for each type of number: an epoch gathers twice, and not for each column, which TensorFlow prepares anew in each epoch.
    alike: dict[tf.DType, list[str]] = {}
    for name, column in columns.items():
        alike.setdefault(column.dtype, []).append(name)
    tables = [(names, tf.concat([columns[name] for name in names], axis=1)) for names in alike.values()]

    @tf.autograph.experimental.do_not_convert  # plain TensorFlow: looking for Python to convert takes a second
    def take(row: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        found: dict[str, tf.Tensor] = {}
        for names, table in tables:
            found |= zip(names, tf.split(tf.gather(table, row), len(names), axis=1), strict=True)
        label = found.pop(LABEL)
        return found, label

    count = len(columns[LABEL])
    rows = tf.data.Dataset.range(count)
    if shuffle_seed is not None:
        rows = rows.shuffle(count, seed=shuffle_seed)
    # `take` for each batch would cost as much as a training step. How many batches that makes TensorFlow cannot tell by itself.
    known = tf.data.experimental.assert_cardinality(-(-count // batch_size))
    return rows.batch(count).map(take).rebatch(batch_size).apply(known).prefetch(tf.data.AUTOTUNE)


def input_fn(
    files: list[str],
    accessor: tfx.components.DataAccessor,
    transform: tft.TFTransformOutput,
    batch_size: int,
    shuffle_seed: int | None,
    transformed: bool = True,
) -> tf.data.Dataset:
    """Batches of (features, label) from files: `load`, then `batches_of`."""
    return batches_of(load(files, accessor, transform, transformed), batch_size, shuffle_seed)


def export(model: keras.Model, transform: tft.TFTransformOutput, directory: str) -> None:
    """Writes a SavedModel that takes raw flights: the Transform graph goes in with the network.

    Its endpoint `serving_default` takes serialised tf.Examples of raw columns, shape (batch,), and returns the
    probability, shape (batch, 1). Its endpoint `edge` takes numbers, for places without TensorFlow. `ExportArchive` is
    what works in Keras 3 for serving and for TFX's components alike.
    """
    transform_layer = transform.transform_features_layer()
    # Plain TensorFlow, as the endpoint itself: looking for Python to convert takes three seconds.
    transform_layer.call = tf.autograph.experimental.do_not_convert(transform_layer.call)
    # A request needs only what the model uses: not the label, which is not known yet, nor the number of the flight.
    spec = {name: kind for name, kind in transform.raw_feature_spec().items() if name in features.RAW}

    @tf.autograph.experimental.do_not_convert
    def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {PROBABILITY: model(transform_layer(tf.io.parse_example(examples, spec)))}

    archive = keras.export.ExportArchive()
    for table in _tables(transform_layer):  # the variables of endpoints are found without being tracked
        archive.track(table)
    text = tf.TensorSpec([None], tf.string, name="examples")
    archive.add_endpoint("serving_default", serve_examples, input_signature=[text])
    on_numbers = edge.endpoint(model, warm_start.moments_of(transform), PROBABILITY)
    archive.add_endpoint(edge.SIGNATURE, on_numbers, input_signature=[edge.specification()])
    archive.write_out(directory, verbose=False)


def _tables(layer: Any) -> list[Any]:
    """The vocabularies of a layer: all that endpoints need to be tracked. The layer itself would be traced once more."""
    parts = tf.train.TrackableView(layer).descendants()
    return [part for part in parts if isinstance(part, tf.saved_model.experimental.TrackableResource)]


def start(transform: tft.TFTransformOutput, settings: dict[str, Any], base_model: str | None = None) -> keras.Model:
    """A model that is ready to be trained: with random weights, or with those of an earlier model.

    Args:
        transform: the output of Transform, with this month's vocabularies and moments.
        settings: as for `build_model`.
        base_model: folder of the SavedModel to go on from, as TFX names it.

    Raises:
        warm_start.BaseModelError: the earlier model has other layers, or does not say how it was made.
    """
    keras.utils.set_random_seed(settings["seed"])
    sizes = {name: transform.vocabulary_size_by_name(name) for name in features.CATEGORICAL}
    if not base_model:
        return build_model(sizes, settings)
    base = warm_start.recall(base_model)
    warm_start.require_same_layers(base, settings)
    now = warm_start.Past.of(transform, settings)
    model = build_model(sizes, settings, warm_start.Units.between(now.moments, base.moments))
    warm_start.carry_over(base, now, model)
    return model


def with_best(settings: dict[str, Any], hyperparameters: dict[str, Any] | None) -> dict[str, Any]:
    """Settings with what the Tuner found in place of what was set.

    Args:
        settings: as in `config.Config`.
        hyperparameters: KerasTuner's configuration of the best trial, as the Tuner's artifact holds it; None without a Tuner.
    """
    return settings | (as_settings(hyperparameters["values"]) if hyperparameters else {})


def as_settings(values: dict[str, Any]) -> dict[str, Any]:
    """KerasTuner's values as settings: it knows no lists, and layers are written "64-32" there, no layer ""."""
    found = dict(values)
    if "hidden_units" in found:
        found["hidden_units"] = [int(units) for units in str(found["hidden_units"]).split("-") if units]
    return found


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains and exports a model; TFX's Trainer calls it.

    Args:
        fn_args: files and folders of this execution; `custom_config` holds `materialize`, `train_epochs`, `batch_size`, `seed`,
            and the settings of `build_model`; `hyperparameters` from the Tuner go before them; `base_model` is where to start.
    """
    settings = with_best(fn_args.custom_config, fn_args.hyperparameters)
    tf.config.experimental.enable_op_determinism()
    transform = tft.TFTransformOutput(fn_args.transform_output)
    model = start(transform, settings, fn_args.base_model)
    batch, ready = settings["batch_size"], settings["materialize"]
    train = input_fn(fn_args.train_files, fn_args.data_accessor, transform, batch, settings["seed"], ready)
    evaluate = input_fn(fn_args.eval_files, fn_args.data_accessor, transform, 1024, None, ready)

    logs = keras.callbacks.TensorBoard(fn_args.model_run_dir, write_graph=False)
    history = model.fit(
        train, validation_data=evaluate, epochs=settings["train_epochs"], callbacks=[logs], verbose=0
    ).history
    export(model, transform, fn_args.serving_model_dir)
    warm_start.remember(fn_args.serving_model_dir, model, transform, settings, history, fn_args.base_model)
