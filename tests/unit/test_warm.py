"""A process that forks for whoever asks: what a fork is given, what it does not inherit, and when it and its server end."""

from __future__ import annotations

import concurrent.futures
import fcntl
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.checks import seconds
from warm import client, usage

pytestmark = pytest.mark.skipif(not client.FORKS, reason="processes that have loaded TensorFlow fork on Linux only")

PATIENCE = 60  # seconds, on a machine with much to do

TARGETS = """
import json, os, random, signal, sys, time
import numpy

def tells(argument):
    print(json.dumps({
        "argument": argument, "environment": dict(os.environ), "folder": os.getcwd(), "modules": sorted(sys.modules),
        "random": [random.random(), numpy.random.rand()], "files": len(os.listdir("/proc/self/fd")), "server": os.getppid(),
        "path": sys.path, "threads": len(os.listdir("/proc/self/task")),
    }))
    print("to the other", file=sys.stderr)
    return 7

def sleeps(argument): time.sleep(600)
def raises(argument): raise ValueError(argument)
def exits(argument): sys.exit(argument)
def dies(argument): os.kill(os.getpid(), argument)

def burns(seconds):
    while time.process_time() < seconds: pass

def orders(argument):
    "Has a fork of a server of its own burn, and waits for the server's end, or leaves it to itself."
    from warm import client
    seconds, folder, waits = argument
    warm = client.Warm.own([])
    warm.fork("targets", "burns", seconds, path=[folder]).wait()
    if waits:
        warm.end()
"""


@pytest.fixture(scope="module")
def targets(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("targets")
    (folder / "targets.py").write_text(TARGETS)
    return str(folder)


@pytest.fixture(scope="module")
def warm() -> Iterator[client.Warm]:
    found = client.Warm.own(["numpy"], words=["a-mark"])
    yield found
    found.end()


def run(warm: client.Warm, targets: str, function: str, argument: object = None, **settings) -> tuple[int, str]:
    """The status of a fork, and what it wrote."""
    reading, writing = os.pipe()
    with open(reading) as said:
        fork = warm.fork("targets", function, argument, path=[targets], files=(0, writing, writing), **settings)
        os.close(writing)
        text = said.read()  # ends when nothing holds the other end: neither fork nor server
        status = fork.wait(PATIENCE)
        fork.close()
    return status, text


def told(warm: client.Warm, targets: str, **settings) -> dict:
    import json

    status, text = run(warm, targets, "tells", "x", **settings)
    assert status == 7
    assert text.endswith("to the other\n")
    return json.loads(text.splitlines()[0])


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that its parent has not asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_fork_has_what_was_ordered_and_what_was_imported(warm, targets, tmp_path):
    found = told(warm, targets, environment={"ONLY": "this", "PYTHONPATH": "/somewhere"}, folder=tmp_path)
    assert found["argument"] == "x"
    assert found["environment"] == {"ONLY": "this", "PYTHONPATH": "/somewhere"}
    assert found["folder"] == str(tmp_path)
    assert found["path"][:2] == [targets, "/somewhere"]
    assert "numpy" in found["modules"]
    assert "tensorflow" not in found["modules"]
    assert found["threads"] == 1


def test_a_fork_holds_nothing_of_the_server_nor_of_other_forks(warm, targets):
    alone = told(warm, targets)["files"]
    others = [warm.fork("targets", "sleeps", None, path=[targets]) for _ in range(3)]
    assert told(warm, targets)["files"] == alone == 4  # input, output, errors, and the folder that is being listed
    for other in others:
        other.close()


def test_each_fork_draws_random_numbers_of_its_own(warm, targets):
    first, second = told(warm, targets)["random"], told(warm, targets)["random"]
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_fork_reads_code_as_it_is_now(warm, tmp_path):
    for text in ("first", "second"):
        (tmp_path / "edited.py").write_text(f"def says(argument): print({text!r})")
        reading, writing = os.pipe()
        with open(reading) as said:
            fork = warm.fork("edited", "says", None, path=[str(tmp_path)], files=(0, writing, writing))
            os.close(writing)
            assert said.read() == f"{text}\n"
        fork.close()


@pytest.mark.parametrize(
    ("function", "argument", "status", "says"),
    [
        ("raises", "no", 1, "ValueError: no\n"),
        ("missing", None, 1, "AttributeError"),
        ("exits", 5, 5, ""),
        ("exits", None, 0, ""),
        ("exits", "a sentence", 1, "a sentence\n"),
        ("dies", signal.SIGKILL, -signal.SIGKILL, ""),
        ("dies", signal.SIGSEGV, -signal.SIGSEGV, ""),
    ],
)
def test_the_status_is_that_of_a_process(warm, targets, function, argument, status, says):
    assert run(warm, targets, function, argument)[0] == status
    assert says in run(warm, targets, function, argument)[1]


def test_a_fork_is_signalled_and_waited_for(warm, targets):
    fork = warm.fork("targets", "sleeps", None, path=[targets])
    assert fork.poll() is None
    with pytest.raises(TimeoutError):
        fork.wait(0.01)
    fork.terminate()
    assert fork.wait(PATIENCE) == -signal.SIGTERM
    fork.kill()  # it has ended, and nothing is signalled
    fork.close()


def test_a_fork_ends_when_nobody_waits_for_it_any_more(warm, targets):
    fork = warm.fork("targets", "sleeps", None, path=[targets])
    fork.close()
    wait_until(lambda: is_gone(fork.pid))


def test_an_order_that_comes_before_the_imports_are_made_waits(targets, tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\n")
    early = client.Warm.own(["slow"], environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert "slow" in told(early, targets)["modules"]
    early.end()


def test_an_import_that_fails_is_told_to_who_orders(targets):
    broken = client.Warm.own(["no_such_module"])
    with pytest.raises(
        client.WarmError, match=r"cannot import .*: ModuleNotFoundError: No module named 'no_such_module'"
    ):
        broken.fork("targets", "tells", None, path=[targets])
    broken.end()


@pytest.mark.parametrize("waits", [True, False])
def test_seconds_of_forks_of_forks_are_noted_once(targets, tmp_path, waits, monkeypatch):
    """A server that was waited for passes its forks' seconds on to who waited, and has noted them as well."""

    def used(burnt: float) -> tuple[float, float]:
        """What is noted of an order, and at the end what this process has not waited for."""

        def noted() -> float:
            return seconds.sums(seconds.read(folder))["noted"].seconds

        (folder := tmp_path / f"{burnt}").mkdir()
        monkeypatch.setenv(usage.FILE, str(folder / "noted"))
        server = client.Warm.own([])
        assert run(server, targets, "burns", 0.0)[0] == 0
        before = noted()
        assert run(server, targets, "orders", (burnt, targets, waits))[0] == 0
        ordered = noted() - before
        server.end()
        return ordered, noted()

    # Beside an order that burns nothing: what the start of Python takes, on whatever machine, is in both.
    burnt, (ordered, left), (ordered_none, left_none) = 1.0, used(1.0), used(0.0)
    assert 0.5 < (ordered - ordered_none) / burnt < 1.5  # noted twice, it were 2
    if waits:
        assert left == left_none == 0
    else:
        assert 0.5 < (left - left_none) / burnt < 1.5


def test_seconds_of_a_fork_that_is_killed_are_noted_too(warm, targets, tmp_path):
    noted = tmp_path / "noted"
    fork = warm.fork("targets", "burns", 600, path=[targets], environment={**os.environ, usage.FILE: str(noted)})
    wait_until(lambda: processor_seconds(fork.pid) > 0.2)
    fork.close()
    wait_until(lambda: noted.exists() and noted.stat().st_size > 0)  # it is made before it is written
    assert [line["seconds"] > 0.1 for line in seconds.read(tmp_path)["noted"]] == [True]


def processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_server_and_forks_end_with_who_has_started_them(targets, tmp_path):
    """Killed with -9, a process leaves nothing."""
    program = f"""
    import time
    from warm import client
    warm = client.Warm.own([], words=["ends-with-me"])
    fork = warm.fork("targets", "sleeps", None, path=[{targets!r}])
    print(fork.pid, flush=True)
    time.sleep(600)
    """
    import subprocess

    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    fork = int(process.stdout.readline())
    server = int(Path(f"/proc/{fork}/stat").read_text().rsplit(")", 1)[1].split()[1])
    assert b"--mark=ends-with-me" in Path(f"/proc/{fork}/cmdline").read_bytes()
    process.kill()
    process.communicate()
    wait_until(lambda: is_gone(fork) and is_gone(server))


def test_a_server_that_is_killed_takes_its_forks_along_and_is_missed(targets):
    own = client.Warm.own([])
    server = told(own, targets)["server"]
    fork = own.fork("targets", "sleeps", None, path=[targets])
    os.kill(server, signal.SIGKILL)
    assert fork.wait(PATIENCE) == -signal.SIGKILL
    wait_until(lambda: is_gone(fork.pid))
    wait_until(lambda: not own.is_there)
    with pytest.raises(client.WarmError, match="has ended"):
        own.fork("targets", "tells", None, path=[targets])
    own.end()


def test_a_server_of_ones_own_ends_at_once_while_it_imports_too(targets, tmp_path):
    """A run that fails at its beginning need not wait for imports."""
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)\n")
    own = client.Warm.own(["endless"], environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert own.path.is_socket()
    assert own.is_there
    own.end()
    assert not own.path.parent.exists()


def test_a_process_may_be_told_of_a_server(warm, targets, monkeypatch):
    for wrong in ("", "/nowhere/at/all"):
        monkeypatch.setenv(client.SOCKET, wrong)
        assert client.Warm.told() is None
    monkeypatch.setenv(client.SOCKET, str(warm.path))
    found = client.Warm.told()
    assert told(found, targets)["server"] == told(warm, targets)["server"]
    near = client.near(["no_such_module"])
    assert told(near, targets)["server"] == told(warm, targets)["server"], "instead of one of its own"
    for one in (found, near):
        one.end()
    assert warm.is_there


@pytest.fixture
def runtime(tmp_path, monkeypatch) -> Path:
    """A folder of this test's own for shared servers."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def shared(linger: float = 0.0, **environment: str) -> client.Warm:
    return client.Warm.shared([], {**os.environ, **environment}, linger)


def test_processes_share_a_server_started_by_whoever_comes_first(runtime, targets):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: shared(), range(4)))
    servers = {told(one, targets)["server"] for one in found}
    assert len(servers) == 1
    other = shared(TF_CPP_MIN_LOG_LEVEL="9")  # read when TensorFlow is loaded: another server
    assert told(other, targets)["server"] not in servers
    assert all(lock.with_suffix("").exists() for lock in (runtime / "warm").glob("*.lock"))
    for one in [*found, other]:
        one.end()
    wait_until(lambda: all(is_gone(server) for server in servers))
    wait_until(lambda: {path.suffix for path in (runtime / "warm").iterdir()} == {".lock"})


def test_a_shared_server_lives_on_for_a_while_and_is_found_again(runtime, targets):
    first = shared(linger=600.0)
    server = told(first, targets)["server"]
    first.end()
    again = shared(linger=600.0)
    assert told(again, targets)["server"] == server
    again.end()
    os.kill(server, signal.SIGKILL)


def test_a_shared_server_does_not_end_while_somebody_connects(runtime, targets):
    """Its time is over when another notebook is opened: `Warm.shared` holds the lock while it connects."""
    first = shared()
    server = told(first, targets)["server"]
    (lock,) = (runtime / "warm").glob("*.lock")
    with lock.open() as connecting:
        fcntl.flock(connecting, fcntl.LOCK_EX)
        first.end()
        wait_until(lambda: is_gone(server) or waits_for_a_lock(server))
        second = client.Warm(first.path)
    assert told(second, targets)["server"] == server
    second.end()
    wait_until(lambda: is_gone(server))
    assert not first.path.exists()


def waits_for_a_lock(pid: int) -> bool:
    return any("->" in line and str(pid) in line.split() for line in Path("/proc/locks").read_text().splitlines())


def test_the_socket_of_a_server_that_was_killed_is_no_obstacle(runtime, targets):
    first = shared()
    killed = told(first, targets)["server"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: is_gone(killed))
    second = shared()
    assert told(second, targets)["server"] != killed
    first.end()
    second.end()


def test_a_folder_of_sockets_that_others_may_use_is_refused(runtime):
    (runtime / "warm").mkdir(mode=0o755)
    with pytest.raises(client.WarmError, match="not this user's alone"):
        shared()
