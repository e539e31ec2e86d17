"""Lab 6, tasks 5 and 6: policies on other years, decisions about canaries, and what was done with the model in service.

That right answers pass is shown each day by the lab's solution (tests/notebooks); here it is a long proof.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import date

import lab_six
import lab_six_service as service
import pytest
import student_lab

from course import checks
from flights import retrain
from judges.lab_6 import candidates, check_canary, check_policy, operated, service_data
from judges.lab_6.traffic import CARRIERS
from operation import policy as policies
from operation.policy import Situation
from operation.quality import Estimate, Part
from operation.report import Report

ANSWERS = lab_six.ANSWERS
GUARDS = service.POLICY["guards"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace in which all was done."""
    lab = lab_six.of_kind("labels", tmp_path_factory.mktemp("made"))
    service.write(lab)
    return lab


@pytest.fixture
def lab(made, tmp_path, monkeypatch):
    """A copy of it. Its versions are not models: what they answer is given in the place of the trial that asks them."""
    folder = tmp_path / lab_six.LAB
    shutil.copytree(made.workspace, folder)
    monkeypatch.setattr(operated, "answers", service.answers)
    return checks.Lab(lab_six.LAB, made.student, folder)


def judged(judge, *given):
    """Points that are lost, and what is told."""
    try:
        judge(*given)
    except checks.Wrong as wrong:
        return wrong.points, wrong.message
    return None, ""


# --- the policy on other years


def _policy(lab, policy, guards=GUARDS):
    (lab.workspace / check_policy.FILE).write_text(json.dumps({"policy": policy, "guards": guards}))
    return judged(lambda: check_policy._replayed(*check_policy._load(lab)))


@pytest.mark.parametrize("policy", lab_six.rows(ANSWERS["policies"]["right"], 0))
def test_policy_that_is_worth_it_passes(lab, policy):
    assert _policy(lab, policy) == (None, "")


@pytest.mark.parametrize("row", lab_six.rows(ANSWERS["policies"]["wrong"], 2))
def test_policy_that_is_not_is_told_what_it_did(lab, row):
    points, message = _policy(lab, row["policy"], row.get("guards", GUARDS))
    assert (points, row["told"] in message) == (row["points"], True), message


@pytest.mark.parametrize(("text", "told"), [(row["text"], row["told"]) for row in ANSWERS["policies"]["forms"]])
def test_file_that_is_no_policy_is_told_what_is_wrong(lab, text, told):
    (lab.workspace / check_policy.FILE).write_text(text)
    points, message = judged(check_policy.judge_policy, lab)
    assert (points, told in message) == (0, True), message


def test_policy_that_is_nested_without_end_is_told(lab):
    deep = '{"AnyOf": [' * 400 + '{"Never": {}}' + "]}" * 400
    (lab.workspace / check_policy.FILE).write_text('{"policy": ' + deep + "}")
    points, message = judged(check_policy.judge_policy, lab)
    assert (points, "too deeply" in message or "no JSON" in message) == (0, True), message


def test_task_5_without_a_file_is_not_answered(lab):
    (lab.workspace / check_policy.FILE).unlink()
    assert checks.evaluate(lab, "policy", {}).state == "not answered yet"


def test_task_6_is_not_answered_until_one_of_its_parts_is_begun(lab):
    released = (lab.workspace / service.RELEASES).rename(lab.workspace / "released.jsonl")
    assert checks.evaluate(lab, "canary", {}).state == "not answered yet"
    lab_six.module(lab, "canary", "...\n")
    assert checks.evaluate(lab, "canary", {}).state == "not answered yet"
    released.rename(lab.workspace / service.RELEASES)
    outcome = checks.evaluate(lab, "canary", {})
    assert (outcome.points, outcome.state) == (2, "partly right"), outcome.message


# --- its decision about the model in service


def retrained(lab):
    return judged(check_policy._retrained, lab, *check_policy._load(lab))


def test_retraining_by_the_own_policy_passes(lab):
    assert retrained(lab) == (None, "")


def _changed(lab, path, change):
    file = lab.workspace / path
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        change(row)
    service.lines(lab, path, rows)


def _decision(**new):
    return lambda lab: _changed(lab, service.HISTORY, lambda row: row["decision"].update(new))


def _record(**new):
    return lambda lab: _changed(lab, service.HISTORY, lambda row: row.update(new))


def _said(value):
    return lambda lab: _changed(lab, operated.LOG, lambda row: row.update(prediction=value))


@pytest.mark.parametrize(
    ("change", "points", "told"),
    [
        (_record(state="declined"), 0, "was not retrained"),
        (_decision(policy="by hand"), 1, "by hand"),
        (_decision(policy="CalibrationGap(limit=0.4, surely=False)"), 1, "says otherwise"),
        (_decision(measured=0.3), 1, "By the report of July it is otherwise"),
        (_decision(reason="A feeling."), 1, "By the report of July it is otherwise"),
        (_record(policy=""), 1, "was changed after the decision"),
        (lambda lab: _file(lab, service.POLICY["policy"], {"cool_down": 60, "budget": 3}), 1, "was changed after"),
        (lambda lab: _file(lab, {"AnyOf": [service.POLICY["policy"], {"Calendar": {"months": 5}}]}), 1, "was changed"),
        (lambda lab: (lab.workspace / service.REPORT).unlink(), 1, "`flights.watch.watch` makes it"),
        (lambda lab: (lab.workspace / service.REPORT).write_text("{}"), 1, "no report of a watch"),
        (lambda lab: _reported(lab, gap=0.05), 1, "says +5.0 points"),
        (lambda lab: _reported(lab, version="1700000009"), 1, "the report has nothing"),
        (
            lambda lab: _by(lab, {"AnyOf": [{"Calendar": {"months": 4}}, service.POLICY["policy"]]}),
            1,
            "The calendar decided",
        ),
        (lambda lab: _by(lab, {"NewRows": {"rows": 600}}), 1, "NewRows decided, not what was said"),
        (_said(0.15), 1, "says otherwise of this flight"),
        (lambda lab: service.log(lab, july=0.5), 1, "was asked about"),
        (lambda lab: (lab.workspace / operated.LOG).write_text("{}\n"), 1, "no line of a server's log"),
        (_record(state="refused", note="The AUC is too low."), 1, "own=False"),
        (_record(period="2013-06"), 1, "the newest month with labels is July"),
        (_record(mark=0), 1, "is not the one that the record"),
        (_record(mark=9), 1, "is not the one that the record"),
        (_record(version="1700000003"), 1, "has pushed version 1700000003"),
        (_record(version=service.FIRST), 1, "has pushed version"),
        (lambda lab: (lab.workspace / service.HISTORY).unlink(), 0, "Nothing was decided yet"),
    ],
)
def test_retraining_that_is_none_is_told(lab, change, points, told):
    change(lab)
    assert (found := retrained(lab))[0] == points, found
    assert told in found[1], found


def test_retraining_without_a_first_version_is_not_answered(lab):
    (lab.workspace / service.STORE).unlink()
    with pytest.raises(checks.Unanswered, match=r"lab\.first_version"):
        check_policy._retrained(lab, *check_policy._load(lab))


@pytest.mark.parametrize(
    "policy",
    [
        {"AnyOf": [{"Calendar": {"months": 9}}, {"CalibrationGap": {"limit": 0.04}}]},
        {"AnyOf": [{"CalibrationGap": {"limit": 0.04}}, {"Calendar": {"months": 4}}]},
        {"CalibrationGap": {"limit": 0.04, "surely": True}},
        {"AllOf": [{"CalibrationGap": {"limit": 0.04}}, {"NewRows": {"rows": 600}}]},
        {"AllOf": [{"AnyOf": [{"Calendar": {"months": 9}}, {"CalibrationGap": {"limit": 0.04}}]}, {"Calendar": {}}]},
    ],
    ids=str,
)
def test_decision_of_a_policy_of_another_form_passes(lab, policy):
    _by(lab, policy)
    assert retrained(lab) == (None, "")


def _file(lab, policy, guards=GUARDS):
    (lab.workspace / check_policy.FILE).write_text(json.dumps({"policy": policy, "guards": guards}))


def _by(lab, policy):
    """What `operation.retrain` records of another policy, by the report that is there."""
    _file(lab, policy)
    rules = check_policy._load(lab)
    report = Report.load(lab.workspace / service.REPORT)
    known = retrain.found_in(report, check_policy.PERIOD, service.FIRST)
    situation = Situation(date(2013, 8, 1), check_policy.PERIOD, date(2013, 4, 1), 6000, **known)
    decision = policies.decide(situation, *rules)
    _record(policy=policies.words(*rules), decision=dataclasses.asdict(decision))(lab)


def _reported(lab, gap=None, version=service.FIRST):
    """A report in which that is said of a version."""
    path = lab.workspace / service.REPORT
    report = Report.load(path)
    [part] = report.versions
    found = part.quality if gap is None else dataclasses.replace(part.quality, gap=Estimate(gap))
    dataclasses.replace(report, versions=(Part("version", version, found),)).save(path)


@pytest.mark.parametrize(
    ("times", "words"), [(0, "never trains"), (1, "trains once"), (2, "trains twice"), (7, "trains 7 times")]
)
def test_number_of_trainings_is_told_in_words(times, words):
    assert check_policy._trains(times) == words


def test_flights_of_students_differ():
    assert service_data.text(1, 7) != service_data.text(2, 7)


# --- decisions about canaries


@pytest.fixture
def forks(monkeypatch):
    student_lab.forking(monkeypatch, ("pandas", "operation.report", "flights.watch"))


@pytest.mark.parametrize("row", lab_six.rows([*ANSWERS["canary"], {"edit": {}, "points": None, "told": ""}], 1))
def test_decision_about_a_canary_is_judged_by_candidates_of_all_kinds(lab, forks, row):
    lab_six.module(lab, "canary", lab_six.edited(lab_six.solution("canary"), row["edit"]))
    points, message = judged(check_canary._decides, lab)
    assert (points and round(points, 2), row["told"] in message) == (row["points"], True), message


@pytest.mark.long
@pytest.mark.parametrize("name", ANSWERS["canaries"])
def test_canary_in_other_words_is_judged_by_what_it_decides(lab, forks, name):
    row = ANSWERS["canaries"][name]
    lab_six.module(lab, "canary", row["text"])
    points, message = judged(check_canary._decides, lab)
    assert (points and round(points, 2), row["told"] in message) == (row["points"], True), message


def test_message_about_canaries_has_three_findings_and_one_of_each_part_first():
    with pytest.raises(checks.Wrong) as told:
        check_canary._told(
            {name: f"{name}." for name in candidates.CASES if candidates.PROMOTE not in candidates.CASES[name].wanted}
        )
    assert told.value.message.splitlines() == ["few.", "young.", "null."]
    wrong = ("ranks", "meaning", "sure", "little", "easy")
    with pytest.raises(checks.Wrong) as told:
        check_canary._told({name: f"{name}." for name in wrong})
    assert told.value.message.splitlines() == ["ranks.", "meaning.", "easy."]


def test_bad_airline_has_another_name_in_each_trial():
    def worst(draw):
        _, challenger = candidates.tables("slice", draw)
        gaps = (challenger["prediction"] - challenger["late"]).groupby(challenger["carrier"]).mean()
        return gaps.abs().idxmax()

    assert {worst(draw) for draw in range(40)} == set(CARRIERS)


# --- a release, and a roll-back


def test_release_and_roll_back_pass(lab):
    assert judged(check_canary._released, lab) == (None, "")


def _release(**new):
    return lambda lab: _changed(lab, service.RELEASES, lambda row: row.update(new))


@pytest.mark.parametrize(
    ("change", "points", "told"),
    [
        (lambda lab: (lab.workspace / service.RELEASES).unlink(), 0, "Nothing was released yet"),
        (_release(state="rolled back", reason="Too slow."), 1, "Too slow."),
        (_release(version=int(service.FIRST)), 0, "has pushed version"),
        (_release(found={"smoke": "", "production": ""}), 1, "come before production"),
        (lambda lab: service.log(lab, every=1), 1, "a small share"),
        (lambda lab: service.log(lab, every=50), 1, "2 requests as challenger"),
        (lambda lab: service.log(lab, shadows=3), 1, "3 requests as shadow"),
        (lambda lab: service.log(lab, after=3), 1, "the last 3 requests"),
        (lambda lab: service.steps(lab, [("promote", "Release 1: production")]), 1, "The last step of the registry"),
        (lambda lab: service.steps(lab, [("rollback", " ")]), 1, "has no reason"),
        (lambda lab: (lab.workspace / service.REGISTRY).write_text("no database"), 1, "is no registry"),
        (
            lambda lab: (lab.workspace / service.TRAFFIC).write_text(f'{{"champion": {service.SECOND}}}'),
            1,
            "another version than the first one answers",
        ),
        (_said(0.2), 0, "says otherwise of this flight"),
    ],
)
def test_release_that_is_none_is_told(lab, change, points, told):
    change(lab)
    assert (found := judged(check_canary._released, lab))[0] == points, found
    assert told in found[1], found
