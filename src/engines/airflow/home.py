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
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engines.airflow import graph, logs, ready
from engines.airflow.project import ROOT
from engines.errors import EngineError, MissingEngineError
from warm import client, imports

HOME = ROOT / "out" / "airflow"
"""AIRFLOW_HOME, unless something else is said."""

DAGS = ROOT / "deploy" / "airflow" / "dags"

PORT = 8090
"""Of the web page. Airflow's own is 8080, which much else takes as well."""

CHATTER = "[py.warnings]"
"""In lines with which commands of Airflow begin, about packages that nobody needs here."""


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
        port: of the web page and the API.
    """
    home = Path(home).absolute()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AIRFLOW__"))}
    page = f"http://localhost:{port}"
    sections = {
        "CORE": {
            "DAGS_FOLDER": str(Path(dags).absolute()),
            "LOAD_EXAMPLES": "False",
            # One task at a time, which is what the metadata store bears.
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": "1",
            # The first look at a DAG makes the pipeline, in ten seconds; on a busy machine in a minute.
            "DAGBAG_IMPORT_TIMEOUT": "300",
            "EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        },
        "DAG_PROCESSOR": {"DAG_FILE_PROCESSOR_TIMEOUT": "300", "PARSING_PROCESSES": "1", "REFRESH_INTERVAL": "20"},
        "DATABASE": {"SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"},
        "LOGGING": {
            "BASE_LOG_FOLDER": str(home / "logs"),
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        },
        # A task that was lost with its scheduler is found after two minutes, instead of five.
        "SCHEDULER": {"TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120"},
        "API": {"HOST": "127.0.0.1", "PORT": str(port), "BASE_URL": page},
    }
    return {
        **inherited,
        "PATH": os.pathsep.join([str(find_airflow().parent), inherited.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "NO_COLOR": "1",
        **{f"AIRFLOW__{name}__{key}": value for name, some in sections.items() for key, value in some.items()},
    }


def prepare(home: str | Path = HOME, dags: str | Path = DAGS) -> None:
    """Makes Airflow's database, if it is not there yet, or is that of another version.

    A new one is a copy of one that was made once (five seconds) and is kept in Airflow's environment, for its version.

    Raises:
        MissingEngineError: there is no Airflow.
        EngineError: the database could not be made.
    """
    marker, version = Path(home) / ".migrated", _version()
    if marker.exists() and marker.read_text() == version:
        _follow(Path(home).absolute())
        return
    Path(home).mkdir(parents=True, exist_ok=True)
    if marker.exists() and (settings := Path(home) / "airflow.cfg").exists():
        settings.rename(settings.with_suffix(".cfg.before"))  # it names what the new Airflow does not have
    kept = find_airflow().parents[1] / f"empty-{version}.db"
    if (Path(home) / "airflow.db").exists() or not version:
        _migrate(Path(home), dags)
    else:
        with contextlib.suppress(OSError):  # an environment that is another user's: nothing is kept in it
            _make_empty(kept)
        if kept.exists():
            copy_whole(kept, Path(home) / "airflow.db")
        else:
            _migrate(Path(home), dags)
    marker.write_text(version)


def _make_empty(kept: Path) -> None:
    """Makes the database that is copied, whole or not at all."""
    if kept.exists():
        return
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".empty-") as folder:
        _migrate(Path(folder), Path(folder))
        if (made := Path(folder) / "airflow.db").exists():
            made.replace(kept)


def copy_whole(source: Path, target: Path) -> None:
    """Copies a database: at its place is a whole one, or none."""
    beside = target.with_suffix(f".{os.getpid()}")
    shutil.copyfile(source, beside)
    beside.replace(target)


def _migrate(home: Path, dags: str | Path) -> None:
    done = _run(["db", "migrate"], environment(home, dags))
    if done.returncode:
        raise EngineError(f"Airflow's database in {home} could not be made:\n{done.stdout[-2000:]}")


def _version() -> str:
    """Of the Airflow that is installed: the database of another is brought to it, with the runs that it has."""
    environment = find_airflow().parents[1]
    return next(
        (path.name for path in environment.glob("lib/python*/site-packages/apache_airflow_core-*.dist-info")), ""
    )


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

    A test of a DAG or a task is a fork of a process that has imported Airflow, and so is what is asked of its result; its steps are forks of one that
    has imported TFX.

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
    told = environment(home, dags) | variables
    if "test" not in arguments[:2]:
        return _run(arguments, told)
    # Forked from this process's interpreter, which another one is not to be taken for.
    ours = told.get("ENGINES_PYTHON", graph.python()) == sys.executable and client.SOCKET not in variables
    steps = client.near(imports.STEPS, os.environ | graph.QUIET) if ours else None
    try:
        told |= {client.SOCKET: str(steps.path)} if steps else {}
        status, said = _forked("airflow", arguments, told)
    finally:
        if steps:
            steps.end()
    return subprocess.CompletedProcess(["airflow", *arguments], status, _heard(said))


def _forked(function: str, words: Sequence[str], variables: dict[str, str]) -> tuple[int, str]:
    """Has a function of `engines.airflow.command` called; returns its exit status and what it said."""
    with tempfile.TemporaryFile("w+", errors="replace") as said, open(os.devnull) as nothing:
        files = (nothing.fileno(), said.fileno(), said.fileno())
        python = find_airflow().with_name("python")
        process = ready.begin(python, function, words, variables, files=files, folder=ROOT)
        try:
            status = process.wait()
        finally:
            process.kill()
        said.seek(0)
        return status, said.read()


def _heard(said: str) -> str:
    return "".join(line for line in said.splitlines(keepends=True) if CHATTER not in line)


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
    done.stdout = _heard(done.stdout)
    return done


@dataclasses.dataclass(frozen=True)
class TaskRun:
    """A task of a DAG run, as Airflow has it.

    Attributes:
        dag: its DAG.
        run: id of the DAG run.
        month: of its logical date, for example `2013-02`; empty: it has none.
        run_state: `queued`, `running`, `success` or `failed`.
        task: its id.
        state: `success`, `failed`, `up_for_retry`, `up_for_reschedule`, `upstream_failed`, ...; empty: not looked at yet.
        tries: how often it was begun.
        ended: when its last try ended, in UTC, for example `2026-11-27T21:05:09.123456Z`; empty: not yet.
        seconds: of its last try.
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


def task_runs(home: str | Path, dag_id: str, dags: str | Path = DAGS) -> list[TaskRun]:
    """All tasks of all runs of a DAG, by logical date and then in the order in which they ended, as Airflow's REST API has them.

    Args:
        home: AIRFLOW_HOME.
        dag_id: the DAG.
        dags: folder of the files with DAGs.

    Raises:
        MissingEngineError: there is no Airflow.
        EngineError: it gave no answer.
    """
    home = Path(home).absolute()
    if not (home / "airflow.db").exists():
        return []
    status, said = _forked("task_runs", [dag_id], environment(home, dags))
    if status:
        raise EngineError(f"Airflow in {home} did not say what became of {dag_id}:\n{said[-2000:]}")
    found = [_task_run(home, told) for told in json.loads(said.splitlines()[-1])]
    return sorted(found, key=lambda one: (one.month, one.run, not one.ended, one.ended))


def _task_run(home: Path, told: dict[str, Any]) -> TaskRun:
    return TaskRun(**told, log=logs.path(home, told["dag"], told["run"], told["task"], told["tries"]))


def main(arguments: Sequence[str] | None = None, become: Callable = os.execve) -> int:
    """Runs a command of Airflow in this process's place; `standalone` is `engines.airflow.standalone`, which asks for no network."""
    parser = argparse.ArgumentParser(prog="engines.airflow.home", description=__doc__.partition("\n")[0])
    parser.add_argument("--home", default=str(HOME), help="AIRFLOW_HOME (default: out/airflow)")
    parser.add_argument(
        "--dags", default=str(DAGS), help="folder of the files with DAGs (default: deploy/airflow/dags)"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"of the web page (default: {PORT})")
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
