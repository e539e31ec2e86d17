"""The side of a trial that has the student's file: a fork of `run.py` reads it, and forks of that one run its tasks. Nothing that they say is trusted there."""

from __future__ import annotations

import encodings.idna  # noqa: F401  this, and two below, would be imported by each task anew
import functools
import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import airflow.sdk.definitions.asset.metadata  # noqa: F401
import httpx
import jinja2.ext
import jinja2.lexer
import structlog
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.api.client import TaskInstanceOperations
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DeferTask, OKResponse, TaskState
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, block_orm_access
from airflow.sdk.serde import deserialize, serialize
from airflow.serialization.serialized_objects import DagSerialization

FORKS = multiprocessing.get_context("fork")
BUNDLE = "dags-folder"
"""Airflow's name for its folder of DAGs."""
ASKED = "asked"
"""The pipe, beside the folder of DAGs, to which the stand-ins write."""
CALLBACKS = ("on_failure_callback", "on_retry_callback", "on_success_callback", "on_skipped_callback")
NAP, HELD, TRIGGER, ALARM = 10, 20, 5, signal.SIGALRM
"""Seconds: a task that sleeps as long, or has not ended after as many, keeps a worker (a stand-in for a step takes hundredths); and those of a trigger."""

# What a fork for a task would make anew to render its templates.
jinja2.lexer.get_lexer(jinja2.Environment())
task_runner.TypeAdapter = functools.cache(task_runner.TypeAdapter)
task_runner.TypeAdapter(task_runner.JsonValue)


def words(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {error}"[:500]


def serve(top: Path, wire: Connection, other: Connection, asked: int) -> NoReturn:
    """Reads the folder, at the first order, and then does each in a fork: a task, or the callback of a DAG. `other` and `asked` are not its own."""
    other.close()
    os.close(asked)
    dags = top / "dags"
    sys.path.insert(0, str(dags))
    sys.modules.pop("steps", None)
    first = json.loads(wire.recv_bytes())
    block_orm_access()
    bag = DagBag(dag_folder=dags, bundle_path=dags, bundle_name=BUNDLE)
    tell(wire, **read(bag, first["dag"]), ended=0)
    gc.disable()
    gc.freeze()
    while True:
        order = json.loads(wire.recv_bytes())
        fork = FORKS.Process(target=do, args=(bag, order, first["dag"], top, wire))
        fork.start()
        fork.join()
        tell(wire, ended=fork.exitcode)


def tell(wire: Connection, **what: Any) -> None:
    """Says something to `run.py`, in JSON: to read that does nothing else."""
    wire.send_bytes(json.dumps(what).encode())


def read(bag: DagBag, name: str) -> dict[str, Any]:
    """What was found: errors, the ids of DAGs, the one that is asked for as it is stored, and how often its tasks look, in seconds."""
    found = {"errors": {Path(path).name: last_words(text) for path, text in bag.import_errors.items()}}
    found |= {"dags": sorted(bag.dag_ids), "stored": None}
    if dag := bag.dags.get(name):
        found["looks"] = {task.task_id: float(getattr(task, "poke_interval", 60)) for task in dag.tasks}
        try:
            found["stored"] = DagSerialization.to_dict(dag)
        except Exception as error:
            found["errors"] = {"(stored form)": words(error)}
    return found


def last_words(trace: str) -> str:
    """The end of a trace: where in the file, and which error."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    where = [line.partition(", line ")[2].partition(",")[0] for line in lines if line.startswith("File ")]
    return f"line {where[-1]}: {lines[-1]}" if where else lines[-1]


class Api(httpx.BaseTransport):
    """Carries what a task asks of Airflow's API to the process that has it."""

    def __init__(self, wire: Connection) -> None:
        """Takes the connection."""
        self.wire = wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Asks, and waits for the answer."""
        content, path = request.read().decode(), request.url.raw_path.decode()
        tell(self.wire, method=request.method, path=path, headers=dict(request.headers), content=content)
        told = json.loads(self.wire.recv_bytes())
        headers = {"content-type": "application/json"}
        return httpx.Response(told["status"], headers=headers, content=told["content"].encode(), request=request)


class Supervisor(InProcessTestSupervisor):
    """Tells at once that a task has failed, before its callbacks are called: a worker's supervisor knows it then, and tells when the process has ended."""

    def _handle_request(self, msg: Any, log: Any, req_id: int) -> None:
        super()._handle_request(msg, log, req_id)
        if isinstance(msg, TaskState):
            super().update_task_state_if_needed()

    def update_task_state_if_needed(self) -> None:
        """It was told."""


def do(bag: DagBag, order: dict[str, Any], name: str, top: Path, wire: Connection) -> None:
    """Runs a task, with its callbacks and, if it defers itself, its trigger; or the callbacks of the DAG."""
    dag = bag.dags[name]
    if "callback" in order:
        given = dag.on_failure_callback or []
        given = given if isinstance(given, list) else [given]
        dag.on_failure_callback = [noted(one, "on_failure_callback of the DAG", top) for one in given]
        _execute_dag_callbacks(bag, DagCallbackRequest.model_validate_json(order["callback"]), structlog.get_logger())
        return
    task, ti = dag.get_task(order["task"]), TaskInstance.model_validate_json(order["ti"])
    for kind in CALLBACKS:
        setattr(task, kind, [noted(one, kind, top) for one in getattr(task, kind) or ()])
    client = Supervisor._Client(base_url=None, token="", dry_run=True, transport=Api(wire))
    client.base_url = "http://here/"
    Supervisor._api_client = staticmethod(lambda _=None: client)
    TaskInstanceOperations.set_rtif = lambda *_, **__: OKResponse(ok=True)  # the page that would show them is not here
    time.sleep = functools.partial(rest, sleep=time.sleep, wire=wire)
    signal.signal(ALARM, signal.SIG_DFL)
    signal.alarm(HELD)
    done = Supervisor.start(what=ti, task=task, client=client)
    if done.error:
        tell(wire, raised=words(done.error))
    if isinstance(done.msg, DeferTask):
        signal.alarm(TRIGGER)
        trigger = import_string(done.msg.classpath)(**deserialize(done.msg.trigger_kwargs))
        event = Supervisor.run_trigger_in_process(trigger=trigger, ti=ti)
        tell(wire, event=serialize(event.payload) if event else None)


def rest(seconds: float, sleep: Callable[[float], None], wire: Connection) -> None:
    """Stands in for `time.sleep`."""
    if seconds >= NAP:
        tell(wire, held=f"it sleeps for {seconds:g} seconds in its worker")
        os._exit(1)
    sleep(seconds)


def noted(callback: Callable, kind: str, top: Path) -> Callable:
    """A callback that says what it raises: Airflow only logs that."""

    def run(context: Any) -> None:
        try:
            callback(context)
        except Exception as error:
            told = {"kind": "broken", "callback": kind, "error": words(error)}
            with (top / ASKED).open("w") as file:
                file.write(json.dumps(told) + "\n")
            raise

    return run
