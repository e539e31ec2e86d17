"""The pipeline: one list of components, for every way to run it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import transform_pb2
from tfx.types.channel import BaseChannel

from engines import sources
from engines.beam import BEAM_ARGS
from serving.baseline import model_in_service
from serving.infra_check import InfraCheck

from . import slicing
from .config import CHAMPION, DOCKER, Config
from .contract import CuratedSchema
from .evaluation import make_eval_config
from .examples import make_example_gen
from .gate import DataGate
from .tracker import ExperimentTracker

TRAINING = ["materialize", "train_epochs", "batch_size", "learning_rate", "hidden_units", "dropout", "l2", "seed"]
"""What of the configuration is handed to `model.run_fn`."""

SERVING_IMAGE = "2.19.1"
"""Tag of the image `tensorflow/serving`: the version of its client in the lock. Not tried: that takes a Docker engine, and a registry."""

PACKAGE = __package__
"""The package of this file: the functions that TFX is given by name are those beside it, also in a copy under another name."""


def create_components(config: Config, baseline: BaseNode | None = None) -> dict[str, BaseNode]:
    """The components of the pipeline by their id, in the order in which they depend on each other.

    A notebook runs them one by one, a runner takes them all: what they are does not depend on where they run.

    Args:
        config: the run.
        baseline: gives what a candidate is held against as its output `model`; without one, TFX's Resolver looks up in the metadata
            store what `config.baseline` says, which not every engine lets it do.
    """
    example_gen = make_example_gen(config)
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = CuratedSchema(config.schema_file).with_id("ImportSchemaGen")
    schema = schema_gen.outputs["schema"]
    example_validator = tfx.components.ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    gate = DataGate(
        anomalies=example_validator.outputs["anomalies"],
        statistics=statistics_gen.outputs["statistics"],
        schema=schema,
        examples=examples,
        # Two halves of one month do not drift; a new month is held against the newest that it is to be learned from.
        reference_split="" if config.is_single_month else config.train_splits[-1],
        new_split="" if config.is_single_month else config.eval_splits[0],
    )
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{PACKAGE}.features.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(
            analyze=config.train_splits, transform=[*config.train_splits, *config.eval_splits]
        ),
        # StatisticsGen has the statistics of the raw flights; computing them twice more would double this component's time.
        disable_statistics=True,
        # No later run would find it: it is kept by the folders of Examples, and a run with another month writes new ones.
        disable_analyzer_cache=True,
        materialize=config.materialize,
        custom_config={"source": source_hash("features")},
    )
    transform.add_upstream_node(gate)
    baseline = baseline or _resolve_baseline(config)
    settings = {name: getattr(config, name) for name in TRAINING} | {"source": source_hash("model")}
    training: dict[str, Any] = {
        "transform_graph": transform.outputs["transform_graph"],
        "schema": schema,
        "train_args": tfx.proto.TrainArgs(splits=config.train_splits),
        "eval_args": tfx.proto.EvalArgs(splits=config.eval_splits),
        "base_model": baseline.outputs["model"] if config.warm_start else None,
    }
    tuner = _make_tuner(config, examples, training, settings) if config.tune else None
    trainer = tfx.components.Trainer(
        run_fn=f"{PACKAGE}.model.run_fn",
        examples=transform.outputs["transformed_examples"] if config.materialize else examples,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        custom_config=settings,
        **training,
    )
    eval_config = make_eval_config(config)
    evaluator = tfx.components.Evaluator(
        examples=examples,
        example_splits=config.eval_splits,
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=eval_config,
        module_path=f"{PACKAGE}.slicing" if slicing.needed(eval_config) else None,
    )
    infra_check = _make_infra_check(config, trainer.outputs["model"], examples) if config.infra_check else None
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_check.outputs["blessing"] if infra_check else None,
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
        ),
    )
    nodes = [example_gen, statistics_gen, schema_gen, example_validator, gate, transform]
    nodes += [baseline] if config.warm_start else []
    nodes += [tuner] if tuner else []
    nodes += [trainer] if config.warm_start else [trainer, baseline]
    nodes += [evaluator, infra_check, pusher] if infra_check else [evaluator, pusher]
    if config.tracking_uri:
        tracker = ExperimentTracker(
            model=trainer.outputs["model"],
            evaluation=evaluator.outputs["evaluation"],
            blessing=evaluator.outputs["blessing"],
            tracking_uri=config.tracking_uri,
            experiment=config.pipeline_name,
            run_name=config.run_name or f"months {config.months[0]}-{config.months[1]}",
            months=json.dumps(config.months),
        )
        tracker.add_upstream_node(pusher)
        nodes.append(tracker)
    for node in nodes:
        mark_code(node)
    return {node.id: node for node in nodes}


def _resolve_baseline(config: Config) -> tfx.dsl.Resolver:
    """The latest blessed model of this pipeline, by its metadata store, or the model in service."""
    if config.baseline == CHAMPION:
        return model_in_service(str(Path(config.serving_root).absolute()), config.pipeline_name)
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")


def _make_tuner(
    config: Config, examples: BaseChannel, training: dict[str, Any], settings: dict[str, Any]
) -> tfx.components.Tuner:
    """The Tuner, which reads raw examples in any case: they know their days, and some are held out."""
    from . import tuner

    tuner.hyperparameters(tuner.SEARCH_SPACE)  # refuses now what could not be searched in ten minutes' time
    search = {"tuner_trials": config.tuner_trials, "search_space": tuner.SEARCH_SPACE}
    search["tuner_source"] = source_hash("tuner")
    return tfx.components.Tuner(
        tuner_fn=f"{PACKAGE}.tuner.tuner_fn", examples=examples, custom_config=settings | search, **training
    )


def _make_infra_check(config: Config, model: BaseChannel, examples: BaseChannel) -> BaseComponent:
    """What tries whether the candidate can be served; both write the artifact that Pusher takes."""
    split = config.eval_splits[0]
    if config.infra_check == DOCKER:
        return tfx.components.InfraValidator(
            model=model,
            examples=examples,
            serving_spec=tfx.proto.ServingSpec(
                tensorflow_serving=tfx.proto.TensorFlowServing(tags=[SERVING_IMAGE]),
                # TFX does not go by this variable, as Docker's own commands and `inputs.require_docker` do.
                local_docker=tfx.proto.LocalDockerConfig(client_base_url=os.environ.get("DOCKER_HOST", "")),
                model_name=PACKAGE,
            ),
            request_spec=tfx.proto.RequestSpec(
                tensorflow_serving=tfx.proto.TensorFlowServingRequestSpec(), num_examples=20, split_name=split
            ),
        )
    return InfraCheck(model=model, examples=examples, project=f"{PACKAGE}.serving:PROJECT", split=split)


def source_hash(module: str = "model") -> str:
    """A fingerprint of a module of this package and of what it imports: of the code that Transform, Trainer or Tuner runs.

    The cache compares inputs and settings; of a function that it is given by name it sees the name. With the fingerprint
    among the settings, an edited function is run again.
    """
    return _code_of([f"{PACKAGE}.{module}"])


def mark_code(node: BaseNode) -> None:
    """Makes the code of a component of our own one of its settings: that of its executor, of the project that is served, of the extractors of
    Evaluator, and of metrics."""
    if not isinstance(node, BaseComponent):
        return
    modules = [node.executor_spec.executor_class.__module__, node.exec_properties.get("module_path")]
    modules += [(node.exec_properties.get("project") or "").partition(":")[0]]
    modules += re.findall(r'"module": *"([^"]+)"', node.exec_properties.get("eval_config") or "")
    if own := [name for name in modules if name and (name.startswith(f"{PACKAGE}.") or not sources.is_library(name))]:
        node.exec_properties["source"] = _code_of(own)


def _code_of(modules: list[str]) -> str:
    return sources.fingerprint(*modules, located={PACKAGE: Path(__file__).parent})


def create_pipeline(config: Config, beam_args: Sequence[str] = BEAM_ARGS) -> tfx.dsl.Pipeline:
    """The pipeline with its name, its metadata store and its cache, for a runner."""
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=list(create_components(config).values()),
        enable_cache=config.enable_cache,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
        beam_pipeline_args=list(beam_args),
    )
