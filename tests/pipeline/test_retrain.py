"""`flights retrain` with the real pipeline: locally, killed with -9 in a step, and as the first task of a DAG."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import ledger
import pytest

from engines.airflow import home, ready
from engines.errors import MissingEngineError
from engines.lineage import Lineage
from flights import registry, retrain, schedule
from flights.config import Config
from operation.history import BEGUN, DECLINED, DONE, INTERRUPTED, Record
from operation.policy import Guards, Never
from serving import traffic

PATIENCE = 300  # seconds that a step may take on a machine with much to do

EASY = {"train_epochs": 1, "min_auc": 0.0, "min_slice_auc": 0.0, "max_auc_loss": 1.0}
"""A training that takes a second; what it makes passes any gate."""


@pytest.fixture(scope="module")
def config(make_config, run) -> Config:
    """With a first model, of January: a run of its own, as a copy knows the model that is in service by its former place."""
    config = make_config("local", **EASY)
    run(config)
    return config


@pytest.fixture(scope="module")
def retrained(config) -> tuple[str, Record]:
    """The first version, put into service, and the record of a retraining by hand on February."""
    (first,) = ledger.versions(config)
    return first, retrain.retrain(config, 2, (Never(), Guards()), "To see it.")


@pytest.mark.long  # lesson 13 has such a retraining each day: it is done only where the candidate was held against the model in service
def test_a_retraining_is_held_against_the_model_in_service_and_registered(config, retrained):
    first, record = retrained
    assert record.state == DONE
    assert ledger.versions(config) == [first, record.version]
    assert traffic.read(config.serving_root).champion == int(first)
    assert [one.version for one in registry.of(config).versions()] == [first, record.version]
    lineage = Lineage.of_file(config.metadata_path)
    judged = lineage.version(record.version).verdicts[0]
    assert judged.baseline == lineage.version(first).push.model
    assert [use.file.span for use in judged.judged_on] == [2]
    # The gate of the data was asked first, so that the pipeline took its steps from the cache.
    assert ledger.last_states(config)["DataGate"] == "CACHED"
    ledger.assert_sound(config)


@pytest.mark.long
@pytest.mark.usefixtures("retrained")
def test_killed_in_a_step_the_next_call_strikes_it_out_and_retrains(config, forked):
    first = str(traffic.read(config.serving_root).champion)
    before = ledger.versions(config)
    folders = ["--data-root", config.data_root, "--output-root", config.output_root]
    process = forked(["retrain", "--month", "3", "--by-hand", "Kill me.", *folders])
    end = time.monotonic() + PATIENCE
    while ledger.last_states(config)["Trainer"] != "RUNNING":
        assert process.poll() is None, "the retraining ended"
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert retrain.history_of(config).records()[-1].state == BEGUN
    assert ledger.versions(config) == before

    said: list[str] = []
    record = retrain.retrain(config, 3, (Never(), Guards()), "Again.", tell=said.append)
    assert "was cut off: it is struck out" in said[1]
    assert [one.state for one in retrain.history_of(config).records()] == [DONE, INTERRUPTED, DONE]
    assert ledger.versions(config) == [*before, record.version]
    # The latest blessed one, of February, was not released.
    lineage = Lineage.of_file(config.metadata_path)
    assert lineage.version(record.version).verdicts[0].baseline == lineage.version(first).push.model
    ledger.assert_sound(config)


# --- On Airflow


@pytest.fixture(scope="module")
def scheduled(make_config, tmp_path_factory):
    """Runs the DAG of the repository with a policy, for January: what became of its tasks, and what Airflow said."""
    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    folder, config = tmp_path_factory.mktemp("scheduled"), make_config("airflow", **EASY)
    settings = {"data_root": config.data_root, "output_root": config.output_root, **EASY}
    given = schedule.project(settings, retrain=True).save(folder / "project.json")

    def run(policy: dict) -> tuple[dict[str, str], str]:
        (folder / "policy.json").write_text(json.dumps({"policy": policy}))
        variables = {
            "FLIGHTS_AIRFLOW_PROJECT": str(given),
            "FLIGHTS_POLICY": str(folder / "policy.json"),
            "ENGINES_PYTHON": sys.executable,
        }
        done = home.airflow("dags", "test", "flights", "2013-01-01", home=folder / "home", **variables)
        return {one.task: one.state for one in home.task_runs(folder / "home", "flights")}, done.stdout

    yield config, run
    ready.end()


@pytest.mark.long
@pytest.mark.usefixtures("shared_imports")
def test_a_dag_skips_the_pipeline_where_the_policy_says_no(scheduled):
    config, run = scheduled
    states, said = run({"Never": {}})
    others = {state for task, state in states.items() if task not in ("wait_for_month", "decide")}
    assert (states["wait_for_month"], states["decide"], others) == ("success", "success", {"skipped"}), said
    assert {"CsvExampleGen", "Pusher", "conclude"} < set(states)
    (record,) = retrain.history_of(config).records()
    assert (record.state, record.period, record.decision.reason) == (DECLINED, "2013-01", "No retraining is planned.")
    assert "Trainer" not in ledger.last_states(config)


@pytest.mark.long
@pytest.mark.usefixtures("shared_imports")
def test_a_dag_runs_the_pipeline_where_the_policy_says_yes_and_registers_its_version(scheduled):
    config, run = scheduled
    states, said = run({"Calendar": {"months": 1}})
    assert set(states.values()) == {"success"}, said
    record = retrain.history_of(config).records()[-1]
    assert (record.state, record.decision.reason, record.who) == (DONE, "There is no model yet.", "a schedule")
    assert ledger.versions(config) == [record.version]
    assert [one.version for one in registry.of(config).versions()] == [record.version]
    assert f"version {record.version} is registered" in said
