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
PERIODS, ROWS, LATE = 24, 600, 2
"""Halves of months in a year, flights in each, and how many of them labels are late."""
GAIN, CALM, MOST, APART = 0.8, 2, 4, 60
"""The share of the gain of training each month that is asked for; the most trainings in a calm year, and in any; and days between two."""
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
def years() -> dict[str, Year]:
    """The years, by name."""
    rng = np.random.default_rng(65)
    noise = rng.normal(0, 0.05, (4, PERIODS))
    jump = 8 + int(rng.integers(0, 4))
    place = np.arange(PERIODS)
    made = {
        "jump": ("a year in which delays become twice as likely from one month on", 1.2 * (place >= jump)),
        "slope": ("a year in which delays become a little more likely each month", 1.3 * place / PERIODS),
        "calm": ("a year in which nothing changes but the weather", 0.0 * place),
        "wild": ("a year in which it goes up and down all the time", 0.9 * (-1.0) ** (place // 2)),
    }
    return {
        name: Year(title, tuple(float(one) for one in offsets + noise[number]), jump + 1)
        for number, (name, (title, offsets)) in enumerate(made.items())
    }


@functools.lru_cache(64)
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
        ran = {name: played(year, policy, guards) for name, year in years().items()}
    except RecursionError as error:
        raise checks.Wrong(f"`{FILE}` nests policies far too deeply.") from error
    except policy_file.PolicyError as error:
        raise checks.Wrong(f"`{FILE}`: {str(error).replace(f'{path}: ', '')}") from error
    if not any(one.retrainings for one in ran.values()):
        raise checks.Wrong(
            "In no year does your policy retrain. What would it have to measure to see that probabilities no longer mean what they say? "
            f"It says: {_reason(ran['jump'])}"
        )
    answer_forms.parts(
        [
            (2, lambda: _gains(ran)),
            (1, lambda: _is_calm(ran)),
            (1, lambda: _is_held_back(ran)),
        ]
    )


def _gains(ran: dict[str, Replay]) -> None:
    told = []
    for name in ("jump", "slope"):
        year = years()[name]
        never = played(year, Never(), Guards()).cost
        most, found = never - played(year, Calendar(1), Guards()).cost, never - ran[name].cost
        if found < GAIN * most:
            told.append(
                f"In {year.title}, your policy saves {found:.2f} a flight, and training each month {most:.2f}: at least {GAIN:.0%} of that is asked for. "
                f"It trains {ran[name].retrainings} times, and says last: {_reason(ran[name])}"
            )
    if told:
        raise checks.Wrong("\n".join(told), points=2.0 - len(told))


def _is_calm(ran: dict[str, Replay]) -> None:
    if ran["calm"].retrainings > CALM:
        raise checks.Wrong(
            f"In {years()['calm'].title} it trains {ran['calm'].retrainings} times, for such reasons as: {_reason(ran['calm'])} "
            f"At most {CALM} trainings are asked for there."
        )
    if ran["jump"].retrainings + ran["slope"].retrainings == 0:
        raise checks.Wrong("It is calm in a calm year, and in those in which much changes as well.")


def _is_held_back(ran: dict[str, Replay]) -> None:
    for name in ("wild", "slope", "jump"):
        title = years()[name].title
        days = [_begin(one.period) for one in ran[name].served if one.decision.retrain]
        if name == "wild" and not days:
            raise checks.Wrong(f"In {title} it never trains: what holds it back must not hold all of it back.")
        if len(days) > MOST:
            raise checks.Wrong(
                f"In {title} it trains {len(days)} times, and {MOST} are paid for in a year. Which guard says so?"
            )
        for before, after in itertools.pairwise(days):
            if (after - before).days < APART:
                raise checks.Wrong(
                    f"In {title} it trains again after {(after - before).days} days: {APART} are to pass, so that labels can say what the last training was worth. Which guard says so?"
                )


def _begin(period: str) -> pd.Timestamp:
    month, half = period.split("-")[1:]
    return pd.Timestamp(2013, int(month), 1 if half == "1" else 16)


def _reason(ran: Replay) -> str:
    wanted = [one for one in ran.served if one.decision.retrain] or [*ran.served]
    return wanted[-1].decision.reason[:200]
