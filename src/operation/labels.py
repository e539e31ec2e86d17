"""Predictions joined with what became of them, and an account of every row that finds no label and every label that finds no row."""

from __future__ import annotations

import dataclasses
import datetime

import pandas as pd

from operation.project import Project
from operation.served_log import DAY, HEAD, SHADOW


@dataclasses.dataclass(frozen=True)
class Matches:
    """What became of the rows of a log, and of the outcomes.

    Attributes:
        served: rows; the sum of the five that follow.
        matched: with their label.
        asked_again: asked once more later about the same key: the last answer counts.
        not_yet: about a day whose labels have not come.
        missing: about a day whose labels are there, but for these: what never arrived, or a key that was logged wrong.
        ambiguous: the outcomes have the key more than once, with different labels.
        outcomes: with a label, of the days that were asked for; the sum of those that follow.
        answered: by a row of a version that answers.
        not_asked: by no row: nothing was asked, or its row is lost.
        contradictory: keys that are there more than once with different labels.
    """

    served: int = 0
    matched: int = 0
    asked_again: int = 0
    not_yet: int = 0
    missing: int = 0
    ambiguous: int = 0
    outcomes: int = 0
    answered: int = 0
    not_asked: int = 0
    contradictory: int = 0


@dataclasses.dataclass(frozen=True)
class Joined:
    """Rows with what became of them.

    Attributes:
        rows: columns of the log, then those of the outcomes; the label is 0 or 1.
        matches: an account of the rest.
        until: the last day whose labels have come; None: none have.
        outcomes: of the days that were asked for, those with one label.
        is_answered: which of them a version that answers was asked about.
    """

    rows: pd.DataFrame
    matches: Matches
    until: datetime.date | None
    outcomes: pd.DataFrame
    is_answered: pd.Series


def join(
    rows: pd.DataFrame,
    outcomes: pd.DataFrame,
    project: Project,
    until: datetime.date | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> Joined:
    """Finds the label of each row. Of several answers to the same question the last counts; those of a shadow by themselves.

    Args:
        rows: of `served_log.read`.
        outcomes: with the columns of the key, the label, and those that slices are made of.
        project: whose model it is.
        until: the last day whose labels are complete. By default the last for which there is one. A row about a later day is one
            whose label has not come yet: what comes early would be no fair sample.
        first: of the days that were asked for, by which outcomes without a row are counted; None: from the first row on,
        last: to the last row.

    Raises:
        ValueError: a column is missing, the log has one of the same name, or a label is neither 0 nor 1.
    """
    _require(outcomes, project)
    rows, outcomes = rows.reset_index(drop=True), outcomes.reset_index(drop=True)
    asked, known = _codes(rows, outcomes, list(project.key))
    days = project.day(outcomes).astype("datetime64[ns]")
    labels = outcomes[project.label]
    if until is None and len(dated := days[labels.notna()].dropna()):
        until = dated.max().date()
    end = pd.Timestamp.min if until is None else pd.Timestamp(until)

    is_known = labels.notna() & (days <= end) & (known >= 0)
    differ = labels[is_known].groupby(known[is_known]).nunique() > 1
    doubtful = differ.index[differ]
    is_first = is_known & ~known[is_known].duplicated().reindex(known.index, fill_value=True) & ~known.isin(doubtful)
    unique = outcomes[is_first].set_axis(known[is_first], axis=0).astype({project.label: "int64"})

    is_shadow = rows["role"] == SHADOW
    of = pd.DataFrame({"code": asked, "shadow": rows["version"].where(is_shadow, -1), "time": rows["time"]})
    again = of.sort_values("time", kind="stable").duplicated(["code", "shadow"], keep="last").reindex(rows.index)
    once = asked[~(again & (asked >= 0))]
    has_label = once.isin(unique.index)
    theirs = unique.drop(columns=list(project.key)).loc[once[has_label]].set_axis(once.index[has_label], axis=0)
    found = pd.concat([rows.loc[theirs.index], theirs], axis=1)
    is_due = rows.loc[once.index[~has_label & ~once.isin(doubtful)], DAY] <= end

    begin = pd.Timestamp(first) if first is not None else rows[DAY].min()
    stop = pd.Timestamp(last) if last is not None else rows[DAY].max()
    of_days = known[is_known & (days >= begin) & (days <= stop)].drop_duplicates()
    contradictory = of_days.isin(doubtful)
    answered = of_days.isin(asked[~is_shadow]) & ~contradictory
    matches = Matches(
        served=len(rows),
        matched=len(found),
        asked_again=len(rows) - len(once),
        not_yet=int((~is_due).sum()),
        missing=int(is_due.sum()),
        ambiguous=int(once.isin(doubtful).sum()),
        outcomes=len(of_days),
        answered=int(answered.sum()),
        not_asked=int((~answered & ~contradictory).sum()),
        contradictory=int(contradictory.sum()),
    )
    with_label = outcomes.loc[of_days.index[~contradictory]]
    return Joined(found, matches, until, with_label, answered[~contradictory])


def _require(outcomes: pd.DataFrame, project: Project) -> None:
    """Refuses what cannot be joined."""
    if absent := [name for name in (*project.key, project.label) if name not in outcomes]:
        raise ValueError(f"The outcomes of {project.name} have no column {', '.join(absent)}.")
    if taken := [name for name in outcomes if name in {*HEAD, DAY}]:
        raise ValueError(
            f"The outcomes of {project.name} have {', '.join(taken)}, which a log of requests uses itself."
        )
    labels = outcomes[project.label].dropna()
    if len(wrong := labels[~labels.isin([0, 1])]):
        raise ValueError(
            f"The outcomes of {project.name}, row {wrong.index[0]}, column {project.label}: {wrong.iloc[0]}. A label is 0, 1, or missing."
        )


def _codes(rows: pd.DataFrame, outcomes: pd.DataFrame, key: list[str]) -> tuple[pd.Series, pd.Series]:
    """A whole number for each key, the same in both tables; -1 where a column of it is missing.

    Numbers are compared as numbers where the outcomes have numbers, for a log is JSON, in which a client may have sent `"7"`.
    """
    kinds = {name: pd.api.types.is_numeric_dtype(outcomes[name]) for name in key}
    both = pd.concat([rows[key].astype(object), outcomes[key].astype(object)], ignore_index=True)
    for name, is_number in kinds.items():
        both[name] = (
            pd.to_numeric(both[name], errors="coerce").astype(float)
            if is_number
            else both[name].where(both[name].isna(), both[name].astype(str))
        )
    codes = both.groupby(key, sort=False).ngroup().where(both.notna().all(axis=1), -1).astype("int64")
    return codes[: len(rows)].set_axis(rows.index), codes[len(rows) :].set_axis(outcomes.index)
