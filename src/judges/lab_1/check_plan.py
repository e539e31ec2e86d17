"""Judges label, variables and ingestion: tasks 1 to 3 of lab 1."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, LANDED, TARGET, Question
from judges.shared import example_records, workspace_files

ALL = (*COLUMNS, TARGET)
SPLITS = {"train": (1, 2, 3), "eval": (4,)}
FEWEST_ROWS, FEWEST_VARIABLES = 1500, 8
FEW_WRONG = 0.05
"""Of the flights, the most that may have a wrong label where there is something right about it: more are another label."""

POPULATION = (
    ("are not as they were delivered (changed, or there twice)", "Leave its cells as they are."),
    ("are in the file, and your question has no answer for them", "Which of its columns are empty?"),
    ("are missing, and your question has an answer for them", "What in it made you leave it out?"),
)
"""What is said of flights that are changed, too many or too few, and where to look."""


def months(lab: checks.Lab) -> dict[int, pd.DataFrame]:
    """The four labelled months in the workspace.

    Raises:
        checks.Wrong: one is missing, or has other columns than a delivery and the label.
    """
    found = {}
    for number in range(1, 5):
        shown = f"months/span-{number:02d}/flights.csv"
        flights = workspace_files.csv_file(workspace_files.inside(lab, shown), shown)
        missing = [f"`{name}`" for name in ALL if name not in flights]
        extra = [str(name) for name in flights if name not in ALL]
        if missing:
            raise checks.Wrong(f"`{shown}` lacks {', '.join(missing[:4])}.")
        if extra:
            raise checks.Wrong(
                f"`{shown}` has columns beside those of the delivery and `{TARGET}`: {', '.join(extra[:4])}. "
                "Write it with `index=False`, and without helper columns."
            )
        found[number] = flights
    return found


def judge_labels(found: dict[int, pd.DataFrame], question: Question) -> None:
    """Compares flights and labels, month by month, with what the question asks.

    Raises:
        checks.Wrong: flights are missing or too many, changed, or labelled wrongly.
    """
    wrong = []
    for number, flights in found.items():
        month = monthly_data.month(number)
        given, delivered = _rows(flights), _rows(month)
        answers = zip(delivered, question.label(month), strict=True)
        truth = {row: answer for row, answer in answers if not pd.isna(answer)}
        there, asked = Counter(given), Counter(truth.keys())
        problems = (there - Counter(delivered), there - asked, asked - there)
        for rows, (said, hint) in zip(problems, POPULATION, strict=True):
            if rows:
                row = _told(next(iter(rows)))
                raise checks.Wrong(
                    f"Month {number}, flights that {said}: {sum(rows.values()):,}. One of them: {row}. {hint}"
                )
        values = flights[TARGET]
        fits = values.isin([0, 1]).fillna(False) & pd.api.types.is_integer_dtype(values)
        if not fits.all():
            place = int(np.argmin(fits.to_numpy(bool)))
            hint = " Where a number is missing, a comparison has no answer either: decide what it is for such a flight."
            empty = pd.isna(values.iloc[place])
            raise checks.Wrong(
                f"Month {number}: `{TARGET}` has to be the whole number 0 or 1 for each flight. For {_told(given[place])}, it is "
                f"{'empty' if empty else repr(values.astype(object).iloc[place])}.{hint if empty else ''}",
                points=0.5,
            )
        off = ((row, label) for row, label in zip(given, values, strict=True) if truth[row] != label)
        wrong += [f"Month {number}, {_told(row)}: your `{TARGET}` is {label}." for row, label in off]
    if wrong:
        raise checks.Wrong(
            f"The right flights are there. Those with the wrong `{TARGET}`: {len(wrong):,}. {wrong[0]} "
            "Read the question once more, word by word: what is compared, and what happens exactly at the limit?",
            points=1 if len(wrong) <= FEW_WRONG * sum(map(len, found.values())) else 0,
        )


def _rows(flights: pd.DataFrame) -> list[tuple]:
    """Flights as tuples in the order of the delivery's columns; numbers of equal value are equal, whatever their type."""
    return list(zip(*(_cells(flights[name]) for name in COLUMNS), strict=True))


def _cells(column: pd.Series) -> list[float | str | None]:
    if pd.api.types.is_numeric_dtype(column):
        return [None if cell != cell else cell for cell in column.to_numpy(float, na_value=np.nan).round(2).tolist()]
    return [None if pd.isna(cell) else str(cell) for cell in column.astype(object)]


def _told(row: tuple) -> str:
    """A flight in words."""
    flight = dict(zip(COLUMNS, row, strict=True))
    shown = {name: f"{cell:g}" if isinstance(cell, float) else cell or "empty" for name, cell in flight.items()}
    delays = ", ".join(f"`{name}` {shown[name]}" for name in ("dep_delay", "arr_delay"))
    return f"{shown['carrier']} {shown['flight']} of day {shown['day']} from {shown['origin']}, {delays}"


def judge_variables(question: Question, chosen: list[str]) -> None:
    """Are all variables known at the moment of the question, and is enough left to learn from?

    Raises:
        checks.Wrong: there is a leak, or too little is left.
    """
    leaks = [name for name in chosen if name not in question.known]
    if leaks:
        where = (
            "At least one is measured only after the landing. Ask of each column: who writes it, and when?"
            if {*leaks} & {*LANDED}
            else "The column *known* of the table tells when each is written; and what is sometimes never written tells something by "
            f"its absence. Compare the shares of `{TARGET}` 1 among the flights with and without a value."
        )
        is_ = "is" if len(leaks) == 1 else "are"
        raise checks.Wrong(f"{len(leaks)} of your variables {is_} not known {question.moment}. {where}")
    if len(chosen) < FEWEST_VARIABLES:
        raise checks.Wrong(
            f"None of your variables leaks. But they are few ({len(chosen)}), and more is known {question.moment}: "
            f"a model needs something to learn from. Give {FEWEST_VARIABLES} at least.",
            points=1 if len(chosen) >= FEWEST_VARIABLES // 2 else 0,
        )


def judge_examples(lab: checks.Lab, given: Any) -> None:
    """Are the Examples those of the labelled months, split by time?

    Raises:
        checks.Wrong: they are not. One point of two where each flight is there once, with a label, and only months or cells are not kept.
    """
    root = workspace_files.folder(lab, given, "EXAMPLES", "the folder of the Examples artifact, its `uri`")
    files = months(lab)
    for number, flights in files.items():
        if len(flights) < FEWEST_ROWS:
            raise checks.Wrong(f"`months/span-{number:02d}` has too few flights ({len(flights)}). Task 1 comes first.")
    found, held, wanted, different = {}, {}, {}, set()
    others = sorted({path.name.removeprefix("Split-") for path in root.glob("Split-*")} - {*SPLITS})
    for name, numbers in SPLITS.items():
        if not (root / f"Split-{name}").is_dir():
            there = ", ".join(sorted(path.name for path in root.glob("Split-*"))) or "no split at all"
            raise checks.Wrong(
                f"`EXAMPLES` has no split `{name}`: in that folder there is {there}. "
                "It has to be the `uri` of the Examples artifact, with the splits train and eval."
            )
        found[name] = example_records.split(root / f"Split-{name}")
        held[name] = Counter(example.get("month") for example in found[name])
        wanted[name] = Counter({number: len(files[number]) for number in numbers})
        rows = [[_as_text(example.get(column)) for column in ALL] for example in found[name]]
        right = [row for number in numbers for row in _as_written(files[number])]
        if Counter(map(tuple, rows)) != Counter(map(tuple, right)):
            columns = zip(ALL, _columns(rows), _columns(right), strict=True)
            different |= {column for column, mine, theirs in columns if mine != theirs} or {"rows"}
    if others and not different:
        raise checks.Wrong(
            f"The splits train and eval are right. But `EXAMPLES` has more splits than these two: {', '.join(others[:3])}.",
            points=1,
        )
    if not different:
        return
    everything = sum(held.values(), Counter()) == sum(wanted.values(), Counter())
    labelled = any(TARGET in example for examples in found.values() for example in examples)
    teaching = set(SPLITS["train"]) <= set(held["train"]) and bool(found["eval"])
    if held == wanted:
        named = ", ".join(f"`{name}`" for name in ALL if name in different) or "more than one column"
        hint = (
            f"The flights are the right ones, and the cells differ from your files in `months`, in {named}. Which folder was ingested, "
            "and before or after you wrote it last? Whole numbers become decimals where a gap made pandas turn them."
        )
    else:
        hint = (
            f"Your files have {_holding(wanted['train'])} for train, and {_holding(wanted['eval'])} for eval. Look at the patterns of your "
            "splits (unless you name two input splits, ExampleGen splits by hash), and whether the months were written anew since."
        )
    raise checks.Wrong(
        f"January to March teach, April examines. In your Examples train has {_holding(held['train'])}; eval has "
        f"{_holding(held['eval'])}. {hint}",
        points=1 if everything and labelled and teaching else 0,
    )


def _as_text(cell: Any) -> str:
    return "" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _as_written(flights: pd.DataFrame) -> list[list[str]]:
    """The cells of a file as text, such that whole numbers are told from decimals."""
    columns = [flights[name].astype(object).where(flights[name].notna(), None) for name in ALL]
    return [list(map(_as_text, row)) for row in zip(*columns, strict=True)]


def _columns(rows: list[list[str]]) -> list[Counter]:
    return [Counter(row[place] for row in rows) for place in range(len(ALL))]


def _holding(held: Counter) -> str:
    """How many flights of which months: `400 flights of month 1, 400 of month 2`."""
    told = [f"{count:,} of month {month}" for month, count in sorted(held.items(), key=lambda item: str(item[0]))[:6]]
    return ", ".join(told) or "nothing"
