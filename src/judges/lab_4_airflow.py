"""Lab 4, Airflow: what it gives to the student, and its tasks.

Months and package are the same for all. The cases of the rehearsal and the incidents depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_4 import check_dag, check_failures, check_runs, dag_file, failed_runs, given
from judges.lab_4.notebook import airflow, grid, rehearse

__all__ = ["airflow", "data", "deliver", "grid", "rehearse"]


def __dir__() -> list[str]:
    """What a student is shown who asks what is here: not what the tasks are judged with."""
    return __all__


PRELOAD = ("tensorflow",)
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 900, 300
"""What grading gives a submission, and each of its cells, by the clock and on one core: it runs whole pipelines."""


def deliver() -> None:
    """Writes all that is given into the workspace of the lab that has begun, and lets cells become the file of the DAG; says what and where."""
    checks.deliver()
    dag_file.begin()


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each folder: what is in it.
    """
    return given.write(lab)


@checks.task("dag", points=5, title="1. The DAG")
def dag(lab: checks.Lab) -> None:
    """A task for each step, in the pipeline's order, twelve months, one at a time."""
    check_dag.judge_dag(lab)


@checks.task("failures", points=3, title="2. What fails")
def failures(lab: checks.Lab) -> None:
    """Tried again, or not, and somebody is called."""
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
    failed_runs.judge_nights(lab, nights)
