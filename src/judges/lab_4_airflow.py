"""Lab 4, Airflow: what it gives to the student, and its tasks.

Months and package are the same for all. The cases in which a DAG is run, and the incidents, depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from course.labs.lab_4.given import PACKAGE
from flights.data import month_path
from judges.lab_3 import months, solution_package
from judges.lab_4 import check_dag, check_failures, check_nights, check_runs, night_files, nights

PRELOAD = ("tensorflow",)
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 900, 300
"""What grading gives a submission, and each of its cells, by the clock and on one core: it runs whole pipelines."""


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from: two months, the package of lab 3, and what another installation has left.

    Returns:
        A line for each folder: what is in it.
    """
    root = lab.workspace
    for number in months.GOOD:
        path = month_path(root / "months", number)
        path.parent.mkdir(parents=True)
        text = months.month(number).to_csv(index=False, float_format="%.2f", lineterminator="\n")
        path.write_text(text, encoding="utf-8")
    (root / PACKAGE).mkdir()
    solution_package.write(root / PACKAGE)
    night_files.write(root, lab.seed)
    return [
        "months/span-01, span-02: January and February, 2,000 flights each",
        "package/my_flights: the package that lab 3 builds",
        f"{nights.FOLDER}/: what the Airflow of another installation says of its runs, its logs and alerts (task 5)",
    ]


@checks.task("dag", points=5, title="1. The DAG")
def dag(lab: checks.Lab) -> None:
    """A task for each step, in the pipeline's order, twelve months, one at a time."""
    check_dag.judge_dag(lab)


@checks.task("failures", points=3, title="2. What fails")
def failures(lab: checks.Lab) -> None:
    """Tried again, or not, and a person is called."""
    check_failures.judge_failures(lab)


@checks.task("sensor", points=2, title="3. The month that has not come")
def sensor(lab: checks.Lab) -> None:
    """Waiting, without keeping a worker."""
    check_failures.judge_sensor(lab)


@checks.task("run", points=2, title="4. Two months")
def run(lab: checks.Lab, store: Any) -> None:
    """Two real runs."""
    check_runs.judge_run(lab, store)


@checks.task("nights", points=3, title="5. Three nights")
def three_nights(lab: checks.Lab, nights: Any) -> None:
    """What failed, why, and what is cleared."""
    check_nights.judge_nights(lab, nights)
