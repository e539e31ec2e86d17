"""How good predictions were: what ranks, what probabilities mean, what errors cost; of all rows, by version, and by slice.

Each number has an interval that takes rows of one day as one draw, since the weather, or whatever else a day has, is shared. Without that,
intervals are several times too narrow, and alarms that rest on them cry wolf. No sampling: each measure is, but for terms that vanish, a mean
of one contribution for each row (its influence), and the contributions of a day are added up before their spread is taken: for means, the
variance of a cluster sample; for the AUC, that of DeLong et al. (1988) as Obuchowski (1997, Biometrics 53) has it for clustered data.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special  # not scipy.stats, whose import takes longer than all others here together

from operation.labels import Joined
from operation.project import Costs, Project
from operation.served_log import DAY, SHADOW

COVERED = 0.95
"""Of the intervals."""

LOWEST = 1e-7
"""The least probability that the log loss takes: one of 0, for what happened, would make it infinite."""

BINS = 10
"""Of `calibration`, with about as many rows each."""

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number, with an interval that covers the true one in `COVERED` of cases.

    Attributes:
        value: not a number where it is undefined, such as the AUC of rows to all of which the same happened.
        low: end of the interval; not a number where there are fewer than two days,
        high: the other end.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclasses.dataclass(frozen=True)
class Quality:
    """What predictions of some rows were worth.

    Attributes:
        rows: how many there are.
        said: the mean of the predictions.
        happened: the share of rows where it happened.
        auc: the area under the ROC curve: how often, of two rows of which it happened in one, that one has the higher prediction.
        gap: said less happened. Above 0, too much was said.
        log_loss: the mean of the negative logarithms of the probabilities that were given to what happened.
        cost: of errors, for a row.
    """

    rows: int
    said: float
    happened: float
    auc: Estimate
    gap: Estimate
    log_loss: Estimate
    cost: Estimate


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows that have something in common, and what predictions were worth there.

    Attributes:
        by: what divides the rows: the name of a slice, or `version`.
        value: of it, as text.
        quality: there.
    """

    by: str
    value: str
    quality: Quality


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How much of what happened was asked about, where it has something in common.

    Attributes:
        by: the name of a slice.
        value: of it, as text.
        outcomes: with a label.
        answered: those that were asked about.
    """

    by: str
    value: str
    outcomes: int
    answered: int


@dataclasses.dataclass(frozen=True)
class Expected:
    """What predictions say of themselves, before a label has come: all of it is true if the probabilities are.

    Attributes:
        auc: expected. Where the world has moved so that the probabilities no longer mean what they say, it does not move with it.
        cost: of a row, at the threshold from which on it pays to act.
    """

    auc: float
    cost: float


@dataclasses.dataclass(frozen=True)
class Bin:
    """Rows with similar predictions.

    Attributes:
        rows: how many.
        said: mean of their predictions.
        happened: share of them where it happened, with its interval.
    """

    rows: int
    said: float
    happened: Estimate


def measure(said: npt.ArrayLike, happened: npt.ArrayLike, costs: Costs, days: npt.ArrayLike | None = None) -> Quality:
    """What predictions were worth.

    Args:
        said: probabilities, shape (rows,).
        happened: 0 or 1, of the same shape.
        costs: of errors.
        days: what tells rows of one draw from those of another, of the same shape; None: each row is a draw of its own.

    Raises:
        ValueError: the shapes differ.
    """
    p, y = np.asarray(said, float), np.asarray(happened, float)
    if p.shape != y.shape or p.ndim != 1:
        raise ValueError(f"{p.shape} predictions, and labels {y.shape}. Give one of each for a row.")
    draws = np.arange(len(p)) if days is None else pd.factorize(np.asarray(days))[0]
    if not len(p):
        none = Estimate(math.nan)
        return Quality(0, math.nan, math.nan, none, none, none, none)
    return Quality(
        rows=len(p),
        said=float(p.mean()),
        happened=float(y.mean()),
        auc=_auc(p, y, draws),
        gap=_mean(p - y, draws, -1.0, 1.0),
        log_loss=_mean(-np.log(np.clip(np.where(y == 1, p, 1 - p), LOWEST, 1.0)), draws),
        cost=_mean(cost_of(p, y, costs), draws),
    )


def cost_of(said: Array, happened: Array, costs: Costs) -> Array:
    """What each row costs, by acting from the threshold on."""
    acts = said >= costs.threshold
    return np.where(acts, (1 - happened) * costs.false_alarm, happened * costs.miss)


def of(joined: Joined, project: Project) -> Quality:
    """Of all rows that a client got; those of a shadow are left out."""
    return _of(_answered(joined.rows), project)


def by_version(joined: Joined, project: Project) -> list[Part]:
    """By version, those of a shadow included: `3`, or `4 (shadow)`. What is compared here was asked about different rows, but for a shadow's."""
    names = joined.rows["version"].astype(str) + np.where(joined.rows["role"] == SHADOW, f" ({SHADOW})", "")
    return _parts(joined.rows, "version", names, project)


def by_slice(joined: Joined, project: Project) -> list[Part]:
    """By each of the project's slices, of the rows that a client got. A row whose value is missing is in a part `missing`."""
    rows = _answered(joined.rows)
    if not len(rows):  # without outcomes there may not even be the columns
        return []
    return [part for name, make in project.slices.items() for part in _parts(rows, name, make(rows), project)]


def coverage(joined: Joined, project: Project) -> list[Coverage]:
    """By each of the project's slices: a client that no longer asks, or whose rows are lost, leaves outcomes without one."""
    if not len(joined.outcomes):
        return []
    return [
        Coverage(name, str(value), len(part), int(part.sum()))
        for name, make in project.slices.items()
        for value, part in joined.is_answered.groupby(_names(make(joined.outcomes), joined.outcomes.index))
    ]


def expected(said: npt.ArrayLike, costs: Costs) -> Expected:
    """AUC and cost that predictions promise: confidence-based performance estimation (CBPE), as NannyML has it.

    A row with probability p is a positive with weight p and a negative with weight 1 - p; ties count half. `said` has the shape (rows,).
    """
    p = np.asarray(said, float)
    if not len(p):
        return Expected(math.nan, math.nan)
    _, place = np.unique(p, return_inverse=True)
    positives, negatives = np.bincount(place, p), np.bincount(place, 1 - p)
    below = np.cumsum(negatives) - negatives / 2
    pairs = positives.sum() * negatives.sum()
    return Expected(float(positives @ below / pairs) if pairs else math.nan, float(cost_of(p, p, costs).mean()))


def calibration(joined: Joined, project: Project, bins: int = BINS) -> list[Bin]:
    """What was said against what happened, from the lowest predictions to the highest. Rows with the same prediction are not divided."""
    rows = _answered(joined.rows)
    if not len(rows):
        return []
    edges = np.unique(np.quantile(rows["prediction"], np.linspace(0, 1, bins + 1)[1:-1]))
    found = []
    for _, part in rows.groupby(np.searchsorted(edges, rows["prediction"], side="left")):
        draws = pd.factorize(part[DAY])[0]
        rate = _mean(part[project.label].to_numpy(float), draws, 0.0, 1.0)
        found.append(Bin(len(part), float(part["prediction"].mean()), rate))
    return found


def _of(rows: pd.DataFrame, project: Project) -> Quality:
    return measure(rows["prediction"], rows[project.label], project.costs, rows[DAY])


def _answered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["role"] != SHADOW]


def _parts(rows: pd.DataFrame, by: str, values: Iterable[Any], project: Project) -> list[Part]:
    return [Part(by, str(name), _of(part, project)) for name, part in rows.groupby(_names(values, rows.index))]


def _names(values: Iterable[Any], index: pd.Index) -> pd.Series:
    names = pd.Series(np.asarray(values), index)
    return names.where(names.notna(), "missing").astype(str)


def _auc(p: Array, y: Array, draws: npt.NDArray[Any]) -> Estimate:
    is_positive = y == 1
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if not positives or not negatives:
        return Estimate(math.nan)
    ranks = _ranks(p)
    share = np.empty(len(p))  # of the other kind's rows, those that this one is on the right side of
    share[is_positive] = (ranks[is_positive] - _ranks(p[is_positive])) / negatives
    share[~is_positive] = 1 - (ranks[~is_positive] - _ranks(p[~is_positive])) / positives
    value = float(share[is_positive].mean())
    return _interval(value, (share - value) / np.where(is_positive, positives, negatives), draws, 0.0, 1.0)


def _ranks(values: Array) -> Array:
    """From 1 on; of equal values the mean."""
    return pd.Series(values).rank().to_numpy()


def _mean(values: Array, draws: npt.NDArray[Any], lowest: float = 0.0, highest: float = math.inf) -> Estimate:
    value = float(values.mean())
    return _interval(value, (values - value) / len(values), draws, lowest, highest)


def _interval(value: float, contributions: Array, draws: npt.NDArray[Any], lowest: float, highest: float) -> Estimate:
    """From what each row contributes to the difference between the estimate and the true number."""
    sums = np.bincount(draws, contributions)
    if len(sums) < 2:
        return Estimate(value)
    spread = math.sqrt(len(sums) / (len(sums) - 1) * float(sums @ sums))
    reach = float(special.stdtrit(len(sums) - 1, (1 + COVERED) / 2)) * spread  # Student's t
    return Estimate(value, max(lowest, value - reach), min(highest, value + reach))


def as_table(parts: Iterable[Part]) -> pd.DataFrame:
    """Parts as rows: `by`, `value`, rows, said, happened, and each estimate with its ends."""
    return pd.DataFrame([{"by": one.by, "value": one.value, **flat(one.quality)} for one in parts])


def flat(quality: Quality) -> Mapping[str, float]:
    """Numbers by name: `auc`, `auc_low`, `auc_high`, ..."""
    found: dict[str, float] = {}
    for field in dataclasses.fields(quality):
        value = getattr(quality, field.name)
        if isinstance(value, Estimate):
            found |= {field.name: value.value, f"{field.name}_low": value.low, f"{field.name}_high": value.high}
        else:
            found[field.name] = value
    return found
