"""Compiles the pipeline for Vertex AI Pipelines, Google's service. Nothing here talks to it.

The steps, their image and their command are those of `engines.kubeflow.compiler`. Two things differ. Vertex AI runs TFX's Resolver, by
its own metadata store, so the baseline needs no step of ours. And it has no volumes: its launcher mounts every bucket of Cloud Storage
under /gcs, so data and pushed models are in a bucket.
Source: https://cloud.google.com/vertex-ai/docs/pipelines/migrate-kfp
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base.base_component import BaseComponent

from engines.kubeflow.compiler import (
    DATA_ROOT,
    PUSH_DESTINATION,
    Create,
    create_portable,
    draft,
    limit,
    mend_step,
)
from engines.settings import Settings

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
"""What Cloud Storage allows as the name of a bucket."""


def compile_for_vertex(config: Settings, create: Create, path: str | Path, image: str, bucket: str) -> Path:
    """Writes the job (specification 2.1) as Vertex AI takes it, and reads it back through the format's own definition.

    Args:
        config: the run; its `data_root` and `output_root` do not enter.
        create: as for Kubeflow Pipelines; it is given no baseline.
        path: the file, `.json`.
        image: full name of the image in a registry that Vertex AI may read, with a tag that says which one it is.
        bucket: name of the bucket for data, artifacts and pushed models. The data are in its folder `data`.

    Raises:
        ValueError: the image has no registry or says not which one it is; `bucket` is no name of a bucket; the run reads a file that
            is not in the image.
        google.protobuf.json_format.ParseError: what was compiled is not of the format.
    """
    name, _, tag = image.rpartition("/")[2].partition(":")
    if "/" not in image or not name or tag in ("", "latest"):
        raise ValueError(f"image={image!r}: write REGISTRY/FOLDER/NAME:TAG, with a tag that is of this image alone.")
    if not BUCKET.fullmatch(bucket):
        raise ValueError(f"bucket={bucket!r}: only its name, without gs://.")
    nodes = create_portable(config, create)
    steps = {name: node for name, node in nodes.items() if isinstance(node, BaseComponent)}  # a Resolver is none
    limits = limit(steps, {})
    job = json.loads(draft(config, nodes, image, ".json", f"gs://{bucket}/{config.pipeline_name}"))
    spec = job["pipelineSpec"]
    for name, step in steps.items():
        component, task = spec["components"][name], spec["root"]["dag"]["tasks"][name]
        container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        mend_step(step, component, task, container, limits[name])
    _give_defaults(spec, f"/gcs/{bucket}")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(job, indent=1, sort_keys=True) + "\n")
    read(target)
    return target


def read(path: str | Path) -> tuple[pipeline_spec_pb2.PipelineJob, pipeline_spec_pb2.PipelineSpec]:
    """The job and, out of it, the pipeline, as messages of the format.

    Raises:
        google.protobuf.json_format.ParseError: there is a field that the format does not have, or a value of the wrong type.
    """
    job = json_format.Parse(Path(path).read_text(), pipeline_spec_pb2.PipelineJob())
    spec = json_format.MessageToDict(job.pipeline_spec)
    return job, json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())


def _give_defaults(spec: dict[str, Any], mount: str) -> None:
    """Where data and models are unless a run says otherwise: under the folder where the bucket is mounted."""
    destination = json.dumps({"filesystem": {"base_directory": f"{mount}/serving"}})
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    for name, value in {DATA_ROOT: f"{mount}/data", PUSH_DESTINATION: destination}.items():
        parameters[name] |= {"defaultValue": value, "isOptional": True}
