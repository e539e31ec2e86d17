"""Judges thresholds of drift by the months at which they fire: task 8 of lab 1."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_1 import drifted_months, monthly_data
from judges.lab_1.questions import COLUMNS

FEWEST_TEXT, FEWEST_NUMBERS = 2, 2


def read(given: dict[str, Any]) -> dict[str, float]:
    """The thresholds, if they are such.

    Raises:
        checks.Wrong: a column is unknown, a threshold no positive number, or too few columns are watched.
    """
    unknown = [name for name in given if name not in COLUMNS]
    if unknown:
        raise checks.Wrong(f"`THRESHOLDS` names columns that the delivery does not have: {', '.join(unknown[:5])}.")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise checks.Wrong(f"The threshold of `{name}` has to be a number above 0, not {value!r}.")
    text = [name for name in given if drifted_months.is_text(name)]
    if len(text) < FEWEST_TEXT or len(given) - len(text) < FEWEST_NUMBERS:
        raise checks.Wrong(
            f"You watch {len(text)} column{'' if len(text) == 1 else 's'} of text and {len(given) - len(text)} of numbers; "
            f"watch {FEWEST_TEXT} and {FEWEST_NUMBERS} at least."
        )
    return {name: float(value) for name, value in given.items()}


def judge_thresholds(seed: int, thresholds: dict[str, float]) -> None:
    """Fires at the drifted month and at nothing else; each threshold is awake.

    Raises:
        checks.Wrong: it does not. Two points when only a threshold sleeps, one when it only cries wolf.
    """
    columns = tuple(name for name in COLUMNS if name in thresholds)
    wolves, asleep = _wolves(thresholds, columns), _asleep(thresholds, columns)
    missed = _missed(seed, thresholds, columns)
    problems = [problem for problem in (wolves, asleep, missed) if problem]
    if problems:
        points = 0 if missed or (wolves and asleep) else 1 if wolves else 2
        raise checks.Wrong("\n".join(problems), points=points)


def _fired(found: dict[str, float], thresholds: dict[str, float]) -> list[str]:
    return [name for name, threshold in thresholds.items() if found.get(name, 0.0) > threshold]


def _wolves(thresholds: dict[str, float], columns: tuple[str, ...]) -> str | None:
    for draw, which in (
        (monthly_data.GIVEN, "of those that you got"),
        (monthly_data.UNSEEN, "in another draw of 2,000 flights"),
    ):
        wolves = {
            month: fired
            for month, found in drifted_months.good(draw, columns).items()
            if (fired := _fired(found, thresholds))
        }
        if wolves:
            month, fired = next(iter(wolves.items()))
            return (
                f"They cry wolf in {len(wolves)} good month{'s' * (len(wolves) > 1)} {which}: in month {month} `{fired[0]}` fires. "
                "How far does it move from one good month to the next, at most? Two draws of the same month differ too: leave room."
            )
    return None


def _asleep(thresholds: dict[str, float], columns: tuple[str, ...]) -> str | None:
    found = drifted_months.stuck(columns)
    sleeping = [name for name in thresholds if found.get(name, 0.0) <= thresholds[name]]
    if not sleeping:
        return None
    hopeless = [name for name in sleeping if drifted_months.usual(name) >= found.get(name, 0.0)]
    more = len(sleeping) - 1
    others = f", and {more} more {'does' if more == 1 else 'do'}" if more else ""
    told = (
        f"The threshold of `{(hopeless or sleeping)[0]}` sleeps{others}: half of the "
        "flights of a month got one and the same value, and it did not fire. "
    )
    if hopeless:
        return told + (
            "No threshold can be quiet and awake there: such a fault moves the column no further than it moves from one good "
            "month to the next. Watch another one."
        )
    return (
        told
        + "It is too high. There are thresholds for that column that are quiet and awake: go closer to the good months."
    )


def _missed(seed: int, thresholds: dict[str, float], columns: tuple[str, ...]) -> str | None:
    for draw, which in (
        (monthly_data.GIVEN, "the drifted month"),
        (monthly_data.UNSEEN, "another draw of the drifted month"),
    ):
        month, found = drifted_months.changed(seed, draw, columns)
        if not _fired(found, thresholds):
            return (
                f"They let {which} pass (month {month}). Which columns have moved further there than ever between good months? "
                "Watch one of these, with a threshold between the two."
            )
    return None
