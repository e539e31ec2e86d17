"""Beam on Flink, without Flink: what is missing is said with the way to get it; no server outlives who started it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engines.errors import EngineError, MissingEngineError
from engines.flink import cluster, guard, job_server

INSTALL = "apt-get install openjdk-17-jre-headless"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """JAVA_HOME; what a test puts at its bin/java is the Java of this machine."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    return tmp_path / "java"


# --- What is missing ----------------------------------------------------------------------------------------------


def test_without_java_the_message_says_how_to_install_it(home):
    with pytest.raises(MissingEngineError, match=f"there is no `java` here.*{INSTALL}.*brew install.*make flink"):
        job_server.find_java()


@pytest.mark.parametrize(("version", "shown"), [("1.8.0_392", "1"), ("9.0.4", "9")])
def test_java_that_is_too_old_is_named(version, shown, home):
    java = program(home / "bin" / "java", f"echo 'openjdk version \"{version}\" 2020-01-01' >&2")
    with pytest.raises(MissingEngineError, match=f"Java 11 or newer, and {java} is Java {shown}.*{INSTALL}"):
        job_server.find_java()


def test_java_that_only_says_that_there_is_none_is_none(home):
    """As on macOS."""
    program(home / "bin" / "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    with pytest.raises(MissingEngineError, match=f"is Java unknown.*{INSTALL}"):
        job_server.find_java()


@pytest.mark.parametrize("version", ["11.0.2", "17.0.15", "21"])
def test_java_that_is_new_enough_is_taken(version, home):
    java = program(home / "bin" / "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")
    assert job_server.find_java() == str(java)


def test_java_of_the_path_is_found_without_java_home(tmp_path, monkeypatch):
    java = program(tmp_path / "java", "echo 'openjdk version \"17\"' >&2")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert job_server.find_java() == str(java)


def test_without_jars_the_message_says_make_flink(tmp_path, monkeypatch):
    monkeypatch.setenv("FLINK_JARS", str(tmp_path))
    for name in ("beam-runners-flink-1.19-2.62.0.jar", job_server.AGENT):
        with pytest.raises(
            MissingEngineError, match=rf"not in {tmp_path}, or not all.*`make flink` fetches them once.*Maven"
        ):
            job_server.find_jars()
        (tmp_path / name).touch()
    assert job_server.find_jars() == tmp_path


def test_without_the_distribution_the_message_says_make_flink_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("FLINK_DISTRIBUTION", str(tmp_path))
    with pytest.raises(MissingEngineError, match=rf"not in {tmp_path}\. `make flink-cluster` fetches it once"):
        cluster.find_distribution()


def test_messages_name_targets_that_make_knows(root):
    targets = (root / "Makefile").read_text()
    assert "\nflink:" in targets
    assert "\nflink-cluster:" in targets


# --- The job server -----------------------------------------------------------------------------------------------


@pytest.fixture
def fake(home, tmp_path, monkeypatch):
    """A Java that answers as the job server does; `text` is what it does after it was asked for its version."""
    monkeypatch.setenv("FLINK_JARS", str(tmp_path / "jars"))
    (tmp_path / "jars").mkdir()
    for name in ("beam-runners-flink-1.19-2.62.0.jar", job_server.AGENT):
        (tmp_path / "jars" / name).touch()

    def make(text: str) -> None:
        program(home / "bin" / "java", f'[ "$1" = -version ] && echo \'version "17"\' >&2 && exit\n{text}')

    return make


def test_job_server_is_told_apart_from_its_words_and_ends_with_the_block(fake, tmp_path):
    fake(f"echo $$ >{tmp_path}/pid; echo \"$@\"; echo 'x INFO JobService started on localhost:4711'; exec sleep 600")
    folder = tmp_path / "flink"
    with job_server.job_server(folder, "[local]") as endpoint:
        assert endpoint == "localhost:4711"
        assert (folder / "staging").is_dir()
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    assert gone(pid)
    assert not (folder / "staging").exists()
    told = (folder / job_server.LOG).read_text()
    assert "--job-host=127.0.0.1" in told
    assert f"-javaagent:{tmp_path}/jars/loopback-agent.jar" in told
    assert "--flink-master=[local]" in told
    assert "bind-host: 127.0.0.1" in (folder / "conf" / "config.yaml").read_text()


def test_job_server_that_ends_at_once_names_its_log(fake, tmp_path):
    fake("echo 'no memory'; exit 1")
    with (
        pytest.raises(EngineError, match=f"ended while it started; its log says why: {tmp_path}/job-server.log"),
        job_server.job_server(tmp_path, "[local]"),
    ):
        pass
    assert "no memory" in (tmp_path / job_server.LOG).read_text()


def test_job_server_that_never_listens_is_given_up(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(job_server, "PATIENCE", 1)
    fake(f"echo $$ >{tmp_path}/pid; exec sleep 600")
    with pytest.raises(EngineError, match="did not start within 1 s"), job_server.job_server(tmp_path, "[local]"):
        pass
    assert gone(int((tmp_path / "pid").read_text()))


# --- The guard ----------------------------------------------------------------------------------------------------


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether a process ends within these seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_command_ends_when_the_process_that_started_it_is_killed(tmp_path):
    owner = f"""
import subprocess, sys, os, time
subprocess.Popen([sys.executable, {guard.__file__!r}, str(os.getpid()), "sh", "-c", "echo $$ >{tmp_path}/pid; exec sleep 600"], start_new_session=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", owner])
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            assert time.monotonic() < end
            time.sleep(0.05)
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert gone(pid)


def test_command_that_does_not_listen_is_killed(monkeypatch):
    """SIGTERM is ignored by it; the guard gives it five seconds."""
    command = [
        sys.executable,
        guard.__file__,
        str(os.getpid()),
        "sh",
        "-c",
        "trap '' TERM; echo $$; while :; do sleep 0.2; done",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.terminate()
    assert gone(pid)
    process.communicate(timeout=20)


def test_guard_gives_the_status_of_its_command():
    command = [sys.executable, guard.__file__, str(os.getpid()), "sh", "-c", "exit 7"]
    assert subprocess.run(command, check=False, timeout=60).returncode == 7


# --- What Beam is told --------------------------------------------------------------------------------------------


def test_beam_knows_every_option_and_its_workers_are_on_this_machine():
    from engines import beam
    from engines.flink import runner as flink
    from engines.flink.workers import worker_pool

    with worker_pool() as workers:
        arguments = flink.beam_args("localhost:4711", workers, 2)
        assert beam.checked(arguments) == arguments
        assert f"--environment_config={workers}" in arguments
        host, port = workers.split(":")
        assert host == "127.0.0.1"
        with socket.create_connection((host, int(port)), 5):
            pass
        if listening := shutil.which("ss"):
            said = subprocess.run(
                [listening, "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True
            ).stdout
            assert "127.0.0.1" in said
            assert f"*:{port} " not in said


def test_reason_of_a_failed_job_is_what_python_raised():
    from engines.flink import runner as flink

    story = """Pipeline BeamApp failed in state FAILED: java.lang.RuntimeException: Error received from SDK harness
Traceback (most recent call last):
  File "x.py", line 1, in f
ValueError: a month without flights [while running 'Read']
\tat org.apache.beam.Worker"""
    assert flink.JOB_FAILED.match(story)
    assert flink._reason(story) == "ValueError: a month without flights [while running 'Read']"
    assert flink._reason("Pipeline x failed in state CANCELLED") == "Pipeline x failed in state CANCELLED"


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ("Multiplexer hanging up", False),
        # What a worker's thread `read_state` got on a busy machine, at the end of a job that was done.
        ("Received RST_STREAM with error code 8", False),
        ("failed to connect to all addresses", True),
    ],
)
def test_end_of_a_job_is_no_error_of_a_worker(details, told, monkeypatch):
    import grpc

    from engines.flink import runner

    error = grpc.RpcError(f'<_MultiThreadedRendezvous of RPC that terminated with: details = "{details}">')
    heard = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    with runner._quiet_goodbyes():
        worker = threading.Thread(target=_raise, args=[error])
        worker.start()
        worker.join()
    assert bool(heard) is told


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.xdist_group("tfx")
def test_other_ports_are_no_other_pipeline_to_the_cache(tmp_path):
    """What is compiled is the same; what Beam is told in the end is the address of the run."""
    from tfx.dsl.compiler import compiler

    from engines.flink import runner as flink
    from flights.config import Config
    from flights.pipeline import create_pipeline

    def compiled(port: int):
        arguments = flink.steady(flink.beam_args(f"localhost:{port}", f"127.0.0.1:{port + 1}", 1))
        plan = compiler.Compiler().compile(create_pipeline(Config(output_root=str(tmp_path)), arguments))
        return plan.deployment_config.SerializeToString(deterministic=True)

    assert compiled(4711) == compiled(5000)
    assert os.environ[flink.ADDRESSES["--job_endpoint"]] == "localhost:5000"
    assert b"5000" not in compiled(5000)


@pytest.mark.parametrize("master", ["localhost:1", "localhost", "localhost:port"])
def test_cluster_that_does_not_answer_is_named_with_a_way_out(master, tmp_path):
    from engines.flink import runner as flink

    with (
        pytest.raises(EngineError, match=f"No Flink cluster answers at '{master}'.*make flink-cluster"),
        flink.engine(tmp_path, master),
    ):
        pass
    flink.require_cluster(flink.EMBEDDED)


# --- The cluster --------------------------------------------------------------------------------------------------


def test_everything_of_the_cluster_listens_on_this_machine_only(tmp_path):
    settings = cluster.settings(tmp_path, 8081, 2)
    hosts = {key: value for key, value in settings.items() if "host" in key or key.endswith("address")}
    assert len(hosts) >= 5
    assert set(hosts.values()) == {"127.0.0.1"}
    assert settings["taskmanager.numberOfTaskSlots"] == 2
    assert all(str(tmp_path) in str(settings[key]) for key in ("io.tmp.dirs", "web.tmpdir"))


def test_port_that_is_taken_is_named_with_another(fake, tmp_path, monkeypatch):
    fake("exit 1")
    monkeypatch.setenv("FLINK_DISTRIBUTION", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bash-java-utils.jar").touch()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(EngineError, match=rf"Port {port} is taken.*make flink-cluster FLINK_PORT={port + 1}"),
            cluster.cluster(tmp_path, port),
        ):
            pass


def test_program_says_in_a_sentence_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert cluster.main(["--folder", str(tmp_path / "cluster")]) == 1
    assert capsys.readouterr().err.startswith("Flink runs in Java, and there is no `java` here.")


def test_how_flink_divides_the_memory_is_read_from_its_own_words(fake, tmp_path, home):
    fake(f"echo INFO something; echo '{cluster.RESULT}-Xmx512m -Xms512m'; echo '{cluster.RESULT}-D a=1 -D b=2'")
    found = cluster._flags(str(home / "bin" / "java"), tmp_path, tmp_path, "GET_TM_RESOURCE_PARAMS")
    assert found == (["-Xmx512m", "-Xms512m"], ["-D", "a=1", "-D", "b=2"])
    fake("echo 'not enough memory' >&2; exit 1")
    with pytest.raises(EngineError, match="not enough memory"):
        cluster._flags(str(home / "bin" / "java"), tmp_path, tmp_path, "GET_TM_RESOURCE_PARAMS")
