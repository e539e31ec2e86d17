"""Reads a folder of DAGs as Airflow's scheduler does, has one of them run in cases with played steps, and writes down what happened.

    .airflow/bin/python rehearse.py PLAN.json ...

It is run by the Python of Airflow's environment, from its own file: nothing of the course is imported. The plan says: `dag`, `dags` (a folder of
this rehearsal's own, a copy), `cases`, `out`. What is written to `out` is data; `course.labs.lab_4.rehearsed` reads it.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import airflow.providers.fab.auth_manager.models  # noqa: F401  (the table of users, which Airflow's own tables refer to)
from airflow import settings
from airflow.exceptions import TaskDeferred
from airflow.models import DagBag, DagRun, TaskInstance, TaskReschedule
from airflow.models.dag import _get_or_create_dagrun
from airflow.sensors.base import BaseSensorOperator
from airflow.serialization.serialized_objects import SerializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import event

MOST_RUNS, MOST_SECONDS, ENOUGH_POKES = 40, 60, 3
"""Runs of a schedule that are counted, seconds of a case, and how often a sensor looks before a case ends."""


@event.listens_for(settings.engine, "connect")
def hurry(connection: Any, _: Any) -> None:
    """The database is thrown away afterwards: nothing waits until the disk has it, which is a third of the time."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


def main(plan: dict[str, Any]) -> dict[str, Any]:
    """Everything that is to be known about the folder."""
    folder = Path(plan["dags"])
    bag = DagBag(dag_folder=str(folder), include_examples=False, read_dags_from_db=False)
    errors = {Path(path).name: last_words(text) for path, text in bag.import_errors.items()}
    found: dict[str, Any] = {"errors": errors, "dags": sorted(bag.dag_ids), "at_reading": told(folder)}
    dag = bag.dags.get(plan["dag"])
    if dag is None:
        return found
    try:
        SerializedDAG.to_dict(dag)
    except Exception as error:
        found["errors"]["(stored form)"] = f"{type(error).__name__}: {error}"
    infos = schedule(dag)
    found["dag"] = describe(dag)
    found["runs"] = [
        {"after": str(info.run_after.astimezone(dag.timezone)), "start": str(info.data_interval.start)}
        for info in infos
    ]
    hasten(dag)
    found["cases"] = {}
    for name, case in plan["cases"].items():
        if infos:
            info = infos[min(case["month"], len(infos)) - 1]
            found["cases"][name] = play(dag, info, case, folder)
    return found


def last_words(trace: str) -> str:
    """The end of a trace: where in the file, and which error."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    where = [line.partition(", line ")[2].partition(",")[0] for line in lines if line.startswith("File ")]
    return f"line {where[-1]}: {lines[-1]}" if where else lines[-1]


def schedule(dag: Any) -> list[Any]:
    """The runs that the scheduler would start, one after the other, if the year were long over."""
    infos, last = [], None
    while len(infos) < MOST_RUNS:
        info = dag.next_dagrun_info(last)
        if info is None:
            break
        infos.append(info)
        last = info.data_interval
    return infos


def describe(dag: Any) -> dict[str, Any]:
    """Settings of the DAG and of its tasks."""
    return {
        "catchup": bool(dag.catchup),
        "max_active_runs": dag.max_active_runs,
        "zone": str(getattr(dag.timezone, "name", dag.timezone)),
        "tasks": {
            task.task_id: {
                "kind": type(task).__name__,
                "needs": sorted(task.upstream_task_ids),
                "rule": str(task.trigger_rule),
                "retries": task.retries or 0,
                "delay": task.retry_delay.total_seconds() if task.retry_delay else 0,
                "sensor": sensor(task) if isinstance(task, BaseSensorOperator) else None,
            }
            for task in dag.tasks
        },
    }


def sensor(task: Any) -> dict[str, Any]:
    """How a sensor waits."""
    return {
        "mode": str(task.mode),
        "deferrable": bool(getattr(task, "deferrable", False)),
        "timeout": float(task.timeout),
        "poke": float(
            task.poke_interval.total_seconds() if hasattr(task.poke_interval, "total_seconds") else task.poke_interval
        ),
        "soft": bool(task.soft_fail),
    }


def hasten(dag: Any) -> None:
    """Nobody waits in a rehearsal."""
    for task in dag.tasks:
        task.retry_delay, task.retry_exponential_backoff = timedelta(0), False
        if isinstance(task, BaseSensorOperator):
            task.poke_interval, task.exponential_backoff = 0.05, False
            if task.mode == "poke":  # it would sit here until its time is over
                task.timeout = 0.3


def play(dag: Any, info: Any, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One run of the DAG as the scheduler would start it, with the steps ending as the case says."""
    clear(folder)
    set_months(folder, case["there"])
    (folder / "case.json").write_text(json.dumps(case["endings"]))
    sensors = [task for task in dag.tasks if isinstance(task, BaseSensorOperator)]
    timeouts = {task.task_id: task.timeout for task in sensors}
    if case.get("never"):
        for task in sensors:
            task.timeout = -1
    with create_session() as session:
        for kind in (TaskReschedule, TaskInstance, DagRun):
            session.query(kind).delete()
        session.commit()
        found = run(dag, info, session, folder)
    for task in sensors:
        task.timeout = timeouts[task.task_id]
    return found | told(folder)


def run(dag: Any, info: Any, session: Any, folder: Path) -> dict[str, Any]:
    """The smallest loop that does what the scheduler does, as `dag.test()` has it, for a scheduled run."""
    started, pokes, deferred, raised = time.monotonic(), 0, set(), {}
    dag_run = _get_or_create_dagrun(
        dag=dag,
        conf=None,
        start_date=info.logical_date,
        execution_date=info.logical_date,
        run_id=DagRun.generate_run_id(DagRunType.SCHEDULED, info.logical_date),
        session=session,
        data_interval=info.data_interval,
    )
    while dag_run.state == DagRunState.RUNNING and pokes < ENOUGH_POKES and not deferred:
        if time.monotonic() - started > MOST_SECONDS:
            break
        session.expire_all()
        ready, _ = dag_run.update_state(session=session)
        for one in ready:
            if one.state != TaskInstanceState.UP_FOR_RESCHEDULE:
                one.try_number += 1
            one.state = TaskInstanceState.SCHEDULED
        session.commit()
        waiting = [
            one for one in dag_run.get_task_instances(session=session) if one.state == TaskInstanceState.SCHEDULED
        ]
        if not waiting:
            time.sleep(0.02)
        for one in sorted(waiting, key=lambda one: one.task_id):
            one.task = dag.get_task(one.task_id)
            (folder / "task.json").write_text(json.dumps({"task": one.task_id}))
            try:
                one._run_raw_task(session=session, raise_on_defer=True)
            except TaskDeferred:
                deferred.add(one.task_id)
            except Exception as error:  # Airflow has entered it as failed, or as to be tried again
                raised[one.task_id] = f"{type(error).__name__}: {error}"[:500]
            pokes += one.state == TaskInstanceState.UP_FOR_RESCHEDULE
    tasks = {
        one.task_id: {
            "state": "deferred" if one.task_id in deferred else str(one.state or "none"),
            "tries": one.try_number,
        }
        for one in dag_run.get_task_instances(session=session)
    }
    return {"run": dag_run.run_id, "state": str(dag_run.state), "tasks": tasks, "raised": raised}


def set_months(folder: Path, there: list[int]) -> None:
    """Files for these months, and for no others."""
    for month in range(1, 13):
        path = folder / "months" / f"span-{month:02d}" / "flights.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("month\n") if month in there else path.unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Forgets what was written down."""
    for name in ("steps.jsonl", "alerts.jsonl", "task.json"):
        (folder / name).unlink(missing_ok=True)


def told(folder: Path) -> dict[str, Any]:
    """What was written down: the steps that were started, and the alerts."""
    found = {}
    for name in ("steps", "alerts"):
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
    for path in sys.argv[1:]:
        plan = json.loads(Path(path).read_text())
        Path(plan["out"]).write_text(json.dumps(on_path(plan)))
