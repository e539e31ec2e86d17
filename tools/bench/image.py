"""Measures the course's image: how long it takes to build, how large it is, and how long the pipeline takes in its containers."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import docker

from tools.bench.measure import Row, run

IMAGE = "mlops-course:latest"
BUILD = ["bash", "deploy/image/build.sh"]


def image() -> list[Row]:
    """Builds without what earlier builds left, once more as it is, and runs January of the sample in containers.

    Raises:
        RuntimeError: no Docker engine answers, a build failed, or the candidate was refused.
    """
    _, anew, _, _ = run([*BUILD, "--no-cache"])
    _, again, _, _ = run(BUILD)
    size = docker.from_env().images.get(IMAGE).attrs["Size"] / 1e9
    return [
        Row("`make image`, the base there, nothing else", anew, 0, 0, "", f"{size:.1f} GB with its base"),
        Row("`make image`, nothing changed", again, 0, 0, ""),
        sample(),
    ]


def sample() -> Row:
    """January of the sample, each step in a container."""
    flights = str(Path(sys.executable).with_name("flights"))
    with tempfile.TemporaryDirectory() as folder:
        said, wall, _, _ = run([flights, "run", "--engine", "kubeflow", "--containers", "--output-root", folder])
    if "Blessed and pushed" not in said:
        raise RuntimeError(said)
    steps = {name: float(seconds) for name, seconds in re.findall(r"^ +(\w+) +done +([\d.]+) s$", said, re.MULTILINE)}
    slowest = sorted(steps.items(), key=lambda step: -step[1])[:4]
    remark = f"{len(steps)} steps, {sum(steps.values()):.0f} s: " + ", ".join(
        f"{name} {time:.0f}" for name, time in slowest
    )
    return Row("Kubeflow, one month of the sample, each step in a container", wall, 0, 0, "", remark)
