"""The kernel of the course: IPython's, which names its language alike on every machine.

JupyterLab writes into a notebook what its kernel says of its language, with the patch release of Python. The committed notebooks say
what this kernel says, so that one that is only opened stays as it is, whatever patch release of Python 3.11 a machine has.
"""

from __future__ import annotations

import sys

from ipykernel.ipkernel import IPythonKernel


class Kernel(IPythonKernel):
    """IPython's kernel; `tools/setup/kernel.json` names this class."""

    language_info = IPythonKernel.language_info | {"version": "{}.{}".format(*sys.version_info)}
