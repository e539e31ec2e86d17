"""The metadata store of a pipeline, asked and put in order.

ML Metadata is built without ZetaSQL, so nothing here filters in the store: it lists by type and filters in Python.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import events, relocation, store_file
from engines.errors import EngineError
from engines.events import SUCCEEDED
from engines.settings import Settings

RUNNING = (mlmd.Execution.NEW, mlmd.Execution.RUNNING)
UNFINISHED = (mlmd.Artifact.PENDING, mlmd.Artifact.UNKNOWN)

INFRA_REFUSED = "INFRA_NOT_BLESSED"
"""The file by which a check of the serving refuses a candidate, as TFX's InfraValidator calls it; it may hold the reason."""

Refusal = Callable[[str | Path | None], str]
"""Says why a candidate was refused, from the folder of the Evaluator's artifact; None where that is not known."""


def open_store(config: Settings) -> MetadataStore:
    """Opens the SQLite metadata store of a pipeline; creates it when there is none.

    Raises:
        engines.store_file.StoreError: it is damaged, locked, or of another version.
    """
    Path(config.metadata_path).parent.mkdir(parents=True, exist_ok=True)
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = config.metadata_path
    connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    with store_file.explained(config.metadata_path):
        return MetadataStore(connection)


def repair(config: Settings) -> list[str]:
    """Puts in order what a killed run left: call it only while no run is going on.

    Executions that still say RUNNING become FAILED, and the outputs of failed executions are deleted. So is a version in the
    serving folder that lacks `saved_model.pb`, the file that Pusher writes last, or that an unfinished Pusher wrote
    and never recorded: the next run pushes it again, as it does a version that was recorded and is gone. Where the output folder was
    moved or copied, the store is told (`engines.relocation`).

    Returns:
        The node ids of the executions that were marked.

    Raises:
        engines.store_file.StoreError: the store is damaged, locked, or of another version.
    """
    store_file.check(config.metadata_path)
    if not Path(config.metadata_path).exists():
        return []
    store = open_store(config)
    relocation.follow(store, Path(config.pipeline_root))
    executions = store.get_executions()
    stale = [execution for execution in executions if execution.last_known_state in RUNNING]
    for execution in stale:
        execution.last_known_state = mlmd.Execution.FAILED
    if stale:
        store.put_executions(stale)
    _abandon_artifacts(store)
    failed = {str(execution.id) for execution in executions if execution.last_known_state not in SUCCEEDED}
    _delete_outputs(Path(config.pipeline_root), failed)
    nodes = [_node_id(store, execution) for execution in stale]
    killed_at = [
        one.create_time_since_epoch // 1000 for one, node in zip(stale, nodes, strict=True) if node == "Pusher"
    ]
    _delete_half_pushed(config, store, min(killed_at, default=None))
    _forget_lost_versions(config, store)
    return nodes


def _delete_half_pushed(config: Settings, store: MetadataStore, since: int | None) -> None:
    """Deletes incomplete versions, and those from `since` on (seconds of the epoch) that no Pusher recorded."""
    pushed = store.get_artifacts_by_type("PushedModel")
    recorded = {artifact.custom_properties["pushed_version"].string_value for artifact in pushed}
    for version in Path(config.serving_root).glob("*"):
        if not version.name.isdigit() or not version.is_dir():
            continue
        unrecorded = since is not None and version.name not in recorded and int(version.name) >= since
        if unrecorded or not (version / "saved_model.pb").exists():
            shutil.rmtree(version)


def _forget_lost_versions(config: Settings, store: MetadataStore) -> None:
    """Has the cache give no version that is not in the serving folder any more: it would say pushed, and nothing would be there."""
    pushed = [one for one in store.get_artifacts_by_type("PushedModel") if one.custom_properties["pushed"].int_value]
    serving = Path(config.serving_root)
    for one in pushed:
        version = one.custom_properties["pushed_version"].string_value
        if version and not (serving / version).is_dir() and Path(one.uri).is_relative_to(config.pipeline_root):
            shutil.rmtree(one.uri, ignore_errors=True)


def _node_id(store: MetadataStore, execution: mlmd.Execution) -> str:
    contexts = store.get_contexts_by_execution(execution.id)
    # A node's context is named PIPELINE.NODE.
    return next((c.name.split(".")[-1] for c in contexts if c.type == "node"), execution.type)


def _abandon_artifacts(store: MetadataStore) -> None:
    """Marks artifacts that were announced and never came to be."""
    abandoned = [artifact for artifact in store.get_artifacts() if artifact.state in UNFINISHED]
    for artifact in abandoned:
        artifact.state = mlmd.Artifact.ABANDONED
    if abandoned:
        store.put_artifacts(abandoned)


def _delete_outputs(root: Path, executions: set[str]) -> None:
    """Deletes the output folders of these executions, and the scratch of all."""
    # NODE/OUTPUT/EXECUTION is an artifact; NODE/.system holds an executor's scratch and state.
    for folder in root.glob("*/*/*"):
        if folder.parent.name == ".system":
            for scratch in folder.glob("*"):
                shutil.rmtree(scratch, ignore_errors=True)
        elif folder.name in executions:
            shutil.rmtree(folder)


def newest_was_cached(config: Settings) -> bool:
    """Whether the execution that was recorded last took its outputs from the cache.

    Raises:
        EngineError: it has failed. TFX goes on where the inputs of a node could not be resolved, and a candidate would be held against no model.
    """
    opened = open_store(config)
    newest = max(opened.get_executions(), key=lambda execution: execution.id)
    if newest.last_known_state == mlmd.Execution.FAILED:
        raise EngineError(
            f"{_node_id(opened, newest)} has failed: its inputs could not be found (execution {newest.id} in {config.metadata_path}). "
            "The log of TFX says why."
        )
    return newest.last_known_state == mlmd.Execution.CACHED


def latest_version(config: Settings) -> Path:
    """Folder of the newest complete model that was pushed.

    Raises:
        FileNotFoundError: none was pushed yet.
    """
    found = [path.parent for path in Path(config.serving_root).glob("*/saved_model.pb")]
    versions = [folder for folder in found if folder.name.isdigit()]
    if not versions:
        raise FileNotFoundError(
            f"{config.serving_root}: no model was pushed there yet. A run of the pipeline trains one, and pushes it if it is blessed."
        )
    return max(versions, key=lambda path: int(path.name))


def refused(evaluation: str | Path | None) -> str:
    """That a candidate was refused. Which metric of which slice was too low, a project may read out of the evaluation."""
    return "Refused: the candidate missed a demand, and was not pushed."


def latest_verdict(config: Settings, refusal: Refusal = refused) -> str:
    """One sentence on the candidate of the latest run that came to Pusher, which a part with a `last` before it does not: blessed and pushed, or refused.

    Args:
        config: the run.
        refusal: says why a candidate was refused.
    """
    opened = open_store(config)
    pushed = _latest_output(opened, "PushedModel")
    if pushed is None:
        return "No model was evaluated yet."
    if pushed.custom_properties["pushed"].int_value != 1:
        return _refused_by(opened, pushed, refusal)
    version, newest = pushed.custom_properties["pushed_version"].string_value, latest_version(config)
    if version != newest.name:
        return f"Blessed, and pushed as version {version} by an earlier run; the newest is still {newest}"
    return f"Blessed and pushed: {newest}"


def infra_refusal(blessing: str | Path | None) -> str:
    """Why a check of the serving has refused a candidate, in a sentence; nothing where it has not.

    Args:
        blessing: folder of its artifact; None where there was no check.
    """
    file = Path(blessing, INFRA_REFUSED) if blessing else None
    if file is None or not file.is_file():
        return ""
    reason = file.read_text(encoding="utf-8", errors="replace").strip()
    return f"Refused as a model to be served: {reason or 'why, only the log of that component says.'}"


def refusals(blessed: bool, refusal: Refusal, evaluation: str | Path | None, infra: str) -> str:
    """One text on a candidate that was not pushed.

    Args:
        blessed: whether the evaluation has blessed it.
        refusal: says why it has not.
        evaluation: for `refusal`.
        infra: what `infra_refusal` says.
    """
    if blessed and infra:
        return f"{infra} The candidate was not pushed."
    return f"{refusal(evaluation)} {infra}".strip()


def _refused_by(store: MetadataStore, pushed: mlmd.Artifact, refusal: Refusal) -> str:
    """Which of the blessings that a Pusher went by were none, and why."""
    graph = events.Graph(store)
    given = [one for numbers in graph.inputs.get(graph.makers.get(pushed.id), {}).values() for one in numbers]
    blessings = [one for one in given if graph.artifacts[one].type == "ModelBlessing"]
    judges = [graph.makers[one] for one in blessings if one in graph.makers]
    evaluations = [graph.artifacts[one].uri for judge in judges for one in graph.made_of(judge, "ModelEvaluation")]
    checks = [graph.artifacts[one].uri for one in given if graph.artifacts[one].type == "InfraBlessing"]
    return refusals(
        all(graph.artifacts[one].custom_properties["blessed"].int_value for one in blessings),
        refusal,
        next(iter(evaluations), None),
        infra_refusal(next(iter(checks), None)),
    )


def _latest_output(store: MetadataStore, type_name: str) -> mlmd.Artifact | None:
    """What the latest execution with an output of this type gave, be it new or from the cache."""
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_type(type_name)}
    found = store.get_events_by_artifact_ids(list(artifacts)) if artifacts else []
    outputs = [event for event in found if event.type == mlmd.Event.OUTPUT]
    return artifacts[max(outputs, key=lambda event: event.execution_id).artifact_id] if outputs else None
