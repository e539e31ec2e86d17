"""Does something in a process of its own: what it imports, changes or prints stays there, and it can be stopped.

The processes are forks of one that has imported Jupyter's libraries: a notebook needs two, and importing took four seconds in each.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

IMPORTED = ["papermill", "nbclient", "jupyter_client.manager", "ipykernel.kernelspec", "nbval.plugin"]
STOPPING = 20.0
"""Seconds for what is interrupted to end what it has started."""


class Died(RuntimeError):
    """The process ended before it had an answer. The message has its exit code and the last that it printed."""


def apart(timeout: float, task: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
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
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile("r", errors="replace") as said, receiver:
        process = context.Process(
            target=_there, args=(sender, said.name, dict(os.environ), os.getcwd(), task, arguments), daemon=True
        )
        process.start()
        sender.close()
        try:
            if not receiver.poll(timeout):
                raise TimeoutError(f"it was not done after {timeout:.0f} seconds")
            answer = receiver.recv()
        except EOFError:
            process.join()
            raise Died(f"it ended with exit code {process.exitcode}:\n{said.read()[-2000:]}") from None
        finally:
            _end(process)
        return answer, said.read()


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """Waits for a process that has answered; interrupts one that has not, and kills it when that does not help."""
    process.join(1)
    if process.is_alive():
        os.kill(process.pid, signal.SIGINT)
        process.join(STOPPING)
    if process.is_alive():
        process.kill()
        process.join()


def _there(
    sender: Connection,
    said: str,
    environment: Mapping[str, str],
    folder: str,
    task: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """In the process itself: the caller's environment and folder, its own output, then the call."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    output = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sender.send(task(*arguments))
