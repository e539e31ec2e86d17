"""Airflow for this lab: where it is, what it is told by variables, its database, its command. All of it as `flights.airflow.home` has it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from course.labs.lab_4 import warm
from flights.airflow import home as airflow_home

LOG = "last-command.log"
READING = "30"
"""Seconds that a file may take to be read; Airflow's own limit, which a file of this lab has no reason to reach."""

_workers: list[warm.Worker] = []
"""The process that is ready for steps, once something has been run."""


def python() -> str:
    """The Python of Airflow's environment.

    Raises:
        flights.runners.common.MissingEngineError: there is none.
    """
    return str(airflow_home.find_airflow().with_name("python"))


def environment(home: Path, dags: Path) -> dict[str, str]:
    """The variables for a process of Airflow.

    Args:
        home: its folder: database and logs.
        dags: the folder with the files that define DAGs.
    """
    # FileSensor asks for a connection of this name, which has no other use here.
    own = {"AIRFLOW_CONN_FS_DEFAULT": "fs://", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"}
    own["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] = READING
    return airflow_home.environment(home, dags) | own


def prepare(home: Path, like: Path | None = None) -> None:
    """Makes the database of a folder, or takes a copy of another's: that saves some seconds.

    Raises:
        flights.runners.common.MissingEngineError: there is no Airflow.
        flights.runners.common.EngineError: the database cannot be made.
    """
    if like and (like / "airflow.db").is_file():
        shutil.copyfile(like / "airflow.db", home / "airflow.db")
    else:
        airflow_home.prepare(home, home / "dags")
        _tidy(home)


def airflow(words: list[str], home: Path, dags: Path) -> str:
    """Runs a command of Airflow to its end; what it says goes to `last-command.log` while it runs, and is returned.

    Raises:
        flights.runners.common.MissingEngineError: there is no Airflow.
    """
    variables = environment(home, dags)
    # On macOS a process that has imported TensorFlow had better not fork: there each step imports it.
    if "test" in words[:2] and sys.platform == "linux":
        variables[warm.SOCKET] = _worker().path
    with (home / LOG).open("w", encoding="utf-8") as log:
        subprocess.run(
            [python(), "-m", "airflow", *words],
            env=variables,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    _tidy(home)
    return (home / LOG).read_text(encoding="utf-8", errors="replace")


def _tidy(home: Path) -> None:
    """Removes the scheduler's logs, which are none here but for a link: grading takes no links, and would say so of each submission."""
    shutil.rmtree(home / "logs" / "scheduler", ignore_errors=True)


def _worker() -> warm.Worker:
    if not _workers or not _workers[-1].is_there:
        _workers.append(warm.Worker())
    return _workers[-1]


def end() -> None:
    """Ends the process that was kept ready."""
    while _workers:
        _workers.pop().end()
