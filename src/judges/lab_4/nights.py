"""Three nights of another installation: a month each that failed, for three kinds of reasons, drawn by the student's seed."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from judges.lab_4.cases import after

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
