"""Runs in MLflow: logged once, read back as they were, compared by what differs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from engines import mlflow_store
from flights import experiments

pytestmark = pytest.mark.xdist_group("mlflow")  # three seconds to import


@pytest.fixture(scope="module")
def uri(tmp_path_factory) -> str:
    """A store with two runs, one of them logged twice under one evaluation."""
    address = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/new folder/runs.db"
    for name, rate, auc in (("first", 0.001, 0.5), ("first", 0.001, 0.6), ("second", 0.01, 0.7)):
        experiments.log_run(
            address,
            name,
            settings={"learning_rate": rate, "hidden_units": [16], "source": str(auc)},
            metrics={"auc": auc, "auc/origin:JFK": auc + 0.1},
            history={"loss": [0.9, 0.8]},
            tags={"evaluation": name, "months": "1-3", "blessed": "yes"},
        )
    return address


def test_runs_are_compared_by_what_differs(uri):
    found = experiments.compare(uri)
    assert list(found.index) == ["first", "second"]
    assert list(found.columns) == ["months", "learning_rate", "auc", "blessed"]
    assert found["auc"].tolist() == [0.6, 0.7]
    assert found["learning_rate"].tolist() == ["0.001", "0.01"]


def test_names_choose_the_runs_and_their_order(uri):
    assert list(experiments.compare(uri, ["second", "first"]).index) == ["second", "first"]
    assert list(experiments.compare(uri, ["second"]).columns) == ["months", "auc", "blessed"]


@pytest.mark.parametrize(
    ("arguments", "said"), [((["third"],), "no run third; there are first, second"), ((None, "none"), "no experiment")]
)
def test_what_is_not_there_is_said(arguments, said, uri):
    with pytest.raises(LookupError, match=said):
        experiments.compare(uri, *arguments)


def test_metrics_of_slices_and_epochs_are_in_the_store(uri):
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as store:
        rows = store.execute(
            "select key, value, step from metrics join runs using (run_uuid) "
            "where name = 'second' and lifecycle_stage = 'active'"
        ).fetchall()
    assert sorted(rows, key=lambda row: (row[0], row[2])) == [
        ("auc", 0.7, 0),
        ("auc/origin:JFK", pytest.approx(0.8), 0),
        ("epoch/loss", 0.9, 0),
        ("epoch/loss", 0.8, 1),
    ]


def test_half_logged_run_is_not_compared_and_is_replaced(uri):
    logged = {"settings": {}, "metrics": {"auc": 0.5}, "tags": {"evaluation": "one"}, "experiment": "half"}
    whole = experiments.log_run(uri, "run", **logged)
    client = mlflow_store.client(uri)
    client.set_terminated(whole, "FAILED")
    assert experiments.compare(uri, experiment="half").empty
    experiments.log_run(uri, "run", **logged)
    assert list(experiments.compare(uri, experiment="half").index) == ["run"]
    assert len(client.search_runs([client.get_experiment_by_name("half").experiment_id])) == 1


UNUSED = """
import sys
from flights import experiments
assert "mlflow" not in sys.modules
"""
USED = """
experiments.log_run(sys.argv[1], "run", settings={}, metrics={})
import mlflow.telemetry
assert mlflow.telemetry.get_telemetry_client() is None
"""


@pytest.mark.parametrize("use", ["", pytest.param(USED, marks=pytest.mark.long)], ids=["unused", "used"])
def test_mlflow_is_imported_only_when_it_is_used_and_says_nothing(tmp_path, use):
    command = [sys.executable, "-c", UNUSED + use, f"sqlite:///{tmp_path}/runs.db"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"runs.db", "runs.db-wal", "runs.db-shm", ".runs.db.lock"}


@pytest.mark.usefixtures("uri")  # so that MLflow is imported
def test_three_first_runs_at_once_are_all_logged(tmp_path):
    """Each would make MLflow's tables, and the experiment; forks begin together when their pipe is closed."""
    store, names = f"sqlite:///{tmp_path}/runs.db", ["first", "second", "third"]
    wait, begin = os.pipe()
    children = []
    for name in names:
        children.append(os.fork())
        if not children[-1]:
            try:
                os.close(begin)
                os.read(wait, 1)
                experiments.log_run(store, name, settings={}, metrics={"auc": 0.5})
                os._exit(0)
            finally:
                os._exit(1)
    os.close(begin)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    os.close(wait)
    assert sorted(experiments.compare(store).index) == names


def noise(file):
    file.write_bytes(bytes(range(256)) * 40)


@pytest.mark.parametrize(
    ("spoil", "said"), [(noise, "file is not a database"), (lambda file: file.mkdir(), "is a folder")]
)
def test_store_that_mlflow_cannot_use_is_told_by_its_file(spoil, said, tmp_path, caplog):
    spoil(tmp_path / "runs.db")
    with pytest.raises(experiments.TrackingError, match=said) as told:
        experiments.log_run(f"sqlite:///{tmp_path}/runs.db", "run", settings={}, metrics={})
    assert str(told.value).startswith(f"{tmp_path}/runs.db")
    assert "\n" not in str(told.value)
    assert "--track" in str(told.value)
    assert not caplog.records


def test_password_of_a_store_is_not_repeated_when_it_cannot_be_used():
    """There is no driver for such a database in the course's environment."""
    with pytest.raises(experiments.TrackingError, match=r"127\.0\.0\.1:1/runs: MLflow cannot use it .*psycopg") as told:
        experiments.log_run("postgresql://me:secret@127.0.0.1:1/runs", "run", settings={}, metrics={})
    assert "secret" not in str(told.value)
