"""Judges the features that a student's transform graph makes: task 1 of lab 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression

from course import checks
from judges.lab_1.questions import TARGET
from judges.lab_2 import given_data, roc_auc, transform_trial
from judges.lab_2.given_data import KEY, KNOWN
from judges.lab_2.transform_trial import Columns
from judges.shared import answer_forms

FEWEST, OWN = 8, 2
COPY = 0.97
"""A rank correlation from which on a feature says what another one says."""
ALONE = 0.99
"""A rank correlation, between flights that have only one column in common, from which on a feature is made of this column alone."""
SAME_ORDER = 0.97
"""The share of a feature's variance that a rising or falling function of a column leaves out, at most, if it is to be another order."""
FEW = 31
"""A column of so many values is not a copy of a feature that divides it further, as the hour of the week does with the day."""
LUCK, WHOLE_DAY = 0.05, 0.6
"""Areas: what a feature ranks its own flights better than others by chance. A rank correlation with the late share of days, of what knows no day."""
LARGEST = 1000
"""For whole numbers, which are places in a list."""


def judge_features(lab: checks.Lab, graph: Any, own: Any) -> None:
    """Two points for features that a network can take, two for those of the student's own, two for scales.

    Raises:
        checks.Wrong: something is not as it should be; no points where a feature knows the answer.
    """
    found = transform_trial.prepared(lab, graph)
    features = _numbers(found["months"])
    _known(features, found)
    varying = _different(features)
    if varying < FEWEST:
        raise checks.Wrong(
            f"Beside `{KEY}` and `{TARGET}` the graph makes {len(features)} features, of which {varying} vary and differ from each other. Give {FEWEST} at least."
        )
    judges = [(2, lambda: _own(features, found, own)), (2, lambda: _scales(features))]
    answer_forms.parts(judges, points=2, right="A network can take your features.")


def names(columns: Columns) -> list[str]:
    """The names of the features among what a graph returns."""
    return sorted(name for name in columns if name not in (KEY, TARGET))


def _numbers(columns: Columns) -> Columns:
    """The features of both splits: one finite number for each flight.

    Raises:
        checks.Wrong: there is something else, or number and label are not handed on.
    """
    months = transform_trial.months()
    for name in (KEY, TARGET):
        if name not in columns:
            raise checks.Wrong(f"The graph does not return `{name}`: hand it on, as it is.")
        if not np.array_equal(columns[name], months[name].to_numpy(dtype=float)):
            raise checks.Wrong(f"`{name}` does not come out as it went in. Hand it on, as it is.")
    for name in names(columns):
        values = columns[name]
        if not values.size:
            raise checks.Wrong(
                f"`{name}` is a sparse tensor: it has no value for some flights. What stands in where a measurement is missing?"
            )
        if values.shape != (len(months),):
            raise checks.Wrong(
                f"`{name}` has the shape {values.shape} for {len(months):,} flights. Give each feature a name of its own, of shape (batch, 1)."
            )
        if values.dtype.kind == "S":
            raise checks.Wrong(f"`{name}` holds text. A network takes numbers: what makes a number of a word?")
        if not np.isfinite(values).all():
            raise checks.Wrong(
                f"`{name}` is NaN or infinite for {(~np.isfinite(values)).sum():,} flights. Where does a missing value, or a zero, get in?"
            )
    return {name: columns[name] for name in names(columns)}


def _known(features: Columns, found: dict[str, Columns]) -> None:
    """Raises where a feature is not made of what is known when the question is asked alone, or holds labels that the graph has kept."""
    train, fresh = given_data.split("train"), given_data.fresh()
    late, days = transform_trial.late_by_day(), found["days"]
    for name, values in features.items():
        if name not in found["fresh"]:
            raise checks.Wrong(
                f"`{name}` cannot be made of what a request has: its value needs a column that is written later, or is empty for flights that were cancelled early. "
                "When is each of its columns known?"
            )
        area = roc_auc.auc(train[TARGET].to_numpy(int), values[: len(train)])
        other = roc_auc.auc(fresh[TARGET].to_numpy(int), found["fresh"][name])
        if abs(area - 0.5) - (other - 0.5) * np.sign(area - 0.5) > LUCK:
            raise checks.Wrong(
                f"`{name}` knows the answer: it ranks the flights of your months by their label (an area of {area:.2f}), and other flights of the same months "
                f"less well ({other:.2f}). What of the months' labels does the graph keep?"
            )
        by_day = pd.Series(days[name]).groupby(np.arange(len(late)).repeat(transform_trial.HOURS)).mean()
        if abs(found_ := _correlation(by_day.to_numpy(), late)) > WHOLE_DAY:
            raise checks.Wrong(
                f"`{name}` knows how the day ends: of flights that differ in nothing but date and airport, it goes with the share of late flights of "
                f"that day at that airport (rank correlation {found_:.2f}). When is that share known?"
            )


def _different(features: Columns) -> int:
    """How many features vary, and not as another one does."""
    ranks = np.array([rankdata(values) for values in features.values() if np.ptp(values) > 0])
    if len(ranks) < 2:
        return len(ranks)
    return int((np.triu(np.abs(np.corrcoef(ranks)), 1) < 0.9999).all(axis=0).sum())


def _own(features: Columns, found: dict[str, Columns], own: Any) -> None:
    if not isinstance(own, list) or not all(isinstance(name, str) for name in own) or len(set(own)) < OWN:
        raise checks.Wrong(f"`OWN` has to be a list of the names of {OWN} features that you have thought of.")
    if unknown := [name for name in own if name not in features]:
        raise checks.Wrong(f"`OWN` names what is no feature that the graph makes: {unknown[0][:40]!r}.")
    raw = transform_trial.months()
    for name in own:
        values = features[name]
        share = np.unique(values, return_counts=True)[1].max() / len(values)
        if share > 0.99:
            raise checks.Wrong(f"`{name}` has the same value for {share:.1%} of the flights: it tells a model nothing.")
        again = pd.Series(values, index=raw[KEY]).loc[transform_trial.varied()["base"][KEY]]
        if not np.allclose(again, found["base"][name], rtol=1e-3, atol=1e-3):
            raise checks.Wrong(f"`{name}` is another one when the same flights are prepared again, among others.")
        for column in (KEY, *KNOWN):
            known = raw[column].notna().to_numpy()
            given = raw[column].to_numpy()[known]
            is_text = column == KEY or not pd.api.types.is_numeric_dtype(raw[column])
            if _alone(found["base"][name], found[column][name]) and _in_other_clothes(values[known], given, is_text):
                raise checks.Wrong(
                    f"`{name}` is `{column}` in other clothes: it hardly changes when all other columns are those of another flight, and it puts the values of `{column}` "
                    "into their own order, or into a few groups. A feature of your own says something that no column says alone."
                )
            if not is_text and _copies(values[known], given.astype(float)):
                raise checks.Wrong(f"`{name}` is in the order of `{column}` nearly everywhere, which you were given.")
        for other in features:
            if other != name and _copies(values, features[other]):
                raise checks.Wrong(f"`{name}` says the same as your feature `{other}`.")


def _alone(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a feature stays when all columns but one are exchanged."""
    if np.issubdtype(before.dtype, np.integer):  # places in a list, whose order says nothing
        return bool((before == after).mean() > ALONE)
    return _correlation(before, after) > ALONE


def _in_other_clothes(values: np.ndarray, column: np.ndarray, is_text: bool) -> bool:
    """Whether a feature that is made of one column alone scales, cuts off, renumbers or groups it, and does not put it into another order."""
    if is_text or len(np.unique(values)) <= FEW:
        return True
    ranks, column = rankdata(values), column.astype(float)
    fits = [IsotonicRegression(increasing=way).fit(column, ranks).score(column, ranks) for way in (True, False)]
    return max(fits) > SAME_ORDER


def _copies(values: np.ndarray, other: np.ndarray) -> bool:
    """Whether a feature is in the order of another column of many values, or has exactly its order."""
    alike = abs(_correlation(values, other))
    return alike > 0.9999 or (alike > COPY and len(np.unique(other)) > FEW)


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Of ranks; 0 where one side is constant."""
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])


def _scales(features: Columns) -> None:
    rows = len(given_data.split("train"))
    for name, values in features.items():
        values = values[:rows]
        if np.issubdtype(values.dtype, np.integer):
            if values.max() > LARGEST or values.min() < 0:
                raise checks.Wrong(
                    f"`{name}` holds whole numbers from {values.min():,} to {values.max():,}. Those are places in a list, from 0 to {LARGEST:,}: where would an "
                    "embedding look these up?"
                )
        elif abs(values.mean()) > 3 or not 0.01 < values.std() < 3:
            raise checks.Wrong(
                f"`{name}` has the mean {values.mean():.3g} and the standard deviation {values.std():.3g}: beside features that go from -1 to 1 "
                "it drowns the others, or drowns. Which of Transform's functions puts a column on a scale?"
            )
