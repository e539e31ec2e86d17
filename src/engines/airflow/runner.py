"""Has Airflow run the pipeline once, in the foreground: `airflow dags test`, which is all of Airflow but its scheduler.

Order, states, logs and alerts are Airflow's; what is kept of them is in `OUTPUT_ROOT/airflow` (`engines.airflow`). Spans by schedule, with
retries and a web page: `engines.airflow.dag.make_dag`, in a file in Airflow's folder of DAGs.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from engines.airflow import ended, graph, home, project
from engines.airflow.calendar import Calendar
from engines.common import NodeReport, Report, end_with_parent, last_words, one_at_a_time, require_inputs
from engines.errors import EngineError
from engines.settings import Settings
from warm import client, imports

DAGS = Path(__file__).parent / "foreground"
"""The folder with the file that makes the DAG. Its name is that of the pipeline."""

UNREAD = r"Error loading DAG from [^\n]*?: (.*?)\s+\[airflow\."
"""Airflow's line on a file with a DAG that cannot be imported; the command itself ends with no more than that there is no such DAG."""

INTERVAL = 0.5
"""Seconds between two looks at what has ended."""


def run(
    config: Settings,
    create: Callable | str,
    calendar: Calendar,
    report: Report = lambda _: None,
    python_path: tuple[str, ...] = (),
) -> list[NodeReport]:
    """Runs every node once, in the order of the DAG, and stops at the first that fails.

    What a killed run left behind is put in order by the first step; what it finished is taken from the cache.

    Args:
        config: the run, a dataclass.
        create: the function that makes the pipeline of a configuration, which each step imports; or `module:function`.
        calendar: which spans of data there are.
        report: called after each node.
        python_path: folders with packages that are not installed.

    Raises:
        engines.errors.AlreadyRunningError: another process has Airflow run this pipeline in the same folder.
        engines.errors.MissingEngineError: Airflow's environment was not made yet.
        engines.errors.EngineError: a task failed, or Airflow did.
        engines.airflow.project.ProjectError: the pipeline cannot be made.
        engines.errors.BadData: data are missing.
    """
    require_inputs(config)
    home.find_airflow()
    folder = home_of(config)
    with one_at_a_time(folder):
        home.prepare(folder, DAGS)
        asked = project.of_config(config, create, calendar, python_path)
        given = asked.save(folder / "project.json")
        # The folder's name: so that it is known whose processes these are.
        ready = client.near(imports.STEPS, graph.environment(asked), [str(folder)])
        try:
            if python_path:  # what is edited meanwhile is seen by a new process only
                graph.read(asked, folder / "graphs")
            else:
                graph.prepare(project.load(asked.to_json()), folder / "graphs")
            return _test(config, calendar, given, ready, report)
        finally:
            if ready:
                ready.end()


def _test(
    config: Settings, calendar: Calendar, given: Path, ready: client.Warm | None, report: Report
) -> list[NodeReport]:
    """Has Airflow run the DAG, and reports the nodes."""
    folder, dag = home_of(config), config.pipeline_name
    first, last = getattr(config, calendar.field)
    command = [
        "dags",
        "test",
        dag,
        str(calendar.date_of(last)),
        "--conf",
        json.dumps({calendar.field: f"{first}-{last}"}),
    ]
    variables = {
        "ENGINES_DAG": dag,
        "ENGINES_PROJECT": str(given),
        "ENGINES_PYTHON": graph.python(),
        client.SOCKET: str(ready.path) if ready else "",
    }
    ended.file(folder).unlink(missing_ok=True)
    with log_of(config).open("w") as log:
        process = subprocess.Popen(
            [str(home.find_airflow().with_name("python")), "-m", "engines.airflow.command", *command],
            env=home.environment(folder, DAGS) | variables,
            cwd=project.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
    try:
        reports = _watch(process, folder, report)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise EngineError(_failure(folder, log_of(config)))
    return reports


def home_of(config: Settings) -> Path:
    """AIRFLOW_HOME of the pipeline's runs."""
    return Path(config.output_root).absolute() / "airflow"


def log_of(config: Settings) -> Path:
    """What Airflow said in the latest run; each task has a log of its own as well."""
    return home_of(config) / "run.log"


def _watch(process: subprocess.Popen, folder: Path, report: Report) -> list[NodeReport]:
    """Reports the nodes that succeed, until the process ends."""
    reports: dict[str, NodeReport] = {}
    over, before = False, time.monotonic()
    while not over:
        over = process.poll() is not None
        for task in ended.read(folder):
            if task.result and task.task not in reports:
                # One at a time, so each has what passed since the one before it.
                reports[task.task] = NodeReport(task.task, task.result, (now := time.monotonic()) - before)
                before = now
                report(reports[task.task])
        if not over:
            time.sleep(INTERVAL)
    return list(reports.values())


def _failure(folder: Path, log: Path) -> str:
    """Which task failed, why, and where it says so."""
    failed = next((task for task in ended.read(folder) if task.reason), None)
    if failed is None:
        said = log.read_text(errors="replace")
        unread = re.search(UNREAD, said, flags=re.DOTALL)
        return f"Airflow ended before the pipeline did (log: {log}):\n{unread[1] if unread else last_words(said)}"
    return f"{failed.task} failed (log: {failed.log}):\n{failed.reason}"
