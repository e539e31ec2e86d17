"""Errors that are meant: in a cell tagged `raises-exception`, the message is shown without the frames that lead to it."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from course.live import ipython

TAG = "raises-exception"


def register() -> None:
    """Shortens meant errors in this kernel. All others are shown as ever. Does nothing outside of Jupyter's kernels."""
    shell = ipython()
    if shell is not None and hasattr(shell, "kernel"):
        shell.set_custom_exc((Exception,), _show)


def meant(request: Any) -> bool:
    """Whether the cell that is running carries the tag: front ends send a cell's metadata along with its code."""
    return TAG in ((request or {}).get("metadata") or {}).get("tags", ())


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Shows an error, as IPython calls it."""
    short = meant(shell.get_parent()) and not issubclass(kind, SyntaxError)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset, exception_only=short)
