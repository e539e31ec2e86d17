"""The pipeline of my_flights, as the solution of lab 3 leaves it."""

import hashlib
from pathlib import Path

from tfx import v1 as tfx
from tfx.proto import transform_pb2

from flights.contract import CuratedSchema
from flights.evaluation import make_eval_config
from flights.examples import make_example_gen
from flights.gate import DataGate
from flights.pipeline import BEAM_ARGS


def data_components(config):
    """Reads the months, and holds them against the contract."""
    example_gen = make_example_gen(config)
    statistics_gen = tfx.components.StatisticsGen(examples=example_gen.outputs["examples"])
    imported = CuratedSchema(config.schema_file).with_id("ImportSchemaGen")
    both = {"statistics": statistics_gen.outputs["statistics"], "schema": imported.outputs["schema"]}
    validator = tfx.components.ExampleValidator(**both)
    months = {"reference_split": config.train_splits[-1], "new_split": config.eval_splits[0]}
    months = {} if config.is_single_month else months
    gate = DataGate(anomalies=validator.outputs["anomalies"], **both, **months)
    return [example_gen, statistics_gen, imported, validator, gate]


def source():
    """Another text after each edit of this package."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def make_transform(config, inputs, train):
    """Learns from the splits for training, and transforms all."""
    return tfx.components.Transform(
        **inputs,
        preprocessing_fn="my_flights.features.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=train, transform=[*train, *config.eval_splits]),
        disable_statistics=True,
        disable_analyzer_cache=True,  # no later run would find it
        custom_config={"source": source()},
    )


def make_trainer(config, transform, schema):
    """Trains on the months for training."""
    names = ("train_epochs", "batch_size", "learning_rate", "hidden_units", "dropout", "l2", "seed")
    return tfx.components.Trainer(
        run_fn="my_flights.model.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        train_args=tfx.proto.TrainArgs(splits=config.train_splits),
        eval_args=tfx.proto.EvalArgs(splits=config.eval_splits),
        custom_config={"source": source()} | {name: getattr(config, name) for name in names},
    )


def latest_blessed():
    """Looks up the model that a new one is held against."""
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")


def judging_components(config, examples, model, baseline):
    """Who judges the model, and who pushes it."""
    evaluator = tfx.components.Evaluator(
        examples=examples,
        example_splits=config.eval_splits,
        model=model,
        baseline_model=baseline,
        eval_config=make_eval_config(config),
    )
    folder = tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
    to = tfx.proto.PushDestination(filesystem=folder)
    pusher = tfx.components.Pusher(model=model, model_blessing=evaluator.outputs["blessing"], push_destination=to)
    return [evaluator, pusher]


def create_components(config, baseline=None):
    """All components by their id, in order; an engine may bring its own way to find the baseline."""
    data = data_components(config)
    inputs = {"examples": data[0].outputs["examples"], "schema": data[2].outputs["schema"]}
    transform = make_transform(config, inputs, config.train_splits)
    transform.add_upstream_node(data[-1])
    trainer = make_trainer(config, transform, inputs["schema"])
    baseline = baseline or latest_blessed()
    found = [trainer.outputs["model"], baseline.outputs["model"]]
    judging = judging_components(config, inputs["examples"], *found)
    return {node.id: node for node in [*data, transform, trainer, baseline, *judging]}


def create_pipeline(config):
    """The pipeline with its name, its store and its cache."""
    store = tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path)
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=[*create_components(config).values()],
        enable_cache=config.enable_cache,
        metadata_connection_config=store,
        beam_pipeline_args=BEAM_ARGS,
    )
