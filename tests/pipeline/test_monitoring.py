"""Prometheus and Alertmanager, where they are installed: they read a model server and what a watch left, and tell when a server is down and when it is back."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import listening
import operation_metrics
import pytest
import small_models

from operation import alert_rules, monitoring, notices, report
from serving import process

FILES = Path(__file__).parents[2] / "deploy" / "monitoring"
PROJECT = "flights.serving:PROJECT"
FLIGHT = {"weekday": 5, "sched_dep_time": 1745, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565}
PATIENCE = 300


@pytest.fixture
def quick(tmp_path) -> Path:
    """The committed files, in which nothing waits for longer than a second, but for what is repeated."""
    folder = tmp_path / "files"
    shutil.copytree(FILES, folder)
    for file in folder.rglob("*.yml"):
        waits = re.compile(r"\b(for|scrape_interval|evaluation_interval|group_wait|group_interval): \w+")
        file.write_text(waits.sub(r"\1: 1s", file.read_text()))
    return folder


def wait_for(found: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < until, f"after {PATIENCE} s there is not: {what}"
        time.sleep(0.2)
    return value


@pytest.mark.long
def test_a_server_that_dies_is_a_page_until_it_is_back_and_a_bad_report_is_a_ticket(quick, tmp_path):
    try:
        monitoring.programs()
    except monitoring.MonitoringError as error:
        pytest.skip(str(error))
    (tmp_path / "serving").mkdir()
    small_models.push(tmp_path / "serving", 1)
    metrics, told = tmp_path / "watch" / "metrics.prom", list[notices.Notice]()

    def notice(name: str, status: str) -> list[notices.Notice]:
        return [one for one in told if (one.labels["alertname"], one.status) == (name, status)]

    with (
        process.start(PROJECT, tmp_path / "serving") as server,
        monitoring.start(
            quick,
            tmp_path / "monitoring",
            [metrics],
            serving=[f"127.0.0.1:{server.port}"],
            port=0,
            alertmanager_port=0,
            tell=told.append,
        ) as running,
    ):
        at = f"127.0.0.1:{server.port}"
        where = listening.of(one.pid for one in running.processes.values())
        assert len(where) == 3
        assert all(one.startswith("127.0.0.1:") for one in where)
        rules = [rule for file in (FILES / "rules").glob("*.yml") for rule in alert_rules.read_rules(file)]
        loaded = [one for group in running.ask("rules")["groups"] for one in group["rules"]]
        assert sorted(one["name"] for one in loaded) == sorted(rule.name for rule in rules)
        shown = {group["file"] for group in running.ask("rules")["groups"]}
        assert shown == {f"rules/{rule.file.name}" for rule in rules}, "the page shows a folder of this machine"

        for _ in range(7):
            server.ask([FLIGHT])
        asked = 'serving_requests_total{job="serving",outcome="answered"}'
        wait_for(lambda: values(running, asked) == [7.0], "seven answers that Prometheus has read")
        assert not notice("ServerIsDown", "firing")

        # Of a watch, which comes while Prometheus runs: the model says less than happens.
        metrics.parent.mkdir()
        metrics.write_text(report.to_prometheus(operation_metrics.watched(tmp_path / "watch", 0.1)))
        found = wait_for(lambda: notice("ProbabilitiesMeanSomethingElse", "firing"), "an alert about quality")
        assert {(one.receiver, one.labels["model"]) for one in found} == {("ticket", "parcels")}

        board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
        for line in (line for panel in board["panels"] for line in panel.get("targets", [])):
            drawn = line["expr"].replace("$__rate_interval", "1m").replace("$model", "parcels")
            running.ask("query", query=drawn)  # raises where Prometheus cannot evaluate it

        server.process.kill()
        found = wait_for(lambda: notice("ServerIsDown", "firing"), "an alert about the server")
        assert {(one.receiver, one.labels["instance"]) for one in found} == {("page", at)}
        assert found[0].annotations["summary"] == f"{at} does not answer."
        assert not notice("ServerIsDown", "resolved")
        server.process.wait()
        with process.start(PROJECT, tmp_path / "serving", port=server.port):
            wait_for(lambda: notice("ServerIsDown", "resolved"), "the end of that alert")
    assert notices.read(running.alerts) == told
    assert all(one.returncode is not None for one in running.processes.values())


def values(running: monitoring.Monitoring, query: str) -> list[float]:
    return [float(one["value"][1]) for one in running.ask("query", query=query)["result"]]
