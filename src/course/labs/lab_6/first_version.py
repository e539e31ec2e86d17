"""The first version of the model of tasks 5 and 6: that of the student's lab 3, or the one that was delivered, evaluated and pushed by a small pipeline."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flights import registry
from flights.config import Config

GIVEN, LAB_3 = "first", "lab-3-pipeline"
"""Folders: of the model that was delivered, in the workspace; and of lab 3, beside the workspace."""
PIPELINE, SERVICE = "pipeline", "service"
"""Folders in the workspace: of the pipeline, and of the log."""
MONTHS, MADE = (2, 3), "Format-Serving"
_USED: set[Path] = set()
"""Folders of pipelines in this process. MLflow keeps a connection to a registry's file, also when that is gone, so no folder is used again."""
LEAN: dict[str, Any] = {"materialize": False, "train_epochs": 10, "slices": (), "guarded": ()}
"""Settings with which a run takes two thirds of the time."""
WHY = "It is in service already."


def begin(workspace: Path, own: bool = True) -> Config:
    """Begins a pipeline's folder and that of the service, without what was there, and makes the first version champion.

    Args:
        workspace: of the lab.
        own: take the model that lab 3 has pushed, where there is one.

    Returns:
        The configuration of the pipeline.

    Raises:
        RuntimeError: the model that was delivered did not pass the gate.
    """
    for old in [*workspace.glob(f"{PIPELINE}*"), workspace / SERVICE]:
        shutil.rmtree(old, ignore_errors=True)
    numbers = itertools.count(2)
    folder = workspace / PIPELINE
    while folder in _USED:
        folder = workspace / f"{PIPELINE}-{next(numbers):02d}"
    _USED.add(folder)
    for made in (folder, workspace / SERVICE):
        made.mkdir()
    config = Config(data_root=str(workspace / "months"), output_root=str(folder), months=MONTHS, **LEAN)
    mine = pushed(workspace.parent / LAB_3) if own else None
    if mine and _takes(config, _copied(mine, folder / "first"), "Your model of lab 3"):
        return _registered(config, "that of your lab 3")
    if _takes(config, workspace / GIVEN, "The model that was delivered"):
        return _registered(config, "that of lab 3's solution")
    raise RuntimeError("No first version could be pushed. Run the notebook from the top.")


def pushed(lab: Path) -> Path | None:
    """The newest version that the student's pipeline of lab 3 has pushed."""
    found = [one.parent for one in lab.glob("*/**/serving/*/saved_model.pb") if one.parent.name.isdecimal()]
    return max(found, key=lambda one: int(one.name), default=None)


def create_pipeline(config: Config, beam_args: Sequence[str], model: Path) -> Any:
    """A pipeline that evaluates a model that was trained elsewhere, and pushes it."""
    from tfx import v1 as tfx

    from flights.evaluation import make_eval_config
    from flights.examples import make_example_gen

    imported = tfx.dsl.Importer(str(model), tfx.types.standard_artifacts.Model, reimport=True).with_id("FirstModel")
    example_gen = make_example_gen(config)
    evaluator = tfx.components.Evaluator(
        examples=example_gen.outputs["examples"],
        example_splits=config.eval_splits,
        model=imported.outputs["result"],
        eval_config=make_eval_config(config),
    )
    folder = tfx.proto.PushDestination.Filesystem(base_directory=config.serving_root)
    pusher = tfx.components.Pusher(
        model=imported.outputs["result"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(filesystem=folder),
    )
    return tfx.dsl.Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=config.pipeline_root,
        components=[imported, example_gen, evaluator, pusher],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path),
        beam_pipeline_args=list(beam_args),
    )


def _copied(version: Path, folder: Path) -> Path:
    """Where lab 3 is begun again, its folder is emptied."""
    shutil.copytree(version, folder / MADE)
    return folder


def _takes(config: Config, model: Path, name: str) -> bool:
    """Whether a model passed the gate and was pushed; says why where it was not."""
    from engines import local

    try:
        local.run(config, lambda one, beam_args: create_pipeline(one, beam_args, model))
    except Exception as error:
        print(f"{name} cannot be evaluated: {str(error)[:200]}")
        return False
    if any(Path(config.serving_root).glob("*/saved_model.pb")):
        return True
    print(f"{name} did not pass the gate on March.")
    return False


def _registered(config: Config, words: str) -> Config:
    [entry] = registry.sync(config, tell=lambda _: None)
    registry.of(config, tell=lambda _: None).promote(entry.version, why=WHY)
    print(f"In service: version {entry.version}, {words}. Evaluated on March: AUC {entry.metrics['auc']:.3f}.")
    return config
