"""A rule for alerts, played to what Prometheus has read: each hour once, at the time at which the rules are evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from operation import alert_rules
from operation.alert_rules import Rule
from operation.promql import NAME as METRIC
from operation.promql import Labels, Samples

HOUR, WARM_UP = 3600, 7
"""Seconds; and days after Prometheus has begun to read, in which a range does not have what it needs: what fires then says nothing."""
FILE, NAME, READ = "rules.yml", "Incident", "days/series.json"
"""The student's file and alert; and what Prometheus has read on the student's days."""


def fires(rule: Rule, series: Mapping[Labels, Samples], hours: int) -> list[int]:
    """The hours in which a rule fires, counted from 0."""
    read = {name for name, _ in rule.selectors}
    own = {labels: samples for labels, samples in series.items() if dict(labels)[METRIC] in read or None in read}
    moments = alert_rules.values(rule, own, HOUR, (hours - 1) * HOUR)
    return [hour for hour, alerts in enumerate(moments) if alerts]


def save(series: Mapping[Labels, Samples], path: Path) -> None:
    """Writes series as JSON: for each its labels, the hour of its first sample, and its values."""
    kept = [
        {"labels": dict(sorted(labels)), "hours": [int(time // HOUR) for time in one.times], "values": one.values}
        for labels, one in sorted(series.items(), key=lambda pair: sorted(pair[0]))
    ]
    for one in kept:
        one["hours"] = _runs(one["hours"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept), encoding="utf-8")


def _runs(hours: list[int]) -> list[list[int]]:
    """Hours in turn, as first and last of each run."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour - 1:
            runs[-1][1] = hour
        else:
            runs.append([hour, hour])
    return runs


def load(path: Path) -> dict[Labels, Samples]:
    """Reads what `save` wrote."""
    found = {}
    for one in json.loads(path.read_text(encoding="utf-8")):
        hours = [hour for first, last in one["hours"] for hour in range(first, last + 1)]
        found[frozenset(one["labels"].items())] = Samples([float(hour * HOUR) for hour in hours], one["values"])
    return found
