"""Does a file hold the month of its folder, and no flight that another file of the run holds? Asked of the tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .columns import DATE, SPAN, WEEKDAY

FINER, COARSER = DATE[DATE.index(SPAN) + 1 :], DATE[: DATE.index(SPAN)]

DATED = {*COARSER, SPAN, WEEKDAY}
"""What a sender changes who delivers a month again as another one."""

MANY = 0.25
"""Of a file's rows. In the full year, one row repeats another but for its day; and but for weather and plane, 1.8 % of a month's
do, or 5.4 % of an airline's: the same plane on the same flight."""


class RowFault(NamedTuple):
    """A row, counted from 0, its column, and what is wrong with it."""

    row: int
    column: str
    said: str


class Repeats(NamedTuple):
    """Rows of a file that are there before.

    Attributes:
        counts: how many of them stand in which file, by its number.
        row: the first of them, counted from 0.
        first_file: number of the file that has it first,
        first_row: and the row there.
        aside: columns that were not compared, because many rows differ in nothing else.
    """

    counts: dict[int, int]
    row: int
    first_file: int
    first_row: int
    aside: tuple[str, ...] = ()


def is_span(folder: str) -> bool:
    """Whether a folder's name is that of a span, as ExampleGen numbers them."""
    return re.fullmatch(r"span-\d+", folder) is not None


def span_of(path: str | Path) -> int | None:
    """The number of the span in whose folder a file is, or in that of a version of it; None when it is in no such folder."""
    return next((int(part[5:]) for part in reversed(Path(path).absolute().parts[-3:-1]) if is_span(part)), None)


def other_month(table: pa.Table, span: int | None) -> RowFault | None:
    """The first row that is of another month than the span, or of another year than the first row, or of no day."""
    if span is not None and (fault := _other_value(table, SPAN, span, f"in the folder of {SPAN} {span}")):
        return fault
    for column in COARSER:
        value = table[column][0].as_py()
        where = f"in a file that begins with {'an empty cell' if value is None else value}"
        if fault := _other_value(table, column, value, where):
            return fault
    for column in FINER:
        if count := table[column].null_count:
            row = pc.index(pc.is_null(table[column]), True).as_py()
            said = f"empty ({count:,} of {len(table):,} rows). Ask the sender on which {column} the flight was."
            return RowFault(row, column, said)
    return None


def _other_value(table: pa.Table, column: str, wanted: int | None, where: str) -> RowFault | None:
    wrong = pc.fill_null(pc.not_equal(table[column], pa.scalar(wanted, pa.int64())), True)
    if not (count := pc.sum(wrong).as_py()):
        return None
    row = pc.index(wrong, True).as_py()
    value = table[column][row].as_py()
    said = f"{'empty' if value is None else value}, {where} ({count:,} of {len(table):,} rows)"
    return RowFault(row, column, f"{said}. Was another {SPAN} delivered? Ask its sender for the right file.")


def other_year(table: pa.Table, first: pa.Table) -> RowFault | None:
    """Whether a file is of another year than the first one of the run."""
    for column in COARSER:
        value, wanted = table[column][0].as_py(), first[column][0].as_py()
        if value != wanted:
            said = f"{value}, in a run whose first {SPAN} is of {wanted}. Are the {SPAN}s of one run of one {column}?"
            return RowFault(0, column, said)
    return None


def repeats(
    tables: Sequence[pa.Table], columns: Sequence[str], changing: Sequence[Sequence[str]] = ()
) -> dict[int, Repeats]:
    """Which of the tables have rows that are there before, in an earlier table or in the same one.

    Args:
        tables: with `columns` in each.
        columns: what is compared.
        changing: groups of them that a sender may have changed throughout. With one of the groups left aside, rows are repeated where
            more than `MANY` of a table's are.

    Returns:
        For each table that has such rows, by its number, what is repeated: the most that is found.
    """
    starts = np.cumsum([0, *(len(table) for table in tables)])
    rest = sorted(set(columns) - {name for group in changing for name in group})
    parts = [np.concatenate([_row_hashes(table.select(part)) for table in tables]) for part in (rest, *changing)]
    found: dict[int, Repeats] = {}
    for aside in range(len(parts)):  # with 0, the whole row is compared
        hashes = sum(part for number, part in enumerate(parts) if not aside or number != aside)
        again = np.flatnonzero(pd.Series(hashes).duplicated())
        files = np.searchsorted(starts, again, "right") - 1
        counts = np.bincount(files, minlength=len(tables))
        for number in np.flatnonzero(counts > (MANY * np.diff(starts) if aside else 0)).tolist():
            if number not in found or counts[number] > sum(found[number].counts.values()):
                left = tuple(changing[aside - 1]) if aside else ()
                found[number] = _origin(hashes, again[files == number], starts, number, left)
    return found


def _origin(hashes: np.ndarray, again: np.ndarray, starts: np.ndarray, number: int, aside: tuple[str, ...]) -> Repeats:
    """Where the rows of a table that are there before were first."""
    rows = pd.Series(np.arange(len(hashes)), hashes)
    firsts = rows[~rows.index.duplicated()].loc[hashes[again]].to_numpy()
    files = np.searchsorted(starts, firsts, "right") - 1
    counts = dict(sorted(Counter(files.tolist()).items()))
    row, file = int(again[0] - starts[number]), int(files[0])
    return Repeats(counts, row, file, int(firsts[0] - starts[file]), aside)


def _row_hashes(table: pa.Table) -> np.ndarray:
    """A 64-bit hash of each row's values; with 327,346 rows, two are alike by chance once in 300 million years of data."""
    frame = table.to_pandas(strings_to_categorical=True)
    # An integer column with gaps arrives with decimals and one without does not: to be compared, all do.
    numbers = frame.select_dtypes("number").astype("float64") + 0.0  # and -0 is 0
    return pd.util.hash_pandas_object(frame.assign(**numbers), index=False).to_numpy()
