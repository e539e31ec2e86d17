"""A short year in service for real, in a process that is killed with -9 in a training and in a canary, and each time goes on by the same command."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ledger
import pytest

from engines.airflow import ended, home
from engines.errors import MissingEngineError
from flights import retrain
from operation.history import DECLINED, DONE, INTERRUPTED
from operation.releases import RELEASED, ROLLED_BACK
from serving import traffic
from tools.year import account, parts
from tools.year.state import Plan, State

PATIENCE = 900  # seconds that a step may take on a machine with much to do

EASY = {"train_epochs": 1, "min_auc": 0.0, "min_slice_auc": 0.0, "max_auc_loss": 1.0}
"""A training that takes a second; what it makes passes any gate."""


class Run:
    """The command, in the repository."""

    def __init__(self, root: Path, folder: Path, plan: Plan) -> None:
        self.root, self.folder, self.plan, self.said = root, folder, plan, folder.with_suffix(".txt")
        self.config = parts.config_of(folder, plan)

    def start(self) -> subprocess.Popen:
        code = f"from pathlib import Path; from tools.year.__main__ import go; from tools.year.state import Plan; raise SystemExit(go(Path({str(self.folder)!r}), {self.plan!r}))"
        with self.said.open("w") as opened:
            return subprocess.Popen([sys.executable, "-c", code], cwd=self.root, stdout=opened, stderr=opened)

    def kill(self, when: Callable[[], bool]) -> None:
        with self.start() as process:
            try:
                end = time.monotonic() + PATIENCE
                while not when():
                    assert process.poll() is None, self.said.read_text()
                    assert time.monotonic() < end
                    time.sleep(0.02)
            finally:
                os.kill(process.pid, signal.SIGKILL)

    def state(self) -> State | None:
        return State.open(self.folder, self.plan) if (self.folder / "state.json").exists() else None

    def by_airflow(self) -> None:
        """From here on Airflow runs its pipelines. A year keeps its engine: here its plan is changed, so that one year shows two."""
        state, self.plan = self.state(), dataclasses.replace(self.plan, engine="airflow")
        dataclasses.replace(state, plan=self.plan).save()

    def in_training(self) -> bool:
        state = self.state()
        return (
            bool(state and state.month == 3 and state.step == "retrain")
            and ledger.last_states(self.config)["Trainer"] == "RUNNING"
        )

    def in_canary(self) -> bool:
        served = traffic.read(self.config.serving_root) if Path(self.config.serving_root).is_dir() else None
        return bool(served and served.challenger)


@pytest.fixture(scope="module")
def run(tmp_path_factory, root) -> Run:
    """From March to June: April's file is in another unit, and what is learned from May fails in canary. May's pipeline is Airflow's, where there is Airflow."""
    folder = tmp_path_factory.mktemp("short")
    (folder / "policy.json").write_text(json.dumps({"policy": {"Calendar": {"months": 1}}}))
    plan = Plan(
        str(root / "data/flights"), last=6, refused=4, spoilt=5, policy=str(folder / "policy.json"), settings=EASY
    )
    made = Run(root, folder / "year", plan)
    made.kill(made.in_training)
    made.kill(made.in_canary)
    with contextlib.suppress(MissingEngineError):
        home.find_airflow()
        made.by_airflow()
    with made.start() as process:
        assert process.wait(4 * PATIENCE) == 0, made.said.read_text()
    return made


@pytest.mark.long
def test_killed_in_a_training_and_in_a_canary_the_year_loses_nothing_and_does_nothing_twice(run):
    found = account.account(run.state(), run.config)
    assert found.faults == []
    assert found.sentences[0].startswith("1,")
    assert "8,000 rows are in the log of requests, and 8,000 flights were asked about." in found.sentences
    records = retrain.history_of(run.config).records()
    assert [(one.period, one.state) for one in records] == [
        ("2013-02", DONE),
        ("2013-03", INTERRUPTED),
        ("2013-03", DONE),
        ("2013-04", DECLINED),
        ("2013-05", DONE),
    ]
    ledger.assert_sound(run.config)


@pytest.mark.long
def test_what_the_gate_refuses_is_learned_from_by_no_model_and_what_fails_in_canary_is_taken_back(run):
    first, second, third = ledger.versions(run.config)
    refused = retrain.history_of(run.config).records()[3]
    assert "Not now: the data of 2013-04 were refused" in refused.decision.reason
    done = [(str(one.version), one.state, one.step.partition(" ")[0]) for one in account.releases_of(run.config)]
    assert done == [
        (first, RELEASED, "production"),
        (second, RELEASED, "production"),
        (third, ROLLED_BACK, "canary"),
    ]
    assert f"Version {third} failed for" in account.releases_of(run.config)[-1].reason
    assert traffic.read(run.config.serving_root).champion == int(second)
    page = (run.folder / "year.md").read_text()
    assert f"| {third}, rolled back at canary " in page
    assert "The gate of the data has refused April, and no version has seen it: " in page


@pytest.mark.long
def test_a_pipeline_of_the_year_is_run_by_airflow_as_well(run):
    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    assert {"Trainer", "Pusher"} < {one.task for one in ended.read(Path(run.config.output_root, "airflow"))}
