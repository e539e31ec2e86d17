"""The table by what the pipeline asks of it: the one place where modules that work on any table find the names of its columns.

A pipeline for another table changes this file, `data`, `features`, `model`, `rules` and `schema/`, and what is planned with them: `config`, `plan`
and `schedule`. Light to import: Airflow's environment, which plans runs, has neither TensorFlow nor Arrow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

FILE = "flights.csv"
"""The file in the folder of each span."""

LABEL = "late"

PROBABILITY = "late_probability"
"""Name of the model's output: the probability, from 0 to 1, that the flight arrives late."""

KEY = ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")
"""The columns that tell each row from all others: by them a prediction finds its label when that has come."""

SAMPLE = (
    {"weekday": 5, "sched_dep_time": 1745, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565},
    {"weekday": 1, "sched_dep_time": 600, "carrier": "B6", "origin": "JFK", "dest": "BOS", "distance": 187},
)
"""Rows that may be asked about: a model that is to be served is tried with them."""

DATE = ("year", "month", "day")
"""The columns that say when a row was, the coarsest first."""

SPAN = "month"
"""That of them which is the number of the span: the same in all rows of a file. Coarser ones are the same in all files of a run."""

PARTITION = "day"
"""The whole numbers by which a single span is divided into training and evaluation: rows with the same one stay together."""

WEEKDAY = "weekday"

DEPARTURE = "sched_dep_time"
"""A time of day as HHMM: what slices by hour are made from, and the rule of thumb that costs are compared with."""

GROUP = ("origin", "dest")
"""The columns whose values share a rate in the simplest reference of all."""

PARTS_OF_DAY = {"00-09": 0, "09-14": 9, "14-18": 14, "18-24": 18}
"""Parts of the day by name, with the hour at which they begin: from the calm morning to the evening, when delays have piled up."""


def minutes(hhmm: Any) -> Any:
    """Minutes after midnight from HHMM: of an integer, or of an array, tensor or pandas column of them."""
    return hhmm // 100 * 60 + hhmm % 100


def hour(hhmm: Any) -> Any:
    """The hour of a time, 0 to 23, from HHMM; takes what `minutes` takes."""
    return hhmm // 100


def part_of_day(hhmm: np.ndarray) -> np.ndarray:
    """The name of the part of the day, as bytes, from HHMM."""
    import numpy as np

    names = np.array([name.encode() for name in PARTS_OF_DAY], dtype=object)
    return names[np.searchsorted(list(PARTS_OF_DAY.values()), hour(hhmm), side="right") - 1]


DERIVED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "hour": (DEPARTURE, hour),
    "part_of_day": (DEPARTURE, part_of_day),
}
"""Columns that slices may name beside those of the data: which column each is made from, and how."""

WATCHED = ("origin", "carrier", "part_of_day")
"""Columns, derived ones included, by whose values a served model's quality is watched."""
