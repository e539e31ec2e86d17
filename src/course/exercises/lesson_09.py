"""Exercises of lesson 09: answers that agree, a promise about speed, a promotion, a place for a model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from course import exercises


@exercises.check(
    "agrees",
    title="A server's answers against the model's own",
    todo="Return whether `served` and `alone` have the same length, and the same numbers but for rounding.",
)
def agrees(agrees: Callable[[Any, Any], Any]) -> str:
    """Two lists of answers, held against each other."""
    one = [0.1, 0.25, 0.9]
    _same(agrees(one, list(one)), True, "It refuses three answers that are equal to the last digit.")
    if not _yes_or_no(agrees([0.3, 0.3000001], [0.3, 0.3])):
        raise exercises.Wrong(
            "It refuses 0.3000001 beside 0.3, which is the rounding of float32. Good models would never be pushed; allow some millionths."
        )
    _same(agrees([0.1, 0.25, 0.7], one), False, "It accepts 0.7 from the server where the model says 0.9.")
    _same(agrees([0.1, 0.25, 0.5], one), False, "It accepts 0.5 where the model says 0.9: an answer that is too low.")
    if _yes_or_no(agrees([0.1], one)) or _yes_or_no(agrees(one, [0.1])):
        raise exercises.Wrong(
            "It accepts one answer beside three. `zip` stops at the end of the shorter list: compare the lengths first."
        )
    if _yes_or_no(agrees([0.1, math.nan, 0.9], one)) or _yes_or_no(agrees([math.nan] * 3, [math.nan] * 3)):
        raise exercises.Wrong(
            "It accepts NaN. Each comparison with NaN is false: ask whether the numbers are close, and not whether they are far apart."
        )
    return "It refuses NaN, a wrong number and a short list, and it lets the rounding of float32 pass: InfraCheck compares like this."


@exercises.check(
    "promise",
    title="A promise about speed",
    todo="Return whether at least `share` of all requests were answered within `limit` seconds.",
)
def promise(kept: Callable[[Any, float, float], Any]) -> str:
    """A service level objective, held against what clients saw."""
    quick = [0.01] * 99
    if not _yes_or_no(kept([*quick, 5.0], 0.05, 0.99)):
        raise exercises.Wrong(
            "99 of 100 requests took 10 ms and one 5 seconds: 99 % within 50 ms is kept. Did you take the mean, or the slowest?"
        )
    if _yes_or_no(kept([0.01] * 95 + [0.06] * 5, 0.05, 0.99)):
        raise exercises.Wrong(
            "5 of 100 requests took 60 ms, the others 10: 99 % within 50 ms is not kept, though the mean is 12.5 ms."
        )
    if _yes_or_no(kept([0.01] * 90 + [None] * 10, 0.05, 0.99)):
        raise exercises.Wrong(
            "10 of 100 requests got no answer at all (None), and the promise counts as kept. They belong to those that were not in time."
        )
    _same(kept([0.05] * 100, 0.05, 1.0), True, "A request that took exactly 50 ms was within 50 ms.")
    _same(kept([0.2] * 4 + [0.01] * 6, 0.05, 0.5), True, "6 of 10 requests were in time: at least a share of 0.5.")
    return "The slowest does not break it, a good mean does not save it, and a request without an answer counts against it."


@exercises.check(
    "promote",
    title="The shadow against the champion",
    todo="Return whether the shadow's mean prediction is nearer to the share of late flights than the champion's.",
)
def promote(promote: Callable[[pd.DataFrame], Any]) -> str:
    """A decision by the log of requests."""
    for champion, shadow, right, what in (
        (0.1, 0.3, True, "The champion expects 10 %, the shadow 30 %, and 25 % were late: the shadow is nearer."),
        (
            0.2,
            0.05,
            False,
            "The champion expects 20 %, the shadow 5 %, and 25 % were late: the shadow is further away.",
        ),
        (
            0.2,
            0.6,
            False,
            "The champion expects 20 %, the shadow 60 %, and 25 % were late. Too many expected delays are a gap as well: take the absolute value.",
        ),
        (
            0.5,
            0.3,
            True,
            "The champion expects 50 %, the shadow 30 %, and 25 % were late: the one with the lower predictions is nearer.",
        ),
    ):
        _same(promote(_log(champion, shadow)), right, what)
    return "It goes by the size of the gap, whichever side it is on. In July it promotes version 2, which the AUC would not."


@exercises.check(
    "place",
    title="Where a model answers",
    todo='Return "device", "bulk" or "online" for a use, by its two answers.',
)
def place(place: Callable[[bool, bool], Any]) -> str:
    """The choice of a place for four uses."""
    uses = (
        (True, True, "bulk", "The list of risky flights for the morning's meeting"),
        (True, False, "online", "A planner's page, with the weather of this minute"),
        (False, False, "device", "A mechanic's tablet in a hangar without a network"),
        (False, True, "device", "A pilot's tablet in the air, about a flight that was known yesterday"),
    )
    for has_network, known, right, use in uses:
        said = place(has_network, known)
        if said not in ("device", "bulk", "online"):
            raise exercises.Wrong(f'{use}: it says {str(said)[:40]!r}. Say "device", "bulk" or "online".')
        if said != right:
            network = "a network" if has_network else "no network, so neither table nor server can be reached"
            inputs = "inputs known the evening before" if known else "inputs known only then"
            raise exercises.Wrong(f'{use}: {network}, {inputs}. It says "{said}".')
    return "Four uses, each in its place: a table where there is time, a server where there is none, the device where there is no network."


def _log(champion: float, shadow: float) -> pd.DataFrame:
    """Of eight flights, of which two were late."""
    late = [1, 1, 0, 0, 0, 0, 0, 0]
    rows = {"role": ["champion", "shadow"] * 8, "prediction": [champion, shadow] * 8}
    return pd.DataFrame(rows | {"late": [one for one in late for _ in range(2)]})


def _yes_or_no(said: Any) -> bool:
    """An answer that is a truth value, of Python or of NumPy."""
    if type(said).__name__ not in ("bool", "bool_"):
        raise exercises.Wrong(f"It returned {str(said)[:40]!r}. Return True or False.")
    return bool(said)


def _same(said: Any, right: bool, what: str) -> None:
    """Refuses an answer that is not the right one.

    Raises:
        exercises.Wrong: what is the case, and what it should have said.
    """
    if _yes_or_no(said) != right:
        raise exercises.Wrong(f"{what} It has to return {right} there.")
