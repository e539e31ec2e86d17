"""Reads folders of DAGs as Airflow does, runs a DAG of each in several cases, and writes down what happened: see `course.trials.dag`.

    .airflow/bin/python run.py FOLDER ...

It is run by the Python of Airflow's environment, from its own file: nothing of the course is imported. The loop that runs a DAG is that of
`airflow.sdk.DAG.test`, which `airflow dags test` calls, but for a run that the schedule starts: Airflow has no command for one run of the schedule
without its scheduler. What a task waits for in time is over at once: its rows in the database are set back by as much.
"""

from __future__ import annotations

import functools
import json
import signal
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
from airflow.models.taskreschedule import TaskReschedule
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
MOST_RUNS, MOST_SECONDS = 40, 60
"""Runs of a schedule that are counted, and seconds of a case."""
CALLBACKS = ("on_failure_callback", "on_retry_callback", "on_success_callback", "on_skipped_callback")
LATER = {"": (), "comes": (50 * 60,), "never": (50 * 60, 32 * 86_400)}
"""Seconds after which a task that waits is asked once more, by what becomes of the month."""
NAP, HELD = 10, 20
"""Seconds: a task that sleeps as long, or has not ended after as many, keeps a worker. A stand-in for a step takes hundredths."""

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


class HeldError(BaseException):
    """A task keeps its worker; no `except Exception` of a task catches it."""


def rest(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Stands in for `time.sleep`."""
    if seconds >= NAP:
        raise HeldError(f"it sleeps for {seconds:g} seconds in its worker")
    sleep(seconds)


def ring(*_: Any) -> None:
    """A task has not ended in time."""
    raise HeldError(f"it has not ended after {HELD} seconds")


def main(folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """Everything that is to be known about the folder."""
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
        return found | {"errors": {"(stored form)": words(error)}}
    found["sensors"] = [task.task_id for task in dag.tasks if isinstance(task, BaseSensorOperator)]
    found |= {"tasks": sorted(dag.task_ids), "last": sorted(task.task_id for task in dag.leaves)}
    found |= {"max_active_runs": dag.max_active_runs, "zone": str(dag.timezone)}
    found["runs"] = [
        {"after": str(info.run_after.astimezone(dag.timezone)), "start": str(info.data_interval.start)}
        for info in infos
    ]
    found["cases"] = {}
    if infos and plan["cases"]:
        sync_bag_to_db(bag, BUNDLE, None)
        for task in dag.tasks:
            for kind in CALLBACKS:
                setattr(task, kind, [noted(one, kind, folder) for one in getattr(task, kind) or ()])
        own = dag.on_failure_callback or []
        own = own if isinstance(own, list) else [own]
        dag.on_failure_callback = [noted(one, "on_failure_callback of the DAG", folder) for one in own]
        for name, case in plan["cases"].items():
            after = case["month"] % 12 + 1
            own = next((one for one in infos if one.run_after.astimezone(dag.timezone).month == after), infos[0])
            found["cases"][name] = run_case(bag, dag, own, case, folder)
    return found


def last_words(trace: str) -> str:
    """The end of a trace: where in the file, and which error."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    where = [line.partition(", line ")[2].partition(",")[0] for line in lines if line.startswith("File ")]
    return f"line {where[-1]}: {lines[-1]}" if where else lines[-1]


def words(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}"[:500]


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


def noted(callback: Callable, kind: str, folder: Path) -> Callable:
    """A callback that says in the file `callback` that it runs, and writes down what it raises: Airflow only logs that."""

    def run(context: Any) -> None:
        (folder / "callback").write_text(kind)
        try:
            callback(context)
        except Exception as error:
            told = {"task": (folder / "now").read_text().strip(), "callback": kind, "error": words(error)}
            with (folder / "broken.jsonl").open("a") as file:
                file.write(json.dumps(told) + "\n")
            raise
        finally:
            (folder / "callback").write_text("")

    return run


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
        deliver(folder, month, month in case["there"])
    with settings.Session() as session:
        found = Loop(bag, dag, info, folder, session).run(case)
    return found | written(folder)


def deliver(folder: Path, month: int, is_there: bool) -> None:
    """Puts a month's file to where it is asked for, or takes it away."""
    path = folder / "months" / f"span-{month:02d}" / "flights.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("month\n") if is_there else path.unlink(missing_ok=True)


class Loop:
    """The smallest loop that does what the scheduler does, as `DAG.test` has it, for a scheduled run."""

    def __init__(self, bag: DagBag, dag: DAG, info: Any, folder: Path, session: Any) -> None:
        """Makes the run, and forgets those before it."""
        self.bag, self.dag, self.stored, self.folder, self.session = bag, dag, stored(dag), folder, session
        client = client_of(dag)  # one for all tasks: to make it takes a third of the time of a task
        InProcessTestSupervisor._api_client = staticmethod(lambda _=None: client)
        session.query(DagRun).delete()
        interval, scheduled = info.data_interval, DagRunType.SCHEDULED
        timetable = self.stored.timetable
        self.name = timetable.generate_run_id(run_type=scheduled, run_after=info.run_after, data_interval=interval)
        self.stored.create_dagrun(
            run_id=self.name,
            logical_date=info.logical_date,
            data_interval=interval,
            run_after=info.run_after,
            run_type=scheduled,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.RUNNING,
            start_date=timezone.utcnow(),
            session=session,
        )
        self.known: list[Any] = []
        """The states of the tasks when they were looked at last."""
        self.raised: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.waits: dict[str, list[Any]] = {}
        """Of a task that waits: seconds from look to look, and until Airflow gives up if that is known."""
        self.delays: dict[str, list[float]] = {}
        """Seconds until the next try."""

    def run(self, case: dict[str, Any]) -> dict[str, Any]:
        """Runs it in a case."""
        begun, later, looks = time.monotonic(), list(LATER[case["late"]]), []
        while self.dag_run().state == DagRunState.RUNNING and time.monotonic() - begun < MOST_SECONDS:
            if self.turn() or self.retry():
                continue
            waiting = self.tasks(TaskInstanceState.UP_FOR_RESCHEDULE, TaskInstanceState.DEFERRED)
            if not waiting or not later:
                break
            looks.append(len((self.folder / "steps").read_text().splitlines()))
            deliver(self.folder, case["month"], case["late"] == "comes")
            passed = later.pop(0)
            limit = self.dag.dagrun_timeout
            if limit and limit.total_seconds() < passed:
                # As `SchedulerJobRunner._schedule_dag_run` has it: no callback of a task is called.
                self.dag_run().set_state(DagRunState.FAILED)
                self.session.commit()
                break
            for one in waiting:
                self.look_again(one, passed, case["late"] == "comes")
        states = {one.task_id: str(one.state or "none") for one in self.tasks()}
        found = {"run": self.name, "state": str(self.dag_run().state), "tasks": states, "looks": looks}
        return found | {name: getattr(self, name) for name in ("raised", "held", "waits", "delays")}

    def dag_run(self) -> DagRun:
        """The run. A task that has run has closed the session of this thread, and with it what was loaded."""
        self.session.expire_all()
        found = self.session.scalars(select(DagRun).where(DagRun.run_id == self.name)).one()
        found.dag = self.stored
        return found

    def tasks(self, *states: TaskInstanceState) -> list[Any]:
        """The tasks of the run in one of these states, or all."""
        found = self.dag_run().get_task_instances(session=self.session)
        return sorted((one for one in found if not states or one.state in states), key=lambda one: one.task_id)

    def turn(self) -> bool:
        """Runs what is ready; returns whether anything was, or has become known as lost because of what was before it."""
        dag_run = self.dag_run()
        ready, callback = dag_run.update_state(session=self.session, execute_callbacks=False)
        for one in ready:
            one.try_number += one.state != TaskInstanceState.UP_FOR_RESCHEDULE
            one.state, one.scheduled_dttm = TaskInstanceState.SCHEDULED, timezone.utcnow()
        self.session.commit()
        (self.folder / "now").write_text("\n")
        if callback:
            _execute_dag_callbacks(self.bag, callback, structlog.get_logger())
        tasks = self.tasks()
        before, self.known = self.known, [one.state for one in tasks]
        scheduled = [one for one in tasks if one.state == TaskInstanceState.SCHEDULED]
        for one in scheduled:
            self.run_task(one)
        return bool(scheduled) or self.known != before

    def run_task(self, one: Any, with_trigger: bool = False) -> None:
        """Runs a task, as long as it keeps no worker."""
        task, sleep = one.task_id, time.sleep
        (self.folder / "now").write_text(f"{task}\n")
        time.sleep = functools.partial(rest, sleep=sleep)
        signal.signal(signal.SIGALRM, ring)
        signal.alarm(HELD)
        try:
            done = _run_task(ti=one, task=self.dag.get_task(task), run_triggerer=with_trigger)
            if done and done.error:
                self.raised[task] = words(done.error)
                if isinstance(done.error, HeldError):
                    self.held[task] = str(done.error)
        except HeldError as error:
            self.held[task] = str(error)
            one.set_state(TaskInstanceState.FAILED)
        finally:
            signal.alarm(0)
            time.sleep = sleep
        if one.state == TaskInstanceState.UP_FOR_RESCHEDULE:
            asked = select(TaskReschedule).where(TaskReschedule.ti_id == one.id).order_by(TaskReschedule.id.desc())
            last = self.session.scalars(asked).first()
            self.waits.setdefault(task, [(last.reschedule_date - last.end_date).total_seconds(), None])
        elif one.state == TaskInstanceState.DEFERRED:
            limit = next(same for same in self.tasks() if same.task_id == task).trigger_timeout
            every = float(getattr(self.dag.get_task(task), "poke_interval", 60))
            self.waits.setdefault(task, [every, limit and (limit - timezone.utcnow()).total_seconds()])

    def retry(self) -> bool:
        """Has the pauses between two tries go by; returns whether there was any."""
        again = self.tasks(TaskInstanceState.UP_FOR_RETRY)
        for one in again:
            one.task = self.stored.get_task(one.task_id)
            pause = one.next_retry_datetime() - one.end_date
            self.delays.setdefault(one.task_id, []).append(pause.total_seconds())
            one.end_date -= pause + timedelta(seconds=1)
        self.session.commit()
        return bool(again)

    def look_again(self, one: Any, passed: float, has_come: bool) -> None:
        """Has time go by for a task that waits, and has it look once more if it does by then."""
        if one.state == TaskInstanceState.UP_FOR_RESCHEDULE:
            for row in self.session.scalars(select(TaskReschedule).where(TaskReschedule.ti_id == one.id)):
                row.start_date -= timedelta(seconds=passed)
                row.end_date -= timedelta(seconds=passed)
                row.reschedule_date = row.end_date
            self.session.commit()
            return
        limit = self.waits[one.task_id][1]
        is_over = limit is not None and limit < passed
        if (
            has_come or is_over
        ):  # it begins anew, with its trigger; or as `SchedulerJobRunner.check_trigger_timeouts` has it
            one.next_method, one.next_kwargs = ("__fail__", {"error": "Trigger timeout"}) if is_over else (None, None)
            one.trigger_id, one.state = None, TaskInstanceState.SCHEDULED
            self.session.commit()
            self.run_task(one, with_trigger=has_come)


def written(folder: Path) -> dict[str, Any]:
    """What was written down: the steps that were started, the alerts, and the callbacks that raised."""
    started, names = (folder / "steps").read_text().splitlines(), ("step", "month", "run", "task", "code")
    found: dict[str, Any] = {"steps": [dict(zip(names, line.split("\t", 4), strict=True)) for line in started]}
    for name in ("alerts", "broken"):
        path = folder / f"{name}.jsonl"
        found[name] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return found


def on_path(top: Path) -> dict[str, Any]:
    """With the folder where Python looks for modules, as Airflow has it; `steps` is that folder's own."""
    folder = top / "dags"
    sys.path.insert(0, str(folder))
    sys.modules.pop("steps", None)
    try:
        return main(folder, json.loads((top / "plan.json").read_text()))
    finally:
        sys.path.remove(str(folder))


if __name__ == "__main__":
    DagBundlesManager().sync_bundles_to_db()
    for top in map(Path, sys.argv[1:]):
        (top / "out.json").write_text(json.dumps(on_path(top)))
