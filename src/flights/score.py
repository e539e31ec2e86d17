"""Predicts a whole month in bulk: a pipeline of its own, around TFX's BulkInferrer, and its answers as a table.

Its executions and artifacts are in the metadata store of the pipeline that trained the model, under a name of their own: so the store knows
which predictions a model, or a month that it learned from, has reached. The table is written when all of it is there: beside its place, then moved.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import bulk_inferrer_pb2, example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from engines import local, store
from engines.beam import BEAM_ARGS
from engines.common import Report
from engines.lineage import Lineage, LineageError

from . import columns, data, examples, export, gate, rules, versions
from .config import Config
from .contract import CuratedSchema
from .pipeline import mark_code
from .predict import SERVING

SPLIT = "unlabelled"
"""Of the examples; messages begin with it."""

VERSION = "model_version"
"""The column of the table that says which version made a prediction."""


class Scored(NamedTuple):
    """What was written: the file, how many flights are in it, and the version that made the predictions."""

    file: Path
    flights: int
    version: str


class UnlabelledExecutor(examples.ArrowExecutor):
    """Reads a month and leaves its label out, where there is one: what is predicted is not looked at."""

    left_out = frozenset({columns.LABEL})


class UnlabelledExampleGen(examples.ArrowCsvExampleGen):
    """ExampleGen for a month to be scored."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(UnlabelledExecutor)


@component
def ServingGate(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    examples: InputArtifact[standard_artifacts.Examples],
):
    """Fails when the month breaks the contract of serving: the schema without the label."""
    from . import gate, score  # the function runs on its own: it imports what it needs

    if found := [*score.list_anomalies(statistics, schema), *gate.list_broken_rules(examples, schema)]:
        raise gate.BadDataError(
            f"The month breaks the contract in {__package__}/schema:\n  "
            + "\n  ".join(found)
            + "\nNothing was scored. Ask the sender for the right month; or, if the world has changed, change the schema."
        )


ServingGate.NO_RETRY = True  # to the engines: bad data stay bad


def list_anomalies(statistics: standard_artifacts.ExampleStatistics, schema: standard_artifacts.Schema) -> list[str]:
    """What TFDV finds, a sentence each. TFX's ExampleValidator cannot be told of which environment the data are."""
    folder = Path(artifact_utils.get_split_uri([statistics], SPLIT))
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString((folder / "FeatureStats.pb").read_bytes())
    contract = rules.read_schema(next(Path(schema.uri).glob("*.pbtxt")))
    return gate.sentences(SPLIT, tfdv.validate_statistics(found, contract, environment=SERVING))


def create_components(config: Config, model: str | Path) -> dict[str, BaseNode]:
    """The components by their id. The ids are others than those of training, beside which they stand in the metadata store.

    Args:
        config: `months` is the month, twice.
        model: folder of an artifact `Model`, with the SavedModel in `Format-Serving`.
    """
    month, _ = config.months
    example_gen = UnlabelledExampleGen(
        input_base=examples.plain_root(config),
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name=SPLIT, pattern=f"span-{month:02d}/{columns.FILE}")]
        ),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[example_gen_pb2.SplitConfig.Split(name=SPLIT, hash_buckets=1)]
            )
        ),
    ).with_id("ScoringExampleGen")
    flights = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=flights).with_id("ScoringStatisticsGen")
    schema_gen = CuratedSchema(config.schema_file).with_id("ScoringSchemaGen")
    serving_gate = ServingGate(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"], examples=flights
    )
    importer = tfx.dsl.Importer(source_uri=str(model), artifact_type=standard_artifacts.Model).with_id("PushedModel")
    probability = bulk_inferrer_pb2.PredictOutputCol(output_key=columns.PROBABILITY, output_column=columns.PROBABILITY)
    inferrer = tfx.components.BulkInferrer(
        examples=flights,
        model=importer.outputs["result"],
        model_spec=bulk_inferrer_pb2.ModelSpec(model_signature_name=["serving_default"]),
        # Without this, the answers are records of the request and the response, which only TensorFlow Serving's messages read.
        output_example_spec=bulk_inferrer_pb2.OutputExampleSpec(
            output_columns_spec=[
                bulk_inferrer_pb2.OutputColumnsSpec(
                    predict_output=bulk_inferrer_pb2.PredictOutput(output_columns=[probability])
                )
            ]
        ),
    )
    inferrer.add_upstream_node(serving_gate)
    nodes = [example_gen, statistics_gen, schema_gen, serving_gate, importer, inferrer]
    for node in nodes:
        mark_code(node)
    return {node.id: node for node in nodes}


def create_pipeline(config: Config, model: str | Path, beam_args: Sequence[str] = BEAM_ARGS) -> tfx.dsl.Pipeline:
    """The pipeline of its own, in the metadata store of the one that trained."""
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=list(create_components(config, model).values()),
        enable_cache=config.enable_cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
        beam_pipeline_args=list(beam_args),
    )


def score(config: Config, month: int, file: str | Path, version: str = "", report: Report = lambda _: None) -> Scored:
    """Predicts a month, and writes its flights by their key with their probabilities as Parquet.

    Args:
        config: of the pipeline that trained: its folders, store and pushed models.
        month: of `config.data_root`.
        file: the table: the columns of `columns.KEY` by which its rows are sorted, the probability, and the version that predicted.
        version: a pushed one; by default the champion, or else the newest (`versions`).
        report: called after each component.

    Raises:
        BadData: the month cannot be read, or breaks the contract of serving. Nothing is written.
        FileNotFoundError: there is no such version.
        RuntimeError: the answers are not one for each flight of the month.
    """
    folder, file = versions.pushed(config, version), Path(file)
    own = dataclasses.replace(config, pipeline_name=f"{config.pipeline_name}-scoring", months=(month, month))
    model = model_artifact(config, folder)
    local.run(own, lambda settings, beam_args: create_pipeline(settings, model, beam_args), report)
    table = _answers(own, month)
    expected = data.read_table(data.month_path(config.data_root, month)).num_rows
    if table.num_rows != expected:
        raise RuntimeError(f"{table.num_rows:,} answers to {expected:,} flights of month {month}. Run it again.")
    words = pa.array([folder.name]).dictionary_encode()
    table = table.append_column(
        VERSION, pa.DictionaryArray.from_arrays(pa.array([0] * len(table), pa.int32()), words.dictionary)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.unfinished")
    pq.write_table(table, unfinished)
    os.replace(unfinished, file)
    return Scored(file, len(table), folder.name)


def model_artifact(config: Config, version: Path) -> Path:
    """The folder of an artifact `Model` with what is served under a version: the one that the metadata store has, or a copy.

    A version that another store's pipeline pushed, or that was changed by hand, has no artifact here; the store then cannot say what made
    the predictions.
    """
    with_model = Path("Format-Serving")
    try:
        known = Path(Lineage(store.open_store(config)).version(version.name, config.pipeline_name).model.uri)
        if export.checksum(known / with_model) == export.checksum(version):
            return known
    except LineageError:
        pass
    copy = Path(config.output_root).absolute() / "scores" / "models" / f"{version.name}-{export.checksum(version)[:16]}"
    if not copy.is_dir():
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(version, unfinished / with_model)
        unfinished.rename(copy)
    return copy


def _answers(config: Config, month: int) -> pa.Table:
    """Key columns and probability of the newest execution of BulkInferrer, sorted by the key."""
    opened = store.open_store(config)
    executions = [
        one
        for one in opened.get_executions()
        if one.type.endswith(".BulkInferrer") and one.last_known_state in store.SUCCEEDED
    ]
    newest = max(one.id for one in executions)
    events = [one for one in opened.get_events_by_execution_ids([newest]) if one.type == mlmd.Event.OUTPUT]
    (made,) = opened.get_artifacts_by_id([one.artifact_id for one in events])
    found = gate.read_columns(str(Path(made.uri) / f"Split-{SPLIT}"), {*columns.KEY, columns.PROBABILITY})
    if set(found[columns.SPAN].tolist()) != {month}:
        raise RuntimeError(
            f"{made.uri}: answers to another month than {month}. Was another scored meanwhile? Run again."
        )
    kinds = {name: data.COLUMN_TYPES[name] for name in columns.KEY} | {columns.PROBABILITY: pa.float32()}
    table = pa.table({name: pa.array(found[name]).cast(kind) for name, kind in kinds.items()})
    return table.sort_by([(name, "ascending") for name in columns.KEY])
