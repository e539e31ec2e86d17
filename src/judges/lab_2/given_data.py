"""What lab 2 starts from: the result of lab 1 for the question `hotel`, and requests as they come in service; and flights that only the checks see."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from flights.data import WEATHER
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, QUESTIONS, labelled

QUESTION = QUESTIONS["hotel"]
KEY = "id"
KNOWN = tuple(name for name in COLUMNS if name in QUESTION.known)
"""The columns that a model may see: lab 1's variables."""
UNKNOWN = tuple(name for name in COLUMNS if name not in QUESTION.known)
"""The other columns of the months: written later, or, of a flight that is cancelled early, never."""
SCHEMA = Path(__file__).with_name("schema.pbtxt")
SPLITS = {"train": (4, 5, 6), "eval": (7,)}
MONTH_ROWS = 4000
MONTH, FIRST_DAY, ROWS = 7, 16, 4000
"""The month of which students get the days before the 16th, and how many flights of the others their models are asked about."""
STRANGE = ("ZZ", "QQ")
"""Two carriers that no flight of the year had."""

Frame = pd.DataFrame


@functools.cache
def month(number: int) -> Frame:
    """A month as in lab 1, of twice as many flights, with label and numbers (July: its first half); do not change the frame that is returned."""
    flights = _drawn(number).sort_index(kind="stable").reset_index(drop=True)
    return _numbered(labelled(flights, QUESTION), number)


def _drawn(number: int) -> Frame:
    return _of(number, late=False).sample(MONTH_ROWS, random_state=100 + number)


@functools.cache
def fresh() -> Frame:
    """As many other flights of the months of the split `train`; do not change the frame that is returned."""
    rest = [_of(number, late=False).drop(_drawn(number).index) for number in SPLITS["train"]]
    flights = pd.concat([one.sample(MONTH_ROWS, random_state=1) for one in rest], ignore_index=True)
    return _numbered(labelled(flights, QUESTION), 30)


def _of(number: int, late: bool) -> Frame:
    """The flights of a month; of July those of its second half, or of its first."""
    flights = monthly_data.year()[monthly_data.year()["month"] == number]
    return flights if number != MONTH else flights[(flights["day"] >= FIRST_DAY) == late]


def split(name: str) -> Frame:
    """The flights of a split."""
    return pd.concat([month(number) for number in SPLITS[name]], ignore_index=True)


def _numbered(flights: Frame, number: int) -> Frame:
    """Numbers say which flight it is, and nothing else: neither the order of the rows nor the day."""
    ids = np.random.default_rng([number, 2]).permutation(100_000)[: len(flights)] + 100_000 * number
    return flights.assign(**{KEY: ids})[[KEY, *flights.columns]]


@functools.cache
def unseen(seed: int) -> Frame:
    """4,000 flights of July's second half, with their labels, which only the checks see; a few have a new carrier, or no weather."""
    drawn = _of(MONTH, late=True).sample(ROWS, random_state=seed).reset_index(drop=True)
    flights = labelled(drawn, QUESTION)
    rng = np.random.default_rng([seed, 4])
    rows = rng.choice(len(flights), 60, replace=False)
    flights.loc[rows[:20], "carrier"] = STRANGE[0]
    flights.loc[rows[20:], [*WEATHER]] = np.nan
    flights.insert(0, KEY, rng.permutation(900_000)[: len(flights)] + 1_000_000)
    return flights


@functools.cache
def requests(seed: int) -> Frame:
    """Flights as they come in service: 28 of the months, then `MADE` made by hand: unknown words, no weather, and one flight twice."""
    rng = np.random.default_rng([seed, 5])
    taken = [
        split(name).sample(count, random_state=int(rng.integers(2**31))) for name, count in (("train", 20), ("eval", 8))
    ]
    known = pd.concat(taken)[[KEY, *KNOWN]].sample(frac=1, random_state=seed).reset_index(drop=True)
    made = month(5).sample(MADE, random_state=int(rng.integers(2**31)))[[KEY, *KNOWN]].reset_index(drop=True)
    made.loc[0:1, "carrier"] = STRANGE
    made.loc[2:3, "dest"] = ("XXA", "XXB")
    made.loc[4:6, [*WEATHER]] = np.nan
    made.iloc[-1] = made.iloc[-2]
    made[KEY] = 2_000_000 + rng.permutation(900_000)[:MADE]
    return pd.concat([known, made], ignore_index=True)


MADE = 10


def write(root: Path, seed: int) -> None:
    """Writes everything into the workspace."""
    for numbers in SPLITS.values():
        for number in numbers:
            monthly_data.write(month(number), root / "months", number)
    (root / "requests").mkdir()
    (root / "requests" / "flights.csv").write_text(monthly_data.to_csv(requests(seed)), encoding="utf-8")
    (root / "contract").mkdir()
    shutil.copyfile(SCHEMA, root / "contract" / "schema.pbtxt")
