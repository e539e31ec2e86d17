"""Judges whether a flight is prepared in service as it was in training: task 2 of lab 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from course import checks
from judges.lab_2 import check_features, given_data
from judges.lab_2.given_data import KEY, KNOWN, MADE
from judges.shared import workspace_files

FILE = "served.csv"
NEAR = 1e-3


def judge_parity(lab: checks.Lab, given: Any) -> None:
    """Two points for flights of the months, one for those that were made by hand.

    Raises:
        checks.Wrong: a request was prepared in another way than in training, or could not be.
    """
    months = pd.concat(check_features.read(lab, given)).set_index(KEY)
    names = check_features.features(months.reset_index())
    requests = given_data.requests(lab.seed)
    served = workspace_files.table(lab, FILE)
    workspace_files.keys(served, FILE, requests[KEY], KEY)
    missing = [name for name in names if name not in served]
    if missing:
        raise checks.Wrong(
            f"`{FILE}` lacks {', '.join(f'`{name}`' for name in missing[:4])}, which you have in training. "
            "The graph leaves out what it cannot make. Which raw column does it need that a request does not have?"
        )
    values = served[names].to_numpy(dtype=float, na_value=np.nan)
    known = len(requests) - MADE
    places = {name for name in names if pd.api.types.is_integer_dtype(months[name])}
    _same(values[:known], months.loc[requests[KEY][:known], names].to_numpy(dtype=float), names, requests)
    _made(values[known:], names, requests[known:].reset_index(drop=True), places)


def _same(served: np.ndarray, trained: np.ndarray, names: list[str], requests: pd.DataFrame) -> None:
    with np.errstate(invalid="ignore"):
        off = ~(np.abs(served - trained) <= NEAR * (1 + np.abs(trained)))
    if not off.any():
        return
    row, column = np.argwhere(off)[0]
    everywhere = off.sum(axis=0)
    worst = ", ".join(
        f"`{names[place]}` ({everywhere[place]} of {len(off)} flights)" for place in np.flatnonzero(everywhere)[:4]
    )
    raise checks.Wrong(
        f"The same flight is prepared in two ways: {worst}. Flight {requests[KEY].iloc[row]} has `{names[column]}` "
        f"{trained[row, column]:.4g} in training and {served[row, column]:.4g} in your file. What in it depends on the other flights that "
        "are prepared at the same time, on chance, or on a column that a request does not have?"
    )


def _made(values: np.ndarray, names: list[str], requests: pd.DataFrame, places: set[str]) -> None:
    """Unknown words, no weather, the same flight twice."""
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise checks.Wrong(
            f"`{names[column]}` is no number for the request {requests[KEY].iloc[row]}. Look at what is missing in it, or new.",
            points=2,
        )
    for place, name in enumerate(names):
        if name in places and (values[:, place] < 0).any():
            raise checks.Wrong(
                f"`{name}` is {values[:, place].min():.0f} for a word that training did not have, and no table has such a row. "
                "What does `num_oov_buckets` do?",
                points=2,
            )
    if not np.allclose(values[-1], values[-2], rtol=NEAR, atol=NEAR):
        raise checks.Wrong(
            f"The requests {requests[KEY].iloc[-2]} and {requests[KEY].iloc[-1]} are alike in {', '.join(KNOWN[:3])} and all the rest, "
            "and are prepared in two ways.",
            points=2,
        )
