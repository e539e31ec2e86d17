"""Judges what a student says of the three nights (task 5)."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_4.cases import UPSTREAM
from judges.lab_4.check_dag import times
from judges.lab_4.nights import CAUSES, SENSOR, Night, nights

WHATS = {
    "data": "It has to be the column that the log names.",
    "code": "It has to be the file of `my_flights`, without its ending, in which the mistake is: not always the one that noticed it.",
    "machine": "It has to be what the machine had too little of: memory, disk or network. Exit status -9 is a process that was killed.",
}


def judge_nights(lab: checks.Lab, given: Any) -> None:
    """A point for each night: half for what happened, half for what is cleared.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    if not isinstance(given, dict):
        raise checks.Wrong('`NIGHTS` has to be a dictionary with a month as key: `{"2013-02": {"task": ...}, ...}`.')
    answers, wanted = {_month(key): value for key, value in given.items()}, nights(lab.seed)
    failed = {night.month for night in wanted}
    others = [str(key)[:20] for key in sorted(given, key=str) if _month(key) not in failed][:9]
    if others:
        raise checks.Wrong(
            f"The keys of `NIGHTS` are {', '.join(others)}: wanted are the months whose run has failed, as in "
            '`"2013-02"`.'
        )
    if len(answers) != len(given):
        raise checks.Wrong("Two keys of `NIGHTS` are the same month: wanted is each month whose run has failed, once.")
    problems, points = [], 0.0
    for night in wanted:
        answer = answers.get(night.month)
        if not isinstance(answer, dict):
            problems.append(
                "`NIGHTS` lacks a month whose run has failed, or a dictionary for it: `lab.grid` shows states."
            )
            continue
        for told in (_diagnosis(night, answer), _clearing(night, answer.get("clear"))):
            problems += [f"2013-{night.month:02d}: {told}"] if told else []
            points += 0 if told else 0.5
    if problems:
        raise checks.Wrong("\n".join(dict.fromkeys(problems)), points=points)


def _month(key: Any) -> int:
    digits = str(key).strip().removeprefix("2013").strip("-/ ")
    return int(digits) if digits.isdecimal() and len(digits) < 3 else 0


def _diagnosis(night: Night, answer: dict[str, Any]) -> str:
    told = {name: str(answer.get(name)).strip()[:40] for name in ("task", "attempt", "cause", "what")}
    if told["task"] != night.task:
        return f"`task` is {told['task']!r}: no task of that DAG, one that has not failed, or one that failed only because of one before it."
    if told["attempt"] != str(night.telling):
        return (
            f"`attempt` is {told['attempt']}. {night.task} was tried {times(len(night.attempts))}, and each try has its log. Wanted is the number of the first try whose log "
            "tells what the task failed because of in the end: not what passed, and not what an earlier try has left behind."
        )
    if told["cause"].lower() != night.cause:
        return (
            f"`cause` is {told['cause']!r}; {', '.join(CAUSES)} are possible. What would have to be different, so that the step works: the file that was sent, a file of the "
            "package, or the machine?"
        )
    what = told["what"].lower().removesuffix(".py").replace(".", "/").rsplit("/", 1)[-1]  # my_flights/model.py is model
    return "" if what == night.what else f"`what` is {told['what']!r}. {WHATS[night.cause]}"


def _clearing(night: Night, clear: Any) -> str:
    if not isinstance(clear, list):
        return "`clear` has to be a list of tasks."
    tasks = {str(one) for one in clear}
    unknown = sorted(tasks - UPSTREAM.keys())
    if unknown:
        return f"`clear` names {unknown[0][:40]!r}: " + (
            "a sensor has no result that could change." if unknown[0] == SENSOR else "no task of that DAG."
        )
    missing, needless = night.clear - tasks, tasks - night.clear
    if night.again in missing:
        return "`clear` lacks the task whose result has to change: what failed would find the same as before."
    if missing:
        return "`clear` lacks tasks that wait, near or far, for one that you clear: they would keep results, or a failure, of before."
    return (
        "`clear` has too many tasks: the results of some stay as they are when the cause is mended." if needless else ""
    )
