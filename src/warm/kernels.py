"""Jupyter's kernels from a warm process: the first cell that needs TFX takes a second instead of ten or more.

Jupyter asks a kernel provisioner to start a kernel, and the course's kernel names this one. JupyterLab, papermill, nbclient, nbval and nbgrader need
not know. Where no process can be forked, the kernel is started as Jupyter does it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning import LocalProvisioner

from warm.client import FORKS, SOCKET, Fork, Warm, WarmError

IMPORTED = (
    "tensorflow",
    "keras",
    "tensorflow_transform",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tfx.v1",
    "tfx.orchestration.experimental.interactive.interactive_context",
    "tfx.components.evaluator.executor",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipywidgets",
    "matplotlib_inline.backend_inline",
    "matplotlib",
    "pandas",
    "pyarrow.csv",
)
"""Libraries only: what a project has written is imported in the kernel, so that a restart reads what was edited."""

LINGER = 60.0
"""Seconds that the process lives on after the last kernel has ended: another notebook may be opened."""

OFF = "WARM_KERNELS"
"""Environment variable: `no` has each kernel start as Jupyter starts it."""


def server(environment: Mapping[str, str]) -> Warm:
    """The process that this user's kernels are forked from; started if it is not there.

    Args:
        environment: of the kernel.

    Raises:
        WarmError: it cannot be started.
    """
    return Warm.shared(IMPORTED, environment, LINGER)


def prepare(kernel: str) -> Warm | None:
    """Starts the process before the first kernel is asked for; it lives at least as long as what is returned.

    Args:
        kernel: name of its specification, which says what environment it gets.

    Returns:
        None where there is no such process: kernels start as Jupyter starts them.
    """
    if not FORKS or os.environ.get(OFF) == "no":
        return None
    try:
        return _held.setdefault(kernel, server(os.environ | KernelSpecManager().get_kernel_spec(kernel).env))
    except (OSError, WarmError, NoSuchKernel):
        return None  # the first kernel tries again, and says why


_held: dict[str, Warm] = {}


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel as a fork of a process that has made the imports."""

    _warm: Warm | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Starts the kernel; `cmd` is the command of its specification."""
        environment = dict(kwargs.get("env") or os.environ)
        if not FORKS or environment.get(OFF) == "no" or "ipykernel_launcher" not in cmd:
            return await super().launch_kernel(cmd, **kwargs)
        self._release()
        try:
            # In a thread: while the process makes its imports, Jupyter has others to serve.
            self.process = await asyncio.to_thread(self._fork, cmd, environment, kwargs)
        except (OSError, WarmError) as error:
            self.log.warning("The kernel starts without a warm process: %s", error)
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid  # the fork has begun a session of its own
        return self.connection_info

    def _fork(self, cmd: list[str], environment: Mapping[str, str], settings: Mapping[str, Any]) -> Fork:
        self._warm = server(environment)
        files = [0, *(_descriptor(settings.get(name), number) for number, name in ((1, "stdout"), (2, "stderr")))]
        with open(os.devnull) as nothing:
            files[0] = nothing.fileno()
            return self._warm.fork(
                "warm.kernels",
                "launch",
                cmd[cmd.index("ipykernel_launcher") + 1 :],
                environment={**environment, SOCKET: str(self._warm.path)},  # for what the notebook starts
                folder=settings.get("cwd"),
                files=files,
            )

    async def cleanup(self, restart: bool = False) -> None:
        """Lets go of the process, when the kernel has ended."""
        await super().cleanup(restart)
        self._release()

    def _release(self) -> None:
        if isinstance(self.process, Fork):
            self.process.close()
        if self._warm:
            self._warm.end()
            self._warm = None


def _descriptor(file: Any, number: int) -> int:
    """The descriptor of a file that Jupyter wants a kernel's output in; its own where it does not say."""
    return file.fileno() if hasattr(file, "fileno") else file if isinstance(file, int) and file >= 0 else number


def launch(arguments: list[str], program: Any = None) -> None:
    """In the fork: the kernel, as `python -m ipykernel_launcher` starts it.

    Args:
        arguments: of its command.
        program: Jupyter's `IPKernelApp`, or a class that is made from it.
    """
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *arguments]
    # A kernel that knows of no parent takes itself for one that was started by hand, and says so.
    kernel = (program or IPKernelApp).instance()
    kernel.initialize([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])
    _as_in_a_notebook()
    kernel.start()


def _as_in_a_notebook() -> None:
    """Mends what libraries decide at their import by where they are: they were imported before there was a notebook."""
    import absl.logging
    import matplotlib
    import pandas as pd

    matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]  # the kernel has set it
    sys.modules.pop(
        "matplotlib_inline.backend_inline", None
    )  # imported anew, it has figures shown at the end of a cell
    pd.set_option("display.max_columns", 20)  # at a terminal, tables are as wide as that
    # What is logged is to be seen in the notebook, as if the first that logs something had set up where it goes.
    logging.root.handlers.clear()
    absl.logging.get_absl_handler().python_handler.stream = sys.stderr
