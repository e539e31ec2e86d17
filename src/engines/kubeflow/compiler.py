"""Compiles the pipeline for open-source Kubeflow Pipelines: one YAML file, with no path of the machine that it was compiled on."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.context_managers import dsl_context_registry
from tfx.orchestration.data_types import RuntimeParameter

from engines import settings as asked
from engines.beam import BEAM_ARGS
from engines.kubeflow import checks
from engines.kubeflow.baseline import LatestPushedModel
from engines.settings import Settings

IMAGE = "mlops-course:latest"
COMMAND = ["python", "-m", "engines.kubeflow.entrypoint"]
MOUNTED = "/mnt"
"""In this folder every step finds the volume for what outlives a run (data, pushed models), by the name of its claim."""

DATA_ROOT, PUSH_DESTINATION = "data_root", "push_destination"
"""Parameters that a run is submitted with."""

CPU, MEMORY = 1.0, 3.0
"""Limits of each step: cores, and GB; the full year takes 1.6 GB."""

REQUEST = (0.25, 1.25)
"""What a node has to have free before a step starts there: cores, and GB; the sample's steps take up to 1.1 GB.

Without a request Kubernetes takes the limit for one. Kubeflow Pipelines 2.16.1 requests 0.64 cores and 3.2 GB itself, kind 0.95 cores and
0.3 GB: 4 cores and 8 GB have room for the three steps that start at once.
"""

Create = Callable[[Any, BaseNode | None], dict[str, BaseNode]]
"""Makes the components by their id, in order, from the configuration of a run and from what gives the baseline as its output `model`."""

RETRY = {"maxRetryCount": 2, "backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
"""A step that fails, because a store did not answer for example, is tried again: a minute later, and then two.

Not one whose component has the attribute `NO_RETRY`: bad data stay bad. Nor a step whose pod vanishes with its node: to Argo that is an error and no failure, and Kubeflow
Pipelines leaves Argo's policy at `OnFailure`. From the first start on, the attempts have an hour in all; without a last word on that, the
backend says 0, and Argo makes no second attempt.
Source: `container.go` in `backend/src/v2/compiler/argocompiler` of Kubeflow Pipelines 2.16.1; `docs/retries.md` of Argo Workflows.
"""


def compile_pipeline(
    config: Settings,
    create: Create,
    path: str | Path,
    image: str = IMAGE,
    resources: Mapping[str, tuple[float, float]] | None = None,
    requests: Mapping[str, tuple[float, float]] | None = None,
) -> Path:
    """Writes the specification (version 2.1) of the pipeline.

    Args:
        config: the run; its `data_root` and `output_root` do not enter: they are parameters, `DATA_ROOT` and `PUSH_DESTINATION`.
        create: makes the components. Its ExampleGen is called `CsvExampleGen`, its Pusher `Pusher`.
        path: the file, `.yaml`.
        image: name of the image that holds the package that `create` is from, and this one.
        resources: limits of steps that need others than `CPU` and `MEMORY`: cores and GB, by id.
        requests: what has to be free for steps that need more than `REQUEST`, likewise.

    Raises:
        ValueError: the run reads a file that is not in the image; a step that is named is not there, or requests more
            than its limits; or one is no component, but a Resolver.
        engines.kubeflow.checks.CheckError: a server, Argo or Kubernetes would refuse it; nothing is written.
    """
    baseline = LatestPushedModel(push_destination=RuntimeParameter(name=PUSH_DESTINATION, ptype=str))
    nodes = create_portable(config, create, baseline.with_id("LatestBlessedModel"))
    for name, node in nodes.items():
        if not isinstance(node, BaseComponent):
            raise ValueError(
                f"{name} is a {type(node).__name__}: open-source Kubeflow Pipelines runs containers only. Let a component give what it looks up; "
                'the latest blessed model is `baseline.outputs["model"]`, of the `baseline` that your function is given.'
            )
    limits = limit(nodes, resources or {})
    wanted = request(limits, requests or {})
    spec = yaml.safe_load(draft(config, nodes, image, ".yaml"))
    volume = asked.volume(config)
    _mend(spec, nodes, limits, wanted, defaults(volume))
    documents = [spec, platform(spec, volume)]
    text = _heading(spec, defaults(volume)) + yaml.safe_dump_all(documents, sort_keys=True)
    checks.require(text)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def draft(config: Settings, nodes: Mapping[str, BaseNode], image: str, ending: str, pipeline_root: str = "") -> str:
    """What TFX's compiler makes of the steps, with our command.

    Args:
        config: the run.
        nodes: the steps.
        image: name of their image.
        ending: `.yaml` for the pipeline alone, `.json` for a job of Vertex AI's.
        pipeline_root: where the artifacts go; unless it is given with each run.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"pipeline{ending}")
        settings = tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
            default_image=image, default_commands=COMMAND, use_pipeline_spec_2_1=True
        )
        runner = tfx.orchestration.experimental.KubeflowV2DagRunner(config=settings, output_filename=str(path))
        runner.run(
            tfx.dsl.Pipeline(
                pipeline_name=name_of(config),
                pipeline_root=pipeline_root,
                components=list(nodes.values()),
                enable_cache=config.enable_cache,
                beam_pipeline_args=BEAM_ARGS,
            )
        )
        return path.read_text()


def name_of(config: Settings) -> str:
    """The pipeline's name on Kubeflow, which takes small letters, digits and `-` alone: `my-project` of `my_project`."""
    return re.sub(r"[_.]", "-", config.pipeline_name).lower()


def defaults(volume: str) -> dict[str, str]:
    """Values of the parameters, unless a run is submitted with others: folders of a volume.

    Args:
        volume: name of its claim.
    """
    destination = {"filesystem": {"base_directory": f"{MOUNTED}/{volume}/serving"}}
    return {DATA_ROOT: f"{MOUNTED}/{volume}/data", PUSH_DESTINATION: json.dumps(destination)}


def create_portable(config: Settings, create: Create, baseline: BaseNode | None = None) -> dict[str, BaseNode]:
    """The components of every engine, but for what is the engine's to give: the baseline, and where data and models are.

    Args:
        config: the run.
        create: makes the components.
        baseline: for `create`; it is a step too where another reads it, whether `create` returns it or not.

    Raises:
        ValueError: the run reads a file that only this machine has, or the components are in a pipeline already.
    """
    nodes = create(asked.portable(config), baseline)
    if taken := [name for name, node in nodes.items() if node not in dsl_context_registry.get().all_nodes]:
        raise ValueError(
            f"{', '.join(taken)}: in a tfx.dsl.Pipeline already, or returned by an earlier call. What is compiled makes its components anew, and "
            "puts them into no pipeline: let `create_pipeline` call it, not the other way round."
        )
    if (
        baseline is not None
        and baseline not in nodes.values()
        and any(_reads(node, baseline) for node in nodes.values())
    ):
        nodes = {baseline.id: baseline, **nodes}
    _require(nodes, ("CsvExampleGen", "Pusher"))
    nodes["CsvExampleGen"].exec_properties["input_base"] = RuntimeParameter(name=DATA_ROOT, ptype=str)
    nodes["Pusher"].exec_properties["push_destination"] = RuntimeParameter(name=PUSH_DESTINATION, ptype=str)
    return nodes


def _reads(node: BaseNode, other: BaseNode) -> bool:
    """Whether an input of a node is made by another one."""
    return any(other.id in given.get_data_dependent_node_ids() for given in node.inputs.values())


def _require(nodes: Mapping[str, Any], names: Iterable[str]) -> None:
    """Names the steps that the pipeline does not have."""
    missing = [name for name in names if name not in nodes]
    if missing:
        raise ValueError(f"The pipeline has no {', '.join(missing)}; its steps are {', '.join(nodes)}.")


def limit(nodes: dict[str, BaseNode], own: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Cores and GB of each step, which the steps are told as well."""
    _require(nodes, own)
    message = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec
    limits = {name: (float(cores), float(memory)) for name, (cores, memory) in own.items()}
    limits = {name: limits.get(name, (CPU, MEMORY)) for name in nodes}
    for name, (cores, memory) in limits.items():
        if not (0 < cores < math.inf and 0 < memory < math.inf):
            raise ValueError(f"{name}: limits of {cores:g} cores and {memory:g} GB; both are numbers above 0.")
        nodes[name].with_platform_config(message(cpu_limit=cores, memory_limit=memory))
    return limits


def request(
    limits: Mapping[str, tuple[float, float]], own: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Cores and GB that have to be free for each step: never more than its limits."""
    _require(limits, own)
    requests = {}
    for name, most in limits.items():
        cores, memory = map(float, own.get(name, map(min, REQUEST, most)))
        if not (0 < cores <= most[0] and 0 < memory <= most[1]):
            raise ValueError(
                f"{name} requests {cores:g} cores and {memory:g} GB: above 0, and at most its limits of {most[0]:g} and {most[1]:g}."
            )
        requests[name] = cores, memory
    return requests


def _mend(
    spec: dict[str, Any],
    nodes: dict[str, BaseNode],
    limits: dict[str, tuple[float, float]],
    requests: dict[str, tuple[float, float]],
    parameters: dict[str, str],
) -> None:
    """Adds what TFX's compiler leaves out, in place."""
    executors = spec["deploymentSpec"]["executors"]
    for name, node in nodes.items():
        component, task = spec["components"].pop(name), spec["root"]["dag"]["tasks"][name]
        container = executors.pop(component["executorLabel"])["container"]
        # The names that Kubeflow's own compiler gives; what runs pipelines on this machine cuts the first five letters off.
        component["executorLabel"], task["componentRef"]["name"] = f"exec-{name}", f"comp-{name}"
        spec["components"][f"comp-{name}"] = component
        executors[f"exec-{name}"] = {"container": container}
        mend_step(node, component, task, container, limits[name])
        container["resources"] |= {"cpuRequest": requests[name][0], "memoryRequest": requests[name][1]}
    for name, value in parameters.items():
        spec["root"]["inputDefinitions"]["parameters"][name] |= {"defaultValue": value, "isOptional": True}


def mend_step(
    node: BaseNode,
    component: dict[str, Any],
    task: dict[str, Any],
    container: dict[str, Any],
    limits: tuple[float, float],
) -> None:
    """Adds what TFX's compiler leaves out of a step, in place.

    Args:
        node: the step.
        component, task, container: its three entries in the specification.
        limits: cores and GB.
    """
    inputs = component.get("inputDefinitions", {})
    for key, declared in inputs.get("artifacts", {}).items():
        if node.spec.INPUTS[key].optional:
            declared["isOptional"] = True
    where = container["args"].index("--json_serialized_inputs_spec_args") + 1
    container["args"][where] = json.dumps(inputs, sort_keys=True)
    # It looks for the span. The open-source backend does not run it; so the container's command looks, everywhere.
    container.pop("lifecycle", None)
    container["resources"] = {"cpuLimit": limits[0], "memoryLimit": limits[1]}
    if not inputs.get("artifacts"):
        # The cache compares a step's inputs. Without any, what was read last month is handed on, or lies in the store of an earlier run that
        # had another pipeline root, at an address that TFX cannot open.
        task["cachingOptions"] = {}
    if not getattr(node, "NO_RETRY", False):
        task["retryPolicy"] = dict(RETRY)


def platform(spec: dict[str, Any], volume: str) -> dict[str, Any]:
    """What Kubernetes adds to each step: the volume."""
    mount = {"pvcMount": [{"constant": volume, "mountPath": f"{MOUNTED}/{volume}"}]}
    executors = {label: mount for label in spec["deploymentSpec"]["executors"]}
    text = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return json.loads(json.dumps(text))  # a copy for each step, so that YAML writes no references


def _heading(spec: dict[str, Any], parameters: dict[str, str]) -> str:
    lines = ["PIPELINE DEFINITION", f"Name: {spec['pipelineInfo']['name']}", "Inputs:"]
    lines += [f"   {name}: str [Default: {value!r}]" for name, value in sorted(parameters.items())]
    return "".join(f"# {line}\n" for line in lines)
