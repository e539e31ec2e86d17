"""The pipeline that watches a served model: log and labels in, a report out, with a metadata store of its own.

    ServedExampleGen -> StatisticsGen ----+
        |                                 v
        +---------> ModelInService ---> Watch -> MonitoringReport

What decides whether the cache has it already are the contents of log and labels, settings, schema and code. So a watch that is made again
when labels have come is another report, and one that is made again for nothing is the same.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode

from engines import local, sources, store
from engines.beam import BEAM_ARGS
from engines.common import Report as Progress
from engines.events import CONTENTS, Graph
from operation import served_examples, watching
from operation.components import ModelInService, MonitoringReport, ServedExampleGen, Watch
from operation.config import METRICS, PAGE, REPORT, WatchConfig
from operation.report import Report

Schema = Callable[[], BaseNode]
"""Makes the component that gives the project's schema as its output `schema`."""


class NoReportError(LookupError):
    """There is no report yet."""


def create_components(config: WatchConfig, schema: Schema) -> dict[str, BaseNode]:
    """The components by their id, in the order in which they depend on each other.

    Args:
        config: the watch. Its files are looked at now; what is written to a log afterwards is for the next watch.
        schema: of the project: which columns are compared, how, and how far they may be apart.

    Raises:
        FileNotFoundError: there is no log.
    """
    contract = schema()
    contents, sizes = served_examples.noted(config.log, config.labels, config.labels_before)
    given = {"project": config.project, "first": config.first, "last": config.last}
    served = ServedExampleGen(
        schema=contract.outputs["schema"],
        log=json.dumps(config.log),
        before=config.before,
        contents=contents,
        sizes=sizes,
        **given,
    )
    statistics = tfx.components.StatisticsGen(examples=served.outputs["examples"])
    released = ModelInService(
        served=served.outputs["served"], project=config.project, store=config.store, pipeline=config.pipeline
    )
    watch = Watch(
        served=served.outputs["served"],
        statistics=statistics.outputs["statistics"],
        schema=contract.outputs["schema"],
        released=released.outputs["released"],
        requests=config.requests,
        **given,
    )
    code = sources.fingerprint("operation.components", config.project.partition(":")[0])
    for node in (served, released, watch):
        node.exec_properties["source"] = code  # of a function the cache sees the name
    return {node.id: node for node in (contract, served, statistics, released, watch)}


def create_pipeline(config: WatchConfig, schema: Schema, beam_args: Sequence[str] = BEAM_ARGS) -> tfx.dsl.Pipeline:
    """The pipeline with its name, its metadata store and its cache, for a runner."""
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=list(create_components(config, schema).values()),
        enable_cache=config.enable_cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
        beam_pipeline_args=list(beam_args),
    )


def run(
    config: WatchConfig, schema: Schema, progress: Progress = lambda _: None, now: watching.Clock | None = None
) -> Report:
    """Watches, in this process; the report is published in `config.output_root`, each file of it whole at any moment.

    Args:
        config: the watch.
        schema: as `create_components` takes it.
        progress: called after each component.
        now: a clock, by which the report is made; None: this machine's.

    Raises:
        engines.errors.BadData: log or labels cannot be read, or are about other days.
        FileNotFoundError: there is no log.
        engines.errors.AlreadyRunningError: another process is watching in the same folder.
    """
    with watching.by(now):
        local.run(config, lambda given, beam_args: create_pipeline(given, schema, beam_args), progress)
    made = newest(config)
    publish(made, config.output_root)
    return Report.load(made / REPORT)


def newest(config: WatchConfig) -> Path:
    """The folder of the report that was made, or taken from the cache, last.

    Raises:
        NoReportError: there is none.
    """
    return Path(Graph(store.open_store(config)).artifacts[_newest(config)].uri)


def publish(report: Path, folder: str | Path) -> None:
    """Copies the files of a report to where they are looked for: each beside its place, and then moved."""
    for name in (METRICS, PAGE, REPORT):
        unfinished = Path(folder) / f"{name}.unfinished"
        shutil.copyfile(report / name, unfinished)
        os.replace(unfinished, Path(folder) / name)


def made_of(config: WatchConfig) -> dict[str, dict[str, str]]:
    """What the newest report was made of, by the metadata store: `{"log": {path: SHA-256}, "labels": ..., "labels before": ...}`.

    Raises:
        NoReportError: there is none.
    """
    graph = Graph(store.open_store(config))
    for execution in graph.before(_newest(config)):
        for examples in graph.made_of(execution, "Examples"):
            return dict(graph.properties(examples)[CONTENTS])
    return {}


def _newest(config: WatchConfig) -> int:
    graph = Graph(store.open_store(config))
    made = {one: graph.made_of(one, MonitoringReport.TYPE_NAME) for one in sorted(graph.executions)}
    found = [numbers[0] for numbers in made.values() if numbers]
    if not found:
        raise NoReportError(f"{config.metadata_path}: there is no report. Run a watch.")
    return found[-1]
