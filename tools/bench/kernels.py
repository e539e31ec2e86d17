"""The first cell that needs TFX, in a new kernel: one that Jupyter starts, and one that the warm process forks, side by side."""

from __future__ import annotations

import os
import tempfile
import time

import psutil
from jupyter_client.manager import start_new_kernel

from tools.bench.process import Row
from warm import kernels

FIRST_CELL = "from tfx import v1 as tfx; import course"


def first_cells() -> list[Row]:
    """Seconds from the order to start a kernel until its first cell has TFX; processor seconds are those of the kernel."""
    was = {name: os.environ.get(name) for name in (kernels.OFF, "XDG_RUNTIME_DIR")}
    with tempfile.TemporaryDirectory() as folder:  # a server of this measurement's own
        os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            os.environ[kernels.OFF] = "no"
            cold = _first_cell()[:3]
            os.environ[kernels.OFF] = ""
            # The first finds the process that forks still importing; it is what waits, or has a notebook open, meanwhile.
            early, warm = _first_cell(), _first_cell()
        finally:
            for name, value in was.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    remark = f"the process that forks has {warm[3]:.2f} GB, which its kernels share; each kernel {warm[2]:.2f} GB, most of it shared"
    return [
        Row("first TFX cell of a new kernel, started by Jupyter", *cold, ""),
        Row("the same, forked, the warm process not there yet", *early[:3], ""),
        Row("the same, forked, the warm process ready", *warm[:3], "1.5 s", remark),
    ]


def _first_cell() -> tuple[float, float, float, float]:
    """Wall and processor seconds, memory of the kernel and of its parent in GB."""
    started = time.monotonic()
    manager, client = start_new_kernel(kernel_name="mlops-course", startup_timeout=300)
    try:
        client.execute_interactive(FIRST_CELL, timeout=300, output_hook=lambda _: None)
        wall = time.monotonic() - started
        kernel = psutil.Process(manager.provisioner.process.pid)
        used = kernel.cpu_times()
        memory = [process.memory_info().rss / 1e9 for process in (kernel, kernel.parent())]
        return wall, used.user + used.system, *memory
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
