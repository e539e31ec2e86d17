"""Has Airflow run a student's DAG in the cases (`course.trials.dag`), elsewhere, and reads what came of it, with the types that it should have."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from course import checks
from course.labs.lab_4 import dag_file
from course.trials.dag import OUT, PLAN
from judges.lab_4.cases import UPSTREAM, Case, of_task
from judges.shared import workspace_files
from judges.trial import Step, Trial

SECONDS, MOST_BYTES = 240, 5_000_000


def trial(lab: checks.Lab, cases: Mapping[str, Case]) -> Trial:
    """The student's DAG in some cases."""
    plan = {name: asdict(case) for name, case in cases.items()}
    files = {
        "dags": lab.workspace / dag_file.HOME / "dags",
        PLAN: json.dumps({"dag": dag_file.NAME, "cases": plan}),
    }
    title = f"your DAG, run by Airflow in {len(plan)} cases: steps work, fail or are killed, and files come late"
    return Trial(title, files, [Step("course.trials.dag", seconds=SECONDS)])


class Result(SimpleNamespace):
    """What happened in a case, as `course/trials/dag_runs/run.py` has written it down.

    Attributes:
        case: which case it is.
        state: of the run; `run`: its name; `tasks`: the states of its tasks.
        steps: those that were started, in order: step, month, run, task, and the code with which it ended.
        alerts: their texts; `from_tasks`: those of them that a task has made by itself, while it ran.
        broken: callbacks that have raised: task, callback, error; `raised`: what tasks have raised.
        held: for a task that kept its worker, how; `waits`: for one that waits, seconds between two looks, and until it gives up; `delays`: between tries.
        looks: how many steps had been started when a task that waits was asked once more.
    """

    def __init__(self, case: Case, found: dict[str, Any]) -> None:
        """Raises KeyError or TypeError where the record is not as it should be."""
        super().__init__(**found, case=case)
        self.from_tasks = [one["text"] for one in found["alerts"] if one["by_task"]]
        self.alerts = [one["text"] for one in found["alerts"]]

    def tries(self, step: str) -> int:
        """How often a step was started."""
        return sum(one["step"] == step for one in self.steps)

    def too_early(self) -> tuple[str, str, str] | None:
        """A step that was started before one that it needs had worked, that one, and the title of the case."""
        done: set[str] = set()
        for one in self.steps:
            for needed in UPSTREAM.get(one["step"], ()):
                if needed not in done:
                    return one["step"], needed, self.case.title
            done |= {one["step"]} if one["code"] == "0" else set()
        return None


class Found(SimpleNamespace):
    """What Airflow made of the file: `errors`, `dags`, `tasks`, `runs` of the schedule, `max_active_runs`, `sensors` and the `last` tasks; and of its runs.

    Attributes:
        limits: seconds that a task may take, for those that have an `execution_timeout`; `run_limit`: those of a run, or None.
        cases: what happened in each.
        owner: for each step that was started, in whichever case, the task that has started it first.
    """

    def __init__(self, found: dict[str, Any], plan: dict[str, Case]) -> None:
        """Raises KeyError or TypeError where the record is not as it should be."""
        super().__init__(**{"runs": [], **found})
        self.is_busy = bool(found["at_reading"]["steps"] or found["at_reading"]["alerts"])
        self.cases = {name: Result(case, found["cases"][name]) for name, case in plan.items() if self.runs}
        self.owner: dict[str, str] = {}
        for one in (one for case in self.cases.values() for one in case.steps):
            self.owner.setdefault(one["step"], one["task"])

    def has_run(self, case: Case) -> bool:
        """Whether the schedule has a run for the month of a case; where it has none, its first run was taken for it."""
        return any(datetime.fromisoformat(day).month == case.month % 12 + 1 for day in self.runs)


def read(lab: checks.Lab, task: str) -> Found:
    """What Airflow makes of the student's file in the cases that a task is judged by.

    Raises:
        checks.Wrong: it could not make a DAG of it that has runs.
    """
    if not workspace_files.inside(lab, f"{dag_file.HOME}/dags/{dag_file.NAME}.py").is_file():
        raise checks.Wrong(
            f"There is no `dags/{dag_file.NAME}.py` yet. A cell that begins with `# dags/{dag_file.NAME}.py, part 1` becomes a part of it."
        )
    wanted = of_task(task, lab.seed)
    ran = lab.run(trial(lab, wanted))
    [done], path = ran.steps, ran.folder / OUT
    if done.status is None:
        raise checks.Wrong(f"Airflow was not done with your DAG after {SECONDS} seconds: something in it does not end.")
    last = "\n".join(done.said.strip().splitlines()[-4:])
    if done.status == os.EX_UNAVAILABLE:
        raise checks.Wrong(last)
    try:
        if done.status or path.stat().st_size > MOST_BYTES:
            raise OSError
        found = Found(json.loads(path.read_text(encoding="utf-8")), wanted)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise checks.Wrong(f"Airflow did not get to the end of the runs of your DAG. Its last words: {last}") from error
    if told := _unusable(found):
        raise checks.Wrong(told)
    return found


def _unusable(found: Found) -> str:
    """Why there is no DAG, or none that has runs."""
    if found.errors:
        name, text = next(iter(found.errors.items()))
        if name == "(stored form)" and not found.runs:
            return f"Airflow has read your DAG, and could not make the form of it that it stores: {text[:300]}"
        return f"Airflow cannot read `{name[:40]}`: {text[:300]}"
    if found.is_busy:
        return (
            "Your file starts a step, or calls a person, when it is read. Airflow reads it every half minute: what a task does belongs into a function "
            "or a command that the task runs."
        )
    if dag_file.NAME not in found.dags:
        return (
            f"Your file defines no DAG with the id `{dag_file.NAME}`. It has: {', '.join(found.dags)[:100] or 'none'}."
        )
    return (
        ""
        if found.runs
        else (
            "With these settings Airflow starts no run at all: 2013 is over. Which setting says whether runs of the past are made up for? Is `end_date` "
            "behind `start_date`?"
        )
    )
