"""Judges the DAG of lab 4 by its runs: what it does when something fails (task 2), and when the month has not come (task 3)."""

from __future__ import annotations

import re

from course import checks
from judges.lab_4 import dag_trial
from judges.lab_4.cases import BAD_DATA, NAMES, READS, UPSTREAM, after
from judges.lab_4.check_dag import add_up, ended, failures, not_started, stuck, times, why
from judges.lab_4.dag_trial import Found, Result

PAUSE, LOOK, TRIES = (5, 6 * 3600), (10, 86_400), (2, 11)
"""From, to: seconds between two tries, seconds between two looks of a sensor, and tries of a step that fails for good."""


def judge_failures(lab: checks.Lab) -> None:
    """Three points: tried again, not when the data are bad, and a person is called.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = dag_trial.read(lab, "failures")
    if told := not_started(found, *UPSTREAM):
        raise checks.Wrong(f"{told} Task 1 comes first.")
    add_up(found, _retries, _bad_data, _alerts)


def _retries(found: Found) -> str:
    again = found.cases["tries"]
    waits = next((task for task in (*again.held, *again.waits) if again.tasks.get(task) != "success"), "")
    if waits and not again.tries(READS):
        return (
            f"In {again.case.title} the files of all months were there, and `{waits[:60]}` did not let {READS} begin: whether it is tried again cannot be seen. The sensor "
            "has to ask for the file of the run's month (task 3)."
        )
    tried = [(step, again, ended(endings[0]), (2, 2)) for step, endings in again.case.endings.items()]
    tried += [(*one, TRIES) for one in failures(found) if one[1].case.endings[one[0]] != [BAD_DATA]]
    for step, result, told, (least, most) in tried:
        if not least <= result.tries(step) <= most:
            good = "It works the second time" if result is again else "It never works"
            return (
                f"In {result.case.title} {step} {told} and was started {times(result.tries(step))}. {good}: each status but 0 is a failure, each but {BAD_DATA} "
                "is worth another try, and one to ten are reasonable."
            )
        for pause in result.delays.get(found.owner[step], [0.0]):
            if not PAUSE[0] <= round(pause, 1) <= PAUSE[1]:
                return f"{step} is tried again after {pause:g} seconds. What passes by itself needs a while, and the month should not wait for a day: 5 s to 6 h."
    if again.state != "success":
        return f"In {again.case.title} each step worked at its second try, and the run ended as {again.state!r}. {why(again)}"
    return ""


def _bad_data(found: Found) -> str:
    for step, result, told in failures(found):
        if result.case.endings[step] != [BAD_DATA]:
            continue
        if result.tries(step) != 1:
            return (
                f"In {result.case.title} {step} {told}, and was started {times(result.tries(step))}. The data do not become better by trying: "
                "once is enough. Which exception of Airflow fails a task for good?"
            )
        state, on = result.tasks.get(found.owner[step], ""), [one for one in after(step) - {step} if result.tries(one)]
        if state == "failed" and on:
            return f"In {result.case.title} {step} failed, and {min(on)} was started nevertheless: does its task wait for it, and what is its `trigger_rule`?"
        if state != "failed" or result.state != "failed":
            green = ", ".join(f"`{task[:60]}`" for task in found.last if result.tasks.get(task) == "success")
            return (
                f"In {result.case.title} the data were bad, and Airflow has {step} as {state!r} and the run as {result.state!r}. A month that was not learned from "
                "must not look like one that was: both have to be failed. A run is what its last tasks are"
                f"{f', and {green} did not ask whether all had worked' if green else ''}."
            )
    return ""


def _alerts(found: Found) -> str:
    quiet = found.cases["tries"]
    if quiet.alerts and quiet.state == "success":
        return (
            f"In {quiet.case.title} everything worked in the end, and a person was called {times(len(quiet.alerts))}: {_short(quiet.alerts[0])}. "
            "Who is called for nothing stops listening."
        )
    some = [*(result for _, result, _ in failures(found)), found.cases["two"]]
    lost = [(one, steps) for one in some if (steps := [step for step in one.case.endings if one.tries(step)])]
    return next(filter(None, (_calls(found, one, steps) for one, steps in lost)), "")


def _calls(found: Found, result: Result, steps: list[str]) -> str:
    """What is wrong with the calls of a case in which these steps have failed for good. One call may name several of them."""
    what = f"In {result.case.title} {' and '.join(steps)} failed for good, and"
    if told := _callbacks(result):
        return told
    if not result.alerts or len(result.alerts) > len(steps):
        return (
            f"{what} a person was called {times(len(result.alerts))}; wanted is once for each task that fails for good. Where does Airflow look for what it "
            "should call?"
        )
    told: set[str] = set()
    for text in result.alerts:
        named = {step for step in UPSTREAM if _names(text, step, found.owner[step])}
        if not named & set(steps) or len(named) > len(steps) + 3:
            return f"{what} the call says {_short(text)}: it does not tell which task has failed."
        if found.has_run(result.case) and not names_month(text, result.case.month, result.run):
            return f"{what} the call says {_short(text)}: not which month it is about, by its name, its number, or the whole name of the run."
        told |= named
    silent = next((step for step in steps if step not in told), "")
    return f"{what} no call told of {silent}: wanted is a call for each task that fails for good." if silent else ""


def _callbacks(result: Result) -> str:
    """What is wrong with what has called: a callback that itself fails, or a task that calls while it runs."""
    if result.broken:
        one = result.broken[0]
        return (
            f"In {result.case.title} a callback of `{one['task'][:60] or 'the DAG'}` has itself failed ({one['callback']}: {one['error'][:300]}). Airflow only writes "
            "that into the log, and the call is lost. What the context holds is in the hint."
        )
    if result.from_tasks:
        return (
            f"In {result.case.title} a task has called by itself, while it ran: {_short(result.from_tasks[0])}. A task that is killed cannot do that: leave the "
            "call to Airflow, which makes it when the task has failed for good."
        )
    return ""


def _short(text: str) -> str:
    """A text as a student is shown it, with the place where it was cut."""
    return repr(text if len(text) <= 200 else f"{text[:200]}...")


def _names(text: str, *names: str) -> bool:
    return any(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE) for name in names)


def names_month(text: str, month: int, run: str) -> bool:
    """Whether a text has a month: by its name, its number, a date in it, or the name of the run. A time of day is none of them."""
    numbers = re.findall(r"(?<!\d)(?<!\d[:.])0?(\d{1,2})(?!\d|[:.]\d)", text)
    name = re.search(rf"(?<![a-z]){NAMES[month - 1][:3]}", text, re.IGNORECASE)
    return (bool(run) and run in text) or bool(name) or str(month) in numbers


def judge_sensor(lab: checks.Lab) -> None:
    """Two points: it waits for the month that is run, and for a time that is limited, without keeping a worker.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = dag_trial.read(lab, "sensor")
    if told := not_started(found, READS):
        raise checks.Wrong(f"{told} Task 1 comes first.")
    late, well = found.cases["comes"], found.cases["well"]
    if not found.has_run(late.case):
        raise checks.Wrong(
            f"Your schedule has no run for {NAMES[late.case.month - 1]}, in which the file comes late. Task 1 comes first."
        )
    if not found.sensors and not any(result.waits or result.held for result in (late, well)):
        raise checks.Wrong(
            f"In {late.case.title} the file was not there, and none of your tasks waits: a sensor is a task that asks again and again. Airflow has some for files, "
            "functions and commands."
        )
    add_up(found, _waits, _patient)


def _waits(found: Found) -> str:
    result = found.cases["comes"]
    month, first = NAMES[result.case.month - 1], result.looks[0] if result.looks else len(result.steps)
    if READS in [one["step"] for one in result.steps[:first]]:
        return (
            f"In {result.case.title} the file of {month} was not there, those of all other months were; and {READS} was started. For which month's file does your "
            f"sensor ask, and does {READS} wait for it? A run is of the month in which its data interval begins."
        )
    if found.cases["well"].tasks and not found.cases["well"].tries(READS):
        return stuck(found) or f"In {found.cases['well'].case.title} the file was there, and {READS} was not started."
    alone = found.cases["alone"]
    if not alone.tries(READS):
        return (
            f"In {alone.case.title} the file of {month} was there, those of the months before it were not, and {READS} was not started: your sensor asks for other files "
            "than that of the run's month."
        )
    if not result.held and result.state != "success":
        return f"In {result.case.title} the file came 50 minutes late, and the run is {result.state!r}: it has to wait, and to go on when the file is there. {why(result)}"
    return ""


def _patient(found: Found) -> str:
    result = found.cases["never"]
    for task, how in (result.held | found.cases["well"].held).items():
        return f"`{task[:60]}` keeps a worker for as long as it waits, for days perhaps ({how[:60]}). There is a `mode` in which the worker is free between two looks."
    for task, (every, _) in result.waits.items():
        if not LOOK[0] <= round(every, 1) <= LOOK[1]:
            return f"`{task[:60]}` looks every {every:.0f} seconds. Between ten seconds and a day is reasonable for a file that comes once a month."
    waited = [task for task in result.waits if result.tasks.get(task)]
    what = f"In {result.case.title} the file did not come, and"
    if not waited:
        return _waits(found) or f"{what} your sensor did not wait for it."
    if len(result.looks) < 2:
        return f"{what} after 50 minutes it was given up. A sender may be some days late: an hour to 31 days."
    if result.state != "failed" or result.tasks[waited[0]] == "skipped":
        return (
            f"{what} after 32 days Airflow has `{waited[0][:60]}` as {result.tasks[waited[0]]!r} and the run as {result.state!r}: both have to be failed after an hour to "
            "31 days. A month that is missing must not look like one that was done, or left out on purpose (`soft_fail` does that)."
        )
    if told := _callbacks(result):
        return told
    if len(result.alerts) != 1 or not _names(result.alerts[0], *waited):
        said = f": {_short(result.alerts[0])}" if result.alerts else ""
        return (
            f"{what} a person was called {times(len(result.alerts))}{said}. Wanted is one call, which names the sensor."
        )
    return ""
