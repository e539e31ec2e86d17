"""A pipeline of one step, as small as Kubeflow Pipelines takes it: with the two parameters that `submit.py` gives."""

from __future__ import annotations

from pathlib import Path

import yaml

IMAGE = "mlops-course:0123456789ab"
TEXT = {"parameterType": "STRING", "defaultValue": "", "isOptional": True}
PARAMETERS = ("data_root", "push_destination")


def write(folder: Path, image: str = IMAGE, memory: int = 3, command: str = "true") -> str:
    """Writes the compiled pipeline, which is another one for each image, memory (GB) or command; returns the file's name."""
    container = {"image": image, "command": [command], "resources": {"memoryLimit": memory, "memoryRequest": 1}}
    inputs = {"parameters": {name: dict(TEXT) for name in PARAMETERS}}
    given = {"parameters": {name: {"componentInputParameter": name} for name in PARAMETERS}}
    step = {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}, "inputs": given}
    spec = {
        "pipelineInfo": {"name": "flights"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.16.1",
        "components": {"comp-a": {"executorLabel": "exec-a", "inputDefinitions": inputs}},
        "deploymentSpec": {"executors": {"exec-a": {"container": container}}},
        "root": {
            "dag": {"tasks": {"a": step}},
            "inputDefinitions": {"parameters": {n: dict(TEXT) for n in PARAMETERS}},
        },
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([spec, {"platforms": {"kubernetes": {}}}]))
    return str(path)
