"""Writes what the three nights have left: what Airflow's API said of the runs, the log of each try of each task, the alerts. As Airflow 3.3 writes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from judges.lab_4 import run_states
from judges.lab_4.cases import BAD_DATA, UPSTREAM, after
from judges.lab_4.failed_runs import DAG, FOLDER, MONTHS, PASSED, SENSOR, Attempt, Night, nights

TRIES, PAUSE = 3, timedelta(minutes=5)
WORKED = Attempt((), 0)
SECONDS = {"CsvExampleGen": 9, "StatisticsGen": 14, "Transform": 21, "Trainer": 16, "Evaluator": 19}


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
    answers: dict[str, list[dict[str, Any]]] = {"dag_runs": [], "task_instances": []}
    for month in MONTHS:
        run, tasks = _run(home, month, failed.get(month), rng)
        answers["dag_runs"].append(run)
        answers["task_instances"] += tasks
    (home / run_states.FILE).write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _run(
    home: Path, month: int, night: Night | None, rng: np.random.Generator
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Writes the logs and alerts of a run; returns the API's entries for it and its tasks, with the fields that tell what happened."""
    begins, ends = datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC)
    name = f"scheduled__{ends.isoformat()}"
    now = started = ends + timedelta(seconds=int(rng.integers(2, 40)))
    tasks = []
    for done in _tasks(night, rng):
        for number, attempt in enumerate(done.attempts, start=1):
            done.start = now
            now += timedelta(seconds=SECONDS.get(done.task, 6) * float(rng.uniform(0.8, 1.4)))
            done.end = now
            _log(home, name, begins, done, number, attempt)
            now += PAUSE if number < len(done.attempts) else timedelta(seconds=2)
        tasks.append(
            {
                "task_id": done.task,
                "dag_id": DAG,
                "dag_run_id": name,
                "start_date": _text(done.start),
                "end_date": _text(done.end),
                "duration": (done.end - done.start).total_seconds() if done.end else None,
                "state": done.state,
                "try_number": len(done.attempts),
                "max_tries": TRIES - 1,
                "operator": "SpanSensor" if done.task == SENSOR else "StepOperator",
            }
        )
        if done.state == "failed":
            _alert(home, name, begins, done, now)
    run = {
        "dag_run_id": name,
        "dag_id": DAG,
        "logical_date": _text(begins),
        "data_interval_start": _text(begins),
        "data_interval_end": _text(ends),
        "run_after": _text(ends),
        "start_date": _text(started),
        "end_date": _text(now),
        "run_type": "scheduled",
        "state": "failed" if night else "success",
    }
    return run, tasks


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
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _log(home: Path, run: str, begins: datetime, done: _Done, number: int, attempt: Attempt) -> None:
    """The log of one try: an object of JSON a line."""
    path = home / "logs" / f"dag_id={DAG}" / f"run_id={run}" / f"task_id={done.task}" / f"attempt={number}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    own = "airflow.task.operators.engines.airflow.dag"
    entries = [("task", "info", "::group::Pre Execute", {}), ("task", "info", "::endgroup::", {})]
    if done.task == SENSOR:
        entries.append(
            (f"{own}.SpanSensor", "info", f"Month {begins.month}: months/span-{begins.month:02d}/flights.csv", {})
        )
    else:
        command = (
            f"/srv/flights/.venv/bin/python -m engines.airflow.step {done.task} --run {run} --months {begins.month}"
        )
        said = [f"{command} --project /srv/flights/airflow/project.json", *attempt.said]
        said += [] if attempt.code else [f"{done.task}: done"]
        entries += [(f"{own}.StepOperator", "info", line, {}) for line in said]
    entries += _ending(done.task, attempt)
    moments = [done.start + (done.end - done.start) * share for share in np.linspace(0, 1, len(entries))]
    about = {"dag_id": DAG, "run_id": run, "task_id": done.task, "try_number": number}
    lines = [
        json.dumps({"timestamp": _text(moment), "level": level, "event": event, "logger": logger, **more, **about})
        for moment, (logger, level, event, more) in zip(moments, entries, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ending(task: str, attempt: Attempt) -> list[tuple[str, str, str, dict[str, Any]]]:
    """How Airflow ends a try (`airflow.sdk.execution_time.task_runner`)."""
    last: list[tuple[str, str, str, dict[str, Any]]] = [("task", "info", "::group::Post Execute", {})]
    if attempt.code:
        name = "AirflowFailException" if attempt.code == BAD_DATA else "AirflowException"
        error = {"exc_type": name, "exc_value": f"the step {task} ended with exit status {attempt.code}"}
        last.insert(0, ("task", "error", "Task failed with exception", {"error_detail": [error]}))
    return [*last, ("task", "info", "::endgroup::", {})]


def _alert(home: Path, run: str, begins: datetime, done: _Done, now: datetime) -> None:
    """What came to the person on duty: the last line of the last try."""
    said = done.attempts[-1].said
    reason = next((line for line in reversed(said) if "Error" in line), f"exit status {done.attempts[-1].code}")
    log = f"logs/dag_id={DAG}/run_id={run}/task_id={done.task}/attempt={len(done.attempts)}.log"
    with (home / "alerts.log").open("a", encoding="utf-8") as file:
        file.write(
            f"{now.strftime('%Y-%m-%dT%H:%M:%S')} | {DAG} | {done.task} | {begins.strftime('%Y-%m')} | {reason} | {log}\n"
        )
