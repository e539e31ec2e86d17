"""Lab 4, task 4: two real runs are judged by what Airflow and the metadata store tell of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import lab_four
import pytest
from lab_three import FEBRUARY

from course.labs.lab_4 import ask_airflow, run_states

pytestmark = [pytest.mark.xdist_group("lab-4"), pytest.mark.slow]
ALONE = {"train": {2: 1000}, "eval": {2: 1000}}
RIGHT = {
    "two months": [{}, {"flights": FEBRUARY}],
    "a second attempt, and a February that is refused": [
        {"state": "failed", "failed": "Evaluator", "until": "Trainer"},
        {},
        {"flights": FEBRUARY, "is_blessed": False},
    ],
    "after another month": [{"flights": ALONE}, {}, {"flights": FEBRUARY}],
}
WRONG = {
    "failed": ([{"state": "failed", "failed": "Trainer", "until": "Transform"}], "`Trainer` failed"),
    "under a name of its own": ([{"name": "another"}], "Airflow knows of no run of that name"),
    "marked as done": ([{"until": "Transform"}], "no Trainer in it that has worked"),
    "no resolver": ([{"resolver": False}], "no LatestBlessedModel in it"),
    "refused": ([{"is_blessed": False}], "no model of that run was pushed"),
    "not there": ([{"is_served": False}], "no model of that run was pushed"),
    "February first": ([{"flights": FEBRUARY}], "the one for January; the months that were read are 1 and 2"),
    "no February": ([{}], "the one for February"),
    "February under a name of its own": ([{}, {"flights": FEBRUARY, "name": "another"}], "no run of that name"),
    "February alone": ([{}, {"flights": ALONE}], "the one for February"),
    "no baseline": ([{}, {"flights": FEBRUARY, "baseline": "none"}], "not held against January's"),
    "against itself": ([{}, {"flights": FEBRUARY, "baseline": "itself"}], "not held against January's"),
    "February failed": ([{}, {"flights": FEBRUARY, "state": "failed", "failed": "Evaluator"}], "`Evaluator` failed"),
}


@pytest.fixture
def databases(tmp_path):
    return lab_four.Databases(lab_four.lab(tmp_path))


@pytest.mark.parametrize("name", RIGHT)
def test_two_months_by_airflow_pass(databases, name):
    for how in RIGHT[name]:
        databases.run(**how)
    assert databases.judge() == (2, "")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_run_is_told_and_january_keeps_its_point(databases, name):
    runs, told = WRONG[name]
    for how in runs:
        databases.run(**how)
    points, message = databases.judge()
    assert told in message
    assert points == len(runs) - 1 if len(runs) > 1 else points == (name == "no February")


@pytest.mark.parametrize("text", ["no answer", "[]", '{"dag_runs": [3], "task_instances": []}', '{"dag_runs": []}'])
def test_databases_that_are_none_are_told(databases, text):
    assert "Airflow has run nothing yet" in databases.judge()[1]
    databases.run()
    databases.path.write_text(text)
    assert "is not as Airflow's API answers" in databases.judge()[1]


RUN = {"dag_run_id": "manual__2026-11-29T22:58:19+00:00", "dag_id": "my_flights", "state": "success"}
TASK = RUN | {"task_id": "Trainer", "try_number": 2, "end_date": "2026-11-29T22:58:30.1Z"}
PATH = "/dags/my_flights/dagRuns"
ANSWERS = {
    f"{PATH}?limit=100&order_by=id": {"dag_runs": [RUN | {"data_interval_start": "2013-01-01T00:00:00Z"}]},
    f"{PATH}/manual__2026-11-29T22%3A58%3A19%2B00%3A00/taskInstances?limit=100": {"task_instances": [TASK]},
}
"""Paths of Airflow 3.3.2's API, and of its answers the fields that are read."""


@pytest.mark.parametrize("known", [ANSWERS, {}])
def test_what_the_api_says_of_runs_is_read(tmp_path, monkeypatch, known):
    monkeypatch.setattr(ask_airflow, "Api", lambda: SimpleNamespace(get=known.get))
    (tmp_path / run_states.FILE).write_text(json.dumps(ask_airflow.answers("my_flights")))
    told = [run_states.lines(run) for run in run_states.read(tmp_path / run_states.FILE)]
    assert told == [["Trainer              success  (2 tries)", "run for January      success"]] * bool(known)
