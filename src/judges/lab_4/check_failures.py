"""Judges the DAG of lab 4 by its rehearsal: what it does when something fails (task 2), and when the month has not come (task 3)."""

from __future__ import annotations

import re

from course import checks
from judges.lab_4.cases import BAD_DATA, NAMES, READS, UPSTREAM, after
from judges.lab_4.check_dag import add_up, read, stuck
from judges.lab_4.rehearsed import EVERY, Rehearsal, Result, Task

# --- Task 2 -------------------------------------------------------------------------------------------------------


def judge_failures(lab: checks.Lab) -> None:
    """Three points: tried again (1), not when the data are bad (1), and a person is called (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = read(lab)
    lost = next((step for step in UPSTREAM if found.task_of(step) is None), "")
    if lost:
        raise checks.Wrong(stuck(found) or f"No task has started the step {lost}. Task 1 comes first.")
    add_up(found, [(1, _retries), (1, _bad_data), (1, _alerts)])


def _retries(found: Rehearsal) -> str:
    result = found.cases["tries"]
    for step in UPSTREAM:
        task = found.tasks[found.task_of(step)]
        if task.retries < 1:
            return (
                f"{step} is not tried again when it fails, whatever the reason: `retries` of `{task.name[:60]}` is 0."
            )
        if task.retries > 10:
            return f"{step} is tried {task.retries + 1} times before anybody hears of it."
        if not 5 <= task.delay <= 6 * 3600:
            return f"{step} is tried again after {task.delay:g} seconds. What passes by itself needs a while, and the month should not wait for a day: 5 s to 6 h."
    for step, endings in result.case.endings.items():
        if result.tries(step) != len(endings):
            return (
                f"In {_case(result)}, {step} {_ended(endings[0])} and was started {result.tries(step)} time(s). It would have worked the second time: "
                "each status but 0 is a failure."
            )
    return "" if result.state == "success" else f"{_case(result)} ended as {result.state!r}."


def _ended(status: int) -> str:
    """How a step ended, in words."""
    return f"was killed by signal {-status} (status {status})" if status < 0 else f"ended with status {status}"


def _case(result: Result) -> str:
    return f"the rehearsal of {NAMES[result.case.month - 1]}"


def _bad_data(found: Rehearsal) -> str:
    for name in ("unreadable", "later"):
        result = found.cases[name]
        [step] = result.case.endings
        if not result.tries(step):
            return stuck(found) or f"In {_case(result)}, {step} was not started."
        if result.tries(step) != 1:
            return (
                f"In {_case(result)}, {step} ended with status {BAD_DATA}, and was started {result.tries(step)} time(s). The data do not become better by trying: "
                "once is enough. Which exception of Airflow fails a task for good?"
            )
        state = result.states.get(found.task_of(step), "")
        on = [one for one in result.started() if one in after(step) - {step}]
        if state == "failed" and on:
            return f"In {_case(result)} {step} failed, and {on[0]} was started nevertheless.{_rule(found.tasks[found.task_of(on[0])])}"
        if state != "failed" or result.state != "failed":
            return (
                f"In {_case(result)} the data were bad, and Airflow has {step} as {state!r} and the run as {result.state!r}. A month that was not learned from must not look "
                f"like one that was: both have to be failed.{_rule(_last(found, result)) if state == 'failed' else ''}"
            )
    return ""


def _rule(task: Task | None) -> str:
    """That a task does not ask whether those before it have worked, if it does not."""
    if task is None or task.rule == EVERY:
        return ""
    return f" `{task.name[:60]}` has the `trigger_rule` {task.rule[:40]!r}, which does not ask whether all before it have worked."


def _last(found: Rehearsal, result: Result) -> Task | None:
    """A task that worked although one before it had failed, and that no other waits for: it makes the run a success."""
    waited = {one for task in found.tasks.values() for one in task.needs}
    last = [task for task in found.tasks.values() if task.name not in waited and task.rule != EVERY]
    return next((task for task in last if result.states.get(task.name) == "success"), None)


def _alerts(found: Rehearsal) -> str:
    quiet = found.cases["tries"]
    if quiet.alerts:
        return f"In {_case(quiet)} everything worked in the end, and a person was called {len(quiet.alerts)} time(s): {_short(quiet.alerts[0])}. Who is called for nothing stops listening."
    for name in ("unreadable", "later", "always"):
        result = found.cases[name]
        told = _calls(found, result, [step for step in result.case.endings if result.tries(step)])
        if told:
            return told
    return ""


def _calls(found: Rehearsal, result: Result, steps: list[str]) -> str:
    """What is wrong with the calls of a case in which these steps have failed for good. One call may name several of them."""
    failed = " and ".join(steps)
    if told := _callbacks(result):
        return told
    if not result.alerts or len(result.alerts) > len(steps):
        return (
            f"In {_case(result)} {failed} failed for good, and a person was called {len(result.alerts)} times; wanted is once for each task that fails for good. "
            "Where does Airflow look for what it should call?"
        )
    for text in result.alerts:
        if not any(_names(text, step, found.task_of(step)) for step in steps):
            return f"The alert of {_case(result)} says {_short(text)}. It does not name what failed: {failed}."
        if not _names_month(text, result):
            return f"The alert of {_case(result)} says {_short(text)}. It does not say which month it is about: {NAMES[result.case.month - 1]}, {result.case.month}, or the whole name of the run."
    for step in steps:
        if not any(_names(text, step, found.task_of(step)) for text in result.alerts):
            return f"In {_case(result)} {failed} failed for good, and no call told of {step}: wanted is a call for each task that fails for good."
    return ""


def _callbacks(result: Result) -> str:
    """What is wrong with what has called: a callback that itself fails, or a task that calls while it runs."""
    if result.broken:
        task, told = next(iter(result.broken.items()))
        return (
            f"In {_case(result)} a callback{f' of `{task[:60]}`' if task else ''} has itself failed ({told[:300]}). Airflow only writes that into the log, and the call "
            "is lost. What the context holds is in the hint."
        )
    if result.from_tasks:
        return (
            f"In {_case(result)} a task has called by itself, while it ran: {_short(result.from_tasks[0])}. A task that is killed cannot do that: leave the call to Airflow, "
            "which makes it when the task has failed for good."
        )
    return ""


def _short(text: str) -> str:
    """A text as a student is shown it, with the place where it was cut."""
    return repr(text if len(text) <= 200 else f"{text[:200]}...")


def _names(text: str, *names: str) -> bool:
    return any(name.lower() in text.lower() for name in names)


def _names_month(text: str, result: Result) -> bool:
    """Whether a text has the month of a case: by its name, its number, a date in it, or the name of the run. A time of day is none of them."""
    month = result.case.month
    numbers = re.findall(r"(?<!\d)(?<!\d[:.])0?(\d{1,2})(?!\d|[:.]\d)", text)
    run = bool(result.run) and result.run in text
    return run or _names(text, NAMES[month - 1], NAMES[month - 1][:3]) or str(month) in numbers


# --- Task 3 -------------------------------------------------------------------------------------------------------


def judge_sensor(lab: checks.Lab) -> None:
    """Two points: it waits for the month that is run (1), and for a time that is limited, without keeping a worker (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = read(lab)
    if found.task_of(READS) is None:
        raise checks.Wrong(stuck(found) or f"No task has started the step {READS}. Task 1 comes first.")
    if not found.sensors:
        raise checks.Wrong(
            "None of your tasks is a sensor: a task that waits by asking again and again. Airflow has some for files, functions and commands."
        )
    add_up(found, [(1, _waits), (1, _patient)])


def _waits(found: Rehearsal) -> str:
    reader = found.task_of(READS)
    waited = [task for task in found.sensors if task.name in found.closure(reader)]
    if not waited:
        return f"{READS} does not wait for your sensor `{found.sensors[0].name[:60]}`: it would read a month that is not there."
    result = found.cases["missing"]
    month = NAMES[result.case.month - 1]
    if result.tries(READS):
        return (
            f"In {_case(result)} the file of {month} was not there, those of all other months were; and {READS} was started. For which month's file does your sensor ask? "
            "A run is of the month in which its data interval begins."
        )
    if not {result.states.get(task.name) for task in waited} & {
        "up_for_reschedule",
        "deferred",
        "up_for_retry",
        "failed",
    }:
        return f"In {_case(result)} the file was not there, and your sensor did not ask for it."
    if result.state == "failed" and waited[0].sensor["mode"] != "poke":
        return f"In {_case(result)} the file was not there, and the run failed at once instead of waiting for it."
    well = found.cases["well"]
    if not well.tries(READS):
        return stuck(found) or f"In {_case(well)} the file was there, and {READS} was not started."
    return ""


def _patient(found: Rehearsal) -> str:
    for task in found.sensors:
        told = _waiting(task)
        if told:
            return told
    result = found.cases["never"]
    skips = next(
        (task for task in found.sensors if task.sensor.get("soft") or result.states.get(task.name) == "skipped"), None
    )
    if skips:
        return f"`{skips.name[:60]}` is skipped, not failed, when its time is over (`soft_fail` does that): then no callback is called, and a month that is missing must not look like one that was left out on purpose."
    if any(state == "deferred" for state in result.states.values()):
        return ""  # a trigger waits, and its time is Airflow's to end
    if result.state != "failed":
        return f"In {_case(result)} the file did not come in time, and Airflow has the run as {result.state!r}. A month that is missing must not look like one that was done."
    if told := _callbacks(result):
        return told
    names = [task.name for task in found.sensors]
    if len(result.alerts) != 1 or not _names(result.alerts[0], *names):
        said = f": {_short(result.alerts[0])}" if result.alerts else ""
        return f"In {_case(result)} the file did not come in time, and a person was called {len(result.alerts)} times{said}. Wanted is one call, which names the sensor."
    return ""


def _waiting(task: Task) -> str:
    """What is wrong with how a sensor waits."""
    how = task.sensor
    if how["mode"] != "reschedule" and not how["deferrable"]:
        return (
            f"`{task.name[:60]}` waits in the mode {str(how['mode'])[:20]!r}: it keeps a worker for as long as it waits, for days perhaps. There is a mode in which the worker is free "
            "between two looks."
        )
    timeout, poke = float(how["timeout"]), float(how["poke"])
    if not 3600 <= timeout <= 31 * 86400:
        return f"`{task.name[:60]}` gives up after {timeout:g} seconds. A sender may be some days late; after a month the next one is due: an hour to 31 days."
    if not 10 <= poke <= min(86400, timeout):
        return f"`{task.name[:60]}` looks every {poke:g} seconds. Between ten seconds and a day is reasonable for a file that comes once a month."
    return ""
