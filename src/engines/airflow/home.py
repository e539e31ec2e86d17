"""Runs Airflow's own commands in its environment, and reads what became of a run: `python -m engines.airflow.home dags list`.

Whoever has TFX, a notebook or a test, needs no Airflow for it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.airflow.project import ROOT
from engines.errors import EngineError, MissingEngineError

HOME = ROOT / "out" / "airflow"
"""AIRFLOW_HOME, unless something else is said."""

DAGS = ROOT / "deploy" / "airflow" / "dags"

PORT = 8080

CHATTER = "INFO - setup plugin alembic"
"""In lines with which every command of Airflow begins."""


def find_airflow() -> Path:
    """The `airflow` of the environment of its own, or of ENGINES_AIRFLOW.

    Raises:
        MissingEngineError: it was not made yet.
    """
    found = Path(os.environ.get("ENGINES_AIRFLOW") or ROOT / ".airflow") / "bin" / "airflow"
    if not found.is_file():
        raise MissingEngineError(
            f"Airflow has an environment of its own, and {found.parent.parent} is not there yet. "
            "`make airflow-environment` makes it (less than a minute, half a GB with its cache)."
        )
    return found


def environment(home: str | Path = HOME, dags: str | Path = DAGS, port: int = PORT) -> dict[str, str]:
    """The environment variables of Airflow's commands: nothing is asked of the network, nothing is offered to it.

    Args:
        home: AIRFLOW_HOME.
        dags: folder of the files with DAGs.
        port: of the web server.
    """
    home = Path(home).absolute()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AIRFLOW__"))}
    sections = {
        "CORE": {
            "DAGS_FOLDER": str(Path(dags).absolute()),
            "LOAD_EXAMPLES": "False",
            # One task at a time, which is what SQLite and the metadata store bear.
            "EXECUTOR": "SequentialExecutor",
            # The first look at a DAG makes the pipeline, in ten seconds; on a busy machine in a minute.
            "DAGBAG_IMPORT_TIMEOUT": "300",
            "DAG_FILE_PROCESSOR_TIMEOUT": "300",
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db", "LOAD_DEFAULT_CONNECTIONS": "False"},
        "LOGGING": {"BASE_LOG_FOLDER": str(home / "logs")},
        # With a sequential executor the scheduler is silent as long as a task runs. A task that was lost with its scheduler
        # is found after two minutes, instead of five.
        "SCHEDULER": {
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": "300",
            "SCHEDULER_ZOMBIE_TASK_THRESHOLD": "120",
            "PARSING_PROCESSES": "1",
            "DAG_DIR_LIST_INTERVAL": "20",
        },
        "WEBSERVER": {
            "WEB_SERVER_HOST": "127.0.0.1",
            "WEB_SERVER_PORT": str(port),
            "BASE_URL": f"http://localhost:{port}",
            "WORKERS": "2",
            "WEB_SERVER_MASTER_TIMEOUT": "600",
            "WARN_DEPLOYMENT_EXPOSURE": "False",
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
        "METRICS": {"TIMER_UNIT_CONSISTENCY": "True"},
    }
    return {
        **inherited,
        "PATH": os.pathsep.join([str(find_airflow().parent), inherited.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "SCARF_ANALYTICS": "false",
        "NO_COLOR": "1",
        **{f"AIRFLOW__{name}__{key}": value for name, some in sections.items() for key, value in some.items()},
    }


def prepare(home: str | Path = HOME, dags: str | Path = DAGS) -> None:
    """Makes Airflow's database, if it is not there yet (ten seconds).

    Raises:
        MissingEngineError: there is no Airflow.
        EngineError: the database could not be made.
    """
    marker = Path(home) / ".migrated"
    if marker.exists():
        _follow(Path(home).absolute())
        return
    Path(home).mkdir(parents=True, exist_ok=True)
    done = _run(["db", "migrate"], environment(home, dags))
    if done.returncode:
        raise EngineError(f"Airflow's database in {home} could not be made:\n{done.stdout[-2000:]}")
    marker.touch()


def _follow(home: Path) -> None:
    """After the folder was moved or copied: Airflow's settings, which hold its path, name it as it is now."""
    settings = home / "airflow.cfg"
    text = settings.read_text() if settings.is_file() else ""
    former = re.search(r"^plugins_folder = (.+)/plugins$", text, flags=re.MULTILINE)
    if former and former[1] != str(home):
        settings.write_text(text.replace(f"{former[1]}/", f"{home}/"))


def airflow(
    *arguments: str, home: str | Path = HOME, dags: str | Path = DAGS, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command of Airflow to its end, for example `airflow("dags", "test", "my-pipeline", "2013-01-01")`.

    Args:
        arguments: of the command.
        home: AIRFLOW_HOME; its database is made if there is none.
        dags: folder of the files with DAGs.
        variables: of the environment, beside those of `environment`.

    Returns:
        Its exit status and, as `stdout`, all that it said.

    Raises:
        MissingEngineError: there is no Airflow.
        EngineError: the database could not be made.
    """
    prepare(home, dags)
    return _run(arguments, environment(home, dags) | variables)


def _run(arguments: Sequence[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(find_airflow()), *arguments],
        env=variables,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    done.stdout = "".join(line for line in done.stdout.splitlines(keepends=True) if CHATTER not in line)
    return done


@dataclasses.dataclass(frozen=True)
class TaskRun:
    """A task of a DAG run, as Airflow's database has it.

    Attributes:
        dag: its DAG.
        run: id of the DAG run.
        month: of its logical date, for example `2013-02`.
        run_state: `queued`, `running`, `success` or `failed`.
        task: its id.
        state: `success`, `failed`, `up_for_retry`, `up_for_reschedule`, `upstream_failed`, ...; empty: not looked at yet.
        tries: how often it was begun.
        ended: when its last try ended, in UTC, for example `2026-11-27 21:05:09.123456`; empty: not yet.
        seconds: of its last try; `airflow dags test` does not note them.
        result: what it returned: for a step `done` or `cached`.
        log: the file with what its last try said; it need not exist.
    """

    dag: str
    run: str
    month: str
    run_state: str
    task: str
    state: str
    tries: int
    ended: str
    seconds: float
    result: str
    log: Path


QUERY = """
SELECT r.dag_id, r.run_id, substr(r.execution_date, 1, 7), r.state, t.task_id, coalesce(t.state, ''), coalesce(t.try_number, 0),
       coalesce(t.end_date, ''), coalesce(t.duration, 0.0), x.value
FROM dag_run r JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id
LEFT JOIN xcom x ON x.dag_id = t.dag_id AND x.run_id = t.run_id AND x.task_id = t.task_id AND x.key = 'return_value'
WHERE r.dag_id = ? ORDER BY r.execution_date, r.id, t.end_date IS NULL, t.end_date
"""


def task_runs(home: str | Path, dag_id: str) -> list[TaskRun]:
    """All tasks of all runs of a DAG, by logical date and then in the order in which they ended."""
    database = Path(home).absolute() / "airflow.db"
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as opened:
        try:
            rows = opened.execute(QUERY, (dag_id,)).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # the database is being made
            raise
    return [_task_run(Path(home).absolute(), *row) for row in rows]


def _task_run(home: Path, dag: str, run: str, month: str, run_state: str, task: str, state: str, *rest) -> TaskRun:
    tries, ended, seconds, value = rest
    result = json.loads(value) if value else ""
    log = home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}" / f"attempt={max(tries, 1)}.log"
    return TaskRun(dag, run, month, run_state, task, state, tries, ended, seconds, str(result), log)


def main(arguments: Sequence[str] | None = None, become: Callable = os.execve) -> int:
    """Runs a command of Airflow in this process's place; `standalone` is `engines.airflow.standalone`, which asks for no network."""
    parser = argparse.ArgumentParser(prog="engines.airflow.home", description=__doc__.partition("\n")[0])
    parser.add_argument("--home", default=str(HOME), help="AIRFLOW_HOME (default: out/airflow)")
    parser.add_argument(
        "--dags", default=str(DAGS), help="folder of the files with DAGs (default: deploy/airflow/dags)"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"of the web server (default: {PORT})")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="of Airflow, for example: dags list")
    options = parser.parse_args(arguments)
    try:
        prepare(options.home, options.dags)
        found, variables = find_airflow(), environment(options.home, options.dags, options.port)
    except (MissingEngineError, EngineError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.command == ["standalone"]:
        become(found.with_name("python"), ["python", "-m", "engines.airflow.standalone"], variables)
    else:
        become(found, ["airflow", *options.command], variables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
