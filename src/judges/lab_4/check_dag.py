"""Judges the DAG of lab 4 by its runs: its tasks, their order, and the schedule (task 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from course import checks
from course.labs.lab_4 import run_states
from judges.lab_4 import dag_trial
from judges.lab_4.cases import NAMES, UPSTREAM, after
from judges.lab_4.dag_trial import Found, Result

LATEST_DAY = 7
"""A month is run on one of these days of the month after it."""
STEP_SECONDS, RUN_SECONDS = 300, 600
"""What a time limit has to leave to a step, and to a run: the slowest step of a month takes some 20 s on a laptop, and a month a minute."""
INTERVAL = (
    "A run is of the month in which its data interval begins. Since Airflow 3 a bare cron expression gives none: which timetable has intervals? Airflow hands "
    "over moments in UTC, whatever the time zone of `start_date` is."
)
Part = Callable[[Found], str]
"""What is wrong, in a sentence; empty when nothing is."""


def add_up(found: Found, *parts: Part) -> None:
    """Adds a point for each part in which nothing is wrong, and tells what is wrong in the others."""
    wrong = [sentence for part in parts if (sentence := part(found))]
    if wrong:
        raise checks.Wrong("\n".join(dict.fromkeys(wrong)), len(parts) - len(wrong))


def judge_dag(lab: checks.Lab) -> None:
    """Five points: a task for each step, that waits for what it needs, and for no more; the schedule; the month and the run.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    add_up(dag_trial.read(lab, "dag"), _tasks, _missing, _needless, _schedule, _months)


def _tasks(found: Found) -> str:
    well = found.cases["well"]
    if told := not_started(found, *UPSTREAM):
        return told
    for step in UPSTREAM:
        same = [one for one in UPSTREAM if found.owner[one] == found.owner[step]]
        if len(same) > 1:
            return f"The task `{found.owner[step][:60]}` starts {same[0]} and {same[1]}. Each step is a task of its own, so that each can be tried again."
        if well.tries(step) != 1:
            return stuck(found) or f"In a run in which every step works, {step} was started {times(well.tries(step))}."
    if told := _hurried(found):
        return told
    return "" if well.state == "success" else f"The run in which every step works ended as {well.state!r}. {why(well)}"


def _hurried(found: Found) -> str:
    """Which time limit is too short for real steps; stand-ins end at once."""
    for task, seconds in found.limits.items():
        if task in found.owner.values() and seconds < STEP_SECONDS:
            return (
                f"`{task[:60]}` is stopped after {seconds:g} seconds (`execution_timeout`). A real step takes longer than the stand-in: if you limit it, leave it at least "
                f"{STEP_SECONDS // 60} minutes."
            )
    if found.run_limit is None or found.run_limit >= RUN_SECONDS:
        return ""
    return (
        f"A run of your DAG is stopped after {found.run_limit:g} seconds (`dagrun_timeout`). The real steps of a month, and what a sensor waits, take longer: if you "
        f"limit it, leave it at least {RUN_SECONDS // 60} minutes, and as long as your sensor waits."
    )


def not_started(found: Found, *steps: str) -> str:
    """Which of these steps was started in no case, and why."""
    lost = next((step for step in steps if step not in found.owner), "")
    return lost and (
        stuck(found) or f"No task has started the step {lost}: its command is `steps.command({lost!r}, ...)`."
    )


def stuck(found: Found) -> str:
    """Where the run in which all works has stopped, if it has."""
    well = found.cases["well"]
    if not found.has_run(well.case):
        return f"Your schedule has no run for {NAMES[0]}: that all works in it cannot be seen."
    if told := run_states.left_out(well.case.month, found.tasks, well.tasks):
        return told
    waits = next((task for task in (*well.held, *well.waits) if well.tasks.get(task) != "success"), "")
    if waits:
        return (
            f"In {well.case.title} the file of {NAMES[0]} is there, that of {NAMES[1]} is not and some later ones are, and `{waits[:60]}` did not go on: "
            f"it asks for another file than that of the run's month. {INTERVAL}"
        )
    return why(well)


def why(result: Result) -> str:
    """Which task has failed, and what it raised."""
    failed = next((name for name, state in result.tasks.items() if state == "failed"), "")
    raised = result.raised.get(failed, "it said nothing")[:200]
    return f"In {result.case.title} `{failed[:60]}` has failed: {raised}." if failed else ""


def times(count: int) -> str:
    """How often."""
    return f"{count} time{'' if count == 1 else 's'}"


def failures(found: Found) -> Iterator[tuple[str, Result, str]]:
    """The cases in which one step fails for good, with that step, and how it ended in words."""
    for name, result in found.cases.items():
        if name.startswith("fails ") and result.tries(step := name.removeprefix("fails ")):
            yield step, result, ended(result.case.endings[step][0])


def ended(status: int) -> str:
    """How a step ended, in words."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _unseen(found: Found) -> str:
    """Why the order of tasks cannot be seen, if so."""
    if len({found.owner[step] for step in UPSTREAM if step in found.owner}) < len(UPSTREAM):
        return "What your tasks wait for can be seen when each step has its task."
    for step, result, told in failures(found):
        if (state := result.tasks.get(found.owner[step], "")) != "failed":
            return f"In {result.case.title} {step} {told}, and Airflow has its task as {state!r}. What waits for a step can only be seen when its task fails with it."
    return ""


def _missing(found: Found) -> str:
    if told := _unseen(found):
        return told
    step, needed, title = next(
        (early for result in found.cases.values() if (early := result.too_early())), ("", "", "")
    )
    return step and (
        f"In {title} {step} was started, and {needed} had not worked. The pipeline says that {step} has to wait for it: by what it is given, or by "
        "`add_upstream_node`, in `create_components` of `my_flights/pipeline.py`."
    )


def _needless(found: Found) -> str:
    if told := _unseen(found):
        return told
    for step, result, _ in failures(found):
        idle = next((one for one in UPSTREAM if one not in after(step) and not result.tries(one)), "")
        if idle:
            return (
                f"In {result.case.title} {step} failed, and {idle} was not started, though it does not need {step}, not even by way of others. When {step} is done "
                f"again, Airflow would do {idle} again, too."
            )
    return ""


def _schedule(found: Found) -> str:
    days = [datetime.fromisoformat(text) for text in found.runs]
    if [(day.year, day.month) for day in days] != [(2013 + month // 12, month % 12 + 1) for month in range(1, 13)]:
        return (
            f"Your schedule starts {len(days)} run{'s' if len(days) > 1 else ''}, the first on {days[0]:%Y-%m-%d} and the last on {days[-1]:%Y-%m-%d}. Wanted are "
            "twelve: each month of 2013 is run once it is over, in the first days of the next. `lab.rehearse()` shows what Airflow makes of `schedule`, "
            f"`start_date` and `end_date`. {INTERVAL}"
        )
    if late := next((day for day in days if day.day > LATEST_DAY), None):
        return f"A run starts on {late:%Y-%m-%d}: a month is run in the first {LATEST_DAY} days of the next."
    return found.max_active_runs != 1 and (
        f"{found.max_active_runs} runs of your DAG may be active at a time. They share the baseline and a folder; twelve runs are made up for: one at a time, and in order."
    )


def _months(found: Found) -> str:
    if not found.cases["well"].steps:
        return (
            not_started(found, *UPSTREAM)
            or stuck(found)
            or "Which month the steps are given cannot be seen: none was started."
        )
    for result in found.cases.values():
        wanted = result.case.month
        if not found.has_run(result.case):
            continue
        for one in result.steps:
            if not re.fullmatch(rf"\s*0?{wanted}\s*", one["month"]):
                return f"In {result.case.title}, which starts in {NAMES[wanted % 12]}, the step {one['step'][:40]} was given the month {one['month'][:40]!r}. {INTERVAL}"
            if one["run"] != result.run:
                return (
                    f"The step {one['step'][:40]} was given {one['run'][:60]!r} as the name of its run, and Airflow's name for that run is {result.run[:80]!r}. All steps of a "
                    "run need the same name, no two runs may have one, and by Airflow's you find one in the other."
                )
    return ""
