"""A sign of life: a bar under each cell that takes long, with what is running, gone as soon as the cell ends."""

from __future__ import annotations

import contextlib
import linecache
import re
import sys
import threading
import time
from collections.abc import Iterator
from html import escape
from types import FrameType
from typing import Any

from course import live, style

PATIENCE = 3.0
"""Seconds before the bar appears: most cells are done by then."""
PERIOD = 1.0
"""Seconds between two looks at what is running."""


def register() -> None:
    """Watches the cells of this kernel. Does nothing where nobody is watching, so that stored outputs stay as they are."""
    shell = live.ipython()
    if shell is None or hasattr(shell, "course_progress") or not live.front_end():
        return
    shell.course_progress = bar = Bar()
    shell.events.register("pre_run_cell", lambda info: bar.start())
    # IPython calls it after errors and interruptions too.
    shell.events.register("post_run_cell", lambda result: bar.stop())


class Bar:
    """The bar of the cell that is running."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the clock; after `PATIENCE` seconds the bar appears."""
        self.stop()
        self._ended = threading.Event()
        ident = threading.get_ident()
        self._thread = threading.Thread(
            target=self._watch, args=(self._ended, ident), daemon=True, name="course-progress"
        )
        self._thread.start()

    def stop(self) -> None:
        """Removes the bar, if it has appeared."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self._thread = None

    @staticmethod
    def _watch(ended: threading.Event, ident: int) -> None:
        """Runs beside the cell: shows the bar, keeps it up to date, takes it away."""
        from IPython.display import display

        started, handle = time.monotonic(), None
        if ended.wait(PATIENCE):
            return
        while not ended.is_set():
            # The kernel flushes both streams before it shows something. A cell may have taken them away: `redirect_stdout(None)`.
            if sys.stdout is not None and sys.stderr is not None:
                with contextlib.suppress(AttributeError):  # taken away in between
                    if handle is None:
                        handle = display(_bar(started, ident), raw=True, display_id=True)
                    else:
                        handle.update(_bar(started, ident), raw=True)
            ended.wait(PERIOD)
        if handle is not None:
            handle.update({"text/plain": ""}, raw=True)


def _bar(started: float, ident: int) -> dict[str, str]:
    seconds = int(time.monotonic() - started)
    words, done = what_runs(sys._current_frames().get(ident))
    value = "" if done is None else f' value="{done:.2f}"'
    # Without a value the browser itself moves the bar: no script is needed.
    markup = (
        f'<div style="display: flex; gap: 10px; align-items: center; color: var(--jp-ui-font-color2, {style.MUTED}); '
        f'font-size: 0.9em;"><progress{value} style="width: 160px; flex: none; accent-color: {style.BLUE};" '
        f'aria-label="running"></progress><span style="white-space: nowrap;">{seconds} s</span><code>{escape(words)}</code></div>'
    )
    return {"text/html": markup, "text/plain": f"{seconds} s: {words}"}


def what_runs(frame: FrameType | None) -> tuple[str, float | None]:
    """Looks at the running stack: the TFX component or what a check tries, if there is one, else the line of the cell; and the share that is done.

    Args:
        frame: the innermost frame of the thread that runs the cell.

    Returns:
        What runs, and how far it is from 0 to 1, where that is known (a pipeline that runs node after node, a trial with its steps).
    """
    component, line, done = "", "", None
    for one in _stack(frame):
        module, here = one.f_globals.get("__name__", ""), one.f_locals
        if module == "tfx.orchestration.portable.launcher" and not component:
            component = _get(here, "self", "_pipeline_node", "node_info", "id") or ""
        elif module == "tfx.orchestration.experimental.interactive.interactive_context" and not component:
            component = _get(here, "component", "id") or ""
        elif module.startswith("tfx.orchestration.local.local_dag_runner") and component:
            done = _share(here, component)
        elif module == "course.trials.__main__" and "number" in here:
            done = here["number"] / len(here["trial"]["steps"])
        elif module == "judges.trial" and not component:
            component = _get(here, "trial", "title") or ""
        if re.search(r"ipykernel_\d+", one.f_code.co_filename):
            line = linecache.getline(one.f_code.co_filename, one.f_lineno).strip()
    return component or line or "running", done


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _get(names: dict[str, Any], first: str, *rest: str) -> Any:
    """An attribute of a local variable, or None."""
    value = names.get(first)
    for name in rest:
        value = getattr(value, name, None)
    return value


def _share(names: dict[str, Any], component: str) -> float | None:
    """How much of a pipeline's nodes are behind the one that runs."""
    nodes = _get(names, "pipeline", "nodes") or []
    order = [_get({"node": node}, "node", "pipeline_node", "node_info", "id") for node in nodes]
    return order.index(component) / len(order) if component in order else None
