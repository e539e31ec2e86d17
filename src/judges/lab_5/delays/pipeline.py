"""The pipeline of delays."""

from tfx import v1 as tfx
from tfx.proto import transform_pb2

from flights.contract import CuratedSchema
from flights.evaluation import make_eval_config
from flights.examples import make_example_gen
from flights.gate import DataGate


def data_components(config):
    """Reads the flights, and holds them against the contract."""
    example_gen = make_example_gen(config)
    statistics_gen = tfx.components.StatisticsGen(examples=example_gen.outputs["examples"])
    imported = CuratedSchema(config.schema_file).with_id("ImportSchemaGen")
    both = {"statistics": statistics_gen.outputs["statistics"], "schema": imported.outputs["schema"]}
    validator = tfx.components.ExampleValidator(**both)
    gate = DataGate(anomalies=validator.outputs["anomalies"], **both)
    return [example_gen, statistics_gen, imported, validator, gate]


def latest_blessed():
    """Looks up the model that a new one is held against."""
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")


def make_transform(config, examples, schema):
    """Learns from the splits for training, and transforms all."""
    return tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="delays.features.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=config.train_splits, transform=[*config.train_splits, *config.eval_splits]
        ),
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config={"version": 7},
    )


def make_trainer(config, transform, schema):
    """Trains, and exports."""
    return tfx.components.Trainer(
        run_fn="delays.model.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        train_args=tfx.proto.TrainArgs(splits=config.train_splits),
        eval_args=tfx.proto.EvalArgs(splits=config.eval_splits),
        custom_config={"seed": 7, "epochs": 10},
    )


def create_components(config, baseline=None):
    """All components by their id, in order; an engine may bring its own way to find the baseline."""
    data = data_components(config)
    examples, schema = data[0].outputs["examples"], data[2].outputs["schema"]
    transform = make_transform(config, examples, schema)
    transform.add_upstream_node(data[-1])
    trainer = make_trainer(config, transform, schema)
    baseline = baseline or latest_blessed()
    model = trainer.outputs["model"]
    evaluator = tfx.components.Evaluator(
        examples=examples,
        example_splits=config.eval_splits,
        model=model,
        baseline_model=baseline.outputs["model"],
        eval_config=make_eval_config(config),
    )
    folder = tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
    pusher = tfx.components.Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(filesystem=folder),
    )
    return {node.id: node for node in [*data, transform, trainer, baseline, evaluator, pusher]}
