"""What `make monitoring` starts: its configuration, what it says where it cannot start, and what takes Alertmanager's notices."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from operation import alert_rules, monitoring, notices
from operation.monitoring import MonitoringError

FILES = Path(__file__).parents[2] / "deploy" / "monitoring"


@pytest.fixture
def configured(tmp_path) -> Path:
    serving = ["127.0.0.1:1001", "127.0.0.1:1002"]
    monitoring.configure(FILES, tmp_path, serving, "127.0.0.1:1003", "127.0.0.1:1004", "127.0.0.1:1005")
    return tmp_path


def loaded(file: Path):
    return yaml.safe_load(file.read_text())


def test_a_run_has_the_committed_configuration_with_its_own_addresses(configured):
    found, committed = loaded(configured / "prometheus.yml"), loaded(FILES / "prometheus.yml")
    assert {job["job_name"]: job["static_configs"][0]["targets"] for job in found["scrape_configs"]} == {
        "serving": ["127.0.0.1:1001", "127.0.0.1:1002"],
        "operation": ["127.0.0.1:1003"],
    }
    assert found["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:1004"]
    operation = next(job for job in found["scrape_configs"] if job["job_name"] == "operation")
    assert operation["static_configs"][0]["labels"] == {"instance": "127.0.0.1"}, "a series ends with each run"
    assert found["global"] == committed["global"]
    rules = sorted((configured / name).resolve() for name in found["rule_files"])
    assert rules == sorted((FILES / "rules").glob("*.yml")), "a file is not read"
    assert found["rule_files"] == committed["rule_files"], "the page shows a folder of this machine"
    alerts = loaded(configured / "alertmanager.yml")
    assert {one["name"]: one["webhook_configs"][0]["url"] for one in alerts["receivers"]} == {
        "page": "http://127.0.0.1:1005/page",
        "ticket": "http://127.0.0.1:1005/ticket",
    }
    assert alerts["route"] == loaded(FILES / "alertmanager.yml")["route"]


def test_what_is_committed_names_this_machine_only():
    for name in ("prometheus.yml", "alertmanager.yml"):
        text = (FILES / name).read_text()
        assert "0.0.0.0" not in text
        assert "localhost" not in text
        assert "127.0.0.1" in text


@pytest.mark.parametrize(
    ("had", "has", "said"),
    [
        ("job_name: serving", "job_name: other", "scrape_configs has no job_name serving."),
        ("job_name: operation", "job_name: other", "scrape_configs has no job_name operation."),
        ("rules/serving.yml", "/etc/rules.yml", "rule_files has /etc/rules.yml, which is not in its folder"),
        ("rules/serving.yml", "../rules.yml", "rule_files has ../rules.yml, which is not in its folder"),
        ("rules/serving.yml", "none/rules.yml", "rule_files has none/rules.yml, which is not in its folder"),
    ],
)
def test_a_configuration_without_one_of_the_jobs_or_with_rules_elsewhere_is_refused(tmp_path, had, has, said):
    shutil.copytree(FILES, tmp_path / "files")
    file = tmp_path / "files" / "prometheus.yml"
    file.write_text(file.read_text().replace(had, has))
    with pytest.raises(MonitoringError, match=re.escape(f"prometheus.yml: {said}")):
        monitoring.configure(tmp_path / "files", tmp_path, [], "", "", "")


def test_a_second_run_in_the_same_folder_has_the_newer_configuration(configured):
    monitoring.configure(FILES, configured, ["127.0.0.1:2001"], "127.0.0.1:2003", "127.0.0.1:2004", "127.0.0.1:2005")
    assert "127.0.0.1:100" not in (configured / "prometheus.yml").read_text()
    assert (configured / "rules").samefile(FILES / "rules")


@pytest.mark.parametrize("text", ["a: [", "- a", None])
def test_a_configuration_that_cannot_be_read_is_named(tmp_path, text):
    if text:
        (tmp_path / "prometheus.yml").write_text(text)
    with pytest.raises(MonitoringError, match=r"prometheus\.yml"):
        monitoring.configure(tmp_path, tmp_path, [], "", "", "")


def test_where_it_is_not_installed_it_says_how_to(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert monitoring.main([str(tmp_path), "--files", str(FILES), "--folder", str(tmp_path / "m")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Not installed: prometheus, alertmanager, node_exporter. Debian, Ubuntu: apt install ")
    assert "prometheus-alertmanager" in said
    assert not (tmp_path / "m").exists()


def test_a_port_that_is_taken_is_named_with_the_variable_for_another(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(monitoring, "programs", dict)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option, variable in (("--port", "PROMETHEUS_PORT"), ("--alertmanager-port", "ALERTMANAGER_PORT")):
            other = {"--port": "0", "--alertmanager-port": "0"} | {option: str(port)}
            asked = [word for pair in other.items() for word in pair]
            folder = ["--files", str(FILES), "--folder", str(tmp_path / "m")]
            assert monitoring.main([str(tmp_path), *folder, *asked]) == 1
            said = capsys.readouterr().err
            assert f"Port {port} " in said
            assert f"make monitoring {variable}={port + 1}" in said
            assert f"{variable} ?= " in (FILES.parents[1] / "Makefile").read_text()


BODY = {
    # https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, but for what is said of all alerts together
    "version": "4",
    "status": "firing",
    "receiver": "page",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "ServerIsDown", "severity": "page", "instance": "a:1"},
            "annotations": {"summary": "a:1 does not answer.", "action": "Start it again."},
            "startsAt": "2026-01-01T00:00:00.5Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://host:9090/graph",
            "fingerprint": "c0ffee",
        }
    ],
}


def post(address: str, path: str, body: bytes) -> int:
    request = urllib.request.Request(f"http://{address}/{path}", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_notices_are_kept_and_told_in_a_sentence(tmp_path):
    told: list[notices.Notice] = []
    over = {"status": "resolved", "endsAt": "2026-01-01T00:05:00Z"}
    with notices.Receiver(tmp_path / "alerts.jsonl", told.append) as receiver, receiver.running():
        assert receiver.address.startswith("127.0.0.1:")
        assert post(receiver.address, "page", json.dumps(BODY).encode()) == 200
        ended = BODY | {"status": "resolved", "alerts": [BODY["alerts"][0] | over]}
        assert post(receiver.address, "page", json.dumps(ended).encode()) == 200
    assert notices.read(tmp_path / "alerts.jsonl") == told
    assert [(one.status, one.until) for one in told] == [("firing", ""), ("resolved", "2026-01-01T00:05:00Z")]
    assert [notices.sentence(one) for one in told] == [
        "page: ServerIsDown. a:1 does not answer. Start it again.",
        "page: ServerIsDown is over. It was: a:1 does not answer.",
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"alerts": 1}', b'{"alerts": [{}]}', b'{"alerts": [1]}'])
def test_what_alertmanager_never_sends_is_refused_and_not_kept(tmp_path, body):
    with notices.Receiver(tmp_path / "alerts.jsonl", lambda _: None) as receiver, receiver.running():
        assert post(receiver.address, "page", body) == 400
        assert post(receiver.address, "page", json.dumps(BODY).encode()) == 200
    assert len(notices.read(tmp_path / "alerts.jsonl")) == 1
    assert notices.read(tmp_path / "none.jsonl") == []


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; Debian has it in the package {package}")
    return found


def run(*command: str | Path) -> str:
    found = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_promtool_finds_no_fault_in_the_configuration(configured):
    promtool = program("promtool", "prometheus")
    for folder in (FILES, configured):
        assert "2 rule files found" in run(promtool, "check", "config", folder / "prometheus.yml")


def test_alertmanager_sends_each_severity_to_its_receiver(configured):
    """As its own program sees it; which severities there are is what the rules say."""
    amtool = program("amtool", "prometheus-alertmanager")
    rules = [rule for file in (FILES / "rules").glob("*.yml") for rule in alert_rules.read_rules(file)]
    for folder in (FILES, configured):
        run(amtool, "check-config", folder / "alertmanager.yml")
        for severity in {rule.labels["severity"] for rule in rules}:
            asked = [f"--config.file={folder / 'alertmanager.yml'}", f"severity={severity}", "alertname=A"]
            assert run(amtool, "config", "routes", "test", *asked).split() == [severity]
