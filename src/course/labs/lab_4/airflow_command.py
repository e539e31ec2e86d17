"""Airflow's own command in this lab's AIRFLOW_HOME, which is stopped when it waits for what does not come."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from course.labs.lab_4 import dag_file, run_states
from engines.airflow import home as airflow_home
from engines.airflow import ready
from warm import client, imports

LOG = "last-command.log"
ASK = Path(__file__).with_name("ask_airflow.py")
PATIENCE, WAITING, LOOK, ANSWER = 240, 60, 3, 45
"""Seconds that a command may take (grading ends a cell after 300), that a sensor may wait when nothing else goes on, between two looks, and that the API
may take to answer."""

_steps: list[client.Warm] = []
"""The process that is ready for steps, once something has been run."""


class NotOverError(RuntimeError):
    """A command did not come to its end and was stopped; the message says what it waited for."""


def environment(home: Path, dags: Path) -> dict[str, str]:
    """The variables for a process of Airflow with a folder of its own, and one with the files that define DAGs."""
    own = {"AIRFLOW_CONN_FS_DEFAULT": "fs://"}  # FileSensor asks for it, and has no other use for it here
    own |= {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "30", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"}
    own["LOGNAME"] = os.environ.get("LOGNAME") or "student"  # where it is graded, its user has no name in the system
    own["PYTHONPATH"] = str(dags)  # for `dags list --local`, which does not look there for modules as the others do
    return airflow_home.environment(home, dags) | own


def airflow(words: list[str], home: Path, dags: Path) -> str:
    """Runs a command to its end; what it says goes to `last-command.log` while it runs, and is returned.

    Raises:
        engines.errors.MissingEngineError: there is no Airflow.
        NotOverError: it waits for something, or does not end.
    """
    variables, log = environment(home, dags), home / LOG
    if "test" in words[:2]:
        variables[client.SOCKET] = _ready_for_steps()
    waits = _run("airflow", words, log, variables, PATIENCE)
    if words[:2] == ["dags", "test"]:
        answers = home / run_states.FILE
        answers.unlink(missing_ok=True)
        _run("script", [str(ASK), dag_file.NAME, str(answers)], home / "runs.log", variables, ANSWER)
    shutil.rmtree(home / "logs" / "scheduler", ignore_errors=True)  # no logs, but a link, which grading does not take
    if waits:
        raise NotOverError(f"{waits} What Airflow did last is in `{home.name}/{LOG}`.")
    return log.read_text(encoding="utf-8", errors="replace")


def _run(function: str, words: list[str], log: Path, variables: Mapping[str, str], patience: float) -> str:
    """Runs a function of `engines.airflow.command`; returns what it waited for, in a sentence or two, if it was stopped."""
    python = airflow_home.find_airflow().with_name("python")
    with log.open("w") as said, open(os.devnull) as nothing:
        files = (nothing.fileno(), said.fileno(), said.fileno())
        process = ready.begin(python, function, words, variables, files=files, folder=log.parent)
    begun = time.monotonic()
    try:
        while True:
            try:
                ready.wait(process, LOOK)
                return ""
            except TimeoutError:
                seconds, tasks = waiting(log.read_text(encoding="utf-8", errors="replace"))
            if seconds >= WAITING or time.monotonic() - begun >= patience:
                return _told(seconds, tasks, log.parent.parent / "months", patience)
    finally:
        stop(process)


BEGINS = re.compile(r"\[DAG TEST\] starting task_id=(\S+)")
IDLE = re.compile(r"No tasks to run\. unrunnable tasks: (.*)")
STATE = re.compile(r"<TaskInstance: [^.>]+\.(\S+) [^>]*?\[(\w+)\]")
"""What `dags test` says when it begins a task, and each second in which there is none to begin (`airflow.sdk.DAG.test`, Airflow 3.3)."""


def waiting(log: str) -> tuple[int, dict[str, str]]:
    """For how many seconds nothing but sensors has gone on, by the log of `dags test`; and the unfinished tasks of which it has spoken last, with their states."""
    seconds, tasks = 0, {}
    for line in log.splitlines():
        if begun := BEGINS.search(line):
            seconds = seconds if begun[1] in tasks else 0  # a sensor that looks once more
            tasks = {begun[1]: "running"} if not seconds else tasks
        elif idle := IDLE.search(line):
            tasks = {task: state for task, state in STATE.findall(idle[1]) if state != "None"}
            seconds = seconds + 1 if set(tasks.values()) <= {"up_for_reschedule", "deferred"} and tasks else 0
    return seconds, tasks


def _told(seconds: int, tasks: dict[str, str], folder: Path, patience: float) -> str:
    there = ", ".join(sorted(path.parent.name for path in folder.glob("*/flights.csv"))) or "none"
    months = f"A sensor waits for the file of the run's month, and `months/` has {there}"
    if seconds >= WAITING:
        return (
            f"`{next(iter(tasks))[:60]}` has waited for {WAITING} seconds and nothing else goes on, so Airflow was stopped. "
            f"{months}: are the date, and the file that your sensor asks for, the ones you mean?"
        )
    named = "".join(f" `{task[:60]}` is {state}." for task, state in [*tasks.items()][:3])
    return (
        f"Airflow was not done after {patience} seconds and was stopped.{named} {months}; a task that is `up_for_retry` "
        "waits for the pause of your DAG."
    )


def stop(process: ready.Process) -> None:
    """Ends a command that has not ended, with all that it has started: also when the cell was interrupted."""
    if process.poll() is not None:
        return
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.Error):  # it has ended
            child.kill()
    process.wait()


def _ready_for_steps() -> str:
    """The socket of the process that is kept ready; none where processes do not fork."""
    if not _steps or not _steps[-1].is_there:
        _steps[:] = filter(None, [client.near(imports.STEPS)])
    return str(_steps[-1].path) if _steps else ""
