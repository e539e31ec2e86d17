"""Lab 4, tasks 1 to 3: DAGs that are right in other ways pass, those that look right fail; all of them run by Airflow."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import lab_four
import pytest
import yaml
from student_lab import evaluate

from course.trials.dag import PLAN
from judges.lab_4.cases import FINAL, cases
from judges.lab_4.check_failures import names_month
from judges.trial import Done, Ran

pytestmark = [pytest.mark.xdist_group("lab-4"), pytest.mark.slow]

DAGS = yaml.safe_load((Path(__file__).parents[1] / "lab_4_dags.yaml").read_text())
TASKS = {"dag": 5, "failures": 3, "sensor": 2}
BASE = "task_flow"
"""Right: what came of it stands for the cases in which a wrong one is not run."""
SHORT = ("well", "tries", "two", "alone", "comes", "never", "fails DataGate")
"""The cases in which it is run, and what forges, where no long test is: there the test that executes the solution runs that in all."""
FORMS = (*SHORT, "fails CsvExampleGen", "fails LatestBlessedModel", "fails Pusher")
"""The cases in which edited right ones are run unless they name theirs: of the steps that fail, the first, one beside all others, the gate and the last."""
GIVEN = (*FORMS, "fails Trainer")
"""Those of `BASE`: each in which a wrong one goes another way. Another right one is run in all."""


def params(kind, **given):
    """Those of a kind; the long ones among them are marked."""
    named = {f"{kind}: {name}": one for name, one in given.items()}
    short = {name for name, one in named.items() if isinstance(one, dict) and one.get("each_run")} | {f"right: {BASE}"}
    return [pytest.param(name, id=name, marks=() if name in short else pytest.mark.long) for name in named]


KNOWN = {f"{kind}: {name}": one for kind in ("right", "forging") for name, one in DAGS[kind].items()}
KNOWN |= {f"{task}: {name}": one for task, wrong in DAGS["wrong"].items() for name, one in wrong.items()}


def text(name):
    """The file of that name."""
    one = KNOWN[name]
    if not isinstance(one, dict) or "file" in one:
        return one if isinstance(one, str) else one["file"]
    return lab_four.edited(text(f"right: {one['of']}") if "of" in one else lab_four.solution(), *one["edits"].items())


@pytest.fixture(scope="module")
def played(tmp_path_factory, request):
    """Airflow's runs of the files of those tests that run."""
    chosen = [item.callspec.id for item in request.session.items if hasattr(item, "callspec")]
    names = [f"right: {BASE}", *(name for name in dict.fromkeys(chosen) if name in KNOWN and name != f"right: {BASE}")]
    only = {name: KNOWN[name].get("cases", []) for name in names if name.partition(": ")[0] in TASKS}
    edited = [name for name in names if not isinstance(KNOWN[name], str)]
    only |= {name: KNOWN[name].get("cases", FORMS) for name in edited if name.startswith("right: ")}
    only |= {name: KNOWN[name].get("cases", SHORT) for name in names if name.startswith("forging: ")}
    only[f"right: {BASE}"] = GIVEN if any(item.get_closest_marker("long") for item in request.session.items) else SHORT
    alone = [name for name in edited if KNOWN[name].get("alone")]
    folder = tmp_path_factory.mktemp("dags")
    texts = {name: text(name) for name in names}
    found = lab_four.Played(lab_four.lab(folder), texts, folder / "rooms", only, alone)
    lab_four.play([found], folder)
    return found


@pytest.mark.parametrize("name", params("right", **DAGS["right"]))
def test_right_dag_passes_however_it_is_written(played, name):
    assert {task: played.judge(name, task) for task in TASKS} == {task: (most, "") for task, most in TASKS.items()}


@pytest.mark.parametrize("name", [one for task, wrong in DAGS["wrong"].items() for one in params(task, **wrong)])
def test_wrong_dag_is_told(played, name):
    points, message = played.judge(name, name.partition(": ")[0])
    assert KNOWN[name]["told"] in message
    assert points == KNOWN[name]["points"]
    assert "\n" not in message or not KNOWN[name].get("only"), "the same cause is told as several things"


@pytest.mark.long
@pytest.mark.parametrize("name", ["sensor: all months so far"])
def test_mistake_of_task_3_takes_no_point_of_task_2(played, name):
    assert [played.judge(name, task)[0] for task in ("failures", "sensor")] == [3, 1]


@pytest.mark.parametrize("name", params("forging", **DAGS["forging"]))
def test_what_a_file_forges_is_not_believed(played, name):
    told = [played.judge(name, task) for task in TASKS]
    assert KNOWN[name]["told"] in told[0][1]
    assert [points for points, _ in told] == KNOWN[name].get("points", [0, 0, 0])


SWEPT = ("dag: gate forgotten", "failures: some statuses", "failures: killed counts as done")
SWEPT += ("failures: dies as its step does", "sensor: counts files", "sensor: for ever")
"""With student-1, the students who are asked have each step and month of the case in which two steps fail, and other statuses of each step; the right one's last
step fails for good in three ways."""


@pytest.mark.long
def test_same_answer_gets_the_same_marks_for_each_student(tmp_path):
    texts = {BASE: text(f"right: {BASE}")} | {name: text(name) for name in SWEPT}
    only = {BASE: (*SHORT, "fails Pusher")} | {name: KNOWN[name]["cases"] for name in SWEPT}
    students = [
        lab_four.Played(lab_four.lab(tmp_path, student), texts, tmp_path / "rooms" / student, only)
        for student in ("student-9", "student-12", "student-28")
    ]
    lab_four.play(students, tmp_path)
    for played in students:
        assert {task: played.judge(BASE, task)[0] for task in TASKS} == TASKS, played.lab.student
        marks = {name: played.judge(name, name.partition(": ")[0])[0] for name in SWEPT}
        assert marks == {name: KNOWN[name]["points"] for name in SWEPT}, played.lab.student


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"errors": {}, "dags": [], "at_reading": {}}'])
def test_what_comes_back_is_not_trusted(tmp_path, text):
    (tmp_path / "out.json").write_text(text)
    lab = lab_four.lab(tmp_path, runner=SimpleNamespace(run=lambda trial: Ran(tmp_path, [Done(0)])))
    assert "There is no `dags/my_flights.py`" in evaluate(lab, "dag")[1]
    lab_four.put(lab, "x = 1\n")
    points, message = evaluate(lab, "dag")
    assert (points, "did not get to the end" in message) == (0, True)


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (Done(None), "does not end"),
        (Done(69, "make airflow-environment"), "make airflow-environment"),
        (Done(1, "boom"), "boom"),
    ],
)
def test_runs_that_do_not_end_well_are_told(tmp_path, done, told):
    lab = lab_four.lab(tmp_path, runner=SimpleNamespace(run=lambda trial: Ran(tmp_path, [done])))
    lab_four.put(lab, "x = 1\n")
    assert told in evaluate(lab, "dag")[1]


OF_TASK_2_AS_WELL = "all months so far"
"""Wrong in task 3, and run in the cases of task 2, which it must not fail."""


@pytest.mark.parametrize("task", TASKS)
def test_check_runs_the_cases_in_which_wrong_dags_of_its_task_go_another_way_and_not_all(tmp_path, task):
    asked = []
    lab = lab_four.lab(
        tmp_path, runner=SimpleNamespace(run=lambda trial: asked.append(trial) or Ran(tmp_path, [Done(1, "boom")]))
    )
    lab_four.put(lab, "x = 1\n")
    evaluate(lab, task)
    run = json.loads(asked[0].files[PLAN])["cases"].keys()
    wrong = [one for name, one in DAGS["wrong"][task].items() if name != OF_TASK_2_AS_WELL]
    assert {case for one in wrong for case in one.get("cases") or ()} <= run < cases(lab.seed).keys()


MONTHS = {
    "2013-02: DataGate has failed": {2},
    "DataGate, month 2.": {2},
    "02:DataGate": {2},
    "scheduled__2013-11-01T00:00:00+00:00: Trainer": {11, 1},
    "Trainer (november)": {11},
    "run-of-july": {7},
    "at 02:00:00 Trainer": set(),
    "Trainer, 2.5 minutes": set(),
    "scheduled__2013: Trainer": set(),
}


@pytest.mark.parametrize("text", MONTHS)
def test_month_of_an_alert_is_found_however_it_is_written(text):
    assert {month for month in range(1, 13) if names_month(text, month, "")} == MONTHS[text]
    assert names_month(f"{text} manual__2012-12-31T23:00:00+00:00", 4, "manual__2012-12-31T23:00:00+00:00")


def test_each_student_has_the_same_kinds_of_cases():
    def kinds(case):
        return sorted(ending for some in case.endings.values() for ending in some)

    found = [cases(seed) for seed in range(200)]
    assert all(1 <= case.month <= 12 for some in found for case in some.values())
    assert all(some["never"].month not in some["never"].there and len(some["never"].there) == 11 for some in found)
    lost = [sorted(e for name, case in some.items() if name.startswith("fails") for e in kinds(case)) for some in found]
    assert lost == [sorted([*FINAL, *[65] * 5])] * len(found)
    assert all(kinds(some[name]) == kinds(found[0][name]) for some in found for name in ("tries", "two"))
    assert len({repr(some) for some in found}) > 100
