"""The command of every container of the compiled pipeline: `python -m engines.kubeflow.entrypoint`.

TFX brings a command of its own, which open-source Kubeflow Pipelines 2.16 cannot use as it is: the backend, and `kfp.local`, hand a task its
inputs with the types taken off, give addresses of an object store that TFX cannot open, fill optional inputs that nobody made, add an
output of Kubeflow's own, and never look for the span that an ExampleGen is to read. This command mends the message that the task is given,
and then does with TFX's own functions what TFX's command does.

It does not import TFX's command, which loads the Evaluator, and with it TensorFlow Model Analysis, into each step.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

if __name__ == "__main__":
    # In a step, as Kubeflow's own components say it: without compiler and client, which take half a second, and are not needed.
    os.environ.setdefault("_KFP_RUNTIME", "true")
from kfp.pipeline_spec import pipeline_spec_pb2 as spec

from engines.kubeflow.uris import to_local, to_remote
from warm.loading import quickly

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.types import Artifact


KUBEFLOWS_OWN = "system."
"""How the types begin that are Kubeflow's own, and none of TFX's.

With `PUBLISH_LOGS=true`, as it is installed, the backend's driver adds an output `executor-logs` of type `system.Artifact` to every task.
The launcher has opened a file at its address, and writes there what the task prints. Source: `provisionOutputs` in
`backend/src/v2/driver/driver.go` and `getLogWriter` in `backend/src/v2/component/launcher_v2.go` of Kubeflow Pipelines 2.16.1.
"""


class TaskError(RuntimeError):
    """The task cannot be run as it was given; the message says what is wrong with it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one task; returns the exit status: 0, or 1 after a message whose last line says what went wrong."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options, beam_args = _parser().parse_known_args(arguments)
    try:
        with quickly():
            task = Task(options.executor_class_path, *_messages(options), beam_args)
            task.prepare()
            task.load()
        task.run()
    except Exception as error:
        if not isinstance(error, TaskError):
            traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="engines.kubeflow.entrypoint", description=__doc__.partition("\n")[0])
    parser.add_argument("--executor_class_path", required=True, help="the component's executor: package.module.Class")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="ExecutorInput, in JSON")
    parser.add_argument("--json_serialized_inputs_spec_args", required=True, help="ComponentInputsSpec, in JSON")
    return parser


def _messages(options: argparse.Namespace) -> tuple[spec.ExecutorInput, spec.ComponentInputsSpec]:
    """What the task is given, and what its component declares.

    Raises:
        TaskError: one of them is no such message.
    """
    found = []
    for name, message in (
        ("json_serialized_invocation_args", spec.ExecutorInput()),
        ("json_serialized_inputs_spec_args", spec.ComponentInputsSpec()),
    ):
        try:
            found.append(json_format.Parse(getattr(options, name), message, ignore_unknown_fields=True))
        except json_format.ParseError as error:
            raise TaskError(
                f"--{name} is not the JSON of {message.DESCRIPTOR.name}: {error}. Was the pipeline compiled with spec 2.1?"
            ) from None
    return found[0], found[1]


class Task:
    """One step of the pipeline."""

    def __init__(
        self, executor: str, given: spec.ExecutorInput, declared: spec.ComponentInputsSpec, beam_args: list[str]
    ) -> None:
        """Keeps what the task is given.

        Args:
            executor: import path of the executor's class.
            given: inputs, outputs and parameters; changed by `prepare`.
            declared: types of inputs and parameters, and which are optional.
            beam_args: for Beam.
        """
        self.executor_path, self.given, self.declared, self.beam_args = executor, given, declared, beam_args

    def prepare(self) -> None:
        """Mends the message: types, folders, empty optional inputs, outputs that are not the component's.

        Raises:
            TaskError: an input that is needed is not there.
        """
        for name in list(self.given.inputs.artifacts):
            self._prepare_input(name)
        for name in list(self.given.outputs.artifacts):
            self._prepare_output(name)

    def _prepare_input(self, name: str) -> None:
        if name not in self.declared.artifacts:
            raise TaskError(f"input {name!r} is not declared by the component: compile the pipeline anew.")
        declared = self.declared.artifacts[name]
        artifacts = self.given.inputs.artifacts[name].artifacts
        for artifact in artifacts:
            artifact.uri = to_local(artifact.uri)
            artifact.type.CopyFrom(declared.artifact_type)
        if artifacts and all(_holds_something(artifact.uri) for artifact in artifacts):
            return
        if not declared.is_optional:
            where = ", ".join(artifact.uri or "(no address)" for artifact in artifacts) or "(no artifact)"
            raise TaskError(
                f"input {name!r}: nothing at {where}. The step before wrote nothing there, or the folder is not mounted here."
            )
        del self.given.inputs.artifacts[name]

    def _prepare_output(self, name: str) -> None:
        artifacts = self.given.outputs.artifacts[name].artifacts
        if any(artifact.type.schema_title.startswith(KUBEFLOWS_OWN) for artifact in artifacts):
            del self.given.outputs.artifacts[name]
            return
        for artifact in artifacts:
            artifact.uri = to_local(artifact.uri)

    def load(self) -> None:
        """Imports TFX, as much as the step needs.

        Raises:
            TaskError: the executor's class is not in this image.
        """
        module, _, name = self.executor_path.rpartition(".")
        try:
            self.executor_class = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise TaskError(
                f"Could not import {self.executor_path}: {error}. Does the image hold the package that it lies in?"
            ) from error
        # The rest of TFX comes after what may be missing.
        from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils

        self.tfx = kubeflow_v2_entrypoint_utils

    def run(self) -> None:
        """Resolves the span if there is one, runs the executor, and writes what it made of its outputs.

        Raises:
            Exception: what the executor raises.
        """
        if {"input_base", "input_config"} <= set(self.declared.parameters):
            self._resolve_span()
        names: dict[int, str] = {}
        inputs = self.tfx.parse_raw_artifact_dict(self.given.inputs.artifacts, names)
        outputs = self.tfx.parse_raw_artifact_dict(self.given.outputs.artifacts, names)
        settings = self.tfx.parse_execution_properties(
            self.given.inputs.parameter_values, self.given.inputs.parameters, self.declared
        )
        for artifacts in outputs.values():
            for artifact in artifacts:
                Path(artifact.uri).mkdir(parents=True, exist_ok=True)
        self._make_executor().Do(inputs, outputs, settings)
        self._write(outputs, names)

    def _resolve_span(self) -> None:
        """Runs TFX's driver, which the backend leaves out, and takes over the span and the files that it found."""
        from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver

        driver.main(
            argparse.Namespace(
                json_serialized_invocation_args=json_format.MessageToJson(self.given),
                json_serialized_inputs_spec_args=json_format.MessageToJson(self.declared),
            )
        )
        path, found = Path(self._output_file), spec.ExecutorOutput()
        json_format.Parse(path.read_text(), found, ignore_unknown_fields=True)
        path.unlink()  # it is the task's message, which the task writes when it is done
        for name, value in found.parameter_values.items():
            self.given.inputs.parameter_values[name].CopyFrom(value)
        for name, artifacts in found.artifacts.items():
            self.given.outputs.artifacts[name].artifacts[0].metadata.CopyFrom(artifacts.artifacts[0].metadata)

    def _make_executor(self) -> BaseExecutor:
        from tfx.dsl.components.base import base_beam_executor, base_executor

        folder = Path(self._output_file).parent
        names = {"unique_id": folder.name, "tmp_dir": str(folder / ".temp")}
        if issubclass(self.executor_class, base_beam_executor.BaseBeamExecutor):
            context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=self.beam_args, **names)
        else:
            context = base_executor.BaseExecutor.Context(extra_flags=self.beam_args, **names)
        return self.executor_class(context)

    @property
    def _output_file(self) -> str:
        return self.given.outputs.output_file

    def _write(self, outputs: dict[str, list[Artifact]], names: dict[int, str]) -> None:
        """Writes the task's message to the engine: all of it, or, if the process is killed before, nothing."""
        from tfx.orchestration.portable import outputs_utils

        outputs_utils.tag_output_artifacts_with_version(outputs)
        for artifact in outputs.get("blessing", []):
            self.tfx.refactor_model_blessing(artifact, names)
        result = spec.ExecutorOutput()
        for name, artifacts in self.tfx.translate_executor_output(outputs, names).items():
            for artifact in artifacts.artifacts:
                artifact.uri = to_remote(artifact.uri)
                for value in artifact.metadata.fields.values():
                    if value.HasField("string_value"):  # a blessing names the models that it compared
                        value.string_value = to_remote(value.string_value)
            result.artifacts[name].CopyFrom(artifacts)
        path = Path(self._output_file)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json_format.MessageToJson(result, sort_keys=True))
        unfinished.replace(path)


def _holds_something(folder: str) -> bool:
    """Whether there is a file at an address or below it; an object store has no empty folders."""
    path = Path(folder)
    return bool(folder) and (path.is_file() or any(found.is_file() for found in path.rglob("*")))


def properties(path: str | Path) -> dict[str, Any]:
    """What a finished task said of its outputs: metadata by the name of the output.

    Args:
        path: the task's `executor_output.json`.
    """
    found = json.loads(Path(path).read_text())
    return {name: value["artifacts"][0].get("metadata", {}) for name, value in found.get("artifacts", {}).items()}


if __name__ == "__main__":
    sys.exit(main())
