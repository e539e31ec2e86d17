"""Confines in a container of the course's image, where a Docker engine answers and has it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from tools.grade.bubblewrap import SCRATCH, Running
from tools.grade.limits import Limits
from tools.notebooks.execute import ROOT

IMAGE = os.environ.get("COURSE_IMAGE", "mlops-course")
TOP, PYTHON = "/course", "/opt/course/bin/python"
"""Where the image has the course and its Python (deploy/image/Dockerfile)."""


def missing() -> str | None:
    """Why there is no container to be had; None when there is."""
    try:
        command = ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "there is no Docker on this machine, or it does not answer"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or ["it does not answer"])[-1]
    return f"no image {IMAGE} ({last})"


def start(
    command: Sequence[str],
    environment: dict[str, str],
    shown: Sequence[Path],
    folder: Path | None,
    limits: Limits,
    scratch: Path,
) -> Running:
    """Starts a container, with arguments as those of `bubblewrap.start`; `scratch` is a folder for what it writes.

    The course's code and data are those of this folder, at the place where the image has its own, which is hidden. The container sees
    nothing else of this machine, has no network, and can write to `scratch` and, in memory, to `/tmp` and the folder that it works in.
    """
    name = f"course-{uuid.uuid4().hex[:12]}"
    for path in (scratch, *scratch.iterdir()):
        path.chmod(0o777)
    process = subprocess.Popen(
        options(command, environment, shown, folder, limits, scratch, name),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    handle = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return Running(process, handle, None, False, lambda: _remove(process, name))


def options(
    command: Sequence[str],
    environment: dict[str, str],
    shown: Sequence[Path],
    folder: Path | None,
    limits: Limits,
    scratch: Path,
    name: str,
) -> list[str]:
    """The whole command that starts a container of a name."""

    def moved(text: str | Path) -> str:
        return str(text).replace(str(ROOT), TOP)

    made = ["docker", "run", "--rm", "--name", name, "--network", "none", "--read-only", "--cap-drop", "ALL"]
    made += ["--security-opt", "no-new-privileges", "--user", f"{os.getuid() or 1000}:{os.getgid() or 1000}"]
    made += ["--memory", str(limits.memory), "--memory-swap", str(limits.memory), "--cpus", "1"]
    made += ["--pids-limit", str(limits.threads), "--ulimit", f"fsize={limits.disk}", "--ulimit", "core=0"]
    made += ["--tmpfs", f"{TOP}:mode=755,size=1m", "--tmpfs", f"/tmp:mode=1777,size={limits.disk}"]
    place = moved(folder or SCRATCH)
    if folder:
        made += ["--tmpfs", f"{place}:mode=777,size={limits.disk}"]
    made += ["--mount", f"type=bind,source={scratch},target={SCRATCH}", "--workdir", place]
    own = tuple(map(str, (Path(sys.prefix), Path(sys.base_prefix), ROOT / ".tools", ROOT / ".airflow")))
    for path in shown:
        if not str(path).startswith(own):  # the environment is the image's own
            made += ["--mount", f"type=bind,source={path},target={moved(path)},readonly"]
    given = environment | {"PATH": f"{Path(PYTHON).parent}:/usr/bin:/bin"}
    for key, value in given.items():
        made += ["--env", f"{key}={moved(value)}"]
    return [*made, IMAGE, PYTHON, *map(moved, command[1:])]


def _remove(process: subprocess.Popen[bytes], name: str) -> None:
    """Ends a container, should it still be there."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)
    process.kill()
