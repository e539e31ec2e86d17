"""Lab 4, tasks 1 to 3: DAGs that are right in other ways pass, those that look right fail; all of them rehearsed by Airflow."""

from __future__ import annotations

import json

import lab_four
import pytest

from engines.errors import MissingEngineError
from judges.lab_4 import check_failures
from judges.lab_4.cases import NAMES, Case
from judges.lab_4.rehearsed import Result

pytestmark = [pytest.mark.xdist_group("lab-4"), pytest.mark.slow]

BASH = """
import os
import shlex
import pendulum
import steps
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, BaseNotifier, CronDataIntervalTimetable, TaskGroup
from airflow.sdk.exceptions import AirflowException, AirflowFailException

class Step(BashOperator):
    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowException as error:
            raise AirflowFailException("bad") if "exit code 65" in str(error) else error

class Tell(BaseNotifier):
    def notify(self, context):
        steps.alert(f"{context['dag_run'].run_id}: {context['ti'].task_id}")

MONTH = '{{ data_interval_start.in_timezone("Europe/Berlin").month }}'
start = pendulum.datetime(2013, 1, 1, tz="Europe/Berlin")
monthly = CronDataIntervalTimetable("30 0 1 * *", timezone="Europe/Berlin")
with DAG("my_flights", schedule=monthly, start_date=start, end_date=start.replace(month=12, day=20), catchup=True,
         max_active_runs=1, default_args=dict(on_failure_callback=[Tell()])) as dag:
    with TaskGroup("all"):
        t = {s: Step(task_id="run-" + s.lower(), bash_command=shlex.join(steps.command(s, MONTH, "{{ run_id }}")), retries=3) for s in steps.STEPS}
    name = steps.MONTHS + "/span-{{ data_interval_start.in_timezone('Europe/Berlin').strftime('%m') }}/flights.csv"
    wait = FileSensor(task_id="file", filepath=name, mode="reschedule", timeout=86400 * 3, poke_interval=600)
    wait >> [t["CsvExampleGen"], t["ImportSchemaGen"], t["LatestBlessedModel"]]
    t["CsvExampleGen"] >> t["StatisticsGen"] >> t["ExampleValidator"] >> t["DataGate"] >> t["Transform"] >> t["Trainer"]
    t["Trainer"] >> t["Evaluator"] >> t["Pusher"] >> EmptyOperator(task_id="done")
    t["ImportSchemaGen"] >> t["ExampleValidator"]
    t["LatestBlessedModel"] >> t["Evaluator"]
"""
FLOW = """
import datetime, pathlib, subprocess
import steps
import pendulum
from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException

def month_of(dag_run):
    return pendulum.instance(dag_run.logical_date).subtract(months=1)

def tell(context):
    steps.alert(f"{month_of(context['dag_run']):%Y-%m}: {context['task'].task_id}")

again = dict(retries=1, retry_delay=30.0, on_failure_callback=tell)

@dag("my_flights", schedule=CronTriggerTimetable("0 3 1 * *", timezone="UTC"), start_date=datetime.datetime(2013, 1, 15),
     end_date=datetime.datetime(2014, 1, 2), catchup=True, max_active_runs=1, default_args=again)
def flights():
    @task.sensor(mode="reschedule", timeout=3600 * 24, poke_interval=60)
    def month_is_here(dag_run=None):
        return pathlib.Path(steps.month_file(month_of(dag_run).month)).is_file()

    def make(step):
        @task(task_id=step)
        def do(dag_run=None):
            month = f"{month_of(dag_run):%m}"
            code = subprocess.call(steps.command(step, month, dag_run.run_id))
            if code == 65:
                raise AirflowFailException("data")
            assert code == 0
        return do()

    done = {step: make(step) for step in steps.STEPS}
    waits = {"StatisticsGen": "CsvExampleGen", "ExampleValidator": "StatisticsGen ImportSchemaGen CsvExampleGen", "DataGate": "ExampleValidator",
             "Transform": "DataGate CsvExampleGen ImportSchemaGen", "Trainer": "Transform ImportSchemaGen", "Pusher": "Trainer Evaluator",
             "Evaluator": "Trainer LatestBlessedModel CsvExampleGen", "CsvExampleGen": ""}
    for step, names in waits.items():
        for name in names.split():
            done[name] >> done[step]
    month_is_here() >> done["CsvExampleGen"]

flights()
"""
RIGHT = {"solution": "", "bash": BASH, "task flow": FLOW}

GATE = ('"Transform": ["DataGate"]', '"Transform": ["CsvExampleGen", "ImportSchemaGen"]')
CHAIN = ('"LatestBlessedModel"]', '"LatestBlessedModel"], "LatestBlessedModel": ["Trainer"]')
CALLS = '"on_failure_callback": call'
OFTEN = '"retries": 2'
BERLIN = ('timezone="UTC"', 'timezone="Europe/Berlin"')
ZONED = ("datetime.datetime(2013, 1, 1)", '__import__("pendulum").datetime(2013, 1, 1, tz="Europe/Berlin")')
TOLD = "{context['data_interval_start']:%B}: "
FIRST = "lambda context: steps.alert(f\"{context['run_id']}: {context['ti'].task_id}\")"
END = """
    from airflow.providers.standard.operators.empty import EmptyOperator
    tasks["Pusher"] >> EmptyOperator(task_id="end", trigger_rule="all_done")
"""
MODE = '"mode": "reschedule"'
COUNT = "return len(list(Path(steps.MONTHS).glob('*/flights.csv')))"
LATER = "return any(Path(steps.month_file(one)).exists() for one in range(data_interval_start.month, 13))"
WRONG = {
    "dag": {
        "gate forgotten": ([GATE], 4, "Transform does not wait for DataGate"),
        "one after the other": ([CHAIN], 4, "LatestBlessedModel waits for CsvExampleGen"),
        "not made up for": ([("catchup=True", "catchup=False")], 0, "no run at all"),
        "one too many": ([("(2013, 12, 31)", "(2014, 1, 1)")], 4, "13 runs"),
        "January left out": ([("(2013, 1, 1)", "(2013, 2, 1)")], 4, "11 runs"),
        "thirty days": ([("schedule=MONTHLY", "schedule=datetime.timedelta(days=30)")], None, "Wanted are twelve"),
        "as in Airflow 2": ([("schedule=MONTHLY", 'schedule="@monthly"')], None, "Which timetable has intervals?"),
        "all at once": ([("max_active_runs=1", "max_active_runs=12")], 4, "may be active"),
        "end of the interval": (
            [
                ("run_step(step, data_interval_start", "run_step(step, data_interval_end"),
                ("data_interval_start.month, run_id", "data_interval_end.month, run_id"),
                ("{data_interval_start:%B}", ""),
            ],
            4,
            "given the month '2'",
        ),
        "month before the end": (
            [
                ("run_step(step, data_interval_start", "run_step(step, data_interval_end"),
                ("data_interval_start.month, run_id", "data_interval_end.month - 1, run_id"),
                ("{data_interval_start:%B}", ""),
            ],
            4,
            "given the month '0'",
        ),
        "another time zone": (
            [BERLIN, ZONED, ("exists()", "parent.parent.exists()")],
            4,
            "in the time zone Europe/Berlin",
        ),
        "a name of its own for each month": (
            [("data_interval_start.month, run_id", 'data_interval_start.month, f"{data_interval_start:%B}"')],
            4,
            "Airflow's name for that run is",
        ),
        "started when it is read": (
            [("NEEDS = {", 'subprocess.run(steps.command("Pusher", 1, "x"))\nNEEDS = {')],
            0,
            "when it is read",
        ),
        "another id": ([('DAG("my_flights"', 'DAG("flights"')], 0, "It has: flights"),
        "imports the package": (
            [("import steps", "import steps\nimport tensorflow")],
            0,
            "No module named 'tensorflow'",
        ),
        "two steps, one task": (
            [
                (
                    "subprocess.run(steps",
                    '[subprocess.run(steps.command("Pusher", 1, run_id)) for _ in [0] if step == "Evaluator"]\n    status = subprocess.run(steps',
                ),
                ("status = [", "["),
            ],
            None,
            "The task `Evaluator` starts Evaluator and Pusher",
        ),
    },
    "failures": {
        "no retries": ([(OFTEN, '"retries": 0')], 2, "is not tried again"),
        "no pause": ([("minutes=2", "minutes=0")], 2, "after 0 seconds"),
        "bad data again": ([("raise AirflowFailException(", "raise RuntimeError(")], 2, "once is enough"),
        "reader alone": (
            [("if status == steps.BAD_DATA", 'if status == 65 and step == "CsvExampleGen"')],
            2,
            "was started 3 time(s)",
        ),
        "Pusher whatever happened": (
            [("op_args=[step])", 'op_args=[step], trigger_rule="all_done" if step == "Pusher" else "all_success")')],
            2,
            "Pusher was started nevertheless. `Pusher` has the `trigger_rule` 'all_done'",
        ),
        "the last whatever happened": (
            [("for step, needed in", f"{END.strip()}\n    for step, needed in")],
            2,
            "`end` has the `trigger_rule` 'all_done'",
        ),
        "skipped": (
            [
                ("raise AirflowFailException(", "raise AirflowSkipException("),
                ("import AirflowFailException", "import AirflowSkipException"),
            ],
            None,
            "must not look",
        ),
        "green": ([("raise AirflowFailException(", "return print(")], None, "must not look"),
        "no person called": ([(f", {CALLS}", "")], 2, "a person was called 0 times"),
        "called for each try": ([(CALLS, f'{CALLS}, "on_retry_callback": call')], 2, "Who is called for nothing"),
        "which task": ([("{context['ti'].task_id}", "something")], 2, "does not name what failed"),
        "which month": ([(TOLD, "")], 2, "which month"),
        "half a name of the run": ([(TOLD, "{context['run_id'][:15]}: ")], 2, "the whole name of the run"),
        "callback of the DAG": (
            [(f", {CALLS}", ""), ("default_args=DEFAULTS", f"default_args=DEFAULTS, on_failure_callback={FIRST}")],
            2,
            "no call told of",
        ),
        "callback that fails": (
            [(TOLD, "{context['month']}: ")],
            2,
            "has itself failed (on_failure_callback: KeyError",
        ),
        "task calls by itself": (
            [
                (f", {CALLS}", ""),
                ("run_step(step, data_interval_start, run_id)", "run_step(step, data_interval_start, run_id, ti)"),
                (
                    "    if status == steps",
                    '    if status and ti.try_number > (status != 65) * 2:\n        call({"data_interval_start": data_interval_start, "ti": ti})\n    if status == steps',
                ),
            ],
            2,
            "while it ran",
        ),
        "killed counts as done": (
            [("    if status:", "    if status in (1, 2, 137):")],
            2,
            "Trainer was killed by signal 9",
        ),
    },
    "sensor": {
        "none": ([("PythonSensor(task_id", "PythonOperator(task_id"), (", **WAITING", "")], 0, "is a sensor"),
        "keeps a worker": ([(MODE, '"mode": "poke"')], 1, "keeps a worker"),
        "the month before": (
            [("month_file(data_interval_start.month)", "month_file(max(1, data_interval_start.month - 1))")],
            1,
            "For which month's file",
        ),
        "the month after": (
            [("month_file(data_interval_start.month)", "month_file(data_interval_start.month % 12 + 1)")],
            1,
            "asks for another file",
        ),
        "the month after, also of December": (
            [("month_file(data_interval_start.month)", "month_file(data_interval_start.month + 1)")],
            0,
            "For which month's file",
        ),
        "another time zone": ([BERLIN, ZONED], 1, "in the time zone Europe/Berlin"),
        "counts files": (
            [
                (
                    "return Path(steps.month_file(data_interval_start.month)).exists()",
                    f"{COUNT} >= data_interval_start.month",
                )
            ],
            1,
            "For which month's file",
        ),
        "counts them to the last": (
            [
                (
                    "return Path(steps.month_file(data_interval_start.month)).exists()",
                    f"{COUNT} == data_interval_start.month",
                )
            ],
            1,
            "asks for another file",
        ),
        "any later month": (
            [("return Path(steps.month_file(data_interval_start.month)).exists()", LATER)],
            1,
            "For which month's file",
        ),
        "after the reader": (
            [('>> tasks["CsvExampleGen"]', '<< tasks["CsvExampleGen"]')],
            1,
            "does not wait for your sensor",
        ),
        "before another": (
            [('>> tasks["CsvExampleGen"]', '>> tasks["Transform"]')],
            1,
            "does not wait for your sensor",
        ),
        "gives up at once": ([("7 * 24 * 3600", "60")], 1, "gives up after 60"),
        "for ever": ([("7 * 24 * 3600", "10**9")], 1, "gives up after"),
        "every second": ([("15 * 60", "1")], 1, "looks every 1 seconds"),
        "left out": ([(MODE, f'{MODE}, "soft_fail": True')], 1, "(`soft_fail` does that)"),
    },
}


CASES_OF = {
    "end of the interval": ("well",),
    "another time zone": ("well",),
    "month before the end": ("tries",),
    "two steps, one task": ("well",),
    "bad data again": ("unreadable",),
    "reader alone": ("later",),
    "Pusher whatever happened": ("unreadable",),
    "the last whatever happened": ("unreadable",),
    "skipped": ("unreadable",),
    "green": ("unreadable",),
    "no person called": ("unreadable",),
    "called for each try": ("tries",),
    "which task": ("unreadable",),
    "which month": ("unreadable",),
    "half a name of the run": ("unreadable",),
    "a name of its own for each month": ("well",),
    "callback of the DAG": ("always",),
    "callback that fails": ("unreadable",),
    "task calls by itself": ("unreadable",),
    "killed counts as done": ("tries",),
    "counts files": ("missing",),
    "counts them to the last": ("well",),
    "any later month": ("missing",),
    "none": ("missing",),
    "the month before": ("missing",),
    "the month after": ("well",),
    "the month after, also of December": ("missing", "never"),
    "left out": ("never",),
}
"""The cases in which a wrong file goes another way than the right one; the others are about what Airflow reads in it."""

IN_EACH_RUN = {
    "gate forgotten",
    "as in Airflow 2",
    "end of the interval",
    "two steps, one task",
    "bad data again",
    "called for each try",
}
IN_EACH_RUN |= {"callback that fails", "killed counts as done", "counts files", "keeps a worker", "left out"}
"""One wrong file of each kind; Airflow takes half a minute for all of them, so the others are among the long proofs."""

WRONG_FILES = [
    pytest.param(task, name, marks=[] if name in IN_EACH_RUN else pytest.mark.long)
    for task, wrong in WRONG.items()
    for name in wrong
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory, request):
    """The lab, and for each file of a test that runs, its text and what Airflow's rehearsal wrote down."""
    chosen = {
        tuple(item.callspec.params.get(key) for key in ("task", "name"))
        for item in request.session.items
        if hasattr(item, "callspec")
    }
    folder = tmp_path_factory.mktemp("rehearsals")
    lab = lab_four.lab(folder)
    texts = {name: text or lab_four.solution() for name, text in RIGHT.items()}
    for task, wrong in WRONG.items():
        texts |= {
            f"{task}: {name}": lab_four.edited(*edits)
            for name, (edits, _, _) in wrong.items()
            if (task, name) in chosen
        }
    only = {f"{task}: {name}": CASES_OF.get(name, ()) for task, wrong in WRONG.items() for name in wrong}
    try:
        found = lab_four.rehearse(lab, texts, folder / "rehearsals", only)
    except MissingEngineError as error:
        pytest.skip(str(error))
    return lab, {name: (text, found[name]) for name, text in texts.items()}


def judged(seen, name, task):
    lab, found = seen
    lab_four.put(lab, *found[name])
    return lab_four.evaluate(lab, task)


@pytest.mark.parametrize("name", RIGHT)
def test_right_dag_passes_however_it_is_written(seen, name):
    assert [judged(seen, name, task) for task in ("dag", "failures", "sensor")] == [(5, ""), (3, ""), (2, "")]


def test_one_wrong_file_of_each_kind_is_there():
    assert {name for wrong in WRONG.values() for name in wrong} >= IN_EACH_RUN


@pytest.mark.parametrize(("task", "name"), WRONG_FILES)
def test_wrong_dag_is_told(seen, task, name):
    _, points, told = WRONG[task][name]
    got, message = judged(seen, f"{task}: {name}", task)
    assert told in message
    assert points is None or got == points


def test_file_that_was_changed_has_to_be_rehearsed_again(seen):
    lab, found = seen
    lab_four.put(lab, *found["solution"])
    path = lab.workspace / "airflow" / "dags" / "my_flights.py"
    path.write_text(path.read_text() + "\n# later\n")
    assert "rehearse" in lab_four.evaluate(lab, "dag")[1]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": 1}', json.dumps({"errors": 3})])
def test_forged_record_is_told(seen, text):
    lab, found = seen
    lab_four.put(lab, *found["solution"])
    (lab.workspace / "airflow" / "rehearsal.json").write_text(text)
    points, message = lab_four.evaluate(lab, "dag")
    assert points == 0
    assert message


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2013-02: DataGate has failed", 2),
        ("DataGate, month 2.", 2),
        ("02:DataGate", 2),
        ("scheduled__2013-11-01T00:00:00+00:00: Trainer", 11),
        ("Trainer (november)", 11),
        ("the run of 12: Trainer", 12),
        ("manual__2012-12-31T23:00:00+00:00, Trainer", 1),
    ],
)
def test_month_of_an_alert_is_found_however_it_is_written(text, month):
    assert check_failures._names_month(text, case_of(month))


@pytest.mark.parametrize(
    "text", ["scheduled__2013: Trainer", "at 02:00:00 Trainer", "Trainer, 2.5 minutes", "2013-12-01: Trainer"]
)
def test_alert_without_the_month_is_not_taken_for_one_that_has_it(text):
    assert not check_failures._names_month(text, case_of(2))


def case_of(month):
    case = Case(NAMES[month - 1], month, [])
    found = {"state": "failed", "tasks": {}, "steps": [], "alerts": [], "raised": {}, "broken": []}
    return Result(case, found | {"run": "manual__2012-12-31T23:00:00+00:00" if month == 1 else "manual__another"})


def test_long_alert_is_shown_with_the_place_where_it_is_cut():
    assert check_failures._short("x" * 200) == repr("x" * 200)
    assert check_failures._short("x" * 201).endswith("x...'")
