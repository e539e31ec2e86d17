"""Airflow's commands from the course's environment, and what its REST API and its logs say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from engines.airflow import alerts, ended, home, logs, ready, rest
from engines.errors import EngineError, MissingEngineError
from flights import schedule
from flights.config import Config
from warm import client


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """A stand-in for Airflow's environment, that prints its arguments and what it was told."""
    script = tmp_path / "environment" / "bin" / "airflow"
    script.parent.mkdir(parents=True)
    script.write_text(
        '#!/bin/sh\necho "pip install graphviz [py.warnings] category=UserWarning"\necho "$* in $AIRFLOW_HOME"\n[ "$1" != fail ]\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path / "environment"))
    yield script
    ready.end()


def answers_with(airflow, command: str) -> None:
    """Makes the stand-in's `python` one that has another `engines.airflow.command`, and no Airflow to import."""
    ready.end()
    package = airflow.parents[1] / "packages" / "engines" / "airflow"
    package.mkdir(parents=True, exist_ok=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "preloaded.py").write_text("import os\nserver = os.getpid()\n")
    (package / "command.py").write_text(command)
    python = airflow.with_name("python")
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH={package.parents[1]} PYTHONDONTWRITEBYTECODE=1 exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)


SAYS_WHERE = """
import os, sys
def airflow(words):
    from engines.airflow import preloaded
    print("a warning [py.warnings]")
    print(words, preloaded.server, os.environ["MINE"], flush=True)
    sys.exit(3)
def task_runs(words):
    from engines.airflow import preloaded
    print(preloaded.server)
    print([])
"""


def test_a_test_of_a_dag_and_what_is_asked_of_it_are_forks_of_one_process(airflow, tmp_path):
    """Which has imported Airflow, once; where it has ended, another takes its place."""
    answers_with(airflow, SAYS_WHERE)
    servers = []
    for number in range(3):
        done = home.airflow("dags", "test", "d", home=tmp_path / "home", MINE=str(number), WARM_SERVER="/none")
        assert done.returncode == 3
        *said, server, mine = done.stdout.split()
        assert (" ".join(said), mine) == ("['dags', 'test', 'd']", str(number))
        servers.append(int(server))
        assert home.task_runs(tmp_path / "home", "d") == []
        if number == 1:
            os.kill(int(server), signal.SIGKILL)
    assert servers[0] == servers[1] != servers[2]


def test_where_processes_do_not_fork_each_command_makes_its_own_imports(airflow, tmp_path, monkeypatch):
    """With the Python of Airflow's environment, not with the one that asks."""
    monkeypatch.setattr(client, "FORKS", False)
    answers_with(airflow, SAYS_WHERE)
    servers = [home.airflow("dags", "test", "d", home=tmp_path / "home", MINE="1").stdout for _ in range(2)]
    assert servers[0] != servers[1]
    assert home.task_runs(tmp_path / "home", "d") == []


def test_a_home_begins_with_a_copy_of_one_database_that_was_made_for_this_version(airflow, tmp_path):
    installed = airflow.parents[1] / "lib/python3.11/site-packages/apache_airflow_core-3.3.2.dist-info"
    installed.mkdir(parents=True)
    airflow.write_text('#!/bin/sh\necho "$*" >>$(dirname "$0")/asked; echo made >$AIRFLOW_HOME/airflow.db\n')
    for name in ("one", "other"):
        home.prepare(tmp_path / name)
        assert (tmp_path / name / "airflow.db").read_text() == "made\n"
    assert airflow.with_name("asked").read_text() == "db migrate\n"
    (tmp_path / "one" / ".migrated").unlink()
    home.prepare(tmp_path / "one")
    assert airflow.with_name("asked").read_text() == "db migrate\n" * 2, "one that is there is migrated, not replaced"
    installed.rename(installed.with_name("apache_airflow_core-3.4.0.dist-info"))
    home.prepare(tmp_path / "later")
    assert airflow.with_name("asked").read_text() == "db migrate\n" * 3
    assert not list(airflow.parents[1].glob(".empty-*"))


def test_a_missing_environment_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path))
    with pytest.raises(MissingEngineError, match=r"an environment of its own.*`make airflow-environment` makes it"):
        home.airflow("version", home=tmp_path)


def test_nothing_is_offered_to_the_network_nor_asked_of_it(airflow, tmp_path):
    told = home.environment(tmp_path, port=8123)
    assert told["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert told["AIRFLOW__API__PORT"] == "8123"
    assert told["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
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
    """Lines of the file that Airflow 3.3.2 writes with its database; what somebody has changed in it stays."""
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    (new / ".migrated").touch()
    lines = "[core]\nparallelism = 3\nplugins_folder = {0}/plugins\n[logging]\nbase_log_folder = {0}/logs\n"
    (new / "airflow.cfg").write_text(lines.format(old))
    for _ in range(2):
        home.prepare(new)
        assert (new / "airflow.cfg").read_text() == lines.format(new)


def test_a_home_of_another_version_keeps_its_runs_and_lays_its_settings_aside(airflow, tmp_path):
    """Airflow 2 wrote into them whom it asks for a login, which Airflow 3 has not; that `db migrate` brings its database along was seen by hand."""
    installed = airflow.parents[1] / "lib/python3.11/site-packages/apache_airflow_core-3.3.2.dist-info"
    installed.mkdir(parents=True)
    (tmp_path / ".migrated").touch()
    (tmp_path / "airflow.db").touch()
    (tmp_path / "airflow.cfg").write_text("auth_manager = airflow.providers.fab...\n")
    airflow.write_text('#!/bin/sh\necho "$*" >>$AIRFLOW_HOME/asked\n')
    for _ in range(2):
        home.prepare(tmp_path)
    assert (tmp_path / "asked").read_text() == "db migrate\n"
    assert not (tmp_path / "airflow.cfg").exists()
    assert (tmp_path / "airflow.cfg.before").read_text().startswith("auth_manager")


def test_the_command_line_becomes_airflow(airflow, tmp_path):
    became = []
    arguments = ["--home", str(tmp_path / "home"), "--port", "8123"]
    assert home.main([*arguments, "dags", "list"], lambda *given: became.append(given)) == 0
    assert home.main([*arguments, "standalone"], lambda *given: became.append(given)) == 0
    (program, command, variables), (python, standalone, _) = became
    assert (program, command) == (airflow, ["airflow", "dags", "list"])
    assert variables["AIRFLOW__API__PORT"] == "8123"
    assert (python, standalone) == (airflow.with_name("python"), ["python", "-m", "engines.airflow.standalone"])


def answers(pages: dict[str, dict]):
    """The REST API, with answers of Airflow 3.3.2: only the fields that are read, under the paths that it has them."""

    def get(path: str) -> dict | None:
        asked.append(path)
        return pages.get(path)

    asked: list[str] = []
    return get, asked


def test_what_became_of_all_runs_is_asked_of_the_rest_api():
    def task(run: str, name: str, state: str | None, tries: int, end: str | None, seconds: float | None) -> dict:
        return {
            **{"dag_id": "my dag", "dag_run_id": run, "task_id": name, "state": state, "try_number": tries},
            **{"end_date": end, "duration": seconds},
        }

    january = "scheduled__2013-02-01T00:00:00+00:00"
    runs = [
        {"dag_run_id": "by-hand", "logical_date": None, "state": "failed"},
        {"dag_run_id": january, "logical_date": "2013-01-01T00:00:00Z", "state": "success"},
    ]
    first = [task(january, f"t{number}", None, 0, None, None) for number in range(99)]
    first.append(task(january, "Trainer", "success", 2, "2026-01-01T10:00:09Z", 12.5))
    more = [task("by-hand", "Trainer", "failed", 1, "2026-01-01T10:00:00Z", 3.5)]
    tasks = "/dags/my%20dag/dagRuns/~/taskInstances?limit=100&offset="
    place = "/dags/my%20dag/dagRuns/scheduled__2013-02-01T00%3A00%3A00%2B00%3A00/taskInstances/Trainer"
    get, asked = answers(
        {
            "/dags/my%20dag/dagRuns?limit=100&offset=0": {"dag_runs": runs, "total_entries": 2},
            f"{tasks}0": {"task_instances": first, "total_entries": 101},
            f"{tasks}100": {"task_instances": more, "total_entries": 101},
            f"{place}/xcomEntries/return_value": {"value": "done"},
        }
    )
    found = rest.task_runs(get, "my dag")
    assert len(found) == 101
    assert found[99] == {
        **{"dag": "my dag", "run": january, "month": "2013-01", "run_state": "success", "task": "Trainer"},
        **{"state": "success", "tries": 2, "ended": "2026-01-01T10:00:09Z", "seconds": 12.5, "result": "done"},
    }
    assert (found[0]["state"], found[0]["ended"], found[0]["seconds"], found[0]["result"]) == ("", "", 0.0, "")
    assert (found[100]["month"], found[100]["run_state"], found[100]["result"]) == ("", "failed", "")
    assert len(asked) == 4, "only a task that succeeded has returned something"


def test_a_dag_that_never_ran_has_no_task_runs():
    assert rest.task_runs(answers({})[0], "nobody's") == []


def test_task_runs_are_in_the_order_of_months_and_of_their_ends(airflow, tmp_path):
    assert home.task_runs(tmp_path, "flights") == []
    (tmp_path / "airflow.db").touch()
    same = {"dag": "flights", "run_state": "success", "state": "success", "seconds": 1.0, "result": "done"}
    told = [
        {**same, "run": "february", "month": "2013-02", "task": "CsvExampleGen", "tries": 0, "ended": ""},
        {**same, "run": "january", "month": "2013-01", "task": "Trainer", "tries": 2, "ended": "2026-01-01T10:00:09Z"},
        {**same, "run": "january", "month": "2013-01", "task": "CsvExampleGen", "tries": 1, "ended": "2026-01-01T10Z"},
    ]
    answers_with(airflow, f"def task_runs(words):\n    print('chatter')\n    print({json.dumps(told)!r}, *words[1:])\n")
    runs = home.task_runs(tmp_path, "flights")
    assert [(one.month, one.task) for one in runs] == [
        ("2013-01", "Trainer"),
        ("2013-01", "CsvExampleGen"),
        ("2013-02", "CsvExampleGen"),
    ]
    assert runs[0].log == tmp_path / "logs" / "dag_id=flights" / "run_id=january" / "task_id=Trainer" / "attempt=2.log"
    answers_with(airflow, "def task_runs(words):\n    raise OSError('it is locked')\n")
    with pytest.raises(EngineError, match=r"(?s)did not say what became of flights.*it is locked"):
        home.task_runs(tmp_path, "flights")


FAILED = [
    {"timestamp": "2026-11-29T22:03:17.1Z", "level": "info", "event": "CsvExampleGen: 1.2 s in TFX"},
    {"event": "BadDataError: The data break the contract:\n  month-02, column carrier: Unexpected string values."},
    {
        "event": "Task failed with exception",
        "error_detail": [
            {"exc_type": "AirflowFailException", "exc_value": "DataGate failed: BadDataError: The data\nbreak it"},
            {"exc_type": "KeyError", "exc_value": "its cause"},
        ],
    },
    {"event": "::endgroup::"},
]
"""Lines of a log that Airflow 3.3.2 writes: `error_detail` is structlog's, the error that was raised first and its causes after it."""


def test_a_log_is_read_as_lines_and_the_reason_of_a_failed_task_is_found_in_it(tmp_path):
    log = tmp_path / "attempt=1.log"
    assert logs.reason(log) == "It left no log."
    log.write_text("a line of the system\n" + "".join(json.dumps(entry) + "\n" for entry in FAILED))
    assert logs.reason(log) == "BadDataError: The data\nbreak it"
    assert logs.said(log) == [
        "a line of the system",
        "CsvExampleGen: 1.2 s in TFX",
        "BadDataError: The data break the contract:",
        "  month-02, column carrier: Unexpected string values.",
        "Task failed with exception",
        "AirflowFailException: DataGate failed: BadDataError: The data",
        "break it",
        "::endgroup::",
    ]
    log.write_text(json.dumps({"event": "RuntimeError: no room"}) + "\n" + json.dumps({"event": "it ends"}) + "\n")
    assert logs.reason(log) == "RuntimeError: no room\nit ends"


def test_where_airflow_keeps_no_log_the_task_does_in_the_same_form(tmp_path, monkeypatch):
    """`airflow dags test` writes all that tasks say to the terminal."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    task = SimpleNamespace(dag_id="d", run_id="r", task_id="t", try_number=1)

    def fail() -> None:
        with logs.keeper(task) as keep:
            keep("a line")
            raise ValueError("t failed: OSError: no room")

    with pytest.raises(ValueError, match="t failed"):
        fail()
    kept = logs.path(tmp_path, "d", "r", "t", 1)
    assert logs.said(kept) == ["a line", logs.FAILED, "ValueError: t failed: OSError: no room"]
    assert logs.reason(kept) == "OSError: no room"
    before = kept.read_text()
    with logs.keeper(task) as keep:
        keep("Airflow keeps this one")
    assert kept.read_text() == before


def test_a_task_that_has_ended_is_noted_once_its_line_is_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    task = SimpleNamespace(dag_id="d", run_id="r", task_id="t", try_number=1, xcom_pull=lambda task_ids: "cached")
    assert ended.read(tmp_path) == []
    ended.succeeded({"ti": task})
    ended.failed({"ti": task, "exception": ValueError("t failed: OSError: no room")})
    ended.failed({"ti": task})
    with ended.file(tmp_path).open("a") as file:
        file.write('{"task": "ha')
    found = ended.read(tmp_path)
    assert [one.result for one in found] == ["cached", "", ""]
    assert [one.reason for one in found] == ["", "OSError: no room", "It ended without a word: was it killed?"]
    assert found[0].log == str(logs.path(tmp_path, "d", "r", "t", 1))


def test_somebody_is_told_of_a_run_without_a_date_and_of_a_task_that_was_lost(tmp_path, monkeypatch):
    """Airflow 3 leaves out what it does not know: a run that was triggered by hand need have no logical date."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    task = SimpleNamespace(dag_id="d", run_id="manual__x", task_id="t", try_number=1)
    alerts.tell({"task_instance": task, "params": {}})
    assert alerts.file().read_text().split(" | ")[1:5] == [
        "d",
        "t",
        "manual__x",
        "it ended without a word: was it killed?",
    ]


SAID = """\
2026-11-29T22:50:02.755532Z [error    ] Failed to import: /dags/broken.py [airflow.dag_processing.importers.python_importer] loc=python_importer.py:244
engines.airflow.project.ProjectError: There is no package 'nowhere':
name another.
2026-11-29T22:50:02.761468Z [error    ] Error loading DAG from broken.py: There is no package 'nowhere':
name another. [airflow.dag_processing.dagbag.BundleDagBag] loc=dagbag.py:319
Traceback (most recent call last):
airflow.sdk.exceptions.AirflowException: Dag 'broken' could not be found; either it does not exist or it failed to parse.
"""
"""Of `airflow dags test broken 2013-01-01`, Airflow 3.3.2."""


def test_a_dag_that_cannot_be_imported_names_its_cause(tmp_path):
    """And not that it could not be found."""
    from engines.airflow import runner as airflow

    log = tmp_path / "run.log"
    log.write_text(SAID)
    assert airflow._failure(tmp_path, log).endswith(
        "(log: " + str(log) + "):\nThere is no package 'nowhere':\nname another."
    )
    log.write_text("sqlalchemy.exc.OperationalError: no room\n")
    assert airflow._failure(tmp_path, log).endswith(":\nsqlalchemy.exc.OperationalError: no room")


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
        "engines.airflow.project, engines.airflow.graph, engines.airflow.alerts, engines.airflow.home, engines.common, "
        "engines.airflow.ended, engines.airflow.logs, engines.airflow.rest"
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
