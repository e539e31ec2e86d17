"""Three nights of another installation: a month each that failed, for three kinds of reasons, drawn by the student's seed; and how a diagnosis is judged."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from course import checks
from judges.lab_4.cases import UPSTREAM, after

FOLDER, DAG, SENSOR = "nights", "my_flights", "wait_for_month"
MONTHS = range(1, 8)
"""The months that were run there."""
CAUSES = ("data", "code", "machine")


@dataclass(frozen=True)
class Attempt:
    """One try of a task: what the step said last, and its exit status."""

    said: tuple[str, ...]
    code: int = 1


@dataclass(frozen=True)
class Night:
    """A run that failed.

    Attributes:
        month: of the run.
        task: the task that failed.
        attempts: its tries.
        telling: number of the first try whose log tells the cause.
        cause: one of `CAUSES`.
        what: the column, the file of the package, or the resource.
        again: the first step that has to be done again once the cause is mended.
    """

    month: int
    task: str
    attempts: tuple[Attempt, ...]
    telling: int
    cause: str
    what: str
    again: str

    @property
    def clear(self) -> set[str]:
        """The tasks to clear."""
        return after(self.again)


TRACE = (
    "Traceback (most recent call last):",
    '  File "/srv/flights/src/engines/airflow/step.py", line 50, in main',
    "    state = run_node(project, project.spans(None, options.spans), options.run, options.node)",
)
ARTIFACTS = "/srv/flights/pipeline/artifacts"


def _refused(column: str, description: str) -> tuple[str, Attempt]:
    """DataGate, on data that break the contract."""
    said = (
        *TRACE,
        '  File "/srv/flights/src/flights/gate.py", line 95, in DataGate',
        "    raise gate.BadDataError(",
        "flights.gate.BadDataError: The data break the contract in flights/schema:",
        f"  month-@MONTH@, column {column}: {description}",
        "Nothing was trained. Mend the data, or, if the world has changed, the schema.",
    )
    return "DataGate", Attempt(said, 65)


def _unreadable(column: str, cell: str, wanted: str, line: int) -> tuple[str, Attempt]:
    """ExampleGen, on a file that it cannot read."""
    said = (
        *TRACE,
        '  File "/srv/flights/src/flights/examples.py", line 118, in Do',
        "    raise data.DataError(",
        f"flights.data.DataError: months/span-@MONTH@/flights.csv, line {line}, column {column}: {cell!r} is not {wanted}. Mend the cell, or leave the month out.",
    )
    return "CsvExampleGen", Attempt(said, 65)


BAD_DATA = {
    "pressure": _refused("pressure", "Unexpectedly low values: 28.61 < 960 (up to six significant digits)."),
    "carrier": _refused(
        "carrier", "Unexpected string values: Examples contain values missing from the schema: JBU (~17%), UAL (~18%)."
    ),
    "temp": _refused("temp", "Unexpectedly high values: 301.483 > 110 (up to six significant digits)."),
    "seats": _unreadable("seats", "n/a", "a whole number", 1207),
    "wind_speed": _unreadable("wind_speed", "10,4", "a number", 412),
    "sched_dep_time": _unreadable("sched_dep_time", "06:15", "a whole number", 2),
}

NAN = (
    *TRACE,
    '  File "/srv/flights/package/my_flights/model.py", line 61, in run_fn',
    '    raise ValueError(f"{name}, as Transform has written it, is NaN for {count:,} of {total:,} flights")',
    "ValueError: @FEATURE@, as Transform has written it, is NaN for 214 of 2,000 flights",
)
OUTPUT = (
    *TRACE,
    '  File "/srv/flights/.venv/lib/python3.11/site-packages/tensorflow_model_analysis/extractors/predictions_extractor.py", line 104, in process',
    "    predictions = predictions[prediction_key]",
    "KeyError: \"'late_probability'; the model in artifacts/Trainer/model/@NUMBER@ returns {'output_0': shape (32, 1)} [while running 'ExtractPredictions']\"",
)
NO_SPACE = (*TRACE, "OSError: [Errno 28] No space left on device: '@FOLDER@/part-00000'")
LEFT_OVER = (*TRACE, "FileExistsError: [Errno 17] File exists: '@FOLDER@'")
KILLED = ("Fitting: epoch 3 of 15",)
LOCKED = (*TRACE, "RuntimeError: the folder of the pipeline is held by process 4127, which does not answer")


def _data(month: int, rng: np.random.Generator) -> Night:
    column = str(rng.choice(list(BAD_DATA)))
    task, attempt = BAD_DATA[column]
    return Night(month, task, (_filled(attempt, {"MONTH": f"{month:02d}"}),), 1, "data", column, "CsvExampleGen")


def _code(month: int, rng: np.random.Generator) -> Night:
    if rng.integers(2):
        feature = str(rng.choice(["plane_age", "crosswind", "rush_hour"]))
        attempts = (_filled(Attempt(NAN), {"FEATURE": feature}),) * 3
        return Night(month, "Trainer", attempts, 1, "code", "features", "Transform")
    attempts = (_filled(Attempt(OUTPUT), {"NUMBER": str(month * 13)}),) * 3
    return Night(month, "Evaluator", attempts, 1, "code", "model", "Trainer")


def _machine(month: int, rng: np.random.Generator) -> Night:
    task = str(rng.choice(["StatisticsGen", "Transform", "Trainer", "Evaluator"]))
    output = {"StatisticsGen": "statistics", "Transform": "transformed_examples", "Trainer": "model"}.get(
        task, "evaluation"
    )
    folder = {"FOLDER": f"{ARTIFACTS}/{task}/{output}/{month * 13 + 4}"}
    if rng.integers(2):
        first, then, what = Attempt(NO_SPACE), Attempt(LEFT_OVER), "disk"
    else:
        first, then, what = Attempt(KILLED if task == "Trainer" else (), -9), Attempt(LOCKED), "memory"
    # The first try may have failed for another reason, which has passed.
    slipped = bool(rng.integers(2))
    tries = (Attempt((f"{PASSED[rng.integers(len(PASSED))]}",)), first, then) if slipped else (first, then, then)
    return Night(month, task, tuple(_filled(one, folder) for one in tries), 1 + slipped, "machine", what, task)


PASSED = (
    "RuntimeError: database is locked; tried for 30 s",
    "ConnectionResetError: [Errno 104] Connection reset by peer",
    "TimeoutError: The read operation timed out",
)
"""What fails once, and not the next time."""


def _filled(attempt: Attempt, words: dict[str, str]) -> Attempt:
    said = attempt.said
    for name, word in words.items():
        said = tuple(line.replace(f"@{name}@", word) for line in said)
    return Attempt(said, attempt.code)


@functools.cache
def nights(seed: int) -> tuple[Night, ...]:
    """The student's three, in the order of their months."""
    rng = np.random.default_rng([seed, 5])
    months = sorted(int(month) for month in rng.choice(np.arange(2, MONTHS.stop), 3, replace=False))
    makers = [(_data, _code, _machine)[place] for place in rng.permutation(3)]
    return tuple(make(month, rng) for make, month in zip(makers, months, strict=True))


# --- How a diagnosis is judged ------------------------------------------------------------------------------------


def judge_nights(lab: checks.Lab, given: Any) -> None:
    """A point for each night: half for what happened, half for what is cleared.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    if not isinstance(given, dict):
        raise checks.Wrong('`NIGHTS` has to be a dictionary with a month as key: `{"2013-02": {"task": ...}, ...}`.')
    answers = {_month(key): value for key, value in given.items()}
    wanted = nights(lab.seed)
    others = sorted(str(key)[:20] for key in given if _month(key) not in {night.month for night in wanted})
    problems, points = [], 0.0
    if others or len(answers) != len(given):
        problems.append(
            f"`NIGHTS` has the months {', '.join(others) or 'twice'}. Wanted are those whose run has failed, each once."
        )
    for night in wanted:
        answer = answers.get(night.month)
        if answer is None:
            problems.append("`NIGHTS` lacks a month whose run has failed: `lab.grid` shows their states.")
            continue
        if not isinstance(answer, dict):
            problems.append(f"{_name(night)}: give a dictionary with task, attempt, cause, what and clear.")
            continue
        for told in (_diagnosis(night, answer), _clearing(night, answer)):
            problems += [f"{_name(night)}: {told}"] if told else []
            points += 0 if told else 0.5
    if problems:
        raise checks.Wrong("\n".join(dict.fromkeys(problems)), points=0 if others else points)


def _name(night: Night) -> str:
    return f"2013-{night.month:02d}"


def _month(key: Any) -> int:
    digits = str(key).strip().removeprefix("2013").strip("-/ ")
    return int(digits) if digits.isdecimal() and len(digits) < 3 else 0


def _diagnosis(night: Night, answer: dict[str, Any]) -> str:
    task = answer.get("task")
    if task != night.task:
        known = (
            "It is no task of that DAG."
            if str(task) not in UPSTREAM
            else "Its state is not `failed`, or it failed only because of one before it."
        )
        return f"`task` is {str(task)[:40]!r}. {known}"
    attempt = answer.get("attempt")
    if isinstance(attempt, bool) or not isinstance(attempt, int) or not 1 <= attempt <= len(night.attempts):
        return f"`attempt` is {str(attempt)[:20]!r}. {task} has {len(night.attempts)} log(s): attempt=1.log and so on."
    if attempt != night.telling:
        return f"`attempt` is {attempt}. Wanted is the first try whose log tells what the task failed of in the end: not what passed, and not what an earlier try has left behind."
    cause = answer.get("cause")
    if cause != night.cause:
        return f"`cause` is {str(cause)[:20]!r}; {', '.join(CAUSES)} are possible. What would have to be other, so that the step works: the file that was sent, a file of the package, or the machine?"
    what = answer.get("what")
    if _short(what) != _short(night.what):
        return f"`what` is {str(what)[:40]!r}. {WHATS[cause]}"
    return ""


WHATS = {
    "data": "It has to be the column that the log names.",
    "code": "It has to be the file of `my_flights`, without its ending, in which the mistake is: not always the one that noticed it.",
    "machine": "It has to be what the machine had too little of: memory, disk or network. Exit status -9 is a process that was killed.",
}


def _short(what: Any) -> str:
    """`my_flights/features.py` is `features`."""
    text = str(what).strip().lower().removesuffix(".py")
    return text.replace(".", "/").rsplit("/", 1)[-1]


def _clearing(night: Night, answer: dict[str, Any]) -> str:
    clear = answer.get("clear")
    if isinstance(clear, str) or not isinstance(clear, list):
        return "`clear` has to be a list of tasks."
    tasks = {str(one) for one in clear}
    unknown = sorted(tasks - set(UPSTREAM) - {SENSOR})
    if unknown:
        return f"`clear` names {unknown[0][:40]!r}, which is no task of that DAG."
    if SENSOR in tasks:
        return f"`clear` has `{SENSOR}`: a sensor has no result that could become another. Leave it out."
    if not tasks:
        return "`clear` is empty: then everything stays as it is."
    missing, needless = night.clear - tasks, tasks - night.clear
    if missing and needless:
        return "`clear` lacks tasks, and has others that would be done again for nothing. Begin with the first step whose result becomes another once the cause is mended, and follow the graph."
    if missing and night.again in missing:
        return "`clear` lacks the task whose result has to become another: what failed would find the same as before."
    if missing:
        return f"`clear` lacks {len(missing)} task(s) that wait, near or far, for one that you clear: they would keep results, or a failure, of before."
    if needless:
        return f"`clear` has {len(needless)} task(s) too many: their results stay as they are when the cause is mended."
    return ""
