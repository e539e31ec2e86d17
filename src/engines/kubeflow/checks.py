"""What Kubeflow Pipelines or Argo would refuse in a compiled pipeline, or take and never run: said before anything is uploaded.

    python -m engines.kubeflow.checks pipeline.yaml

The server looks at the form and at the pipeline's name when a file is uploaded, at the rest when a run starts, or it hands it on to Argo and Kubernetes. It
does not look at the fields of `deploymentSpec`: one that the format does not have is passed over. A file that is no YAML it goes on reading for ever (`isV2Spec`).
Sources, of Kubeflow Pipelines 2.16.1: `ValidatePipelineName` in `backend/src/apiserver/common/utils.go`, `isV2Spec` in `template/template.go` beside it,
`NewV2SpecTemplate` and `validatePipelineJobInputs` in `backend/src/apiserver/template/v2_template.go`,
`validation/length.go` beside it, `backend/src/v2/compiler/visitor.go`, and `dag.go` and `container.go` in `backend/src/v2/compiler/argocompiler`;
of Argo Workflows 3.7.8: `validateWorkflowFieldNames` in `workflow/validate/validate.go` and `processNodeRetries` in `workflow/controller/operator.go`;
of Kubernetes: docs/concepts/overview/working-with-objects/names and docs/concepts/configuration/manage-resources-containers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.message import Message

SCHEMA_VERSION = "2.1.0"
"""The one that the server takes."""

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = re.compile(rf"{LABEL}(\.{LABEL})*")
"""A name of Kubernetes: of a claim."""
PIPELINE = re.compile(r"[a-z0-9][-a-z0-9]*")
LONGEST_PIPELINE, LONGEST_CLAIM = 128, 253

STEP = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
"""A name of Argo's."""
DRIVER = "-driver"
"""Kubeflow adds a step of this name to each step."""
LONGEST_STEP = 128 - len(DRIVER)

Found = Iterator[str]
"""What is wrong, a sentence each."""


class CheckError(ValueError):
    """The compiled pipeline would be refused, or never run; the message says what is wrong, a line each."""


def require(text: str, name: str = "the compiled pipeline") -> None:
    """Refuses what a server, Argo or Kubernetes would.

    Args:
        text: the file, YAML.
        name: of the file, for the message.

    Raises:
        CheckError: something is wrong.
    """
    found = problems(text)
    if found:
        raise CheckError("\n".join(f"{name}: {problem}" for problem in found))


def problems(text: str) -> list[str]:
    """What is wrong with a compiled pipeline, a sentence each; nothing where all is right."""
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
        specs = [one for one in documents if "pipelineInfo" in one]
        platforms = [one for one in documents if "platforms" in one]
    except (yaml.YAMLError, TypeError):
        return ["it is not YAML with a pipeline in it. Compile the pipeline first."]
    if len(specs) != 1 or len(platforms) > 1 or len(documents) > len(specs) + len(platforms):
        return [
            f"it has {len(specs)} pipelines, {len(platforms)} documents for a platform, and {len(documents)} documents in all; "
            "a server takes one pipeline and one document for Kubernetes, and passes over any other."
        ]
    # With it comes Kubernetes' client, which takes half a second.
    from kfp.pipeline_spec import pipeline_spec_pb2 as messages

    try:
        spec = _read(specs[0], messages.PipelineSpec())
        deployment = _read(spec.pop("deploymentSpec", {}), messages.PipelineDeploymentConfig())
        platform = _read(platforms[0], messages.PlatformSpec()) if platforms else {}
    except json_format.ParseError as error:
        return [f"it is not of the format of a compiled pipeline: {' '.join(str(error).split())}."]
    executors = deployment.get("executors", {})
    return list(
        dict.fromkeys([*_pipeline(spec), *_steps(spec, executors), *_taken(spec, platform), *_volumes(platform)])
    )


def _read(given: Mapping[str, Any], message: Message) -> dict[str, Any]:
    """Plain data with the field names of JSON, whichever of the two spellings they had."""
    return json_format.MessageToDict(json_format.ParseDict(given, message))


def _pipeline(spec: dict[str, Any]) -> Found:
    name, version = spec["pipelineInfo"].get("name", ""), spec.get("schemaVersion", "none")
    if version != SCHEMA_VERSION:
        yield f"its schema version is {version}; Kubeflow Pipelines takes {SCHEMA_VERSION}. Compile with spec 2.1."
    if not PIPELINE.fullmatch(name) or len(name) > LONGEST_PIPELINE:
        yield (
            f"the pipeline's name {name!r} is none for the server: up to {LONGEST_PIPELINE} lower-case letters, digits and '-', a letter or digit first."
        )
    if "dag" not in spec.get("root", {}):
        yield "it has no steps (root.dag)."


def _steps(spec: dict[str, Any], executors: dict[str, Any]) -> Found:
    """All steps: of the pipeline, and of the parts of it that have steps of their own."""
    components = spec.get("components", {})
    for component in [spec.get("root", {}), *components.values()]:
        tasks = component.get("dag", {}).get("tasks", {})
        yield from _order(tasks)
        for name, task in tasks.items():
            yield from _name(name, tasks)
            yield from _retries(name, task)
            reference = task.get("componentRef", {}).get("name", "")
            if reference not in components:
                yield f"step {name!r}: its component {reference!r} is not in the file."
                continue
            yield from _inputs(name, task, component, components)
            yield from _executor(name, components[reference], executors)


def _name(name: str, tasks: Mapping[str, Any]) -> Found:
    if not STEP.fullmatch(name) or len(name) > LONGEST_STEP:
        yield (
            f"step {name!r}: Argo takes names of up to {LONGEST_STEP} letters, digits and '-', a letter or digit first, and so no underscore. "
            "Give the component another id (`with_id`)."
        )
    if name + DRIVER in tasks:
        yield f"step {name + DRIVER!r}: Kubeflow gives this name to a step of its own, which goes before {name!r}."


def _retries(name: str, task: dict[str, Any]) -> Found:
    policy = task.get("retryPolicy")
    if policy is None:
        return
    count, pause, factor = (
        policy.get("maxRetryCount", 0),
        _seconds(policy, "backoffDuration"),
        policy.get("backoffFactor", 0),
    )
    most = _seconds(policy, "backoffMaxDuration")
    if count < 1:
        yield f"step {name!r}: its retryPolicy has no maxRetryCount, so the step is never tried again. Give one, or leave the policy out."
    elif not most:
        yield (
            f"step {name!r}: its retryPolicy has no backoffMaxDuration. The server makes 0 of that, and Argo ends the step after its first attempt: "
            "'Max duration limit exceeded'."
        )
    elif (pauses := sum(pause * (factor or 1) ** number for number in range(count))) >= most:
        yield f"step {name!r}: {count} retries pause for {pauses:g} s, and backoffMaxDuration leaves {most:g} s for all attempts."


def _seconds(policy: dict[str, Any], name: str) -> float:
    return float(policy.get(name, "0s").removesuffix("s"))


def _inputs(name: str, task: dict[str, Any], parent: dict[str, Any], components: dict[str, Any]) -> Found:
    """Parameters and artifacts: what a step is given, what its component wants, and where it comes from."""
    siblings = parent["dag"]["tasks"]
    given, declared = task.get("inputs", {}), components[task["componentRef"]["name"]].get("inputDefinitions", {})
    for kind, word in (("parameters", "parameter"), ("artifacts", "artifact")):
        wanted, sent = declared.get(kind, {}), given.get(kind, {})
        for key in sent.keys() - wanted.keys():
            if _sets_resources(key, sent[key]):
                continue
            yield f"step {name!r} is given the {word} {key!r}, which its component does not take."
        if not {"parameterIterator", "artifactIterator"} & task.keys():  # those give one more
            for key in wanted.keys() - sent.keys():
                if not wanted[key].get("isOptional") and "defaultValue" not in wanted[key]:
                    yield f"step {name!r} is not given the {word} {key!r}, which its component needs."
        for key, source in sent.items():
            where = source.get("componentInputParameter") or source.get("componentInputArtifact")
            if where and where not in parent.get("inputDefinitions", {}).get(kind, {}):
                yield f"step {name!r}: its {word} {key!r} is to come from {where!r}, which is no input of the pipeline."
            made = source.get("taskOutputArtifact") or source.get("taskOutputParameter")
            if made and not _makes(siblings.get(made.get("producerTask")), made, kind, components):
                output = made.get("outputArtifactKey") or made.get("outputParameterKey")
                yield f"step {name!r}: its {word} {key!r} is to be the output {output!r} of {made.get('producerTask')!r}, which makes none."


def _sets_resources(key: str, source: dict[str, Any]) -> bool:
    """Whether the SDK has added this parameter for an image or a limit that a run gives (`set_cpu_limit` of an input), for which no component asks."""
    constant = source.get("runtimeValue", {}).get("constant")
    return key.startswith("pipelinechannel--") or (
        isinstance(constant, str) and constant.startswith("{{$.inputs.parameters[")
    )


def _makes(producer: dict[str, Any] | None, made: dict[str, Any], kind: str, components: dict[str, Any]) -> bool:
    component = components.get((producer or {}).get("componentRef", {}).get("name"), {})
    output = made.get("outputArtifactKey") or made.get("outputParameterKey")
    return output in component.get("outputDefinitions", {}).get(kind, {})


def _order(tasks: dict[str, Any]) -> Found:
    """Every step waits for steps that are there, and none for itself."""
    waits = {name: set(task.get("dependentTasks", [])) for name, task in tasks.items()}
    for name, others in waits.items():
        for other in sorted(others - waits.keys()):
            yield f"step {name!r} waits for {other!r}, which is not there."
    while ready := [name for name, others in waits.items() if not others & waits.keys()]:
        for name in ready:
            del waits[name]
    if waits:
        yield f"the steps {', '.join(sorted(waits))} wait for each other."


def _executor(name: str, component: dict[str, Any], executors: dict[str, Any]) -> Found:
    if "dag" in component:
        return
    label = component.get("executorLabel", "")
    executor = executors.get(label)
    if executor is None:
        yield f"step {name!r}: its executor {label!r} is not in the file."
    elif "container" not in executor and "importer" not in executor:
        yield f"step {name!r} is a {next(iter(executor), 'step without an executor')}: open-source Kubeflow Pipelines runs containers and importers."
    elif "container" in executor:
        if not executor["container"].get("image"):
            yield f"step {name!r} names no image."
        yield from _resources(name, executor["container"].get("resources", {}))


def _resources(name: str, resources: dict[str, Any]) -> Found:
    """Limits have requests beside them, which are not above them."""
    for key, word in (("Cpu", "cores"), ("Memory", "memory")):
        limit, request = (_amount(resources, key, end) for end in ("Limit", "Request"))
        if limit is None:
            continue
        if not request:
            yield (
                f"step {name!r} has a limit of {word} and no request: Kubernetes takes the limit for one, and starts the step only where all of it "
                "is free. Give a request."
            )
        elif request > limit:
            yield f"step {name!r} requests {request:g} of {word}, and its limit is {limit:g}: Kubernetes refuses the pod."


def _amount(resources: dict[str, Any], key: str, end: str) -> float | None:
    """Cores, or bytes; infinite or the least where a run says how much. None where nothing is said.

    The older fields hold numbers (memory in GB), the newer ones, which Kubeflow's own compiler writes, words of Kubernetes.
    """
    words = resources.get(f"resource{key}{end}")
    if words is None:
        number = resources.get(f"{key.lower()}{end}")
        return None if number is None else float(number) * (1e9 if key == "Memory" else 1)
    if "{{" in words:
        return float("inf") if end == "Limit" else 1e-9
    from kubernetes.utils.quantity import parse_quantity  # takes half a second

    return float(parse_quantity(words))


def _taken(spec: dict[str, Any], platform: dict[str, Any]) -> Found:
    """A parameter that no step takes: a run that is given it is the same run."""
    root = spec.get("root", {})
    taken = {*_named(root.get("dag", {})), *_named(platform)}
    for name in sorted(root.get("inputDefinitions", {}).get("parameters", {}).keys() - taken):
        yield f"no step takes the pipeline's parameter {name!r}."


def _named(given: Any) -> Iterator[str]:
    """The inputs of the pipeline that are named anywhere in it."""
    for key, value in given.items() if isinstance(given, dict) else enumerate(given):
        if key in ("componentInputParameter", "componentInput", "inputParameter"):
            yield str(value)
        elif isinstance(value, dict | list):
            yield from _named(value)


def _volumes(platform: dict[str, Any]) -> Found:
    kubernetes = platform.get("platforms", {}).get("kubernetes", {})
    for label, executor in kubernetes.get("deploymentSpec", {}).get("executors", {}).items():
        folders = []
        for mount in executor.get("pvcMount", []):
            claim, folder = mount.get("constant"), mount.get("mountPath", "")
            folders.append(folder)
            if claim is not None and (not SUBDOMAIN.fullmatch(claim) or len(claim) > LONGEST_CLAIM):
                yield f"{label}: {claim!r} is no name of a claim: lower-case letters, digits, '-' and '.', a letter or digit first and last."
            if not folder.startswith("/") or ":" in folder:
                yield f"{label}: a volume is to be mounted at {folder!r}, which is no absolute path without ':'."
        for folder in sorted({folder for folder in folders if folders.count(folder) > 1}):
            yield f"{label}: two volumes are to be mounted at {folder!r}."


def main(arguments: list[str]) -> int:
    """Checks the files; returns the exit status: 0, or 1 after a line for each thing that is wrong."""
    status = 0
    for path in arguments:
        try:
            require(Path(path).read_text(), path)
        except (CheckError, OSError, UnicodeDecodeError) as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
