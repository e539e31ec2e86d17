"""Judges the page of the incident by its numbers (task 7)."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np

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
    cells = re.findall(r"^\|([^|\n]*)\|([^|\n]*)\|\s*$", text, re.MULTILINE)
    found = {name.strip().lower(): value.strip().strip("*` ") for name, value in cells}
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
    found = check_rules.fired(rule, world, incidents.SHOWN)
    if not found.hours:
        raise checks.Wrong("On your own days your rule of task 4 does not fire: `lab.alerts()` shows it.")
    day = world.first + timedelta(days=int(found.day))
    if day < world.incident.since:
        raise checks.Wrong("On your own days your rule of task 4 fires before it has begun: `lab.alerts()` shows it.")
    return day


def _noticed(lab: checks.Lab, world: World, found: dict[str, str]) -> None:
    day = noticed(lab, world)
    try:
        given = date.fromisoformat(found.get(NOTICED, "")[:10])
    except ValueError as error:
        raise checks.Wrong(f"`{FILE}`: {NOTICED} is a day, such as 2013-06-01.") from error
    if given != day:
        raise checks.Wrong(
            f"`{FILE}`: {NOTICED} is the day on which your rule first fires on your days. `lab.alerts()` says when."
        )
    rows = traffic.rows(world)
    before = int((rows["is_affected"] & (rows["number"] < (day - world.first).days)).sum())
    _near(found.get(FLIGHTS, ""), before, FLIGHTS, "Counted are the affected flights of the days before that one.")


def _near(given: str, right: float, name: str, hint: str) -> None:
    try:
        value = float(re.sub(r"(?i)[\s,$]|dollars|usd", "", given))
    except ValueError as error:
        told = f"{name} is a number, not {given[:40]!r}" if given else f"the table has no value for {name}"
        raise checks.Wrong(f"`{FILE}`: {told}.") from error
    if not abs(value - right) <= CLOSE * max(right, 1) + 3:
        raise checks.Wrong(f"`{FILE}`: {name} is not {given}. {hint}")
