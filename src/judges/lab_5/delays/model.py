"""The model of delays."""

import keras
import tensorflow as tf
import tensorflow_transform as tft
from delays import features
from tfx_bsl.public import tfxio

NETWORK = {"hidden_units": [16], "l2": 0.003, "learning_rate": 0.003}
INPUTS = [*features.NUMBERS, "minute", "origin_index", "carrier_index"]


def build(names, network):
    """A small network, compiled."""
    inputs = {name: keras.Input((1,), name=name) for name in names}
    hidden = []
    for name, column in inputs.items():
        if name.endswith("_index"):
            most = features.WORDS[name.removesuffix("_index")]
            column = keras.layers.Flatten()(keras.layers.Embedding(most + 1, 2)(column))
        hidden.append(column)
    hidden = keras.layers.Concatenate()(hidden)
    for width in network["hidden_units"]:
        hidden = keras.layers.Dense(width, "relu", kernel_regularizer=keras.regularizers.L2(network["l2"]))(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(hidden))
    model.compile(keras.optimizers.Adam(network["learning_rate"]), "binary_crossentropy", steps_per_execution=16)
    model.optimizer.build(model.trainable_variables)  # or TensorFlow traces the first step twice
    return model


def export(model, graph, folder):
    """A SavedModel from serialised raw flights to probabilities."""
    layer, spec = graph.transform_features_layer(), graph.raw_feature_spec()
    spec = {name: spec[name] for name in [*features.NUMBERS, *features.WORDS, "sched_dep_time"]}

    @tf.autograph.experimental.do_not_convert
    def serve(examples):
        ready = layer(tf.io.parse_example(examples, spec))
        return {"late_probability": model({name: ready[name] for name in model.input})}

    archive = keras.export.ExportArchive()
    for part in tf.train.TrackableView(layer).descendants():
        if isinstance(part, tf.saved_model.experimental.TrackableResource):
            archive.track(part)  # a vocabulary; the whole layer would be traced once more
    archive.add_endpoint("serving_default", serve, input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    archive.write_out(folder, verbose=False)


def run_fn(fn_args):
    """Trains and exports."""
    settings = fn_args.custom_config
    keras.utils.set_random_seed(settings["seed"])
    graph = tft.TFTransformOutput(fn_args.transform_output)
    options = tfxio.TensorFlowDatasetOptions(64, num_epochs=1, shuffle_seed=1, label_key=features.LABEL)
    schema = graph.transformed_metadata.schema
    flights = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema).cache()
    names = INPUTS
    epochs = settings["epochs"]
    model = build(names, NETWORK)
    model.fit(flights, epochs=epochs, verbose=0)
    export(model, graph, fn_args.serving_model_dir)
