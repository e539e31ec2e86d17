"""Has Airflow run a DAG of each folder in several cases, and writes down what happened: see `course.trials.dag`.

    .airflow/bin/python run.py FOLDER ...

It is run by the Python of Airflow's environment, from its own file: nothing of the course is imported. This process is Airflow's scheduler, its API, and
its database, which is nowhere but in its memory. It imports nothing of the student's: the DAG comes from a fork (`student.py`) in the stored form that the
scheduler reads, and each task is run in a fork of that one, which tells the API what became of it. What is written down is seen from here: which step is
started and which person is called, while which task runs, what the API was told, how forks end. How a step will end is said when it is started.

What a student's file can forge nevertheless: it may write to `asked` and to the API of its own task without the stand-ins and Airflow's code. That is to
start a step, to call a person or to end a task by other means, and is judged like those. It may find the plan where the trial was unpacked. And all
processes of a trial are one user's: one that another process than these has started for it is not ended before the record is written. Elsewhere than on
Linux orphans are not ended either, and where that user is root the memory of this process is open to it.

The loop that runs a DAG is that of `airflow.sdk.DAG.test`, but for a run that the schedule starts: Airflow has no command for one run of the schedule
without its scheduler. What a task waits for in time is over at once: its rows in the database are set back by as much.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sqlite3
import sys
import time
from datetime import timedelta
from multiprocessing import connection
from pathlib import Path
from typing import Any

import httpx
import psutil
import student
from airflow import settings
from airflow.api_fastapi.common.dagbag import dag_bag_from_app
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models import DagRun
from airflow.models.dagbag import DBDagBag
from airflow.models.taskreschedule import TaskReschedule
from airflow.sdk import timezone
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time.supervisor import in_process_api_server
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from sqlalchemy.pool import StaticPool

MOST_RUNS, MOST_SECONDS, MOST_BYTES = 40, 60, 5_000_000
"""Runs of a schedule that are counted, seconds of a case, and bytes of a message."""
QUIET = 45
"""Seconds without a word from the student's side: longer than a task, a trigger and the reading of a file may take."""
LATER = {"": (), "comes": (50 * 60,), "never": (50 * 60, 32 * 86_400)}
"""Seconds after which a task that waits is asked once more, by what becomes of the month."""
NO_DUMP, SUBREAPER = 4, 36
"""`PR_SET_DUMPABLE` and `PR_SET_CHILD_SUBREAPER` of Linux: other processes of this user do not get at this one's memory and files; orphans become its own."""


class GoneError(Exception):
    """The process that has the student's file has ended, or does not speak as it should."""


def begin() -> httpx.BaseTransport:
    """Sets Airflow up in this process, which may be a fork of one that has read of another database; returns how its API is asked."""
    settings.dispose_orm()
    settings.configure_vars()
    settings.configure_orm(pool_class=StaticPool)
    with contextlib.closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"], "airflow.db"))) as made:
        made.backup(settings.engine.raw_connection().driver_connection)
    DagBundlesManager().sync_bundles_to_db()
    api = in_process_api_server()
    dag_bag = DBDagBag()
    api.app.dependency_overrides[dag_bag_from_app] = lambda: dag_bag
    # It is made when it is first asked, for seconds: the first task's time is not to go by meanwhile.
    api.transport.handle_request(httpx.Request("GET", "http://here/health")).read()
    return api.transport


class Student:
    """The process that has the student's file, and what is seen of it."""

    def __init__(self, folder: Path, api: httpx.BaseTransport) -> None:
        """Forks it. It waits for an order."""
        self.folder, self.api, self.endings, self.task, self.own = folder, api, {}, "", ""
        self.forget()
        path = folder / student.ASKED
        os.mkfifo(path)
        self.asked = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.wire, end = connection.Pipe()
        student.FORKS.Process(target=student.serve, args=(folder, end, self.wire, self.asked)).start()
        end.close()

    def forget(self) -> None:
        """Begins a new record: the steps that are started, the alerts, and the callbacks that raise."""
        self.seen: dict[str, list[dict[str, Any]]] = {"steps": [], "alerts": [], "broken": []}

    def order(self, task: str = "", own: str = "", **what: Any) -> dict[str, Any]:
        """Has something done, and hears what is asked meanwhile.

        Args:
            task: that runs; `own` is its id for the API.
            what: the order, as `student.serve` takes it.

        Returns:
            What was told; `ended` is the exit status of the fork that has done it.

        Raises:
            GoneError: nothing more will come.
        """
        self.task, self.own, self.is_over, found = task, own, False, {}
        try:
            self.wire.send_bytes(json.dumps(what | {"task": task}).encode())
            while True:
                ready = connection.wait([self.asked, self.wire], QUIET)
                if self.asked in ready:  # older than what is told after it
                    self.hear()
                    continue
                if not ready:
                    raise TimeoutError
                told = json.loads(self.wire.recv_bytes(MOST_BYTES))
                if "method" in told:
                    self.wire.send_bytes(json.dumps(self.answer(told)).encode())
                    continue
                found |= told
                if "ended" in told:
                    return found
                if not told.keys() <= {"raised", "held", "event"}:
                    raise ValueError
        except (EOFError, OSError, ValueError, TypeError, KeyError) as error:
            raise GoneError(f"its process has ended, or does not answer ({type(error).__name__})") from error

    def answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """What Airflow's API answers; a task may change nothing of others."""
        is_own = self.own and (self.own in told["path"] or told["path"].startswith("/xcoms/"))
        if told["method"] != "GET" and not is_own:
            return {"status": 403, "content": "{}"}
        request = httpx.Request(
            told["method"], f"http://here{told['path']}", headers=told["headers"], content=told["content"]
        )
        response = self.api.handle_request(request)
        self.is_over |= told["path"].endswith("/state") and response.status_code < 300
        return {"status": response.status_code, "content": response.read().decode()}

    def hear(self) -> None:
        """Takes what the stand-ins say, a line each, and says to a step how it ends."""
        for line in os.read(self.asked, 1 << 16).decode(errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, OSError):
                if line.startswith("{"):
                    told = json.loads(line)
                    by_task = bool(self.task) and not self.is_over
                    self.seen[told.pop("kind")].append(told | {"task": self.task, "by_task": by_task})
                    continue
                step, month, run, pid = line.split("\t")
                endings = self.endings.get(step, [0])
                ending = endings[min(sum(one["step"] == step for one in self.seen["steps"]), len(endings) - 1)]
                told = {"step": step, "month": month, "run": run, "task": self.task, "code": str(ending)}
                self.seen["steps"].append(told)
                path = self.folder / f"step-{int(pid)}"
                answer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                os.write(answer, f"{ending}\n".encode())
                os.close(answer)
                path.unlink()

    def end(self) -> None:
        """Ends it, and all that it has started."""
        while children := psutil.Process().children(recursive=True):
            for child in children:
                with contextlib.suppress(psutil.Error):
                    child.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)
        os.close(self.asked)
        self.wire.close()
        for path in (self.folder / student.ASKED, *self.folder.glob("step-*")):
            path.unlink(missing_ok=True)


def main(folder: Path, api: httpx.BaseTransport) -> dict[str, Any]:
    """Everything that is to be known about a folder."""
    own = Student(folder, api)
    path = folder / "plan.json"
    plan = json.loads(path.read_text())
    path.unlink()
    found: dict[str, Any] = {"errors": {}, "dags": [], "at_reading": own.seen}
    try:
        read = own.order(dag=plan["dag"])
        found |= {"errors": read["errors"], "dags": read["dags"]}
        if not read["stored"]:
            return found
        dag = DagSerialization.from_dict(read["stored"])
        infos = schedule(dag)
        found |= {"tasks": sorted(dag.task_dict), "max_active_runs": dag.max_active_runs}
        found["sensors"] = [
            one["__var"]["task_id"] for one in read["stored"]["dag"]["tasks"] if one["__var"].get("_is_sensor")
        ]
        found["last"] = sorted(one.task_id for one in dag.tasks if not one.downstream_task_ids)
        limits = {task: getattr(one, "execution_timeout", None) for task, one in dag.task_dict.items()}
        found["limits"] = {task: limit.total_seconds() for task, limit in limits.items() if limit is not None}
        found["run_limit"] = None if dag.dagrun_timeout is None else dag.dagrun_timeout.total_seconds()
        found["runs"] = [str(info.run_after.astimezone(dag.timezone)) for info in infos]
        found["cases"] = {}
        if infos and plan["cases"]:
            with settings.Session() as session:
                given = [LazyDeserializedDAG(data=read["stored"])]
                update_dag_parsing_results_in_db(student.BUNDLE, None, given, {}, None, set(), session)
                session.commit()
        for name, case in plan["cases"].items() if infos else ():
            after = case["month"] % 12 + 1
            info = next((one for one in infos if one.run_after.astimezone(dag.timezone).month == after), infos[0])
            found["cases"][name] = run_case(own, dag, info, case, read["looks"])
        return found
    except GoneError as error:
        return found | {"errors": {"(file)": str(error)}}
    except Exception as error:  # of Airflow, about what it has been given
        return found | {"errors": {"(stored form)": student.words(error)}}
    finally:
        own.end()


def schedule(dag: Any) -> list[Any]:
    """The runs that the scheduler would start, one after the other, if the year were long over."""
    infos: list[Any] = []
    while len(infos) < MOST_RUNS:
        info = dag.next_dagrun_info(last_automated_run_info=infos[-1] if infos else None)
        if info is None or info.data_interval is None:
            break
        infos.append(info)
    return infos


def run_case(own: Student, dag: Any, info: Any, case: dict[str, Any], every: dict[str, float]) -> dict[str, Any]:
    """One run of the DAG as the scheduler would start it, with the steps ending as the case says."""
    own.forget()
    own.endings = case["endings"]
    for month in range(1, 13):
        deliver(own.folder, month, month in case["there"])
    with settings.Session() as session:
        return Loop(own, dag, info, session, every).run(case) | own.seen


def deliver(folder: Path, month: int, is_there: bool) -> None:
    """Puts a month's file to where it is asked for, or takes it away."""
    path = folder / "dags" / "months" / f"span-{month:02d}" / "flights.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("month\n") if is_there else path.unlink(missing_ok=True)


class Loop:
    """The smallest loop that does what the scheduler does, as `DAG.test` has it, for a scheduled run."""

    def __init__(self, own: Student, dag: Any, info: Any, session: Any, every: dict[str, float]) -> None:
        """Makes the run, and forgets those before it."""
        self.student, self.dag, self.session, self.every = own, dag, session, every
        session.query(DagRun).delete()
        interval, scheduled = info.data_interval, DagRunType.SCHEDULED
        timetable = dag.timetable
        self.name = timetable.generate_run_id(run_type=scheduled, run_after=info.run_after, data_interval=interval)
        dag.create_dagrun(
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
        session.commit()
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
            looks.append(len(self.student.seen["steps"]))
            deliver(self.student.folder, case["month"], case["late"] == "comes")
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
        """The run, as it is in the database now."""
        self.session.expire_all()
        found = self.session.scalars(select(DagRun).where(DagRun.run_id == self.name)).one()
        found.dag = self.dag
        return found

    def tasks(self, *states: TaskInstanceState) -> list[Any]:
        """The tasks of the run in one of these states, or all."""
        found = self.dag_run().get_task_instances(session=self.session)
        return sorted((one for one in found if not states or one.state in states), key=lambda one: one.task_id)

    def turn(self) -> bool:
        """Runs what is ready; returns whether anything was, or has become known as lost because of what was before it."""
        ready, callback = self.dag_run().update_state(session=self.session, execute_callbacks=False)
        for one in ready:
            one.try_number += one.state != TaskInstanceState.UP_FOR_RESCHEDULE
            one.state, one.scheduled_dttm = TaskInstanceState.SCHEDULED, timezone.utcnow()
        self.session.commit()
        if callback:
            self.student.order(callback=callback.model_dump_json())
        tasks = self.tasks()
        before, self.known = self.known, [one.state for one in tasks]
        scheduled = [one for one in tasks if one.state == TaskInstanceState.SCHEDULED]
        for one in scheduled:
            self.run_task(one)
        return bool(scheduled) or self.known != before

    def run_task(self, one: Any) -> None:
        """Runs a task, as long as it keeps no worker; and, if it defers itself, its trigger, as long as that has something to say at once."""
        task, place = one.task_id, one.map_index
        one.state = TaskInstanceState.QUEUED
        self.session.commit()
        names = ("task_id", "dag_id", "run_id", "try_number", "map_index", "dag_version_id")
        sent = TaskInstance(id=one.id, **{name: getattr(one, name) for name in names}).model_dump_json()
        told = self.student.order(task, str(one.id), ti=sent)
        one = next(same for same in self.tasks() if (same.task_id, same.map_index) == (task, place))  # by another id
        if "raised" in told:
            self.raised[task] = str(told["raised"])[:500]
        if one.state == TaskInstanceState.RUNNING:  # it has told nothing: as the supervisor of a worker has it
            one.task = self.dag.get_task(task)
            is_held = "held" in told or told["ended"] == -student.ALARM
            again = not is_held and one.is_eligible_to_retry()
            if is_held:
                self.held[task] = str(told.get("held", f"it has not ended after {student.HELD} seconds"))[:200]
            self.raised.setdefault(task, f"its process has ended with {told['ended']}")
            one.set_state(TaskInstanceState.UP_FOR_RETRY if again else TaskInstanceState.FAILED, session=self.session)
        elif one.state == TaskInstanceState.UP_FOR_RESCHEDULE:
            asked = select(TaskReschedule).where(TaskReschedule.ti_id == one.id).order_by(TaskReschedule.id.desc())
            last = self.session.scalars(asked).first()
            self.waits.setdefault(task, [(last.reschedule_date - last.end_date).total_seconds(), None])
        elif one.state == TaskInstanceState.DEFERRED and "event" in told:
            one.next_kwargs, one.trigger_id = {"event": told["event"]}, None
            one.state = TaskInstanceState.SCHEDULED
        elif one.state == TaskInstanceState.DEFERRED:
            limit = one.trigger_timeout
            left = limit and (limit - timezone.utcnow()).total_seconds()
            self.waits.setdefault(task, [self.every.get(task, 60.0), left])
        self.session.commit()

    def retry(self) -> bool:
        """Has the pauses between two tries go by; returns whether there was any."""
        again = self.tasks(TaskInstanceState.UP_FOR_RETRY)
        for one in again:
            one.task = self.dag.get_task(one.task_id)
            one.end_date = one.end_date or timezone.utcnow()
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
        else:
            limit = self.waits[one.task_id][1]
            is_over = limit is not None and limit < passed
            if has_come or is_over:  # it begins anew; or as `SchedulerJobRunner.check_trigger_timeouts` has it
                failed = "__fail__", {"error": "Trigger timeout"}
                one.next_method, one.next_kwargs = failed if is_over else (None, None)
                one.trigger_id, one.state = None, TaskInstanceState.SCHEDULED
        self.session.commit()


if __name__ == "__main__":
    tops = [Path(top).absolute() for top in sys.argv[1:]]
    asks = begin()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)
        ctypes.CDLL(None).prctl(NO_DUMP, 0)
    # What is imported later comes from no folder that a student's file could write to.
    sys.path[:] = [one for one in sys.path if one and not any(Path(one).is_relative_to(top) for top in tops)]
    for top in tops:
        record = json.dumps(main(top, asks))
        (top / "out.json").unlink(missing_ok=True)
        (top / "out.json").write_text(record)
