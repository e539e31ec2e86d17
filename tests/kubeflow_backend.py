"""A stand-in for what Kubeflow Pipelines does around each step: its driver makes the message, its launcher carries files and logs.

What it does is known from the source of Kubeflow Pipelines, tag 2.16.1: `backend/src/v2/driver/driver.go` (`provisionOutputs`: the
outputs, `executor-logs` among them, and where the task's own message goes), `backend/src/v2/metadata/converter.go` (an input's name is its
number in the metadata store, booleans are numbers), and `backend/src/v2/component/launcher_v2.go` (`qualifyExecutorLogsURI`,
`downloadArtifacts`, `prepareOutputFolders`, `getLogWriter`, `uploadOutputArtifacts`, `mergeRuntimeArtifacts`). That an input arrives as a
`system.Artifact`: from messages of a real backend. It has no cache, no MLMD and no pods: a step runs in the process of the test.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from engines.kubeflow import uris

LOGS = "executor-logs"
SCHEME = "minio://"


class Backend:
    """One run of a compiled pipeline, step by step.

    Attributes:
        recorded: what the metadata store would know of the outputs of each step: name of the step, name of the output, artifact.
        messages: the last message that each step was given.
    """

    def __init__(self, spec: dict[str, Any], root: Path, parameters: dict[str, Any], publish_logs: bool = True) -> None:
        """Args: spec: first document of the compiled pipeline; root: for store and pods; parameters: of the run."""
        self.spec, self.root, self.publish_logs = spec, root, publish_logs
        declared = spec["root"]["inputDefinitions"]["parameters"]
        self.parameters = {name: value["defaultValue"] for name, value in declared.items()} | parameters
        self.pipeline_root = f"{SCHEME}mlpipeline/v2/artifacts/{spec['pipelineInfo']['name']}/run-1"
        self.recorded: dict[str, dict[str, dict[str, Any]]] = {}
        self.messages: dict[str, dict[str, Any]] = {}

    @property
    def tasks(self) -> list[str]:
        """The steps, each after those that it waits for."""
        tasks, done = self.spec["root"]["dag"]["tasks"], []
        while rest := [name for name in tasks if name not in done]:
            done += [name for name in rest if set(tasks[name].get("dependentTasks", [])) <= set(done)]
        return done

    def message(self, task: str, mount: str) -> dict[str, Any]:
        """What the driver tells a step: an ExecutorInput, as JSON has it.

        Args:
            task: its name.
            mount: the folder that stands for `/minio/` in the pod.
        """
        given = self.spec["root"]["dag"]["tasks"][task].get("inputs", {})
        values = {}
        for name, source in given.get("parameters", {}).items():
            constant = source.get("runtimeValue", {}).get("constant")
            values[name] = self.parameters[source["componentInputParameter"]] if constant is None else constant
        artifacts = {}
        for name, source in given.get("artifacts", {}).items():
            made = source["taskOutputArtifact"]
            found = self.recorded[made["producerTask"]][made["outputArtifactKey"]]
            artifacts[name] = {"artifacts": [found | {"type": {"schemaTitle": "system.Artifact"}}]}
        folder = f"{self.pipeline_root}/{task}/salt"
        outputs = {name: value["artifactType"] for name, value in self.declared_outputs(task).items()}
        if self.publish_logs:
            outputs[LOGS] = {"schemaTitle": "system.Artifact"}
        return {
            "inputs": {"parameterValues": values, "artifacts": artifacts},
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"name": name, "uri": f"{folder}/{name}", "type": kind}]}
                    for name, kind in outputs.items()
                },
                "outputFile": f"{mount}{folder.removeprefix(SCHEME)}/output_metadata.json",
            },
        }

    def run(self, task: str, main: Callable[[list[str]], int], executor: str | None = None, attempt: int = 0) -> int:
        """Runs a step as its pod does, in an empty file system, and returns its exit status.

        Args:
            task: its name.
            main: the command, without `python -m MODULE`.
            executor: another class than the compiled one.
            attempt: which it is, from 0.
        """
        pod = self.root / "pods" / f"{task}-{attempt}"
        mount = f"{pod}/minio/"
        message = self.messages[task] = self.message(task, mount)
        for given in message["inputs"]["artifacts"].values():
            for artifact in given["artifacts"]:
                _copy(self.stored(artifact["uri"]), _local(artifact["uri"], mount))
        for name, given in message["outputs"]["artifacts"].items():
            for artifact in given["artifacts"]:
                artifact["uri"] += f"-{attempt}" if name == LOGS else ""
                _local(artifact["uri"], mount).parent.mkdir(parents=True, exist_ok=True)
        log = pod / "not-published"
        if self.publish_logs:
            log = _local(message["outputs"]["artifacts"][LOGS]["artifacts"][0]["uri"], mount)
        log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [part.replace("{{$}}", json.dumps(message)) for part in self._container(task)["args"]]
        if executor:
            arguments[arguments.index("--executor_class_path") + 1] = executor
        with (
            log.open("w") as words,
            contextlib.redirect_stdout(words),
            contextlib.redirect_stderr(words),
            mock.patch.dict(uris.MOUNTS, {SCHEME: mount}, clear=True),
        ):
            status = main(arguments)
        self._upload(task, message["outputs"], mount, status == 0)
        return status

    def stored(self, uri: str) -> Path:
        """Where the store keeps an address."""
        return self.root / "store" / uri.removeprefix(SCHEME)

    def declared_outputs(self, task: str) -> dict[str, Any]:
        """What the component of a step declares, by name."""
        component = self.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
        return self.spec["components"][component].get("outputDefinitions", {}).get("artifacts", {})

    def _container(self, task: str) -> dict[str, Any]:
        component = self.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
        return self.spec["deploymentSpec"]["executors"][self.spec["components"][component]["executorLabel"]][
            "container"
        ]

    def _upload(self, task: str, outputs: dict[str, Any], mount: str, succeeded: bool) -> None:
        """Takes the outputs to the store and records them; of a step that failed only its log."""
        path = Path(outputs["outputFile"])
        said = json.loads(path.read_text()).get("artifacts", {}) if path.is_file() else {}
        kept = self.recorded.setdefault(task, {})
        for name, given in outputs["artifacts"].items():
            if not succeeded and name != LOGS:
                continue
            artifact = given["artifacts"][0]
            if name != LOGS and said.get(name, {}).get("artifacts"):
                artifact = artifact | {
                    key: said[name]["artifacts"][0][key]
                    for key in ("uri", "metadata")
                    if key in said[name]["artifacts"][0]
                }
            assert artifact["uri"].startswith(SCHEME), f"{task}: {name} has no address of the store: {artifact['uri']}"
            _copy(_local(artifact["uri"], mount), self.stored(artifact["uri"]))
            metadata = {
                key: float(value) if isinstance(value, bool) else value
                for key, value in artifact.get("metadata", {}).items()
            }
            number = sum(map(len, self.recorded.values())) + 1
            metadata |= {"display_name": name, "store_session_info": "{}"}
            kept[name] = {"name": str(number), "uri": artifact["uri"], "metadata": metadata}


def _local(uri: str, mount: str) -> Path:
    return Path(mount + uri.removeprefix(SCHEME))


def _copy(source: Path, target: Path) -> None:
    """Files only: a store has no empty folders."""
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source) if path != source else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
