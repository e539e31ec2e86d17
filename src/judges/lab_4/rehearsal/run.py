"""Reads a folder of DAGs as Airflow does, runs one of them in several cases with stand-ins for the steps, and writes down what happened.

    .airflow/bin/python run.py PLAN.json ...

It is run by the Python of Airflow's environment, from its own file: nothing of the course is imported. The plan says: `dag`, `dags` (a folder of
this rehearsal's own, a copy), `cases`, `out`. What is written to `out` is data; `judges.lab_4.rehearsed` reads it.

The loop that runs a DAG is that of `airflow.sdk.DAG.test`, which `airflow dags test` calls, but for a run that the schedule starts: Airflow has no
command for one run of the schedule without its scheduler.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from airflow import settings
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.models import DagRun
from airflow.sdk import DAG, BaseSensorOperator, timezone
from airflow.sdk.api.client import TaskInstanceOperations
from airflow.sdk.definitions.dag import _run_task
from airflow.sdk.execution_time.comms import OKResponse
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import event, select

BUNDLE = "dags-folder"
"""Airflow's name for its folder of DAGs."""

MOST_RUNS, MOST_SECONDS, ENOUGH_POKES = 40, 60, 3
"""Runs of a schedule that are counted, seconds of a case, and how often a sensor looks before a case ends."""

CALLBACKS = ("on_failure_callback", "on_retry_callback", "on_success_callback", "on_skipped_callback")


client_of = InProcessTestSupervisor._api_client
"""Makes the client by which a task speaks to Airflow, for a DAG."""

# The page that would show them is not here.
TaskInstanceOperations.set_rtif = lambda *_, **__: OKResponse(ok=True)


# This may be a fork of a process that has read of another database.
settings.dispose_orm()
settings.configure_vars()
settings.configure_orm()


@event.listens_for(settings.engine, "connect")
def hurry(connection: Any, _: Any) -> None:
    """The database is thrown away afterwards: nothing waits until the disk has it, which is a third of the time."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


def main(plan: dict[str, Any]) -> dict[str, Any]:
    """Everything that is to be known about the folder."""
    folder = Path(plan["dags"])
    for name in ("steps", "now", "callback"):
        (folder / name).write_text("")
    bag = DagBag(dag_folder=folder, bundle_path=folder, bundle_name=BUNDLE)
    errors = {Path(path).name: last_words(text) for path, text in bag.import_errors.items()}
    found: dict[str, Any] = {"errors": errors, "dags": sorted(bag.dag_ids), "at_reading": written(folder)}
    dag = bag.dags.get(plan["dag"])
    if dag is None:
        return found
    try:
        infos = schedule(stored(dag))
    except Exception as error:
        found["errors"]["(stored form)"] = f"{type(error).__name__}: {error}"
        infos = []
    found["dag"] = describe(dag)
    found["runs"] = [
        {"after": str(info.run_after.astimezone(dag.timezone)), "start": str(info.data_interval.start)}
        for info in infos
    ]
    found["cases"] = {}
    if infos and plan["cases"]:
        sync_bag_to_db(bag, BUNDLE, None)
        prepare(dag, folder)
        for name, case in plan["cases"].items():
            found["cases"][name] = run_case(bag, dag, infos[min(case["month"], len(infos)) - 1], case, folder)
    return found


def last_words(trace: str) -> str:
    """The end of a trace: where in the file, and which error."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    where = [line.partition(", line ")[2].partition(",")[0] for line in lines if line.startswith("File ")]
    return f"line {where[-1]}: {lines[-1]}" if where else lines[-1]


def stored(dag: DAG) -> Any:
    """The DAG as the scheduler has it, which reads no file of it."""
    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def schedule(dag: Any) -> list[Any]:
    """The runs that the scheduler would start, one after the other, if the year were long over."""
    infos: list[Any] = []
    while len(infos) < MOST_RUNS:
        info = dag.next_dagrun_info(last_automated_run_info=infos[-1] if infos else None)
        if info is None or info.data_interval is None:
            break
        infos.append(info)
    return infos


def describe(dag: DAG) -> dict[str, Any]:
    """Settings of the DAG and of its tasks."""
    return {
        "catchup": bool(dag.catchup),
        "max_active_runs": dag.max_active_runs,
        "zone": str(getattr(dag.timezone, "name", dag.timezone)),
        "tasks": {
            task.task_id: {
                "kind": type(task).__name__,
                "needs": sorted(task.upstream_task_ids),
                "rule": task.trigger_rule.value,
                "retries": task.retries or 0,
                "delay": task.retry_delay.total_seconds() if task.retry_delay else 0,
                "sensor": sensor(task) if isinstance(task, BaseSensorOperator) else None,
            }
            for task in dag.tasks
        },
    }


def sensor(task: BaseSensorOperator) -> dict[str, Any]:
    """How a sensor waits."""
    return {
        "mode": str(task.mode),
        "deferrable": bool(getattr(task, "deferrable", False)),
        "timeout": float(task.timeout),
        "poke": float(task.poke_interval),
        "soft": bool(task.soft_fail),
    }


def prepare(dag: DAG, folder: Path) -> None:
    """Takes out what waits, and has each callback noted."""
    for task in dag.tasks:
        task.retry_delay, task.retry_exponential_backoff = timedelta(0), False
        for kind in CALLBACKS:
            setattr(task, kind, [noted(one, kind, folder) for one in getattr(task, kind) or ()])
        if isinstance(task, BaseSensorOperator):
            task.poke_interval, task.exponential_backoff = 0.05, False
            if task.mode == "poke":  # it would sit here until its time is over
                task.timeout = 0.3
    own = dag.on_failure_callback or []
    dag.on_failure_callback = [
        noted(one, "on_failure_callback of the DAG", folder) for one in (own if isinstance(own, list) else [own])
    ]


def noted(callback: Callable, kind: str, folder: Path) -> Callable:
    """A callback that says in the file `callback` that it runs, and writes down what it raises: Airflow only logs that."""

    def run(context: Any) -> None:
        task = (folder / "now").read_text().strip()
        (folder / "callback").write_text(kind)
        try:
            callback(context)
        except Exception as error:
            with (folder / "broken.jsonl").open("a") as file:
                file.write(json.dumps({"task": task, "callback": kind, "error": words(error)}) + "\n")
            raise
        finally:
            (folder / "callback").write_text("")

    return run


def words(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}"[:500]


def run_case(bag: DagBag, dag: DAG, info: Any, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One run of the DAG as the scheduler would start it, with the steps ending as the case says."""
    for path in (*folder.glob("*.jsonl"), *folder.glob("endings/*")):
        path.unlink()
    (folder / "endings").mkdir(exist_ok=True)
    for name in ("steps", "now", "callback"):
        (folder / name).write_text("")
    for step, endings in case["endings"].items():
        (folder / "endings" / step).write_text("".join(f"{ending}\n" for ending in endings))
    for month in range(1, 13):
        path = folder / "months" / f"span-{month:02d}" / "flights.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("month\n") if month in case["there"] else path.unlink(missing_ok=True)
    timeouts = {task: task.timeout for task in dag.tasks if isinstance(task, BaseSensorOperator)}
    for task in timeouts:
        task.timeout = -1 if case["never"] else task.timeout
    found = run(bag, dag, info, folder)
    for task, timeout in timeouts.items():
        task.timeout = timeout
    return found | written(folder)


def run(bag: DagBag, dag: DAG, info: Any, folder: Path) -> dict[str, Any]:
    """The smallest loop that does what the scheduler does, as `DAG.test` has it, for a scheduled run."""
    session, as_stored = settings.Session(), stored(dag)
    client = client_of(dag)  # one for all tasks: to make it takes a third of the time of a task
    InProcessTestSupervisor._api_client = staticmethod(lambda _=None: client)
    session.query(DagRun).delete()
    started, pokes, deferred, raised = time.monotonic(), 0, False, {}
    interval = info.data_interval
    name = as_stored.timetable.generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=info.run_after, data_interval=interval
    )
    dag_run = as_stored.create_dagrun(
        run_id=name,
        logical_date=info.logical_date,
        data_interval=interval,
        run_after=info.run_after,
        run_type=DagRunType.SCHEDULED,
        triggered_by=DagRunTriggeredByType.TIMETABLE,
        state=DagRunState.RUNNING,
        start_date=timezone.utcnow(),
        session=session,
    )
    while dag_run.state == DagRunState.RUNNING and pokes < ENOUGH_POKES and not deferred:
        if time.monotonic() - started > MOST_SECONDS:
            break
        session.expire_all()
        # A task that has run has closed the session of this thread, and with it what was loaded.
        dag_run = session.scalars(select(DagRun).where(DagRun.run_id == name)).one()
        dag_run.dag = as_stored
        ready, callback = dag_run.update_state(session=session, execute_callbacks=False)
        for one in ready:
            if one.state != TaskInstanceState.UP_FOR_RESCHEDULE:
                one.try_number += 1
            one.state = TaskInstanceState.SCHEDULED
            one.scheduled_dttm = timezone.utcnow()
        session.commit()
        (folder / "now").write_text("\n")
        if callback:
            _execute_dag_callbacks(bag, callback, structlog.get_logger())
        waiting = [
            one for one in dag_run.get_task_instances(session=session) if one.state == TaskInstanceState.SCHEDULED
        ]
        if not waiting:
            time.sleep(0.02)
        for one in sorted(waiting, key=lambda one: one.task_id):
            (folder / "now").write_text(f"{one.task_id}\n")
            done = _run_task(ti=one, task=dag.get_task(one.task_id))
            if done and done.error:
                raised[one.task_id] = words(done.error)
            deferred |= one.state == TaskInstanceState.DEFERRED
            pokes += one.state == TaskInstanceState.UP_FOR_RESCHEDULE
    states = {one.task_id: str(one.state or "none") for one in dag_run.get_task_instances(session=session)}
    found = {"run": name, "state": str(dag_run.state), "tasks": states, "raised": raised}
    session.close()
    return found


def written(folder: Path) -> dict[str, Any]:
    """What was written down: the steps that were started, the alerts, and the callbacks that raised."""
    started = (folder / "steps").read_text().splitlines()
    found: dict[str, Any] = {
        "steps": [
            dict(zip(("step", "month", "run", "task", "code"), line.split("\t", 4), strict=True)) for line in started
        ]
    }
    for name in ("alerts", "broken"):
        path = folder / f"{name}.jsonl"
        found[name] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return found


def on_path(plan: dict[str, Any]) -> dict[str, Any]:
    """With the folder where Python looks for modules, as Airflow has it; `steps` is that folder's own."""
    sys.path.insert(0, plan["dags"])
    sys.modules.pop("steps", None)
    try:
        return main(plan)
    finally:
        sys.path.remove(plan["dags"])


if __name__ == "__main__":
    DagBundlesManager().sync_bundles_to_db()
    for path in sys.argv[1:]:
        plan = json.loads(Path(path).read_text())
        Path(plan["out"]).write_text(json.dumps(on_path(plan)))
