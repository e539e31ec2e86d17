"""Confines in a container of the course's image, where a Docker engine answers and has it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from tools.grade.confine.plan import CONTAINER, Plan
from tools.notebooks.execute import ROOT

IMAGE = os.environ.get("COURSE_IMAGE", "mlops-course")
TOP, PYTHON = "/course", "/opt/course/bin/python"
"""Where the image has the course and its Python (deploy/image/Dockerfile)."""


def missing() -> str | None:
    """Why there is no container to be had; None when there is."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "there is no Docker on this machine, or it does not answer"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or ["it does not answer"])[-1]
    return f"no image {IMAGE} ({last})"


def start(plan: Plan, name: str) -> tuple[list[str], Plan]:
    """The command that starts a container of a name, and the plan as the container sees it.

    The course's code and data are those of this folder, shown at the place where the image has its own. The container sees
    nothing else of this machine, has no network, and can write to `/scratch` and `/tmp` in memory only.
    """

    def moved(text: str) -> str:
        return text.replace(str(ROOT), TOP)

    limits = plan.limits
    # The environment is the image's own.
    own = tuple(map(str, (Path(sys.prefix), Path(sys.base_prefix), ROOT / ".tools")))
    shown = {path: moved(path) for path in plan.visible if not path.startswith(own)}
    if plan.given:
        shown[plan.given] = "/given"
    command = ["docker", "run", "--rm", "--interactive", "--name", name, "--network", "none", "--read-only"]
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "1000:1000"]
    command += ["--memory", str(limits.memory + limits.disk), "--memory-swap", str(limits.memory + limits.disk)]
    command += ["--pids-limit", str(limits.threads), "--cpus", "1", "--workdir", TOP, "--env", f"PYTHONPATH={TOP}"]
    for target in ("/scratch", "/tmp"):
        command += ["--tmpfs", f"{target}:size={limits.disk // 2},mode=1777"]
    for source, target in shown.items():
        command += ["--mount", f"type=bind,source={source},target={target},readonly"]

    environment = {key: moved(value) for key, value in plan.environment.items()}
    environment["PATH"] = f"{Path(PYTHON).parent}:/usr/bin:/bin"
    inside = dataclasses.replace(
        plan,
        how=CONTAINER,
        room="/scratch",
        visible=[],
        top=TOP,
        folder=moved(plan.folder),
        command=[PYTHON, *map(moved, plan.command[1:])],
        environment=environment,
        given="/given" if plan.given else None,
        core=None,
    )
    return [*command, IMAGE, PYTHON, "-B", "-m", "tools.grade.confine"], inside


def remove(name: str) -> None:
    """Ends a container, should it still be there."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)
