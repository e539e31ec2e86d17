"""Lab 4, task 4: a real run is judged by what Airflow and the metadata store tell of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import lab_four
import pytest
from lab_three import FEBRUARY

from judges.lab_4 import ask_airflow, run_states
from judges.lab_4.cases import NAMES

pytestmark = [pytest.mark.xdist_group("lab-4"), pytest.mark.slow]


@pytest.fixture
def databases(tmp_path):
    return lab_four.Databases(lab_four.lab(tmp_path))


def test_two_months_by_airflow_pass(databases):
    databases.run()
    databases.run(flights=FEBRUARY)
    assert databases.judge() == (2, "")


def test_second_attempts_and_a_february_that_is_refused_pass(databases):
    databases.run(state="failed", tasks={"Evaluator": "failed"}, until="Trainer")
    databases.run()
    databases.run(flights=FEBRUARY, is_blessed=False)
    assert databases.judge() == (2, "")


def test_other_dags_do_not_matter(databases):
    databases.run(flights={"train": {2: 1000}, "eval": {2: 1000}})
    databases.run()
    databases.run(flights=FEBRUARY)
    assert databases.judge() == (2, "")


WRONG_JANUARY = {
    "failed": ({"state": "failed", "tasks": {"Trainer": "failed"}, "until": "Transform"}, "Trainer failed"),
    "not by Airflow": ({"name": "another"}, "Airflow knows of no run of that name"),
    "marked as done": ({"until": "Transform"}, "no execution of Trainer"),
    "a step left out": ({"tasks": {"DataGate": "skipped"}}, "the task of DataGate is skipped"),
    "at another time": ({"later": -3600}, "at another time"),
    "no resolver": ({"resolver": False}, "no execution of LatestBlessedModel"),
    "refused": ({"is_blessed": False}, "no model of that run was pushed"),
    "not there": ({"is_served": False}, "no model of that run was pushed"),
    "February": ({"flights": FEBRUARY}, "the one for January"),
}


@pytest.mark.parametrize("name", WRONG_JANUARY)
def test_wrong_january_is_told(databases, name):
    how, told = WRONG_JANUARY[name]
    databases.run(**how)
    points, message = databases.judge()
    assert told in message
    assert points == 0


WRONG_FEBRUARY = {
    "not run": (None, "the one for February"),
    "not by Airflow": ({"name": "another"}, "Airflow knows of no run of that name"),
    "alone": ({"flights": {"train": {2: 1000}, "eval": {2: 1000}}}, "the one for February"),
    "no baseline": ({"baseline": "none"}, "not held against January's"),
    "against itself": ({"baseline": "itself"}, "not held against January's"),
    "failed": ({"state": "failed", "tasks": {"Evaluator": "failed"}}, "Evaluator failed"),
}


@pytest.mark.parametrize("name", WRONG_FEBRUARY)
def test_wrong_february_leaves_the_point_for_january(databases, name):
    how, told = WRONG_FEBRUARY[name]
    databases.run()
    if how is not None:
        databases.run(**{"flights": FEBRUARY, **how})
    points, message = databases.judge()
    assert told in message
    assert points == 1


def test_databases_that_are_none_are_told(databases):
    assert lab_four.evaluate(databases.lab, "run", store="nothing.sqlite")[0] == 0
    databases.run()
    for text in ("no answer", "[]", '{"dag_runs": [3], "task_instances": []}', '{"dag_runs": []}'):
        databases.path.write_text(text)
        assert "is not as Airflow's API answers" in databases.judge()[1]
    databases.path.unlink()
    assert "not run anything" in databases.judge()[1]


RUN = {
    "dag_run_id": "manual__2026-11-29T22:58:19+00:00",
    "dag_id": "my_flights",
    "state": "success",
    "data_interval_start": "2013-01-01T00:00:00Z",
}
TASK = {"dag_id": RUN["dag_id"], "dag_run_id": RUN["dag_run_id"], "task_id": "Trainer", "state": "success"}
TASK |= {"try_number": 2, "start_date": "2026-11-29T22:58:20.1Z", "end_date": "2026-11-29T22:58:30.1Z"}
PATH = "/dags/my_flights/dagRuns"
ANSWERS = {
    f"{PATH}?limit=100&order_by=id": {"dag_runs": [RUN], "total_entries": 1},
    f"{PATH}/manual__2026-11-29T22%3A58%3A19%2B00%3A00/taskInstances?limit=100": {"task_instances": [TASK]},
}
"""Paths of Airflow 3.3.2's API, and of its answers the fields that are read."""


@pytest.mark.parametrize(("known", "runs"), [(ANSWERS, ["January"]), ({}, [])])
def test_what_the_api_says_of_runs_is_read(tmp_path, monkeypatch, known, runs):
    monkeypatch.setattr(ask_airflow, "Api", lambda: SimpleNamespace(get=known.get))
    (tmp_path / run_states.FILE).write_text(json.dumps(ask_airflow.answers("my_flights")))
    found = run_states.read(tmp_path / run_states.FILE)
    assert [NAMES[run.month - 1] for run in found] == runs
    told = ["Trainer              success  (2 tries)", "run for January      success"]
    assert run_states.latest(tmp_path) == (told if runs else [])
