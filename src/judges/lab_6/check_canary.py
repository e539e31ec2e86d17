"""Judges how a student decides about a canary, by good and bad candidates of the check's own, and the student's own release and roll-back (task 6)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from course import checks
from judges.lab_6 import operated
from judges.lab_6.called import call, draw
from judges.lab_6.candidates import ANSWERS, CASES, PROMOTE, WAIT, tables
from judges.lab_6.operated import LOG, SHADOW, Line
from judges.shared import answer_forms

ENOUGH, MOST = 20, 0.6
"""Requests that are looked for in each step of a release, and the largest share of a canary."""
MOST_TOLD = 3
"""Findings about candidates in a message."""
GOOD, WAITS, BACKS = 0.5, 0.25, 0.2
"""Points for good candidates, and for each part of those to wait for and of those to roll back."""


def judge_canary(lab: checks.Lab) -> None:
    """Four points: two for decisions about candidates, one for a release, and one for a roll-back.

    Raises:
        checks.Unanswered: nothing was begun.
        checks.Wrong: something is not so.
    """
    if not operated.is_begun(lab, operated.RELEASES):
        draw(lab, "canary")  # where neither part was begun, the task is not answered
    answer_forms.parts([(2, lambda: _decides(lab)), (2, lambda: _released(lab))])


def _decides(lab: checks.Lab) -> None:
    files: dict[str, Any] = {}
    calls, sizes = [], {}
    number_of = draw(lab, "canary")
    order = [list(CASES)[place] for place in np.random.default_rng(number_of).permutation(len(CASES))]
    for number, name in enumerate(order):
        pair = dict(zip(("champion", "challenger"), tables(name, number_of), strict=True))
        known = int(pair["challenger"]["late"].notna().sum())
        sizes[name] = f"It had answered {len(pair['challenger']):,} flights, and {known:,} of them have a label."
        for which, table in pair.items():
            files[f"tables/{number}-{which}.csv"] = table.to_csv(index=False)
        calls.append({which: {"csv": f"tables/{number}-{which}.csv"} for which in pair})
    found = call(lab, "canary", "decide", calls, files, "your decision about candidates that you have not seen")
    wrong = {}
    for name, told in sorted(zip(order, found, strict=True), key=lambda pair: list(CASES).index(pair[0])):
        case = CASES[name]
        if "error" in told:
            raise checks.Wrong(f"`decide` ends with {told['error']}, asked about a challenger that {case.words}.")
        if told["value"] not in ANSWERS:
            raise checks.Wrong(
                f"`decide` returns one of {', '.join(map(repr, ANSWERS))}, not {str(told['value'])[:40]!r}."
            )
        if told["value"] not in case.wanted:
            hint = f"{case.hint} {sizes[name]}" if told["value"] == WAIT and PROMOTE in case.wanted else case.hint
            wrong[name] = f"A challenger that {case.words}: your function says {told['value']!r}. {hint}".strip()
    _told(wrong)


def _told(wrong: dict[str, str]) -> None:
    """Raises what is wrong, with the points of the rest.

    Raises:
        checks.Wrong: something is.
    """
    if bad := [told for name, told in wrong.items() if CASES[name].wanted == (PROMOTE,)]:
        raise checks.Wrong(
            "\n".join([*bad[:MOST_TOLD], "A canary that lets no good version through is worth no more than none."])
        )
    parts = {case.part: WAITS if case.wanted == (WAIT,) else BACKS for case in CASES.values() if case.part}
    lost = {CASES[name].part for name in wrong}
    points = GOOD + sum(worth for part, worth in parts.items() if part not in lost)
    if wrong:
        of_parts = {CASES[name].part: told for name, told in reversed(wrong.items())}  # of each part, its first
        told = [one for one in wrong.values() if one in of_parts.values()]
        raise checks.Wrong("\n".join(told[:MOST_TOLD]), round(points, 2))


def _released(lab: checks.Lab) -> None:
    """A version released step by step, and taken back by hand."""
    found = operated.store(lab)
    pushed = operated.pushed(found)
    releases = operated.records(
        lab, operated.RELEASES, "Nothing was released yet: `flights.release.release` writes down each step."
    )
    if len(pushed) < 2 or not releases:
        raise checks.Wrong("There is no second version to release: task 5 has the pipeline train one.")
    first, last = pushed[0].version, releases[-1]
    version = str(last.get("version"))
    if why := operated.trained(found, pushed[0], version):
        raise checks.Wrong(why)
    lines = operated.log(lab, operated.answers(lab))
    answer_forms.parts(
        [(1, lambda: _steps(last, first, version, lines)), (1, lambda: _taken_back(lab, first, version, lines))]
    )


def _steps(last: dict[str, Any], first: str, version: str, lines: list[Line]) -> None:
    if last.get("state") != "released":
        raise checks.Wrong(f"The last release is {last.get('state')}: {str(last.get('reason'))[:200]}")
    steps = list(last["found"]) if isinstance(last.get("found"), dict) else []
    shares = [name for name in steps if name.startswith("canary")]
    if str(last.get("champion")) != first or not {"smoke", SHADOW} <= set(steps) or not shares:
        raise checks.Wrong(
            f"The release has had the steps {', '.join(map(str, steps))[:120] or 'none'}: smoke test, shadow and at least one share come before production, beside the first version."
        )
    shadows = {one.id for one in lines if one.version == version and one.role == SHADOW}
    if len(shadows) < ENOUGH:
        raise checks.Wrong(
            f"In `{LOG}`, version {version} has answered {len(shadows)} requests as shadow: at least {ENOUGH} are asked for."
        )
    order = _order(lines)
    tried = [place for place, one in enumerate(order) if one == (version, "challenger")]
    if len(tried) < ENOUGH:
        raise checks.Wrong(
            f"In `{LOG}`, version {version} has answered {len(tried)} requests as challenger: at least {ENOUGH} are asked for."
        )
    share = len(tried) / (tried[-1] - tried[0] + 1)
    if share > MOST:
        raise checks.Wrong(
            f"In `{LOG}`, version {version} has answered {share:.0%} of the requests while it was tried: a canary begins with a small share."
        )


def _taken_back(lab: checks.Lab, first: str, version: str, lines: list[Line]) -> None:
    steps = operated.steps(lab)
    back = steps[-1] if steps else {}
    if back.get("command") != "rollback" or str(back.get("version")) != version or back.get("state") != "done":
        raise checks.Wrong(
            f"The last step of the registry is {str(back.get('command', 'none'))[:20]}: take version {version} back by `rollback`, after it was released."
        )
    if not str(back.get("why") or "").strip():
        raise checks.Wrong("The roll-back has no reason: `why` is kept with the step, for those who come after you.")
    now = operated.traffic(lab)
    if str(now.get("champion")) != first or now.get("challenger") is not None:
        raise checks.Wrong("After the roll-back another version than the first one answers, or has a share.")
    order = _order(lines)
    after = list(itertools.takewhile(lambda one: one == (first, "champion"), reversed(order)))
    if len(after) < ENOUGH or len(after) == len(order):
        raise checks.Wrong(
            f"In `{LOG}`, the first version has answered the last {len(after)} requests: after the roll-back it answers all, at least {ENOUGH}."
        )


def _order(lines: list[Line]) -> list[tuple[str, str]]:
    """Version and role of each request that a client had an answer to, in the order of the log."""
    seen: dict[str, tuple[str, str]] = {}
    for one in lines:
        if one.role != SHADOW:
            seen.setdefault(one.id, (one.version, one.role))
    return list(seen.values())
