"""The memory that this process has at most while something is done."""

from __future__ import annotations

import contextlib
import re
import resource
import sys
from pathlib import Path
from types import TracebackType

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
"""Of Linux: 5 into the first sets the peak in the second to what is used now (proc_pid_clear_refs(5))."""


class Peak:
    """Measures while it is entered.

    Attributes:
        gb: at most, in GB; where no peak can be reset, that of the process so far.
    """

    gb = 0.0

    def __enter__(self) -> Peak:
        """Begins."""
        with contextlib.suppress(OSError):
            RESET.write_text("5")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends."""
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self.gb = (int(found[1]) * 1024 if found else most) / 1e9
