"""The dashboard: it is what its program builds, in Grafana's own types, and each of its charts reads what there is."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from pathlib import Path

import operation_metrics
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel, RowPanel

from operation import alert_rules, promql
from operation.alert_rules import Rule

PROGRAM = Path(__file__).parents[2] / "deploy" / "monitoring" / "dashboard.py"
FILE = PROGRAM.with_suffix(".json")
BOARD = json.loads(FILE.read_text(encoding="utf-8"))
CHARTS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [(chart["title"], target) for chart in CHARTS for target in chart["targets"]]


def expression(target) -> str:
    """With what Grafana puts in."""
    found = target["expr"].replace("$__rate_interval", "1m").replace("$model", "parcels")
    assert "$" not in found
    return found


@pytest.fixture(scope="module")
def metrics(tmp_path_factory) -> dict[str, set[str]]:
    given = operation_metrics.given(tmp_path_factory.mktemp("metrics"))
    # Prometheus' own: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#inspecting-alerts-during-runtime
    return given | {"ALERTS": {"alertname", "alertstate", "severity"}}


def test_the_file_is_what_the_program_writes():
    found = importlib.util.spec_from_file_location("dashboard", PROGRAM)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert FILE.read_text(encoding="utf-8") == module.written(), f"run: .venv/bin/python {PROGRAM.name}"


def test_grafana_has_each_field_of_it():
    """Read into Grafana's types, which keep no field that they do not have, and written again, it is the same."""
    register_default_plugins()
    read = Dashboard.from_json(BOARD)
    assert {type(panel) for panel in read.panels} == {Panel, RowPanel}
    assert json.loads(JSONEncoder().encode(read)) == BOARD
    with_other = json.loads(json.dumps(BOARD).replace('"legendFormat"', '"legend_format"'))
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(with_other))) != with_other
    known = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}
    assert {chart["fieldConfig"]["defaults"]["unit"] for chart in CHARTS} <= known


def test_each_chart_has_a_place_a_number_and_words_of_its_own():
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(CHARTS) > 15
    assert len(set(numbers)) == len(numbers)
    assert len({chart["title"] for chart in CHARTS}) == len(CHARTS)
    assert all(chart["description"].endswith(".") for chart in CHARTS)
    for one, other in itertools.combinations([panel["gridPos"] for panel in BOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=lambda one: one["refId"] if isinstance(one, dict) else one)
def test_each_line_reads_metrics_that_there_are_and_is_named_by_labels_that_it_has(title, target, metrics):
    rule = Rule(title, expression(target), {}, FILE, {})
    assert alert_rules.unknown([rule], metrics) == []
    names = set.intersection(*(metrics[name] for name, _ in promql.selectors(rule.parsed)))
    for kept in re.findall(r"\bby \(([^)]*)\)", rule.expression):
        names &= {*re.split(r",\s*", kept)}
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= names


def test_a_line_that_reads_what_is_not_there_is_found(metrics):
    rule = Rule("chart", 'rate(serving_request_total{state="failed"}[1m])', {}, FILE, {})
    assert "is no metric" in alert_rules.unknown([rule], metrics)[0]


def test_what_alerts_are_about_can_be_looked_at():
    """Each metric of a rule that is a page, or about quality, is in a chart: who is told of an alert finds it drawn."""
    drawn = {name for _, target in TARGETS for name, _ in promql.selectors(promql.parse(expression(target)))}
    rules = [rule for file in PROGRAM.parent.glob("rules/*.yml") for rule in alert_rules.read_rules(file)]
    for name in ("ServerIsDown", "RequestsFail", "AnswersAreSlow", "ProbabilitiesMeanSomethingElse", "ErrorsCostMore"):
        (rule,) = [one for one in rules if one.name == name]
        assert {metric for metric, _ in promql.selectors(rule.parsed)} <= drawn, name
