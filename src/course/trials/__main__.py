"""Runs the steps of a trial, each in a process of its own: a fork of a warm process, where the system has such.

    python -m course.trials TRIAL.json [ROOM]

The file is what `judges.trial` writes. A line of JSON for each step goes to the file that it names as `report`, or to standard output where it names none.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from warm import client

SAID = 4000
"""Letters of a step's output that are kept: the last ones."""
PERIOD = 0.02
"""Seconds between two looks at a step."""


def main(path: str, environment: dict[str, str] | None = None, room: str = "") -> None:
    """Runs the trial that a file describes; its steps have the variables of `environment`, by default those of this process.

    Args:
        path: of the file.
        environment: the variables.
        room: the folder that the steps run in, instead of the one that the file names.
    """
    trial = json.loads(Path(path).read_text(encoding="utf-8"))
    room, given = Path(room or trial["room"]), Path(trial["given"])
    warm = client.near(trial["modules"]) if trial["modules"] else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    report = (
        os.open(trial["report"], flags, 0o600) if trial["report"] else os.dup(1)
    )  # as all others of Python's, not for a child
    try:
        for number, step in enumerate(trial["steps"]):
            shutil.copytree(given / str(number), room, dirs_exist_ok=True)
            variables = dict(os.environ) if environment is None else environment
            variables = {**variables, client.SOCKET: str(warm.path)} if warm else variables  # for processes of its own
            status, said = _run(step, room, warm, variables)
            os.write(report, json.dumps({"step": number, "status": status, "said": said}).encode() + b"\n")
    finally:
        os.close(report)
        if warm:
            warm.end()


def _run(
    step: dict[str, Any], room: Path, warm: client.Warm | None, environment: dict[str, str]
) -> tuple[int | None, str]:
    """One step: its exit status, negative for a signal, None when its time was over; and the last of what it said."""
    output = room.parent / "said.txt"
    with open(os.devnull, "rb") as nothing, output.open("wb") as said:
        files = (nothing.fileno(), said.fileno(), said.fileno())
        process = client.begin(
            warm, step["module"], "main", step["arguments"], environment=environment, folder=room, files=files
        )
    limit = time.monotonic() + step["seconds"]
    stopped = False
    while process.poll() is None and not stopped:
        stopped = time.monotonic() > limit or bool(step["kill_at"] and any(room.glob(step["kill_at"])))
        time.sleep(PERIOD)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL) if warm else process.kill()  # a fork leads a session of its own
    over = stopped and time.monotonic() > limit
    status = process.wait()
    text = output.read_bytes()[-4 * SAID :].decode(errors="replace")[-SAID:]
    return (None if over else status), text


if __name__ == "__main__":
    main(sys.argv[1], room="".join(sys.argv[2:]))
