"""Lab 5, tasks 4 and 5: the student's own pipeline, compiled and read."""

from __future__ import annotations

import lab_five
import pytest
import yaml

from judges.lab_5 import check_specification

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


def write(lab, name, text):
    path = lab.workspace / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def judged(lab, january=None, again=None, february=None):
    january = january or lab_five.compiled()
    answers = {"january": january, "again": again or january, "february": february or lab_five.compiled(2)}
    return lab_five.evaluate(lab, "compiled", **{name: write(lab, name, text) for name, text in answers.items()})


def images(name):
    def edit(document):
        for executor in document["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = name

    # Made when a test asks: what is collected only must not import TFX.
    return {"january": change(edit), "february": change(edit, 2)}


def change(edit, month=1):
    return lambda: lab_five.edited(lab_five.compiled(month), edit)


def past_the_gate(document):
    lab_five.tasks(document)["Transform"]["dependentTasks"].remove("DataGate")


def gate_by_way_of(document):
    """Transform waits for a step that waits for the gate."""
    tasks = lab_five.tasks(document)
    past_the_gate(document)
    tasks["ImportSchemaGen"]["dependentTasks"] = ["DataGate"]
    tasks["ExampleValidator"]["dependentTasks"].remove("ImportSchemaGen")
    tasks["DataGate"]["dependentTasks"] = [
        name for name in tasks["DataGate"]["dependentTasks"] if name != "ImportSchemaGen"
    ]


RIGHT = {
    "as the solution": {},
    "an image in a registry with a port": images("registry.example.org:5000/team/late-flights:2026-11"),
    "an image by its digest": images(f"my-flights@sha256:{'0' * 64}"),
    "another model": {
        "january": lambda: lab_five.compiled(train_epochs=3),
        "february": lambda: lab_five.compiled(2, train_epochs=3),
    },
    "a gate that is waited for by way of another step": {
        "january": change(gate_by_way_of, 1),
        "february": change(gate_by_way_of, 2),
    },
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_files_pass(lab, what):
    given = {name: text() if callable(text) else text for name, text in RIGHT[what].items()}
    assert judged(lab, **given) == (6, "")


def test_compiled_for_another_place_it_is_the_same_file():
    lab_five.compiled.cache_clear()
    assert lab_five.compiled(data_root="elsewhere", output_root="elsewhere/out") == lab_five.compiled()


def setting(task, name, value):
    def edit(document):
        lab_five.parameters(document, task)[name] = value

    return edit


def constant(text):
    return {"runtimeValue": {"constant": text}}


def uncached(document):
    for task in lab_five.tasks(document).values():
        task["cachingOptions"] = {}


def all_cached(document):
    lab_five.tasks(document)["CsvExampleGen"]["cachingOptions"] = {"enableCache": True}


def one_image(document):
    lab_five.container(document, "Trainer")["image"] = "my-trainer:1"


def generous(document):
    lab_five.container(document, "Evaluator")["resources"] = {"cpuLimit": 2.0, "memoryLimit": 4.0}


def removed(document):
    lab_five.tasks(document).pop("Pusher")


BOTH = {
    "the course's image": (images("mlops-course:1.0"), "not your package"),
    "no tag": (images("my-flights"), "no tag of its own"),
    "latest": (images("example.org:80/my-flights:latest"), "no tag of its own"),
    "no name for an image": (images("My Flights:1"), "cannot name an image"),
}
ONE = {
    "the pipeline of the course": (
        {"january": change(setting("Trainer", "run_fn", constant("flights.model.run_fn")))},
        0,
        "Whose `create_components`",
    ),
    "no Pusher": ({"january": change(removed)}, 0, "has no Pusher"),
    "a path": (
        {
            "january": change(setting("Trainer", "custom_config", constant('{"logs": "/home/anna/logs"}'))),
            "february": change(setting("Trainer", "custom_config", constant('{"logs": "/home/anna/logs"}')), 2),
        },
        5,
        "`/home/anna/logs`",
    ),
    "the lab's folder": (
        {"january": change(setting("CsvExampleGen", "input_base", constant("/x/lab-5-kubeflow/months")))},
        5,
        "names a place of one machine",
    ),
    "data of one place": (
        {"january": change(setting("CsvExampleGen", "input_base", constant("data")))},
        5,
        "not a parameter",
    ),
    "another pipeline as again": ({"again": lambda: lab_five.compiled(train_epochs=3)}, 5, "byte for byte"),
    "two images": ({"january": change(one_image)}, 4, "several images"),
    "the compiler's limits": (
        {
            "january": lambda: lab_five.compiled(trainer=(1, 3)),
            "february": lambda: lab_five.compiled(2, trainer=(1, 3)),
        },
        5,
        "Trainer may use 1.0 cores",
    ),
    "limits for others": ({"january": change(generous)}, 5, "Evaluator may use 2.0 cores"),
    "no cache": ({"january": change(uncached)}, 5, "The cache is off"),
    "a cache for what has no input": ({"january": change(all_cached)}, 5, "The cache is on for CsvExampleGen"),
    "January as February": ({"february": lab_five.compiled}, 5, "`months=(1, 2)`"),
    "another gate for February": (
        {"february": lambda: lab_five.compiled(2, min_auc=0.99)},
        5,
        "demands something else of a model",
    ),
    "other settings for February": (
        {"february": lambda: lab_five.compiled(2, train_epochs=3)},
        5,
        "Trainer of `february.yaml` is told something else",
    ),
    "a gate that none waits for": ({"january": change(past_the_gate)}, 0, "Transform does not wait for DataGate"),
    "a gate that none waits for in February": ({"february": change(past_the_gate, 2)}, 5, "Transform does not wait"),
    "three months": ({"february": lambda: lab_five.compiled(3)}, 5, "`months=(1, 2)`"),
}


@pytest.mark.parametrize("what", BOTH)
def test_wrong_image_is_told(lab, what):
    given, told = BOTH[what]
    points, message = judged(lab, **{name: text() for name, text in given.items()})
    assert told in message
    assert points == 5


@pytest.mark.parametrize("what", ONE)
def test_wrong_file_is_told(lab, what):
    given, most, told = ONE[what]
    points, message = judged(lab, **{name: text() for name, text in given.items()})
    assert told in message
    assert points == most


def test_a_file_is_no_proof_of_itself(lab):
    january, february = write(lab, "january", lab_five.compiled()), write(lab, "february", lab_five.compiled(2))
    (lab.workspace / "link.yaml").hardlink_to(january)
    for again in (january, f"{lab.workspace}/../{lab.workspace.name}/january.yaml", str(lab.workspace / "link.yaml")):
        points, message = lab_five.evaluate(lab, "compiled", january=january, again=again, february=february)
        assert (points, "to a path of its own" in message) == (5, True)


def test_a_fault_of_january_is_told_once_and_the_others_wait(lab):
    january = lab_five.edited(lab_five.compiled(), one_image)
    points, message = judged(lab, january, again=lab_five.compiled())
    assert points == 3
    assert message.splitlines() == [
        "The steps have several images. One image, with your package, is enough.",
        "`AGAIN` waits for `JANUARY`: the two are compared when that is right.",
        "`FEBRUARY` waits for `JANUARY`: their images are compared when that is right.",
    ]


def test_no_file_is_told(lab):
    answers = {"january": "nowhere.yaml", "again": "nowhere.yaml", "february": 7}
    assert "There is no file `nowhere.yaml`" in lab_five.evaluate(lab, "compiled", **answers)[1]


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


def answered(lab, january=None, **answers):
    path = write(lab, "january", january or lab_five.compiled())
    return lab_five.evaluate(lab, "reading", january=path, read=READ | answers)


def test_right_answers_pass_in_any_order_and_form(lab):
    assert answered(lab) == (5, "")
    assert answered(
        lab, after_gate="Transform", chain=8.0, not_cached=("CsvExampleGen", "LatestBlessedModel", "ImportSchemaGen")
    ) == (
        5,
        "",
    )
    assert answered(lab, at_once={"LatestBlessedModel", "CsvExampleGen", "ImportSchemaGen"}, volume=" flights ") == (
        5,
        "",
    )


def test_answers_are_those_of_the_students_own_file(lab):
    def edit(document):
        del lab_five.tasks(document)["Trainer"]["retryPolicy"]
        lab_five.tasks(document)["StatisticsGen"]["dependentTasks"].append("LatestBlessedModel")

    text = lab_five.edited(lab_five.compiled(), edit)
    assert answered(lab, text)[0] == 4.5
    assert answered(lab, text, not_retried=["DataGate", "Trainer"]) == (5, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_once": ["CsvExampleGen"]},
        {"after_gate": ["Transform", "Trainer"]},
        {"chain": 10},
        {"chain": True},
        {"module": "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"},
        {"run_fn": "my_flights.model"},
        {"gets_data_root": "input_base"},
        {"gets_destination": ["Pusher.push_destination"]},
        {"not_cached": []},
        {"not_retried": None},
        {"volume": "/mnt/flights"},
    ],
)
def test_wrong_answer_is_told_without_the_right_one(lab, wrong):
    points, message = answered(lab, **wrong)
    [(name, _)] = wrong.items()
    assert points == 4.5
    assert f"`{name}` is" in message
    right = READ[name] if isinstance(READ[name], list) else [READ[name]]
    if name not in ("after_gate", "chain", "not_retried"):
        assert not any(f" {one}" in message for one in map(str, right))


def test_every_hint_ends_as_a_sentence_does():
    assert [one.look for one in check_specification.QUESTIONS.values() if one.look[-1] in ".?!:,"] == []


def test_answers_that_are_no_answers_are_told(lab):
    path = write(lab, "january", lab_five.compiled())
    assert "keys of the table" in lab_five.evaluate(lab, "reading", january=path, read=["Transform"])[1]
    assert "'gate' is none" in lab_five.evaluate(lab, "reading", january=path, read={"gate": "x"})[1]
    text = next(yaml.safe_load_all(lab_five.compiled()))
    one = yaml.safe_dump(text)
    assert (
        "lacks what `volume` asks for"
        in lab_five.evaluate(lab, "reading", january=write(lab, "one", one), read=READ)[1]
    )
