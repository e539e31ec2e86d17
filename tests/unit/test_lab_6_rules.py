"""Lab 6, task 4: a rule is judged by what it does, on days with its incident, with others, and with none."""

from __future__ import annotations

import lab_six
import pytest
import yaml

from course import checks
from course.checks import session
from course.checks.lab import Lab
from course.labs.lab_6 import alerts, notebook
from judges.lab_6 import incidents
from judges.lab_6.series import series
from judges.lab_6.traffic import KINDS

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


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_right_rule_fires_for_its_incident_alone(tmp_path, kind):
    lab = one_of(kind, tmp_path, layout_of(kind))
    for expression in RULES["right"][kind]:
        assert judge(lab, lab_six.rules(expression)) == (6, ""), expression


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("row", RULES["wrong"], ids=lambda row: f"{row['kind']}: {row['expr']}")
def test_rule_that_looks_right_is_told_what_it_does(tmp_path, row):
    lab = one_of(row["kind"], tmp_path, layout_of(row["kind"]))
    points, message = judge(lab, lab_six.rules(row["expr"], **({"for": row["for"]} if "for" in row else {})))
    assert (points, row["told"] in message) == (row["points"], True), (points, message)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("row", RULES["forms"], ids=str)
def test_form_of_a_rule_is_told(tmp_path, row):
    lab = one_of("labels", tmp_path, layout_of("labels"))
    more = {name: value for name, value in row.items() if name not in ("points", "told")}
    points, message = judge(lab, lab_six.rules(RULES["right"]["labels"][0], **more))
    assert (points, row["told"] in message) == (row["points"], True), message


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("row", RULES["more"], ids=lambda row: f"{row['kind']}: {row['expr']} {row.get('more', '')}")
def test_rule_is_judged_with_all_that_its_file_has(tmp_path, row):
    lab = one_of(row["kind"], tmp_path, layout_of(row["kind"]))
    loaded = yaml.safe_load(lab_six.rules(row["expr"], **row.get("more", {})))
    recorded = [{"record": name, "expr": expr} for name, expr in row.get("recorded", {}).items()]
    loaded["groups"].insert(0, {"name": "first", "rules": recorded})
    points, message = judge(lab, yaml.safe_dump(loaded))
    assert (points, row.get("told", "") in message) == (row["points"], True), (points, message)


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
        ('operation_rows{state="missing"} > 250', "fires in 42 of 72 hours, first on 2013-06-29 at 06:00"),
        ("operation_auc > 1", "never fires"),
    ):
        (lab.workspace / alerts.FILE).write_text(lab_six.rules(expression))
        notebook.played()
        assert told in capsys.readouterr().out
