"""Part of a pipeline: from a component on, or up to one; what is before comes from an earlier run.

TFX marks the nodes and reuses the artifacts (its `RunOptions`). Left to itself it takes whatever the latest run
was, for other months or with other settings, and with a baseline that is no longer the latest; a run that lacks a component ends
in an error and becomes, as it is now the latest, the one that the next attempt fails on. So the run is chosen here: the newest of which
every component that is reused ran with the settings, the code, the inputs and the files that it would have now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.components.example_gen import utils
from tfx.dsl.compiler import compiler
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.pipeline import RunOptions
from tfx.orchestration.portable import partial_run_utils
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.proto.orchestration import pipeline_pb2
from tfx.utils import proto_utils

from engines import contents, store
from engines.events import INPUT, OUTPUT, names
from engines.lineage import CODE
from engines.settings import Settings

RESOLVER = f"{Resolver.__module__}.{Resolver.__name__}"

Artifacts = dict[str, set[int]]
"""Numbers of artifacts, by the name of the input or output."""


def options(config: Settings, pipeline: tfx.dsl.Pipeline, first: str, last: str) -> RunOptions:
    """What TFX is told for a run of a part.

    Resolvers that the part depends on run as well: what was the latest blessed model need not be it any more. But not one from which the
    training starts, in a part that begins after the training: judged is what that run has trained, against what it has started from.

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
    resolvers = [name for name, node in nodes.items() if _is_resolver(node) and part & set(node.downstream_nodes)]
    for name in resolvers if first else []:
        if _part(plan, [name], last) <= part | {name}:
            starts.append(name)
    part = _part(plan, starts, last)
    reused = [name for name, node in nodes.items() if name not in part and _leads_to(part, node, nodes)]
    read = {
        (channel.producer_node_query.id, channel.output_key)
        for name in part
        for given in nodes[name].inputs.inputs.values()
        for channel in given.channels
    }
    base = _newest_run_with(config, {name: nodes[name] for name in reused}, read) if reused else None
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


def _newest_run_with(
    config: Settings, wanted: dict[str, pipeline_pb2.PipelineNode], read: Collection[tuple[str, str]]
) -> str:
    """The id of the newest run in which each of these nodes succeeded, with the settings, code, inputs and files that it has now.

    Args:
        config: the run.
        wanted: the nodes.
        read: node and name of the outputs that the part reads, which must still be there.

    Raises:
        ValueError: no run has them all; the message names what the newest one lacks.
    """
    opened = store.open_store(config)
    runs = _runs(opened, config.pipeline_name) if opened.get_executions() else []
    lacks = ""
    for run in sorted(runs, key=lambda run: -run.id):
        fault = _fault(opened, run, wanted, read)
        if not fault:
            return run.name
        lacks = lacks or fault
    lacks = lacks or "there was no run yet"
    raise ValueError(
        f"There is no earlier run in {config.output_root} to take {', '.join(wanted)} from ({lacks}). "
        "Run the whole pipeline once with the settings, code and files of now: without `first`, which is --from on a command line."
    )


def _runs(opened: MetadataStore, name: str) -> list[mlmd.Context]:
    """The runs of a pipeline; one of another name may use the same store."""
    pipeline = opened.get_context_by_type_and_name("pipeline", name)
    own = {execution.id for execution in opened.get_executions_by_context(pipeline.id)} if pipeline else set()
    runs = opened.get_contexts_by_type("pipeline_run")
    return [run for run in runs if own & {one.id for one in opened.get_executions_by_context(run.id)}]


def _fault(
    opened: MetadataStore,
    run: mlmd.Context,
    wanted: dict[str, pipeline_pb2.PipelineNode],
    read: Collection[tuple[str, str]],
) -> str:
    """What a run lacks, in words, or nothing."""
    found = _successes(opened, run)
    if missing := [name for name in wanted if name not in found]:
        return f"{missing[0]} did not succeed in the latest run"
    outputs = {name: _artifacts(opened, execution, OUTPUT) for name, execution in found.items()}
    types = {one.id: one.name for one in opened.get_execution_types()}
    for name, node in wanted.items():
        gone = _gone(opened, {key: ids for key, ids in outputs[name].items() if (name, key) in read})
        fault = (
            ("was another component" if types[found[name].type_id] != node.node_info.type.name else "")
            or (f"lacks {gone}, which it had made" if gone else "")
            or _other_settings(node, found[name])
            or _other_inputs(node, _artifacts(opened, found[name], INPUT), outputs)
            or _other_files(opened, node, outputs[name])
        )
        if fault:
            return f"{name} {fault}"
    return _newer_baseline(opened, wanted, outputs)


def _gone(opened: MetadataStore, made: Artifacts) -> str:
    """The folder of an artifact that was deleted, or nothing."""
    artifacts = opened.get_artifacts_by_id([id_ for ids in made.values() for id_ in ids])
    return next((one.uri for one in artifacts if not Path(one.uri).exists()), "")


def _artifacts(opened: MetadataStore, execution: mlmd.Execution, kinds: tuple[int, ...]) -> Artifacts:
    found: Artifacts = {}
    for event in opened.get_events_by_execution_ids([execution.id]):
        for name in names(event) if event.type in kinds else ():
            found.setdefault(name, set()).add(event.artifact_id)
    return found


def _other_settings(node: pipeline_pb2.PipelineNode, ran: mlmd.Execution) -> str:
    for setting, value in sorted(node.parameters.parameters.items(), key=lambda one: one[0] in CODE):
        now, then = _value(value.field_value), _value(ran.custom_properties[setting])
        # ExampleGen's driver fills the month into its pattern; `range_config` says which.
        if now == then or "{SPAN" in str(now):
            continue
        entries = {setting}
        if isinstance(now, dict) and isinstance(then, dict):
            entries = {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)}
        if entries <= set(CODE):
            return "ran with other code"
        named = f" ({', '.join(sorted(entries - set(CODE)))})" if entries != {setting} else ""
        return f"ran with another `{setting}`{named}"
    return ""


def _other_inputs(node: pipeline_pb2.PipelineNode, read: Artifacts, outputs: Mapping[str, Artifacts]) -> str:
    """Which input a node had that it would not have now, or the other way round.

    Args:
        node: as it is now.
        read: what it read.
        outputs: of each node in that run.
    """
    if _is_resolver(node):  # it asks the store, not another node
        return ""
    asked: Artifacts = {}
    for key, given in node.inputs.inputs.items():
        for channel in given.channels:
            made = outputs.get(channel.producer_node_query.id, {})
            asked.setdefault(key, set()).update(made.get(channel.output_key, ()))
    for key, artifacts in read.items():
        makers = [name for name, made in outputs.items() if any(artifacts & those for those in made.values())]
        if key not in asked:
            return f"ran with `{key}` of {' and '.join(makers) or 'another run'}, and has none now"
        if artifacts != asked[key]:
            return f"ran with another `{key}`"
    return next((f"ran without `{key}`" for key in asked if asked[key] and key not in read), "")


def _other_files(opened: MetadataStore, node: pipeline_pb2.PipelineNode, made: Artifacts) -> str:
    """Whether the files have changed since an ExampleGen read them, by what its cache goes by: number, size and date, and contents if recorded."""
    settings = node.parameters.parameters
    examples = opened.get_artifacts_by_id(list(made.get("examples", ())))
    recorded = {artifact.custom_properties[utils.FINGERPRINT_PROPERTY_NAME].string_value for artifact in examples}
    if not any(recorded) or not {"input_base", "input_config"} <= set(settings):
        return ""
    source, months = example_gen_pb2.Input(), range_config_pb2.RangeConfig()
    proto_utils.json_to_proto(settings["input_config"].field_value.string_value, source)
    if given := settings["range_config"].field_value.string_value if "range_config" in settings else "":
        proto_utils.json_to_proto(given, months)
    base = settings["input_base"].field_value.string_value
    now, _, _ = utils.calculate_splits_fingerprint_span_and_version(base, source.splits, months if given else None)
    if recorded != {now}:
        return "read files that have changed since (number, size or date)"
    held = {artifact.custom_properties[contents.PROPERTY].string_value for artifact in examples}
    return (
        "read files whose contents have changed since"
        if any(held) and held != {contents.checksums(base, source.splits)}
        else ""
    )


def _newer_baseline(
    opened: MetadataStore, wanted: dict[str, pipeline_pb2.PipelineNode], outputs: Mapping[str, Artifacts]
) -> str:
    """Whether another model has been blessed since a Resolver that is reused has looked."""
    resolvers = [name for name, node in wanted.items() if _is_resolver(node)]
    blessings = [
        one for one in opened.get_artifacts_by_type("ModelBlessing") if one.custom_properties["blessed"].int_value
    ]
    if not resolvers or not blessings:
        return ""
    latest = max(blessings, key=lambda one: one.id).custom_properties["current_model_id"].int_value
    known = set().union(*(artifacts for name in wanted for artifacts in outputs[name].values()))
    return "" if latest in known else f"{resolvers[0]} found another model than it would now"


def _successes(opened: MetadataStore, run: mlmd.Context) -> dict[str, mlmd.Execution]:
    """The last execution of each node that succeeded in a run.

    For a node that the run reused TFX records an execution without settings: they are those of the run that it was taken from.
    """
    executions = sorted(opened.get_executions_by_context(run.id), key=lambda execution: execution.id)
    found = {store._node_id(opened, one): one for one in executions if one.last_known_state in store.SUCCEEDED}
    cached = [name for name, execution in found.items() if execution.last_known_state == mlmd.Execution.CACHED]
    bare = [name for name in cached if not found[name].custom_properties]
    for parent in opened.get_parent_contexts_by_context(run.id) if bare else []:
        if parent.type == run.type:
            found |= {name: execution for name, execution in _successes(opened, parent).items() if name in bare}
    return found


def _value(recorded: Any) -> Any:
    """A setting as it is compared."""
    kind = recorded.WhichOneof("value")
    value = getattr(recorded, kind) if kind else None
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
