"""Judges a policy of retraining by replaying it on years that no student has seen, and by what it has decided about the model in service (task 5)."""

from __future__ import annotations

import datetime
import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from flights import retrain, watch
from flights.columns import LABEL
from flights.watch import PROJECT
from judges.lab_6 import operated, service_data
from judges.shared import answer_forms, workspace_files
from operation import policy as policies
from operation import policy_file, replay
from operation.policy import AllOf, AnyOf, Calendar, CalibrationGap, Drift, Guards, Loss, Never, Policy, Situation
from operation.replay import Replay
from operation.report import DRIFT, Distance, Report

FILE = "policy.json"
PERIODS, ROWS, LATE = 24, 600, 2
"""Halves of months in a year, flights in each, and how many of them labels are late."""
GAIN, CALM, MOST, APART = 0.8, 2, 4, 60
"""The share of the gain of training each month that is asked for; the most trainings in a calm year, and in any; and days between two."""
PERIOD = f"2013-{service_data.WATCHED:02d}"
NEAR, ASKED = 0.005, 0.95
"""How far the gap of a decision may be from what is measured anew; and the share of July's flights that have to be asked about."""
REPORT = f"{watch.FOLDER}/report.json"
"""In the folder of the pipeline: the newest report."""
AGAIN = "Begin again from `lab.first_version()`, with the file as it is now."
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
    """Four points: two for the policy on other years, one for its decision about the model in service, and one for the retraining.

    Raises:
        checks.Wrong: something is not so.
    """
    try:
        policy, guards = _load(lab)
        answer_forms.parts([(2, lambda: _replayed(policy, guards)), (2, lambda: _retrained(lab, policy, guards))])
    except RecursionError as error:
        raise checks.Wrong(f"`{FILE}` nests policies far too deeply.") from error


def _load(lab: checks.Lab) -> tuple[Policy, Guards]:
    path = workspace_files.inside(lab, FILE)
    if not path.is_file():
        raise checks.Unanswered(f"There is no `{FILE}` yet. It has the form of `operation.policy_file`.")
    workspace_files.text(lab, FILE)
    try:
        return policy_file.load(path)
    except policy_file.PolicyError as error:
        raise checks.Wrong(f"`{FILE}`: {str(error).replace(f'{path}: ', '')}") from error


def _replayed(policy: Policy, guards: Guards) -> None:
    """Two points: one for what it gains, half a one each for few trainings and for what holds it back."""
    ran = {name: played(year, policy, guards) for name, year in years().items()}
    if not any(one.retrainings for one in ran.values()):
        raise checks.Wrong(
            "In no year does your policy retrain. What would it have to measure to see that probabilities no longer mean what they say? "
            f"It says: {_reason(ran['jump'])}"
        )
    answer_forms.parts(
        [
            (1, lambda: _gains(ran)),
            (0.5, lambda: _is_calm(ran)),
            (0.5, lambda: _is_held_back(ran)),
        ]
    )


def _retrained(lab: checks.Lab, policy: Policy, guards: Guards) -> None:
    """One point for the decision, one for the retraining that followed."""
    found = operated.store(lab)
    pushed = operated.pushed(found)
    if not pushed:
        raise checks.Wrong("No version is in service: `lab.first_version()` puts one there.")
    first = pushed[0]
    missing = "Nothing was decided yet: `flights.retrain.retrain` writes down what it decides, and why."
    records = operated.records(lab, operated.HISTORY, missing)
    made = next((one for one in reversed(records) if one.get("state") in ("done", "refused", "failed")), None)
    if made is None:
        raise checks.Wrong(f"The model was not retrained. The last decision says: {_words(records)}")
    decision = made.get("decision")
    answers = operated.answers(lab)
    if not isinstance(decision, dict) or first.version not in answers:
        raise checks.Wrong("The first version does not answer, or the history has no decision.")
    answer_forms.parts(
        [
            (1, lambda: _decided(lab, policy, guards, first.version, made, answers)),
            (1, lambda: _trained(found, first, made, answers)),
        ]
    )


def _decided(
    lab: checks.Lab,
    policy: Policy,
    guards: Guards,
    first: str,
    made: dict[str, Any],
    answers: dict[str, np.ndarray],
) -> None:
    """By the policy of the file, on what the version in service has really said."""
    period, decision = made.get("period"), made["decision"]
    if period != PERIOD:
        raise checks.Wrong(
            f"The decision was about {str(period)[:20]}: the newest month with labels is July, `{PERIOD}`."
        )
    if decision.get("policy") == "by hand":
        raise checks.Wrong("The retraining was asked for by hand. Here the policy decides.")
    known = {repr(one): one for one in _all(policy)}
    used = known.get(str(decision.get("policy")))
    if used is None or decision.get("retrain") is not True:
        raise checks.Wrong(
            f"The decision was made by {str(decision.get('policy'))[:80]}, and `{FILE}` says otherwise. {AGAIN}"
        )
    if made.get("policy") != policies.words(policy, guards):
        raise checks.Wrong(
            f"`{FILE}` was changed after the decision: what decided was {str(made.get('policy') or 'not recorded')[:200]}. {AGAIN}"
        )
    flown = service_data.flights(lab.seed, service_data.WATCHED)
    said = answers[first][: len(flown)]
    _stems(lab, used, first, decision, float(said.mean() - np.mean([row[LABEL] for row in flown])))
    lines = [one for one in operated.log(lab, answers) if one.version == first and one.place < len(flown)]
    asked = len({one.place for one in lines})
    if asked < ASKED * len(flown):
        raise checks.Wrong(
            f"Of the {len(flown):,} flights of July, the first version was asked about {asked:,}, by its log `{operated.LOG}`."
        )


def _stems(lab: checks.Lab, used: Policy, first: str, decision: dict[str, Any], gap: float) -> None:
    """What was decided stems from the report of July, and that from what the first version really said.

    Args:
        lab: of the student.
        used: the part of the policy that decided.
        first: version.
        decision: as it was recorded.
        gap: what the version says of July's flights when it is asked again, less what happened.
    """
    watching = [one for one in _all(used) if isinstance(one, CalibrationGap | Loss | Drift)]
    if not watching:
        raise checks.Wrong(
            f"{'The calendar' if isinstance(used, Calendar) else type(used).__name__} decided, not what was said: {str(decision.get('reason'))[:200]} "
            "Let the part that looks at the report come first, once the report of July is there."
        )
    path = operated.place(lab, REPORT)
    workspace_files.mapping(workspace_files.text(lab, path, "`flights.watch.watch` makes it of your log."), path)
    try:
        known = retrain.found_in(Report.load(workspace_files.inside(lab, path)), PERIOD, first)
        situation = Situation(datetime.date(2013, service_data.WATCHED + 1, 1), PERIOD, **known)
        found = [(one, one.decide(situation)) for one in watching]
        reported = known["quality"].gap.value if known["quality"] else math.nan
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise checks.Wrong(f"`{path}` is no report of a watch: make it anew by `flights.watch.watch`.") from error
    if not abs(reported - gap) <= NEAR:
        told = "has nothing" if math.isnan(reported) else f"says {reported * 100:+.1f} points"
        raise checks.Wrong(
            f"Of the gap of the first version in July, the report {told}, and its answers, asked for again, say {gap * 100:+.1f} points. "
            "Was it asked about all flights of July, and the report made of that log?"
        )
    measured, reason = decision.get("measured"), str(decision.get("reason"))
    for one, again in found:
        is_same = isinstance(measured, int | float) and math.isclose(measured, again.measured or 0.0, abs_tol=1e-6)
        if again.retrain and again.reason in reason and (is_same or used is not one):
            return
    raise checks.Wrong(
        f"The decision says: {reason[:200]} (measured: {str(measured)[:20]}). By the report of July it is otherwise. {AGAIN}"
    )


def _trained(
    found: operated.MetadataStore, first: operated.Pushed, made: dict[str, Any], answers: dict[str, np.ndarray]
) -> None:
    """Through the pipeline, against the model in service, and pushed."""
    if made.get("state") != "done":
        raise checks.Wrong(
            f"The retraining is {made.get('state')}: {str(made.get('note'))[:200]} `lab.first_version(own=False)` begins with the model that was delivered."
        )
    version = str(made.get("version"))
    if why := operated.trained(found, first, version):
        raise checks.Wrong(why)
    if why := operated.not_of(found, first, version, made):
        raise checks.Wrong(why)
    if version not in answers or np.allclose(answers[version], answers[first.version], atol=0.01):
        raise checks.Wrong(f"Version {version[:30]} does not answer, or answers as the first version does.")


def _all(policy: Policy) -> list[Policy]:
    """A policy, and those that it is made of."""
    parts = policy.policies if isinstance(policy, AnyOf | AllOf) else ()
    return [policy, *(one for part in parts for one in _all(part))]


def _words(records: list[dict[str, Any]]) -> str:
    decision = records[-1].get("decision") if records else None
    return str(decision.get("reason"))[:200] if isinstance(decision, dict) else "nothing"


def _gains(ran: dict[str, Replay]) -> None:
    told = []
    for name in ("jump", "slope"):
        year = years()[name]
        never = played(year, Never(), Guards()).cost
        most, found = never - played(year, Calendar(1), Guards()).cost, never - ran[name].cost
        if found < GAIN * most:
            told.append(
                f"In {year.title}, your policy saves {found:.2f} a flight, and training each month {most:.2f}: at least {GAIN:.0%} of that is asked for. "
                f"It {_trains(ran[name].retrainings)}, and says last: {_reason(ran[name])}"
            )
    if told:
        raise checks.Wrong("\n".join(told), points=1.0 - len(told) / 2)


def _is_calm(ran: dict[str, Replay]) -> None:
    if ran["calm"].retrainings > CALM:
        raise checks.Wrong(
            f"In {years()['calm'].title} it {_trains(ran['calm'].retrainings)}, for such reasons as: {_reason(ran['calm'])} "
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
                f"In {title} it {_trains(len(days))}, and {MOST} are paid for in a year. Which guard says so?"
            )
        for before, after in itertools.pairwise(days):
            if (after - before).days < APART:
                raise checks.Wrong(
                    f"In {title} it trains again after {(after - before).days} days: {APART} are to pass, so that labels can say what the last training was worth. Which guard says so?"
                )


def _trains(times: int) -> str:
    return {0: "never trains", 1: "trains once", 2: "trains twice"}.get(times, f"trains {times} times")


def _begin(period: str) -> pd.Timestamp:
    month, half = period.split("-")[1:]
    return pd.Timestamp(2013, int(month), 1 if half == "1" else 16)


def _reason(ran: Replay) -> str:
    wanted = [one for one in ran.served if one.decision.retrain] or [*ran.served]
    return wanted[-1].decision.reason[:200]
