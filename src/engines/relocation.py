"""An output folder that was moved or copied: its metadata store is told where the artifacts are now.

The store keeps absolute paths. A run in a moved folder would look for its baseline where it was, and a run in a copy would take it from
the original. TFX's cache compares paths as well, so the first run in the new place does its components anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

CONTEXT = "moved_folder"
"""The type of the contexts that record what was done: the properties `from` and `to` are folders of artifacts."""


def follow(store: MetadataStore, here: Path) -> list[str]:
    """Corrects the paths of all artifacts whose folder is no longer the one that the store names.

    Only of those folders from which at least one artifact is here now, under the same name. Another name of the same folder, by a
    link for example, is left as it is.

    Args:
        store: of the pipeline; no run is going on.
        here: the folder of the artifacts, `Settings.pipeline_root`.

    Returns:
        The folders in which the store believed the artifacts to be.
    """
    artifacts = store.get_artifacts()
    makers: dict[int, int] = {}
    for event in store.get_events_by_artifact_ids([artifact.id for artifact in artifacts]) if artifacts else []:
        if event.type == mlmd.Event.OUTPUT:  # also of executions that took it from the cache, later
            makers[event.artifact_id] = min(event.execution_id, makers.get(event.artifact_id, event.execution_id))
    former, changed = _correct(artifacts, makers, here)
    if changed:
        store.put_artifacts(changed)
        kind = store.put_context_type(
            mlmd.ContextType(name=CONTEXT, properties={"from": mlmd.STRING, "to": mlmd.STRING})
        )
        record = mlmd.Context(type_id=kind, name=str(time.time_ns()))
        record.properties["from"].string_value = ", ".join(former)
        record.properties["to"].string_value = str(here)
        store.put_contexts([record])
    return former


def seen_from(folder: Path, artifacts: Sequence[mlmd.Artifact], makers: Mapping[int, int]) -> None:
    """Corrects the same paths for who only reads a store.

    Args:
        folder: where the store lies; its folder of artifacts lies in it, as it did where both were before.
        artifacts: of the store; they are changed.
        makers: the execution that made an artifact, by number.
    """
    for name in sorted({path.parents[2].name for one in artifacts if len((path := Path(one.uri)).parts) > 4}):
        if name and (folder / name).is_dir():
            _correct(artifacts, makers, folder / name)


def _correct(
    artifacts: Sequence[mlmd.Artifact], makers: Mapping[int, int], here: Path
) -> tuple[list[str], list[mlmd.Artifact]]:
    """The folders in which artifacts that are here were believed to be, and the artifacts that have other paths now."""
    former = sorted({str(root) for root in _former_roots(artifacts, makers, here)})
    folders = {root: str(here) for root in former} | {str(Path(root).parent): str(here.parent) for root in former}
    return former, [artifact for artifact in artifacts if _repoint(artifact, folders)]


def _former_roots(artifacts: Sequence[mlmd.Artifact], makers: Mapping[int, int], here: Path) -> Iterator[Path]:
    """Of each artifact that is here, and of which the store says that it is elsewhere, that other folder."""
    for artifact in artifacts:
        path = Path(artifact.uri)
        # ROOT/NODE/OUTPUT/EXECUTION: what was imported from another pipeline has the number of an execution there.
        if path.name != str(makers.get(artifact.id)) or len(path.parts) < 4 or not path.is_absolute():
            continue
        root = path.parents[2]
        if root != here and (here / path.relative_to(root)).exists() and not (root.exists() and root.samefile(here)):
            yield root


def _repoint(artifact: mlmd.Artifact, folders: Mapping[str, str]) -> bool:
    """Puts the new folders into an artifact's paths; returns whether there was any to change."""
    before = artifact.SerializeToString(deterministic=True)
    artifact.uri = _repointed(artifact.uri, folders)
    for value in artifact.custom_properties.values():
        if value.string_value:
            value.string_value = _repointed(value.string_value, folders)
    return artifact.SerializeToString(deterministic=True) != before


def _repointed(text: str, folders: Mapping[str, str]) -> str:
    return next((new + text[len(old) :] for old, new in folders.items() if f"{text}/".startswith(f"{old}/")), text)
