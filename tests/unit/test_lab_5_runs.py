"""Lab 5, tasks 6 to 8: runs are judged by what their steps have left."""

from __future__ import annotations

from pathlib import Path

import lab_five
import pytest
import yaml

from course.labs.lab_5 import notebook

pytestmark = [pytest.mark.xdist_group("lab-5"), pytest.mark.slow]
TABLE = yaml.safe_load(Path(__file__).parents[1].joinpath("lab_5_runs.yaml").read_text())
TWO = {"month-01": {1: 2000}, "month-02": {2: 2000}}
AS_SOLVED = {
    "january": {"month": "january", "model": "january", "version": "1"},
    "february": {"model": "february", "baseline": "january", "version": "2", "flights": TWO},
    "refused": {
        "model": "poor",
        "baseline": "february",
        "flights": TWO,
        "edits": [['"train_epochs": 15', '"train_epochs": 1']],
    },
}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab_five.forking(monkeypatch)
    return lab_five.lab(tmp_path)


def judged(lab, case):
    """The three runs, each with changes."""
    paths = {}
    for name, run in AS_SOLVED.items():
        given = run | case.get(name, {})
        text = lab_five.compiled(given.pop("month", "february"))
        for before, after in given.pop("edits", []):
            assert before in text, before
            text = text.replace(before, after)
        paths[name] = lab_five.write_run(lab, name, text, **given)
    return told(lab, **paths)


def told(lab, **paths):
    """Points of the three tasks, and their messages, a line each."""
    outcomes = [
        lab_five.evaluate(lab, name, **{run: paths[run] for run in runs})
        for name, runs in (
            ("january", ("january",)),
            ("february", ("january", "february")),
            ("refused", ("january", "february", "refused")),
        )
    ]
    return sum(points for points, _ in outcomes), "\n".join(message for _, message in outcomes if message)


def test_nothing_gets_nothing(lab):
    points, message = told(lab, january="nowhere", february="nowhere", refused="nowhere")
    assert points == 0
    assert message.count("names no folder in your workspace") == 3


@pytest.mark.parametrize("what", TABLE["right"])
def test_right_runs_pass(lab, what):
    assert judged(lab, TABLE["right"][what]) == (6, "")


@pytest.mark.parametrize("what", TABLE["wrong"])
def test_wrong_runs_are_told(lab, what):
    case = TABLE["wrong"][what]
    points, message = judged(lab, case)
    assert case["told"] in message
    assert points == case["points"]


def test_a_fault_of_january_is_told_once_and_the_others_wait(lab):
    message = judged(lab, {"january": {"until": "Evaluator"}})[1].splitlines()
    assert "its Evaluator is missing" in message[0]
    assert message[1:] == [
        "`FEBRUARY_RUN` waits for `JANUARY_RUN`: task 6 says what is wrong with it.",
        "`REFUSED_RUN` waits for `JANUARY_RUN`: task 6 says what is wrong with it.",
    ]


def test_january_that_pushed_nothing_is_waited_for(lab):
    assert (
        "`FEBRUARY_RUN` waits for `JANUARY_RUN`, which has pushed no model"
        in judged(lab, {"january": {"version": ""}})[1]
    )


def test_a_run_that_cannot_begin_is_told(lab, monkeypatch):
    monkeypatch.setattr(notebook, "current", lambda: lab)
    path = lab.workspace / "january.yaml"
    path.write_text(lab_five.compiled())
    with pytest.raises(FileNotFoundError, match=r"no folder image.*or its last call failed"):
        notebook.submit(path)
    (lab.workspace / "image").mkdir()
    for nothing in ("nothing.yaml", lab.workspace, ..., None):
        with pytest.raises(
            FileNotFoundError, match=r"There is no file .*: give the path that compile_pipeline returned"
        ):
            notebook.submit(nothing)
    (lab.workspace / "months").mkdir()
    wrong = {
        str(lab.workspace / "moths"): "moths'.*no such folder",
        str(lab.workspace / "months"): "months'.*no folder span-01",
        "months": "'months'.*the whole path",
    }
    for data_root, told in wrong.items():
        with pytest.raises((FileNotFoundError, ValueError), match=told):
            notebook.submit(path, data_root=data_root)
    with pytest.raises(FileNotFoundError, match="'/mnt/flights/data', which is the default"):
        notebook.submit(str(path))


def test_folders_that_are_no_runs_are_told(lab):
    (lab.workspace / "runs" / "empty").mkdir(parents=True)
    message = told(lab, january="runs/empty", february="../..", refused=[7])[1]
    assert "`JANUARY_RUN` is no folder of a run" in message
    assert "leads out of your workspace" in message
    assert "`REFUSED_RUN` has to be text" in message


def test_a_link_out_of_the_workspace_is_not_followed(lab, tmp_path):
    path = lab_five.write_run(lab, "january", lab_five.compiled(), "january", version="1")
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    message = lab.workspace / "runs" / "january" / "Pusher" / "executor_output.json"
    message.unlink()
    message.symlink_to(outside)
    assert "its Pusher is missing" in lab_five.evaluate(lab, "january", january=path)[1]
