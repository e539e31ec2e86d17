"""Judges the DAG of lab 4 by its runs: what it does when something fails (task 2), and when the month has not come (task 3)."""

from __future__ import annotations

import re

from course import checks
from judges.lab_4 import dag_trial
from judges.lab_4.cases import BAD_DATA, NAMES, READS, UPSTREAM, after
from judges.lab_4.check_dag import add_up, ended, failures, stuck, why
from judges.lab_4.dag_trial import Found, Result

# --- Task 2 -------------------------------------------------------------------------------------------------------


def judge_failures(lab: checks.Lab) -> None:
    """Three points: tried again (1), not when the data are bad (1), and a person is called (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = dag_trial.read(lab)
    lost = next((step for step in UPSTREAM if step not in found.owner), "")
    if lost:
        raise checks.Wrong(stuck(found) or f"No task has started the step {lost}. Task 1 comes first.")
    add_up(found, [(1, _retries), (1, _bad_data), (1, _alerts)])


def _retries(found: Found) -> str:
    result = found.cases["tries"]
    for step, (ending, _) in result.case.endings.items():
        if result.tries(step) != 2:
            return (
                f"In {result.case.title} {step} {ended(ending)} and was started {_times(result.tries(step))}. It would have worked the second time: each status "
                f"but 0 is a failure, and each but {BAD_DATA} is worth another try."
            )
        told = _pause(step, result.delays.get(found.owner[step], [0.0]))
        if told:
            return told
    if result.state != "success":
        return f"In {result.case.title} each step worked at its second try, and the run ended as {result.state!r}."
    for step, result in failures(found):
        [ending] = result.case.endings[step]
        if ending != BAD_DATA and not 2 <= result.tries(step) <= 11:
            return f"In {result.case.title} {step} {ended(ending)} whenever it was tried: {_times(result.tries(step))}. Wanted are one to ten further tries."
        told = _pause(step, result.delays.get(found.owner[step], []))
        if told:
            return told
    return ""


def _times(count: int) -> str:
    return f"{count} time{'' if count == 1 else 's'}"


def _pause(step: str, pauses: list[float]) -> str:
    wrong = next((one for one in pauses if not 5 <= round(one, 1) <= 6 * 3600), None)
    if wrong is None:
        return ""
    return f"{step} is tried again after {wrong:g} seconds. What passes by itself needs a while, and the month should not wait for a day: 5 s to 6 h."


def _bad_data(found: Found) -> str:
    for step, result in failures(found):
        if result.case.endings[step] != [BAD_DATA]:
            continue
        if result.tries(step) != 1:
            return (
                f"In {result.case.title} {step} ended with status {BAD_DATA}, and was started {_times(result.tries(step))}. The data do not become better by trying: "
                "once is enough. Which exception of Airflow fails a task for good?"
            )
        state = result.tasks.get(found.owner[step], "")
        on = [one for one in UPSTREAM if one in after(step) - {step} and result.tries(one)]
        if state == "failed" and on:
            return (
                f"In {result.case.title} {step} failed, and {on[0]} was started nevertheless: does its task wait for it, and has it a `trigger_rule` that asks whether "
                "all before it have worked?"
            )
        if state != "failed" or result.state != "failed":
            return (
                f"In {result.case.title} the data were bad, and Airflow has {step} as {state!r} and the run as {result.state!r}. A month that was not learned from must not "
                f"look like one that was: both have to be failed.{_last(found, result) if state == 'failed' else ''}"
            )
    return ""


def _last(found: Found, result: Result) -> str:
    """The last tasks that have worked nevertheless, which makes the run a success."""
    green = [f"`{task[:60]}`" for task in found.last if result.tasks.get(task) == "success"]
    return f" A run is what its last tasks are; {', '.join(green)} did not ask whether all had worked." if green else ""


def _alerts(found: Found) -> str:
    quiet = found.cases["tries"]
    if quiet.alerts and quiet.state == "success":
        return (
            f"In {quiet.case.title} everything worked in the end, and a person was called {_times(len(quiet.alerts))}: {_short(quiet.alerts[0])}. "
            "Who is called for nothing stops listening."
        )
    some = [*failures(found), ("", found.cases["two"])]
    return next(
        filter(None, (_calls(found, one, [s for s in one.case.endings if one.tries(s)]) for _, one in some)), ""
    )


def _calls(found: Found, result: Result, steps: list[str]) -> str:
    """What is wrong with the calls of a case in which these steps have failed for good. One call may name several of them."""
    failed, title = " and ".join(steps), result.case.title
    if told := _callbacks(result):
        return told
    if not result.alerts or len(result.alerts) > len(steps):
        return (
            f"In {title} {failed} failed for good, and a person was called {_times(len(result.alerts))}; wanted is once for each task that fails for good. "
            "Where does Airflow look for what it should call?"
        )
    for text in result.alerts:
        named = [step for step in UPSTREAM if _names(text, step, found.owner[step])]
        if not set(named) & set(steps) or len(named) > len(steps) + 3:
            return f"The alert of {title} says {_short(text)}. It does not tell which task has failed: {failed}."
        if not names_month(text, result.case.month, result.run):
            return f"The alert of {title} says {_short(text)}. It does not say which month it is about: its name, its number, or the whole name of the run."
    for step in steps:
        if not any(_names(text, step, found.owner[step]) for text in result.alerts):
            return f"In {title} {failed} failed for good, and no call told of {step}: wanted is a call for each task that fails for good."
    return ""


def _callbacks(result: Result) -> str:
    """What is wrong with what has called: a callback that itself fails, or a task that calls while it runs."""
    if result.broken:
        one = result.broken[0]
        task, told = one["task"], f"{one['callback']}: {one['error']}"
        return (
            f"In {result.case.title} a callback{f' of `{task[:60]}`' if task else ''} has itself failed ({told[:300]}). Airflow only writes that into the log, and the call "
            "is lost. What the context holds is in the hint."
        )
    if result.from_tasks:
        return (
            f"In {result.case.title} a task has called by itself, while it ran: {_short(result.from_tasks[0])}. A task that is killed cannot do that: leave the call to "
            "Airflow, which makes it when the task has failed for good."
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


# --- Task 3 -------------------------------------------------------------------------------------------------------


def judge_sensor(lab: checks.Lab) -> None:
    """Two points: it waits for the month that is run (1), and for a time that is limited, without keeping a worker (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = dag_trial.read(lab)
    if READS not in found.owner:
        raise checks.Wrong(stuck(found) or f"No task has started the step {READS}. Task 1 comes first.")
    late, well = found.cases["comes"], found.cases["well"]
    if not found.sensors and not any(result.waits or result.held for result in (late, well)):
        raise checks.Wrong(
            f"In {late.case.title} the file was not there, and none of your tasks waits: a sensor is a task that asks again and again. Airflow has some for files, "
            "functions and commands."
        )
    add_up(found, [(1, _waits), (1, _patient)])


def _waits(found: Found) -> str:
    result, well = found.cases["comes"], found.cases["well"]
    month = NAMES[result.case.month - 1]
    early = [one["step"] for one in (result.steps[: result.looks[0]] if result.looks else result.steps)]
    if READS in early:
        waits = next(iter((*result.waits, *result.held)), "")
        which = f" `{waits[:60]}` waited: does {READS} wait for it?" if waits else ""
        return (
            f"In {result.case.title} the file of {month} was not there, those of all other months were; and {READS} was started.{which} For which month's file does your "
            "sensor ask? A run is of the month in which its data interval begins."
        )
    if not well.tries(READS):
        return stuck(found) or f"In {well.case.title} the file was there, and {READS} was not started."
    if not result.held and result.state != "success":
        return f"In {result.case.title} the file came 50 minutes late, and the run is {result.state!r}: it has to wait, and to go on when the file is there. {why(result)}".rstrip()
    return ""


def _patient(found: Found) -> str:
    for result in (found.cases["never"], found.cases["well"]):
        for task, how in result.held.items():
            return f"`{task[:60]}` keeps a worker for as long as it waits, for days perhaps ({how[:60]}). There is a `mode` in which the worker is free between two looks."
        for task, (every, _) in result.waits.items():
            if not 10 <= round(every, 1) <= 86400:
                return f"`{task[:60]}` looks every {every:.0f} seconds. Between ten seconds and a day is reasonable for a file that comes once a month."
    result = found.cases["never"]
    waited = [task for task in result.waits if result.tasks.get(task)]
    if any(result.tasks[task] == "skipped" for task in waited):
        return (
            f"`{waited[0][:60]}` is skipped, not failed, when its time is over (`soft_fail` does that): then no callback is called, and a month that is missing must not look like "
            "one that was left out on purpose."
        )
    if not waited:
        return _waits(found) or f"In {result.case.title} the file did not come, and your sensor did not wait for it."
    if len(result.looks) < 2:
        return f"In {result.case.title} the file did not come, and after 50 minutes it was given up. A sender may be some days late: an hour to 31 days."
    if result.state != "failed":
        return (
            f"In {result.case.title} the file did not come, and after 32 days Airflow has the run as {result.state!r}. A month that is missing must not look like one "
            "that was done, and at some time the next one is due: an hour to 31 days."
        )
    if told := _callbacks(result):
        return told
    if len(result.alerts) != 1 or not _names(result.alerts[0], *waited):
        said = f": {_short(result.alerts[0])}" if result.alerts else ""
        return f"In {result.case.title} the file did not come in time, and a person was called {_times(len(result.alerts))}{said}. Wanted is one call, which names the sensor."
    return ""
