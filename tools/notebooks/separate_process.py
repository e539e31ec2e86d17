"""Calls a function in a process of its own: what it imports, changes or prints stays there, and it can be stopped.

The processes are forks of one that has imported Jupyter's libraries: a notebook needs two, and importing took four seconds in each.
"""

from __future__ import annotations

import functools
import os
import pickle
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from warm.client import Fork, Warm, begin, start

IMPORTED = ("papermill", "nbclient", "jupyter_client.manager", "ipykernel.kernelspec", "nbval.plugin")
STOPPING = 20.0
"""Seconds for what is interrupted to end what it has started."""
TOP = str(Path(__file__).resolve().parents[2])
"""The folder that holds `tools`, which is no installed package."""


class Died(RuntimeError):
    """The process ended before it had an answer. The message has its exit code and the last that it printed."""


@functools.cache
def _warm() -> Warm | None:
    return start(IMPORTED)


def call(timeout: float, task: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Calls a function in a process of its own, with the environment of this one.

    Args:
        timeout: seconds; then it is interrupted, and killed only if that does not help.
        task: a function of a module, which can be imported there.
        arguments: what it is called with; pickled, as is what it returns.

    Returns:
        What the function returned, and what the process printed.

    Raises:
        TimeoutError: it was not done in time.
        Died: it ended without an answer, or raised.
    """
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("wb+") as said:
        (Path(folder) / "call").write_bytes(pickle.dumps((task, arguments)))
        process = _start(folder, said)
        try:
            status = process.wait(timeout)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise TimeoutError(f"it was not done after {timeout:.0f} seconds") from None
        finally:
            _end(process)
        said.seek(0)
        printed = said.read().decode(errors="replace")
        answer = Path(folder) / "answer"
        if not answer.exists():
            raise Died(f"it ended with exit code {status}:\n{printed[-2000:]}")
        return pickle.loads(answer.read_bytes()), printed


def _start(folder: str, said: BinaryIO) -> Fork | subprocess.Popen:
    files = (0, said.fileno(), said.fileno())
    return begin(_warm(), "tools.notebooks.separate_process", "there", folder, path=[TOP], files=files)


def _end(process: Fork | subprocess.Popen) -> None:
    """Interrupts a process that has not ended, and kills it when that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPPING)
        except (TimeoutError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
    if isinstance(process, Fork):
        process.close()


def there(folder: str) -> None:
    """In the process itself: the call, and its answer, which is whole or not there."""
    task, arguments = pickle.loads((Path(folder) / "call").read_bytes())
    answer = pickle.dumps(task(*arguments))
    (Path(folder) / "unfinished").write_bytes(answer)
    os.replace(Path(folder) / "unfinished", Path(folder) / "answer")
