"""Lab 6, tasks 1, 2, 5, 6 and 7: answers that are run elsewhere."""

from __future__ import annotations

import json

import lab_six
import orjson
import pandas as pd
import pytest

from course.labs.lab_6 import alerts
from flights.columns import KEY
from flights.watch import PROJECT
from judges.lab_6 import (
    called,
    check_canary,
    check_diagnosis,
    check_page,
    check_policy,
    check_watch,
    incidents,
    traffic,
)
from judges.lab_6.traffic import KINDS
from operation import quality

ANSWERS = lab_six.ANSWERS
GUARDS = {"cool_down": 60, "budget": 4}


@pytest.fixture
def lab(tmp_path):
    return lab_six.of_kind("labels", tmp_path)


def _log(lab, canary=30, after=30, every=5, role="challenger"):
    """A log of the student's own server."""
    rows = []
    for number in range(canary * every + after):
        mine = number < canary * every and number % every == 0
        row = {"time": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00", "id": str(number)}
        rows.append(row | {"version": 2 if mine else 1, "role": role if mine else "champion", "prediction": 0.2})
    path = lab.workspace / check_canary.LOG
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def edited(name, edit):
    return lab_six.edited(lab_six.solution(name), edit)


@pytest.mark.parametrize("row", lab_six.rows([{"edit": {}, "points": 5, "told": ""}, *ANSWERS["watch"]]))
def test_watch_is_judged_on_another_log(lab, row):
    lab_six.module(lab, "watch", edited("watch", row["edit"]))
    points, message = lab_six.evaluate(lab, "watch")
    assert (points, row["told"] in message) == (row["points"], True), message


def test_watch_that_knows_by_heart_what_a_check_said_fails_on_the_next_log(lab):
    told = check_watch.given(called.draw(lab, _put(lab, "watch", lab_six.solution("watch"))))[2]
    _put(lab, "watch", f"def watch(**given):\n    return {told!r}\n")
    assert lab_six.evaluate(lab, "watch")[0] < 1


def _put(lab, name, text):
    lab_six.module(lab, name, text)
    return name


def test_watch_without_the_library_passes(lab):
    lab_six.module(lab, "watch", OWN_WATCH)
    assert lab_six.evaluate(lab, "watch") == (5, "")


OWN_WATCH = """
import glob
import json

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

KEY = ["year", "month", "day", "carrier", "flight", "origin", "sched_dep_time"]


def watch(log, outcomes, first, last, complete):
    told, rows = dict.fromkeys(["unreadable", "without_key", "repeated"], 0), []
    for path in sorted(glob.glob(log + "*"), reverse=True):
        for line in open(path):
            try:
                row = json.loads(line)
            except ValueError:
                told["unreadable"] += 1
                continue
            if any(row.get(name) is None for name in KEY):
                told["without_key"] += 1
            else:
                rows.append(row)
    rows = pd.DataFrame(rows)
    rows["date"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    rows = rows[rows["date"].between(first, last)]
    again = rows.duplicated(["id", "version", "role", *KEY])
    told["repeated"] = again.sum()
    rows = rows[~again & (rows["role"] != "shadow")].sort_values("time").drop_duplicates(KEY, keep="last")
    rows = rows.merge(pd.read_csv(outcomes), on=KEY, how="left")
    due = rows["date"] <= complete
    told |= {"not_yet": (~due).sum(), "missing": (due & rows["late"].isna()).sum()}
    rows = rows[due & rows["late"].notna()]
    said, late = rows["prediction"], rows["late"]
    cost = np.where(said >= 0.25, 100 * (1 - late), 300 * late).mean()
    numbers = {"said": said.mean(), "happened": late.mean(), "gap": said.mean() - late.mean(), "cost": cost}
    return told | numbers | {"matched": len(rows), "auc": roc_auc_score(late, said)}
"""


@pytest.mark.parametrize("row", lab_six.rows([{"edit": {}, "points": 4, "told": ""}, *ANSWERS["canary"]]))
def test_decision_about_a_canary_is_judged_by_candidates_of_all_kinds(lab, row):
    _log(lab)
    lab_six.module(lab, "canary", edited("canary", row["edit"]))
    points, message = lab_six.evaluate(lab, "canary")
    assert (points, row["told"] in message) == (row["points"], True), message


OWN_CANARY = """
from sklearn.metrics import roc_auc_score


def decide(champion, challenger):
    if challenger.prediction.isnull().any():
        return "roll back"
    seen, before = challenger[challenger.late.notnull()], champion.dropna()
    if len(seen) < 400:
        return "wait"
    if roc_auc_score(seen.late, seen.prediction) < roc_auc_score(before.late, before.prediction) - 0.08:
        return "roll back"
    gap = seen.prediction - seen.late
    largest = gap.groupby(seen.carrier).mean().abs().max()
    return "roll back" if abs(gap.mean()) > 0.06 or largest > 0.15 else "promote"
"""


def test_decision_by_fixed_limits_passes(lab):
    _log(lab)
    lab_six.module(lab, "canary", OWN_CANARY)
    assert lab_six.evaluate(lab, "canary") == (4, "")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"canary": 0}, "has answered 0 requests as challenger"),
        ({"role": "champion"}, "has answered 0 requests as challenger"),
        ({"every": 1}, "a small share"),
        ({"after": 3}, "after the roll-back"),
    ],
)
def test_own_roll_back_has_to_be_in_the_log(lab, made, told):
    _log(lab, **made)
    points, message = lab_six.evaluate(lab, "canary")
    assert points == 0
    assert told in message


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("row", [{"edit": {}, "points": 4, "told": ""}, *ANSWERS["served"]], ids=str)
def test_project_is_served_and_asked(lab, row):
    lab_six.module(lab, "served", edited("served", row["edit"]))
    points, message = lab_six.evaluate(lab, "serving")
    assert (points, row["told"] in message) == (row["points"], True), message


OWN_SERVED = """
from flights import serving

LOGGED = "year month day carrier flight origin sched_dep_time distance dest"


class Project:
    key = LOGGED.split()
    name, output, inputs = "mine", serving.PROJECT.output, serving.PROJECT.inputs
    sample = [dict(zip(key, (2013, 2, 1, "B6", 71, "JFK", 700, 1005, "TPA"), strict=True)) | {"weekday": 5}]
    encode = staticmethod(serving.PROJECT.encode)

    def check(self, rows):
        for row in rows:
            absent = [name for name in self.key[:7] if row.get(name) in (None, "")]
            if absent:
                raise ValueError(f"{absent} cannot be missing")
        return serving.PROJECT.check(rows)


PROJECT = Project()
"""


@pytest.mark.slow
@pytest.mark.long
def test_project_of_another_kind_passes(lab):
    lab_six.module(lab, "served", OWN_SERVED)
    assert lab_six.evaluate(lab, "serving") == (4, "")


def _policy(lab, policy, guards):
    (lab.workspace / check_policy.FILE).write_text(json.dumps({"policy": policy, "guards": guards}))
    return lab_six.evaluate(lab, "policy")


@pytest.mark.parametrize("policy", lab_six.rows(ANSWERS["policies"]["right"]))
def test_policy_that_is_worth_it_passes(lab, policy):
    assert _policy(lab, policy, GUARDS) == (4, "")


@pytest.mark.parametrize("row", lab_six.rows(ANSWERS["policies"]["wrong"], 4))
def test_policy_that_is_not_is_told_what_it_did(lab, row):
    points, message = _policy(lab, row["policy"], row.get("guards", GUARDS))
    assert (points, row["told"] in message) == (row["points"], True), message


def test_policy_that_is_nested_without_end_is_told(lab):
    deep = '{"AnyOf": [' * 400 + '{"Never": {}}' + "]}" * 400
    (lab.workspace / check_policy.FILE).write_text('{"policy": ' + deep + "}")
    points, message = lab_six.evaluate(lab, "policy")
    assert (points, "too deeply" in message or "no JSON" in message) == (0, True), message


def _page(lab, **values):
    text = check_page.TEMPLATE
    for name, value in values.items():
        text = text.replace(f"| {name.replace('_', ' ')} | |", f"| {name.replace('_', ' ')} | {value} |")
    (lab.workspace / check_page.FILE).write_text(text, encoding="utf-8")
    return lab_six.evaluate(lab, "page")


@pytest.mark.slow
@pytest.mark.long
def test_numbers_of_the_page_are_those_of_the_incident_and_of_the_own_rule(lab):
    world = incidents.world(lab.seed)
    (lab.workspace / alerts.FILE).write_text(lab_six.rules(ANSWERS["rules"]["right"]["labels"][0]))
    assert "the table has no value for cost" in _page(lab)[1]
    day = check_page.noticed(lab, world)
    rows = traffic.rows(world)
    mine = rows[rows["is_affected"]]
    before = (pd.to_datetime(mine[["year", "month", "day"]]) < pd.Timestamp(day)).sum()
    right = {"noticed": day, "flights_until_then": before}
    right["cost_of_all_affected_flights"] = round(check_page.cost(world))
    assert _page(lab, **right) == (2, "")
    with_unit = {"cost_of_all_affected_flights": f"{right['cost_of_all_affected_flights']:,} dollars"}
    assert _page(lab, **right | with_unit) == (2, "")
    for name, value, told in (
        ("noticed", world.incident.since, "first fires on your days"),
        ("flights_until_then", len(mine), "of the days before that one"),
        ("cost_of_all_affected_flights", 100, "By the plan"),
        ("cost_of_all_affected_flights", "much", "is a number"),
        ("cost_of_all_affected_flights", "", "the table has no value for cost"),
    ):
        points, message = _page(lab, **right | {name: value})
        assert (points, told in message) == (1, True), message
    (lab.workspace / alerts.FILE).write_text(lab_six.rules("operation_auc > 1"))
    assert "does not fire" in _page(lab, **right)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_cost_and_flights_of_an_incident_can_be_found_from_what_is_given(tmp_path, kind):
    """From the log and the outcomes of autumn: of lines that lack the number of a flight, by the rest of their key."""
    lab = lab_six.of_kind(kind, tmp_path)
    world = incidents.world(lab.seed)
    rest = [name for name in KEY if name != "flight"]
    known = [orjson.loads(line) for _, line in traffic.lines(world) if line.endswith(b"}")]
    log = pd.DataFrame(known).drop_duplicates(rest, keep="last")
    autumn = traffic.rows(world)[[*KEY, "late"]]
    assert not autumn.duplicated(rest).any()
    found = autumn.merge(log.drop(columns="flight"), on=rest, how="left", indicator="line")
    found = found[PROJECT.day(found) >= pd.Timestamp(world.incident.since)]
    is_asked, where = found["line"] == "both", world.incident.where
    mine = {
        "unit": is_asked & (found["carrier"] == where),
        "vanished": ~is_asked & (found["carrier"] == where),
        "concept": is_asked,
        "labels": is_asked & (found["origin"] == where),
        "broken": is_asked & found["prediction"].isna(),
        "keys": is_asked & (found["carrier"] == where),
    }.get(kind, found["version"].astype("Int64").astype(str) == where)
    assert mine.sum() == pytest.approx(check_diagnosis.affected(world), rel=check_diagnosis.CLOSE)
    found = found[mine]
    said = found["prediction"].fillna(0.0).to_numpy(float)
    cost = quality.cost_of(said, found["late"].to_numpy(float), PROJECT.costs).sum()
    assert cost == pytest.approx(check_page.cost(world), rel=check_page.CLOSE)
