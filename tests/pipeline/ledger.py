"""What the metadata store of a pipeline says, in the words of the tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import store
from flights.config import Config

SYSTEM = ".system"


@dataclasses.dataclass(frozen=True)
class Execution:
    """An execution as it is recorded: its number, the node, and the state, for example `COMPLETE`."""

    number: int
    node: str
    state: str


def executions(config: Config) -> list[Execution]:
    """All executions, the oldest first."""
    opened = store.open_store(config)
    return [
        Execution(
            execution.id, store._node_id(opened, execution), mlmd.Execution.State.Name(execution.last_known_state)
        )
        for execution in sorted(opened.get_executions(), key=lambda execution: execution.id)
    ]


def last_states(config: Config) -> dict[str, str]:
    """The state of each node's newest execution."""
    return {execution.node: execution.state for execution in executions(config)}


def nodes_that_ran(config: Config) -> set[str]:
    """The nodes that have an execution, of whatever state."""
    return {execution.node for execution in executions(config)}


def last_output(config: Config, node: str, key: str) -> mlmd.Artifact:
    """What a node's newest execution gave under a key, anew or from the cache."""
    (artifact,) = _last_artifacts(config, node, key, mlmd.Event.OUTPUT)
    return artifact


def last_input(config: Config, node: str, key: str) -> mlmd.Artifact:
    """What a node's newest execution was given under a key."""
    (artifact,) = _last_artifacts(config, node, key, mlmd.Event.INPUT)
    return artifact


def _last_artifacts(config: Config, node: str, key: str, kind: int) -> list[mlmd.Artifact]:
    number = max(execution.number for execution in executions(config) if execution.node == node)
    opened = store.open_store(config)
    events = opened.get_events_by_execution_ids([number])
    return opened.get_artifacts_by_id(
        [event.artifact_id for event in events if event.type == kind and event.path.steps[0].key == key]
    )


def baseline_of(blessing: mlmd.Artifact) -> int | None:
    """Number of the model that a candidate was held against, or nothing.

    It is in the blessing's own properties. The events cannot tell in every case: the store keeps one for an execution and
    an artifact, even if the artifact is both candidate and baseline.
    """
    value = blessing.custom_properties["baseline_model_id"]
    return value.int_value if value.HasField("int_value") else None


def versions(config: Config) -> list[str]:
    """The versions in the serving folder, complete or not, the oldest first."""
    return sorted((path.name for path in Path(config.serving_root).glob("*")), key=int)


def assert_sound(config: Config) -> None:
    """Fails unless store and folders agree: nothing half done, nothing missing, nothing that nobody knows of."""
    recorded = executions(config)
    unfinished = [execution for execution in recorded if execution.state in ("NEW", "RUNNING", "UNKNOWN")]
    assert not unfinished, f"executions that never ended: {unfinished}"

    opened = store.open_store(config)
    artifacts = opened.get_artifacts()
    live = [artifact for artifact in artifacts if artifact.state == mlmd.Artifact.LIVE]
    strange = [
        artifact for artifact in artifacts if artifact.state not in (mlmd.Artifact.LIVE, mlmd.Artifact.ABANDONED)
    ]
    assert not strange, f"artifacts that are neither there nor given up: {strange}"
    for artifact in live:
        files = [path for path in Path(artifact.uri).rglob("*") if path.is_file()]
        assert files or _may_be_empty(artifact), f"{artifact.uri} is recorded as live and holds nothing"
    uris = [artifact.uri for artifact in live]
    assert len(uris) == len(set(uris)), "two artifacts share a folder"

    folders = {
        str(path) for path in Path(config.pipeline_root).glob("*/*/*") if path.is_dir() and path.parent.name != SYSTEM
    }
    assert folders == {str(Path(uri)) for uri in uris}, "folders and live artifacts differ"

    pushed = [artifact for artifact in live if artifact.type == "PushedModel"]
    known = [artifact.custom_properties["pushed_version"].string_value for artifact in pushed]
    assert versions(config) == sorted(filter(None, known), key=int), "the served versions are not those recorded"
    for version in versions(config):
        model, served = _model_of(opened, version, pushed), Path(config.serving_root) / version
        assert _contents(served) == _contents(Path(model.uri) / "Format-Serving"), f"version {version} is incomplete"


def _may_be_empty(artifact: mlmd.Artifact) -> bool:
    """A model that was refused is pushed as an empty folder."""
    return artifact.type == "PushedModel" and artifact.custom_properties["pushed"].int_value == 0


def _model_of(opened, version: str, pushed: list[mlmd.Artifact]) -> mlmd.Artifact:
    """The trained model that was pushed under a version, found through the events of the store."""
    artifact = next(one for one in pushed if one.custom_properties["pushed_version"].string_value == version)
    outputs = [event for event in opened.get_events_by_artifact_ids([artifact.id]) if event.type == mlmd.Event.OUTPUT]
    events = opened.get_events_by_execution_ids([event.execution_id for event in outputs])
    inputs = [event.artifact_id for event in events if event.type == mlmd.Event.INPUT]
    (model,) = {one.id: one for one in opened.get_artifacts_by_id(inputs) if one.type == "Model"}.values()
    return model


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
