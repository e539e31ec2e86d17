"""One node of the pipeline, in a process of the environment that has TFX: the command of every task.

It does for one node what TFX's LocalDagRunner does for all: the compiled pipeline, with the id of this run put in, and TFX's launcher, which asks
the metadata store for the node's inputs, looks into the cache, runs the executor, and publishes what came of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import absl.logging

from engines.airflow.project import CONCLUDE, DECIDE, Project, ProjectError, load
from engines.errors import BadData
from engines.settings import Settings
from warm import client
from warm.loading import quickly

if TYPE_CHECKING:
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as mlmd
    from tfx.proto.orchestration import pipeline_pb2

BAD_DATA = os.EX_DATAERR
"""Exit status when the data are bad: the next try would fail as well."""

SKIPPED = 99
"""Exit status when the node decided that it need not run; Airflow's own BashOperator takes the same number."""

Tries = dict[str, list[tuple[str, "mlmd.Execution"]]]
"""For each node, the executions within one run of Airflow, in order, each with the id of its pipeline run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one node; returns the exit status. The last line that was printed begins with the name of the error, if there was one."""
    # What TFX warns of, such as queries that this build of the metadata store does not know, is nobody's to mend.
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        project, options = _told(arguments)
        spans = project.spans(None, options.spans)
        if options.node in (DECIDE, CONCLUDE):
            state = _ask(project, spans, options.run, options.node)
        else:
            state = run_node(project, spans, options.run, options.node)
    except Exception as error:
        if not isinstance(error, ProjectError):
            traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return BAD_DATA if isinstance(error, BadData) else 1
    print(f"{options.node}: {state}", flush=True)
    return SKIPPED if state == "skipped" else 0


def _told(arguments: Sequence[str] | None) -> tuple[Project, argparse.Namespace]:
    """The project, and what the command is told; the option with the spans has the name of the configuration's field, such as `--months`."""
    parser = argparse.ArgumentParser(prog="engines.airflow.step", description=__doc__.partition("\n")[0])
    parser.add_argument("node", help=f"its id; or {DECIDE} or {CONCLUDE}, for the project's own functions")
    parser.add_argument("--run", required=True, metavar="ID", help="of the DAG run: the same for all its tasks")
    parser.add_argument("--project", required=True, metavar="FILE", help="an engines.airflow.project.Project, as JSON")
    project = load(Path(parser.parse_known_args(arguments)[0].project).read_text())
    asked = f"first and last {project.calendar.unit}; the last is judged"
    parser.add_argument(f"--{project.calendar.field}", dest="spans", required=True, metavar="1-3", help=asked)
    return project, parser.parse_args(arguments)


def _ask(project: Project, spans: tuple[int, int], run: str, name: str) -> str:
    """What a project's own function says: of `decide` as JSON, of `conclude` a sentence. It takes the pipeline's folder itself where it needs it."""
    said = project.hook(name)(project.make_config(spans), run)
    return json.dumps(dataclasses.asdict(said)) if name == DECIDE else said


def run_node(project: Project, spans: tuple[int, int], run: str, node: str) -> str:
    """Runs a node, once the pipeline's folder is free.

    Args:
        project: the pipeline.
        spans: first and last.
        run: id of the DAG run.
        node: its id.

    Returns:
        `done`, `cached`, or `skipped`.

    Raises:
        ProjectError: there is no such node.
        Exception: what the node raises.
    """
    config = project.make_config(spans)
    with alone(Path(config.output_root)):
        with quickly():
            from engines import store

            store.repair(config)  # nobody else is running: what is unfinished was killed
            tries = _tries(store.open_store(config), config, run)
            compiled = _compiled(project, config, run, _last_begun(tries, node))
        return _launch(compiled, config, run, node, tries)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until nobody else runs this pipeline in its folder.

    The metadata store is an SQLite file: of two nodes that publish at once, one would be told that the database is locked. And
    only who is alone may call an unfinished execution dead. A run in the foreground takes the same lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another step or run is using {folder}: waiting for it to end.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compiled(project: Project, config: Settings, run: str, not_before: float) -> pipeline_pb2.Pipeline:
    """The pipeline, compiled once for all steps of a run, and again for a node that was run before: something may have been mended.

    Compiling imports all of TFX, twice as much as launching a node does.

    Args:
        project: the pipeline.
        config: of this run.
        run: id of the DAG run.
        not_before: what was compiled before this time, in seconds of the epoch, is not taken.
    """
    # By the folder's name: after it was moved or copied, what was compiled before would write where it was then.
    place = hashlib.sha256(str(Path(config.output_root).absolute()).encode()).hexdigest()[:16]
    kept = Path(config.output_root) / "airflow" / "compiled" / place / f"{run}.pb"
    if kept.exists() and kept.stat().st_mtime > not_before:
        from tfx.proto.orchestration import pipeline_pb2

        return pipeline_pb2.Pipeline.FromString(kept.read_bytes())
    from tfx.dsl.compiler import compiler

    compiled = compiler.Compiler().compile(project.create()(config))
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(".new")
    beside.write_bytes(compiled.SerializeToString(deterministic=True))
    beside.replace(kept)
    return compiled


def _tries(opened: MetadataStore, config: Settings, run: str) -> Tries:
    """What has been run so far under the id of this DAG run: `RUN`, then `RUN.2`, and so on."""
    found: Tries = {}
    number, prefix = 1, f"{config.pipeline_name}."
    while context := opened.get_context_by_type_and_name("pipeline_run", _numbered(run, number)):
        for execution in opened.get_executions_by_context(context.id):
            for of_node in opened.get_contexts_by_execution(execution.id):
                if of_node.type == "node" and of_node.name.startswith(prefix):
                    found.setdefault(of_node.name.removeprefix(prefix), []).append((context.name, execution))
        number += 1
    return found


def _numbered(run: str, number: int) -> str:
    return run if number == 1 else f"{run}.{number}"


def _last_begun(tries: Tries, node: str) -> float:
    """When the node's latest execution began, in seconds of the epoch; 0 if it had none."""
    return max((execution.create_time_since_epoch / 1000 for _, execution in tries.get(node, [])), default=0.0)


def _launch(pipeline: pipeline_pb2.Pipeline, config: Settings, run: str, node: str, tries: Tries) -> str:
    """Launches the node as LocalDagRunner would.

    TFX takes an execution that has succeeded in a pipeline run for done, and leaves quietly; in Airflow, a task that is cleared is to
    be run again. So a node's second execution in a DAG run is a pipeline run of its own, and reads what those before it made last.
    """
    with quickly():
        from tfx.dsl.compiler import constants
        from tfx.orchestration import metadata
        from tfx.orchestration.local import runner_utils
        from tfx.orchestration.portable import launcher, runtime_parameter_utils

        from engines import store

    found = next((one.pipeline_node for one in pipeline.nodes if one.pipeline_node.node_info.id == node), None)
    if found is None:
        known = ", ".join(one.pipeline_node.node_info.id for one in pipeline.nodes)
        raise ProjectError(f"The pipeline has no node {node!r}; it has {known}.")
    own = _numbered(run, len(tries.get(node, [])) + 1)
    runtime_parameter_utils.substitute_runtime_parameter(pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: own})
    successes = {
        one: [id_ for id_, execution in of_one if execution.last_known_state in store.SUCCEEDED]
        for one, of_one in tries.items()
    }
    _read_from(found, {one: ids[-1] for one, ids in successes.items() if ids})

    deployment = runner_utils.extract_local_deployment_config(pipeline)
    connection = deployment.metadata_connection_config
    with quickly():  # it imports the executor
        launching = launcher.Launcher(
            pipeline_node=found,
            mlmd_connection=metadata.Metadata(getattr(connection, connection.WhichOneof("connection_config"))),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, node),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node),
        )
    started = time.monotonic()
    try:
        launching.launch()
    except BaseException:
        store.repair(config)  # an interrupted component, or one whose driver failed, is left as RUNNING
        raise
    print(f"{node}: {time.monotonic() - started:.1f} s in TFX, as pipeline run {own}", flush=True)
    return _outcome(config, own, node)


def _read_from(node: pipeline_pb2.PipelineNode, runs: dict[str, str]) -> None:
    """Has the node read each input from the pipeline run in which its producer last succeeded."""
    for spec in node.inputs.inputs.values():
        for channel in spec.channels:
            for query in channel.context_queries:
                if query.type.name == "pipeline_run" and channel.producer_node_query.id in runs:
                    query.name.field_value.string_value = runs[channel.producer_node_query.id]


def _outcome(config: Settings, own: str, node: str) -> str:
    """How the node's execution ended: the launcher returns as if nothing were wrong when it could not find its inputs.

    Raises:
        RuntimeError: it has failed.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    from engines import store

    opened = store.open_store(config)
    executions = [execution for id_, execution in _tries(opened, config, own).get(node, []) if id_ == own]
    if not executions:
        return "skipped"
    state = executions[-1].last_known_state
    if state not in store.SUCCEEDED:
        raise RuntimeError(
            f"{node} found its inputs missing, and did not run: did a node before it write them? "
            f"Its execution {executions[-1].id} in {config.metadata_path} is {mlmd.Execution.State.Name(state)}."
        )
    return "cached" if state == mlmd.Execution.CACHED else "done"


def forked(arguments: Sequence[str]) -> int | None:
    """Has the warm process of this run take the step, which writes to where this process does, and ends with it.

    A task of Airflow starts a process for its step, which first imports TFX: ten times ten seconds in a run. Where a run goes on in the
    foreground, a process that has made the imports is kept beside it.

    Returns:
        The exit status of the step; None when there is no such process.
    """
    return client.forked("engines.airflow.step", "main", list(arguments))


if __name__ == "__main__":
    status = forked(sys.argv[1:])
    sys.exit(main() if status is None else status)
