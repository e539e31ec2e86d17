"""A pipeline's folder that was copied, and whose original is gone: the next run takes its baseline from where it is now."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import store
from flights.config import Config


@pytest.fixture(scope="module")
def moved(make_config, run) -> tuple[Config, list]:
    """A run in a folder, a copy of it, and a run in the copy, with the reports of its nodes."""
    settings = {"train_epochs": 1, "min_auc": 0.0, "min_slice_auc": 0.0, "max_auc_loss": 1.0}
    first, second = make_config("first", **settings), make_config("second", **settings)
    run(first)
    shutil.copytree(first.output_root, second.output_root)
    os.rename(first.output_root, f"{first.output_root}-gone")
    return second, run(second)


def test_run_in_it_comes_to_its_end_and_leaves_the_former_place_alone(moved, make_config):
    config, reports = moved
    assert reports[-1].node == "Pusher"
    assert store.latest_verdict(config) == f"Blessed and pushed: {store.latest_version(config)}"
    assert not Path(make_config("first").output_root).exists()


def test_candidate_was_held_against_the_model_that_is_here_now(moved):
    opened = store.open_store(moved[0])
    newest = max(opened.get_executions_by_type("tfx.components.evaluator.component.Evaluator"), key=lambda one: one.id)
    events = opened.get_events_by_execution_ids([newest.id])
    inputs = {one.path.steps[0].key: one.artifact_id for one in events if one.type == mlmd.Event.INPUT}
    (baseline,) = opened.get_artifacts_by_id([inputs["baseline_model"]])
    assert Path(baseline.uri).is_dir()
    assert Path(baseline.uri).is_relative_to(moved[0].pipeline_root)


def test_component_that_fails_is_named_to_who_tells_of_it(moved, run, make_config, monkeypatch):
    import keras

    def fail(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(keras.Model, "fit", fail)
    with pytest.raises(KeyError) as failed:
        run(make_config("second", train_epochs=2))
    assert failed.value.failed_node == "Trainer"
