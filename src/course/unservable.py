"""Candidates that train and evaluate well and cannot be served: each made from a model that can, with one fault as it happens in practice.

unservable.CANDIDATES["calls Python"](good, workspace / "calls-python")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flights.columns import LABEL

SIGNATURE = "serving_default"


def without_variables(good: Path, target: Path) -> Path:
    """A copy that broke off: the graph is there, the weights are not."""
    return Path(shutil.copytree(good, target, ignore=shutil.ignore_patterns("variables.data*")))


def other_signature(good: Path, target: Path) -> Path:
    """The signature has a name that no server asks for."""
    return exported(good, target, lambda _, answer: answer, "predict")


def no_number(good: Path, target: Path) -> Path:
    """The answer is NaN, as after a training that diverged."""
    return exported(good, target, lambda _, answer: answer * float("nan"))


def calls_python(good: Path, target: Path) -> Path:
    """A function of Python in the graph: it is there in the process that has saved the model, and in no other."""
    import tensorflow as tf

    def rounded(_: Any, answer: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(lambda values: values.round(3), [answer], tf.float32), answer.shape)

    return exported(good, target, rounded)


def reads_a_file_outside(good: Path, target: Path) -> Path:
    """It reads a file by a path relative to the folder that it was trained in: beside the model, not within it."""
    import tensorflow as tf

    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.parent / "offset.txt"
    file.write_text("0.0")
    path = os.path.relpath(file)
    return exported(
        good, target, lambda _, answer: answer + tf.strings.to_number(tf.strings.strip(tf.io.read_file(path)))
    )


def unknown_operation(good: Path, target: Path) -> Path:
    """An operation of a library that the server has not loaded, here TensorFlow Decision Forests'."""
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(good, target)
    file = target / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    library = model.meta_graphs[0].graph_def.library
    next(
        node for function in library.function for node in function.node_def if node.op == "Sigmoid"
    ).op = "SimpleMLInferenceOpWithHandle"
    file.write_bytes(model.SerializeToString())
    return target


def knows_the_label(label: str) -> Callable[[Path, Path], Path]:
    """The label is one of its inputs: the evaluation is splendid, and a client has no label to send."""

    def make(good: Path, target: Path) -> Path:
        import tensorflow as tf

        def leaked(examples: Any, answer: Any) -> Any:
            spec = {label: tf.io.FixedLenFeature([1], tf.int64, default_value=[0])}
            return 0.5 * answer + 0.5 * tf.cast(tf.io.parse_example(examples, spec)[label], tf.float32)

        return exported(good, target, leaked)

    return make


CANDIDATES: dict[str, Callable[[Path, Path], Path]] = {
    "without variables": without_variables,
    "another signature": other_signature,
    "no number": no_number,
    "calls Python": calls_python,
    "reads a file outside": reads_a_file_outside,
    "unknown operation": unknown_operation,
    "knows the label": knows_the_label(LABEL),
}
"""What makes each, by its fault: takes the folder of a SavedModel and the one to write, which it gives back."""


def release(candidate: Path, examples: Path, project: str) -> Callable[[Any, Any], Any]:
    """A pipeline of InfraCheck and Pusher around a model and examples that are there already, for `engines.local.run`.

    Args:
        candidate: folder of an artifact `Model`, with the SavedModel in `Format-Serving`.
        examples: folder of an artifact `Examples` with the split `eval`.
        project: `MODULE:OBJECT`, what the project gives (`serving.models.Project`).
    """
    from tfx import v1 as tfx
    from tfx.types import standard_artifacts

    from serving.infra_check import InfraCheck

    def create(config: Any, beam_args: Any) -> Any:
        model = tfx.dsl.Importer(str(candidate), standard_artifacts.Model).with_id("Candidate")
        splits = {"split_names": '["train", "eval"]'}
        given = tfx.dsl.Importer(str(examples), standard_artifacts.Examples, properties=splits).with_id("Given")
        check = InfraCheck(
            model=model.outputs["result"], examples=given.outputs["result"], project=project, split="eval"
        )
        folder = tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
        pusher = tfx.components.Pusher(
            model=model.outputs["result"],
            infra_blessing=check.outputs["blessing"],
            push_destination=tfx.proto.PushDestination(filesystem=folder),
        )
        store = tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path)
        return tfx.dsl.Pipeline("release", config.pipeline_root, store, [model, given, check, pusher])

    return create


def exported(good: Path, target: Path, change: Callable[[Any, Any], Any], signature: str = SIGNATURE) -> Path:
    """A SavedModel that answers what another does, changed.

    Args:
        good: folder of the other.
        target: folder to write.
        change: takes the serialised examples, (batch,), and the answer, (batch, 1), and gives the new answer.
        signature: its name.
    """
    import tensorflow as tf

    module = tf.Module()
    module.good = tf.saved_model.load(str(good))
    ask = module.good.signatures[SIGNATURE]
    (name,), (output,) = ask.structured_input_signature[1], ask.structured_outputs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=name)])
    def serve(examples: Any) -> dict[str, Any]:
        return {output: change(examples, ask(**{name: examples})[output])}

    tf.saved_model.save(module, str(target), signatures={signature: serve})
    return target
