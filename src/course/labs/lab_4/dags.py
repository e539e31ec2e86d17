"""Judges the DAG by its rehearsal: tasks, order, schedule (task 1), failures and alerts (task 2), waiting for the month (task 3) of lab 4."""

from __future__ import annotations

import re
from collections.abc import Callable

from course import checks
from course.labs.lab_4 import dag_file, record
from course.labs.lab_4.record import Played, Rehearsal, Task
from course.labs.lab_4.scenes import BAD_DATA, NAMES, READS, UPSTREAM, after, before

LATEST_DAY = 7
"""A month is run on one of these days of the month after it."""
Part = tuple[float, Callable[[Rehearsal], str]]
"""Points, and what is wrong in a sentence; empty when nothing is."""


def _sum(found: Rehearsal, parts: list[Part]) -> None:
    """Adds the points of those parts in which nothing is wrong, and tells what is wrong in the others."""
    told = [(points, judge(found)) for points, judge in parts]
    wrong = [sentence for _, sentence in told if sentence]
    if wrong:
        raise checks.Wrong("\n".join(wrong), points=sum(points for points, sentence in told if not sentence))


def _read(lab: checks.Lab) -> Rehearsal:
    """The rehearsal, if Airflow could make a DAG of the file.

    Raises:
        checks.Wrong: it could not.
    """
    found = record.of_student(lab)
    if not found.is_there:
        told = [f"Airflow cannot read `{name[:40]}`: {text[:300]}" for name, text in found.errors.items()]
        named = f" It has: {', '.join(found.dags)[:100]}." if found.dags else ""
        raise checks.Wrong(told[0] if told else f"Your file defines no DAG with the id `{dag_file.NAME}`.{named}")
    if found.errors:
        name, text = next(iter(found.errors.items()))
        raise checks.Wrong(f"Airflow reports an error in `{name[:40]}`: {text[:300]}")
    if found.at_reading or found.alerts_at_reading:
        raise checks.Wrong(
            "Your file starts a step, or calls somebody, when it is read. Airflow reads it every half minute: what a task does belongs into a function "
            "or a command that the task runs."
        )
    return found


# --- Task 1 -------------------------------------------------------------------------------------------------------


def judge_dag(lab: checks.Lab) -> None:
    """Five points: a task for each step (1), what they wait for (2), the schedule (1), the month and the run (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = _read(lab)
    if not found.runs:
        raise checks.Wrong(
            "With these settings Airflow starts no run at all: 2013 is over. Which setting says whether runs of the past are made up for? Is `end_date` "
            "behind `start_date`?"
        )
    _sum(found, [(1, _tasks), (1, _missing), (1, _needless), (1, _schedule), (1, _months)])


def _tasks(found: Rehearsal) -> str:
    for step in UPSTREAM:
        task = found.task_of(step)
        if task is None:
            return f"{_stuck(found)}No task has started the step {step}: its command is `steps.command({step!r}, ...)`."
        others = [other for other in UPSTREAM if other != step and found.task_of(other) == task]
        if others:
            return f"The task `{task[:60]}` starts {step} and {others[0]}. Each step is a task of its own, so that each can be tried again."
    played = found.scenes["well"]
    twice = next((step for step in UPSTREAM if played.tries(step) > 1), "")
    if twice:
        return f"In a run in which every step works, {twice} was started {played.tries(twice)} times."
    if played.state != "success":
        return f"{_stuck(found)}The run in which every step works ended as {played.state!r}."
    return ""


def _stuck(found: Rehearsal) -> str:
    """Where the run in which every step works has stopped, if it has."""
    states = found.scenes["well"].states
    waits = [
        task.name for task in found.sensors if states.get(task.name) in ("up_for_reschedule", "deferred", "failed")
    ]
    if waits:
        return f"In the rehearsal of {NAMES[0]}, whose file is there, `{waits[0][:60]}` did not go on: for which file does it wait? "
    failed = next((name for name, state in states.items() if state == "failed"), "")
    return (
        f"In the rehearsal of {NAMES[0]} the task `{failed[:60]}` has failed; `lab.rehearse()` shows where. "
        if failed
        else ""
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
            "shows what Airflow makes of `schedule`, `start_date` and `end_date`."
        )
    late = next((text for text, date in zip(found.runs, given, strict=True) if date[2] > LATEST_DAY), "")
    if late:
        return f"A run starts on {late[:10]}: a month is run in the first {LATEST_DAY} days of the next."
    if found.max_active_runs != 1:
        return (
            f"{found.max_active_runs} runs of your DAG may be active at a time. They share the baseline and a folder; twelve runs are made up for: "
            "one at a time, and in order."
        )
    return ""


def _date(text: str) -> tuple[int, int, int]:
    parts = re.match(r"(\d{4})-(\d\d)-(\d\d)", text)
    return (int(parts[1]), int(parts[2]), int(parts[3])) if parts else (0, 0, 0)


def _months(found: Rehearsal) -> str:
    names = {}
    for name in ("well", "tries"):
        played = found.scenes[name]
        if not played.steps:
            return f"{_stuck(found)}Which month the steps are given cannot be seen: none was started."
        wanted = played.scene.month
        for one in played.steps:
            if _number(one.month) != wanted:
                return (
                    f"In the run for {NAMES[wanted - 1]}, which starts in {NAMES[wanted % 12]}, the step {one.step[:40]} was given the month {one.month[:40]!r}. "
                    "A run is of the month that is over: where does its data interval begin?"
                )
            names.setdefault(name, set()).add(one.run)
        if len(names[name]) > 1:
            return "The steps of one run were given different names for it: each would be a run of the pipeline of its own. Which name has Airflow for the run?"
    if names["well"] & names["tries"] or not all(min(found_names) for found_names in names.values()):
        return "The runs for January and December were given the same name. Which name has Airflow for a run?"
    return ""


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,2}", text.strip()) else -1


# --- Task 2 -------------------------------------------------------------------------------------------------------


def judge_failures(lab: checks.Lab) -> None:
    """Three points: tried again (1), not when the data are bad (1), and somebody is called (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = _read(lab)
    lost = next((step for step in UPSTREAM if found.task_of(step) is None), "")
    if lost:
        raise checks.Wrong(f"No task has started the step {lost}. Task 1 comes first.")
    _sum(found, [(1, _retries), (1, _bad_data), (1, _alerts)])


def _retries(found: Rehearsal) -> str:
    played = found.scenes["tries"]
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
    for step, endings in played.scene.endings.items():
        if played.tries(step) != len(endings):
            return f"In {_scene(played)}, {step} ended with status {endings[0]} and was started {played.tries(step)} time(s). It would have worked the second time."
    return "" if played.state == "success" else f"{_scene(played)} ended as {played.state!r}."


def _scene(played: Played) -> str:
    return f"the rehearsal of {NAMES[played.scene.month - 1]}"


def _bad_data(found: Rehearsal) -> str:
    for name in ("unreadable", "gate"):
        played = found.scenes[name]
        [step] = played.scene.endings
        if played.tries(step) != 1:
            return (
                f"In {_scene(played)}, {step} ended with status {BAD_DATA}, and was started {played.tries(step)} time(s). The data do not become better by trying: "
                "once is enough. Which exception of Airflow fails a task for good?"
            )
        state = played.states.get(found.task_of(step), "")
        if state != "failed" or played.state != "failed":
            return (
                f"In {_scene(played)} the data were bad, and Airflow has {step} as {state!r} and the run as {played.state!r}. A month that was not learned from must not look "
                "like one that was: both have to be failed."
            )
        on = sorted(set(played.started()) & after(step) - {step})
        if on:
            return f"In {_scene(played)} {step} failed, and {on[0]} was started nevertheless."
    return ""


def _alerts(found: Rehearsal) -> str:
    quiet = found.scenes["tries"]
    if quiet.alerts:
        return f"In {_scene(quiet)} everything worked in the end, and somebody was called {len(quiet.alerts)} time(s): {quiet.alerts[0][:80]!r}. Who is called for nothing stops listening."
    for name in ("unreadable", "gate", "always"):
        played = found.scenes[name]
        [step] = played.scene.endings
        if len(played.alerts) != 1:
            return f"In {_scene(played)} {step} failed for good, and somebody was called {len(played.alerts)} times; once is wanted. Where does Airflow look for what it should call?"
        if not _names(played.alerts[0], step, found.task_of(step)):
            return (
                f"The alert of {_scene(played)} says {played.alerts[0][:80]!r}. It does not name what failed: {step}."
            )
        month = played.scene.month
        if not _names_month(played.alerts[0], month):
            return f"The alert of {_scene(played)} says {played.alerts[0][:80]!r}. It does not say which month it is about: {NAMES[month - 1]}, {month}, or the name of the run."
    return ""


def _names(text: str, *names: str) -> bool:
    return any(name.lower() in text.lower() for name in names)


def _names_month(text: str, month: int) -> bool:
    """Whether a text has the month: by its name, its number, or a date in it."""
    numbers = re.findall(r"(?<![\d:.])0?(\d{1,2})(?![\d:.])", text)
    return _names(text, NAMES[month - 1], NAMES[month - 1][:3]) or str(month) in numbers


# --- Task 3 -------------------------------------------------------------------------------------------------------


def judge_sensor(lab: checks.Lab) -> None:
    """Two points: it waits for the month that is run (1), and for a time that is limited, without keeping a worker (1).

    Raises:
        checks.Wrong: something is not as it should be.
    """
    found = _read(lab)
    if found.task_of(READS) is None:
        raise checks.Wrong(f"{_stuck(found)}No task has started the step {READS}. Task 1 comes first.")
    if not found.sensors:
        raise checks.Wrong(
            "None of your tasks is a sensor: a task that waits by asking again and again. Airflow has some for files, functions and commands."
        )
    _sum(found, [(1, _waits), (1, _patient)])


def _waits(found: Rehearsal) -> str:
    reader = found.task_of(READS)
    waited = [task for task in found.sensors if task.name in found.closure(reader)]
    if not waited:
        return f"{READS} does not wait for your sensor `{found.sensors[0].name[:60]}`: it would read a month that is not there."
    played = found.scenes["missing"]
    month = NAMES[played.scene.month - 1]
    if played.tries(READS):
        return (
            f"In {_scene(played)} the file of {month} was not there, those of the months before it were; and {READS} was started. For which month's file does your sensor ask? "
            "A run is of the month in which its data interval begins."
        )
    if not {played.states.get(task.name) for task in waited} & {
        "up_for_reschedule",
        "deferred",
        "up_for_retry",
        "failed",
    }:
        return f"In {_scene(played)} the file was not there, and your sensor did not ask for it."
    if played.state == "failed" and waited[0].sensor["mode"] != "poke":
        return f"In {_scene(played)} the file was not there, and the run failed at once instead of waiting for it."
    well = found.scenes["well"]
    if not well.tries(READS):
        return f"{_stuck(found)}The file of {NAMES[0]} was there, and that of {NAMES[1]} was not."
    return ""


def _patient(found: Rehearsal) -> str:
    for task in found.sensors:
        told = _waiting(task)
        if told:
            return told
    played = found.scenes["never"]
    if any(state == "deferred" for state in played.states.values()):
        return ""  # a trigger waits, and its time is Airflow's to end
    if played.state != "failed":
        return f"In {_scene(played)} the file did not come in time, and Airflow has the run as {played.state!r}. A month that is missing must not look like one that was done."
    names = [task.name for task in found.sensors]
    if len(played.alerts) != 1 or not _names(played.alerts[0], *names):
        said = f": {played.alerts[0][:80]!r}" if played.alerts else ""
        return f"In {_scene(played)} the file did not come in time, and somebody was called {len(played.alerts)} times{said}. Wanted is one call, which names the sensor."
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
