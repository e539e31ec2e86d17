"""Measures the course's image: how long it takes to build, and how large it is."""

from __future__ import annotations

import docker

from tools.bench.process import Row, run

IMAGE = "mlops-course:latest"
BUILD = ["bash", "deploy/image/build.sh"]


def image() -> list[Row]:
    """Builds without what earlier builds left, and once more as it is. Where no Docker engine answers, a remark says so.

    Raises:
        RuntimeError: a build failed.
    """
    what = "`make image`, the base there, nothing else"
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException:
        remark = "not measured: no Docker engine answers (as root: bash deploy/image/engine.sh make bench)"
        return [Row(what, None, 0, 0, "", remark)]
    _, anew, _, _ = run([*BUILD, "--no-cache"])
    _, again, _, _ = run(BUILD)
    size = client.images.get(IMAGE).attrs["Size"] / 1e9
    return [
        Row(what, anew, 0, 0, "", f"{size:.1f} GB with its base"),
        Row("`make image`, nothing changed", again, 0, 0, ""),
    ]
