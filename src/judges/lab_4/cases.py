"""The cases of a rehearsal: for which month, which files are there, and how steps end. Months and steps depend on the student."""

from __future__ import annotations

import calendar
from dataclasses import asdict, dataclass, field
from typing import Any

BAD_DATA, KILLED, KILLED_IN_SHELL, OTHER = 65, -9, 137, 1
"""How steps end: by an exit status, or, where it is negative, by the signal of that number; a shell reports signal 9 as 137."""

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
        title: what a student is told of it.
        month: of the run, 1 to 12.
        there: months whose files have been delivered.
        endings: exit statuses of a step, one try after the other; the last goes for all that follow. Others end well.
        never: the sensor's time is over.
    """

    title: str
    month: int
    there: list[int]
    endings: dict[str, list[int]] = field(default_factory=dict)
    never: bool = False

    def plan(self) -> dict[str, Any]:
        """As `rehearsal/run.py` takes it."""
        return asdict(self)


NAMES = list(calendar.month_name)[1:]
"""January to December."""


def cases(seed: int) -> dict[str, Case]:
    """The student's, by their names."""
    unreadable, always, missing = 2 + seed % 3, 8 + seed // 9 % 3, 3 + seed // 27 % 8
    later = ("DataGate", "Transform", "Trainer")[seed // 5 % 3]
    others = [month for month in range(1, 13) if month != missing]
    falls = ("StatisticsGen", "ImportSchemaGen", "ExampleValidator")[seed // 7 % 3]
    return {
        # Other months are there as well, so that a sensor which counts files, or looks for the next one, is not taken for one that asks for its own.
        "well": _case(1, "every step works", there=[1, 4, 7]),
        "tries": _case(
            12,
            "four steps fail at their first try, two of them killed, and work at the second",
            {
                READS: [OTHER, 0],
                "DataGate": [KILLED_IN_SHELL, 0],
                "Trainer": [KILLED, 0],
                "Pusher": [2, 0],
            },
        ),
        "unreadable": _case(unreadable, f"{READS} ends with status {BAD_DATA}", {READS: [BAD_DATA]}),
        "later": _case(11, f"{later} ends with status {BAD_DATA}", {later: [BAD_DATA]}),
        "always": _case(
            always,
            f"{falls} and {ALONE} fail whenever they are tried",
            {falls: [OTHER], ALONE: [OTHER]},
        ),
        "missing": _case(missing, "the month's file is not there, all others are", there=others),
        "never": _case(missing, "the file does not come before the sensor's time is over", there=others, never=True),
    }


def _case(
    month: int,
    title: str,
    endings: dict[str, list[int]] | None = None,
    there: list[int] | None = None,
    never: bool = False,
) -> Case:
    return Case(f"{NAMES[month - 1]}: {title}", month, there or list(range(1, month + 1)), endings or {}, never)
