"""The checks of lesson 13's exercises: labels that are overdue, a limit for an alarm, the policy that pays, and rows that tell the truth."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from course import exercises


def _day(number: int) -> datetime.date:
    return datetime.date(2013, 7, number)


@exercises.check(
    "overdue",
    title="Labels that are overdue",
    todo="Let `overdue` return how many served rows have no label although the labels of their day have come.",
)
def overdue(overdue: Callable[[pd.DataFrame, pd.DataFrame, datetime.date], int]) -> str:
    """A label that has not come is not missing."""
    served = pd.DataFrame({"key": list("abcdef"), "day": [_day(n) for n in (1, 1, 2, 2, 3, 4)]})
    cases = (
        (
            "ab",
            2,
            2,
            "Of four rows up to July 2, two have no label; those of July 3 and 4 have time. It gives {found}.",
        ),
        (
            "abcd",
            2,
            0,
            "All rows up to July 2 have their label, and later ones are not due yet: none is overdue. It gives {found}.",
        ),
        (
            "abcdxyz",
            3,
            1,
            "Three outcomes were never asked about, and say nothing of row e of July 3, which is overdue. It gives {found}. Did you compare lengths?",
        ),
        (
            "",
            1,
            2,
            "The last day whose labels have come is due itself: two rows of July 1 have none. It gives {found}.",
        ),
    )
    for keys, until, wanted, wrong in cases:
        outcomes = pd.DataFrame({"key": list(keys), "late": [0] * len(keys)}, dtype=object)
        found = overdue(served.copy(), outcomes, _day(until))
        if isinstance(found, bool) or not hasattr(found, "__index__"):
            raise exercises.Wrong(f"It gives {str(found)[:40]!r}. Give a whole number.")
        if found != wanted:
            raise exercises.Wrong(wrong.format(found=int(found)))
    return "Rows of days whose labels have not come are left alone, and the others are counted by their key: so does `operation.labels.join`."


@exercises.check(
    "limit",
    title="The limit of an alarm",
    todo="Let `choose` return the limit that makes the fewest mistakes, the highest of those that make as few.",
)
def limit(choose: Callable[[pd.DataFrame, Sequence[float]], float]) -> str:
    """False alarms and missed ones count, to either side of zero."""
    limits = (0.02, 0.04, 0.06, 0.08, 0.1)
    cases = (
        (
            (-0.09, -0.07, 0.01, 0.03),
            (True, True, False, False),
            0.06,
            "The gaps -0.09 and -0.07 needed a retraining: below zero the model says too little. Take the absolute value.",
        ),
        (
            (0.05, 0.05, 0.05, 0.09),
            (False, False, False, True),
            0.08,
            "Three months with a gap of 0.05 needed no retraining: a low limit gives three false alarms. They are mistakes too.",
        ),
        (
            (0.03, 0.03, 0.03, 0.09),
            (True, True, True, True),
            0.02,
            "Three months with a gap of 0.03 needed a retraining: a high limit sleeps through all three.",
        ),
        (
            (0.05, 0.05, 0.05, 0.03),
            (False, False, False, True),
            0.1,
            "To catch the one month with a gap of 0.03, a low limit gives three false alarms. One mistake is fewer than three.",
        ),
        (
            (0.0, 0.0, 0.0, 0.095),
            (False, False, False, True),
            0.08,
            "Of limits without a mistake, 0.02 to 0.08, take the highest: it is the furthest from the noise.",
        ),
    )
    for gaps, needed, wanted, wrong in cases:
        found = choose(pd.DataFrame({"gap": gaps, "needed": needed}), limits)
        if found not in limits:
            raise exercises.Wrong(f"It gives {str(found)[:40]!r}. Give one of the limits.")
        if found != wanted:
            raise exercises.Wrong(f"{wrong} It has to return {wanted:g} there, and returns {found:g}.")
    return "False alarms and missed ones count alike here. Where a missed one costs more, weigh it: that is a decision of the plan."


@exercises.check(
    "pays",
    title="The policy that pays",
    todo="Let `cheapest` return the name of the policy whose errors and retrainings cost least together.",
)
def pays(cheapest: Callable[[Mapping[str, tuple[float, int]], int, float], str]) -> str:
    """Errors and retrainings, in one unit."""
    policies = {"never": (58.0, 0), "gap": (52.0, 6), "monthly": (51.0, 9)}
    cases = (
        (
            20_000,
            1_000.0,
            "monthly",
            "At $1,000 for a retraining and 20,000 flights, errors decide: monthly saves most.",
        ),
        (
            20_000,
            10_000.0,
            "gap",
            "At $10,000 for a retraining, monthly costs $90,000 for the trainings alone, gap $60,000. Count what each pays for its own.",
        ),
        (
            500,
            1_000.0,
            "never",
            "With 500 flights, six retrainings at $1,000 cost more than they save: $6,000 against $3,000. Multiply the errors by the flights.",
        ),
    )
    for flights, price, wanted, wrong in cases:
        found = cheapest(dict(policies), flights, price)
        if found not in policies:
            raise exercises.Wrong(f"It gives {str(found)[:40]!r}. Give the name of a policy.")
        if found != wanted:
            raise exercises.Wrong(f'{wrong} It gives "{found}".')
    return "The same year has three right answers: how much is at stake, and what a retraining costs, decide."


@exercises.check(
    "true-gap",
    title="Rows that tell the truth",
    todo="Let `true_gap` return said less happened, by rows whose label no action has touched or chosen.",
)
def true_gap(true_gap: Callable[[pd.DataFrame], float]) -> str:
    """Not acted upon is no fair sample; held out is."""
    said = [0.1, 0.2, 0.3, 0.6] * 10
    rows = pd.DataFrame({"said": said, "held_out": [n >= 30 for n in range(40)]})
    rows["acted"] = (rows.said >= 0.25) & ~rows.held_out
    rows["late"] = [int(one >= 0.25 and not acted) for one, acted in zip(rows.said, rows.acted, strict=True)]
    wanted = float(rows.said[rows.held_out].mean() - rows.late[rows.held_out].mean())
    alone = rows[~rows.acted]
    known = {
        float(
            rows.said.mean() - rows.late.mean()
        ): "It uses all rows. Where the airline has acted, the label is what the action left: the model seems to say too much.",
        float(
            alone.said.mean() - alone.late.mean()
        ): "It uses the rows that were not acted upon. Most of them are those with a low prediction: the model's own choice, and no fair sample.",
        float(
            rows.said.mean() - rows.late[rows.held_out].mean()
        ): "It compares what was said of all rows with what happened in those held out. Take both from the same rows.",
        -wanted: "The sign: above 0, too much was said. Subtract what happened.",
    }
    found = true_gap(rows.copy())
    if isinstance(found, bool) or not hasattr(found, "__float__"):
        raise exercises.Wrong(f"It gives {str(found)[:40]!r}. Give a number.")
    if abs(float(found) - wanted) < 1e-9:
        return (
            "Chance has drawn the flights that were held out, so they stand for all; and nothing was done about them."
        )
    for value, why in known.items():
        if abs(float(found) - value) < 1e-9:
            raise exercises.Wrong(why)
    raise exercises.Wrong(
        f"It gives {float(found):.3f}, and {wanted:.3f} is right. Take mean prediction and share of late flights of the rows held out."
    )
