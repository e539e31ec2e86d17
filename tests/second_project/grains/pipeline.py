"""The pipeline: stock components of TFX only."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow_model_analysis as tfma
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import transform_pb2

from engines.beam import BEAM_ARGS
from grains.config import Config
from grains.model import LABEL


def create_components(config: Config, baseline: BaseNode | None = None) -> dict[str, BaseNode]:
    """The components by id; the last year judges, those before it teach, and a year on its own is divided."""
    example_gen, train, judge = _example_gen(config)
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = tfx.components.SchemaGen(statistics=statistics_gen.outputs["statistics"])
    schema = schema_gen.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{__package__}.model.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=train, transform=[*train, *judge]),
        disable_statistics=True,
    )
    transform.add_upstream_node(validator)
    trainer = tfx.components.Trainer(
        run_fn=f"{__package__}.model.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=train),
        eval_args=tfx.proto.EvalArgs(splits=judge),
    )
    baseline = baseline or tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")
    evaluator = tfx.components.Evaluator(
        examples=examples,
        example_splits=judge,
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=_eval_config(config),
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
        ),
    )
    nodes = [example_gen, statistics_gen, schema_gen, validator, transform, trainer, baseline, evaluator, pusher]
    return {node.id: node for node in nodes}


def _example_gen(config: Config) -> tuple[BaseNode, list[str], list[str]]:
    """The component that reads the years, and the splits that teach and judge."""
    first, last = config.years
    split = tfx.proto.Input.Split
    if first < last:
        splits = [split(name=f"year-{year}", pattern=f"{year}/*.csv") for year in range(first, last + 1)]
        names = [one.name for one in splits]
        read = tfx.components.CsvExampleGen(input_base=config.data_root, input_config=tfx.proto.Input(splits=splits))
        return read, names[:-1], names[-1:]
    share = tfx.proto.SplitConfig.Split
    shares = tfx.proto.SplitConfig(splits=[share(name="train", hash_buckets=2), share(name="judge", hash_buckets=1)])
    read = tfx.components.CsvExampleGen(
        input_base=config.data_root,
        input_config=tfx.proto.Input(splits=[split(name="year", pattern=f"{last}/*.csv")]),
        output_config=tfx.proto.Output(split_config=shares),
    )
    return read, ["train"], ["judge"]


def _eval_config(config: Config) -> tfma.EvalConfig:
    """The share of grains whose variety is right: enough of it, and no less than that of the model before."""
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": config.min_accuracy}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -0.1}
        ),
    )
    metric = tfma.MetricConfig(class_name="SparseCategoricalAccuracy", threshold=threshold)
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_default", label_key=LABEL)],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[metric])],
    )


def create_pipeline(config: Config, beam_args: Sequence[str] = BEAM_ARGS) -> tfx.dsl.Pipeline:
    """The components with a name, a store and a cache."""
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=list(create_components(config).values()),
        enable_cache=config.enable_cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
        beam_pipeline_args=list(beam_args),
    )
