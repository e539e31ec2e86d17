"""Writes what the three nights have left: Airflow's database, the log of each try of each task, the alerts. As Airflow 2.11 writes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from course.labs.lab_4 import run_states
from course.labs.lab_4.cases import UPSTREAM, after
from course.labs.lab_4.failed_runs import DAG, FOLDER, MONTHS, PASSED, SENSOR, Attempt, Night, nights

TRIES, PAUSE = 3, timedelta(minutes=5)
WORKED = Attempt((), 0)
SECONDS = {"CsvExampleGen": 9, "StatisticsGen": 14, "Transform": 21, "Trainer": 16, "Evaluator": 19}

TABLES = (
    "CREATE TABLE dag_run (id INTEGER PRIMARY KEY, dag_id VARCHAR(250), execution_date TIMESTAMP, start_date TIMESTAMP, end_date TIMESTAMP, "
    "state VARCHAR(50), run_id VARCHAR(250), run_type VARCHAR(50), data_interval_start TIMESTAMP, data_interval_end TIMESTAMP)",
    "CREATE TABLE task_instance (task_id VARCHAR(250), dag_id VARCHAR(250), run_id VARCHAR(250), map_index INTEGER DEFAULT -1, start_date TIMESTAMP, "
    "end_date TIMESTAMP, duration FLOAT, state VARCHAR(20), try_number INTEGER, max_tries INTEGER, operator VARCHAR(1000), "
    "PRIMARY KEY (dag_id, task_id, run_id, map_index))",
)
"""The columns of Airflow's own tables that tell what happened."""


@dataclass
class _Done:
    """A task of a run, as it went."""

    task: str
    state: str
    attempts: tuple[Attempt, ...]
    start: datetime | None = None
    end: datetime | None = None


def write(root: Path, seed: int) -> None:
    """Writes the folder."""
    home = root / FOLDER
    (home / "logs").mkdir(parents=True)
    failed = {night.month: night for night in nights(seed)}
    rng = np.random.default_rng([seed, 6])
    with closing(sqlite3.connect(home / run_states.DATABASE)) as connection:
        for table in TABLES:
            connection.execute(table)
        for month in MONTHS:
            _run(home, connection, month, failed.get(month), rng)
        connection.commit()


def _run(home: Path, connection: sqlite3.Connection, month: int, night: Night | None, rng: np.random.Generator) -> None:
    begins, ends = datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC)
    name = f"scheduled__{begins.isoformat()}"
    now = ends + timedelta(seconds=int(rng.integers(2, 40)))
    started = now
    for done in _tasks(night, rng):
        if done.attempts:
            done.start = done.end = now
        for number, attempt in enumerate(done.attempts, start=1):
            done.start = now
            now += timedelta(seconds=SECONDS.get(done.task, 6) * float(rng.uniform(0.8, 1.4)))
            done.end = now
            _log(home, name, begins, done, number, attempt)
            now += PAUSE if number < len(done.attempts) else timedelta(seconds=2)
        operator = "SpanSensor" if done.task == SENSOR else "StepOperator"
        seconds = (done.end - done.start).total_seconds() if done.end else None
        row = (
            done.task,
            DAG,
            name,
            _text(done.start),
            _text(done.end),
            seconds,
            done.state,
            len(done.attempts),
            TRIES - 1,
            operator,
        )
        connection.execute(
            "INSERT INTO task_instance (task_id, dag_id, run_id, start_date, end_date, duration, state, try_number, max_tries, operator) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        if done.state == "failed":
            _alert(home, name, begins, done, now)
    state = "failed" if night else "success"
    connection.execute(
        "INSERT INTO dag_run (dag_id, execution_date, start_date, end_date, state, run_id, run_type, data_interval_start, data_interval_end) "
        "VALUES (?, ?, ?, ?, ?, ?, 'scheduled', ?, ?)",
        (DAG, _text(begins), _text(started), _text(now), state, name, _text(begins), _text(ends)),
    )


def _tasks(night: Night | None, rng: np.random.Generator) -> list[_Done]:
    """How each task of a run went; one that worked had to be tried twice."""
    order = [
        SENSOR,
        "CsvExampleGen",
        "ImportSchemaGen",
        "LatestBlessedModel",
        "StatisticsGen",
        *[*UPSTREAM][3:7],
        "Evaluator",
        "Pusher",
    ]
    lost = after(night.task) - {night.task} if night else set()
    good = [task for task in order[1:] if task not in lost and not (night and task == night.task)]
    stumbled = str(rng.choice(good))
    slip = Attempt((str(rng.choice(PASSED)),))
    found = []
    for task in order:
        if night and task == night.task:
            found.append(_Done(task, "failed", night.attempts))
        elif task in lost:
            found.append(_Done(task, "upstream_failed", ()))
        else:
            found.append(_Done(task, "success", (slip, WORKED) if task == stumbled else (WORKED,)))
    return found


def _text(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None


def _log(home: Path, run: str, begins: datetime, done: _Done, number: int, attempt: Attempt) -> None:
    """The log of one try."""
    path = home / "logs" / f"dag_id={DAG}" / f"run_id={run}" / f"task_id={done.task}" / f"attempt={number}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    instance = f"<TaskInstance: {DAG}.{done.task} {run} [running]>"
    lines = [
        ("local_task_job_runner.py:123", "INFO - ::group::Pre task execution logs"),
        ("taskinstance.py:2885", f"INFO - Starting attempt {number} of {TRIES}"),
        ("taskinstance.py:2908", f"INFO - Executing <Task(StepOperator): {done.task}> on {begins.isoformat(' ')}"),
        ("task_command.py:467", f"INFO - Running {instance} on host airflow-1"),
        ("taskinstance.py:740", "INFO - ::endgroup::"),
    ]
    if done.task == SENSOR:
        lines.append(("dag.py:118", f"INFO - months/span-{begins.month:02d}/flights.csv is there"))
    else:
        command = (
            f"/srv/flights/.venv/bin/python -m engines.airflow.step {done.task} --run {run} --months {begins.month}"
        )
        lines.append(("dag.py:171", f"INFO - {command} --project /srv/flights/airflow/project.json"))
        lines += [("dag.py:180", f"INFO - {line}") for line in attempt.said]
        if not attempt.code:
            lines.append(("dag.py:180", f"INFO - {done.task}: done"))
    lines += _ending(run, begins, done, number, attempt)
    moments = [done.start + (done.end - done.start) * share for share in np.linspace(0, 1, len(lines))]
    text = "".join(
        f"[{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond // 1000:03d}+0000] {{{where}}} {said}\n"
        for moment, (where, said) in zip(moments, lines, strict=True)
    )
    path.write_text(text, encoding="utf-8")


def _ending(run: str, begins: datetime, done: _Done, number: int, attempt: Attempt) -> list[tuple[str, str]]:
    """How Airflow ends a try."""
    about = f"dag_id={DAG}, task_id={done.task}, run_id={run}, execution_date={begins.strftime('%Y%m%dT%H%M%S')}"
    if not attempt.code:
        return [
            ("taskinstance.py:1242", f"INFO - Marking task as SUCCESS. {about}"),
            ("local_task_job_runner.py:266", "INFO - Task exited with return code 0"),
        ]
    is_last = number == len(done.attempts) and done.state == "failed"
    told = "Immediate failure requested. " if attempt.code == 65 else ""
    return [
        (
            "taskinstance.py:3337",
            f"ERROR - Task failed with exception: the step {done.task} ended with exit status {attempt.code}",
        ),
        ("taskinstance.py:1242", f"INFO - {told}Marking task as {'FAILED' if is_last else 'UP_FOR_RETRY'}. {about}"),
        ("local_task_job_runner.py:266", "INFO - Task exited with return code 1"),
    ]


def _alert(home: Path, run: str, begins: datetime, done: _Done, now: datetime) -> None:
    """What came to whoever was on duty: the last line of the last try."""
    said = done.attempts[-1].said
    reason = next((line for line in reversed(said) if "Error" in line), f"exit status {done.attempts[-1].code}")
    log = f"logs/dag_id={DAG}/run_id={run}/task_id={done.task}/attempt={len(done.attempts)}.log"
    with (home / "alerts.log").open("a", encoding="utf-8") as file:
        file.write(
            f"{now.strftime('%Y-%m-%dT%H:%M:%S')} | {DAG} | {done.task} | {begins.strftime('%Y-%m')} | {reason} | {log}\n"
        )
