"""Killed with -9 at any point, the next run completes and the metadata store is sound. The runs are processes of their own.

Those that are killed are forks of a process that has imported TFX; the one that is interrupted, and the last, are begun as the command is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import ledger
import pytest

from engines import store
from flights.config import Config

# Flink, Airflow and Kubeflow each are killed once for each change, in their own tests: the order in the store is the same.
pytestmark = pytest.mark.long

PATIENCE = 300  # seconds that a step may take on a machine with much to do

COMMAND = [str(Path(sys.executable).with_name("flights"))]


@pytest.fixture(scope="module")
def config(make_config) -> Config:
    return make_config(train_epochs=8)


def options(config: Config) -> list[str]:
    return ["--data-root", config.data_root, "--output-root", config.output_root, "--infra-check"]


@contextmanager
def started(config: Config, root: Path, **how) -> Iterator[subprocess.Popen]:
    """A run by the command, which does not outlive the block."""
    process = subprocess.Popen(
        [*COMMAND, *words(config)], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )
    try:
        yield process
    finally:
        process.kill()
        print(*process.communicate())  # pytest shows it when the test has failed


def words(config: Config) -> list[str]:
    return ["run", *options(config), "--train-epochs", str(config.train_epochs)]


def wait_for(process, what: str, happened: Callable[[], bool]) -> None:
    """Waits until something has happened, as long as the process lives."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if process.poll() is not None:
            pytest.fail(f"the run ended before {what}")
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {PATIENCE} s")
        time.sleep(0.05)


def kill_when(process, what: str, happened: Callable[[], bool]) -> None:
    wait_for(process, what, happened)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL


def wrote(config: Config, before: list[str], last_file: bool) -> Callable[[], bool]:
    """Whether a new version is in the serving folder: begun, or with the file that is written last."""

    def happened() -> bool:
        for name in set(ledger.versions(config)) - set(before):
            folder = Path(config.serving_root) / name
            if (folder / "saved_model.pb").exists() == last_file and any(folder.rglob("*.*")):
                return True
        return False

    return happened


def test_killed_in_statistics_gen_and_meanwhile_alone(config, run, forked):
    """While it runs, no second run is let into the same folder."""
    from engines.errors import AlreadyRunningError

    folder, process = Path(config.pipeline_root) / "StatisticsGen", forked(words(config))
    wait_for(process, "StatisticsGen began", lambda: any(folder.glob("[a-z]*/*")))
    with pytest.raises(AlreadyRunningError, match=r"Another run is using .*: wait for it to end, or choose another"):
        run(config)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert ledger.last_states(config)["StatisticsGen"] == "RUNNING"
    assert ledger.last_states(config)["CsvExampleGen"] == "COMPLETE"


def test_interrupted_in_transform(config, root):
    """Ctrl-C: one line, and the store is in order at once."""
    folder = Path(config.pipeline_root) / "Transform"
    with started(config, root, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as process:
        wait_for(process, "Transform began", lambda: any(folder.glob("[a-z]*/*")))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=PATIENCE)
    assert complaints == "flights run: stopped by SIGINT. The next run puts in order what is left of it.\n"
    assert process.returncode == 128 + signal.SIGINT
    assert ledger.last_states(config)["Transform"] == "FAILED"
    assert not list(folder.glob("[a-z]*/*"))


def test_killed_in_trainer(config, forked):
    """This run repairs what the one before left behind, and is killed in its turn, half a second after the Trainer's folder is there."""
    folder, process = Path(config.pipeline_root) / "Trainer", forked(words(config))
    wait_for(process, "Trainer began", lambda: any(folder.glob("[a-z]*/*")))
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    states = ledger.last_states(config)
    assert states["Trainer"] == "RUNNING"
    assert states["CsvExampleGen"] == "CACHED"
    assert states["Transform"] == "COMPLETE"
    executed = {node: [one.state for one in ledger.executions(config) if one.node == node] for node in states}
    assert executed["StatisticsGen"] == ["FAILED", "COMPLETE", "CACHED"]
    assert executed["Transform"] == ["FAILED", "COMPLETE"]


def test_killed_in_infra_check(config, forked):
    """While it waits for its server, which ends with it; and the copy that was served is deleted by the next run, with its folder."""
    kill_when(forked(words(config)), "a model server began", lambda: bool(servers_of(config)))
    assert ledger.last_states(config)["InfraCheck"] == "RUNNING"
    wait_until("the server has ended", lambda: not servers_of(config))
    assert not Path(config.serving_root).exists()


def wait_until(what: str, happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def servers_of(config: Config) -> list[str]:
    """The commands of model servers with versions in the folder of this pipeline."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            commands.append(path.read_bytes().decode(errors="replace"))
    return [one for one in commands if "\0serving\0" in one and str(Path(config.output_root).absolute()) in one]


def test_killed_in_pusher_with_half_a_version_written(config, forked):
    kill_when(forked(words(config), "slow_disk"), "a version was half written", wrote(config, [], last_file=False))
    assert ledger.last_states(config)["Pusher"] == "RUNNING"
    assert len(ledger.versions(config)) == 1
    with pytest.raises(FileNotFoundError, match="no model was pushed there yet"):
        store.latest_version(config)


def test_killed_in_pusher_with_a_version_that_is_not_recorded(config, forked):
    (half,) = ledger.versions(config)
    wait_until("the next version has another name: that of its second", lambda: time.time() >= int(half) + 1)
    kill_when(forked(words(config), "slow_disk"), "a version was written", wrote(config, [half], last_file=True))
    assert ledger.last_states(config)["Pusher"] == "RUNNING"
    assert half not in ledger.versions(config)


def test_next_run_completes_and_all_is_sound(config, root):
    """Five kills later: one version, all that was finished came from the cache, and the model answers."""
    with started(config, root) as process:
        said, complaints = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaints
    lines = [line.split() for line in said.splitlines()]
    states = {line[0]: line[1] for line in lines if line[-1] == "s"}
    assert {node for node, state in states.items() if state == "done"} == {"LatestBlessedModel", "Pusher"}
    assert said.splitlines()[-1] == f"Blessed and pushed: {store.latest_version(config)}"
    assert len(ledger.versions(config)) == 1
    ledger.assert_sound(config)
    assert [one.state for one in ledger.executions(config) if one.node == "InfraCheck"][:2] == ["FAILED", "COMPLETE"]
    (checked,) = (Path(config.pipeline_root) / "InfraCheck" / "blessing").iterdir()
    assert [path.name for path in checked.iterdir()] == ["INFRA_BLESSED"]

    flight = '{"carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565, "weekday": 5, "sched_dep_time": 1745}'
    asked = subprocess.run(
        [*COMMAND, "predict", "--output-root", config.output_root, flight],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert asked.returncode == 0, asked.stderr
    assert 0 < float(asked.stdout) < 1
    assert asked.stderr == ""
    assert complaints == ""
