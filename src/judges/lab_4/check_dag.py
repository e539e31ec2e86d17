"""Judges the DAG of lab 4 by its rehearsal: its tasks, their order, and the schedule (task 1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from course import checks
from judges.lab_4 import dag_file, rehearsed
from judges.lab_4.cases import NAMES, UPSTREAM, before
from judges.lab_4.rehearsed import Rehearsal

LATEST_DAY = 7
"""A month is run on one of these days of the month after it."""
Part = tuple[float, Callable[[Rehearsal], str]]
"""Points, and what is wrong in a sentence; empty when nothing is."""


def add_up(found: Rehearsal, parts: list[Part]) -> None:
    """Adds the points of those parts in which nothing is wrong, and tells what is wrong in the others."""
    told = [(points, judge(found)) for points, judge in parts]
    wrong = [sentence for _, sentence in told if sentence]
    if wrong:
        raise checks.Wrong("\n".join(wrong), points=sum(points for points, sentence in told if not sentence))


def read(lab: checks.Lab) -> Rehearsal:
    """The rehearsal, if Airflow could make a DAG of the file.

    Raises:
        checks.Wrong: it could not.
    """
    found = rehearsed.of_student(lab)
    if not found.is_there:
        told = [f"Airflow cannot read `{name[:40]}`: {text[:300]}" for name, text in found.errors.items()]
        named = f" It has: {', '.join(found.dags)[:100]}." if found.dags else ""
        raise checks.Wrong(told[0] if told else f"Your file defines no DAG with the id `{dag_file.NAME}`.{named}")
    if found.errors:
        name, text = next(iter(found.errors.items()))
        raise checks.Wrong(f"Airflow reports an error in `{name[:40]}`: {text[:300]}")
    if found.at_reading or found.alerts_at_reading:
        raise checks.Wrong(
            "Your file starts a step, or calls a person, when it is read. Airflow reads it every half minute: what a task does belongs into a function "
            "or a command that the task runs."
        )
    if not found.runs:
        raise checks.Wrong(
            "With these settings Airflow starts no run at all: 2013 is over. Which setting says whether runs of the past are made up for? Is `end_date` "
            "behind `start_date`?"
        )
    return found


# --- Task 1 -------------------------------------------------------------------------------------------------------


def judge_dag(lab: checks.Lab) -> None:
    """Five points: a task for each step (1), what they wait for (2), the schedule (1), the month and the run (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = read(lab)
    add_up(found, [(1, _tasks), (1, _missing), (1, _needless), (1, _schedule), (1, _months)])


def _tasks(found: Rehearsal) -> str:
    for step in UPSTREAM:
        task = found.task_of(step)
        if task is None:
            return (
                stuck(found) or f"No task has started the step {step}: its command is `steps.command({step!r}, ...)`."
            )
        others = [other for other in UPSTREAM if other != step and found.task_of(other) == task]
        if others:
            return f"The task `{task[:60]}` starts {step} and {others[0]}. Each step is a task of its own, so that each can be tried again."
    result = found.cases["well"]
    twice = next((step for step in UPSTREAM if result.tries(step) > 1), "")
    if twice:
        return f"In a run in which every step works, {twice} was started {result.tries(twice)} times."
    if result.state != "success":
        return stuck(found) or f"The run in which every step works ended as {result.state!r}."
    return ""


def stuck(found: Rehearsal) -> str:
    """Where the run in which every step works has stopped, if it has."""
    states, raised = found.cases["well"].states, found.cases["well"].raised
    over = {
        name for name, text in raised.items() if "SensorTimeout" in text
    }  # in the other mode it sits until its time is over
    waits = [
        task.name
        for task in found.sensors
        if states.get(task.name) in ("up_for_reschedule", "deferred") or task.name in over
    ]
    if waits:
        return (
            f"In the rehearsal of {NAMES[0]} the file of {NAMES[0]} is there, that of {NAMES[1]} is not and some later ones are, and `{waits[0][:60]}` did not go on: "
            f"it asks for another file than that of the run's month. {zone(found, 1)}"
        ).rstrip()
    failed = next((name for name, state in states.items() if state == "failed"), "")
    return (
        f"In the rehearsal of {NAMES[0]} the task `{failed[:60]}` has failed; `lab.rehearse()` shows where."
        if failed
        else ""
    )


def zone(found: Rehearsal, month: int) -> str:
    """That a run begins in the month before its own by Airflow's clock, if it does because of the time zone of `start_date`."""
    start = found.starts[month - 1] if month <= len(found.starts) else ""
    if found.zone == "UTC" or _date(start)[1] == month or _date(found.runs[month - 1])[1] == _date(start)[1]:
        return ""
    return (
        f"Your `start_date` is in the time zone {found.zone[:40]}, and Airflow hands over moments in UTC, where the run for {NAMES[month - 1]} begins on {start[:16]}: "
        "give `start_date` in UTC, or turn a moment into your time zone before you take its month."
    )


def _closures(found: Rehearsal) -> dict[str, set[str]]:
    """For each step that a task starts, the steps that its task waits for."""
    steps = {task: step for step in UPSTREAM if (task := found.task_of(step))}
    return {step: {steps[one] for one in found.closure(task) if one in steps} for task, step in steps.items()}


def _missing(found: Rehearsal) -> str:
    closures = _closures(found)
    if len(closures) < len(UPSTREAM):
        return "What your tasks wait for can be judged when each step has its task."
    for step, waits in closures.items():
        missing = before(step) - waits
        if missing:
            near = next(one for one in (*UPSTREAM[step], *UPSTREAM) if one in missing)
            hint = (
                " Nothing that DataGate writes is read by it; look at `add_upstream_node`."
                if near == "DataGate"
                else ""
            )
            return f"{step} does not wait for {near}, and the pipeline says that it has to: `create_components` in `my_flights/pipeline.py`.{hint}"
    return ""


def _needless(found: Rehearsal) -> str:
    closures = _closures(found)
    if len(closures) < len(UPSTREAM):
        return ""
    for step, waits in closures.items():
        needless = waits - before(step)
        if needless:
            far = next(one for one in UPSTREAM if one in needless)
            return (
                f"{step} waits for {far}, whose results it does not need, not even by way of others. When {far} is done again, Airflow "
                f"would do {step} again, too."
            )
    return ""


def _schedule(found: Rehearsal) -> str:
    wanted = [(2013, month) for month in range(2, 13)] + [(2014, 1)]
    given = [_date(text) for text in found.runs]
    listed = f"Your schedule starts {len(given)} runs, the first on {found.runs[0][:10]} and the last on {found.runs[-1][:10]}."
    if [date[:2] for date in given] != wanted:
        return (
            f"{listed} Wanted are twelve: each month of 2013 is run once it is over, in the first days of the next. `lab.rehearse()` "
            f"shows what Airflow makes of `schedule`, `start_date` and `end_date`. {no_interval(found)}"
        ).rstrip()
    late = next((text for text, date in zip(found.runs, given, strict=True) if date[2] > LATEST_DAY), "")
    if late:
        return f"A run starts on {late[:10]}: a month is run in the first {LATEST_DAY} days of the next."
    if found.max_active_runs != 1:
        return (
            f"{found.max_active_runs} runs of your DAG may be active at a time. They share the baseline and a folder; twelve runs are made up for: "
            "one at a time, and in order."
        )
    return ""


def no_interval(found: Rehearsal) -> str:
    """That the runs are of a moment, if they are: since Airflow 3 a schedule has an interval only if it is asked for one."""
    if datetime.fromisoformat(found.runs[0]) != datetime.fromisoformat(found.starts[0]):
        return ""
    return (
        "The data interval of your runs begins when they start, and has no length: since Airflow 3 that is so for a bare cron expression such as `@monthly`. "
        "Which timetable has intervals?"
    )


def _date(text: str) -> tuple[int, int, int]:
    parts = re.match(r"(\d{4})-(\d\d)-(\d\d)", text)
    return (int(parts[1]), int(parts[2]), int(parts[3])) if parts else (0, 0, 0)


def _months(found: Rehearsal) -> str:
    for result in (found.cases["well"], found.cases["tries"]):
        if not result.steps:
            return stuck(found) or "Which month the steps are given cannot be seen: none was started."
        wanted = result.case.month
        for one in result.steps:
            if _number(one.month) != wanted:
                return (
                    f"In the run for {NAMES[wanted - 1]}, which starts in {NAMES[wanted % 12]}, the step {one.step[:40]} was given the month {one.month[:40]!r}. "
                    f"{zone(found, wanted) or no_interval(found) or 'A run is of the month that is over: where does its data interval begin?'}"
                )
            if one.run != result.run:
                return (
                    f"The step {one.step[:40]} was given {one.run[:60]!r} as the name of its run, and Airflow's name for that run is {result.run[:80]!r}. All steps of a run "
                    "need the same name, no two runs may have one, and by Airflow's you find one in the other."
                )
    return ""


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,2}", text.strip()) else -1
