"""Adds to the metadata store of a pipeline two models of later runs, one blessed and one refused: a step of a trial.

    main([FOLDER])

FOLDER holds the store. Both are copies of what its newest Trainer and Evaluator have left, with their files; a pipeline that looks up the latest blessed model
finds the first of the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Adds them."""
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    [path] = Path(arguments[0]).glob("*.sqlite")
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(path)
    store = MetadataStore(connection)
    for name, blessed in (("later-blessed", 1), ("latest-refused", 0)):
        model = _again(mlmd, store, "Model", name, {})
        _again(mlmd, store, "ModelBlessing", name, {"blessed": blessed, "current_model_id": model})


def _again(mlmd: Any, store: Any, output: str, run: str, properties: dict[str, int]) -> int:
    """Records once more the execution that wrote the newest artifact of a type, in a run of that name; returns the new artifact's id."""
    made = max(store.get_artifacts_by_type(output), key=lambda one: one.id)
    events = [one for one in store.get_events_by_artifact_ids([made.id]) if one.type == mlmd.Event.OUTPUT]
    [execution] = store.get_executions_by_id([min(one.execution_id for one in events)])
    types = {one.id: one.name for one in store.get_context_types()}
    contexts = store.get_contexts_by_execution(execution.id)
    kept = [one for one in contexts if types[one.type_id] in ("pipeline", "node")]
    [of_run] = [one for one in contexts if types[one.type_id] == "pipeline_run"]
    kept.append(mlmd.Context(type_id=of_run.type_id, name=run))
    for one in (made, execution):
        one.ClearField("id")
        one.ClearField("name")
    for name, value in properties.items():
        made.custom_properties[name].int_value = value
    event = mlmd.Event(type=mlmd.Event.OUTPUT, path=events[0].path)
    _, [number], _ = store.put_execution(execution, [(made, event)], kept, reuse_context_if_already_exist=True)
    return number
