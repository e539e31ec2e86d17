"""Lab 5, tasks 6 to 8: runs are judged by what their steps have left."""

from __future__ import annotations

import lab_five
import pytest
from lab_five import FLIGHTS

from course.labs.lab_5 import notebook

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


def poor():
    return lab_five.compiled(2, train_epochs=1)


def judged(lab, january=None, february=None, refused=None):
    """The three runs, each with changes."""
    first = {"text": lab_five.compiled(), "model": "january", "version": "1"} | (january or {})
    second = {"text": lab_five.compiled(2), "model": "february", "baseline": "january", "version": "2"}
    second |= {"flights": FLIGHTS[2]} | (february or {})
    third = {"text": poor(), "model": "poor", "baseline": "february", "flights": FLIGHTS[2]} | (refused or {})
    paths = {
        name: lab_five.write_run(lab, name, **given)
        for name, given in (("january", first), ("february", second), ("refused", third))
    }
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


RIGHT = {
    "as the solution": {},
    "February is refused as well": {"february": {"version": ""}, "refused": {"baseline": "january"}},
    "refused for steps too small": {"refused": {"text": None}},
    "splits of other sizes": {"january": {"flights": {"train": {1: 1000}, "eval": {1: 1000}}}},
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_runs_pass(lab, what):
    given = {name: dict(change) for name, change in RIGHT[what].items()}
    if "text" in given.get("refused", {}):
        given["refused"]["text"] = lab_five.compiled(2, learning_rate=1e-6)
    assert judged(lab, **given) == (6, "")


def flights_of(document):
    lab_five.parameters(document, "Trainer")["run_fn"] = {"runtimeValue": {"constant": "flights.model.run_fn"}}


WRONG = {
    "January is not whole": ({"january": {"until": "Evaluator"}}, 2, "its Evaluator is missing"),
    "February's flights in January": ({"january": {"flights": FLIGHTS[2]}}, 4, "the 2,000 flights of January"),
    "a model was there before": ({"january": {"baseline": "old"}}, 5, "found a baseline"),
    "January is refused": ({"january": {"version": ""}}, 4, "its model was refused"),
    "pushed to another place": ({"january": {"is_served": False}}, 4, "Where does `push_destination` lead?"),
    "the course's pipeline": (
        {"january": {"text": lambda: lab_five.edited(lab_five.compiled(), flights_of)}},
        2,
        "did not run your package",
    ),
    "February without a baseline": ({"february": {"baseline": ""}}, 5, "found no baseline"),
    "a baseline from nowhere": ({"february": {"baseline": "strange"}}, 5, "no model that was pushed"),
    "against the second model": ({"february": {"baseline": "february"}}, 5, "than that of `JANUARY_RUN`"),
    "January as February": (
        {"february": {"text": lab_five.compiled, "flights": FLIGHTS[1]}},
        4,
        "In `FEBRUARY_RUN` the Trainer has seen",
    ),
    "judged on what it has learned": (
        {"february": {"flights": {"month-01": {1: 2000}, "month-02": {1: 2000}}}},
        4,
        "the Evaluator has seen 2,000 flights of month 1",
    ),
    "blessed": ({"refused": {"version": "3"}}, 4, "was blessed"),
    "refused against nothing": ({"refused": {"baseline": ""}}, 5, "found no baseline"),
    "February by another gate": (
        {
            "february": {"text": lambda: lab_five.compiled(2, min_auc=0.99), "version": ""},
            "refused": {"baseline": "january"},
        },
        3,
        "`FEBRUARY_RUN` was not compiled as task 4 asks for",
    ),
    "February and what is refused, by another gate": (
        {
            "february": {"text": lambda: lab_five.compiled(2, min_auc=0.99), "version": ""},
            "refused": {"text": lambda: lab_five.compiled(2, min_auc=0.99), "baseline": "january"},
        },
        3,
        "`REFUSED_RUN` waits for `FEBRUARY_RUN`",
    ),
    "a gain that nothing has, in all three": (
        {
            "january": {"text": lambda: lab_five.compiled(max_auc_loss=-0.4)},
            "february": {"text": lambda: lab_five.compiled(2, max_auc_loss=-0.4), "version": ""},
            "refused": {"text": lambda: lab_five.compiled(2, max_auc_loss=-0.4), "baseline": "january"},
        },
        3,
        "gains 0.4 against the baseline",
    ),
    "a gate that is too high": (
        {"refused": {"text": lambda: lab_five.compiled(2, max_auc_loss=-0.4)}},
        5,
        "refused by another gate",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_runs_are_told(lab, what):
    change, points, words = WRONG[what]
    given = {
        name: {key: value() if callable(value) else value for key, value in one.items()} for name, one in change.items()
    }
    found, message = judged(lab, **given)
    assert words in message
    assert found == points


def test_a_fault_of_january_is_told_once_and_the_others_wait(lab):
    message = judged(lab, january={"until": "Evaluator"})[1].splitlines()
    assert "its Evaluator is missing" in message[0]
    assert message[1:] == [
        "`FEBRUARY_RUN` waits for `JANUARY_RUN`: task 6 says what is wrong with it.",
        "`REFUSED_RUN` waits for `JANUARY_RUN`: task 6 says what is wrong with it.",
    ]


def test_january_that_pushed_nothing_is_waited_for(lab):
    assert (
        "`FEBRUARY_RUN` waits for `JANUARY_RUN`, which has pushed no model" in judged(lab, january={"version": ""})[1]
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
