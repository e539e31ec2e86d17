"""Lab 4, task 5 and what the notebook calls: nights are as they should be, diagnoses are judged, cells become the file, Airflow may be missing."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import lab_four
import pytest
from student_lab import evaluate

from course.checks import session
from course.labs.lab_4 import airflow_command, dag_file, notebook, run_states
from judges.lab_4 import cases, night_files, nights
from judges.lab_4.cases import UPSTREAM, after

STUDENTS = [f"student-{number}" for number in range(1, 13)]


def truth(lab):
    return {
        f"2013-{night.month:02d}": {name: getattr(night, name) for name in ("task", "cause", "what")}
        | {"attempt": night.telling, "clear": sorted(night.clear)}
        for night in nights.nights(lab.seed)
    }


def judge(lab, answer):
    return evaluate(lab, "nights", nights=answer)


@pytest.mark.parametrize("student", STUDENTS)
def test_each_student_has_three_nights_of_three_kinds_that_the_logs_tell(tmp_path, student):
    lab = lab_four.lab(tmp_path, student)
    night_files.write(lab.workspace, lab.seed)
    home = lab.workspace / nights.FOLDER
    runs = {run.month: run for run in run_states.read(home / run_states.FILE)}
    found = nights.nights(lab.seed)
    assert sorted(night.cause for night in found) == sorted(nights.CAUSES)
    assert [month for month, run in runs.items() if run.state == "failed"] == [night.month for night in found]
    for night in found:
        of_run = runs[night.month].tasks
        assert of_run[night.task] == ("failed", len(night.attempts))
        lost = {task for task, (state, _) in of_run.items() if state == "upstream_failed"}
        assert lost == after(night.task) - {night.task}
        logs = sorted(home.glob(f"logs/*/run_id={runs[night.month].name}/task_id={night.task}/attempt=*.log"))
        assert len(logs) == len(night.attempts)
        text = logs[night.telling - 1].read_text()
        telling = {"disk": "No space left", "memory": "status -9", "features": "Transform", "model": "the model in"}
        assert telling.get(night.what, f"column {night.what}") in text
        assert "@" not in text
    assert len((home / "alerts.log").read_text().splitlines()) == 3
    assert judge(lab, truth(lab)) == (3, "")


def test_right_diagnosis_passes_however_it_is_written(tmp_path):
    lab = lab_four.lab(tmp_path)
    right = truth(lab)
    assert judge(lab, {str(int(month[-2:])): one for month, one in right.items()}) == (3, "")
    for what in ("my_flights/{}.py", "my_flights.{}", " {} "):
        written = {
            month: one | {"what": what.format(one["what"]) if one["cause"] == "code" else one["what"].upper()}
            for month, one in right.items()
        }
        assert judge(lab, written) == (3, "")
    twice = {month: one | {"clear": [*one["clear"], one["clear"][0]]} for month, one in right.items()}
    assert judge(lab, twice) == (3, "")


WRONG = {
    "first of those not started": ("code", "task", "Pusher", "failed only because"),
    "no such attempt": ("machine", "attempt", 4, "was tried 3 times"),
    "log that misleads": ("machine", "attempt", 3, "what an earlier try has left behind"),
    "noticed, not made": ("code", "what", "pipeline", "not always the one that noticed it"),
    "blames the data": ("code", "cause", "data", "would have to be different"),
    "blames the code": ("data", "cause", "code", "would have to be different"),
    "another column": ("data", "what", "humid", "the column that the log names"),
    "failed alone": ("machine", "clear", lambda night: [night.task], "wait, near or far"),
    "code, failed and after": ("code", "clear", lambda night: sorted(after(night.task)), "lacks the task whose result"),
    "data, all but the reader": ("data", "clear", lambda night: sorted(night.clear - {"CsvExampleGen"}), "lacks"),
    "everything": ("machine", "clear", [*UPSTREAM], "too many"),
    "schema too": ("data", "clear", [*after("CsvExampleGen"), "ImportSchemaGen"], "too many"),
    "sensor too": ("data", "clear", [*after("CsvExampleGen"), "wait_for_month"], "a sensor has no result"),
    "nothing": ("machine", "clear", [], "lacks the task"),
    "unknown": ("machine", "clear", ["Training"], "no task"),
    "text": ("machine", "clear", "Pusher", "a list"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_diagnosis_costs_half_a_point_and_is_told(tmp_path, name):
    cause, key, value, told = WRONG[name]
    for student in STUDENTS:
        lab = lab_four.lab(tmp_path, student)
        night = next(one for one in nights.nights(lab.seed) if one.cause == cause)
        answer = truth(lab)
        answer[f"2013-{night.month:02d}"][key] = value(night) if callable(value) else value
        points, message = judge(lab, answer)
        assert points == 2.5
        assert told in message
        assert message.startswith(f"2013-{night.month:02d}")


def test_other_months_and_other_kinds_of_answers_are_told(tmp_path):
    lab = lab_four.lab(tmp_path)
    right = truth(lab)
    others = ([], right | {"2013-01": {}}, dict.fromkeys(right, 3), {month: {"task": ["x"]} for month in right})
    assert [judge(lab, one)[0] for one in others] == [0] * 4
    assert "The keys of `NIGHTS` are 2013-01, 201302:" in judge(lab, {"2013-01": {}, 201302: {}})[1]
    assert "Two keys of `NIGHTS` are the same month" in judge(lab, right | {int(next(iter(right))[-2:]): {}})[1]
    assert judge(lab, dict([*right.items()][:2]))[0] == 2


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab that has begun, without Airflow."""
    found = lab_four.lab(tmp_path)
    monkeypatch.setattr(session._session, "lab", found, raising=False)
    monkeypatch.setattr(dag_file, "_PARTS", {})
    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path / "nowhere"))
    return found


def test_cells_with_the_heading_become_parts_of_the_file_in_their_order(lab, capsys):
    for number, body in ((2, "b = a\n"), (1, "a = 1\n"), (3, "# Your code here\npass\n"), (2, "c = a\n")):
        cell = f"# dags/my_flights.py, part {number}: something\n{body}"
        [line] = dag_file.stored(cell.splitlines(keepends=True))
        exec(line, {})
    assert [line for line in dag_file.path(lab.workspace).read_text().splitlines() if line[:1].isalpha()] == [
        "a = 1",
        "c = a",
    ]
    assert "Part 3 has nothing" in capsys.readouterr().out
    other = ["x = 1\n", "# dags/my_flights.py, part 1\n"]
    assert dag_file.stored(other) == other
    with pytest.raises(SyntaxError):
        dag_file.keep(1, "def f(:\n")


def test_without_airflow_a_sentence_says_how_to_get_it(lab, capsys):
    notebook.rehearse()
    assert "no dags/my_flights.py" in capsys.readouterr().out
    lab_four.put(lab, "x = 1\n")
    for call in (notebook.rehearse, lambda: notebook.airflow("dags list")):
        call()
        assert "make airflow-environment" in capsys.readouterr().out
    points, message = evaluate(lab, "dag")  # a trial, run here
    assert (points, "make airflow-environment" in message) == (0, True)


def test_a_rehearsal_is_told_in_lines():
    case = {"run": "r", "state": "failed", "tasks": {"a": "failed", "b": "success"}, "raised": {"a": "Error: no"}}
    steps = [{"step": "Trainer", "month": "3"}, {"step": "Trainer", "month": "3"}, {"step": "Pusher", "month": "x"}]
    case |= {"steps": steps, "held": {"w": "it sleeps"}, "alerts": [{"text": "help"}], "broken": []}
    runs = ["2013-02-01 00:00:00+00:00", "2014-01-01 00:00:00+00:00"]
    told = "\n".join(notebook.lines({"errors": {}, "tasks": ["a", "b"], "runs": runs, "cases": {"own": case}}))
    for text in ("2 runs, the first on 1 February 2013", "Trainer for March  x2", "Pusher for 'x'", "a raised", "help"):
        assert text in told
    told = notebook.lines({"errors": {}, "tasks": ["a", "b", "c"], "runs": runs, "cases": {"own": case}}, 3)
    assert any("The run for March lacks the task `c`" in line for line in told)
    told = notebook.lines({"errors": {"(stored form)": "no"}, "dags": ["my_flights"]})
    assert told == [
        "(stored form): no",
        "Airflow has read the DAG my_flights, and could not make the form of it that it stores",
    ]
    assert "there is: other" in notebook.lines({"errors": {}, "dags": ["other"]})[0]


BEGUN = "[info     ] [DAG TEST] starting task_id={} map_index=-1"
IDLE = "[warning  ] No tasks to run. unrunnable tasks: {{<TaskInstance: my_flights.Pusher m [None] ti_id=0>, <TaskInstance: my_flights.wait m [{}] ti_id=1>}}"
"""As `airflow.sdk.DAG.test` of Airflow 3.3 says them."""


@pytest.mark.parametrize(
    ("log", "seconds", "tasks"),
    [
        ([BEGUN.format("wait"), *[IDLE.format("up_for_reschedule")] * 60], 60, {"wait": "up_for_reschedule"}),
        ([*[IDLE.format("deferred")] * 4, BEGUN.format("wait"), IDLE.format("deferred")], 5, {"wait": "deferred"}),
        ([IDLE.format("up_for_reschedule"), BEGUN.format("Trainer")], 0, {"Trainer": "running"}),
        ([IDLE.format("up_for_retry")] * 9, 0, {"wait": "up_for_retry"}),
        ([], 0, {}),
    ],
)
def test_command_that_does_not_end_is_stopped_and_what_it_waits_for_is_told(
    lab, monkeypatch, capsys, log, seconds, tasks
):
    home, killed = lab.workspace / dag_file.HOME, []
    assert airflow_command.waiting("\n".join(log)) == (seconds, tasks)

    def begin(*_, **__):
        (home / airflow_command.LOG).write_text("\n".join(log))
        return SimpleNamespace(pid=0, poll=lambda: None, wait=lambda: None, kill=lambda: killed.append(True))

    monkeypatch.setattr(airflow_command.airflow_home, "find_airflow", lambda: home / "airflow")
    for name, value in {"environment": lambda *_: {}, "_ready_for_steps": str, "PATIENCE": 0, "ANSWER": 0}.items():
        monkeypatch.setattr(airflow_command, name, value)
    monkeypatch.setattr(airflow_command.ready, "begin", begin)
    monkeypatch.setattr(airflow_command.ready, "wait", mock.Mock(side_effect=TimeoutError))
    notebook.airflow("dags test my_flights 2013-07-01")
    told = capsys.readouterr().out
    assert "`months/` has none" in told
    assert all(
        f"`{task}` {'has waited for 60 seconds' if seconds == 60 else f'is {state}'}" in told
        for task, state in tasks.items()
    )
    assert killed == [True, True]


def test_patience_ends_before_the_time_of_a_cell():
    from judges import lab_4_airflow
    from judges.lab_4 import dag_trial

    assert max(airflow_command.PATIENCE, dag_trial.SECONDS) + 10 <= lab_4_airflow.CELL_SECONDS


@pytest.mark.slow
@pytest.mark.xdist_group("tfx")
def test_graph_of_the_lab_is_that_of_the_package(tmp_path, monkeypatch):
    from engines.airflow import graph
    from engines.airflow.project import Project
    from flights.schedule import MONTHS
    from judges.lab_3 import solution_package

    solution_package.write(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = {"data_root": str(tmp_path), "output_root": str(tmp_path)}
    pipeline = "my_flights.pipeline:create_pipeline"
    found = graph.make(Project(pipeline, "my_flights.config:Config", MONTHS, (str(tmp_path),), settings))
    monkeypatch.setattr(cases, "UPSTREAM", found)
    waits = {step: cases.before(step) for step in found}
    monkeypatch.undo()
    assert waits == {step: cases.before(step) for step in UPSTREAM}
