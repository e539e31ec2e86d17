"""Judges what Transform has written: task 1 of lab 2."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from course import checks
from judges.lab_1.questions import TARGET
from judges.lab_2 import given_data, roc_auc
from judges.lab_2.given_data import KEY, KNOWN, SPLITS
from judges.shared import example_records, workspace_files

FEWEST, OWN = 8, 2
COPY = 0.97
"""A rank correlation from which on a feature says what another column says."""
FEW = 7
"""So many values has a column that a feature can be in step with, and still say more."""
GIVEN_AWAY = 0.85
"""An area from which on one feature alone knows the answer; the best honest one has 0.65."""
LARGEST = 1000
"""For whole numbers, which are places in a list."""

Frame = pd.DataFrame


def judge_features(lab: checks.Lab, given: Any, own: Any) -> None:
    """Two points for features that a network can take, two for those of the student's own, two for scales.

    Raises:
        checks.Wrong: something is not as it should be; no points where a feature knows the answer.
    """
    train, evaluate = read(lab, given)
    names = features(train)
    if len(names) < FEWEST:
        raise checks.Wrong(f"There are {len(names)} features beside `{KEY}` and `{TARGET}`. Give {FEWEST} at least.")
    _leaks(train, names)
    problems, points = [], 2.0
    for judge in (lambda: _own(train, names, own), lambda: _scales(train, names)):
        try:
            judge()
            points += 2
        except checks.Wrong as wrong:
            problems.append(wrong.message)
    _ = evaluate
    if problems:
        raise checks.Wrong("\n".join(["A network can take your features.", *problems]), points=points)


def features(examples: Frame) -> list[str]:
    """The names of the features among the columns."""
    return sorted(name for name in examples if name not in (KEY, TARGET))


def read(lab: checks.Lab, given: Any) -> list[Frame]:
    """The transformed examples of both splits: the flights of the checkpoint, sorted by their number, one finite number in each cell.

    Raises:
        checks.Wrong: they are not.
    """
    root = workspace_files.folder(lab, given, "TRANSFORMED", "the `uri` of the artifact `transformed_examples`")
    return [_split(root, name) for name in SPLITS]


def _split(root: Path, name: str) -> Frame:
    folder = root / f"Split-{name}"
    if not folder.is_dir() or folder.is_symlink():
        raise checks.Wrong(
            f"`TRANSFORMED` has no split `{name}`. It has to be the `uri` of Transform's output `transformed_examples`."
        )
    examples = example_records.split(folder)
    raw = _raw(name)
    if len(examples) != len(raw):
        raise checks.Wrong(
            f"The split {name} has {len(examples):,} examples, and there are {len(raw):,} flights in it."
        )
    columns = sorted({column for example in examples for column in example})
    for column in (KEY, TARGET):
        if column not in columns:
            raise checks.Wrong(f"The transformed examples have no `{column}`: hand it on, as it is.")
    for column in columns:
        _cells(column, [example.get(column) for example in examples])
    frame = pd.DataFrame(examples, columns=columns).sort_values(KEY, kind="stable").reset_index(drop=True)
    for column in (KEY, TARGET):
        if not np.array_equal(frame[column].to_numpy(dtype=float), raw[column].to_numpy(dtype=float)):
            raise checks.Wrong(f"In the split {name}, `{column}` is not as it came. Hand it on, as it is.")
    return frame


def _cells(column: str, cells: list[Any]) -> None:
    """Raises where a column holds anything but one finite number for each flight."""
    gaps = sum(cell is None for cell in cells)
    if gaps:
        raise checks.Wrong(
            f"`{column}` has no value for {gaps:,} flights. What stands in where a measurement is missing?"
        )
    if any(isinstance(cell, str) and cell.endswith(" values") for cell in cells[:50]):
        raise checks.Wrong(
            f"`{column}` has several values for a flight. Give each a name of its own, of shape (batch, 1)."
        )
    if any(isinstance(cell, str) for cell in cells):
        raise checks.Wrong(f"`{column}` holds text. A network takes numbers: what makes a number of a word?")
    if not all(np.isfinite(cell) for cell in cells):
        raise checks.Wrong(
            f"`{column}` holds NaN or infinity for some flights. Where does a missing value, or a zero, get in?"
        )


@functools.cache
def _raw(name: str) -> Frame:
    """The flights of a split, sorted by their number."""
    return given_data.split(name).sort_values(KEY, kind="stable").reset_index(drop=True)


def _leaks(train: Frame, names: list[str]) -> None:
    raw = _raw("train")
    labels, planeless = raw[TARGET].to_numpy(dtype=int), raw["tailnum"].isna().to_numpy(dtype=int)
    late = raw["dep_delay"].astype(float).to_numpy()
    flown = ~np.isnan(late)
    for name in names:
        values = train[name].to_numpy(dtype=float)
        area, gone = roc_auc.auc(labels, values), roc_auc.auc(planeless, values)
        delayed = abs(_correlation(values[flown], late[flown]))
        if max(area, 1 - area) > GIVEN_AWAY or delayed > 0.6:
            raise checks.Wrong(
                f"`{name}` knows the answer: alone it ranks the flights almost as their label does. When is what it is made of written?"
            )
        if max(gone, 1 - gone) > 0.97:
            raise checks.Wrong(
                f"`{name}` tells which flights have no plane yet: those that were cancelled early. Which of its columns is empty for them, and is it known then?"
            )


def _own(train: Frame, names: list[str], own: Any) -> None:
    if not isinstance(own, list) or not all(isinstance(name, str) for name in own) or len(set(own)) < OWN:
        raise checks.Wrong(f"`OWN` has to be a list of the names of {OWN} features that you have thought of.")
    unknown = [name for name in own if name not in names]
    if unknown:
        raise checks.Wrong(f"`OWN` names what is no feature among the transformed examples: {unknown[0][:40]!r}.")
    raw = _raw("train")
    for name in own:
        values = train[name].to_numpy(dtype=float)
        share = train[name].value_counts(normalize=True).iloc[0]
        if share > 0.99:
            raise checks.Wrong(f"`{name}` has the same value for {share:.1%} of the flights: it tells a model nothing.")
        for column in KNOWN:
            if _says_the_same(values, raw[column]):
                raise checks.Wrong(
                    f"`{name}` is `{column}` in other clothes: from the values of the one follows the order of the other. A feature of your own says something that no column says alone."
                )
        for other in names:
            if other != name and abs(_correlation(values, train[other].to_numpy(dtype=float))) > COPY:
                raise checks.Wrong(f"`{name}` says the same as your feature `{other}`.")


def _says_the_same(values: np.ndarray, column: pd.Series) -> bool:
    """Whether a feature orders the flights as a column does, or stands for its words one to one."""
    if pd.api.types.is_numeric_dtype(column):
        known = column.notna().to_numpy()
        numbers = column[known].to_numpy(dtype=float)
        alike = abs(_correlation(values[known], numbers)) > COPY
        return (alike and not _finer(values[known], numbers)) or _one_to_one(values[known], numbers)
    return _one_to_one(values, pd.factorize(column)[0].astype(float))


def _finer(values: np.ndarray, column: np.ndarray) -> bool:
    """Whether a feature divides further what a column of few values puts together, as the hour of the week does with the day."""
    groups = pd.Series(values).groupby(column)
    return groups.ngroups <= FEW and bool((groups.nunique() > 2).all())


def _one_to_one(left: np.ndarray, right: np.ndarray) -> bool:
    pairs = len(np.unique(np.column_stack([left, right]), axis=0))
    several = min(len(np.unique(left)), len(np.unique(right)))
    return several > 2 and pairs == len(np.unique(left)) == len(np.unique(right))


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(spearmanr(left, right).statistic)


def _scales(train: Frame, names: list[str]) -> None:
    for name in names:
        column = train[name]
        if pd.api.types.is_integer_dtype(column):
            if column.abs().max() > LARGEST:
                raise checks.Wrong(
                    f"`{name}` holds whole numbers up to {column.abs().max():,}: neither places in a list nor on a scale."
                )
            if column.min() < 0:
                raise checks.Wrong(f"`{name}` holds whole numbers below 0. Where would an embedding look those up?")
            continue
        mean, deviation = float(column.mean()), float(column.std(ddof=0))
        if abs(mean) > 3 or not 0.01 < deviation < 3:
            raise checks.Wrong(
                f"`{name}` has the mean {mean:.3g} and the standard deviation {deviation:.3g}: beside features that go from -1 to 1 "
                "it drowns the others, or drowns. Which of Transform's functions puts a column on a scale?"
            )
