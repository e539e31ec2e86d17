"""Compiles a command of the project as a pipeline of one step, for what Kubeflow's calendar is to start and one process does.

    compile_command(config, lambda data, output: ["my-project", "retrain", "--data-root", data, "--output-root", output],
                    "retrain.yaml", "my-project-retrain", image="registry/my-project:1")

What the command keeps from one run to the next, such as a metadata store and a history of decisions, is in its output folder, which is on the volume.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml
from kfp import compiler as kubeflows
from kfp import dsl

from engines import settings as asked
from engines.kubeflow import checks
from engines.kubeflow.compiler import CPU, DATA_ROOT, IMAGE, MEMORY, MOUNTED, platform
from engines.settings import Settings

# No `annotations` of the future: kfp reads those of its functions as types.

OUTPUT_ROOT = "output_root"
"""Parameter that a run may be submitted with, beside `DATA_ROOT`."""

REQUEST = (0.25, 1.5)
"""What a node has to have free before the step starts there: cores, and GB. A whole pipeline in one process took 1.3 GB on two months of a sample."""

Command = Callable[[str, str], list[str]]
"""The words of the command, from the folder of the data and the output folder, each of which is a word of its own."""


def compile_command(
    config: Settings,
    command: Command,
    path: str | Path,
    name: str,
    image: str = IMAGE,
    limits: tuple[float, float] = (CPU, MEMORY),
    requests: tuple[float, float] = REQUEST,
) -> Path:
    """Writes the specification (version 2.1), with the folders of the volume as defaults of its two parameters.

    The step is never answered from the cache, which would take the second run for the first. Nor is it tried again: what failed is recorded by the command, and
    the next run finds it.

    Args:
        config: whose volume it is.
        command: of the image.
        path: the file, `.yaml`.
        name: of this pipeline, which is no other's: a pipeline has one schedule.
        image: its name.
        limits: cores and GB.
        requests: what has to be free, likewise.

    Raises:
        engines.kubeflow.checks.CheckError: a server, Argo or Kubernetes would refuse it; nothing is written.
    """
    volume = asked.volume(config)

    @dsl.container_component
    def step(data_root: str, output_root: str):
        return dsl.ContainerSpec(image=image, command=command(data_root, output_root))

    @dsl.pipeline(name=name)
    def pipeline(
        data_root: str = f"{MOUNTED}/{volume}/data",
        output_root: str = f"{MOUNTED}/{volume}/pipeline",
    ) -> None:
        task = step(**{DATA_ROOT: data_root, OUTPUT_ROOT: output_root})
        task.set_caching_options(False)
        task.set_cpu_request(f"{requests[0]:g}").set_cpu_limit(f"{limits[0]:g}")
        task.set_memory_request(_memory(requests[1])).set_memory_limit(_memory(limits[1]))

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "pipeline.yaml")
        kubeflows.Compiler().compile(pipeline, str(draft))
        text = draft.read_text()
    text += f"---\n{yaml.safe_dump(platform(yaml.safe_load(text), volume), sort_keys=True)}"
    checks.require(text)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def _memory(gigabytes: float) -> str:
    return f"{gigabytes * 1000:.0f}M"
