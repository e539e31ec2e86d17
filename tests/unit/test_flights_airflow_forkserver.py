"""The fork server: a step has the environment, folder and outputs of who asks; what kills one of the two kills the other; without a server, none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flights.airflow import forkserver

SERVER = """
import os, signal, sys, time
from flights.airflow import forkserver, step

SEEN = []

def main(arguments):
    SEEN.append(arguments)
    print(len(SEEN), arguments, os.getcwd(), os.environ["OF_ASKER"], "OF_SERVER" in os.environ, flush=True)
    print("wrong", file=sys.stderr, flush=True)
    if arguments[0] == "import":
        import only_there
    if arguments[0] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if arguments[0] == "wait":
        with open(arguments[1], "w") as file:
            while True:
                print("still here", file=file, flush=True)
                time.sleep(0.02)
    return 65

step.main = main
forkserver.IMPORTED = ("json",)
forkserver.main(sys.argv[1])
"""
ASK = "import sys; from flights.airflow import forkserver; sys.exit(forkserver.ask(sys.argv[1:]))"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One that imports nothing of TFX, and whose steps only tell what they see."""
    path = str(tmp_path_factory.mktemp("server") / "s")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OF_SERVER": "1"},
    )
    process.stdout.readline()  # it listens
    yield path
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def start(socket: str, folder, *arguments: str) -> subprocess.Popen:
    (folder / "only_there.py").write_text("print('imported')\n")
    own = {"OF_ASKER": "mine", "PYTHONPATH": str(folder), forkserver.SOCKET: socket}
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *arguments],
        cwd=folder,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(socket: str, folder, *arguments: str) -> tuple[int, str, str]:
    process = start(socket, folder, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_step_is_a_process_of_its_own_with_what_its_asker_has(server, tmp_path):
    for name in ("one", "two"):
        told = ask(server, tmp_path, name)
        assert told == (65, f"1 ['{name}'] {tmp_path} mine False\n", "wrong\n"), "what the first did stays in memory"
    status, out, err = ask(server, tmp_path, "import")
    assert (status, out.splitlines()[-1], err) == (65, "imported", "wrong\n"), "the package of the asker is not found"


def test_a_step_that_is_killed_is_seen_as_killed(server, tmp_path):
    assert ask(server, tmp_path, "die")[0] == -signal.SIGKILL


def test_a_step_ends_with_its_asker(server, tmp_path):
    written = tmp_path / "written"
    process = start(server, tmp_path, "wait", str(written))
    try:
        end = time.monotonic() + 60
        while not (written.exists() and written.stat().st_size):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "the step wrote nothing"
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    time.sleep(1)
    size = written.stat().st_size
    time.sleep(0.5)
    assert written.stat().st_size == size, "the step goes on writing when its task was killed"


@pytest.mark.parametrize("variable", ["", "/nowhere/at/all"])
def test_without_a_server_the_step_has_to_be_run_by_who_asks(variable, monkeypatch):
    monkeypatch.setenv(forkserver.SOCKET, variable)
    assert forkserver.ask(["Trainer"]) is None


def test_the_server_ends_at_once_and_leaves_nothing(monkeypatch):
    """Also while it is importing, as here: a run that fails at its beginning need not wait for that."""
    server = forkserver.ForkServer("of-this-test")
    if not forkserver.FORKS:
        assert not server.path
        return
    assert Path(server.path).is_socket()
    assert server.is_there
    monkeypatch.setenv(forkserver.SOCKET, server.path)
    started = time.monotonic()
    server.end()
    assert time.monotonic() - started < 5
    assert not server.is_there
    assert not Path(server.path).parent.exists()
    assert forkserver.ask(["Trainer"]) is None
