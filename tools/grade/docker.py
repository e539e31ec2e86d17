"""Starts a command in a container of the course's image, where a Docker engine has it: for systems on which bubblewrap does not run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

from tools.grade.limits import SCRATCH, Order, Running
from tools.notebooks.execute import ROOT

IMAGE = os.environ.get("COURSE_IMAGE", "mlops-course")
TOP, PYTHON = "/course", "/opt/course/bin/python"
"""Where the image has the course and its Python (deploy/image/Dockerfile)."""


def start(order: Order, scratch: Path) -> Running:
    """Starts a container; `scratch` is an empty folder for what it writes.

    Raises:
        OSError: there is no Docker on this machine.
    """
    name = f"course-{uuid.uuid4().hex[:12]}"
    for path in (scratch, *(scratch / name for name in ("home", "tmp", "out"))):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    process = subprocess.Popen(
        options(order, scratch, name), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )

    def kill() -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)
        process.kill()

    return Running(process, os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), kill)


def options(order: Order, scratch: Path, name: str) -> list[str]:
    """The command that starts a container of a name.

    The course's code and data are those of this folder, at the place where the image has its own, which is hidden. The container sees
    nothing else of this machine, has no network, and can write to `scratch` and, in memory, to `/tmp` and the folder that it works in.
    """

    def moved(text: object) -> str:
        return str(text).replace(str(ROOT), TOP)

    limits, user, folder = order.limits, f"{os.getuid() or 1000}:{os.getgid() or 1000}", moved(order.folder)
    made = ["docker", "run", "--rm", "--name", name, "--network", "none", "--read-only", "--user", user, "--cpus", "1"]
    made += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(limits.threads)]
    made += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory)]
    made += ["--ulimit", f"fsize={limits.disk}", "--ulimit", "core=0", "--tmpfs", f"{TOP}:mode=755,size=1m"]
    for place in {"/tmp", folder} - {SCRATCH}:
        made += ["--tmpfs", f"{place}:mode=1777,size={limits.disk}"]
    made += ["--mount", f"type=bind,source={scratch},target={SCRATCH}", "--workdir", folder]
    own = tuple(map(str, (Path(sys.prefix), Path(sys.base_prefix), ROOT / ".tools", ROOT / ".airflow")))
    for path in order.shown:
        if not str(path).startswith(own):  # the environment is the image's own
            made += ["--mount", f"type=bind,source={path},target={moved(path)},readonly"]
    for key, value in {**order.environment, "PATH": f"{Path(PYTHON).parent}:/usr/bin:/bin"}.items():
        made += ["--env", f"{key}={moved(value)}"]
    return [*made, IMAGE, PYTHON, *map(moved, order.command[1:])]
