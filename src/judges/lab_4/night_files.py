"""Writes what the three nights have left: what Airflow's API said of the runs, the log of each try of each task, the alerts. As Airflow 3.3 writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from course.labs.lab_4 import run_states
from judges.lab_4.cases import BAD_DATA, UPSTREAM, after
from judges.lab_4.nights import DAG, FOLDER, MONTHS, PASSED, SENSOR, Attempt, Night, nights

PAUSE, WORKED = timedelta(minutes=5), Attempt((), 0)
SECONDS = {"CsvExampleGen": 9, "StatisticsGen": 14, "Transform": 21, "Trainer": 16, "Evaluator": 19}
ORDER = sorted(
    [SENSOR, *UPSTREAM], key=[SENSOR, "CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel", *UPSTREAM].index
)


def write(root: Path, seed: int) -> None:
    """Writes the folder."""
    home = root / FOLDER
    (home / "logs").mkdir(parents=True)
    failed = {night.month: night for night in nights(seed)}
    rng = np.random.default_rng([seed, 6])
    found = [_run(home, month, failed.get(month), rng) for month in MONTHS]
    answers = {"dag_runs": [run for run, _ in found], "task_instances": [one for _, some in found for one in some]}
    (home / run_states.FILE).write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _run(home: Path, month: int, night: Night | None, rng: np.random.Generator) -> tuple[dict[str, Any], list[Any]]:
    """Writes the logs and alerts of a run; returns the API's entries for it and its tasks, with the fields that tell what happened."""
    begins, ends = datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC)
    own = {"dag_id": DAG, "dag_run_id": f"scheduled__{ends.isoformat()}"}
    now = started = ends + timedelta(seconds=int(rng.integers(2, 40)))
    entries = []
    for task, state, attempts in _tasks(night, rng):
        start = None
        for number, attempt in enumerate(attempts, start=1):
            start, length = now, timedelta(seconds=SECONDS.get(task, 6) * float(rng.uniform(0.8, 1.4)))
            _log(home, own["dag_run_id"], month, task, number, attempt, start, length)
            end = start + length
            now = end + (PAUSE if number < len(attempts) else timedelta(seconds=2))
        when = {"start_date": _text(start), "end_date": _text(end)} if start else {"start_date": None, "end_date": None}
        entries.append({"task_id": task, **own, "state": state, "try_number": len(attempts), **when})
        if state == "failed":
            _alert(home, own["dag_run_id"], begins, night, now)
    run = {**own, "state": "failed" if night else "success", "run_type": "scheduled"}
    run |= {"data_interval_start": _text(begins), "data_interval_end": _text(ends), "run_after": _text(ends)}
    return run | {"start_date": _text(started), "end_date": _text(now)}, entries


def _tasks(night: Night | None, rng: np.random.Generator) -> Iterator[tuple[str, str, tuple[Attempt, ...]]]:
    """How each task of a run went: its state and its tries; one that worked had to be tried twice."""
    lost = after(night.task) if night else set()
    stumbled = str(rng.choice([task for task in ORDER if task not in lost and task != SENSOR]))
    slip = Attempt((str(rng.choice(PASSED)),))
    for task in ORDER:
        if night and task == night.task:
            yield task, "failed", night.attempts
        elif task in lost:
            yield task, "upstream_failed", ()
        else:
            yield task, "success", (slip, WORKED) if task == stumbled else (WORKED,)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _place(run: str, task: str, number: int) -> str:
    return f"logs/dag_id={DAG}/run_id={run}/task_id={task}/attempt={number}.log"


def _log(
    home: Path, run: str, month: int, task: str, number: int, attempt: Attempt, start: datetime, length: timedelta
) -> None:
    """The log of one try: an object of JSON a line, as Airflow begins and ends it (`airflow.sdk.execution_time.task_runner`)."""
    logger = f"airflow.task.operators.engines.airflow.dag.{'SpanSensor' if task == SENSOR else 'StepOperator'}"
    said = [f"Month {month}: months/span-{month:02d}/flights.csv"]
    if task != SENSOR:
        command = f"/srv/flights/.venv/bin/python -m engines.airflow.step {task} --run {run} --months {month}"
        said = [f"{command} --project /srv/flights/airflow/project.json", *attempt.said]
        said += [] if attempt.code else [f"{task}: done"]
    entries = [("task", "info", f"::{one}", {}) for one in ("group::Pre Execute", "endgroup::")]
    entries += [(logger, "info", line, {}) for line in said]
    if attempt.code:
        name = "AirflowFailException" if attempt.code == BAD_DATA else "AirflowException"
        error = {"exc_type": name, "exc_value": f"the step {task} ended with exit status {attempt.code}"}
        entries.append(("task", "error", "Task failed with exception", {"error_detail": [error]}))
    entries += [("task", "info", f"::{one}", {}) for one in ("group::Post Execute", "endgroup::")]
    about = {"dag_id": DAG, "run_id": run, "task_id": task, "try_number": number}
    path = home / _place(run, task, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for share, (source, level, text, more) in zip(np.linspace(0, 1, len(entries)), entries, strict=True):
            told = {"timestamp": _text(start + length * share), "level": level, "event": text, "logger": source}
            file.write(json.dumps(told | more | about) + "\n")


def _alert(home: Path, run: str, begins: datetime, night: Night, now: datetime) -> None:
    """What came to the person on duty: the last line of the last try."""
    last = night.attempts[-1]
    reason = next((line for line in reversed(last.said) if "Error" in line), f"exit status {last.code}")
    log = _place(run, night.task, len(night.attempts))
    with (home / "alerts.log").open("a", encoding="utf-8") as file:
        file.write(f"{now:%Y-%m-%dT%H:%M:%S} | {DAG} | {night.task} | {begins:%Y-%m} | {reason} | {log}\n")
