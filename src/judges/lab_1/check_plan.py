"""Judges label, variables and ingestion: tasks 1 to 3 of lab 1."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, LANDED, TARGET, Question, labelled
from judges.shared import example_records, workspace_files

MONTHS = (1, 2, 3, 4)
SPLITS = {"train": (1, 2, 3), "eval": (4,)}
FEWEST_ROWS, FEWEST_VARIABLES = 1500, 8
FEW_WRONG = 0.05
"""Of the flights, the most that may have a wrong label where there is something right about it: more are another label."""


def months(lab: checks.Lab) -> dict[int, pd.DataFrame]:
    """The four labelled months in the workspace.

    Raises:
        checks.Wrong: one is missing, or has other columns than a delivery and the label.
    """
    found = {}
    for number in MONTHS:
        shown = f"months/span-{number:02d}/flights.csv"
        flights = workspace_files.csv_file(workspace_files.inside(lab, shown), shown)
        missing = [name for name in (*COLUMNS, TARGET) if name not in flights.columns]
        extra = [name for name in flights.columns if name not in (*COLUMNS, TARGET)]
        if missing:
            raise checks.Wrong(f"`{shown}` lacks {', '.join(f'`{name}`' for name in missing[:4])}.")
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
    wrong = 0
    example = ""
    for number, flights in found.items():
        month = monthly_data.month(number)
        right, given = labelled(month, question), _rows(flights)
        rows = _rows(right)
        strange = Counter(given) - Counter(_delivered(number))
        if strange:
            raise checks.Wrong(
                f"Month {number}: {sum(strange.values())} flights are not as they were delivered (changed, or there twice). "
                f"{_changed(next(iter(strange)))}"
            )
        _population(number, month, Counter(given), Counter(rows))
        values = flights[TARGET]
        _no_gaps(number, flights)
        if not pd.api.types.is_integer_dtype(values) or not values.isin([0, 1]).fillna(False).all():
            raise checks.Wrong(
                f"Month {number}: `{TARGET}` has to be the whole number 0 or 1 for each flight; you give {_given(values)}.",
                points=0.5,
            )
        truth = dict(zip(rows, right[TARGET], strict=True))
        off = [place for place, row in enumerate(given) if truth[row] != values.iloc[place]]
        wrong += len(off)
        if off and not example:
            example = f"Month {number}, {_told(flights.iloc[off[0]])}: your `{TARGET}` is {values.iloc[off[0]]}."
    if wrong:
        raise checks.Wrong(
            f"The right flights are there, and {wrong} of them have the wrong `{TARGET}`. {example} "
            "Read the question once more, word by word: what is compared, and what happens exactly at the limit?",
            points=1 if wrong <= FEW_WRONG * sum(map(len, found.values())) else 0,
        )


def _no_gaps(number: int, flights: pd.DataFrame) -> None:
    empty = flights[TARGET].isna()
    if empty.any():
        raise checks.Wrong(
            f"Month {number}: `{TARGET}` is empty for {empty.sum()} flights that your question is about. One of them: "
            f"{_told(flights[empty].iloc[0])}. Where a number is missing, a comparison has no answer either: "
            "decide what the answer is for such a flight.",
            points=0.5,
        )


def _given(values: pd.Series) -> str:
    """A few of the values that were given, in words."""
    shown = [repr(value) for value in values.drop_duplicates().astype(object).head(3)]
    return f"{' and '.join(shown[:2])}" + (", for example" if len(shown) > 2 else "")


def _population(number: int, month: pd.DataFrame, given: Counter, right: Counter) -> None:
    """Are these the flights that the question has an answer for?"""
    for difference, what, hint in (
        (given - right, "are in the file, and your question has no answer for them", "Which of its columns are empty?"),
        (right - given, "are missing, and your question has an answer for them", "What in it made you leave it out?"),
    ):
        if difference:
            flight = month.iloc[_delivered(number).index(next(iter(difference)))]
            raise checks.Wrong(
                f"Month {number}: {sum(difference.values())} flights {what}. One of them: {_told(flight)}. {hint}"
            )


@functools.cache
def _delivered(number: int) -> list[tuple]:
    return _rows(monthly_data.month(number))


def _rows(flights: pd.DataFrame) -> list[tuple]:
    """Flights as tuples in the order of the delivery's columns; numbers of equal value are equal, whatever their type."""
    return _tuples(flights, [*COLUMNS])


def _tuples(flights: pd.DataFrame, columns: list[str]) -> list[tuple]:
    return list(zip(*(_cells(flights[column]) for column in columns), strict=True))


def _cells(column: pd.Series) -> list[float | str | None]:
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(float, na_value=np.nan).round(2)
        return [None if number != number else number for number in numbers.tolist()]
    cells = column.astype(object).where(column.notna(), None)
    return [cell if cell is None or isinstance(cell, str) else round(float(cell), 2) for cell in cells]


def _told(flight: pd.Series) -> str:
    """A flight in words."""
    delays = ", ".join(
        f"`{name}` {'empty' if pd.isna(flight[name]) else int(flight[name])}" for name in ("dep_delay", "arr_delay")
    )
    return f"{flight['carrier']} {flight['flight']} of day {flight['day']} from {flight['origin']}, {delays}"


def _changed(row: tuple) -> str:
    flight = dict(zip(COLUMNS, row, strict=True))
    return f"One of them: {flight['carrier']} {flight['flight']} of day {flight['day']}. Leave the delivered cells as they are."


def judge_variables(question: Question, chosen: list[str]) -> None:
    """Are all variables known at the moment of the question, and is enough left to learn from?

    Raises:
        checks.Wrong: there is a leak, or too little is left.
    """
    leaks = [name for name in chosen if name not in question.known]
    if leaks:
        raise checks.Wrong(_leak(question, leaks), points=0)
    if len(chosen) < FEWEST_VARIABLES:
        raise checks.Wrong(
            f"None of your variables leaks. But there are {len(chosen)} of them, and more is known {question.moment}: "
            f"a model needs something to learn from. Give {FEWEST_VARIABLES} at least.",
            points=1 if len(chosen) >= FEWEST_VARIABLES // 2 else 0,
        )


def _leak(question: Question, leaks: list[str]) -> str:
    flights = pd.concat([monthly_data.month(number) for number in MONTHS])
    known = [name for name in leaks if name not in LANDED]
    count = f"{len(leaks)} of your variables {'is' if len(leaks) == 1 else 'are'} not known {question.moment}."
    if len(known) < len(leaks):
        return f"{count} At least one is measured only after the landing. Ask of each column: who writes it, and when?"
    if question.name == "hotel" and "dep_delay" not in leaks and "dep_time" not in leaks:
        label = question.label(flights)
        gone = flights["tailnum"].isna()
        return (
            f"{count} Its mere absence tells the answer: of the flights where it is empty {label[gone].mean():.0%} "
            f"have `{TARGET}` 1, of the others {label[~gone].mean():.0%}. Other columns are looked up by it."
            if "tailnum" in leaks
            else f"{count} It is looked up by another column, which for a cancelled flight may never be written."
        )
    return (
        f"{count} The column *known* of the table tells when each is written, and your question says when it is asked."
    )


def judge_examples(lab: checks.Lab, folder: str) -> None:
    """Are the Examples those of the labelled months, split by time?

    Raises:
        checks.Wrong: they are not.
    """
    root = workspace_files.inside(lab, folder)
    found = {}
    for name in SPLITS:
        if not (root / f"Split-{name}").is_dir():
            there = sorted(path.name for path in root.glob("Split-*"))
            raise checks.Wrong(
                f"`EXAMPLES` has no split `{name}`: in that folder there is {', '.join(there) or 'no split at all'}. "
                "It has to be the `uri` of the Examples artifact, with the splits train and eval."
            )
        found[name] = example_records.split(root / f"Split-{name}")
    files = months(lab)
    for number, flights in files.items():
        if len(flights) < FEWEST_ROWS:
            raise checks.Wrong(f"`months/span-{number:02d}` has {len(flights)} flights only. Task 1 comes first.")
    expected = {name: pd.concat([files[number] for number in numbers]) for name, numbers in SPLITS.items()}
    sizes = {name: len(examples) for name, examples in found.items()}
    if not any(TARGET in example for examples in found.values() for example in examples):
        raise checks.Wrong(
            f"No Example has `{TARGET}`. The label is in your files in `months`, not in those that were delivered: which "
            "folder was ingested?"
        )
    _whole_months(found, sizes, expected)
    if sum(sizes.values()) != sum(map(len, expected.values())):
        raise checks.Wrong(
            f"Your months have {sum(map(len, expected.values())):,} flights, the Examples {sum(sizes.values()):,}. "
            "Were they ingested before the months were written anew?"
        )
    _by_time(sizes, {name: len(flights) for name, flights in expected.items()})
    for name, examples in found.items():
        _same(name, examples, expected[name])


def _whole_months(
    found: dict[str, list[dict[str, Any]]], sizes: dict[str, int], expected: dict[str, pd.DataFrame]
) -> None:
    """Does each split hold the months that it should? Splits by hash hold all four, and are told elsewhere."""
    held = {name: {example.get("month") for example in examples} & set(MONTHS) for name, examples in found.items()}
    if held["train"] == set(SPLITS["eval"]) and held["eval"] == set(SPLITS["train"]):
        raise checks.Wrong("The two splits are exchanged: train holds April, and eval January to March.")
    absent = sorted(set(MONTHS) - held["train"] - held["eval"])
    if absent:
        raise checks.Wrong(
            f"{_months(absent)} in neither split: train holds {_these(held['train'])}, eval "
            f"{_these(held['eval'])}. Look at the patterns of your splits."
        )
    twice = sorted(held["train"] & held["eval"])
    if twice and sum(sizes.values()) > sum(map(len, expected.values())):
        raise checks.Wrong(
            f"{_months(twice)} in both splits: train has {sizes['train']:,} flights, eval "
            f"{sizes['eval']:,}. A model would be examined on flights that it has learned. Look at the patterns of your splits."
        )


def _months(numbers: list[int]) -> str:
    return f"Month {numbers[0]} is" if len(numbers) == 1 else f"Months {' and '.join(map(str, numbers))} are"


def _these(numbers: set[int]) -> str:
    return f"{', '.join(map(str, sorted(numbers)))}" if numbers else "none of the four"


def _by_time(sizes: dict[str, int], wanted: dict[str, int]) -> None:
    if sizes != wanted:
        raise checks.Wrong(
            f"All flights are there, but train has {sizes['train']:,} and eval {sizes['eval']:,}: not whole months. "
            "Unless you name two input splits, ExampleGen splits by hash, and the model is examined on days that it knows. "
            "January to March teach, April examines.",
            points=1,
        )


def _same(name: str, examples: list[dict[str, Any]], flights: pd.DataFrame) -> None:
    whole = [column for column in flights if pd.api.types.is_integer_dtype(flights[column])]
    for column in (*COLUMNS, TARGET):
        kinds = {type(example.get(column)) for example in examples} - {type(None)}
        if column in whole and float in kinds:
            raise checks.Wrong(
                f"`{column}` holds whole numbers, and in your Examples it is a decimal number. Were the months written "
                "from a frame in which pandas had turned it into decimals, because of a gap?",
                points=1,
            )
    frame = pd.DataFrame(examples, columns=[*COLUMNS, TARGET])
    if Counter(_tuples(frame, [*COLUMNS, TARGET])) != Counter(_tuples(flights, [*COLUMNS, TARGET])):
        raise checks.Wrong(
            f"The flights in split {name} are not those of your months. It has to hold months "
            f"{', '.join(map(str, SPLITS[name]))}, as they lie in `months/`: look at the patterns of your splits.",
            points=1,
        )


def example_folder(given: Any) -> str:
    """The answer `EXAMPLES`."""
    if not isinstance(given, str) or not given.strip() or not Path(given).name:
        raise checks.Wrong("`EXAMPLES` has to be text: the folder of the Examples artifact, its `uri`.")
    return given
