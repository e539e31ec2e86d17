"""How `make lab` runs JupyterLab: for this machine only, without asking the internet for anything, and quietly."""

import logging
import os
import threading
from pathlib import Path

from warm import kernels

c = get_config()  # noqa: F821 (Jupyter defines it)

c.ServerApp.ip = "127.0.0.1"
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[2])
c.ServerApp.allow_root = os.name == "posix" and os.geteuid() == 0  # in a container one often is
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
c.LabApp.extension_manager = "readonly"
c.MappingKernelManager.kernel_info_timeout = 120
c.MappingKernelManager.transport_encryption = "auto"  # between server and kernel; without it, each kernel warns

# TFX is imported while the reader opens a notebook, in the process that kernels are forked from; it ends with this server.
threading.Thread(target=kernels.prepare, args=["mlops-course"], daemon=True).start()

HARMLESS = (
    "is not trusted",  # a notebook that was not run here yet: its outputs are shown, their scripts do not run
    "The websocket_ping_timeout (90000) cannot be longer",  # jupyter_server gives tornado milliseconds for seconds
)


def meant(record: logging.LogRecord) -> bool:
    """Whether a message says anything to who sees it."""
    return not any(words in record.getMessage() for words in HARMLESS)


c.Application.log_level = "WARN"  # the address is shown all the same
c.Application.logging_config = {
    "filters": {"meant": {"()": lambda: meant}},
    "handlers": {"console": {"filters": ["meant"]}},
}
