"""The pipeline with Beam's work on Flink: killed and run again, the same result as locally; and a cluster that ends when it is told to."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ledger
import listening
import outcomes
import pytest
from lazy_pipeline import create_pipeline

from engines import store
from engines.errors import EngineError, MissingEngineError
from engines.flink import cluster, job_server
from flights import data
from flights.config import Config
from warm import client

COMMAND = [str(Path(sys.executable).with_name("flights")), "run", "--engine", "flink"]
PATIENCE = 600  # seconds, on a machine with much to do


@pytest.fixture(scope="module")
def flink(run):
    """The runner, where there is Java and where the jars could be fetched."""
    try:
        job_server.find_java(), job_server.find_jars()
    except MissingEngineError as missing:
        pytest.skip(str(missing))
    from engines.flink import runner as flink

    return flink


def options(config: Config) -> list[str]:
    return ["--data-root", config.data_root, "--output-root", config.output_root]


def java(mark: str) -> list[int]:
    """The processes of Java that have this in their command."""
    if Path("/proc/self").exists():
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found[path.parent.name] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended
    else:
        said = subprocess.run(["ps", "axww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
        found = dict(line.split(maxsplit=1) for line in said.splitlines())
    return [int(pid) for pid, said in found.items() if mark in said and said.split()[0].endswith("/java")]


def wait_for(what: str, happened: Callable[[], object], process: client.Fork | subprocess.Popen | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert process is None or process.poll() is None, what
        assert time.monotonic() < end, what
        time.sleep(0.1)


def watch(pids: list[int], seen: set[str]) -> bool:
    """Adds where these processes and what they started listen now."""
    seen |= listening.of(pids)
    return True


def test_a_job_on_flink_comes_to_its_result_and_nothing_listens_to_others_or_stays(flink, tmp_path):
    """Lesson 11 has a run of the pipeline begin on Flink; its whole result is compared in long tests."""
    with listening.heard() as addresses, flink.engine(tmp_path / "flink") as arguments:
        assert add_numbers(arguments, tmp_path).wait_until_finish() == "DONE"
    assert [path.read_text() for path in tmp_path.glob("sum-*")] == ["4950\n"]
    assert len(addresses) >= 5, "Beam's job server alone has three"
    assert not listening.to_others(addresses)
    wait_for("Java's end", lambda: not java(str(tmp_path)))
    assert not (tmp_path / "flink" / "staging").exists()


def add_numbers(arguments: list[str], folder: Path):
    """Has Beam, told this, add the numbers up to 99 into a file `sum-...`; returns what knows of the job."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(options=PipelineOptions(arguments))
    numbers = pipeline | beam.Create(range(100)) | beam.CombineGlobally(sum)
    numbers | beam.io.WriteToText(str(folder / "sum"))
    return pipeline.run()


@pytest.mark.long
def test_statistics_on_flink_are_those_of_the_local_engine(flink, make_config, run, tmp_path_factory):
    config = make_config("part")
    reports = flink.run(config, create_pipeline, last="StatisticsGen")
    assert {report.state for report in reports} == {"done"}
    shared = outcomes.shared_folder(tmp_path_factory)
    outcomes.reference(config, run, shared)
    local = dataclasses.replace(config, output_root=str(shared / outcomes.LOCAL))
    assert statistics(config) == statistics(local)
    ledger.assert_sound(config)


def statistics(config: Config) -> dict[tuple[str, str], tuple[int, float]]:
    """For each split and feature of a run: how many values there are, and their mean or the number of different ones."""
    import tensorflow_data_validation as tfdv

    found = {}
    for file in sorted(Path(config.pipeline_root, "StatisticsGen", "statistics").glob("*/Split-*/FeatureStats.pb")):
        for feature in tfdv.load_stats_binary(str(file)).datasets[0].features:
            stats = getattr(feature, feature.WhichOneof("stats"))
            value = round(stats.mean, 6) if hasattr(stats, "mean") else stats.unique
            found[file.parent.name, feature.path.step[0]] = stats.common_stats.num_non_missing, value
    assert found
    return found


def assert_no_java(config: Config) -> None:
    wait_for("Java's end", lambda: not java(config.output_root))
    assert not (Path(config.output_root) / "flink" / "staging").exists()


@pytest.mark.long
def test_killed_in_a_step_on_flink_no_java_stays_and_run_again_it_finishes_with_the_result_of_the_local_engine(
    flink, make_config, root, run, forked, tmp_path_factory
):
    """With one version and no noise, and nothing listens to others."""
    config = make_config("flink")
    process = forked(["run", "--engine", "flink", *options(config)])
    transform = Path(config.pipeline_root) / "Transform"
    # StatisticsGen has had its jobs done by Flink; Transform has begun a second one.
    wait_for("Transform began", lambda: any(transform.glob("[a-z]*/*")), process)
    time.sleep(2)
    assert java(config.output_root)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    wait_for("Java's end", lambda: not java(config.output_root))
    states = ledger.last_states(config)
    assert states["Transform"] == "RUNNING"
    assert states["StatisticsGen"] == "COMPLETE"

    with listening.heard() as addresses:
        done = subprocess.run(
            [*COMMAND, *options(config)], cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(addresses) >= 5, "Beam's job server alone has three"
    assert not listening.to_others(addresses)
    lines = done.stdout.splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines if line.endswith(" s")}
    assert len(states) == 10
    assert (states["StatisticsGen"], states["Transform"]) == ("cached", "done")
    assert lines[-1] == f"Blessed and pushed: {store.latest_version(config)}"
    assert len(ledger.versions(config)) == 1
    ledger.assert_sound(config)
    assert_no_java(config)
    shared = outcomes.shared_folder(tmp_path_factory)
    assert outcomes.of_local(config) == outcomes.reference(config, run, shared)


@pytest.mark.long
def test_a_month_that_cannot_be_read_is_told_with_its_reason_and_the_log(flink, make_config, tmp_path, monkeypatch):
    """TFX's own reader reads in Beam, so that this one fails on Flink, without the check that would stop it here."""
    from flights import examples

    monkeypatch.setattr(examples.CheckedCsvExecutor, "Do", examples.csv_executor.Executor.Do)
    month = tmp_path / "data" / "span-01" / "flights.csv"
    month.parent.mkdir(parents=True)
    lines = data.month_path(make_config().data_root, 1).read_text().splitlines()
    month.write_text("\n".join([*lines[:200], lines[200] + ",7", *lines[201:400]]) + "\n")
    broken = Config(data_root=str(tmp_path / "data"), output_root=str(tmp_path / "out"), reader="csv")
    with pytest.raises(
        EngineError, match=r"Columns.* \(a job on Flink failed; the whole story: .*job-server\.log\)"
    ) as told:
        flink.run(broken, create_pipeline)
    assert str(told.value).count("\n") == 0
    assert ledger.last_states(broken)["CsvExampleGen"] == "FAILED"
    assert not java(broken.output_root)


# --- The cluster --------------------------------------------------------------------------------------------------


def free_port() -> int:
    return cluster._free_port()


@pytest.mark.long
def test_a_cluster_takes_jobs_listens_here_only_and_ends_when_it_is_told_to(flink, root, tmp_path):
    try:
        cluster.find_distribution()
    except MissingEngineError as missing:
        pytest.skip(str(missing))
    port, folder = free_port(), tmp_path / "cluster"
    process = subprocess.Popen(
        [sys.executable, "-m", "engines.flink.cluster", "--port", str(port), "--slots", "1", "--folder", str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert f"http://localhost:{port} shows its jobs" in process.stdout.readline(), process.communicate()
        assert len(java(str(folder))) == 2
        seen = set()
        with flink.engine(tmp_path / "engine", f"localhost:{port}") as arguments:
            result = add_numbers(arguments, tmp_path)
            while result.state not in ("DONE", "FAILED"):
                watch([process.pid, os.getpid()], seen)
            assert result.state == "DONE"
        assert f"127.0.0.1:{port}" in {one.replace("::ffff:", "") for one in seen}
        assert not listening.to_others(seen)
        assert [path.read_text() for path in tmp_path.glob("sum-*")] == ["4950\n"]
        assert cluster.overview(port)["jobs-finished"] == 1
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")
        assert said.endswith("Flink was ended.\n")
    finally:
        process.kill()
        process.communicate()
    wait_for("Java's end", lambda: not java(str(folder)))
    assert not (folder / "tmp").exists()
    assert {path.name for path in folder.glob("*.log")} == {"job-manager.log", "task-manager.log"}
