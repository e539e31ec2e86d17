"""Airflow as `make airflow` starts it: its scheduler runs one month after the other, over its API, and no other machine can reach any part of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import first_node
import ledger
import listening
import psutil
import pytest

from engines.airflow import home, logs, project
from engines.errors import MissingEngineError
from flights.config import Config

PATIENCE = 900  # seconds, on a machine with much to do

DAG = """
import os
from datetime import timedelta
from pathlib import Path
from engines.airflow.dag import make_dag
from engines.airflow.project import load

given = load(Path(os.environ["FLIGHTS_AIRFLOW_PROJECT"]).read_text())
dag = make_dag("first-node", project=given, retries=1, retry_delay=timedelta(seconds=1))
"""


class Airflow:
    """Airflow that runs, and its REST API."""

    def __init__(self, process: subprocess.Popen, log: Path, port: int) -> None:
        """Keeps what it is asked with."""
        self.process, self.log, self.address, self.token = process, log, f"http://localhost:{port}", ""
        self.reached: set[str] = set()

    def ask(self, method: str, path: str, body: dict | None = None) -> Any:
        """The answer of its API, in Python's form."""
        request = urllib.request.Request(
            f"{self.address}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def log_in(self) -> None:
        """With the user and the password that a person is told."""
        words = self.log.read_text().split("Log in as ")[1].split()
        self.token = self.ask("POST", "/auth/token", {"username": words[0], "password": words[4]})["access_token"]

    def runs(self) -> dict[str, str]:
        """The state of the run of each month that was begun."""
        runs = self.ask("GET", "/api/v2/dags/first-node/dagRuns")["dag_runs"]
        return {run["logical_date"][:7]: run["state"] for run in runs}

    def wait_for(self, what: str, happened: Callable[[], object]) -> Any:
        """Waits until something has happened, looks meanwhile where Airflow and its steps listen, and gives what it was."""
        end = time.monotonic() + PATIENCE
        while True:
            self.reached |= listening.of([self.process.pid])
            with contextlib.suppress(urllib.error.HTTPError, StopIteration):
                if found := happened():
                    return found
            assert self.process.poll() is None, f"it ended before {what}:\n{self.log.read_text()}"
            assert time.monotonic() < end, f"{what}: not within {PATIENCE} s:\n{self.log.read_text()}"
            time.sleep(0.5)


@pytest.fixture
def theirs(root, tmp_path) -> project.Project:
    for month in ("span-01", "span-02"):
        shutil.copytree(root / "data/flights" / month, tmp_path / "months" / month)
    return first_node.project(tmp_path)


@pytest.fixture
def airflow(theirs, root, tmp_path) -> Iterator[Airflow]:
    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    dags, log = tmp_path / "dags", tmp_path / "said.log"
    dags.mkdir()
    (dags / "first_node.py").write_text(DAG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["--home", str(tmp_path / "home"), "--dags", str(dags), "--port", str(port), "standalone"]
    own = {"FLIGHTS_AIRFLOW_PROJECT": str(theirs.save(tmp_path / "project.json")), "ENGINES_PYTHON": sys.executable}
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "engines.airflow.home", *command],
            cwd=root,
            env=os.environ | own,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Airflow(process, log, port)
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for one in [process, *children]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def step_of(folder: Path) -> int:
    """The process of the step that runs in a home."""
    return next(
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if "engines.airflow.step" in (one.info["cmdline"] or []) and any(str(folder) in a for a in one.info["cmdline"])
    )


@pytest.mark.long
def test_january_is_run_then_february_by_the_scheduler_itself_and_a_killed_step_is_tried_again(airflow, tmp_path):
    folder = tmp_path / "home"
    airflow.wait_for("it was ready", lambda: "Stop it with Ctrl-C" in airflow.log.read_text())
    airflow.log_in()
    secret = {path.name for path in folder.iterdir() if path.is_file() and not path.stat().st_mode & 0o077}
    assert secret >= {"airflow.cfg", "simple_auth_manager_passwords.json.generated", "standalone.log"}
    dag = airflow.wait_for("the DAG was read", lambda: airflow.ask("GET", "/api/v2/dags/first-node"))
    assert dag["is_paused"], "a person is told so, and switches it on"
    assert "paused until you switch it on" in airflow.log.read_text()
    airflow.ask("PATCH", "/api/v2/dags/first-node", {"is_paused": False})

    config = Config(pipeline_name="first-node", output_root=str(tmp_path / "output"))
    step = airflow.wait_for("the first step began", lambda: step_of(folder))
    assert airflow.runs() == {"2013-01": "running"}, "of all the months that are over, one at a time"
    os.kill(step, signal.SIGKILL)
    ended = {"2013-01": "success", "2013-02": "success"}
    airflow.wait_for("February ended", lambda: ended.items() <= airflow.runs().items())
    airflow.wait_for("March was waited for", lambda: airflow.runs().get("2013-03") == "running")

    tasks = [one for one in home.task_runs(folder, "first-node", tmp_path / "dags") if one.task == "CsvExampleGen"]
    assert [(one.month, one.state, one.tries, one.result) for one in tasks] == [
        ("2013-01", "success", 2, "done"),
        ("2013-02", "success", 1, "done"),
        ("2013-03", "", 0, ""),
    ]
    first = logs.path(folder, "first-node", tasks[0].run, "CsvExampleGen", 1)
    assert logs.reason(first) == "CsvExampleGen was killed by signal 9."
    assert "CsvExampleGen: done" in logs.said(tasks[0].log)
    # A step that is killed while it imports TFX, as here, has not begun an execution yet.
    assert [one.state for one in ledger.executions(config) if one.state != "FAILED"] == ["COMPLETE", "COMPLETE"]
    ledger.assert_sound(config)

    assert f"127.0.0.1:{airflow.address.rpartition(':')[2]}" in airflow.reached
    assert listening.to_others(airflow.reached) == []
    children = psutil.Process(airflow.process.pid).children(recursive=True)
    airflow.process.send_signal(signal.SIGINT)
    assert airflow.process.wait(120) == 0
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive, f"they outlived Ctrl-C: {[one.name() for one in alive]}"
