"""Judges whether a flight is prepared in service as it was in training: task 2 of lab 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from course import checks
from judges.lab_2 import check_features, given_data, transform_trial
from judges.lab_2.given_data import KEY, MADE
from judges.lab_2.transform_trial import NEW_WORDS
from judges.shared import workspace_files

FILE = "served.csv"
NEAR = 1e-3
SHOWN = 4
"""So many features are named in a message."""
FREQUENT = 8
"""So many carriers of a place are surely in a vocabulary of which rare words are left out; the first of them if any is."""
KINDS = 4
"""A feature that divides carriers into fewer kinds does not tell one from the others, and may well put what is new with one of the kinds."""


def judge_parity(lab: checks.Lab, graph: Any) -> None:
    """Two points for flights of the months, one for those that were made by hand.

    Raises:
        checks.Wrong: a request was prepared in another way than in training, or could not be.
    """
    found = transform_trial.prepared(lab, graph)
    names, requests = check_features.names(found["months"]), given_data.requests(lab.seed)
    if lost := [name for name in names if name not in found["requests"]]:
        raise checks.Wrong(
            f"Of a request the graph does not make {', '.join(f'`{name}`' for name in lost[:4])}, which it makes in training: "
            "it leaves out what it cannot make. Which raw column does it need that a request does not have?"
        )
    served = workspace_files.table(lab, FILE)
    workspace_files.keys(served, FILE, requests[KEY], KEY)
    if lost := [name for name in names if name not in served]:
        raise checks.Wrong(f"`{FILE}` lacks {', '.join(f'`{name}`' for name in lost[:4])}, which the graph makes.")
    months, made, file = (
        pd.DataFrame({name: table[name] for name in names}).astype(float)
        for table in (found["months"], found["requests"], served)
    )
    trained = months.set_axis(transform_trial.months()[KEY]).loc[requests[KEY][:-MADE]]
    _same(made[:-MADE], trained, requests, "your graph gives", 0)
    _same(file[:-MADE], trained, requests, f"`{FILE}` has", 0)
    _same(file[-MADE:], made[-MADE:], requests[-MADE:], f"`{FILE}` has", 2)
    _possible(made[-MADE:], months, requests[-MADE:], {n for n in names if found["months"][n].dtype.kind in "iu"})
    _new_words(found["words"], names)


def _same(found: pd.DataFrame, wanted: pd.DataFrame, requests: pd.DataFrame, what: str, points: float) -> None:
    """Raises where two tables of the same flights differ."""
    ours, theirs = wanted.to_numpy(), found.to_numpy()
    with np.errstate(invalid="ignore"):
        off = ~((np.abs(theirs - ours) <= NEAR * (1 + np.abs(ours))) | (np.isnan(theirs) & np.isnan(ours)))
    if off.any():
        row, column = np.argwhere(off)[0]
        counts = {name: count for name, count in zip(found, off.sum(axis=0), strict=True) if count}
        worst = ", ".join(f"`{name[:40]}` ({counts[name]} of {len(off)} flights)" for name in list(counts)[:SHOWN])
        if (more := len(counts) - SHOWN) > 0:
            worst += f" and {more} other{'s' * (more > 1)}"
        source = "in training" if not points else "as your graph prepares it"
        raise checks.Wrong(
            f"The same flight is prepared in two ways: {worst}. For the request {requests[KEY].iloc[row]}, `{found.columns[column]}` is "
            f"{ours[row, column]:.4g} {source}, and {what} {theirs[row, column]:.4g}. What in it depends on the other flights that "
            "are prepared at the same time, on chance, or on something that is not the graph?",
            points=points,
        )


def _possible(made: pd.DataFrame, months: pd.DataFrame, requests: pd.DataFrame, places: set[str]) -> None:
    """Raises where a request with unknown words or no weather becomes what no flight of the months is like."""
    for name in made:
        low, high = months[name].min(), months[name].max()
        more = 1 if name in places else 0.25 * (high - low)
        for number, value in zip(requests[KEY], made[name], strict=True):
            if not (0 if name in places else low - more) - NEAR <= value <= high + more + NEAR:
                raise checks.Wrong(
                    f"For the request {number} the graph makes `{name}` {value:.4g}; the flights of your months go from {low:.4g} to {high:.4g}. "
                    "Look at what is missing in it, or new. (For words: what does `num_oov_buckets` do?)",
                    points=2,
                )


def _new_words(words: dict[str, np.ndarray], names: list[str]) -> None:
    """Raises where a feature, or all of them together, take all new carriers for the most frequent one of a place."""
    table, start, new = np.column_stack([words[name].astype(float) for name in names]), 0, len(NEW_WORDS)
    for column, value, carriers in transform_trial.places():
        rows = table[start : start + new + len(carriers)]
        start += len(rows)
        for name, values in [*zip(names, np.split(rows, len(names), axis=1), strict=True), ("", rows)]:
            if _taken_for_first(values[:new], values[new:][:FREQUENT]):
                raise checks.Wrong(
                    f"{f'In `{name}` a' if name else 'A'} carrier that is new comes out as {carriers[0]} does, which is the most frequent one where `{column}` is "
                    f"{value}: a model takes it for that one. Where does a word go that training did not have?",
                    points=2,
                )


def _taken_for_first(new: np.ndarray, known: np.ndarray) -> bool:
    """Whether all new carriers have the values of the first known one, which no other has, of shape (carriers, features)."""
    others = np.isclose(known[1:], known[0], rtol=1e-6, atol=1e-6).all(axis=1).any()
    return len(np.unique(known, axis=0)) >= KINDS and not others and np.allclose(new, known[0], rtol=1e-6, atol=1e-6)
