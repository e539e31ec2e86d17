"""Judges the rule for alerts by what it does: on days that no student has seen, with the student's incident, with others, and with none (task 4)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import promql_parser

from course import checks
from course.labs.lab_6.alerts import FILE, HOUR, NAME, fires
from judges.lab_6 import incidents
from judges.lab_6.series import MORNING, series
from judges.lab_6.traffic import KINDS, World
from judges.shared import workspace_files
from operation import alert_rules, promql
from operation.alert_rules import Rule

MOST_RULES, MOST_LETTERS = 20, 2000
IN_DAYS, OWN = 7, 2
"""Mornings after the first day of the incident, by the last of which the rule has to fire; and in how many places the incident is planted."""
BEGIN = incidents.ONSET - 2
"""The day from which on days with an incident are played: the same for each kind, or a rule that waits for the end of the days would tell one."""
WORDS = {
    "unit": "a client that sends another unit",
    "vanished": "an airline that no longer asks",
    "concept": "a world in which more flights are late",
    "labels": "an airport whose labels stay away",
    "broken": "a version that answers with what is no number",
    "canary": "a challenger that ranks worse",
    "keys": "a client whose requests lack a column of the key",
    "refused": "a model that was trained on refused data",
}
QUIET = "days on which nothing goes wrong (a version is tried and promoted, some lines are damaged or there twice, some labels never come)"


def read(lab: checks.Lab) -> Rule:
    """The student's rule.

    Raises:
        checks.Wrong: there is none that can be evaluated.
    """
    content = workspace_files.text(lab, FILE, "Write your rule there, in Prometheus' own format.")
    path = workspace_files.inside(lab, FILE)
    try:
        rules = alert_rules.read_rules(path)
    except (alert_rules.RuleError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise checks.Wrong(f"`{FILE}` holds no rules: {_said(error, path)}") from error
    mine = [one for one in rules if one.name == NAME]
    if len(mine) > 1:
        raise checks.Wrong(
            f"`{FILE}` has {len(mine)} alerts `{NAME}`, and one is judged. Join their conditions by `or`."
        )
    if not mine or len(rules) > MOST_RULES:
        names = ", ".join(str(one.name)[:40] for one in rules[:MOST_RULES]) or "none"
        raise checks.Wrong(f"`{FILE}` has no alert `{NAME}`. It has: {names}.")
    [rule] = mine
    if len(rule.expression) > MOST_LETTERS or not content.strip():
        raise checks.Wrong(f"The expression of `{NAME}` is longer than {MOST_LETTERS:,} letters.")
    known: dict[str, set[str]] = {}
    for labels in _all_series():
        own = dict(labels)
        known.setdefault(own.pop(promql.NAME), set()).update(own)
    if told := alert_rules.unknown([rule], known):
        raise checks.Wrong(f"Your rule can never fire: {_said(ValueError(told[0]), path)}")
    for seconds in _ranges(rule):
        if seconds < 2 * HOUR:
            raise checks.Wrong(
                f"Your rule can never fire: it looks back over {seconds / 60:g} minutes, in which Prometheus has read one sample at most. It reads once an hour here."
            )
    return rule


def _ranges(rule: Rule) -> list[float]:
    found: list[float] = []

    def note(node: object) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.range.total_seconds())
        return True

    promql_parser.walk(rule.parsed, pre_visit=note)
    return found


def _said(error: Exception, path: Path) -> str:
    return str(error).replace(f"{path}, ", "").replace(f"{path}: ", "").replace(str(path), FILE)[:300]


@functools.cache
def _all_series() -> frozenset:
    """The metrics that there are, with the labels of each: of a world of each kind."""
    first = incidents.quiet(0)
    worlds = [(first, first.days - 3)] + [(incidents.tried(0, one), incidents.TRIED_DAYS - 3) for one in KINDS]
    return frozenset(labels for world, begin in worlds for labels in series(world, begin))


@dataclass(frozen=True)
class Fired:
    """When a rule fires, in hours from the beginning of the first day that is played; `begin` is the number of that day."""

    hours: Sequence[int]
    begin: int

    @property
    def day(self) -> float:
        """The first time, in days of the world; infinite where it never does."""
        return self.hours[0] / 24 + self.begin if self.hours else math.inf


def fired(rule: Rule, world: World, begin: int = 0) -> Fired:
    """Plays a world to a rule.

    Raises:
        checks.Wrong: it has no value.
    """
    try:
        return Fired(fires(rule, series(world, begin), (world.days - begin) * 24), begin)
    except (
        Exception
    ) as error:  # of the library, of regular expressions, of arithmetic: whatever a student's expression leads to
        raise checks.Wrong(f"Your rule cannot be evaluated: {_said(error, rule.file)}") from error


def judge_rules(lab: checks.Lab) -> None:
    """Six points: one for a rule that can be read and says what is to be done, two where it fires, one for quiet days, two for other incidents.

    Raises:
        checks.Wrong: something is not as it should be.
    """
    rule, kind = read(lab), incidents.kind(lab.seed)
    problems, points = [], 1.0
    if told := _form(rule):
        problems, points = [told], 0.0
    silent, caught = _own(rule, lab.seed, kind)
    quiet = fired(rule, incidents.quiet(lab.seed))
    problems += silent
    points += caught
    if quiet.hours and len(quiet.hours) > incidents.TRIED_DAYS * 24 - 2 * 24:
        raise checks.Wrong(
            "Your rule always fires, on days on which nothing goes wrong as well. What does it compare with what?"
        )
    if not caught:
        raise checks.Wrong("\n".join(problems), points)
    if quiet.hours:
        problems.append(
            f"It fires on {QUIET}: {len(quiet.hours)} of {incidents.TRIED_DAYS * 24} hours, first on day {int(quiet.day) + 1}. How far does what you measure go by chance?"
        )
    else:
        points += 1
    wolves = _wolves(rule, lab.seed, kind)
    if wolves:
        problems.append(
            f"It also fires for {_listed(wolves)}. What do you see in your days that you would not see then? Two conditions are joined by `and on (model)`, and one excludes another by `unless`."
        )
    points += 2 if not wolves else 1 if len(wolves) == 1 else 0
    if problems:
        raise checks.Wrong("\n".join(problems), points)


def _form(rule: Rule) -> str:
    if not isinstance(rule.labels, dict) or rule.labels.get("severity") not in ("page", "ticket"):
        return "It needs a label `severity`: `page`, which wakes a person, or `ticket`."
    wakes = rule.labels["severity"] == "page"
    if not isinstance(rule.annotations, dict) or not all(
        str(rule.annotations.get(name, "")).strip() for name in ("summary", "action")
    ):
        return "It needs the annotations `summary` and `action`: what is wrong, and what the one who reads it is to do first."
    reads = {name for name, _ in promql.selectors(rule.parsed)}
    if wakes and not any(name.startswith("serving_") or name == "up" for name in reads):
        return "It wakes a person, about what a report of the morning says: an hour more does not matter then. What is `page` for?"
    return ""


def _own(rule: Rule, seed: int, kind: str) -> tuple[list[str], float]:
    """What is wrong where the incident is there, and the points for it."""
    points, told = 0.0, []
    for draw in range(OWN):
        world = incidents.tried(seed, kind, draw)
        assert world.incident is not None
        place = f" ({world.incident.where})" if world.incident.where else ""
        found = fired(rule, world, BEGIN)
        if found.day < incidents.ONSET:
            told.append(
                f"On days with {WORDS[kind]}{place} it fires before that begins: on day {int(found.day) + 1} instead of {incidents.ONSET + 1}."
            )
        elif found.day > incidents.ONSET + IN_DAYS + (MORNING + 1) / 24:
            told.append(
                f"On other days with {WORDS[kind]}{place} it does not fire by the {IN_DAYS}th morning. Does it name an airline, an airport or a version, "
                "is its limit too far off, or does it wait too long (`for`)?"
            )
        else:
            points += 2 / OWN
    return list(dict.fromkeys(told)), points


def _wolves(rule: Rule, seed: int, kind: str) -> list[str]:
    """Other incidents for which it fires."""
    others = [one for one in KINDS if one != kind]
    begun = (incidents.ONSET - BEGIN) * 24  # what it says of the days before is told by the quiet ones
    return [
        WORDS[one] for one in others if max(fired(rule, incidents.tried(seed, one), BEGIN).hours, default=-1) >= begun
    ]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
