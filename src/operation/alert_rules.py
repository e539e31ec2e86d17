"""Rules for alerts, as Prometheus' own files, and their tests, in the format of `promtool test rules`.

Where `promtool` is not, `run` does what it does: it plays the series of a test, evaluates the rules, and compares the alerts that fire. `faults`
asks more of a set of rules: that each is shown to fire, and shown to stay quiet while there is data.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families

from operation import promql
from operation.promql import NAME, Labels, PromqlError, Samples, Vector


class RuleError(ValueError):
    """A file of rules or tests cannot be followed; the message names the file."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """A rule that stores the values of an expression as a metric.

    Attributes:
        name: of the metric.
        expression: whose values are stored.
        labels: that are added.
        file: that has it.
    """

    name: str
    expression: str
    labels: dict[str, str]
    file: Path

    @property
    def parsed(self) -> Any:
        """The expression as the library reads it.

        Raises:
            RuleError: it is none.
        """
        try:
            return promql.parse(self.expression)
        except PromqlError as error:
            raise RuleError(f"{self.file}, {self.name}: {error}") from None


@dataclasses.dataclass(frozen=True)
class Rule(Recording):
    """An alert.

    Attributes:
        name: of the alert.
        expression: that has a value while something is wrong.
        labels: that are added, such as its severity.
        hold: seconds for which it must have one before the alert fires.
        keep: seconds for which the alert fires on after that.
        annotations: for those who read it, with `{{ $value }}` and `{{ $labels.NAME }}`.
        recorded: the recordings that stand before it in its file, and are evaluated before it.
    """

    annotations: dict[str, str]
    hold: float = 0.0
    keep: float = 0.0
    recorded: tuple[Recording, ...] = ()

    @property
    def selectors(self) -> list[tuple[str | None, dict[str, str]]]:
        """The metrics that it and its recordings read (see `promql.selectors`), but for those that are recorded."""
        names = {one.name for one in self.recorded}
        read = [pair for one in (*self.recorded, self) for pair in promql.selectors(one.parsed)]
        return [(name, asked) for name, asked in read if name not in names]


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a test expects of a rule at a time.

    Attributes:
        rule: its name.
        at: seconds.
        alerts: that fire then: labels and annotations of each.
    """

    rule: str
    at: float
    alerts: tuple[tuple[Labels, Labels], ...]


@dataclasses.dataclass(frozen=True)
class Test:
    """Series, and what is expected of rules that read them.

    Attributes:
        name: in its file, for messages.
        series: with their labels.
        expected: at which time which alerts fire.
        every: seconds between evaluations.
        rules: that are evaluated.
    """

    __test__ = False  # to pytest

    name: str
    series: dict[Labels, Samples]
    expected: tuple[Expected, ...]
    every: float
    rules: tuple[Rule, ...]


def read_rules(file: str | Path) -> list[Rule]:
    """The alerts of a file, each with the recordings before it.

    Raises:
        RuleError: it is no such file, has a rule that is no alert, or names an alert twice.
    """
    file, found, recorded = Path(file), list[Rule](), list[Recording]()
    for group in loaded(file).get("groups", []):
        for one in group.get("rules", []):
            kind = "record" if "record" in one else "alert"
            known = {kind, "expr", "labels"} | ({"for", "keep_firing_for", "annotations"} if kind == "alert" else set())
            if unknown := set(one) - known:
                raise RuleError(
                    f"{file}: {', '.join(sorted(unknown))} in a rule of group {group.get('name')}; {kind}: has {', '.join(sorted(known))}."
                )
            rule = Recording(one[kind], str(one["expr"]), one.get("labels") or {}, file)
            if kind == "record":
                recorded.append(rule)
            else:
                hold, keep = (_seconds(one.get(name, "0s"), file) for name in ("for", "keep_firing_for"))
                told = one.get("annotations") or {}
                rule = Rule(**vars(rule), annotations=told, hold=hold, keep=keep, recorded=tuple(recorded))
                found.append(rule)
            rule.parsed  # noqa: B018  refuses what cannot be read
    names = {one.name for one in recorded}
    for rule in found:
        if late := sorted({name for name, _ in rule.selectors} & names):
            raise RuleError(
                f"{file}, {rule.name}: {', '.join(late)} is recorded after it. Put the recording before it."
            )
    if twice := sorted({one.name for one in found if [other.name for other in found].count(one.name) > 1}):
        raise RuleError(f"{file}: there are several alerts {', '.join(twice)}. Give each its own name.")
    return found


def read_tests(file: str | Path) -> list[Test]:
    """The tests of a file, with the rules that it names.

    Raises:
        RuleError: it is no such file, or expects something of an alert that there is not.
    """
    file = Path(file)
    known = loaded(file)
    files = [os.path.normpath(file.parent / name) for name in known.get("rule_files", [])]
    rules = tuple(rule for one in files for rule in read_rules(one))
    every = _seconds(known.get("evaluation_interval", "1m"), file)
    found = []
    for number, one in enumerate(known.get("tests", []), 1):
        name = f"{file}, test {number}" + (f" ({one['name']})" if one.get("name") else "")
        step = _seconds(one.get("interval", "1m"), file)
        series = {
            promql.labels_of(each["series"]): _samples(str(each["values"]), step, name)
            for each in one.get("input_series", [])
        }
        expected = tuple(
            Expected(
                each["alertname"],
                _seconds(each["eval_time"], file),
                tuple(
                    (_pairs(alert.get("exp_labels") or {}), _pairs(alert.get("exp_annotations") or {}))
                    for alert in each.get("exp_alerts") or []
                ),
            )
            for each in one.get("alert_rule_test", [])
        )
        if unknown := sorted({each.rule for each in expected} - {rule.name for rule in rules}):
            raise RuleError(f"{name}: there is no alert {', '.join(unknown)} in its rule_files.")
        found.append(Test(name, series, expected, every, rules))
    return found


def run(test: Test) -> list[str]:
    """What a test finds wrong, a sentence each.

    Raises:
        PromqlError: an expression has no value here.
    """
    wrong = []
    for rule in test.rules:
        wanted = sorted((one for one in test.expected if one.rule == rule.name), key=lambda one: one.at)
        moments = firing(rule, test.series, test.every, max((one.at for one in wanted), default=-1.0))
        for one in wanted:
            at = int(one.at // test.every)
            found = sorted(map(_shown, moments[at])) if at < len(moments) else []
            asked = sorted(_shown((labels | {("alertname", rule.name)}, told)) for labels, told in one.alerts)
            if found != asked:
                wrong.append(
                    f"{test.name}: {rule.name} at {one.at:g} s: expected {'; '.join(asked) or 'no alert'}, and there is {'; '.join(found) or 'none'}."
                )
    return wrong


def firing(rule: Rule, series: promql.Storage, every: float, until: float) -> list[list[tuple[Labels, Labels]]]:
    """The alerts that fire at each evaluation from 0 on, `every` so many seconds, `until` a time in seconds: labels and annotations of each."""
    moments = values(rule, series, every, until)
    return [[_alert(rule, labels, value) for labels, value in found.items()] for found in moments]


def values(rule: Rule, series: promql.Storage, every: float, until: float) -> Iterator[Vector]:
    """The series for which an alert fires at each evaluation from 0 on, with the values of its expression; see `firing`."""
    run, parsed = promql.Evaluator(series, every), rule.parsed
    recorded = [(one, one.parsed) for one in rule.recorded]
    alerts: dict[Labels, _Alert] = {}
    for number in range(int(until // every) + 1):
        at = number * every
        for one, its in recorded:
            run.record(one.name, one.labels, run.value(its, at), at)
        active = run.value(parsed, at)
        if not isinstance(active, dict):
            raise RuleError(f"{rule.file}, alert {rule.name}: {rule.expression} is a number, which is always there.")
        active = {frozenset(one for one in labels if one[0] != NAME): value for labels, value in active.items()}
        for labels, value in active.items():
            alert = alerts.setdefault(labels, _Alert(at))
            alert.value, alert.ended, alert.fires = value, None, alert.fires or at - alert.begun >= rule.hold
        for labels in alerts.keys() - active.keys():
            alert = alerts[labels]
            alert.ended = at if alert.ended is None else alert.ended
            if not alert.fires or at - alert.ended >= rule.keep:
                del alerts[labels]
        yield {labels: alert.value for labels, alert in alerts.items() if alert.fires}


@dataclasses.dataclass
class _Alert:
    """When its expression began to have a value and, after that, ceased to; the last one; and whether that has been so for long enough."""

    begun: float
    ended: float | None = None
    value: float = math.nan
    fires: bool = False


def now(rules: Iterable[Rule], text: str, at: float) -> list[tuple[Rule, dict[str, str], dict[str, str]]]:
    """The alerts that metrics give by themselves, without waiting for what a rule holds: what a report of a watch sets off.

    Args:
        rules: to be evaluated. One that looks back over a range has no value, for each metric has one sample.
        text: metrics in Prometheus' format.
        at: now, in seconds since 1970.

    Returns:
        A rule that fires, with the labels and the annotations of its alert, for each.
    """
    series = {
        frozenset(
            {NAME: sample.name, **{name: value for name, value in sample.labels.items() if value}}.items()
        ): Samples([at], [sample.value])
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    found = []
    for rule in rules:
        value = promql.evaluate(rule.parsed, series, at)
        for labels, one in value.items() if isinstance(value, dict) else ():
            alert, told = _alert(rule, frozenset(pair for pair in labels if pair[0] != NAME), one)
            found.append((rule, dict(alert), dict(told)))
    return found


def faults(rules: Iterable[Rule], tests: Sequence[Test]) -> list[str]:
    """Rules that no test shows to fire, or none to stay quiet while a metric that they read has data; a sentence each."""
    found = []
    for rule in rules:
        reads = {name for name, _ in rule.selectors}
        theirs = [
            (test, one) for test in tests for one in test.expected if rule in test.rules and one.rule == rule.name
        ]
        if not any(one.alerts for _, one in theirs):
            found.append(f"{rule.file}: no test shows that {rule.name} fires.")
        quiet = [test for test, one in theirs if not one.alerts]
        if not any(reads & {dict(labels)[NAME] for labels in test.series} for test in quiet):
            found.append(f"{rule.file}: no test shows that {rule.name} stays quiet while there is data.")
    return found


def unknown(rules: Iterable[Rule], metrics: dict[str, set[str]]) -> list[str]:
    """What rules read that is never there, so that they could not fire, a sentence each; by the metrics that there are and the labels of each."""
    found = []
    for rule in rules:
        for name, labels in rule.selectors:
            if name is None:
                continue
            if name not in metrics:
                found.append(f"{rule.file}: {rule.name} reads {name}, which is no metric.")
            elif absent := sorted(set(labels) - metrics[name]):
                found.append(f"{rule.file}: {rule.name} reads {name} by {', '.join(absent)}, which it has not.")
    return found


def _alert(rule: Rule, labels: Labels, value: float) -> tuple[Labels, Labels]:
    known = dict(labels)
    added = {name: _expanded(text, known, value, rule) for name, text in rule.labels.items()}
    told = {name: _expanded(text, known, value, rule) for name, text in rule.annotations.items()}
    return frozenset({**known, **added, "alertname": rule.name}.items()), frozenset(told.items())


def _expanded(text: str, labels: dict[str, str], value: float, rule: Rule) -> str:
    """A text with the values of its `{{ }}`, of Go's templates what is used here."""

    def put(found: re.Match[str]) -> str:
        if name := found["label"]:
            return labels.get(name, "")
        if found["how"] is None and found["printf"] is None:
            return promql.written(value)
        return f"{value:{found['printf'].removeprefix('%')}}" if found["printf"] else _FORMATS[found["how"]](value)

    done = re.sub(_PLACE, put, text)
    if "{{" in done:
        raise RuleError(
            f"{rule.file}, alert {rule.name}: {text!r} has a {{{{ }}}} that is not known here; `promtool` knows more."
        )
    return done


def _duration(value: float) -> str:
    """As `humanizeDuration` of Prometheus, from a second on."""
    whole = int(abs(value))
    parts = [whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60]
    first = next((number for number, part in enumerate(parts) if part), 3)
    sign = "-" if value < 0 else ""
    return (
        f"{value:.4g}s"
        if first == 3
        else sign + " ".join(f"{part}{unit}" for part, unit in zip(parts[first:], "dhms"[first:], strict=True))
    )


_FORMATS = {"humanizePercentage": lambda value: f"{value * 100:.4g}%", "humanizeDuration": _duration}

_PLACE = (
    r"\{\{\s*(?:\$labels\.(?P<label>\w+)|printf\s+\"(?P<printf>%\.\d[fg])\"\s+\$value"
    rf"|\$value(?:\s*\|\s*(?P<how>{'|'.join(_FORMATS)}))?)\s*\}}\}}"
)


def loaded(file: Path, refuse: type[Exception] = RuleError) -> dict[str, Any]:
    """A file of YAML. One that cannot be read, or is no mapping, is refused by an error of this kind."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise refuse(f"{file}: cannot be read ({error}).") from None
    if not isinstance(found, dict):
        raise refuse(f"{file}: there is no mapping in it.")
    return found


def _seconds(text: str, file: Path) -> float:
    if re.fullmatch(r"0(?:ms|[smhdwy])?", str(text)):  # which the library takes for no duration
        return 0.0
    try:
        return float(promql_parser.parse_duration(text).total_seconds())
    except (ValueError, TypeError):
        raise RuleError(f"{file}: {text!r} is no duration, such as 5m or 1h30m.") from None


def _pairs(labels: dict[str, Any]) -> Labels:
    return frozenset((name, str(value)) for name, value in labels.items())


def _shown(alert: tuple[Labels, Labels]) -> str:
    return " ".join("{" + ", ".join(f"{name}={value!r}" for name, value in sorted(part)) + "}" for part in alert)


_VALUE = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?Inf|NaN)"
_NOTED = re.compile(rf"(?P<from>{_VALUE})(?:(?P<step>[-+]\d+(?:\.\d*)?(?:e[-+]?\d+)?)?x(?P<times>\d+))?", re.IGNORECASE)


def _samples(values: str, step: float, name: str) -> Samples:
    """From promtool's notation: `1 2 _ stale 5x3 0+10x6`."""
    number, times, found = 0, list[float](), list[float | None]()
    for word in values.split():
        some: list[float | None] = [None]  # where a series is marked as ended
        if empty := re.fullmatch(r"_(?:x(\d+))?", word):
            number += int(empty[1] or 1)
            continue
        if noted := _NOTED.fullmatch(word):
            first, rise = float(noted["from"]), float(noted["step"] or 0)
            some = [first + rise * place for place in range(int(noted["times"] or 0) + 1)]
        elif word != "stale":
            raise RuleError(f"{name}: {word!r} is no value, such as 1, 0+10x6, 5x3, _ or stale.")
        times += [(number + place) * step for place in range(len(some))]
        found += some
        number += len(some)
    return Samples(times, found)
