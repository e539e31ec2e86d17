"""Runs the whole pipeline in this process, component by component, with TFX's LocalDagRunner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfx import v1 as tfx
from tfx.orchestration.portable import launcher

from engines import partial, store, store_file
from engines.beam import BEAM_ARGS
from engines.common import NodeReport, Report, one_at_a_time, require_inputs
from engines.settings import Settings

Create = Callable[[Any, Sequence[str]], tfx.dsl.Pipeline]
"""Makes the pipeline from the configuration of a run and from what Beam is told."""


def run(
    config: Settings,
    create: Create,
    report: Report = lambda _: None,
    beam_args: Sequence[str] = BEAM_ARGS,
    first: str = "",
    last: str = "",
) -> list[NodeReport]:
    """Runs every component once, in order, and stops at the first that fails.

    What an earlier run left behind when it was killed is put in order first; its finished components are taken from the cache.

    Args:
        config: the run.
        create: makes the pipeline from `config` and `beam_args`.
        report: called after each node.
        beam_args: where the components that use Beam have it run.
        first: run only from the component of this id on; the outputs of those before it are an earlier run's.
        last: run only up to the component of this id.

    Raises:
        engines.errors.AlreadyRunningError: another process runs this pipeline in the same folder.
        engines.errors.BadData: the data cannot be read, or break the contract.
        engines.errors.EngineError: the inputs of a node could not be found.
        ValueError: `first` or `last` is no component, or no earlier run has what the part builds on.
    """
    reports: list[NodeReport] = []

    def on_node(node: str, seconds: float) -> None:
        state = "cached" if store.newest_was_cached(config) else "done"
        reports.append(NodeReport(node, state, seconds))
        report(reports[-1])

    require_inputs(config)
    with one_at_a_time(Path(config.output_root)):
        store.repair(config)
        pipeline = create(config, beam_args)
        part = partial.options(config, pipeline, first, last) if first or last else None
        try:
            with store_file.explained(config.metadata_path), _watched(on_node):
                tfx.orchestration.LocalDagRunner().run(pipeline, run_options=part)
        except BaseException:
            store.repair(config)  # an interrupted component, or one whose driver failed, is left as RUNNING
            raise
    return reports


@contextmanager
def _watched(on_node: Callable[[str, float], None]) -> Iterator[None]:
    """Tells of each node that LocalDagRunner launches; it offers no hook of its own."""
    launch = launcher.Launcher.launch

    def timed_launch(self: launcher.Launcher) -> object:
        started = time.monotonic()
        try:
            info = launch(self)
        except Exception as error:
            error.failed_node = self._pipeline_node.node_info.id  # for `engines.ending.words`
            raise
        on_node(self._pipeline_node.node_info.id, time.monotonic() - started)
        return info

    launcher.Launcher.launch = timed_launch
    try:
        yield
    finally:
        launcher.Launcher.launch = launch
