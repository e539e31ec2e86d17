"""Judges the page of the incident by its numbers (task 7)."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import date, datetime, timedelta

import numpy as np
from dateutil import parser

from course import checks
from flights.columns import LABEL
from flights.watch import PROJECT
from judges.lab_6 import check_rules, incidents, traffic
from judges.lab_6.traffic import World
from judges.shared import answer_forms, workspace_files
from operation import quality

FILE, CLOSE = "incident.md", 0.04
NOTICED, FLIGHTS, COST = "noticed", "flights until then", "cost of all affected flights"
TEMPLATE = f"""# Incident

*What happened, in one sentence that a colleague from another team understands.*

| | |
|---|---|
| first affected day | |
| {NOTICED} | |
| {FLIGHTS} | |
| {COST} | |

## What was seen, and what it was

## What was done

## What would have shown it earlier, and what is changed now
"""


def judge_page(lab: checks.Lab) -> None:
    """Two points: when the rule would have called, with the flights until then; and what it has cost.

    Raises:
        checks.Wrong: a number is missing, or not so.
    """
    text = workspace_files.text(lab, FILE, "Its template was delivered.")
    lines = (line.strip().strip("|").split("|") for line in text.splitlines() if "|" in line)
    found = {cells[0].strip("*_`: \t").lower(): cells[1].strip("*_` \t") for cells in lines if len(cells) > 1}
    if not any(found.get(name) for name in (NOTICED, FLIGHTS, COST)):
        raise checks.Unanswered(f"The table of `{FILE}` has no numbers yet.")
    world = incidents.world(lab.seed)
    answer_forms.parts(
        [
            (1, lambda: _noticed(lab, world, found)),
            (
                1,
                lambda: _near(
                    found.get(COST, ""),
                    cost(world),
                    COST,
                    "By the plan's costs, with what became of each in the end; a flight that got no answer, or none that is a number, was not acted on.",
                ),
            ),
        ]
    )


def cost(world: World) -> float:
    """What the errors on the affected flights have cost in all; who got no answer did not act."""
    rows = traffic.rows(world)
    mine = rows[rows["is_affected"]]
    said = np.where(mine["is_asked"], mine["said"].fillna(0.0), 0.0)
    return float(quality.cost_of(said, mine[LABEL].to_numpy(float), PROJECT.costs).sum())


def noticed(lab: checks.Lab, world: World) -> date:
    """The day on which the student's rule first fires.

    Raises:
        checks.Wrong: it does not, or too early.
    """
    assert world.incident is not None
    rule = check_rules.read(lab)
    first = check_rules.at_home(rule, world)
    if math.isinf(first):
        raise checks.Wrong("On your own days your rule of task 4 does not fire: `lab.alerts()` shows it.")
    day = world.first + timedelta(days=int(first))
    if day < world.incident.since:
        raise checks.Wrong("On your own days your rule of task 4 fires before it has begun: `lab.alerts()` shows it.")
    return day


def _noticed(lab: checks.Lab, world: World, found: dict[str, str]) -> None:
    day = noticed(lab, world)
    given = _days(found.get(NOTICED, ""), world.first.year)
    if not given:
        raise checks.Wrong(f"`{FILE}`: {NOTICED} is a day, such as 2013-06-01.")
    if day not in given:
        raise checks.Wrong(
            f"`{FILE}`: {NOTICED} is the day on which your rule first fires on your days. `lab.alerts()` says when."
        )
    rows = traffic.rows(world)
    before = int((rows["is_affected"] & (rows["number"] < (day - world.first).days)).sum())
    _near(found.get(FLIGHTS, ""), before, FLIGHTS, "Counted are the affected flights of the days before that one.")


def _days(given: str, year: int) -> set[date]:
    """The days that a text may mean: 07.06.2013 is one in June to some, and one in July to others. Without a year, it is `year`."""
    found = set()
    for day_first in (False,) if re.match(r"\d{4}-", given) else (False, True):
        try:
            # A day and a month that are not there would be those of the default.
            one, other = (
                parser.parse(given, default=datetime(year, *rest), fuzzy=True, dayfirst=day_first)
                for rest in ((1, 1), (2, 2))
            )
        except (ValueError, OverflowError):
            continue
        found |= {one.date()} & {other.date()}
    return found


NUMBER = re.compile(r"[-+]?\d(?:[\d.,'’_\s]*\d)?")


def _numbers(given: str) -> set[float]:
    """The values that a text with one number may mean, with a unit or without: 43,200 and 43.200 are both written for the same."""
    values = set[float]()
    with contextlib.suppress(ValueError):
        values.add(float(given))
    if len(found := NUMBER.findall(given)) != 1:
        return values
    digits = re.sub(r"['’_\s]", "", found[0])
    times = 1000 if re.search(r"\d\s*(k|thousand)\b", given, re.IGNORECASE) else 1
    for text in (digits.replace(",", ""), digits.replace(".", "").replace(",", ".")):
        with contextlib.suppress(ValueError):
            values.add(float(text) * times)
    return values


def _near(given: str, right: float, name: str, hint: str) -> None:
    values = _numbers(given)
    if not values:
        told = f"{name} is one number, not {given[:40]!r}" if given else f"the table has no value for {name}"
        raise checks.Wrong(f"`{FILE}`: {told}.")
    if not any(abs(value - right) <= CLOSE * max(right, 1) + 3 for value in values):
        raise checks.Wrong(f"`{FILE}`: {name} is not {given[:40]}. {hint}")
