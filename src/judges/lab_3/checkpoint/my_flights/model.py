"""The model of my_flights, as the solution of lab 3 leaves it."""

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.public import tfxio

from my_flights import features


def prepared(penalty):
    """The inputs by name, and one tensor of all numbers and embeddings."""
    inputs = {name: keras.Input((1,), name=name) for name in [*features.GAPS, *features.DERIVED]}
    parts = [keras.ops.clip(keras.layers.Concatenate()([*inputs.values()]), -4, 4)]
    for name, most in (features.WORDS | {"weekday": 6}).items():
        place = inputs[f"{name}_index"] = keras.Input((1,), name=f"{name}_index", dtype="int64")
        embedding = keras.layers.Embedding(most + 1, 2, embeddings_regularizer=penalty)
        parts.append(keras.layers.Flatten()(embedding(place)))
    return inputs, keras.layers.Concatenate()(parts)


def build(settings):
    """A small network on all features, compiled."""
    inputs, hidden = prepared(penalty := keras.regularizers.L2(settings["l2"]))
    for width in settings["hidden_units"]:
        hidden = keras.layers.Dense(width, "relu", kernel_regularizer=penalty)(hidden)
        hidden = keras.layers.Dropout(settings["dropout"])(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid", kernel_regularizer=penalty)(hidden))
    model.compile(keras.optimizers.Adam(settings["learning_rate"]), "binary_crossentropy", steps_per_execution=16)
    return model


def export(model, graph, folder):
    """A SavedModel from serialised raw flights to probabilities, with the Transform graph inside."""
    layer, spec = graph.transform_features_layer(), graph.raw_feature_spec()
    used = [*features.GAPS, *features.WORDS, "sched_dep_time", "weekday"]
    spec = {name: spec[name] for name in used}

    @tf.autograph.experimental.do_not_convert
    def serve(examples):
        ready = layer(tf.io.parse_example(examples, spec))
        return {"late_probability": model({name: ready[name] for name in model.input})}

    archive = keras.export.ExportArchive()
    for part in tf.train.TrackableView(layer).descendants():
        if isinstance(part, tf.saved_model.experimental.TrackableResource):
            archive.track(part)  # a vocabulary; the whole layer would be traced once more
    text = [tf.TensorSpec([None], tf.string, name="examples")]
    archive.add_endpoint("serving_default", serve, input_signature=text)
    archive.write_out(folder, verbose=False)


def batches(fn_args, graph, size):
    """Batches of (features, label), kept in memory after the first epoch."""
    options = tfxio.TensorFlowDatasetOptions(size, num_epochs=1, shuffle_seed=1, label_key=features.LABEL)
    schema = graph.transformed_metadata.schema
    return fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema).cache()


def run_fn(fn_args):
    """Trains and exports."""
    settings = fn_args.custom_config
    keras.utils.set_random_seed(settings["seed"])
    graph = tft.TFTransformOutput(fn_args.transform_output)
    model = build(settings)
    model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the first step twice
    model.fit(batches(fn_args, graph, settings["batch_size"]), epochs=settings["train_epochs"], verbose=0)
    export(model, graph, fn_args.serving_model_dir)
