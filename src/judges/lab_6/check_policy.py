"""Judges a policy of retraining by replaying it on years that no student has seen: what it gains, what it costs, and what holds it back (task 5)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from course import checks
from flights.columns import LABEL
from flights.watch import PROJECT
from judges.shared import answer_forms, workspace_files
from operation import policy_file, replay
from operation.policy import Calendar, Guards, Never, Policy
from operation.replay import Replay
from operation.report import DRIFT, Distance

FILE = "policy.json"
PERIODS, ROWS, LATE = 24, 700, 2
"""Halves of months in a year, flights in each, and how many of them labels are late."""
GAIN, THRIFT, MOST, APART = 0.8, 0.5, 6, 28
"""The share of the gain of training each month that is asked for, with which share of its trainings; the most trainings in a wild year, and days between two."""
SEASON = (6, 7, 18, 19)
"""Periods in which columns of the weather have moved, as each year, whatever the model is worth."""


@dataclass(frozen=True)
class Year:
    """A year.

    Attributes:
        title: for the student.
        offsets: how much more likely delays are than the features say, as a logit, in each period.
        refused: a period that the gate of the data refuses.
    """

    title: str
    offsets: tuple[float, ...]
    refused: int


@functools.cache
def years(layout: int) -> dict[str, Year]:
    """The years, by name."""
    rng = np.random.default_rng([layout, 65])
    noise = rng.normal(0, 0.05, (4, PERIODS))
    jump, back = 8 + int(rng.integers(0, 4)), 18
    place = np.arange(PERIODS)
    made = {
        "summer": ("a year with a summer unlike the rest", 1.2 * ((place >= jump) & (place < back))),
        "slope": ("a year in which delays become a little more likely each month", 1.3 * place / PERIODS),
        "calm": ("a year in which nothing changes but the weather", 0.0 * place),
        "wild": ("a year in which it goes up and down all the time", 0.9 * (-1.0) ** (place // 2)),
    }
    return {
        name: Year(title, tuple(float(one) for one in offsets + noise[number]), jump + 1)
        for number, (name, (title, offsets)) in enumerate(made.items())
    }


def played(year: Year, policy: Policy, guards: Guards) -> Replay:
    """A year in service under a policy."""
    rng = np.random.default_rng([int(abs(year.offsets[3]) * 1e6), 66])
    periods, scores = {}, {}
    for number, offset in enumerate(year.offsets):
        name = f"2013-{number // 2 + 1:02d}-{number % 2 + 1}"
        day = number % 2 * 15 + rng.integers(1, 14, ROWS)
        logit = -1.7 + rng.normal(0, 1, ROWS)
        is_late = rng.random(ROWS) < 1 / (1 + np.exp(-(logit + offset)))
        periods[name] = pd.DataFrame({"year": 2013, "month": number // 2 + 1, "day": day, LABEL: is_late.astype(int)})
        scores[name] = logit
    names = list(periods)
    known = dict(zip(names, year.offsets, strict=True))

    def learn(of: Sequence[str]) -> replay.Model:
        shift = float(np.mean([known[one] for one in of]))
        return lambda period: 1 / (1 + np.exp(-(scores[period] + shift)))

    def distances(_: Sequence[str], period: str) -> list[Distance]:
        moved = names.index(period) in SEASON
        return [Distance(column, DRIFT, 0.4 if moved else 0.1, 0.2) for column in ("temp", "humid")]

    refused = {names[year.refused]: "distance: unexpectedly high values"}
    return replay.replay(periods, learn, policy, PROJECT, names[:2], guards, 2, LATE, distances, refused)


def judge_policy(lab: checks.Lab) -> None:
    """Four points: two for what it gains, one for few trainings, one for what holds it back.

    Raises:
        checks.Wrong: something is not so.
    """
    workspace_files.text(lab, FILE, "Write your policy there, in the form of `operation.policy_file`.")
    path = workspace_files.inside(lab, FILE)
    try:
        policy, guards = policy_file.load(path)
    except policy_file.PolicyError as error:
        raise checks.Wrong(f"`{FILE}`: {str(error).replace(f'{path}: ', '')}") from error
    ran = {name: played(year, policy, guards) for name, year in years(lab.seed % 5).items()}
    monthly = {name: played(year, Calendar(1), Guards()) for name, year in years(lab.seed % 5).items()}
    trained = sum(ran[name].retrainings for name in ("summer", "slope", "calm"))
    if not trained:
        raise checks.Wrong(
            "In no year does your policy retrain. What would it have to measure to see that probabilities no longer mean what they say?"
        )
    answer_forms.parts(
        [
            (2, lambda: _gains(ran, monthly, lab.seed % 5)),
            (1, lambda: _is_thrifty(ran, monthly, lab.seed % 5)),
            (1, lambda: _is_held_back(ran["wild"], lab.seed % 5)),
        ]
    )


def _gains(ran: dict[str, Replay], monthly: dict[str, Replay], layout: int) -> None:
    for name in ("summer", "slope"):
        year = years(layout)[name]
        never = played(year, Never(), Guards()).cost
        most, found = never - monthly[name].cost, never - ran[name].cost
        if found < GAIN * most:
            raise checks.Wrong(
                f"In {year.title}, your policy saves {found:.2f} a flight, and training each month {most:.2f}: at least {GAIN:.0%} of that is asked for. "
                f"It trains {ran[name].retrainings} times, for such reasons as: {_reason(ran[name])}",
                points=0.0 if name == "summer" else 1.0,
            )


def _is_thrifty(ran: dict[str, Replay], monthly: dict[str, Replay], layout: int) -> None:
    names = ("summer", "slope", "calm")
    most, found = sum(monthly[name].retrainings for name in names), sum(ran[name].retrainings for name in names)
    if found > THRIFT * most:
        raise checks.Wrong(
            f"In three years it trains {found} times, where training each month does {most} times: at most {THRIFT:.0%} of that is asked for. "
            f"In {years(layout)['calm'].title} it trains {ran['calm'].retrainings} times."
        )
    # A policy that saves nothing is not thrifty.
    _gains(ran, monthly, layout)


def _is_held_back(wild: Replay, layout: int) -> None:
    title = years(layout)["wild"].title
    days = [_begin(one.period) for one in wild.served if one.decision.retrain]
    if not days:
        raise checks.Wrong(f"In {title} it never trains: what holds it back must not hold all of it back.")
    if len(days) > MOST:
        raise checks.Wrong(
            f"In {title} it trains {len(days)} times, and {MOST} are paid for in a year. Which guard says so?"
        )
    if any((after - before).days < APART for before, after in itertools.pairwise(days)):
        raise checks.Wrong(
            f"In {title} it trains twice within {APART} days: before the labels by which the first could be judged have come."
        )


def _begin(period: str) -> pd.Timestamp:
    month, half = period.split("-")[1:]
    return pd.Timestamp(2013, int(month), 1 if half == "1" else 16)


def _reason(ran: Replay) -> str:
    wanted = [one for one in ran.served if one.decision.retrain] or [*ran.served]
    return wanted[-1].decision.reason[:200]
