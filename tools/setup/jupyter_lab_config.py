"""How `make lab` runs JupyterLab: for this machine only, without asking the internet for anything."""

import os
from pathlib import Path

c = get_config()  # noqa: F821 (Jupyter defines it)

c.ServerApp.ip = "127.0.0.1"
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[2])
c.ServerApp.allow_root = os.name == "posix" and os.geteuid() == 0  # in a container one often is
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
c.LabApp.extension_manager = "readonly"
c.Application.log_level = "WARN"  # the address is shown all the same
c.MappingKernelManager.kernel_info_timeout = 120
