"""Lab 4, task 5 and what surrounds the tasks: nights are as they should be, diagnoses are judged, cells become the file, Airflow may be missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import lab_four
import psutil
import pytest

from engines.errors import MissingEngineError
from judges.lab_4 import airflow_command, dag_file, failed_run_files, failed_runs, notebook, run_states
from judges.lab_4.cases import UPSTREAM, after, cases

STUDENTS = [f"student-{number}" for number in range(1, 13)]


def truth(lab):
    return {
        f"2013-{night.month:02d}": {
            "task": night.task,
            "attempt": night.telling,
            "cause": night.cause,
            "what": night.what,
            "clear": sorted(night.clear),
        }
        for night in failed_runs.nights(lab.seed)
    }


def judge(lab, answer):
    return lab_four.evaluate(lab, "nights", nights=answer)


@pytest.mark.parametrize("student", STUDENTS)
def test_each_student_has_three_nights_of_three_kinds_that_the_logs_tell(tmp_path, student):
    lab = lab_four.lab(tmp_path, student)
    failed_run_files.write(lab.workspace, lab.seed)
    home = lab.workspace / failed_runs.FOLDER
    runs = {run.month: run for run in run_states.read(home / run_states.FILE)}
    found = failed_runs.nights(lab.seed)
    assert sorted(night.cause for night in found) == sorted(failed_runs.CAUSES)
    assert [month for month, run in runs.items() if run.state == "failed"] == [night.month for night in found]
    for night in found:
        of_run = runs[night.month].tasks
        assert of_run[night.task].state == "failed"
        assert {task for task, one in of_run.items() if one.state == "upstream_failed"} == after(night.task) - {
            night.task
        }
        logs = sorted(home.glob(f"logs/*/run_id={runs[night.month].name}/task_id={night.task}/attempt=*.log"))
        assert len(logs) == of_run[night.task].tries == len(night.attempts)
        text = logs[night.telling - 1].read_text()
        assert "@" not in text
        if night.cause == "data":
            assert f"column {night.what}" in text
            assert "AirflowFailException" in text
        elif night.cause == "machine":
            assert ("status -9" if night.what == "memory" else "No space left") in text
    assert len((home / "alerts.log").read_text().splitlines()) == 3
    assert judge(lab, truth(lab)) == (3, "")


def test_right_diagnosis_passes_however_it_is_written(tmp_path):
    lab = lab_four.lab(tmp_path)
    right = truth(lab)
    assert judge(lab, {str(int(month[-2:])): one for month, one in right.items()}) == (3, "")
    files = {"features": "my_flights/features.py", "model": "my_flights.model", "memory": "Memory", "disk": "disk "}
    written = {
        month: one | {"what": files.get(one["what"], one["what"]), "clear": [*one["clear"], one["clear"][0]]}
        for month, one in right.items()
    }
    assert judge(lab, written) == (3, "")


WRONG = {
    "first of those not started": ("code", "task", "Pusher", "failed only because"),
    "no such attempt": ("machine", "attempt", 4, "3 log(s)"),
    "log that misleads": ("machine", "attempt", 3, "what an earlier try has left behind"),
    "noticed, not made": ("code", "what", "pipeline", "not always the one that noticed it"),
    "blames the data": ("code", "cause", "data", "would have to be other"),
    "blames the code": ("data", "cause", "code", "would have to be other"),
    "another column": ("data", "what", "humid", "the column that the log names"),
    "failed alone": ("machine", "clear", None, "wait, near or far"),
    "failed and after": ("code", "clear", "task", "lacks the task whose result"),
    "gate and after": ("data", "clear", "task", "lacks"),
    "everything": ("machine", "clear", [*UPSTREAM], "too many"),
    "schema too": ("data", "clear", [*after("CsvExampleGen"), "ImportSchemaGen"], "too many"),
    "sensor too": ("data", "clear", [*after("CsvExampleGen"), "wait_for_month"], "a sensor has no result"),
    "nothing": ("machine", "clear", [], "is empty"),
    "unknown": ("machine", "clear", ["Training"], "no task"),
    "text": ("machine", "clear", "Pusher", "a list"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("student", STUDENTS[:3])
def test_wrong_diagnosis_costs_half_a_point_and_is_told(tmp_path, student, name):
    cause, key, value, told = WRONG[name]
    lab = lab_four.lab(tmp_path, student)
    night = next(one for one in failed_runs.nights(lab.seed) if one.cause == cause)
    if value == "task":
        value = sorted(after(night.task))
        if set(value) == night.clear:
            pytest.skip("this student's data failed in the step that reads them")
    if value is None:
        value = [night.task]
    answer = truth(lab)
    answer[f"2013-{night.month:02d}"][key] = value
    points, message = judge(lab, answer)
    assert points == 2.5
    assert told in message
    assert message.startswith(f"2013-{night.month:02d}")


def test_other_months_and_other_kinds_of_answers_are_told(tmp_path):
    lab = lab_four.lab(tmp_path)
    right = truth(lab)
    assert judge(lab, [])[0] == 0
    assert judge(lab, right | {"2013-01": {}})[0] == 0
    assert judge(lab, dict([*right.items()][:2]))[0] == 2
    assert judge(lab, dict.fromkeys(right, 3))[0] == 0
    assert judge(lab, {month: {"task": ["x"], "attempt": "1", "clear": [None, 3]} for month in right})[0] == 0


def test_cells_with_the_heading_become_parts_of_the_file_in_their_order(tmp_path, monkeypatch, capsys):
    from course.checks import session

    lab = lab_four.lab(tmp_path)
    monkeypatch.setattr(session._session, "lab", lab, raising=False)
    monkeypatch.setattr(dag_file, "_PARTS", {})
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


def test_without_airflow_a_sentence_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    from course.checks import session

    monkeypatch.setenv("ENGINES_AIRFLOW", str(tmp_path / "nowhere"))
    lab = lab_four.lab(tmp_path)
    monkeypatch.setattr(session._session, "lab", lab, raising=False)
    with pytest.raises(MissingEngineError, match="make airflow-environment"):
        airflow_command.python()
    notebook.rehearse()
    assert "no dags/my_flights.py" in capsys.readouterr().out
    dag_file.path(lab.workspace).write_text("x = 1\n")
    notebook.rehearse()
    assert "make airflow-environment" in capsys.readouterr().out
    assert lab_four.evaluate(lab, "dag")[0] == 0


WAITS_FOR_EVER = """
import pathlib, subprocess, sys, time
print("[info     ] [DAG TEST] starting task_id=wait_for_month map_index=-1", flush=True)
own = "<TaskInstance: my_flights.{} manual__2026-11-29T22:26:07.152252+00:00 [{}] ti_id=01a2296a>"
tasks = ", ".join([own.format("CsvExampleGen", None), own.format("wait_for_month", "STATE")])
if "STATE" != "running":
    print("[warning  ] No tasks to run. unrunnable tasks: {" + tasks + "}", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
pathlib.Path("child").write_text(str(child.pid))
time.sleep(60)
"""


def played(python, function, words, variables, *, files, folder, like=None):
    """A command is the file above instead of Airflow, which is not imported here; the REST API's script finds no answer."""
    program = ["airflow.py", *words] if function == "airflow" else ["-c", ""]
    standard = dict(zip(("stdin", "stdout", "stderr"), files, strict=True))
    return subprocess.Popen([sys.executable, *program], env=variables, cwd=folder, **standard)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("up_for_reschedule", "`wait_for_month` has waited for 1 seconds"),
        (
            "running",
            "not done after 4 seconds and was stopped: `wait_for_month` is running. A sensor waits for the file",
        ),
        ("up_for_retry", "waits for the pause of your DAG"),
    ],
)
def test_command_that_waits_for_ever_is_stopped_and_what_it_waits_for_is_told(
    tmp_path, monkeypatch, capsys, state, told
):
    from course.checks import session

    lab = lab_four.lab(tmp_path)
    home = lab.workspace / dag_file.HOME
    (home / "airflow.py").write_text(WAITS_FOR_EVER.replace("STATE", state))
    month = lab.workspace / "months" / "span-01" / "flights.csv"
    month.parent.mkdir(parents=True)
    month.touch()
    monkeypatch.setattr(session._session, "lab", lab, raising=False)
    monkeypatch.setattr(airflow_command, "python", lambda: sys.executable)
    monkeypatch.setattr(airflow_command, "environment", lambda home, dags: dict(os.environ))
    monkeypatch.setattr(airflow_command, "_server", lambda: "")
    monkeypatch.setattr(airflow_command.ready, "begin", played)
    for name, seconds in (("PATIENCE", 4), ("WAITING", 1), ("LOOK", 0.3), ("ANSWER", 0.1)):
        monkeypatch.setattr(airflow_command, name, seconds)
    notebook.airflow("dags test my_flights 2013-07-01")
    said = " ".join(capsys.readouterr().out.split())
    assert told in said
    assert "`months/` has span-01" in said
    assert "`airflow/last-command.log`" in said
    assert is_over(int((home / "child").read_text()))


def is_over(process):
    """Whether a process comes to its end within some seconds; where nobody asks for its status, it stays as a zombie."""
    for _ in range(100):
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_patience_ends_before_the_time_of_a_cell():
    from judges import lab_4_airflow

    assert airflow_command.PATIENCE + 10 <= lab_4_airflow.CELL_SECONDS


def test_cases_of_a_student_have_the_months_that_they_need():
    for seed in range(200):
        found = cases(seed)
        assert all(1 <= case.month <= 12 for case in found.values())
        assert found["missing"].month not in found["missing"].there
        assert len(found["missing"].there) == 11
        assert json.dumps([case.plan() for case in found.values()])


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
    project = Project(
        "my_flights.pipeline:create_pipeline", "my_flights.config:Config", MONTHS, (str(tmp_path),), settings
    )
    found = graph.make(project)

    def before(step):
        return set(found[step]).union(*(before(one) for one in found[step])) if found[step] else set()

    assert {step: before(step) for step in found} == {step: set(UPSTREAM) & _before(step) for step in UPSTREAM}


def _before(step):
    from judges.lab_4.cases import before

    return before(step)
