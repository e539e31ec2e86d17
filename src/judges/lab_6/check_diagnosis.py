"""Judges the diagnosis: what went wrong, since when, where, and how many flights are affected (task 3)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from course import checks
from judges.lab_6 import incidents, traffic
from judges.lab_6.incidents import AIRPORTS
from judges.lab_6.traffic import CARRIERS, KINDS, World
from judges.shared import answer_forms

CLOSE = 0.03
"""How far the number of flights may be off, as a share: whether a flight that was asked about twice counts once or twice is not asked."""
NEAR_DAYS, NEAR_FLIGHTS, NEAR = timedelta(days=2), 0.2, 2
"""How far `since` and `flights` may be off to speak for `what`, and how many of the others have to: so that trying out eight words finds nothing."""
EVERYWHERE = "EVERYWHERE"
SIGNS = {
    "unit": "the column `distance` of one airline would have moved in the log, and no other's",
    "vanished": "an airline would fly as before, and have hardly a line in the log, damaged lines included",
    "concept": "what happens would have moved everywhere at once, and what is said would not",
    "labels": "flights of one airport would have been asked about as before, and their labels would be missing in the outcomes though those of other airports have come",
    "broken": "lines of the log would have no number as `prediction`",
    "canary": "a challenger's predictions would be worth less than the champion's, in ranking, on the same days",
    "keys": "lines of one airline would lack a column of the key",
    "refused": "a champion would be in service that learned from a month which the gate of the data has refused (`pipeline_data_refused`, `pipeline_learned_from`)",
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


def affected(world: World) -> int:
    """Flights that the incident touches."""
    return int(traffic.rows(world)["is_affected"].sum())


def judge_diagnosis(lab: checks.Lab, given: Any) -> None:
    """Five points: two for what, one each for since when, where, and how many.

    Raises:
        checks.Wrong: something of it is not so.
    """
    answer = answer_forms.mapping(given, "DIAGNOSIS")
    if absent := [name for name in ("what", "since", "where", "flights") if answer.get(name) in (None, "")]:
        raise checks.Wrong(
            f"`DIAGNOSIS` says nothing of {', '.join(absent)}. Give `what`, `since`, `where` and `flights`."
        )
    what = str(answer["what"]).strip().lower()
    if what not in KINDS:
        raise checks.Wrong(f"`what` is one of {', '.join(KINDS)}, not {str(answer['what'])[:40]!r}.")
    day, flights = _day(answer["since"]), _number(answer["flights"])
    world = incidents.world(lab.seed)
    incident, truth = world.incident, affected(world)
    assert incident is not None
    kind, days_off, off = incident.kind, abs(day - incident.since), abs(flights - truth) / truth
    is_there = _names(answer["where"], incident.where or EVERYWHERE)
    speaks = [days_off <= NEAR_DAYS, off <= NEAR_FLIGHTS, is_there and bool(incident.where)]
    if what != kind or sum(speaks) < NEAR:
        raise checks.Wrong(
            f"That is not found yet, or not with what shows it. Nothing counts before `what` is right, and {NEAR} of `since`, `where` and `flights` are near. "
            f"Were it {what!r}, {SIGNS[what]}: is it so since that day, and was it not so before?"
        )
    first = "`since` is not the first day. Count by the day of the flight, one day at a time, not by the report, which looks at seven."
    named = str(answer["where"]).strip()[:40]
    shown = f"version {named}" if named.isdecimal() and incident.is_of_version else repr(named)
    place = f"`where` is {WHERE[kind]} here, and it is not {shown}: compare each with itself, before and after."
    number = (
        f"`flights` is not {flights:g}. Counted are {FLIGHTS[kind]}, each flight once, up to the last day of the log."
    )
    is_right = {first: days_off <= timedelta(days=kind == "concept"), place: is_there, number: off <= CLOSE}
    if not all(is_right.values()):
        wrong = [why for why, right in is_right.items() if not right]
        raise checks.Wrong("\n".join([f"It is {what!r}.", *wrong]), points=5 - len(wrong))


def _day(given: Any) -> date:
    try:
        return date(*map(int, str(given).strip()[:10].split("-")))
    except (ValueError, TypeError) as error:
        raise checks.Wrong("`since` is a day, such as `2013-06-01`.") from error


def _number(given: Any) -> float:
    text = str(given).replace(",", "").strip()
    if isinstance(given, bool) or not re.fullmatch(r"\d{1,9}(\.\d*)?", text):
        raise checks.Wrong(f"`flights` is a number, not {str(given)[:40]!r}.")
    return float(text)


def _names(given: Any, wanted: str) -> bool:
    """Whether an answer names a place, in whatever words, and no other of its kind."""
    text = str(int(given) if isinstance(given, float) and given.is_integer() else given).upper()
    words = re.findall(r"[A-Z0-9]+", EVERYWHERE if text.strip() == "ALL" else text)
    return [one for one in words if one.isdecimal() or one in (*CARRIERS, *AIRPORTS, EVERYWHERE)] == [wanted]
