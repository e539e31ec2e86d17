"""Lab 6: what is made is as a real server writes it, each student has one incident that can be found, and what is ordinary is there in all worlds."""

from __future__ import annotations

import datetime
import json

import lab_six
import numpy as np
import pandas as pd
import pytest

from course import checks
from course.checks.lab import seed
from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import check_diagnosis, incidents, traffic
from judges.lab_6.series import write
from judges.lab_6.traffic import KINDS
from operation import served_log
from serving.request_log import Answer, RequestLog

STUDENTS = [f"student-{number}" for number in range(1, 13)]


def test_line_is_as_a_server_writes_it(tmp_path):
    world = incidents.quiet(0)
    made = json.loads(traffic.lines(world)[0][1])
    log = RequestLog(tmp_path / "requests.jsonl")
    at = datetime.datetime.fromisoformat(made["time"]).timestamp()
    columns = {name: [made[name]] for name in (*KEY, *traffic.FURTHER)}
    log.put(Answer(at, made["id"], made["version"], made["role"], columns, [made["prediction"]]))
    log.close()
    assert (tmp_path / "requests.jsonl").read_bytes() == traffic.lines(world)[0][1] + b"\n"


def test_every_kind_comes_to_some_student():
    kinds = {incidents.kind(seed(lab_six.LAB, f"student-{number}")) for number in range(1, 60)}
    assert kinds == set(KINDS)


@pytest.mark.parametrize("student", lab_six.rows(STUDENTS, 3))
def test_incident_of_a_student_is_in_the_log_and_nowhere_before(tmp_path, student):
    world = incidents.world(seed(lab_six.LAB, student))
    incident, rows = world.incident, traffic.rows(world)
    assert world.first + datetime.timedelta(days=60) < incident.since < world.last - datetime.timedelta(days=10)
    assert rows.loc[rows["is_affected"], "number"].min() == (incident.since - world.first).days
    write(world, tmp_path / "log.jsonl")
    read = served_log.read(tmp_path / "log.jsonl", PROJECT)
    asked = rows[rows["is_asked"]]
    has_line = len(read.rows.drop_duplicates(list(KEY)))
    assert has_line == len(asked[~asked["lacks_key"] & asked["said"].notna()])
    before = asked[asked["number"] < (incident.since - world.first).days]
    assert abs(before["said"].mean() - before[LABEL].mean()) < 0.015
    assert before["said"].notna().all()


@pytest.mark.parametrize("kind", KINDS)
def test_days_of_a_trial_are_quiet_ones_until_its_incident_which_is_elsewhere(kind):
    number = KINDS.index(kind)
    own, quiet = incidents.world(number).incident, incidents.quiet(number)
    worlds = [incidents.tried(number, kind, draw) for draw in (0, 1)]
    assert len({own.where, *(one.incident.where for one in worlds)}) == (1 if kind == "concept" else 3)
    for world in worlds:
        rows, before = traffic.rows(world), traffic.rows(quiet).query("number < @incidents.ONSET")
        same = rows.query("number < @incidents.ONSET")[before.columns]
        pd.testing.assert_frame_equal(same.drop(columns="is_affected"), before.drop(columns="is_affected"))
        mine = rows[rows["is_affected"]]
        assert mine["number"].min() == incidents.ONSET
        if world.incident.is_of_version:
            assert set(mine["version"].astype(str)) == {world.incident.where}
    if kind == "broken":
        assert [{*one.query("is_affected")["role"]} for one in map(traffic.rows, worlds)] == [
            {"champion"},
            {"challenger"},
        ]


def test_quiet_days_try_a_good_version_for_as_long_as_a_bad_one_is_tried():
    quiet, bad = (
        traffic.rows(world).query("number >= @incidents.ONSET")
        for world in (incidents.quiet(1), incidents.tried(1, "canary"))
    )
    assert {*quiet["role"]} == {*bad["role"]} == {"champion", "challenger"}
    good = quiet.query("role == 'challenger'")
    assert abs(good["said"].mean() - good[LABEL].mean()) < 0.05


def truth(lab):
    world = incidents.world(lab.seed)
    incident = world.incident
    where = incident.where or "everywhere"
    return {
        "what": incident.kind,
        "since": incident.since.isoformat(),
        "where": where,
        "flights": check_diagnosis.affected(world),
    }


def judge(lab, answer):
    return lab_six.evaluate(lab, "diagnosis", diagnosis=answer)


@pytest.mark.parametrize("kind", KINDS)
def test_right_diagnosis_passes_in_other_forms_and_wrong_ones_are_told(tmp_path, kind):
    lab = lab_six.of_kind(kind, tmp_path)
    right = truth(lab)
    assert judge(lab, right) == (5, "")
    where = right["where"]
    forms = [right | {"what": f" {kind.upper()} "}, right | {"since": f"{right['since']}T00:00:00"}]
    forms += [right | {"where": where.lower()}, right | {"flights": right["flights"] * 1.02}]
    day = pd.Timestamp(right["since"])
    forms += [right | {"since": day}, right | {"since": day.date()}, right | {"since": np.datetime64(right["since"])}]
    forms += [right | {"flights": np.int64(right["flights"])}, right | {"flights": f"{right['flights']:,}"}]
    forms += [pd.Series(right), right | {"where": [where]}, right | {"where": f"it is {where.lower()} here"}]
    if where.isdecimal():
        forms += [
            right | {"where": np.int64(where)},
            right | {"where": float(where)},
            right | {"where": f"{where}."},
        ]
    assert [judge(lab, one) for one in forms] == [(5, "")] * len(forms)
    later = (pd.Timestamp(right["since"]) + pd.Timedelta(days=7)).date().isoformat()
    other = next(one for one in KINDS if one != kind)
    near = {"since": day + pd.Timedelta(days=2), "flights": right["flights"] * 0.9}
    # Where it is says nothing of a thing that is everywhere.
    is_anywhere = kind == "concept"
    wrong = [
        ({"what": other}, 0, f"Were it '{other}'"),
        ({"since": later}, 0 if is_anywhere else 4, "Were it" if is_anywhere else "is not the first day"),
        ({"where": "LAX"}, 4, "compare each with itself"),
        ({"where": f"{where}, EWR or JFK"}, 4, "compare each with itself"),
        ({"flights": right["flights"] * 0.9}, 4, "`flights` is not"),
        ({"flights": 99000}, 0 if is_anywhere else 4, "Were it" if is_anywhere else "each flight once"),
        (near, 3, "is not the first day"),
        ({"since": later, "flights": 99000}, 0, f"Were it '{kind}'"),
        ({"since": later, "where": "LAX"}, 0, f"Were it '{kind}'"),
        ({"where": "LAX", "flights": 99000}, 0, f"Were it '{kind}'"),
        ({"what": "drift"}, 0, "`what` is one of"),
        ({"what": [kind]}, 0, "`what` is one of"),
        ({"since": None, "where": ""}, 0, "says nothing of since, where"),
        ({"flights": "many"}, 0, "`flights` is a number"),
        ({"flights": True}, 0, "`flights` is a number"),
        ({"flights": "nan"}, 0, "`flights` is a number"),
        ({"flights": -5}, 0, "`flights` is a number"),
        ({"since": "June"}, 0, "`since` is a day"),
    ]
    if where.isdecimal():
        wrong += [({"where": other}, 4, "is not version 1: compare") for other in (1, "1")]
    for change, points, told in wrong:
        found, message = judge(lab, right | change)
        assert (found, told in message) == (points, True), message


def test_word_that_is_guessed_is_told_nothing(tmp_path):
    """Of eight words one is right: what the check says of it is what it says of the others, but for what each would mean."""
    lab = lab_six.of_kind("vanished", tmp_path)
    guess = {"since": "2013-06-25", "where": "everywhere", "flights": 100}
    told = {kind: judge(lab, guess | {"what": kind}) for kind in KINDS}
    assert {points for points, _ in told.values()} == {0}
    rest = {
        message.replace(repr(kind), "").replace(check_diagnosis.SIGNS[kind], "") for kind, (_, message) in told.items()
    }
    assert len(rest) == 1


def test_diagnosis_that_is_not_given_is_told_as_not_answered(tmp_path):
    lab = lab_six.of_kind("vanished", tmp_path)
    for given in (..., None, {"what": ..., "since": ..., "where": ..., "flights": ...}):
        assert checks.evaluate(lab, "diagnosis", {"diagnosis": given}).state == "not answered yet"
