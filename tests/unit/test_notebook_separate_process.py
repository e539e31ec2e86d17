"""What is done in a process of its own: its answer and its output come back, nothing else does, and it can be stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tools.notebooks.separate_process import Died, call


def test_the_answer_and_the_output_come_back():
    assert call(60, sum, [1, 2, 3]) == (6, "")
    assert call(60, print, "said") == (None, "said\n")
    assert call(60, subprocess.call, [sys.executable, "-c", "print('said by a child')"]) == (0, "said by a child\n")


def test_it_has_the_environment_and_the_folder_of_its_caller_and_changes_neither(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value in ("one", "two"):
        monkeypatch.setenv("OF_THE_CALLER", value)
        assert call(60, os.getenv, "OF_THE_CALLER")[0] == value
    assert call(60, os.getcwd)[0] == str(tmp_path)
    call(60, os.putenv, "OF_THE_CALLER", "three")
    call(60, os.chdir, "/")
    assert os.getcwd() == str(tmp_path)
    assert os.environ["OF_THE_CALLER"] == "two"


def test_what_is_not_done_in_time_is_stopped():
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="not done after 1 seconds"):
        call(1, time.sleep, 600)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("task", "arguments", "told"),
    [(int, ["x"], "(?s)exit code 1:.*ValueError: invalid literal"), (os._exit, [3], "exit code 3")],
)
def test_what_ends_without_an_answer_tells_how_it_ended(task, arguments, told):
    with pytest.raises(Died, match=told):
        call(60, task, *arguments)
