"""What decides about a retraining: policies, each with one measure and one limit, and the guards around them.

A policy says what it measured, and why it decided so; `decide` puts the guards around it, and what it returns is recorded (`history`).
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Sequence
from typing import Literal, Protocol

from operation.quality import Estimate, Quality
from operation.report import Distance


@dataclasses.dataclass(frozen=True)
class Situation:
    """What is known when it is decided.

    Attributes:
        day: today.
        period: the newest one whose labels have come, such as `2013-07`.
        trained: when the model in service was; None: there is none.
        new_rows: labelled rows that came since, and that the gate of the data took.
        quality: of the model in service in that period; None where it did not serve then, or no label has come.
        baseline: of the same model when it was released; None where that is not known.
        distances: of columns, in the newest period that was served.
        refused: why the gate of the data refused that period; empty where it took it.
        asked: by whom, and why, a retraining was asked for by hand; empty where it was not.
    """

    day: datetime.date
    period: str
    trained: datetime.date | None = None
    new_rows: int = 0
    quality: Quality | None = None
    baseline: Quality | None = None
    distances: tuple[Distance, ...] = ()
    refused: str = ""
    asked: str = ""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to retrain.

    Attributes:
        retrain: whether.
        reason: a sentence.
        policy: that decided, with its settings.
        measured: what it looked at; None where there was nothing to look at.
        limit: from which on it retrains.
    """

    retrain: bool
    reason: str
    policy: str
    measured: float | None = None
    limit: float | None = None


class Policy(Protocol):
    """What decides."""

    def decide(self, situation: Situation) -> Decision:
        """Whether to retrain in this situation."""


class _Settings:
    """Fields whose numbers are greater than 0, but for defaults."""

    def __post_init__(self) -> None:
        """Refuses any other number.

        Raises:
            ValueError: says which it is.
        """
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            is_default = type(value) is type(field.default) and value == field.default
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if str(field.type).startswith(("int", "float")) and not (
                is_default or (is_number and 0 < value < math.inf)
            ):
                raise ValueError(f"{self}: {field.name} is a number greater than 0.")


@dataclasses.dataclass(frozen=True)
class Never:
    """No retraining but by hand."""

    def decide(self, situation: Situation) -> Decision:
        """No."""
        return Decision(False, "No retraining is planned.", repr(self))


@dataclasses.dataclass(frozen=True)
class Calendar(_Settings):
    """Every so many calendar months, counted from the month of the last training.

    Attributes:
        months: 1 for each month, 3 for each quarter.
    """

    months: int = 1

    def decide(self, situation: Situation) -> Decision:
        """By the months since the last training."""
        if situation.trained is None:
            return Decision(True, "There is no model yet.", repr(self), None, self.months)
        day, trained = situation.day, situation.trained
        passed = (day.year - trained.year) * 12 + day.month - trained.month
        ago = f"{passed} month{'' if passed == 1 else 's'} ago"
        said = f"The model in service was trained {ago}; a training is due after {self.months}."
        return Decision(passed >= self.months, said, repr(self), passed, self.months)


@dataclasses.dataclass(frozen=True)
class NewRows(_Settings):
    """When so much new labelled data is there.

    Attributes:
        rows: how many.
    """

    rows: int

    def decide(self, situation: Situation) -> Decision:
        """By the rows that have come since the last training."""
        said = f"{situation.new_rows:,} labelled rows have come since the last training; a training is due from {self.rows:,} on."
        return Decision(situation.new_rows >= self.rows, said, repr(self), situation.new_rows, self.rows)


@dataclasses.dataclass(frozen=True)
class Drift(_Settings):
    """When columns have moved.

    Attributes:
        columns: how many must have.
        limit: from which distance on one has; None: that of the schema.
    """

    columns: int = 1
    limit: float | None = None

    def decide(self, situation: Situation) -> Decision:
        """By the number of columns that are too far away."""
        if not situation.distances:
            return Decision(False, "No distances of columns were measured.", repr(self), None, self.columns)
        limits = [one.limit if self.limit is None else self.limit for one in situation.distances]
        moved = [one for one, limit in zip(situation.distances, limits, strict=True) if one.distance > limit]
        names = ", ".join(f"{one.column} ({one.distance:.2f})" for one in moved)
        said = f"{len(moved)} of {len(limits)} columns have moved{f': {names}' if names else ''}; a training is due from {self.columns} on."
        return Decision(len(moved) >= self.columns, said, repr(self), len(moved), self.columns)


@dataclasses.dataclass(frozen=True)
class CalibrationGap(_Settings):
    """When what is said on average is too far from what happens, to either side.

    Attributes:
        limit: as a share of the rows, such as 0.04.
        surely: the near end of the interval must be beyond the limit, not only the estimate.
    """

    limit: float
    surely: bool = False

    def decide(self, situation: Situation) -> Decision:
        """By the gap of the newest period."""
        if situation.quality is None:
            return Decision(False, _NO_LABELS.format(situation.period), repr(self), None, self.limit)
        found = situation.quality
        measured = _near_end(found.gap) if self.surely else abs(found.gap.value)
        if math.isnan(measured):
            return Decision(False, f"The gap of {situation.period} has no interval.", repr(self), None, self.limit)
        surely = " for sure" if self.surely else ""
        said = (
            f"{found.said:.1%} was said in {situation.period} and {found.happened:.1%} happened: "
            f"{measured * 100:.1f} points apart{surely}; a training is due beyond {self.limit * 100:g}."
        )
        return Decision(measured > self.limit, said, repr(self), measured, self.limit)


@dataclasses.dataclass(frozen=True)
class Loss(_Settings):
    """When the model in service has become worse than it was when it was released.

    Attributes:
        limit: by how much: AUC that was lost, or log loss or cost that was added.
        measure: what is compared.
    """

    limit: float
    measure: Literal["auc", "log_loss", "cost"] = "auc"

    def __post_init__(self) -> None:
        """Refuses another measure, too."""
        super().__post_init__()
        if self.measure not in ("auc", "log_loss", "cost"):
            raise ValueError(f"{self}: measure is auc, log_loss or cost.")

    def decide(self, situation: Situation) -> Decision:
        """By the difference to the baseline."""
        if situation.quality is None or situation.baseline is None:
            said = _NO_LABELS.format(situation.period) if situation.quality is None else "There is no baseline."
            return Decision(False, said, repr(self), None, self.limit)
        now, then = (getattr(one, self.measure).value for one in (situation.quality, situation.baseline))
        lost = then - now if self.measure == "auc" else now - then
        if math.isnan(lost):
            return Decision(False, f"The {self.measure} is undefined.", repr(self), None, self.limit)
        name = "AUC" if self.measure == "auc" else self.measure.replace("_", " ")
        said = f"The {name} was {then:.3f} at the release and {now:.3f} in {situation.period}: worse by {lost:.3f}; a training is due beyond {self.limit:g}."
        return Decision(lost > self.limit, said, repr(self), lost, self.limit)


@dataclasses.dataclass(frozen=True)
class _Several:
    """Policies, of which the first that answers `decides` gives the reason, or else all."""

    policies: tuple[Policy, ...]
    decides = True

    def __post_init__(self) -> None:
        """Refuses none: all of none would always retrain."""
        if not self.policies:
            raise ValueError(f"{type(self).__name__}: name policies.")

    def decide(self, situation: Situation) -> Decision:
        """By each in turn."""
        found = [policy.decide(situation) for policy in self.policies]
        first = next((one for one in found if one.retrain is self.decides), None)
        return first or Decision(not self.decides, " ".join(one.reason for one in found), repr(self))


class AnyOf(_Several):
    """When one of several policies wants it. The reason is that of the first which does, or else those of all."""


class AllOf(_Several):
    """When all of several policies want it. The reason is that of the first which does not, or else those of all."""

    decides = False


@dataclasses.dataclass(frozen=True)
class Guards(_Settings):
    """What holds a policy back.

    Attributes:
        cool_down: days that must pass after a retraining before the next; time for its labels to come.
        budget: retrainings that are paid for within `days`; None: any number.
        days: of the budget.
    """

    cool_down: int = 0
    budget: int | None = None
    days: int = 365

    def __post_init__(self) -> None:
        """Refuses what holds nothing back, or everything."""
        if self.cool_down < 0:
            raise ValueError(f"{self}: cool_down is a number of days.")
        super().__post_init__()


@dataclasses.dataclass(frozen=True)
class Past:
    """A retraining that was begun, however it ended.

    Attributes:
        day: when.
        period: the newest one whose labels it had.
    """

    day: datetime.date
    period: str


def decide(situation: Situation, policy: Policy, guards: Guards | None = None, past: Sequence[Past] = ()) -> Decision:
    """What the policy wants, and the guards allow.

    What is asked for by hand needs no policy, and no guard holds it back but one: nothing trains on a period that the gate of the data
    refused.
    """
    guards = guards or Guards()
    wanted = (
        Decision(True, f"Asked for by hand: {situation.asked}", "by hand")
        if situation.asked
        else policy.decide(situation)
    )
    if not wanted.retrain:
        return wanted
    if situation.refused:
        return _held(wanted, f"the data of {situation.period} were refused: {situation.refused}")
    if situation.asked:
        return wanted
    if situation.trained is not None and situation.new_rows <= 0:
        return _held(wanted, "no labelled rows have come since the last training.")
    if any(one.period == situation.period for one in past):
        return _held(wanted, f"with the labels up to {situation.period} it was tried already.")
    newest = max((one.day for one in past), default=None)
    if newest is not None and (since := (situation.day - newest).days) < guards.cool_down:
        return _held(wanted, f"the last retraining was {since} days ago, and {guards.cool_down} are to pass.")
    begin = situation.day - datetime.timedelta(days=guards.days)
    spent = sum(one.day > begin for one in past)
    if guards.budget is not None and spent >= guards.budget:
        many = "1 retraining has" if spent == 1 else f"{spent} retrainings have"
        return _held(wanted, f"{many} used the budget of {guards.days} days up.")
    return wanted


def words(policy: Policy, guards: Guards | None = None) -> str:
    """A policy with its guards, whole, as it is recorded: another limit is another text."""
    return f"{policy!r}, {guards or Guards()!r}"


_NO_LABELS = "No label of {} has come for the model in service."


def _held(wanted: Decision, why: str) -> Decision:
    return dataclasses.replace(wanted, retrain=False, reason=f"{wanted.reason} Not now: {why}")


def _near_end(gap: Estimate) -> float:
    """How far from 0 the gap is for sure; not a number without an interval, which is beyond no limit."""
    return max(gap.low, -gap.high, 0.0) if math.isfinite(gap.low) else math.nan
