"""Lab 6, task 4: a rule is judged by what it does, on days with its incident, with others, and with none."""

from __future__ import annotations

import dataclasses
import re

import lab_six
import pytest
import yaml

from course import checks
from course.checks import session
from course.checks.lab import Lab
from course.labs.lab_6 import alerts, notebook
from judges.lab_6 import check_rules, incidents
from judges.lab_6.series import series
from judges.lab_6.traffic import KINDS
from operation.alert_rules import Recording, Rule

RULES = lab_six.ANSWERS["rules"]


def judge(lab, text):
    (lab.workspace / alerts.FILE).write_text(text, encoding="utf-8")
    return lab_six.evaluate(lab, "rules")


def one_of(kind, folder, layout=0):
    """A student to whom that happens, whose rules are tried on the days of a layout."""
    for number in range(1, 400):
        lab = Lab(lab_six.LAB, f"student-{number}", folder / lab_six.LAB)
        if incidents.kind(lab.seed) == kind and lab.seed % incidents.LAYOUTS == layout % incidents.LAYOUTS:
            lab.workspace.mkdir(parents=True, exist_ok=True)
            return lab
    raise AssertionError((kind, layout))


def layout_of(kind):
    """Kinds go with some layouts only, as both are remainders of the seed."""
    return KINDS.index(kind) % incidents.LAYOUTS


def with_days(rows, kind="", name=str):
    """Long tests, in which those that play the same days are one worker's: to make the days takes longer than to play them."""
    found = []
    for row in rows:
        group = f"lab-6-days-{layout_of(kind or (row if isinstance(row, str) else row['kind']))}"
        found.append(pytest.param(row, id=name(row), marks=[pytest.mark.long, pytest.mark.xdist_group(group)]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", with_days(KINDS))
def test_right_rule_fires_for_its_incident_alone(tmp_path, kind):
    lab = one_of(kind, tmp_path, layout_of(kind))
    for expression in RULES["right"][kind]:
        assert judge(lab, lab_six.rules(expression)) == (6, ""), expression


@pytest.mark.slow
@pytest.mark.parametrize("row", with_days(RULES["wrong"], name=lambda row: f"{row['kind']}: {row['expr']}"))
def test_rule_that_looks_right_is_told_what_it_does(tmp_path, row):
    lab = one_of(row["kind"], tmp_path, layout_of(row["kind"]))
    points, message = judge(lab, lab_six.rules(row["expr"], **({"for": row["for"]} if "for" in row else {})))
    assert (points, row["told"] in message) == (row["points"], True), (points, message)


@pytest.mark.slow
@pytest.mark.parametrize("row", with_days(RULES["forms"], kind="labels"))
def test_form_of_a_rule_is_told(tmp_path, row):
    lab = one_of("labels", tmp_path, layout_of("labels"))
    more = {name: value for name, value in row.items() if name not in ("points", "told")}
    points, message = judge(lab, lab_six.rules(RULES["right"]["labels"][0], **more))
    assert (points, row["told"] in message) == (row["points"], True), message


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", with_days(RULES["more"], name=lambda row: f"{row['kind']}: {row['expr']} {row.get('more', '')}")
)
def test_rule_is_judged_with_all_that_its_file_has(tmp_path, row):
    lab = one_of(row["kind"], tmp_path, layout_of(row["kind"]))
    loaded = yaml.safe_load(lab_six.rules(row["expr"], **row.get("more", {})))
    recorded = [{"record": name, "expr": expr} for name, expr in row.get("recorded", {}).items()]
    loaded["groups"].insert(0, {"name": "first", "rules": recorded})
    points, message = judge(lab, yaml.safe_dump(loaded))
    assert (points, row.get("told", "") in message) == (row["points"], True), (points, message)


ONSET, START = incidents.ONSET * 24, incidents.START * 24
NEVER: list[int] = []
IN_TIME, LATE, EARLY = [ONSET + 30], [ONSET + 7 * 24 + 8], [ONSET - 3, ONSET + 30]


@pytest.mark.parametrize(
    ("own", "quiet", "home", "wolves", "points", "told"),
    [
        (IN_TIME, NEVER, NEVER, 0, 6, ""),
        (IN_TIME, [START - 1], [(66 - 56) * 24], 0, 6, ""),
        (IN_TIME, [START], NEVER, 0, 5, "on which nothing goes wrong"),
        (IN_TIME, NEVER, [(65 - 56) * 24], 0, 5, "on your own days before anything has gone wrong"),
        (IN_TIME, NEVER, [(62 - 56) * 24], 0, 6, ""),
        (IN_TIME, NEVER, NEVER, 1, 5, "It also fires for"),
        (IN_TIME, NEVER, NEVER, 2, 4, "It also fires for"),
        (LATE, NEVER, NEVER, 0, 1, "does not fire by the 7th morning"),
        (EARLY, [START], NEVER, 0, 1, "^It fires on days on which nothing goes wrong"),
        (LATE, [START], NEVER, 0, 1, "^It fires on days on which nothing goes wrong"),
        (EARLY, NEVER, NEVER, 0, 1, "before that begins"),
        ([ONSET - 3 * 24, *IN_TIME], NEVER, NEVER, 0, 6, ""),
        (IN_TIME, [*range(31 * 24)], NEVER, 0, 0, "always fires"),
    ],
)
def test_points_are_for_when_a_rule_fires_where(tmp_path, monkeypatch, own, quiet, home, wolves, points, told):
    """A week after Prometheus has begun to read, or two on the days of the check, until the seventh morning; the student's incident begins on day 66 at the earliest."""
    lab = one_of("labels", tmp_path, layout_of("labels"))
    since = incidents.world(lab.seed).incident.since
    monkeypatch.setattr(
        check_rules, "read", lambda _: Rule("Incident", "x > 1", {"severity": "ticket"}, lab.workspace, TOLD)
    )
    howling = [one for one in KINDS if one != "labels"][:wolves]

    def fired(_, world, begin=0):
        if world.incident is None:
            return check_rules.Fired(quiet, begin)
        if begin:
            late = (since - incidents.FIRST).days - 66
            return check_rules.Fired([hour + 24 * late * (hour >= 24 * 7) for hour in home], begin)
        hours = (
            own
            if world.incident.kind == "labels"
            else [ONSET - 1, *([ONSET] if world.incident.kind in howling else [])]
        )
        return check_rules.Fired(hours, begin)

    monkeypatch.setattr(check_rules, "fired", fired)
    found, message = lab_six.evaluate(lab, "rules")
    assert found == points, message
    assert re.search(told, message), message


TOLD = {"summary": "x", "action": "y"}


@pytest.mark.parametrize(
    ("expression", "is_page"),
    [
        ("serving_a > 1", True),
        ("serving_a > 1 unless operation_b > 1", True),
        ("serving_a > 1 unless on () (operation_b or absent(operation_c))", True),
        ("serving_version and on (version) pipeline_learned_from", True),
        ("recorded > 1", True),
        ("operation_b > 1", False),
        ("operation_b > 1 and on () up == 1", False),
        ("up == 1 and on () serving_a > on () operation_b", False),
        ("serving_a > 1 or operation_b > 1", False),
        ("serving_a unless on () (vector(1) unless on () operation_b > 1)", False),
        ("serving_a * on () group_left () (operation_b > bool 1) > 0", False),
        ("sum(serving_a) > 1 and max_over_time(sum(operation_b)[1h:5m]) > 1", False),
        ('serving_a > 1 and {__name__=~"operation.*"}', False),
        ("pipeline_data_refused == 1 and on () up == 1", False),
        ("serving_a > 1 and of_report > 1", False),
        ("vector(1)", False),
    ],
)
def test_page_is_for_what_the_server_itself_says(tmp_path, expression, is_page):
    recorded = (
        Recording("recorded", "rate(serving_a[1d])", {}, tmp_path),
        Recording("of_report", "operation_b", {}, tmp_path),
    )
    rule = Rule("Incident", expression, {"severity": "page"}, tmp_path, TOLD, recorded=recorded)
    assert ("wakes a person" in check_rules._form(rule)) != is_page
    assert not check_rules._form(dataclasses.replace(rule, labels={"severity": "ticket"}))


def test_file_that_holds_no_rules_is_told(tmp_path):
    lab = one_of("labels", tmp_path, layout_of("labels"))
    for empty in (None, " \n"):
        if empty:
            (lab.workspace / alerts.FILE).write_text(empty)
        found = checks.evaluate(lab, "rules", {})
        assert (found.state, "There is no rule in `rules.yml`" in found.message) == ("not answered yet", True)
    for text in ("[]", "groups: 3", "groups: [{rules: [{record: x, expr: up, for: 1h}]}]", "{", lab_six.rules("up ==")):
        points, message = judge(lab, text)
        assert (points, message.startswith("`rules.yml` holds no rules")) == (0, True), message


def test_series_are_read_as_they_were_written(tmp_path):
    world = incidents.quiet(0)
    made = series(world, world.days - 2)
    alerts.save(made, tmp_path / "series.json")
    assert alerts.load(tmp_path / "series.json") == made


def test_notebook_shows_metrics_by_day_and_plays_the_file(tmp_path, monkeypatch, capsys):
    lab = one_of("labels", tmp_path, layout_of("labels"))
    monkeypatch.setattr(session._session, "lab", lab, raising=False)
    world = incidents.tried(0, "labels")
    alerts.save(series(world, world.days - 10), lab.workspace / alerts.READ)
    table = notebook.metric("operation_rows", state="missing")
    assert [str(day) for day in table.index][-2:] == ["2013-06-29", "2013-06-30"]
    assert table["operation_rows"].iloc[-1] > 100
    assert list(notebook.metric("operation_labelled_rows", by="origin").columns) == ["EWR", "JFK", "LGA"]
    assert {"up", "operation_auc"} <= set(notebook.metric()["metric"])
    for expression, told in (
        ('operation_rows{state="missing"} > 250', "fires first on 2013-06-29 at 06:00, and in 42 of 72 hours."),
        ("operation_auc > 1", "never fires"),
        ("operation_auc * on (month) group_left () operation_rows", "cannot be evaluated: operation_auc"),
    ):
        (lab.workspace / alerts.FILE).write_text(lab_six.rules(expression))
        notebook.played()
        assert told in capsys.readouterr().out
