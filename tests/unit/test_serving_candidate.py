"""What a candidate is refused for before it is pushed, what is no fault of its own, and that its server ends when the check is killed."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import scales_project

from serving import candidate, process
from serving.candidate import CheckError, Verdict
from serving.process import NotStarted, RequestRefused

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return scales_project.write(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture(scope="module")
def examples() -> list[bytes]:
    return [scales_project.example(length) for length in (1.0, 2.0, None)]


# --- A check that is killed ---------------------------------------------------------------------------------------

KILLED = """
import sys, time
import scales_project
from serving import candidate, process

ask = process.Server.ask

def ask_once(server, rows):
    print("answered", ask(server, rows), flush=True)
    time.sleep(600)

process.Server.ask = ask_once
candidate.check(sys.argv[1], [scales_project.example(1.0)], scales_project.NAME, scratch=sys.argv[2])
"""


@pytest.mark.long  # that a server ends with who started it is shown by test_serve
def test_killed_with_minus_9_no_server_stays(good, tmp_path, root):
    path = os.pathsep.join([str(root / "src"), str(root / "tests")])
    command = [sys.executable, "-c", KILLED, str(good), str(tmp_path)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True) as check:
        try:
            assert check.stdout.readline().startswith("answered [0.36552")
            assert len(servers_of(tmp_path)) == 1
        finally:
            check.kill()
    end = time.monotonic() + 120
    while servers_of(tmp_path):
        assert time.monotonic() < end
        time.sleep(0.1)


def servers_of(folder: Path) -> list[int]:
    """The processes of servers whose versions lie in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            said = path.read_bytes()
            if b"\0serving\0" in said and str(folder).encode() in said:
                found.append(int(path.parent.name))
    return found


# --- Whose fault it is, told by what the server does: a stand-in for `process.start`, test_serving_infra_check has real ones


class Stand:
    """A server that answers each row with the next of some answers, or raises it; and that ends with a status."""

    def __init__(self, answers, status=0, words=""):
        self.answers, self.process = iter(answers), SimpleNamespace(wait=self.wait)
        self.words, self.status = lambda: words, status

    def wait(self, timeout):
        if self.status is None:
            raise subprocess.TimeoutExpired("serving", timeout)
        return self.status

    def ask(self, rows):
        found = next(self.answers)
        if isinstance(found, Exception):
            raise found
        return [found]


@pytest.fixture
def served(monkeypatch, good, examples):
    """Checks the good model with a server that does something else, or that does not come up."""

    def check(server: Stand | Exception) -> Verdict:
        @contextlib.contextmanager
        def start(*given, **how):
            if isinstance(server, Exception):
                raise server
            yield server

        monkeypatch.setattr(process, "start", start)
        return candidate.check(good, examples, scales_project.NAME)

    return check


ALONE = (0.36552929, 0.44039854, 0.25)
"""What the good model says by itself."""

LOGGED = "a request failed\nTraceback (most recent call last):\n  File ...\ntensorflow.errors.InvalidArgumentError: no such table\n"


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (NotStarted("...", {1: "it cannot be loaded: no variables"}, 1), "The model server refuses it: it cannot be loaded: no variables."),
        (NotStarted("...", {}, -signal.SIGSEGV), "The model server ended by SIGSEGV while it loaded it."),
        (Stand([ALONE[0], None, ALONE[2]]), "The answer to example 1 is no number (NaN or infinite)."),
        (Stand([ALONE[0], float("inf"), ALONE[2]]), "The answer to example 1 is no number (NaN or infinite)."),
        (Stand([ALONE[0], RequestRefused(500, "it failed")], words=LOGGED), "Example 1 was not answered: tensorflow.errors.InvalidArgumentError: no such table"),
        (Stand([RequestRefused(500, "it failed")]), "Example 0 was not answered: it failed"),
        (Stand([TimeoutError()]), "Example 0 was not answered in a minute."),
        (Stand([http.client.RemoteDisconnected()], status=-signal.SIGABRT), "The model server ended by SIGABRT while it answered example 0."),
    ],
)  # fmt: skip
def test_what_is_the_models_fault_is_a_reason(served, server, reason):
    assert served(server) == Verdict(False, reason)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (NotStarted("no answer after 120 seconds", {}, None), "no answer after 120 seconds"),
        (NotStarted("the server ended. It said: no such module", {}, 1), "no such module"),
        (NotStarted("the server ended", {}, -signal.SIGKILL), "the server ended"),
        (Stand([RequestRefused(400, "row 0, column length: -1 is below 0.")]), "Example 0 is none that may be asked about: row 0, column length"),
        (Stand([http.client.RemoteDisconnected()], status=-signal.SIGKILL), "Example 0 was not answered: .* The server: SIGKILL"),
        (Stand([http.client.RemoteDisconnected()], status=None), "Example 0 was not answered: .* The server: still there"),
    ],
)  # fmt: skip
def test_what_is_not_the_models_fault_is_an_error_and_no_verdict(served, server, said):
    with pytest.raises(CheckError, match=said):
        served(server)


def test_what_float32_loses_one_by_one_is_no_difference_and_more_is(served, good, examples):
    alone = candidate._alone(good, "weight", examples)
    assert served(Stand([value * (1 + 1e-6) for value in alone])).blessed
    assert served(Stand([value * 1.001 for value in alone])).reason.startswith("It answers otherwise when it is served")


# --- Before a server is started -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("project", "given", "said"),
    [
        ("no_such_module:PROJECT", 1, "it cannot be imported"),
        ("scales_project:NOTHING", 1, "it cannot be imported"),
        ("scales_project", 1, "Write MODULE:OBJECT"),
        (scales_project.NAME, 0, "There is no example"),
    ],
)
def test_a_check_that_cannot_be_made_says_why(good, examples, project, given, said):
    with pytest.raises(CheckError, match=said):
        candidate.check(good, examples[:given], project)


def test_a_folder_that_is_not_there_is_no_fault_of_the_model_and_an_empty_one_is(examples, tmp_path):
    with pytest.raises(CheckError, match="no such folder"):
        candidate.check(tmp_path / "nothing", examples, scales_project.NAME)
    found = candidate.check(tmp_path, examples, scales_project.NAME)
    assert found == Verdict(False, "It holds no SavedModel (saved_model.pb).")


def test_a_file_outside_that_the_graph_names_is_found_and_its_own_are_none(good, examples, tmp_path):
    """The machine that trained has it, so that a server beside it would read it."""
    import tensorflow as tf

    file = tmp_path / "offset.txt"
    file.write_text("0.0")

    def moved(columns):
        return columns["length"] + tf.strings.to_number(tf.io.read_file(str(file)))

    model = scales_project.write(tmp_path / "model", moved)
    assert candidate.files_outside(model) == [str(file)]
    assert candidate.check(model, examples, scales_project.NAME) == Verdict(
        False, f"It names a file outside its folder, which is not copied with it: {file}."
    )
    file.unlink()
    assert candidate.files_outside(model) == []
    assert candidate.files_outside(good) == []


def test_a_row_is_what_a_client_knows():
    example = scales_project.example(2.5, label=1.0)
    assert candidate._row(example, {"length": "FP32", "width": "FP32"}) == {"length": 2.5}
    assert candidate._row(scales_project.example(float("nan")), {"length": "FP32"}) == {}
