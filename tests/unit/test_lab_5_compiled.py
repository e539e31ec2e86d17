"""Lab 5, tasks 4 and 5: the student's own pipeline, held against what its package compiles to elsewhere; and read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import lab_five
import pytest
import yaml

from judges.lab_5 import check_specification
from judges.trial import Done, Here, Ran

pytestmark = [pytest.mark.xdist_group("lab-5"), pytest.mark.slow]
TABLE = yaml.safe_load(Path(__file__).parents[1].joinpath("lab_5_compiled.yaml").read_text())


class Compiles:
    """Runs the step of a trial that compiles; of the run after it stands what a right package leaves, which has begun its gate and not ended it.

    Packages of their own are run, in long tests; the solution's is where the notebooks are.
    """

    def run(self, trial):
        ran = Here().run(dataclasses.replace(trial, steps=trial.steps[:1]))
        (ran.folder / "runs" / "january" / "DataGate").mkdir(parents=True, exist_ok=True)
        return Ran(ran.folder, [*ran.steps, Done(1, "DataGate failed")], ran.kept)


@pytest.fixture
def lab(tmp_path, monkeypatch, request):
    lab_five.forking(monkeypatch)
    return lab_five.lab(tmp_path, runner=None if request.node.get_closest_marker("long") else Compiles())


def cases(kind):
    is_long = {name: "package" in case or "settings" in case for name, case in TABLE[kind].items()}
    return [pytest.param(case, id=name, marks=[pytest.mark.long] * is_long[name]) for name, case in TABLE[kind].items()]


def judged(lab, case):
    """Points and message of the files that a case describes."""
    edits = case.get("package", [])
    lab_five.write_package(lab, edits=edits)
    for name in ("january", "february"):
        text = lab_five.compiled(name, edits, **case.get("settings", {}))
        for before, after, *count in [*case.get("both", []), *case.get(name, [])]:
            assert before in text, before
            text = text.replace(before, after, *count)
        (lab.workspace / f"{name}.yaml").write_text(text)
    answers = {"january": "january.yaml", "february": "february.yaml"} | case.get("answers", {})
    return lab_five.evaluate(lab, "compiled", **answers)


@pytest.mark.parametrize("case", cases("right"))
def test_right_files_pass(lab, case):
    assert judged(lab, case) == (6, "")


@pytest.mark.parametrize("case", cases("wrong"))
def test_wrong_files_are_told(lab, case):
    points, message = judged(lab, case)
    assert case["told"] in message
    assert points == case["points"]


def test_a_fault_of_january_is_told_once_and_the_others_wait(lab):
    points, message = judged(lab, {"january": [["image: my-flights:1.0.0", "image: my-trainer:1", 1]]})
    assert points == 4
    assert message.splitlines() == [
        "The steps have several images. One image, with your package, is enough.",
        "`FEBRUARY` waits for `JANUARY`: their images are compared when that is right.",
    ]


# --- Task 5 -------------------------------------------------------------------------------------------------------

READ = {
    "at_once": ["CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel"],
    "after_gate": ["Transform"],
    "chain": 8,
    "module": "engines.kubeflow.entrypoint",
    "run_fn": "my_flights.model.run_fn",
    "gets_data_root": ["CsvExampleGen.input_base"],
    "gets_destination": ["LatestBlessedModel.push_destination", "Pusher.push_destination"],
    "not_cached": ["LatestBlessedModel", "ImportSchemaGen", "CsvExampleGen"],
    "not_retried": ["DataGate"],
    "volume": "flights",
}


def answered(lab, text=None, **answers):
    (lab.workspace / "january.yaml").write_text(text or lab_five.compiled())
    return lab_five.evaluate(lab, "reading", january="january.yaml", read=READ | answers)


def test_right_answers_pass_in_any_order_and_form(lab):
    other = {"after_gate": "Transform", "chain": 8.0, "volume": " flights "}
    others = {"not_cached": ("CsvExampleGen", "LatestBlessedModel", "ImportSchemaGen")}
    at_once = {"at_once": {"LatestBlessedModel", "CsvExampleGen", "ImportSchemaGen"}}
    for given in ({}, other, others, at_once):
        assert answered(lab, **given) == (5, "")


def test_answers_are_those_of_the_students_own_file(lab):
    def edit(document):
        del lab_five.tasks(document)["Trainer"]["retryPolicy"]
        lab_five.tasks(document)["StatisticsGen"]["dependentTasks"].append("LatestBlessedModel")

    text = lab_five.edited(lab_five.compiled(), edit)
    assert answered(lab, text)[0] == 4.5
    assert answered(lab, text, not_retried=["DataGate", "Trainer"]) == (5, "")


WRONG = {
    "at_once": ["CsvExampleGen"],
    "after_gate": ["Transform", "Trainer"],
    "chain": 10,
    "module": "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "run_fn": "my_flights.model",
    "gets_data_root": "input_base",
    "gets_destination": ["Pusher.push_destination"],
    "not_cached": [],
    "not_retried": None,
    "volume": "/mnt/flights",
}


def test_wrong_answers_are_told_without_the_right_one(lab):
    for name, wrong in [*WRONG.items(), ("chain", True)]:
        points, message = answered(lab, **{name: wrong})
        assert points == 4.5
        assert f"`{name}` is" in message
        right = READ[name] if isinstance(READ[name], list) else [READ[name]]
        if name not in ("after_gate", "chain", "not_retried"):
            assert not any(f" {one}" in message for one in map(str, right))
    assert [look for _, look in check_specification.QUESTIONS.values() if look[-1] in ".?!:,"] == []


def test_answers_that_are_no_answers_are_told(lab):
    text = lab_five.compiled()
    (lab.workspace / "january.yaml").write_text(text)
    for read, told in ((["Transform"], "keys of the table"), ({"gate": "x"}, "'gate' is none")):
        assert told in lab_five.evaluate(lab, "reading", january="january.yaml", read=read)[1]
    assert "lacks what `volume` asks for" in answered(lab, text.partition("\n---")[0])[1]
