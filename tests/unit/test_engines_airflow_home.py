"""Airflow's commands from the course's environment, and what its database and logs say."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from engines.airflow import home
from engines.errors import EngineError, MissingEngineError
from flights import schedule
from flights.config import Config


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """A stand-in for Airflow's environment, that prints its arguments and what it was told."""
    script = tmp_path / "environment" / "bin" / "airflow"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\necho "INFO - setup plugin alembic.x"\necho "$* in $AIRFLOW_HOME"\n[ "$1" != fail ]\n')
    script.chmod(0o755)
    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path / "environment"))
    return script


def test_a_missing_environment_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path))
    with pytest.raises(MissingEngineError, match=r"an environment of its own.*`make airflow-environment` makes it"):
        home.airflow("version", home=tmp_path)


def test_nothing_is_offered_to_the_network_nor_asked_of_it(airflow, tmp_path):
    told = home.environment(tmp_path, port=8123)
    assert told["AIRFLOW__WEBSERVER__WEB_SERVER_HOST"] == "127.0.0.1"
    assert told["AIRFLOW__WEBSERVER__WEB_SERVER_PORT"] == "8123"
    assert told["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert told["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_settings_of_another_airflow_are_left_behind(airflow, tmp_path, monkeypatch):
    """Whoever works with Airflow has its address in the environment, and would have the course write there."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://theirs")
    monkeypatch.setenv("AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD", "theirs")
    monkeypatch.setenv("PYTHONPATH", "theirs")
    assert not [value for value in home.environment(tmp_path).values() if "theirs" in value]


def test_the_database_is_made_once_and_commands_are_run(airflow, tmp_path):
    done = home.airflow("dags", "list", home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (0, f"dags list in {tmp_path}/home\n")
    (tmp_path / "home" / ".migrated").unlink()
    airflow.write_text("#!/bin/sh\necho no room\nexit 1\n")
    with pytest.raises(EngineError, match=r"(?s)could not be made.*no room"):
        home.airflow("dags", "list", home=tmp_path / "home")


def test_in_a_home_that_was_moved_airflow_does_not_go_on_writing_where_it_was(airflow, tmp_path):
    """Lines of the file that Airflow 2.11.2 writes with its database; what somebody has changed in it stays."""
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    (new / ".migrated").touch()
    lines = "[core]\nparallelism = 3\nplugins_folder = {0}/plugins\n[scheduler]\nchild_process_log_directory = {0}/logs/scheduler\n"
    (new / "airflow.cfg").write_text(lines.format(old))
    for _ in range(2):
        home.prepare(new)
        assert (new / "airflow.cfg").read_text() == lines.format(new)


def test_the_command_line_becomes_airflow(airflow, tmp_path):
    became = []
    arguments = ["--home", str(tmp_path / "home"), "--port", "8123"]
    assert home.main([*arguments, "dags", "list"], lambda *given: became.append(given)) == 0
    assert home.main([*arguments, "standalone"], lambda *given: became.append(given)) == 0
    (program, command, variables), (python, standalone, _) = became
    assert (program, command) == (airflow, ["airflow", "dags", "list"])
    assert variables["AIRFLOW__WEBSERVER__WEB_SERVER_PORT"] == "8123"
    assert (python, standalone) == (airflow.with_name("python"), ["python", "-m", "engines.airflow.standalone"])


def test_task_runs_are_read_from_the_database(tmp_path):
    assert home.task_runs(tmp_path, "flights") == []
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.executescript("""
            CREATE TABLE dag_run (id INTEGER, dag_id TEXT, run_id TEXT, execution_date TEXT, state TEXT);
            CREATE TABLE task_instance (dag_id TEXT, run_id TEXT, task_id TEXT, state TEXT, try_number INTEGER, end_date TEXT, duration REAL);
            CREATE TABLE xcom (dag_id TEXT, run_id TEXT, task_id TEXT, key TEXT, value BLOB);
            INSERT INTO dag_run VALUES (1, 'flights', 'february', '2013-02-01 00:00:00', 'failed'),
                                       (2, 'flights', 'january', '2013-01-01 00:00:00', 'success'),
                                       (3, 'other', 'january', '2013-01-01 00:00:00', 'success');
            INSERT INTO task_instance VALUES
                ('flights', 'january', 'Trainer', 'success', 2, '2026-01-01 10:00:09', 12.5),
                ('flights', 'january', 'CsvExampleGen', 'success', 1, '2026-01-01 10:00:00', 3.5),
                ('flights', 'february', 'CsvExampleGen', NULL, 0, NULL, NULL),
                ('other', 'january', 'CsvExampleGen', 'success', 1, '2026-01-01 10:00:00', 3.5);
            INSERT INTO xcom VALUES ('flights', 'january', 'Trainer', 'return_value', '"done"');
        """)
    runs = home.task_runs(tmp_path, "flights")
    assert [(one.month, one.task, one.state, one.tries, one.result) for one in runs] == [
        ("2013-01", "CsvExampleGen", "success", 1, ""),
        ("2013-01", "Trainer", "success", 2, "done"),
        ("2013-02", "CsvExampleGen", "", 0, ""),
    ]
    assert [one.run_state for one in runs] == ["success", "success", "failed"]
    assert runs[1].log == tmp_path / "logs" / "dag_id=flights" / "run_id=january" / "task_id=Trainer" / "attempt=2.log"


def test_the_reason_of_a_failed_task_is_found_in_its_log(tmp_path):
    from engines.airflow import runner as airflow

    log = tmp_path / "attempt=1.log"
    assert airflow.reason(log) == "It left no log."
    log.write_text(
        "[2026-11-27T22:34:16.767+0000] {dag.py:160} INFO - BadDataError: The data break the contract\n"
        "[2026-11-27T22:34:16.768+0000] {taskinstance.py:3313} ERROR - Task failed with exception\n"
        "Traceback (most recent call last):\n"
        '  File "dag.py", line 3, in execute\n'
        "airflow.exceptions.AirflowFailException: DataGate failed: BadDataError: The data break the contract:\n"
        "  month-02, column carrier: Unexpected string values.\n"
        "[2026-11-27T22:34:16.769+0000] {taskinstance.py:1226} INFO - Marking task as FAILED.\n"
    )
    assert airflow.reason(log) == (
        "BadDataError: The data break the contract:\n  month-02, column carrier: Unexpected string values."
    )


def test_airflow_is_an_engine_and_misses_its_environment_in_a_sentence(tmp_path, monkeypatch, root):
    from engines.airflow import runner as airflow

    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path / "missing"))
    with pytest.raises(MissingEngineError, match="make airflow-environment"):
        airflow.run(
            Config(data_root=str(root / "data/flights"), output_root=str(tmp_path / "out")),
            "flights.pipeline:create_pipeline",
            schedule.MONTHS,
        )
    assert not (tmp_path / "out").exists()


def test_what_airflow_imports_needs_neither_tfx_nor_pandas():
    """Its environment has none of them, and the file with a DAG is read every half minute."""
    modules = (
        "engines.airflow.project, engines.airflow.graph, engines.airflow.alerts, engines.airflow.home, engines.common"
    )
    heavy = "{'tensorflow', 'tfx', 'pandas', 'pyarrow', 'ml_metadata'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr
