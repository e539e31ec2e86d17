"""A stand-in for what Kubeflow Pipelines does around each step: its driver makes the message, its launcher carries files and logs.

What it does is known from the source of Kubeflow Pipelines, tag 2.16.1: `backend/src/v2/driver/driver.go` (`provisionOutputs`: the
outputs, `executor-logs` among them, and where the task's own message goes) and `container.go` beside it (when the cache answers),
`backend/src/v2/cacheutils/cache.go` (`GenerateCacheKey`), `backend/src/v2/metadata/converter.go` (an input's name is its
number in the metadata store, booleans are numbers), and `backend/src/v2/component/launcher_v2.go` (`qualifyExecutorLogsURI`,
`downloadArtifacts`, `fetchNonDefaultBuckets`, `prepareOutputFolders`, `getLogWriter`, `uploadOutputArtifacts`, `mergeRuntimeArtifacts`). That an
input arrives as a `system.Artifact`, and what is said of a store that cannot be opened: from a real backend.

What the real ones do, and `kfp.local`, which runs the compiled pipeline for `flights run --engine kubeflow`, does not:

- an output `executor-logs` in each message, with a file open at its address (`PUBLISH_LOGS=true`, as it is installed);
- addresses of a store (`minio://`, `s3://`) instead of folders, which the launcher mounts, empty, for each pod; afterwards there is no folder;
- a store has no empty folders, so an output without a file is lost to the next step; what a failed step made is not kept, but for its log;
- inputs without their type, under a number for a name, with metadata of the store's own;
- answers from the cache, with outputs of another run, at that run's addresses;
- another attempt after a failure; each has a log of its own;
- another user, who owns nothing of the image, without a home of its own (`kubeflow_pod.Pods`).

It has no MLMD and no cluster, and makes no second attempt itself. Without `Pods`, a step runs in the process of the test.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from kubeflow_pod import Pods

from engines.kubeflow import uris

LOGS = "executor-logs"
DEFAULT_ROOT = "minio://mlpipeline/v2/artifacts"
FOLDERS = {"minio": "minio", "s3": "s3", "gs": "gcs"}
"""Where the launcher mounts a store, below the root of the pod."""


class Backend:
    """One run of a compiled pipeline, step by step.

    Attributes:
        recorded: what the metadata store would know of the outputs of each step: name of the step, name of the output, artifact.
        messages: the last message that each step was given.
        cached: the steps that the cache answered.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        root: Path,
        parameters: dict[str, Any],
        publish_logs: bool = True,
        pipeline_root: str = DEFAULT_ROOT,
        earlier: Backend | None = None,
    ) -> None:
        """Starts a run.

        Args:
            spec: first document of the compiled pipeline.
            root: for the store and the pods.
            parameters: of the run.
            publish_logs: as the manifests have it.
            pipeline_root: address in a store.
            earlier: a run of the same installation before this one, whose store and cache are used.
        """
        self.spec, self.root, self.publish_logs = spec, root, publish_logs
        declared = spec["root"]["inputDefinitions"]["parameters"]
        self.parameters = {name: value["defaultValue"] for name, value in declared.items()} | parameters
        self.scheme = pipeline_root.partition("://")[0]
        self.number = earlier.number + 1 if earlier else 1
        self.pipeline_root = f"{pipeline_root}/{spec['pipelineInfo']['name']}/run-{self.number}"
        self.recorded: dict[str, dict[str, dict[str, Any]]] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.cached: list[str] = []
        self._cache: dict[str, dict[str, dict[str, Any]]] = earlier._cache if earlier else {}
        self._artifacts: list[str] = earlier._artifacts if earlier else []

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
            mount: the folder that stands for that of the run's store in the pod.
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
                "outputFile": f"{_local(folder, mount)}/output_metadata.json",
            },
        }

    def run(
        self,
        task: str,
        main: Callable[[list[str]], int] | Pods,
        executor: str | None = None,
        attempt: int = 0,
    ) -> int:
        """Runs a step as its pod does, in an empty file system, and returns its exit status; or has the cache answer.

        Args:
            task: its name.
            main: the command, without `python -m MODULE`, for this process; or the image.
            executor: another class than the compiled one.
            attempt: which it is, from 0.

        Raises:
            LookupError: the launcher cannot open the store of an input; the step does not start.
        """
        pod = self.root / "pods" / f"run-{self.number}" / f"{task}-{attempt}"
        mount = f"{pod}/{FOLDERS[self.scheme]}/"
        message = self.messages[task] = self.message(task, mount)
        key = self._cache_key(task, message)
        if key in self._cache:
            self.recorded[task] = self._cache[key]
            self.cached.append(task)
            return 0
        for given in message["inputs"]["artifacts"].values():
            for artifact in given["artifacts"]:
                scheme = artifact["uri"].partition("://")[0]
                if scheme != self.scheme:
                    raise LookupError(f'{task}: {artifact["uri"]}: no driver registered for "{scheme}"')
                _copy(self.stored(artifact["uri"]), _local(artifact["uri"], mount))
        for name, given in message["outputs"]["artifacts"].items():
            for artifact in given["artifacts"]:
                artifact["uri"] += f"-{attempt}" if name == LOGS else ""
                _local(artifact["uri"], mount).parent.mkdir(parents=True, exist_ok=True)
        log = pod / "not-published"
        if self.publish_logs:
            log = _local(message["outputs"]["artifacts"][LOGS]["artifacts"][0]["uri"], mount)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        arguments = [part.replace("{{$}}", json.dumps(message)) for part in self._container(task)["args"]]
        if executor:
            arguments[arguments.index("--executor_class_path") + 1] = executor
        mounts = {f"{self.scheme}://": mount}
        if isinstance(main, Pods):
            _hand_to(pod, main.user)
            status = main.run(arguments, log, mounts)
        else:
            with (
                log.open("w") as words,
                contextlib.redirect_stdout(words),
                contextlib.redirect_stderr(words),
                mock.patch.dict(uris.MOUNTS, mounts, clear=True),
            ):
                status = main(arguments)
        self._upload(task, message["outputs"], mount, status == 0)
        if status == 0 and key:
            self._cache[key] = self.recorded[task]
        return status

    def log(self, task: str) -> str:
        """What the last attempt of a step printed."""
        return self.stored(self.recorded[task][LOGS]["uri"]).read_text()

    def _cache_key(self, task: str, message: dict[str, Any]) -> str:
        """What the cache compares: never an address, but the names of inputs, which are numbers. Empty for a step that has no cache."""
        if not self.spec["root"]["dag"]["tasks"][task].get("cachingOptions", {}).get("enableCache"):
            return ""
        inputs, outputs = message["inputs"], message["outputs"]["artifacts"]
        container = self._container(task)
        compared = {
            "pipeline": self.spec["pipelineInfo"]["name"],
            "inputs": {
                name: [one["name"] for one in given["artifacts"]] for name, given in inputs["artifacts"].items()
            },
            "values": inputs["parameterValues"],
            "outputs": {
                name: [one["name"], one["type"]] for name, given in outputs.items() for one in given["artifacts"]
            },
            "container": [container["image"], container["command"], container["args"]],
        }
        return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()

    def stored(self, uri: str) -> Path:
        """Where the store keeps an address."""
        return self.root / "store" / uri.replace("://", "/")

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
            assert artifact["uri"].startswith(f"{self.scheme}://"), (
                f"{task}: {name} has no address of the store: {artifact['uri']}"
            )
            _copy(_local(artifact["uri"], mount), self.stored(artifact["uri"]))
            metadata = {
                key: float(value) if isinstance(value, bool) else value
                for key, value in artifact.get("metadata", {}).items()
            }
            self._artifacts.append(artifact["uri"])
            metadata |= {"display_name": name, "store_session_info": "{}"}
            kept[name] = {"name": str(len(self._artifacts)), "uri": artifact["uri"], "metadata": metadata}


def _local(uri: str, mount: str) -> Path:
    return Path(mount + uri.partition("://")[2])


def _hand_to(folder: Path, user: int) -> None:
    """Makes all in a folder a user's, if that is another."""
    for path in [folder, *folder.rglob("*")]:
        if path.stat().st_uid != user:
            os.chown(path, user, user)


def _copy(source: Path, target: Path) -> None:
    """Files only: a store has no empty folders."""
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source) if path != source else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
