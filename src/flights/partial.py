"""Part of a pipeline: from a component on, or up to one; what is before comes from an earlier run.

TFX marks the nodes and reuses the artifacts (its `RunOptions`). Left to itself it takes whatever the latest run
was, for other months or with other settings, and with a baseline that is no longer the latest; a run that lacks a component ends
in an error and becomes, as it is now the latest, the one that the next attempt fails on. So the run is chosen here.
"""

from __future__ import annotations

import json
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.dsl.compiler import compiler
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import RunOptions
from tfx.orchestration.portable import partial_run_utils
from tfx.proto.orchestration import pipeline_pb2

from flights import store
from flights.config import Config

RESOLVER = f"{Resolver.__module__}.{Resolver.__name__}"

CODE = ("source", "tuner_source")
"""Settings that are fingerprints of code. A run from a component on is there for who has edited that component's code."""


def options(config: Config, pipeline: tfx.dsl.Pipeline, first: str, last: str) -> RunOptions:
    """What TFX is told for a run of a part.

    Resolvers that the part depends on run as well: what was the latest blessed model need not be it any more.

    Args:
        config: the run.
        pipeline: all of it.
        first: the id of the component to begin with; empty: from the beginning.
        last: the id of the component to end with; empty: to the end.

    Raises:
        ValueError: there is no such component, none lies between them, or no earlier run has what the part builds on.
    """
    plan = compiler.Compiler().compile(pipeline)
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in plan.nodes}
    for name in filter(None, (first, last)):
        if name not in nodes:
            raise ValueError(f"{name}: there is no such component. There are {', '.join(nodes)}.")
    starts = [first] if first else []
    part = _part(plan, starts, last)
    if not part:
        raise ValueError(f"No component lies between {first} and {last}: {last} does not depend on {first}.")
    if first:
        starts += [name for name, node in nodes.items() if _is_resolver(node) and part & set(node.downstream_nodes)]
        part = _part(plan, starts, last)
    reused = [name for name, node in nodes.items() if name not in part and _leads_to(part, node, nodes)]
    base = _newest_run_with(config, {name: nodes[name] for name in reused}) if reused else None
    return RunOptions(from_nodes=starts or None, to_nodes=[last] if last else None, base_pipeline_run_id=base)


def _part(plan: pipeline_pb2.Pipeline, starts: list[str], last: str) -> set[str]:
    """The nodes that TFX would run."""
    marked = pipeline_pb2.Pipeline()
    marked.CopyFrom(plan)
    partial_run_utils.mark_pipeline(marked, from_nodes=starts or None, to_nodes=[last] if last else None)
    nodes = [node.pipeline_node for node in marked.nodes]
    return {node.node_info.id for node in nodes if node.execution_options.HasField("run")}


def _leads_to(part: set[str], node: pipeline_pb2.PipelineNode, nodes: dict[str, pipeline_pb2.PipelineNode]) -> bool:
    """Whether something in the part depends on the node, by whatever way."""
    following = set(node.downstream_nodes)
    return bool(following & part) or any(_leads_to(part, nodes[name], nodes) for name in following)


def _is_resolver(node: pipeline_pb2.PipelineNode) -> bool:
    return node.node_info.type.name == RESOLVER


def _newest_run_with(config: Config, wanted: dict[str, pipeline_pb2.PipelineNode]) -> str:
    """The id of the newest run in which each of these nodes succeeded, with the settings that it has now.

    Raises:
        ValueError: no run has them all; the message names what the newest one lacks.
    """
    opened = store.open_store(config)
    runs = opened.get_contexts_by_type("pipeline_run") if opened.get_executions() else []
    lacks = ""
    for run in sorted(runs, key=lambda run: -run.id):
        fault = _fault(opened, run, wanted)
        if not fault:
            return run.name
        lacks = lacks or fault
    lacks = lacks or "there was no run yet"
    raise ValueError(
        f"There is no earlier run in {config.output_root} to take {', '.join(wanted)} from ({lacks}). "
        "Run the whole pipeline once, with the same months and settings and without --from."
    )


def _fault(opened: MetadataStore, run: mlmd.Context, wanted: dict[str, pipeline_pb2.PipelineNode]) -> str:
    """What a run lacks, in words, or nothing."""
    found = _successes(opened, run)
    for name, node in wanted.items():
        if name not in found:
            return f"{name} did not succeed in the latest run"
        for setting, value in node.parameters.parameters.items():
            asked, ran = _value(value.field_value), _value(found[name].custom_properties[setting])
            # ExampleGen's driver fills the month into its pattern; `range_config` says which.
            if asked != ran and not (isinstance(asked, str) and "{SPAN" in asked):
                return f"{name} ran with another `{setting}`"
    return ""


def _successes(opened: MetadataStore, run: mlmd.Context) -> dict[str, mlmd.Execution]:
    """The last execution of each node that succeeded in a run.

    For a node that the run reused TFX records an execution without settings: they are those of the run that it was taken from.
    """
    executions = sorted(opened.get_executions_by_context(run.id), key=lambda execution: execution.id)
    found = {store._node_id(opened, one): one for one in executions if one.last_known_state in store.SUCCEEDED}
    bare = [name for name, execution in found.items() if not execution.custom_properties]
    for parent in opened.get_parent_contexts_by_context(run.id) if bare else []:
        if parent.type == run.type:
            found |= {name: execution for name, execution in _successes(opened, parent).items() if name in bare}
    return found


def _value(recorded: Any) -> Any:
    """A setting as it is compared: without the fingerprints of code in it."""
    kind = recorded.WhichOneof("value")
    value = getattr(recorded, kind) if kind else None
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return {key: entry for key, entry in parsed.items() if key not in CODE} if isinstance(parsed, dict) else value
