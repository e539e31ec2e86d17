"""Is somebody watching? Decides between a live view and what may be stored in a committed notebook."""

from __future__ import annotations

import os
import sys


def front_end() -> bool:
    """True where a person runs cells and sees their output at once: JupyterLab, Notebook, VS Code, Colab.

    False under papermill, nbval, nbclient and in a plain Python process: there, outputs must be stable and stand on
    their own. `COURSE_LIVE=1` or `COURSE_LIVE=0` decides by hand.

    `JPY_SESSION_NAME` is set by Jupyter's server for the kernels (not the terminals) that it starts.
    """
    forced = os.environ.get("COURSE_LIVE")
    if forced is not None:
        return forced not in ("", "0")
    shell = ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return False
    in_code = "__vsc_ipynb_file__" in shell.user_ns
    return "JPY_SESSION_NAME" in os.environ or in_code or "google.colab" in sys.modules


def ipython():
    """The running IPython shell, or None outside IPython. Does not import IPython by itself."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None
