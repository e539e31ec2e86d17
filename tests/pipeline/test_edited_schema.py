"""Whoever edits the schema, as the gate's message asks, gets the new contract, and not the old one from the cache."""

from __future__ import annotations

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import store
from flights.config import Config


def run_schema_only(config: Config) -> str:
    """Runs the first steps of the pipeline that need no data; returns what the newest schema says."""
    from tfx import v1 as tfx

    from flights.contract import CuratedSchema

    pipeline = tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=[CuratedSchema(config.schema_file).with_id("ImportSchemaGen")],
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
    )
    Path(config.output_root).mkdir(exist_ok=True)
    tfx.orchestration.LocalDagRunner().run(pipeline)
    opened = store.open_store(config)
    newest = max(opened.get_executions(), key=lambda execution: execution.id)
    [event] = opened.get_events_by_execution_ids([newest.id])
    [artifact] = opened.get_artifacts_by_id([event.artifact_id])
    return (Path(artifact.uri) / "schema.pbtxt").read_text()


def test_edited_schema_is_read_and_the_same_one_comes_from_the_cache(tmp_path: Path) -> None:
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(Path(Config().schema_file).read_text())
    config = Config(output_root=str(tmp_path / "out"), schema_file=str(schema))

    first = run_schema_only(config)
    assert run_schema_only(config) == first
    schema.write_text(first.replace('"UA"', '"ZZ"'))
    assert run_schema_only(config) == schema.read_text() != first

    states = [execution.last_known_state for execution in store.open_store(config).get_executions()]
    assert states == [mlmd.Execution.COMPLETE, mlmd.Execution.CACHED, mlmd.Execution.COMPLETE]


def test_the_pipeline_imports_its_schema_with_the_fingerprint() -> None:
    from flights.pipeline import create_components

    node = create_components(Config())["ImportSchemaGen"]
    assert node.exec_properties["fingerprint"]
