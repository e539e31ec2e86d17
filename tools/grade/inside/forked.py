"""The kernel as a fork of this process, which has imported TFX and is confined already, before any line of the submission runs.

The process becomes `run` afterwards, with the kernel as its child. What a kernel inherits is libraries: what has been imported here is the same for each
submission, and nothing of it is shared.
"""

from __future__ import annotations

import os
import sys
import tempfile

from jupyter_client.connect import write_connection_file

from tools.grade.confine import system
from warm import kernels

IMPORTED = (*kernels.IMPORTED, "jupyter_client.connect", "matplotlib.font_manager")
"""What a warm process for grading imports: libraries, and nothing that knows a submission."""

OPTIONS = ("--IPKernelApp.log_level=50", "--HistoryManager.enabled=False")


def connection() -> str:
    """The file by which a kernel and who asks it find each other."""
    folder = tempfile.mkdtemp(prefix="k")
    file, _ = write_connection_file(
        f"{folder}/kernel.json", ip=f"{folder}/k", transport="ipc", key=os.urandom(16).hex().encode()
    )
    return file


def fork(environment: dict[str, str], own_session: bool) -> list[str]:
    """Forks the kernel.

    Args:
        environment: its variables.
        own_session: whether it begins a session.

    Returns:
        Its process id and connection file, as arguments of `run`.
    """
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # of the environment before
    file = connection()
    pid = os.fork()
    if pid:
        return [str(pid), file]
    try:
        os.close(3)  # the way to what watches
        system.show_memory()  # as of a program that was started: to itself
        if own_session:
            os.setsid()
        from tools.grade.inside.kernel import App  # reads the environment

        kernels.launch(["-f", file, *OPTIONS], App)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)
