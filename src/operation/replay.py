"""A policy tried on periods that are over: what would have been decided, and what it would have been worth.

No pipeline runs: a model is whatever a function makes of the rows of some periods. So a year takes seconds, and thresholds can be chosen on
one part of it and tried on the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from operation import quality
from operation.policy import Decision, Guards, Past, Policy, Situation, decide
from operation.project import Project
from operation.quality import Quality
from operation.report import Distance

Model = Callable[[str], npt.NDArray[np.float64]]
"""Gives the predictions for the rows of a period, by its name."""

Learn = Callable[[Sequence[str]], Model]
"""Gives a model that has learned from the periods of these names."""

Measure = Callable[[Sequence[str], str], Sequence[Distance]]
"""Gives the distances of the columns of a period from those of the periods that a model has learned from."""


@dataclasses.dataclass(frozen=True)
class Served:
    """A period in service.

    Attributes:
        period: its name.
        learned: periods that the model in service has learned from.
        decision: before the period began.
        quality: of that model in the period.
    """

    period: str
    learned: tuple[str, ...]
    decision: Decision
    quality: Quality


@dataclasses.dataclass(frozen=True)
class Replay:
    """What a policy would have been worth, period by period."""

    served: tuple[Served, ...]

    @property
    def retrainings(self) -> int:
        """How many."""
        return sum(one.decision.retrain for one in self.served)

    @property
    def auc(self) -> float:
        """Mean over the periods."""
        return float(np.nanmean([one.quality.auc.value for one in self.served]))

    @property
    def cost(self) -> float:
        """Of errors, for a row: mean over the periods, so that each counts as much."""
        return float(np.mean([one.quality.cost.value for one in self.served]))

    def as_table(self) -> pd.DataFrame:
        """A row for each period."""
        return pd.DataFrame(
            {
                "period": one.period,
                "learned": ", ".join(one.learned),
                "retrained": one.decision.retrain,
                "reason": one.decision.reason,
                **quality.flat(one.quality),
            }
            for one in self.served
        )


def replay(
    periods: Mapping[str, pd.DataFrame],
    learn: Learn,
    policy: Policy,
    project: Project,
    first: Sequence[str],
    guards: Guards | None = None,
    window: int | None = 1,
    late: int = 0,
    distances: Measure | None = None,
    refused: Mapping[str, str] | None = None,
    baseline: Callable[[Sequence[str]], Quality] | None = None,
) -> Replay:
    """Serves period after period; before each, the policy decides about a retraining on those whose labels have come.

    Args:
        periods: labelled rows by name, in order; the columns are those of the outcomes.
        learn: makes a model.
        policy: that decides.
        project: whose model it is.
        first: the periods that the first model learns from; those after them are served.
        guards: that hold the policy back.
        window: how many of the newest labelled periods a model learns from; None: all.
        late: how many periods after their own labels come. With 0, those of a period are there when the next one begins.
        distances: measures what moved, for a policy that looks at it.
        refused: by period, why the gate of the data refused it: no model learns from it.
        baseline: what a model that has learned from some periods was worth when it was released; None: what it was worth in the first
            period that it served.

    Raises:
        ValueError: the first periods are not the first ones, or all.
    """
    names = list(periods)
    if list(first) != names[: len(first)] or not 0 < len(first) < len(names):
        raise ValueError(f"The first model learns from {', '.join(first)}; name the first of {', '.join(names)}.")
    refused = dict(refused or {})
    learned = tuple(first)
    model, served, past = learn(learned), list[Served](), list[Past]()
    trained = project.day(periods[names[len(first)]]).min().date()
    released = baseline(learned) if baseline else None
    for number in range(len(first), len(names)):
        period, labelled = names[number], names[: max(0, number - late)]
        newest = labelled[-1] if labelled else ""
        day = project.day(periods[period]).min().date()
        # Of an earlier model, if that one served then, nothing follows for this one.
        known = next((one.quality for one in served if one.period == newest and one.learned == learned), None)
        usable = [one for one in labelled if one not in refused]
        situation = Situation(
            day=day,
            period=newest,
            trained=trained,
            new_rows=sum(len(periods[one]) for one in usable if one > learned[-1]),
            quality=known,
            baseline=released,
            distances=tuple(distances(learned, names[number - 1])) if distances and number > len(first) else (),
            refused=refused.get(newest, ""),
        )
        decision = decide(situation, policy, guards, past)
        if decision.retrain:
            learned = tuple(usable if window is None else usable[-window:])
            model, trained = learn(learned), day
            released = baseline(learned) if baseline else None
            past.append(Past(day, newest))
        rows = periods[period]
        found = quality.measure(model(period), rows[project.label], project.costs, project.day(rows))
        released = released or found
        served.append(Served(period, learned, decision, found))
    return Replay(tuple(served))
