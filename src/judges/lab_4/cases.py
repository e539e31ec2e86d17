"""The cases in which a student's DAG is run: for which month, which files are there, how steps end. Months and statuses depend on the student."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field

BAD_DATA, OTHERS, FINAL = 65, (1, 2, -9, 137, 127, -15, 99, 3, -11, 255), (1, 99, -9, 2, -15)
"""How steps end that do not work: by an exit status, or, where it is negative, by the signal of that number; a shell reports signal 9 as 137, and Airflow's
`BashOperator` takes 99 for "skip". All of `OTHERS` are tried for each student at a first try, and of `FINAL` for good, so that each is judged by the same."""

READS, ALONE = "CsvExampleGen", "LatestBlessedModel"
"""The step that reads the month's file, and one that waits for no other: it fails beside whichever else does."""

UPSTREAM: dict[str, tuple[str, ...]] = {
    "CsvExampleGen": (),
    "StatisticsGen": ("CsvExampleGen",),
    "ImportSchemaGen": (),
    "ExampleValidator": ("StatisticsGen", "ImportSchemaGen"),
    "DataGate": ("ExampleValidator", "StatisticsGen", "ImportSchemaGen"),
    "Transform": ("CsvExampleGen", "ImportSchemaGen", "DataGate"),
    "Trainer": ("Transform", "ImportSchemaGen"),
    "LatestBlessedModel": (),
    "Evaluator": ("CsvExampleGen", "Trainer", "LatestBlessedModel"),
    "Pusher": ("Trainer", "Evaluator"),
}
"""The graph of the package that the lab starts from; a test compares it with the package."""


def before(step: str) -> set[str]:
    """All steps that have to be done before a step."""
    return set(UPSTREAM[step]).union(*(before(one) for one in UPSTREAM[step])) if UPSTREAM[step] else set()


def after(*steps: str) -> set[str]:
    """These steps, and all that have to be done again when they are."""
    return {one for one in UPSTREAM if one in steps or before(one) & set(steps)}


@dataclass(frozen=True)
class Case:
    """One run of the DAG.

    Attributes:
        month: of the run, 1 to 12.
        there: months whose files have come.
        endings: exit statuses of a step, one try after the other; the last goes for all that follow. Others end well.
        late: what becomes of a month that is not there: `comes`, or `never`.
    """

    month: int
    there: list[int]
    endings: dict[str, list[int]] = field(default_factory=dict)
    late: str = ""

    @property
    def title(self) -> str:
        """What a student is told of which run it is."""
        return f"the run for {NAMES[self.month - 1]}"


NAMES = list(calendar.month_name)[1:]
"""January to December."""


OF_TASK = {
    "dag": re.compile("well|tries|fails .*"),
    "failures": re.compile("well|tries|two|fails .*"),
    "sensor": re.compile("well|alone|comes|never"),
}
"""The names of the cases that each task of the lab is judged by."""


def of_task(task: str, seed: int) -> dict[str, Case]:
    """The cases that a task is judged by."""
    return {name: case for name, case in cases(seed).items() if OF_TASK[task].fullmatch(name)}


def cases(seed: int) -> dict[str, Case]:
    """All of a student's, by their names: `fails STEP` has that step fail for good."""
    missing = 3 + seed // 27 % 8
    others = [month for month in range(1, 13) if month != missing]
    falls = ("StatisticsGen", "ImportSchemaGen", "ExampleValidator")[seed // 7 % 3]
    status = {step: OTHERS[(seed + place) % len(OTHERS)] for place, step in enumerate(UPSTREAM)}
    found = {
        # Other months are there as well, so that a sensor which counts files, or looks for the next one, is not taken for one that asks for its own.
        "well": Case(1, [1, 4, 7]),
        "tries": _fails(12, {step: [ending, 0] for step, ending in status.items()}),
        "two": _fails(8 + seed // 9 % 3, {falls: [1], ALONE: [-9]}),
        # No month before it, and some after it.
        "alone": Case(missing, [missing, missing + 2]),
        "comes": Case(missing, others, late="comes"),
        "never": Case(missing, others, late="never"),
    }
    others = [step for step in UPSTREAM if step not in (READS, "DataGate", "Pusher")]
    bad = {READS, "DataGate", *(others[(seed + place) % len(others)] for place in (0, 2, 5))}
    lost = [step for step in UPSTREAM if step not in bad]
    for place, step in enumerate(UPSTREAM):
        ending = BAD_DATA if step in bad else FINAL[(seed + lost.index(step)) % len(FINAL)]
        found[f"fails {step}"] = _fails(2 + (seed + 3 * place) % 11, {step: [ending]})
    return found


def _fails(month: int, endings: dict[str, list[int]]) -> Case:
    return Case(month, list(range(1, month + 1)), endings)
