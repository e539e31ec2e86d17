"""The pipeline as a DAG: its graph and schedule, killed and run again, the same result as locally, bad months, months that are late."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import first_node
import ledger
import listening
import outcomes
import pytest

from engines import store
from engines.airflow import graph, home, logs, project, ready
from engines.errors import MissingEngineError
from flights import schedule
from flights.config import Config

PATIENCE = 600  # seconds, on a machine with much to do

CREATE = "flights.pipeline:create_pipeline"

COMMAND = [str(Path(sys.executable).with_name("flights")), "run", "--engine", "airflow"]

HOOKS = {"decide": "flights.retrain:on_schedule", "conclude": "flights.retrain:on_end"}
"""What a DAG asks before and after the pipeline."""

LOOK_AT_DAG = (
    f"HOOKS = {HOOKS}\n"
    + """
import dataclasses, datetime, json, sys
from types import SimpleNamespace
from unittest import mock
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.api.datamodels._generated import DagRunState, DagRunType
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from airflow.serialization.serialized_objects import DagSerialization
from engines.airflow import alerts, dag as ours
bag = DagBag()
assert not bag.import_errors, bag.import_errors
dag = bag.dags["flights"]
stored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

def told(run_type, state, previous_type=DagRunType.SCHEDULED):
    when = datetime.datetime(2013, 2, 1)
    previous = SimpleNamespace(state=DagRunState(state), run_type=previous_type, logical_date=when) if state else None
    context = {"dag_run": SimpleNamespace(run_type=run_type), "ti": SimpleNamespace(get_previous_dagrun=lambda: previous)}
    try:
        ours._require_previous(context)
    except AirflowFailException as error:
        return str(error)
    return ""

def skipped(run):
    asks = ours.make_dag("asks", project=dataclasses.replace(sensor.project, **HOOKS))
    with mock.patch.object(ours.AskOperator, "execute", return_value=json.dumps({"run": run, "reason": "", "spans": None})):
        try:
            asks.task_dict["decide"].execute({"ti": mock.Mock(map_index=-1)})
        except DownstreamTasksSkipped as error:
            return sorted(one if isinstance(one, str) else one[0] for one in error.tasks), sorted(asks.task_dict)
    return [], sorted(asks.task_dict)

sensor = dag.task_dict["wait_for_month"]
print(json.dumps({
    "upstream": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
    "dates": [
        [str(info.logical_date.date()), str(info.run_after.date())]
        for info in stored.iter_dagrun_infos_between(None, dag.end_date)
    ],
    "one_at_a_time": [dag.max_active_runs, dag.max_active_tasks, dag.catchup],
    "sensor": [sensor.mode, sensor.retries],
    "retries": sorted({task.retries for task in dag.tasks if task is not sensor}),
    "alerts": all(alerts.tell in task.on_failure_callback for task in dag.tasks),
    "after_failure": told(DagRunType.SCHEDULED, "failed"),
    "otherwise": [
        told(DagRunType.SCHEDULED, "success"),
        told(DagRunType.SCHEDULED, None),
        told(DagRunType.MANUAL, "failed"),
        told(DagRunType.SCHEDULED, "failed", DagRunType.MANUAL),
    ],
    "skipped": {str(run): skipped(run) for run in (True, False)},
}))
"""
)

DAG_BY_HAND = """
import os
from datetime import datetime, timedelta
from pathlib import Path
from airflow.sdk import DAG, CronDataIntervalTimetable
from engines.airflow import alerts
from engines.airflow.dag import SpanSensor, add_steps
from engines.airflow.project import load

project = load(Path(os.environ["FLIGHTS_AIRFLOW_PROJECT"]).read_text())
monthly = CronDataIntervalTimetable("@monthly", timezone="UTC")
with DAG("by-hand", schedule=monthly, start_date=datetime(2013, 1, 1), catchup=True, max_active_runs=1, default_args={
    "retries": 1, "retry_delay": timedelta(seconds=1), "on_failure_callback": alerts.tell,
}) as dag:
    wait = SpanSensor(task_id="wait_for_month", project=project, mode="reschedule", poke_interval=1, timeout=600)
    wait >> add_steps(project)["CsvExampleGen"]
"""


@pytest.fixture(scope="module", autouse=True)
def _airflow_is_there():
    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    yield
    ready.end()


@pytest.fixture(scope="module")
def airflow(run):
    from engines.airflow import runner as airflow

    return airflow


def wait_for(what: str, happened: Callable[[], Any], process: subprocess.Popen) -> Any:
    """Waits until something has happened, as long as the process lives, and gives what it was."""
    end = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert process.poll() is None, f"it ended before {what}:\n{process.communicate()[0]}"
        assert time.monotonic() < end, f"{what}: not within {PATIENCE} s"
        time.sleep(0.1)
    return found


def processes_of(text: str) -> list[int]:
    """The processes that have this in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory) -> Path:
    """AIRFLOW_HOME of the tests that need none of their own: one process imports Airflow for them."""
    return tmp_path_factory.mktemp("airflow")


def test_the_dag_has_the_graph_of_the_pipeline_and_a_run_for_each_month(run, airflow_home, tmp_path):
    ours = schedule.project({"output_root": "out/pipelines/airflow"})
    for made in (ours, dataclasses.replace(ours, **HOOKS)):  # or Airflow would have a process import TFX for it
        graph.prepare(made, airflow_home / "graphs")
    home.prepare(airflow_home)
    script, variables = tmp_path / "look_at_dag.py", home.environment(airflow_home)
    script.write_text(LOOK_AT_DAG)
    with (tmp_path / "said").open("w+") as said, (tmp_path / "complaints").open("w+") as complaints:
        files = (0, said.fileno(), complaints.fileno())
        python = home.find_airflow().with_name("python")
        status = ready.wait(ready.script(python, [str(script)], variables, files=files, keep=variables), PATIENCE)
    assert status == 0, (tmp_path / "complaints").read_text()
    found = json.loads((tmp_path / "said").read_text().splitlines()[-1])

    from flights.pipeline import create_pipeline

    nodes = create_pipeline(Config()).components
    wanted = {node.id: sorted(one.id for one in node.upstream_nodes) or ["wait_for_month"] for node in nodes}
    assert wanted["Transform"] == ["CsvExampleGen", "DataGate", "ImportSchemaGen"], "of data, and of order alone"
    assert found["upstream"] == {"wait_for_month": [], **wanted}
    begins = [f"2013-{month:02d}-01" for month in range(1, 13)]
    assert found["dates"] == list(map(list, zip(begins, [*begins[1:], "2014-01-01"], strict=True))), "date, then start"
    assert found["one_at_a_time"] == [1, 1, True]
    assert found["sensor"] == ["reschedule", 0]
    assert found["retries"] == [2]
    assert found["alerts"]
    assert found["after_failure"].startswith("The run of 2013-02 has failed. Mend")
    assert found["otherwise"] == ["", "", "", ""]
    # Where the policy says no, all that follows `decide` is skipped; tests/pipeline/test_retrain.py has Airflow run such a DAG.
    (of_yes, _), (of_no, tasks) = found["skipped"]["True"], found["skipped"]["False"]
    assert (of_yes, of_no) == ([], [one for one in tasks if one not in ("wait_for_month", "decide")])
    assert {"CsvExampleGen", "Pusher", "conclude"} < set(of_no)


@pytest.mark.long
def test_killed_in_a_step_then_run_again_it_finishes_with_one_version_and_the_result_of_the_local_engine(
    airflow, make_config, root, request, run, tmp_path_factory
):
    """The run is killed with -9, and Airflow and its step with it; the second takes from the cache what the first has finished, and listens to no other machine."""
    config = make_config("airflow")
    options = ["--data-root", config.data_root, "--output-root", config.output_root]
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        folder = Path(config.pipeline_root) / "StatisticsGen"
        wait_for("StatisticsGen began", lambda: any(folder.glob("[a-z]*/*")), process)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    end = time.monotonic() + PATIENCE
    while left := processes_of(str(airflow.home_of(config))):
        assert time.monotonic() < end, f"Airflow or its step outlived the run: {left}"
        time.sleep(0.1)
    assert ledger.last_states(config)["StatisticsGen"] == "RUNNING"

    request.getfixturevalue(
        "shared_imports"
    )  # not earlier: the run that is killed has steps that are found by their commands
    seen = []
    with listening.heard() as addresses:
        reports = airflow.run(config, CREATE, schedule.MONTHS, seen.append)
    assert listening.to_others(addresses) == []
    assert seen == reports
    states = {report.node: report.state for report in reports}
    assert len(states) == 10
    assert states["CsvExampleGen"] == "cached"
    assert states["Trainer"] == "done"
    assert store.latest_verdict(config).startswith("Blessed and pushed")
    assert len(ledger.versions(config)) == 1
    ledger.assert_sound(config)
    assert [one.state for one in ledger.executions(config) if one.node == "StatisticsGen"] == ["FAILED", "COMPLETE"]
    shared = outcomes.shared_folder(tmp_path_factory)
    assert outcomes.of_local(config) == outcomes.reference(config, run, shared)


@pytest.fixture
def theirs(tmp_path) -> project.Project:
    return first_node.project(tmp_path)


def variables(given: project.Project, folder: Path) -> dict[str, str]:
    return {"FLIGHTS_AIRFLOW_PROJECT": str(given.save(folder / "project.json")), "ENGINES_PYTHON": sys.executable}


@pytest.mark.usefixtures("shared_imports")
def test_a_bad_month_fails_at_once_and_somebody_is_told(theirs, airflow, airflow_home, root, tmp_path):
    """Two retries are allowed, and none is made: the file would be as bad in half a minute."""
    shutil.copytree(root / "data/fixtures/text-in-number", tmp_path / "months")
    done = home.airflow("dags", "test", "flights", "2013-01-01", home=airflow_home, **variables(theirs, tmp_path))
    assert done.returncode != 0
    tasks = {one.task: one for one in home.task_runs(airflow_home, "flights")}
    failed = tasks["CsvExampleGen"]
    assert (failed.state, failed.tries, failed.run_state) == ("failed", 1, "failed")
    assert "sched_dep_time" in logs.reason(failed.log)
    assert logs.reason(failed.log).startswith("DataError: ")

    (alert,) = (airflow_home / "alerts.log").read_text().splitlines()
    _, dag, task, month, reason, log = alert.split(" | ")
    assert (dag, task, month, log) == ("flights", "CsvExampleGen", "2013-01", str(failed.log))
    assert "DataError: " in reason
    assert "is not a whole number" in reason


@pytest.mark.long
@pytest.mark.usefixtures("shared_imports")
def test_a_run_in_the_foreground_that_fails_names_the_task_its_reason_and_its_log(airflow, make_config, root):
    from engines.errors import EngineError

    config = make_config("bad", data_root=str(root / "data/fixtures/text-in-number"))
    with pytest.raises(EngineError) as failed:
        airflow.run(config, CREATE, schedule.MONTHS)
    first, reason = str(failed.value).split("\n", 1)
    log = Path(first.removeprefix("CsvExampleGen failed (log: ").removesuffix("):"))
    assert "is not a whole number" in log.read_text()
    assert reason.startswith("DataError: ")
    assert "sched_dep_time" in reason
    assert set(ledger.last_states(config)) <= {"CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel"}
    ledger.assert_sound(config)


@pytest.mark.long
def test_a_month_is_waited_for_and_a_step_that_is_killed_is_tried_again(theirs, root, tmp_path):
    """February comes late; its first step is killed with -9, and its second finishes: nothing half, nothing twice."""
    config = dataclasses.replace(Config(pipeline_name="first-node"), output_root=theirs.settings["output_root"])
    shutil.copytree(root / "data/flights/span-01", tmp_path / "months" / "span-01")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "by_hand.py").write_text(textwrap.dedent(DAG_BY_HAND))
    folder = tmp_path / "home"
    home.prepare(folder, tmp_path / "dags")
    log = tmp_path / "run.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [str(home.find_airflow()), "dags", "test", "by-hand", "2013-02-01"],
            env=home.environment(folder, tmp_path / "dags") | variables(theirs, tmp_path),
            cwd=root,
            stdout=said,
            stderr=subprocess.STDOUT,
        )

    def tasks() -> dict[str, home.TaskRun]:
        return {one.task: one for one in home.task_runs(folder, "by-hand", tmp_path / "dags")}

    try:
        wait_for("the sensor looked", lambda: "Month 2: not in" in log.read_text(), process)
        waiting = tasks()
        assert waiting["wait_for_month"].state in ("up_for_reschedule", "running", "queued", "scheduled")
        assert not waiting["CsvExampleGen"].state
        shutil.copytree(root / "data/flights/span-02", tmp_path / "months" / "span-02")
        # As soon as it is seen: it may end before another look at what it writes.
        begun = f"\0--months\x001-2\0--project\0{folder}"
        (step,) = wait_for("the step began", lambda: processes_of(begun), process)
        os.kill(step, signal.SIGKILL)
        process.wait(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, log.read_text()
    done = tasks()["CsvExampleGen"]
    assert (done.state, done.tries, done.result) == ("success", 2, "done")
    assert "was killed by signal 9" in log.read_text()
    # A step that is killed while it imports TFX, as here, has not begun an execution yet.
    assert [one.state for one in ledger.executions(config) if one.state != "FAILED"] == ["COMPLETE"]
    ledger.assert_sound(config)
    assert not (folder / "alerts.log").exists(), "an alert is for what no retry has mended"
