"""Runs the whole pipeline in this process, component by component, with TFX's LocalDagRunner."""

from __future__ import annotations

import dataclasses
import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tfx import v1 as tfx
from tfx.orchestration.portable import launcher

from flights import data, store
from flights.config import Config
from flights.pipeline import create_pipeline


@dataclasses.dataclass(frozen=True)
class NodeReport:
    """How one node of a run went.

    Attributes:
        node: its id.
        state: `done`, or `cached` when an earlier execution's artifacts were used.
        seconds: wall time.
    """

    node: str
    state: str
    seconds: float


class AlreadyRunningError(RuntimeError):
    """Another run uses the same output folder."""


def run(config: Config, report: Callable[[NodeReport], None] = lambda _: None) -> list[NodeReport]:
    """Runs every component once, in order, and stops at the first that fails.

    What an earlier run left behind when it was killed is put in order first; its finished components are taken from the cache.

    Args:
        config: the run.
        report: called after each node.

    Raises:
        AlreadyRunningError: another process runs this pipeline in the same folder.
        flights.data.DataError, flights.gate.BadDataError: the data cannot be read, or break the contract.
    """
    reports: list[NodeReport] = []

    def on_node(node: str, seconds: float) -> None:
        state = "cached" if store.newest_was_cached(config) else "done"
        reports.append(NodeReport(node, state, seconds))
        report(reports[-1])

    _require_months(config)
    with _lock(Path(config.output_root)):
        store.repair(config)
        pipeline = create_pipeline(config)
        try:
            with _watched(on_node):
                tfx.orchestration.LocalDagRunner().run(pipeline)
        except BaseException:
            store.repair(config)  # an interrupted component, or one whose driver failed, is left as RUNNING
            raise
    return reports


def _require_months(config: Config) -> None:
    """Names the months that are not there; ExampleGen's driver would only name its pattern."""
    first, last = config.months
    paths = [data.month_path(config.data_root, month) for month in range(first, last + 1)]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise data.DataError(f"{', '.join(missing)}: no such file. Is the month there? `make data` builds all twelve.")


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"Another run is using {folder}: wait for it to end, or choose another --output-root."
            ) from None
        yield


@contextmanager
def _watched(on_node: Callable[[str, float], None]) -> Iterator[None]:
    """Tells of each node that LocalDagRunner launches; it offers no hook of its own."""
    launch = launcher.Launcher.launch

    def timed_launch(self: launcher.Launcher) -> object:
        started = time.monotonic()
        info = launch(self)
        on_node(self._pipeline_node.node_info.id, time.monotonic() - started)
        return info

    launcher.Launcher.launch = timed_launch
    try:
        yield
    finally:
        launcher.Launcher.launch = launch
