"""What the runner makes of the folders of earlier runs: which it deletes, and what it says of the latest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engines.quiet import import_quietly
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def kubeflow():
    import_quietly()
    from engines.kubeflow import runner as kubeflow

    return kubeflow


@pytest.fixture
def config(tmp_path) -> Config:
    return Config(output_root=str(tmp_path))


def make_run(config: Config, name: str, complete: bool = True, pushed: dict | None = None) -> Path:
    """The folder of a run, as far as its Pusher."""
    folder = Path(config.output_root, "kubeflow", f"flights-{name}")
    (folder / "Pusher").mkdir(parents=True)
    (folder / "Pusher" / "started").touch()
    if pushed is not None:
        message = {"artifacts": {"pushed_model": {"artifacts": [{"metadata": pushed}]}}}
        (folder / "Pusher" / "executor_output.json").write_text(json.dumps(message))
    if complete:
        (folder / "complete").touch()
    return folder


def make_version(config: Config, version: int, complete: bool = True) -> Path:
    folder = Path(config.serving_root, str(version))
    folder.mkdir(parents=True)
    if complete:
        (folder / "saved_model.pb").touch()
    return folder


def test_runs_that_came_to_no_end_are_deleted_and_the_others_stay(kubeflow, config):
    whole, killed = make_run(config, "1", pushed={"pushed": 1}), make_run(config, "2", complete=False)
    assert kubeflow.repair(config) == ["flights-2"]
    assert whole.exists()
    assert not killed.exists()
    assert kubeflow.repair(config) == []


def test_a_version_that_a_killed_pusher_left_is_deleted_and_older_ones_stay(kubeflow, config):
    older, newer = make_version(config, 1000), make_version(config, 2000)
    half = make_version(config, 500, complete=False)
    killed = make_run(config, "1", complete=False)
    os.utime(killed / "Pusher" / "started", (2000, 2000))
    kubeflow.repair(config)
    assert older.exists()
    assert not newer.exists()
    assert not half.exists()


def test_a_version_stays_when_the_pusher_had_said_so_before_the_run_was_killed(kubeflow, config):
    version = make_version(config, 2000)
    killed = make_run(config, "1", complete=False, pushed={"pushed": 1, "pushed_version": "2000"})
    os.utime(killed / "Pusher" / "started", (2000, 2000))
    kubeflow.repair(config)
    assert version.exists()


def test_the_verdict_is_that_of_the_latest_run(kubeflow, config):
    assert kubeflow.verdict(config) == "No model was evaluated yet."
    make_run(config, "1", pushed={"pushed": 1, "pushed_version": "7"})
    assert kubeflow.verdict(config) == f"Blessed and pushed: {Path(config.serving_root) / '7'}"
    make_run(config, "2", pushed={"pushed": 0})
    assert kubeflow.verdict(config).startswith("Refused")


def test_only_processes_can_be_skipped(kubeflow, config):
    with pytest.raises(ValueError, match="only tasks that run as processes"):
        kubeflow.run(config, None, in_containers=True, before=lambda _: True)
