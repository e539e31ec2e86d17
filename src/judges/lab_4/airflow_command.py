"""Airflow for this lab: where it is, what it is told by variables, its database, its command. All of it as `engines.airflow.home` has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from engines.airflow import home as airflow_home
from engines.airflow import ready
from judges.lab_4 import dag_file, run_states
from warm import client, imports

LOG = "last-command.log"
ASK = Path(__file__).with_name("ask_airflow.py")
READING = "30"
"""Seconds that a file may take to be read; Airflow's own limit, which a file of this lab has no reason to reach."""

PATIENCE, WAITING, LOOK, ANSWER = 240, 60, 3, 45
"""Seconds that a command may take (grading ends a cell after 300), that a sensor may wait when nothing else goes on, between two looks, and that the API
may take to answer."""

Process = client.Fork | subprocess.Popen

_servers: list[client.Warm] = []
"""The process that is ready for steps, once something has been run."""


class NotOverError(RuntimeError):
    """A command did not come to its end and was stopped; the message says what it waited for."""


def python() -> str:
    """The Python of Airflow's environment.

    Raises:
        engines.errors.MissingEngineError: there is none.
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
    own["PYTHONPATH"] = str(dags)  # for `dags list --local`, which does not look there for modules as the others do
    return airflow_home.environment(home, dags) | own


def prepare(home: Path, like: Path | None = None) -> None:
    """Makes the database of a folder, or takes a copy of another's.

    Raises:
        engines.errors.MissingEngineError: there is no Airflow.
        engines.errors.EngineError: the database cannot be made.
    """
    if like and (like / "airflow.db").is_file():
        shutil.copyfile(like / "airflow.db", home / "airflow.db")
    else:
        airflow_home.prepare(home, home / "dags")


def airflow(words: list[str], home: Path, dags: Path) -> str:
    """Runs a command of Airflow to its end; what it says goes to `last-command.log` while it runs, and is returned.

    Raises:
        engines.errors.MissingEngineError: there is no Airflow.
        NotOverError: it waits for something, or does not end.
    """
    variables, is_test = environment(home, dags), words[:2] == ["dags", "test"]
    if "test" in words[:2]:
        variables[client.SOCKET] = _server()
    process = begin("airflow", words, home / LOG, variables, home)
    try:
        waits = _wait(process, home, is_test=is_test)
    finally:
        stop(process)
    if is_test:
        _ask(home, variables)
    _tidy(home)
    if waits:
        raise NotOverError(f"{waits} What Airflow did last is in `{home.name}/{LOG}`.")
    return (home / LOG).read_text(encoding="utf-8", errors="replace")


def begin(
    function: str,
    words: list[str],
    log: Path,
    variables: Mapping[str, str],
    folder: Path,
    like: Mapping[str, str] | None = None,
) -> Process:
    """Starts a function of `engines.airflow.command`; what it says goes to a file.

    Args:
        function: its name.
        words: what it is given.
        log: the file.
        variables: of its environment.
        folder: that it works in.
        like: as `ready.begin` has it.

    Raises:
        engines.errors.MissingEngineError: there is no Airflow.
    """
    with log.open("w") as said, open(os.devnull) as nothing:
        files = (nothing.fileno(), said.fileno(), said.fileno())
        return ready.begin(Path(python()), function, words, variables, files=files, folder=folder, like=like)


def _wait(process: Process, home: Path, is_test: bool) -> str:
    """Waits for the end of a command; returns what the command waits for, if that does not come, in a sentence or two."""
    begun = time.monotonic()
    since: dict[str, float] = {}
    """For each sensor of a run, since when it has been seen waiting while nothing else went on."""
    while True:
        try:
            ready.wait(process, LOOK)
            return ""
        except TimeoutError:
            now = time.monotonic()
        tasks = _unfinished(home) if is_test else {}
        goes_on = any(state in GOES_ON for name, state in tasks.items() if name not in since)
        # A sensor that waits runs for a moment now and then.
        waiting = [name for name, state in tasks.items() if state in WAITS or (name in since and state in GOES_ON)]
        since = {} if goes_on else {name: since.get(name, now) for name in waiting}
        long = next((name for name, moment in since.items() if now - moment >= WAITING), None)
        if long or now - begun >= PATIENCE:
            return _what_it_waits_for(tasks, long, home)


WAITS, GOES_ON = ("up_for_reschedule", "deferred"), ("running", "queued", "scheduled", "up_for_retry")


BEGINS = re.compile(r"\[DAG TEST\] starting task_id=(\S+)")
IDLE = re.compile(r"No tasks to run\. unrunnable tasks: (.*)")
STATE = re.compile(r"<TaskInstance: [^.>]+\.(\S+) [^>]*?\[(\w+)\]")
"""What `dags test` says when it begins a task, and each second in which there is none to begin (`airflow.sdk.DAG.test`, Airflow 3.3)."""


def _unfinished(home: Path) -> dict[str, str]:
    """The tasks that `dags test` has spoken of last, if they have not ended, and their states."""
    for line in reversed((home / LOG).read_text(encoding="utf-8", errors="replace").splitlines()):
        if begun := BEGINS.search(line):
            return {begun[1]: "running"}
        if idle := IDLE.search(line):
            return {task: state for task, state in STATE.findall(idle[1]) if state in WAITS + GOES_ON}
    return {}


def _ask(home: Path, variables: dict[str, str]) -> None:
    """Has Airflow's REST API say what became of the runs, into a file; where it does not answer, there is no file."""
    answers = home / run_states.FILE
    answers.unlink(missing_ok=True)
    process = begin("script", [str(ASK), dag_file.NAME, str(answers)], home / f"{answers.stem}.log", variables, home)
    try:
        ready.wait(process, ANSWER)
    except TimeoutError:
        answers.unlink(missing_ok=True)
    finally:
        stop(process)


def _what_it_waits_for(tasks: dict[str, str], sensor: str | None, home: Path) -> str:
    there = sorted(path.parent.name for path in home.parent.glob("months/*/flights.csv"))
    months = f"A sensor waits for the file of the run's month, and `months/` has {', '.join(there) or 'none'}"
    if sensor:
        return (
            f"`{sensor[:60]}` has waited for {WAITING} seconds and nothing else goes on, so Airflow was stopped. "
            f"{months}: are the date, and the file that your sensor asks for, the ones you mean?"
        )
    named = [f"`{task[:60]}` is {state}" for task, state in tasks.items()]
    return (
        f"Airflow was not done after {PATIENCE} seconds and was stopped{': ' if named else ''}{', '.join(named[:3])}. {months}; "
        "a task that is `up_for_retry` waits for the pause of your DAG."
    )


def stop(process: Process) -> None:
    """Ends a command that has not ended, with all that it has started: also when the cell was interrupted."""
    if process.poll() is not None:
        return
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    process.kill()
    for child in children:
        try:
            child.kill()
        except psutil.Error:  # it has ended
            continue
    process.wait()


def _tidy(home: Path) -> None:
    """Removes the scheduler's logs, which are none here but for a link: grading takes no links, and would say so of each submission."""
    shutil.rmtree(home / "logs" / "scheduler", ignore_errors=True)


def _server() -> str:
    """The socket of the process that is kept ready; none where processes do not fork."""
    if not _servers or not _servers[-1].is_there:
        _end_servers()
        _servers.extend(filter(None, [client.near(imports.STEPS)]))
    return str(_servers[-1].path) if _servers else ""


def end() -> None:
    """Ends the processes that were kept ready."""
    ready.end()
    _end_servers()


def _end_servers() -> None:
    while _servers:
        _servers.pop().end()
