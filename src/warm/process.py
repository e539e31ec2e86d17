"""A process that ends with its parent."""

from __future__ import annotations

import ctypes
import signal
import sys


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """In a child that was just started: it is killed, or sent another signal, when its parent ends, however that ends.

    A step that went on writing after its run was killed with -9 would meet the next run. Linux only; elsewhere the child goes on.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, number)
