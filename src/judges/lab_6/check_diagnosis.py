"""Judges the diagnosis: what went wrong, since when, where, and how many flights are affected (task 3)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from course import checks
from judges.lab_6 import incidents, traffic
from judges.lab_6.traffic import KINDS, Incident, World
from judges.shared import answer_forms

CLOSE = 0.03
"""How far the number of flights may be off, as a share: whether a flight that was asked about twice counts once or twice is not asked."""
SIGNS = {
    "unit": "Then the column `distance` of one airline would have moved in the log, and no other's",
    "vanished": "Then an airline would fly as before, and have hardly a line in the log, damaged lines included",
    "concept": "Then what happens would have moved everywhere at once, and what is said would not",
    "labels": "Then flights of one airport would have been asked about as before, and their labels would be missing in the outcomes though those of other airports have come",
    "broken": "Then lines of the log would have no number as `prediction`",
    "canary": "Then a challenger's predictions would be worth less than the champion's, in ranking, on the same days",
    "keys": "Then lines of one airline would lack a column of the key",
    "refused": "Then a champion would be on duty that learned from a month which the gate of the data has refused (`pipeline_data_refused`, `pipeline_learned_from`)",
}
"""What would be seen, were it that."""
WHERE = {
    "unit": "an airline",
    "vanished": "an airline",
    "concept": "`everywhere`",
    "labels": "an airport",
    "broken": "the number of a version",
    "canary": "the number of a version",
    "keys": "an airline",
    "refused": "the number of a version",
}
FLIGHTS = {
    "unit": "that airline's flights that were asked about since",
    "vanished": "that airline's flights since that were flown and not asked about",
    "concept": "the flights that were asked about since",
    "labels": "the flights from that airport that were asked about since",
    "broken": "the flights to which the answer was no number",
    "canary": "the flights that the version answered",
    "keys": "that airline's requests since, which lack the column",
    "refused": "the flights that the version answered",
}
WRITTEN = "`DIAGNOSIS` is a dictionary with `what`, `since`, `where` and `flights`."


def affected(world: World) -> int:
    """Flights that the incident touches."""
    return int(traffic.rows(world)["is_affected"].sum())


def judge_diagnosis(lab: checks.Lab, given: Any) -> None:
    """Five points: two for what, one each for since when, where, and how many.

    Raises:
        checks.Wrong: something of it is not so.
    """
    answer = answer_forms.mapping(given, "DIAGNOSIS")
    if absent := [name for name in ("what", "since", "where", "flights") if answer.get(name) is None]:
        raise checks.Wrong(f"`DIAGNOSIS` lacks {', '.join(absent)}. {WRITTEN}")
    world = incidents.world(lab.seed)
    incident = world.incident
    assert incident is not None
    what = str(answer["what"]).strip().lower()
    if what not in KINDS:
        raise checks.Wrong(f"`what` is one of {', '.join(KINDS)}, not {str(answer['what'])[:40]!r}.")
    if what != incident.kind:
        raise checks.Wrong(
            f"It is not {what!r}. {SIGNS[what]}: what do the days after the first bad one look like, beside those before?"
        )
    judges = [
        (1, lambda: _since(answer["since"], incident)),
        (1, lambda: _where(answer["where"], incident)),
        (1, lambda: _flights(answer["flights"], affected(world), incident.kind)),
    ]
    answer_forms.parts(judges, 2, f"It is {what!r}.")


def _since(given: Any, incident: Incident) -> None:
    try:
        day = date(*map(int, str(given).strip()[:10].split("-")))
    except (ValueError, TypeError) as error:
        raise checks.Wrong("`since` is a day, such as `2013-06-01`.") from error
    slack = timedelta(days=1 if incident.kind == "concept" else 0)
    if abs(day - incident.since) > slack:
        raise checks.Wrong(
            "`since` is not the first day. Count by the day of the flight, one day at a time, not by the report, which looks at seven."
        )


def _where(given: Any, incident: Incident) -> None:
    text = str(given).strip().upper()
    wanted = incident.where or "EVERYWHERE"
    if wanted.isdecimal():
        found = re.findall(r"\d+", text)
        text = found[0] if len(found) == 1 else text
    if text != wanted:
        raise checks.Wrong(
            f"`where` is {WHERE[incident.kind]} here, and not {str(given)[:40]!r}: compare each with itself, before and after."
        )


def _flights(given: Any, truth: int, kind: str) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise checks.Wrong("`flights` is a number.")
    if not abs(given - truth) <= CLOSE * truth:
        raise checks.Wrong(
            f"`flights` is not {given:g}. Counted are {FLIGHTS[kind]}, each flight once, up to the last day of the log."
        )
