"""Lab 5: a step is a process of its own, which has nothing of the notebook and finds the student's package in the image alone."""

from __future__ import annotations

import pytest

from course.labs.lab_5 import separate_process
from warm import client

pytestmark = [pytest.mark.xdist_group("lab-5"), pytest.mark.slow]

STEP = """
import os
import signal

SEEN = []


def step(argument):
    SEEN.append(argument)
    print("says", argument, os.listdir("."), flush=True)
    return len(SEEN)


def dies(argument):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=[True, False], ids=["forked", "started"])
def call(request, tmp_path, monkeypatch):
    """Calls a function of a module as a step; gives its status and what it printed."""
    monkeypatch.setattr(client, "FORKS", request.param)
    # What is imported before the first fork plays no part here, and takes twenty seconds; a run of the solution has all of it.
    monkeypatch.setattr(separate_process, "IMPORTED", ("json",))
    for folder in ("image", "package"):
        (tmp_path / folder).mkdir()
    (tmp_path / "image" / "in_image.py").write_text(STEP)
    (tmp_path / "package" / "not_in_image.py").write_text(STEP)
    monkeypatch.syspath_prepend(str(tmp_path / "package"))

    def call(module, function, argument):
        log = tmp_path / "log.txt"
        status = separate_process.call(module, function, argument, tmp_path / "image", tmp_path, log)
        return status, log.read_text()

    yield call
    separate_process.end()


def test_a_step_keeps_nothing_and_finds_nothing_but_the_image(call):
    assert call("in_image", "step", {"a": 1}) == (1, "says {'a': 1} []\n")
    assert call("in_image", "step", 2) == (1, "says 2 []\n"), "the second finds what the first has left in memory"
    status, printed = call("not_in_image", "step", 3)
    assert status == 1
    assert printed.splitlines()[-1] == "ModuleNotFoundError: No module named 'not_in_image'"
    assert call("in_image", "dies", 4) == (-9, "")
    assert call("in_image", "step", 5)[0] == 1, "a step that was killed takes the others with it"


@pytest.mark.skipif(not client.FORKS, reason="on this system each step imports TFX anew")
def test_within_a_kernel_steps_are_forks_of_the_process_that_the_kernel_is_one_of(monkeypatch):
    ready = client.Warm.own(["json"])
    monkeypatch.setenv(client.SOCKET, str(ready.path))
    try:
        assert separate_process._running().path == ready.path
        separate_process.end()
        assert ready.is_there, "it is not the lab's to end"
    finally:
        separate_process.end()
        ready.end()
