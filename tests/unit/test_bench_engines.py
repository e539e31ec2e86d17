"""The bench of engines: what it reads from a run, and that an engine that is not here is a remark."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import MissingEngineError
from flights.cli import ENGINES
from tools.bench import __main__ as page
from tools.bench import engines, image
from tools.checks import files

pytestmark = pytest.mark.xdist_group("tfx")

SAID = """Months 1 to 1 from data/flights:
  CsvExampleGen        done      0.2 s
  Transform            done     10.9 s
  Trainer              cached    8.0 s
Blessed and pushed: out/serving/1
"""


@pytest.fixture
def runs(monkeypatch):
    """What was run; each run prints `SAID` and took 30 seconds."""
    commands: list[list[str]] = []
    monkeypatch.setattr(engines, "run", lambda command: (commands.append(command), (SAID, 30.0, 40.0, 1.5))[1])
    monkeypatch.setattr(engines, "NEEDS", {})
    return commands


def test_every_engine_is_measured_and_the_containers(runs):
    rows = engines.engines()
    assert [row.seconds for row in rows] == [30.0] * (len(ENGINES) + 1)
    assert [command[3:-2] for command in runs] == [*([engine] for engine in ENGINES), ["kubeflow", "--containers"]]
    assert rows[0].remark == "3 steps, 19 s: Transform 11, Trainer 8, CsvExampleGen 0"
    for engine, row in zip((*ENGINES, engines.CONTAINERS), rows, strict=True):
        taken = (0, 0) if engine in engines.UNSEEN else (40, 1.5)
        assert (row.cpu_seconds, row.peak_gb) == taken, engine


def test_engine_that_is_not_here_is_a_remark_and_the_others_are_measured(runs, monkeypatch):
    def need():
        raise MissingEngineError("no Java here; install it")

    monkeypatch.setattr(engines, "NEEDS", {"flink": need})
    rows = {row.what: row for row in engines.engines()}
    missing = rows["`flights run --engine flink`, the sample"]
    assert missing.seconds is None
    assert missing.remark == "not measured: no Java here; install it"
    assert page.line(missing) == f"| {missing.what} |  |  |  |  | {missing.remark} |"
    assert len(runs) == len(ENGINES)


def test_what_engines_need_is_asked_of_their_own_modules(monkeypatch, tmp_path):
    for name in ("JAVA_HOME", "ENGINES_AIRFLOW"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert "install openjdk-17" in engines.reason("flink")
    assert "make airflow-environment" in engines.reason("airflow")
    assert "No Docker engine answers" in engines.reason(engines.CONTAINERS)
    assert engines.reason("local") == ""


def test_page_of_a_machine_without_engines_names_none_of_its_folders(runs, monkeypatch, tmp_path, root):
    """What `make test` asks of every committed file: tests/contract/test_repository.py."""
    folders = (page.REPOSITORY / ".tools/flink/lib", Path.home() / ".docker/run.sock", "/opt/java 8/bin/java")

    def need():
        raise MissingEngineError(" and ".join(f"not in {folder}." for folder in folders))

    monkeypatch.setattr(engines, "NEEDS", dict.fromkeys((*ENGINES, engines.CONTAINERS), need))
    monkeypatch.setattr(page, "RESULTS", tmp_path / "docs" / "bench.json")
    page.main(["--only", "engines", "--docs"])
    for name in ("bench.json", "bench.md"):
        written = (tmp_path / "docs" / name).read_text()
        assert "not in .tools/flink/lib." in written
        assert not [*files.machine_paths(written, root, Path.home())]
        assert "/opt" not in written
        assert str(Path.home()) not in written


def test_what_a_user_measures_changes_no_file_of_the_course(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "OWN", tmp_path / "out" / "bench.json")
    before = page.RESULTS.read_bytes(), page.TABLE.read_bytes()
    page.main(["--only", "engines"])
    assert (page.RESULTS.read_bytes(), page.TABLE.read_bytes()) == before
    assert "| `flights run --engine local`, the sample | 30.0 |" in (tmp_path / "out" / "bench.md").read_text()


def test_refused_candidate_is_no_measurement(runs, monkeypatch):
    monkeypatch.setattr(
        engines, "run", lambda command: (SAID.replace("Blessed and pushed", "Refused"), 30.0, 40.0, 1.5)
    )
    with pytest.raises(RuntimeError, match="Refused"):
        engines.measured("local")


def test_image_without_a_docker_engine_is_a_remark(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (row,) = image.image()
    assert row.seconds is None
    assert "no Docker engine answers" in row.remark
