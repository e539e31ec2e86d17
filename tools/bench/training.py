"""How fast the Trainer trains on the full year, beside a loop written by hand over the same records; and what it reaches, beside references.

Each case runs in a process of its own: `python -m tools.bench.training CASE FOLDER`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools.bench import process
from tools.bench.pipeline import FULL_YEAR

EPOCHS = FULL_YEAR["train_epochs"]
SHUFFLED = 20_000
"""Flights in the shuffle buffer of the hand-written loops; `flights.model.input_fn` shuffles all of them."""


def training() -> list[process.Row]:
    """Prepares the full year once, with the pipeline, and measures each case on it."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        process.run([sys.executable, "-m", "tools.bench.training", "prepare", folder])
        for case, what, target in (
            ("ours", "training on the full year: `input_fn` and `fit`", "as fast as the loops below"),
            ("raw", "the same from raw examples, through the Transform graph", ""),
            ("loop", "hand-written `tf.data` loop: records shuffled, parsed in each epoch", ""),
            ("rows", "the same, parsed once: `cache()` of flights, shuffled anew", ""),
            (
                "batches",
                "the same, parsed once: `cache()` of whole batches, the same flights together in each epoch",
                "",
            ),
        ):
            found, peak = _case(case, folder)
            remark = f"{found['rate']:,.0f} examples a second, {EPOCHS} epochs; AUC {found['auc']:.3f}"
            rows.append(process.Row(what, found["seconds"], found["cpu_seconds"], peak, target, remark))
        for name, found in _case("references", folder)[0].items():
            rows.append(process.Row(f"{name}, the same split", found["seconds"], 0, 0, "", f"AUC {found['auc']:.3f}"))
    return rows


def _case(case: str, folder: str) -> tuple[dict[str, Any], float]:
    """What a case printed, and the peak memory of its process in GB."""
    said, _, _, peak = process.run([sys.executable, "-m", "tools.bench.training", case, folder])
    return json.loads(said.strip().splitlines()[-1]), peak


def _config(folder: str):
    from flights.config import Config

    settings = FULL_YEAR | {"materialize": True}
    return Config(months=(1, 12), data_root=str(process.FULL_DATA), output_root=folder, **settings)


def prepare(folder: str) -> dict[str, Any]:
    """Runs the pipeline up to Transform, which writes transformed examples."""
    from tfx import v1 as tfx

    from flights import pipeline

    config = _config(folder)
    components = pipeline.create_components(config)
    wanted = list(components)[: list(components).index("Transform") + 1]
    dag = pipeline.create_pipeline(config)
    dag.components = [components[name] for name in wanted]
    tfx.orchestration.LocalDagRunner().run(dag)
    return {}


def _files(folder: str, node: str, split: str) -> list[str]:
    return [str(path) for path in Path(folder, "artifacts", node).glob(f"*xamples/*/Split-{split}/*.gz")]


def _set_up(folder: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Configuration, output of Transform, a network with random weights, and its settings."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from flights import model, pipeline

    config = _config(folder)
    (graph,) = Path(folder, "artifacts/Transform/transform_graph").glob("*")
    transform = tft.TFTransformOutput(str(graph))
    settings = {name: getattr(config, name) for name in pipeline.TRAINING}
    tf.config.experimental.enable_op_determinism()
    return config, transform, model.start(transform, settings), settings


def _result(network: Any, folder: str, transform: Any, seconds: float, cpu: float, examples: int) -> dict[str, Any]:
    """Speed of a training, and the AUC on December."""
    from sklearn.metrics import roc_auc_score

    from flights import model
    from flights.data import LABEL

    december = model.load(_files(folder, "Transform", "month-12"), _accessor(transform), transform)
    labels = december[LABEL].numpy()[:, 0]
    predicted = network.predict(model.batches_of(december, 8192, None), verbose=0)[:, 0]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "rate": examples * EPOCHS / seconds,
        "auc": float(roc_auc_score(labels, predicted)),
    }


def _accessor(transform: Any) -> Any:
    """TFX's way to read examples, as it hands it to the Trainer."""
    from tfx.components.trainer.fn_args_utils import DataAccessor
    from tfx.components.util import tfxio_utils
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    factory = tfxio_utils.get_tf_dataset_factory_from_artifact([examples], ["bench"])
    return DataAccessor(factory, None, None)


def fit(folder: str, raw: bool = False) -> dict[str, Any]:
    """What the Trainer does: `flights.model.input_fn` and `fit`, without evaluation and export."""
    from flights import model

    config, transform, network, settings = _set_up(folder)
    node = "CsvExampleGen" if raw else "Transform"
    files = [file for split in config.train_splits for file in _files(folder, node, split)]
    accessor = _accessor(transform)
    started, cpu = time.monotonic(), time.process_time()
    columns = model.load(files, accessor, transform, not raw)
    batches = model.batches_of(columns, settings["batch_size"], settings["seed"])
    network.fit(batches, epochs=settings["train_epochs"], verbose=0)
    took = time.monotonic() - started, time.process_time() - cpu
    return _result(network, folder, transform, *took, len(next(iter(columns.values()))))


def loop(folder: str, cached: str = "") -> dict[str, Any]:
    """A training step under `tf.function` and a loop over `TFRecordDataset`, as one writes it without TFX.

    Args:
        folder: of the pipeline.
        cached: what is parsed once, kept in memory and then shuffled: `rows` or `batches`; else records are shuffled and parsed each time.
    """
    import keras
    import tensorflow as tf

    from flights.data import LABEL

    config, transform, network, settings = _set_up(folder)
    files = [file for split in config.train_splits for file in _files(folder, "Transform", split)]
    spec, batch = transform.transformed_feature_spec(), settings["batch_size"]
    optimizer, loss = keras.optimizers.Adam(settings["learning_rate"]), keras.losses.BinaryCrossentropy()
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(inputs: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(labels, network(inputs, training=True)) + tf.add_n(network.losses)
        gradients = tape.gradient(value, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return value

    started, cpu = time.monotonic(), time.process_time()

    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.io.parse_example(serialized, spec)

    records, seed = tf.data.TFRecordDataset(files, compression_type="GZIP"), settings["seed"]
    if cached == "rows":
        flights = records.batch(8192).map(parse, num_parallel_calls=tf.data.AUTOTUNE).unbatch().cache()
        batches = flights.shuffle(SHUFFLED, seed=seed).batch(batch)
    elif cached == "batches":
        batches = records.batch(batch).map(parse, num_parallel_calls=tf.data.AUTOTUNE).cache().shuffle(1000, seed=seed)
    else:
        batches = records.shuffle(SHUFFLED, seed=seed).batch(batch).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    batches, examples = batches.prefetch(tf.data.AUTOTUNE), 0
    for _ in range(settings["train_epochs"]):
        total = 0.0
        for inputs in batches:
            labels = inputs.pop(LABEL)
            total += step(inputs, labels)
            examples += labels.shape[0]
    took = time.monotonic() - started, time.process_time() - cpu
    return _result(network, folder, transform, *took, examples // EPOCHS)


def references(folder: str) -> dict[str, dict[str, float]]:
    """AUC and seconds of each of `flights.references.REFERENCES`."""
    import pandas as pd

    from flights import data, references

    first, last = _config(folder).months
    months = [data.read_month(process.FULL_DATA, month) for month in range(first, last + 1)]
    found = references.scores(pd.concat(months[:-1], ignore_index=True), months[-1])
    return found.to_dict(orient="index")


CASES = {
    "prepare": prepare,
    "ours": fit,
    "raw": lambda folder: fit(folder, raw=True),
    "loop": loop,
    "rows": lambda folder: loop(folder, "rows"),
    "batches": lambda folder: loop(folder, "batches"),
    "references": references,
}

if __name__ == "__main__":
    from engines.quiet import import_quietly

    import_quietly()
    print(json.dumps(CASES[sys.argv[1]](sys.argv[2])))
