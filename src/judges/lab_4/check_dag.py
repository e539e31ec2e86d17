"""Judges the DAG of lab 4 by its runs: its tasks, their order, and the schedule (task 1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from course import checks
from judges.lab_4 import dag_trial
from judges.lab_4.cases import NAMES, UPSTREAM, after, before
from judges.lab_4.dag_trial import Found, Result

LATEST_DAY = 7
"""A month is run on one of these days of the month after it."""
Part = tuple[float, Callable[[Found], str]]
"""Points, and what is wrong in a sentence; empty when nothing is."""


def add_up(found: Found, parts: list[Part]) -> None:
    """Adds the points of those parts in which nothing is wrong, and tells what is wrong in the others."""
    told = [(points, judge(found)) for points, judge in parts]
    wrong = [sentence for _, sentence in told if sentence]
    if wrong:
        raise checks.Wrong("\n".join(dict.fromkeys(wrong)), sum(points for points, sentence in told if not sentence))


def judge_dag(lab: checks.Lab) -> None:
    """Five points: a task for each step (1), what they wait for (2), the schedule (1), the month and the run (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    add_up(dag_trial.read(lab), [(1, _tasks), (1, _missing), (1, _needless), (1, _schedule), (1, _months)])


def _tasks(found: Found) -> str:
    for step in UPSTREAM:
        if step not in found.owner:
            return (
                stuck(found) or f"No task has started the step {step}: its command is `steps.command({step!r}, ...)`."
            )
        other = next((one for one in UPSTREAM if one != step and found.owner.get(one) == found.owner[step]), "")
        if other:
            return f"The task `{found.owner[step][:60]}` starts {step} and {other}. Each step is a task of its own, so that each can be tried again."
    result = found.cases["well"]
    twice = next((step for step in UPSTREAM if result.tries(step) > 1), "")
    if twice:
        return f"In a run in which every step works, {twice} was started {result.tries(twice)} times."
    if result.state != "success":
        return stuck(found) or f"The run in which every step works ended as {result.state!r}."
    return ""


def stuck(found: Found) -> str:
    """Where the run in which every step works has stopped, if it has."""
    result = found.cases["well"]
    waits = next((task for task in (*result.held, *result.waits) if result.tasks.get(task) != "success"), "")
    if waits:
        return (
            f"In {result.case.title} the file of {NAMES[0]} is there, that of {NAMES[1]} is not and some later ones are, and `{waits[:60]}` did not go on: "
            f"it asks for another file than that of the run's month. {zone(found, 1)}"
        ).rstrip()
    told = why(result)
    return f"In {result.case.title} {told}" if told else ""


def why(result: Result) -> str:
    """Which task has failed, and what it raised, as the rest of a sentence."""
    failed = next((name for name, state in result.tasks.items() if state == "failed"), "")
    return f"`{failed[:60]}` has failed: {result.raised.get(failed, 'it said nothing')[:200]}" if failed else ""


def zone(found: Found, month: int) -> str:
    """That a run begins in the month before its own by Airflow's clock, if it does because of the time zone of `start_date`."""
    start = found.starts[month - 1] if month <= len(found.starts) else ""
    if "UTC" in found.zone or _date(start)[1] == month or _date(found.runs[month - 1])[1] == _date(start)[1]:
        return ""
    return (
        f"Your `start_date` is in another time zone than UTC ({found.zone[:60]}), and Airflow hands over moments in UTC, where the run for {NAMES[month - 1]} begins on "
        f"{start[:16]}: give `start_date` in UTC, or turn a moment into your time zone before you take its month."
    )


def failures(found: Found) -> list[tuple[str, Result]]:
    """The cases in which one step fails for good, with that step."""
    some = [(name.removeprefix("fails "), one) for name, one in found.cases.items() if name.startswith("fails ")]
    return [(step, one) for step, one in some if one.tries(step)]


def _unseen(found: Found) -> str:
    """Why the order of tasks cannot be seen, if so."""
    if len({found.owner[step] for step in UPSTREAM if step in found.owner}) < len(UPSTREAM):
        return "What your tasks wait for can be seen when each step has its task."
    for step, result in failures(found):
        state = result.tasks.get(found.owner[step], "")
        if state != "failed":
            [ending] = result.case.endings[step]
            return (
                f"In {result.case.title} {step} {ended(ending)}, and Airflow has its task as {state!r}. What waits for a step can only be seen when its task fails "
                "with it."
            )
    return ""


def ended(status: int) -> str:
    """How a step ended, in words."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _missing(found: Found) -> str:
    for result in found.cases.values() if not _unseen(found) else ():
        if early := result.too_early():
            step, needed = early
            hint = (
                " Nothing that DataGate writes is read by it; look at `add_upstream_node`."
                if needed == "DataGate"
                else ""
            )
            return (
                f"In {result.case.title} {step} was started, and {needed} had not worked. The pipeline says that {step} has to wait for it: `create_components` in "
                f"`my_flights/pipeline.py`.{hint}"
            )
    return _unseen(found)


def _needless(found: Found) -> str:
    for step, result in failures(found) if not _unseen(found) else ():
        idle = [
            one for one in UPSTREAM if one not in after(step) and not result.tries(one) and not before(one) & {step}
        ]
        if idle:
            return (
                f"In {result.case.title} {step} failed, and {idle[0]} was not started, though it does not need {step}, not even by way of others. When {step} is done "
                f"again, Airflow would do {idle[0]} again, too."
            )
    return _unseen(found)


def _schedule(found: Found) -> str:
    wanted = [(2013, month) for month in range(2, 13)] + [(2014, 1)]
    given = [_date(text) for text in found.runs]
    count = f"{len(given)} run{'s' if len(given) > 1 else ''}"
    if [date[:2] for date in given] != wanted:
        return (
            f"Your schedule starts {count}, the first on {found.runs[0][:10]} and the last on {found.runs[-1][:10]}. Wanted are twelve: each month of 2013 is run once "
            f"it is over, in the first days of the next. `lab.rehearse()` shows what Airflow makes of `schedule`, `start_date` and `end_date`. {no_interval(found)}"
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


def no_interval(found: Found) -> str:
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


def _months(found: Found) -> str:
    if not found.cases["well"].steps:
        return stuck(found) or "Which month the steps are given cannot be seen: none was started."
    for result in found.cases.values():
        wanted = result.case.month
        for one in result.steps:
            if not re.fullmatch(rf"\s*0?{wanted}\s*", one["month"]):
                return (
                    f"In {result.case.title}, which starts in {NAMES[wanted % 12]}, the step {one['step'][:40]} was given the month {one['month'][:40]!r}. "
                    f"{zone(found, wanted) or no_interval(found) or 'A run is of the month that is over: where does its data interval begin?'}"
                )
            if one["run"] != result.run:
                return (
                    f"The step {one['step'][:40]} was given {one['run'][:60]!r} as the name of its run, and Airflow's name for that run is {result.run[:80]!r}. All steps of a "
                    "run need the same name, no two runs may have one, and by Airflow's you find one in the other."
                )
    return ""
