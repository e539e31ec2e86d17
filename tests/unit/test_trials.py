"""Trials: what a check runs of a student's work, elsewhere, on this machine; in a box they are tried by tests/grading/test_box.py."""

from __future__ import annotations

import json
import os
import sys

import pytest

from course import progress
from judges.trial import Done, Here, Step, Trial, digest, done

STEP = """
import json, os, pathlib, signal, sys, time

def main(arguments):
    what, *rest = arguments
    if what == "look":
        found = {"here": sorted(os.listdir()), "home": os.listdir(os.environ["HOME"]), "read": pathlib.Path("given.txt").read_text()}
        pathlib.Path("found.json").write_text(json.dumps(found))
    if what == "fail":
        print("x" * 9000)
        raise ValueError("the last line")
    if what == "wait":
        pathlib.Path("begun").touch()
        time.sleep(60)
    if what == "leave":
        os.symlink("/etc/passwd", "link")
        os.mkfifo("pipe")
        pathlib.Path("left.txt").write_text("left")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs trials on this machine; a module `of_the_test` has the steps."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "of_the_test.py").write_text(STEP)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), *sys.path]))
    return Here()


def step(*arguments, **settings):
    return Step("of_the_test", arguments, **settings)


def test_steps_share_a_folder_get_their_files_before_they_begin_and_have_an_empty_home(here, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("inner")
    files = {"given.txt": "first", "deep/er": tmp_path / "folder"}
    ran = here.run(Trial("a look", files, [step("fail"), step("look", files={"given.txt": b"second"})]))
    assert json.loads((ran.folder / "found.json").read_text()) == {
        "here": ["deep", "given.txt"],
        "home": [],
        "read": "second",
    }
    assert (ran.folder / "deep" / "er" / "inner.txt").read_text() == "inner"
    assert [one.status for one in ran.steps] == [1, 0]
    assert ran.steps[0].said.strip().endswith("ValueError: the last line")
    assert len(ran.steps[0].said) <= 4000


def test_step_whose_time_is_over_and_one_that_is_to_be_killed_are_ended_and_the_next_begins(here):
    steps = [step("wait", seconds=0.5), step("wait", kill_at="beg*"), step("leave")]
    ran = here.run(Trial("waiting", {}, steps))
    assert [one.status for one in ran.steps] == [None, -9, 0]


def test_only_ordinary_files_come_back(here):
    ran = here.run(Trial("leaving", {}, [step("leave")]))
    assert sorted(path.name for path in ran.folder.iterdir()) == ["left.txt"]


def test_trial_is_run_again_only_where_something_of_it_has_changed(here, tmp_path):
    (tmp_path / "given").write_text("same")
    trials = [Trial("kept", {"given": tmp_path / "given"}, [step("leave")]) for _ in range(2)]
    first, second = map(here.run, trials)
    assert first is second
    (tmp_path / "given").write_text("other")
    assert here.run(trials[0]) is not first


@pytest.mark.parametrize("change", [{"modules": ("json",)}, {"steps": [step("look")]}, {"files": {"b": "a"}}])
def test_digest_knows_all_that_is_run_and_given(change):
    known = {"title": "t", "files": {"a": "a"}, "steps": [step("leave")]}
    assert digest(Trial(**known)) != digest(Trial(**known | change))


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b'{"step": 7, "status": 0, "said": ""}', b"null", b'{"step": "x"}', b"\xff"]
)
def test_report_is_not_trusted(line):
    right = json.dumps({"step": 1, "status": 3, "said": "so"}).encode()
    assert done([line, right], Trial("t", {}, [step("a"), step("b")])) == [Done(None), Done(3, "so")]


def test_bar_says_what_is_tried_and_how_far_it_is(here, monkeypatch):
    from course.trials import __main__ as trials

    seen = []

    def run(*given):
        seen.append(progress.what_runs(sys._getframe()))
        return 0, ""

    monkeypatch.setattr(trials, "_run", run)
    here.run(Trial("your package in another folder", {}, [step("a"), step("b")]))
    assert seen == [("your package in another folder", 0.0), ("your package in another folder", 0.5)]
