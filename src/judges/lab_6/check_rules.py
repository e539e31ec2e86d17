"""Judges the rule for alerts by what it does: on days that no student has seen, with the student's incident, with others, and with none (task 4)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as parser

from course import checks
from course.labs.lab_6.alerts import FILE, HOUR, NAME, WARM_UP, fires
from judges.lab_6 import incidents
from judges.lab_6.series import MORNING, series
from judges.lab_6.traffic import KINDS, World
from judges.shared import workspace_files
from operation import alert_rules, promql
from operation.alert_rules import Rule

MOST_RULES, MOST_LETTERS, MOST_STEPS = 20, 2000, 1000
IN_DAYS, OWN, BEFORE = 7, 2, 2
"""Mornings after the first day of the incident, by the last of which the rule has to fire; in how many places the incident is planted; and for how many days before it the rule has to be silent there."""
TWO_SAMPLES = ("rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear")
"""Functions that have no value for a range with one sample."""
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
    path = workspace_files.inside(lab, FILE)
    if not path.is_file() or not workspace_files.text(lab, FILE).strip():
        raise checks.Unanswered(f"There is no rule in `{FILE}` of your workspace yet.")
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
    every = (*rule.recorded, rule)
    if long := [one.name for one in every if len(one.expression) > MOST_LETTERS]:
        raise checks.Wrong(f"The expression of `{long[0][:40]}` is longer than {MOST_LETTERS:,} letters.")
    known: dict[str, set[str]] = {}
    for labels in _all_series(lab.seed % incidents.LAYOUTS):
        own = dict(labels)
        known.setdefault(own.pop(promql.NAME), set()).update(own)
    if told := alert_rules.unknown([rule], known):
        raise checks.Wrong(f"Your rule can never fire: {_said(ValueError(told[0]), path)}")
    for node in (node for one in every for node in promql.nodes(one.parsed)):
        _can_be_played(node)
    return rule


def _can_be_played(node: Any) -> None:
    """Whether a call has the samples that it needs, and a subquery not too many."""
    if isinstance(node, parser.Call) and node.func.name in TWO_SAMPLES:
        short = [
            one for one in node.args if isinstance(one, parser.MatrixSelector) and one.range.total_seconds() <= HOUR
        ]
        if short:
            raise checks.Wrong(
                f"Your rule can never fire: `{node.func.name}` looks back over {short[0].range.total_seconds() / 60:g} minutes, in which Prometheus has read one sample at most. It reads once an hour here."
            )
    if isinstance(node, parser.SubqueryExpr):
        step = node.step.total_seconds() if node.step else HOUR
        if node.range.total_seconds() / step > MOST_STEPS:
            raise checks.Wrong(
                f"`{node}` has more than {MOST_STEPS:,} steps. Prometheus reads once an hour here: `:1h` is the shortest step that says more."
            )


def _said(error: Exception, path: Path) -> str:
    return str(error).replace(f"{path}, ", "").replace(f"{path}: ", "").replace(str(path), FILE)[:300]


@functools.cache
def _all_series(layout: int) -> frozenset:
    """The metrics that there are, with the labels of each: of the last days of a world of each kind."""
    worlds = [incidents.quiet(layout), *(incidents.tried(layout, one) for one in KINDS)]
    return frozenset(labels for world in worlds for labels in series(world, world.days - 3))


@dataclass(frozen=True)
class Fired:
    """When a rule fires, in hours from the beginning of the first day that is played; `begin` is the number of that day."""

    hours: Sequence[int]
    begin: int

    def from_day(self, day: int) -> list[int]:
        """Those hours that are not before a day."""
        return [hour for hour in self.hours if hour >= (day - self.begin) * 24]

    def first(self, day: int = 0) -> float:
        """The first time from a day on, in days of the world; infinite where there is none."""
        return min((hour / 24 + self.begin for hour in self.from_day(day)), default=math.inf)


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
    quiet = fired(rule, incidents.quiet(lab.seed)).from_day(incidents.START)
    judged = (incidents.TRIED_DAYS - incidents.START) * 24
    points += caught
    if len(quiet) > judged - 2 * 24:
        raise checks.Wrong(
            "Your rule always fires, on days on which nothing goes wrong as well. What does it compare with what?"
        )
    if quiet:  # first, since a rule that is never silent is early as well
        problems.append(
            f"It fires on {QUIET}: {len(quiet)} of {judged} hours. How far does what you measure go by chance?"
        )
    problems += silent
    if not caught:
        raise checks.Wrong("\n".join(problems), points)
    world = incidents.world(lab.seed)
    assert world.incident is not None
    early = at_home(rule, world)
    is_early = early < (world.incident.since - world.first).days
    if is_early and not quiet:
        problems.append(
            f"It fires on your own days before anything has gone wrong: first on {world.day(int(early))}, as `lab.alerts()` shows."
        )
    points += not (quiet or is_early)
    wolves = _wolves(rule, lab.seed, kind)
    if wolves:
        problems.append(
            f"It also fires for {_listed(wolves)}. What do you see in your days that you would not see then? Two conditions are joined by `and on (model)`, and one excludes another by `unless`."
        )
    points += 2 if not wolves else 1 if len(wolves) == 1 else 0
    if problems:
        raise checks.Wrong("\n".join(problems), points)


def at_home(rule: Rule, world: World) -> float:
    """When a rule first fires on the student's own days, in days of the world, as the student sees it."""
    return fired(rule, world, incidents.SHOWN).first(incidents.SHOWN + WARM_UP)


def _form(rule: Rule) -> str:
    if not isinstance(rule.labels, dict) or rule.labels.get("severity") not in ("page", "ticket"):
        return "It needs a label `severity`: `page`, which wakes a person, or `ticket`."
    wakes = rule.labels["severity"] == "page"
    if not isinstance(rule.annotations, dict) or not all(
        str(rule.annotations.get(name, "")).strip() for name in ("summary", "action")
    ):
        return "It needs the annotations `summary` and `action`: what is wrong, and what the one who reads it is to do first."
    reads = _decide(rule.parsed, {one.name: one.parsed for one in rule.recorded}) if wakes else set()
    if wakes and (not any(name.startswith("serving_") for name in reads) or any(map(_is_of_report, reads))):
        told = ", ".join(f"`{name}`" for name in sorted(reads) if not name.startswith("serving_")) or "no metric"
        return f"It wakes a person, about what the server itself does not say ({told}): an hour more does not matter then. What is `page` for?"
    return ""


def _is_of_report(name: str) -> bool:
    return not name.startswith(("serving_", "pipeline_")) and name != "up"


def _decide(node: Any, recorded: Mapping[str, Any], is_guard: bool = False) -> set[str]:
    """The metrics without which an expression would have no value, or another one: all but those that stand in its way by `unless`.

    Args:
        node: of the expression.
        recorded: expressions of metrics that are recorded.
        is_guard: it stands on the right of an `unless`, so only what stands in its own way decides.
    """
    if isinstance(node, parser.ParenExpr):
        return _decide(node.expr, recorded, is_guard)
    if isinstance(node, parser.BinaryExpr) and str(node.op) in ("and", "or", "unless"):
        is_unless = str(node.op) == "unless"
        return _decide(node.lhs, recorded, is_guard) | _decide(node.rhs, recorded, is_guard != is_unless)
    if is_guard:
        return set()
    names: set[str] = set()
    for name, asked in promql.selectors(node):
        name = name or asked.get(promql.NAME, "") or "a metric of any name"
        others = {one: its for one, its in recorded.items() if one != name}
        names |= _decide(recorded[name], others) if name in recorded else {name}
    return names


def _own(rule: Rule, seed: int, kind: str) -> tuple[list[str], float]:
    """What is wrong where the incident is there, and the points for it."""
    points, told = 0.0, []
    for draw in range(OWN):
        world = incidents.tried(seed, kind, draw)
        assert world.incident is not None
        first = fired(rule, world).first(incidents.ONSET - BEFORE)
        if first < incidents.ONSET:
            told.append(f"On other days with {WORDS[kind]} it fires before that begins.")
        elif first > incidents.ONSET + IN_DAYS + (MORNING + 1) / 24:
            told.append(
                f"On other days with {WORDS[kind]} it does not fire by the {IN_DAYS}th morning. Does it name an airline, an airport, a version or its role, "
                "is its limit too far off, or does it wait too long (`for`)?"
            )
        else:
            points += 2 / OWN
    return list(dict.fromkeys(told)), points


def _wolves(rule: Rule, seed: int, kind: str) -> list[str]:
    """Other incidents for which it fires."""
    others = [one for one in KINDS if one != kind]
    return [WORDS[one] for one in others if fired(rule, incidents.tried(seed, one)).from_day(incidents.ONSET)]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
