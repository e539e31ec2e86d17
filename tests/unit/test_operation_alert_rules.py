"""Rules for alerts: each fires and stays quiet in a test, reads what there is, and means here what it means to Prometheus."""

from __future__ import annotations

import dataclasses
import datetime
import re
import shutil
import subprocess
from pathlib import Path

import operation_metrics
import pytest
import yaml

from operation import alert_rules, promql, report
from operation import promql_functions as functions
from operation.alert_rules import Rule, RuleError
from operation.promql import PromqlError

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = [rule for file in sorted((MONITORING / "rules").glob("*.yml")) for rule in alert_rules.read_rules(file)]
TESTS = [test for file in sorted((MONITORING / "tests").glob("*.yml")) for test in alert_rules.read_tests(file)]

BROKEN = {
    "cannot fire": lambda rule: f"({rule.expression}) unless ({rule.expression})",
    "always fires": lambda rule: "absent(no_such_metric)",
}


@pytest.mark.parametrize("test", TESTS, ids=lambda test: Path(test.name).name)
def test_rules_do_what_their_tests_say(test):
    assert alert_rules.run(test) == []


@pytest.mark.parametrize("test", TESTS, ids=lambda test: Path(test.name).name)
def test_rules_do_not_depend_on_whether_a_range_has_its_beginning(test, monkeypatch):
    """In Prometheus 2 it has, in 3 it has not: https://prometheus.io/docs/prometheus/latest/migration/"""
    monkeypatch.setattr(promql, "BEGINNING_COUNTS", False)
    assert alert_rules.run(test) == []


def test_each_rule_is_shown_to_fire_and_to_stay_quiet():
    assert len(RULES) > 25
    assert alert_rules.faults(RULES, TESTS) == []


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_cannot_fire_or_always_does_turns_a_test_red(rule, how):
    broken = dataclasses.replace(rule, expression=BROKEN[how](rule))
    tests = [dataclasses.replace(test, rules=(broken,)) for test in TESTS if rule in test.rules]
    assert [one for test in tests for one in alert_rules.run(test)]


def test_a_rule_without_a_test_that_shows_something_is_found():
    rule = RULES[0]
    without = [dataclasses.replace(test, expected=()) for test in TESTS]
    assert len(alert_rules.faults(RULES, without)) == 2 * len(RULES)
    quiet_without_data = [dataclasses.replace(test, series={}) for test in TESTS if rule in test.rules]
    assert alert_rules.faults([rule], quiet_without_data) == [
        f"{rule.file}: no test shows that {rule.name} stays quiet while there is data."
    ]


def test_a_report_sets_off_the_alerts_of_what_it_found(tmp_path):
    rules = [rule for rule in RULES if rule.file.name == "operation.yml"]
    at = datetime.datetime(2026, 2, 28, tzinfo=datetime.UTC).timestamp()
    assert alert_rules.now(rules, report.to_prometheus(operation_metrics.watched(tmp_path, 0.3)), at) == []
    found = alert_rules.now(rules, report.to_prometheus(operation_metrics.watched(tmp_path, 0.1)), at)
    assert {rule.name for rule, *_ in found} == {
        "ProbabilitiesMeanSomethingElse",
        "ProbabilitiesOfASliceMeanSomethingElse",
    }
    rule, alert, told = next(one for one in found if one[0].name == "ProbabilitiesMeanSomethingElse")
    assert alert == {"alertname": rule.name, "severity": "ticket", "model": "parcels"}
    assert told["summary"].startswith("What parcels says and what happens are ")
    later = alert_rules.now(rules, report.to_prometheus(operation_metrics.watched(tmp_path, 0.3)), at + 30 * 86400)
    assert {rule.name for rule, *_ in later} == {"ReportIsOld", "LabelsAreLate"}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory) -> dict[str, set[str]]:
    return operation_metrics.given(tmp_path_factory.mktemp("metrics"))


def test_rules_read_what_there_is(metrics):
    """A wrong name would keep a rule from ever firing, whatever its test says of series that the test makes up."""
    assert alert_rules.unknown(RULES, metrics) == []


def test_tests_play_series_that_there_can_be(metrics):
    for test in TESTS:
        for series in test.series:
            known = dict(series)
            name = known.pop("__name__")
            assert name in metrics, f"{test.name}: {name}"
            assert set(known) <= metrics[name], f"{test.name}: {name} has no {set(known) - metrics[name]}"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("serving_request_total > 1", "reads serving_request_total, which is no metric"),
        ('rate(up{status="failed"}[5m]) > 1', "reads up by status, which it has not"),
    ],
)
def test_a_name_that_is_never_there_is_found(metrics, expression, said):
    rule = dataclasses.replace(RULES[0], expression=expression)
    assert said in alert_rules.unknown([rule], metrics)[0]


def test_each_alert_says_what_to_do_and_who_is_woken():
    for rule in RULES:
        assert set(rule.annotations) == {"summary", "action"}, rule.name
        assert rule.labels["severity"] in ("page", "ticket"), rule.name
    assert {rule.labels["severity"] for rule in RULES if rule.file.name == "operation.yml"} == {"ticket"}


SERIES = {
    'counter{job="a",code="200"}': "0+10x5 3+7x6 _x3 60+5x8",
    'counter{job="a",code="500"}': "_ 1 1 4 _ 9 9+2x12",
    'counter{job="b",code="200"}': "100+0.5x24",
    'gauge{job="a"}': "1 -2 3.5 _ 0 stale _x3 7-1x10",
    'gauge{job="b"}': "NaN 2+0x20",
    'gauge{job="c"}': "Inf -Inf 0+0x20",
    'limit{job="a",kind="x"}': "2+0x24",
    'limit{job="b",kind="y"}': "3+0x24",
    'seconds_bucket{job="a",le="0.1"}': "0+3x24",
    'seconds_bucket{job="a",le="0.5"}': "0+5x24",
    'seconds_bucket{job="a",le="+Inf"}': "0+6x24",
    'seconds_bucket{job="b",le="0.1"}': "0+0x24",
    'seconds_bucket{job="b",le="+Inf"}': "0+0x24",
}

COMPARED = {*functions.COMPARISONS}
BETWEEN = COMPARED | {*functions.ARITHMETIC} - {"atan2"}  # after which Prometheus 2 keeps most names
OPERATORS = {
    "gauge {} 2": BETWEEN,
    "7 {} counter": BETWEEN,
    "gauge {} on (job) limit": BETWEEN | {"atan2"},
    "gauge {} ignoring (kind) limit": BETWEEN,
    "counter {} on (job) group_left () limit * 2": BETWEEN,
    "counter {} on (job) group_left (kind) limit": BETWEEN,
    "limit {} on (job) group_right () counter": BETWEEN,
    "gauge {} bool 2": COMPARED,
    "1 {} bool 2": COMPARED,
    "gauge {} bool on (job) limit": COMPARED,
    "counter {} bool on (job) group_left () limit": COMPARED,
}
"""Two sides, and what may stand between them."""

CALLS = {
    "{}(counter)": functions.AGGREGATES,
    "{} by (job) (counter)": functions.AGGREGATES,
    "{} without (code) (counter)": functions.AGGREGATES,
    "{}(counter[15m])": {*functions.OVER_RANGES} - {"quantile_over_time", "predict_linear"},
    "{}(gauge[9m])": {*functions.OVER_RANGES} - {"quantile_over_time", "predict_linear"},
    "{}(gauge / 3)": {*functions.NUMBERS} - {"clamp", "clamp_min", "clamp_max"},
    "{}(vector(1e9))": functions.DATES,
}
"""Arguments, and the functions that take them."""

EXPRESSIONS = [
    *(form.format(name) for form, names in (OPERATORS | CALLS).items() for name in sorted(names)),
    # Series.
    *("counter", 'counter{job!="a"}', 'counter{job=~"a|c",code!~"5.."}', 'gauge{missing=""}', "(gauge)", "-gauge"),
    *("gauge offset 3m", "limit offset -2m", '{__name__=~"gau.e|limit"}', '{__name__="limit", kind=~"x|y"}'),
    # Ranges.
    *("increase(counter[7m] offset 2m)", "rate((counter[5m]))"),
    *("quantile_over_time(0.3, counter[7m])", "quantile_over_time(2, counter[7m])"),
    *("predict_linear(counter[9m], 600)", "predict_linear(limit[9m] offset 2m, 600)"),
    # Subqueries.
    *("max_over_time(rate(counter[3m])[10m:2m])", "avg_over_time((gauge > 1)[8m:])"),
    *("sum_over_time(gauge[6m:90s] offset 2m)", "min_over_time(max_over_time(gauge[3m])[9m:3m])"),
    # What is not there.
    *('absent(nothing{job="x",code=~"2.."})', "absent(gauge)", "absent(sum(nothing))"),
    *('absent_over_time(nothing{job="x",job="y",code="2"}[5m])', "absent_over_time(gauge[3m:1m])"),
    "absent_over_time(gauge[5m])",
    # Aggregations with a parameter, and of what is no number.
    *("topk(2, counter)", "topk by (job) (1, counter)", "topk(2, gauge)", "topk(scalar(count(limit)), counter)"),
    *("bottomk(1, counter)", "bottomk without (code) (1, counter)", "bottomk(2, gauge)", "min(gauge)", "max(gauge)"),
    *("quantile(0.4, counter)", "quantile by (job) (0.9, counter)", "quantile(-1, counter)"),
    *('count_values("value", limit)', 'count_values without (kind) ("value", limit / 4)'),
    # Histograms.
    "histogram_quantile(0.5, rate(seconds_bucket[10m]))",
    "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[10m])))",
    *("histogram_quantile(0.1, seconds_bucket)", "histogram_quantile(2, seconds_bucket)"),
    # Numbers one by one.
    *("clamp(gauge, -1, 3)", "clamp_min(gauge, 0)", "clamp_max(gauge, 3)", "round(gauge / 3, 0.1)"),
    # Of their own kind.
    *("vector(time() / 7)", "scalar(gauge)", 'scalar(gauge{job="a"}) + 1', "time() - gauge", "sort_desc(gauge)"),
    *("timestamp(gauge)", "timestamp(gauge * 1)", "hour()", "year(limit * 1e9)"),
    'label_replace(counter, "first", "$1-${2}", "code", "(.)(.*)")',
    'label_replace(counter, "code", "", "code", "2.*")',
    'label_replace(limit, "code", "none", "nothing", "")',
    'label_replace(counter, "x", "$1", "code", "no(.)")',
    'label_join(counter, "both", "/", "job", "code")',
    # Operators between several.
    *("2 ^ 3 ^ 2", "2 * 3 + gauge - 1", "gauge ^ 0.5", "gauge / 0", "gauge atan2 limit", "gauge or counter"),
    *("counter and on (job) limit", 'counter unless on (job) limit{kind="x"}', "gauge >= 2 and gauge <= 7"),
    *("gauge and on () vector(1)", "counter + ignoring (code) group_left () gauge"),
    "gauge unless on () (vector(1) unless on () limit)",
    *("gauge >= on (job) group_left (kind) limit", "counter == on (job, code) counter", "counter * on (job) nothing"),
]


def rules_of(folder: Path, *rules: dict[str, str]) -> Path:
    """A file of rules."""
    file = folder / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    return file


def asked_of(folder: Path, series: dict[str, str], **asked: list[dict[str, object]]) -> Path:
    """A file with a test, which reads the file of rules where there is one."""
    file, given = folder / "tests.yml", [{"series": name, "values": values} for name, values in series.items()]
    tests = {"rule_files": [one.name for one in folder.glob("rules.yml")], "evaluation_interval": "1m"}
    file.write_text(yaml.safe_dump(tests | {"tests": [{"interval": "1m", "input_series": given, **asked}]}))
    return file


@pytest.fixture(scope="module")
def storage() -> promql.Storage:
    return {promql.labels_of(name): alert_rules._samples(values, 60, name) for name, values in SERIES.items()}


@pytest.mark.parametrize(
    ("expression", "at", "value"),
    [
        # By hand: 5 to 25 in 4 minutes, and to both ends of 5 minutes.
        ("increase(rising[5m] offset 1m)", 360, 25.0),
        ("sum(rate(rising[5m]))", 300, 25.0 / 300),
        ("rising > 26", 300, None),
        ("rising > 24", 300, 25.0),
        ("rising", 899, None),
        ("time() / 2", 7, 3.5),
    ],
)
def test_values_that_one_can_reckon(expression, at, value):
    storage = {promql.labels_of("rising"): alert_rules._samples("0+5x5", 60, "rising")}
    found = promql.evaluate(promql.parse(expression), storage, at)
    values = list(found.values()) if isinstance(found, dict) else [found]
    assert values == ([] if value is None else pytest.approx([value]))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(", "rate("),
        ("limitk(3, counter)", "limitk cannot be evaluated here"),
        ("acosh(gauge)", "acosh cannot be evaluated here"),
        ("gauge + fill (0) limit", "this operator cannot be evaluated here"),
        ("gauge @ 60", "`@` and `or` between labels cannot be evaluated here"),
        ('{job="a" or job="b"}', "`@` and `or` between labels cannot be evaluated here"),
        ("rate(counter[5m:1m] @ 60)", "`@` and more than 11,000 steps cannot be evaluated here"),
        ("rate(counter[5y:1s])", "`@` and more than 11,000 steps cannot be evaluated here"),
        ("vector(gauge)", "expected type scalar"),
        ("counter[5m]", "MatrixSelector cannot be evaluated here"),
        ("counter / gauge", None),
        ("gauge / on (job) counter", 'several series have the labels {job="a"}'),
        ("counter / on (job) gauge", 'several series have the labels {job="a"}; write group_left'),
        ("gauge / on (month) counter", "several series have the labels {}; no series of that side has a label month"),
    ],
)
def test_what_is_not_known_here_is_refused_and_never_guessed(storage, expression, said):
    if said is None:
        assert promql.evaluate(promql.parse(expression), storage, 120) == {}
        return
    with pytest.raises(PromqlError) as error:
        promql.evaluate(promql.parse(expression), storage, 120)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"alert": "A", "expr": "rate("}, ", A: rate("),
        ({"record": "a", "expr": "rate("}, ", a: rate("),
        ({"record": "a", "expr": "b", "for": "1m"}, "for in a rule of group g; record: has expr, labels, record"),
        ({"alert": "A", "expr": "up", "hold": "1m"}, "hold in a rule of group g"),
        ({"alert": "A", "expr": "up", "for": "soon"}, "'soon' is no duration"),
    ],
)
def test_a_file_of_rules_that_cannot_be_followed_is_named(tmp_path, rule, said):
    file = rules_of(tmp_path, rule)
    with pytest.raises(RuleError) as error:
        alert_rules.read_rules(file)
    assert str(error.value).startswith(str(file))
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["- a", "a: [", None])
def test_what_is_no_file_of_rules_is_named(tmp_path, text):
    if text:
        (tmp_path / "rules.yml").write_text(text)
    with pytest.raises(RuleError, match=r"rules\.yml"):
        alert_rules.read_rules(tmp_path / "rules.yml")


def test_two_alerts_of_one_name_and_an_alert_that_there_is_not_are_refused(tmp_path):
    rule = {"alert": "A", "expr": "up == 0"}
    with pytest.raises(RuleError, match="there are several alerts A"):
        alert_rules.read_rules(rules_of(tmp_path, rule, rule))
    rules_of(tmp_path, rule)
    with pytest.raises(RuleError, match="there is no alert B in its rule_files"):
        alert_rules.read_tests(asked_of(tmp_path, {}, alert_rule_test=[{"eval_time": "1m", "alertname": "B"}]))


def test_a_template_that_is_not_known_here_is_refused():
    rule = Rule("A", "up == 0", {}, Path("rules.yml"), {"summary": "{{ $value | title }}"})
    storage = {promql.labels_of("up"): alert_rules._samples("0", 60, "up")}
    with pytest.raises(RuleError, match="that is not known here"):
        alert_rules.firing(rule, storage, 60, 0)


def test_an_alert_that_reads_what_is_recorded_after_it_is_refused(tmp_path):
    alert, recording = {"alert": "A", "expr": "a > 1"}, {"record": "a", "expr": "up"}
    with pytest.raises(RuleError, match="a is recorded after it"):
        alert_rules.read_rules(rules_of(tmp_path, alert, recording))
    [rule] = alert_rules.read_rules(rules_of(tmp_path, recording, alert))
    assert rule.selectors == [("up", {})]
    assert alert_rules.unknown([rule], {"up": set()}) == []


# --- the same by promtool


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    return found


def run_promtool(promtool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_promtool_finds_no_fault_in_the_rules(promtool):
    assert run_promtool(promtool, "check", "rules", *(MONITORING / "rules").glob("*.yml")).returncode == 0


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, id=file.stem, marks=pytest.mark.long if file.stem == "serving" else ())  # three seconds
        for file in sorted((MONITORING / "tests").glob("*.yml"))
    ],
)
def test_promtool_finds_what_the_tests_say(promtool, file):
    found = run_promtool(promtool, "test", "rules", file)
    assert found.returncode == 0, found.stderr


@pytest.mark.long
@pytest.mark.parametrize("how", BROKEN)
def test_promtool_sees_the_same_faults_in_broken_rules(promtool, tmp_path, how):
    """Which alert at which time, by its verdict and by ours."""
    for folder in ("rules", "tests"):
        shutil.copytree(MONITORING / folder, tmp_path / folder)
    for file in (tmp_path / "rules").glob("*.yml"):
        loaded = yaml.safe_load(file.read_text())
        expressions = {rule.name: BROKEN[how](rule) for rule in alert_rules.read_rules(file)}
        for group in loaded["groups"]:
            for one in group["rules"]:
                one["expr"] = expressions[one["alert"]]
        file.write_text(yaml.safe_dump(loaded))
    files = [*(tmp_path / "tests").glob("*.yml")]
    said = [one for file in files for test in alert_rules.read_tests(file) for one in alert_rules.run(test)]
    ours = sorted(re.findall(r": (\w+) at (\d+) s: expected", "\n".join(said)))
    found = run_promtool(promtool, "test", "rules", *files)
    theirs = re.findall(r"alertname: (\w+), time: (\w+),", found.stderr + found.stdout)
    assert len(ours) >= len(RULES)
    assert ours == sorted((name, f"{alert_rules._seconds(time, tmp_path):g}") for name, time in theirs)


def test_promtool_finds_the_same_values(promtool, storage, tmp_path):
    """Of all expressions, at five moments: promtool is told what is found here, and says where it finds another number, be it in the last digit."""
    asked = []
    for expression in EXPRESSIONS:
        for at in (0, 150, 420, 780, 1380):
            found = promql.evaluate(promql.parse(expression), storage, at)
            samples = [
                {"labels": _written(one), "value": value}
                for one, value in (found.items() if isinstance(found, dict) else [(frozenset(), found)])
            ]
            asked.append({"expr": expression, "eval_time": f"{at}s", "exp_samples": samples})
    found = run_promtool(promtool, "test", "rules", asked_of(tmp_path, SERIES, promql_expr_test=asked))
    differ = re.findall(r'expr: "(.*)", time: (\w+),\s+exp: (.*)\n\s+got: (.*)', found.stderr + found.stdout)
    assert len(differ) == (found.stderr + found.stdout).count("expr: ")
    assert len(differ) < len(asked) / 4
    for expression, at, ours, theirs in differ:
        assert _read(ours) == pytest.approx(_read(theirs), rel=1e-12, nan_ok=True), (expression, at)


def test_promtool_refuses_the_same_matches(promtool, storage, tmp_path):
    """Where several series would become one, Prometheus has no value at all."""
    expressions = [
        'abs({__name__=~"counter|gauge"})',
        'max_over_time({__name__=~"counter|gauge",code!="500"}[5m])',
        'label_replace(gauge, "job", "x", "", "")',
        "gauge + on () limit",
        "nothing + on () limit",
        "limit == on () group_left () gauge",
        "counter / on (job) limit",
        "limit * on () group_right (kind) counter",
    ]
    ours = []
    for expression in expressions:
        try:
            promql.evaluate(promql.parse(expression), storage, 300)
        except PromqlError:
            ours.append(expression)
    asked = [{"expr": one, "eval_time": "300s", "exp_samples": []} for one in expressions]
    file = asked_of(tmp_path, SERIES, promql_expr_test=asked)
    said = run_promtool(promtool, "test", "rules", file).stderr.replace('\\"', '"')
    assert ours == re.findall(r'expr: "(.*)", time: \w+, err:', said)
    assert 0 < len(ours) < len(expressions)


RECORDED = """
groups:
  - name: g
    rules:
      - {record: "job:level:min", expr: "min by (job) (level)", labels: {kind: least}}
      - {record: all, expr: "scalar(sum(level))"}
      - {record: "job:level:max", expr: "max_over_time(job:level:min[4m])"}
      - {alert: Kept, expr: "level > 2", for: 2m, keep_firing_for: 3m, labels: {severity: ticket}}
      - {alert: Held, expr: "level > 2", for: 2m}
      - {alert: Recorded, expr: "job:level:max{kind='least'} - 1 > job:level:min"}
      - {alert: Sum, expr: "all > 6"}
      - {alert: Gone, expr: "last_over_time(job:level:min[2m]) unless job:level:min"}
"""


def test_promtool_sees_the_same_alerts_of_recordings_and_of_those_that_are_kept(promtool, tmp_path):
    """At each minute: promtool is told that none fires, and says which do."""
    (tmp_path / "rules.yml").write_text(RECORDED)
    series = {
        'level{job="a"}': "1 3 3 3 1 1 3 1 1 1 1 4 4 4 4 1x9",
        'level{job="b"}': "5 2 _x2 stale _x6 3x6 0 6x5 stale",
    }
    rules, last = alert_rules.read_rules(tmp_path / "rules.yml"), 24
    asked = [{"eval_time": f"{minute}m", "alertname": rule.name} for rule in rules for minute in range(last + 1)]
    file = asked_of(tmp_path, series, alert_rule_test=asked)
    [test] = alert_rules.read_tests(file)
    ours = [
        (rule.name, minute, len(alerts))
        for rule in rules
        for minute, alerts in enumerate(alert_rules.firing(rule, test.series, 60, last * 60))
        if alerts
    ]
    said = run_promtool(promtool, "test", "rules", file).stderr
    found = re.findall(r"alertname: (\w+), time: (\w+),\s+exp:\[\],\s+got:\[((?:.|\n)*?)\n? *\]\n", said)
    theirs = [(name, alert_rules._seconds(time, file) // 60, got.count("Labels:")) for name, time, got in found]
    assert {name for name, *_ in ours} == {rule.name for rule in rules}
    assert sorted(ours) == sorted(theirs), said


def _read(samples: str) -> dict[str, float]:
    """Values as promtool writes them."""
    return {labels_: float(value) for labels_, value in re.findall(r"(\w*\{[^}]*\}) (\S+?)(?:, |$)", samples)}


def _written(labels_: promql.Labels) -> str:
    known = dict(labels_)
    name = known.pop("__name__", "")
    return name + "{" + ",".join(f'{one}="{value}"' for one, value in sorted(known.items())) + "}"
