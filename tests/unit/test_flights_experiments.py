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


def test_mlflow_is_imported_only_when_it_is_used_and_says_nothing(tmp_path):
    program = (
        "import sys\nfrom flights import experiments\nassert 'mlflow' not in sys.modules\n"
        f"experiments.log_run('sqlite:///{tmp_path}/runs.db', 'run', settings={{}}, metrics={{}})\n"
        "import mlflow.telemetry as t\nassert t.get_telemetry_client() is None\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} <= {"runs.db", "runs.db-wal", "runs.db-shm", ".runs.db.lock"}


def test_three_first_runs_at_once_are_all_logged(tmp_path):
    """Each would make MLflow's tables, and the experiment; forks begin together when their pipe is closed, with MLflow imported."""
    program = (
        "import os, sys\nfrom flights import experiments\nimport mlflow\n"
        "address, *names = sys.argv[1:]\n"
        "wait, begin = os.pipe()\n"
        "for name in names:\n"
        "    if os.fork() == 0:\n"
        "        os.close(begin)\n"
        "        os.read(wait, 1)\n"
        "        experiments.log_run(address, name, settings={}, metrics={'auc': 0.5})\n"
        "        os._exit(0)\n"
        "os.close(begin)\n"
        "print([os.wait()[1] for _ in names])\n"
    )
    address, names = f"sqlite:///{tmp_path}/runs.db", ["first", "second", "third"]
    quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}  # as `log_run` has it, before its own import
    command = [sys.executable, "-c", program, address, *names]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env=quiet)
    assert (ended.stdout, ended.stderr) == ("[0, 0, 0]\n", "")
    assert sorted(experiments.compare(address).index) == names


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
