"""Lab 5, tasks 2 and 3: the faults of the inherited pipeline, and the mended one, judged by what it compiles to and by its run."""

from __future__ import annotations

import json
import shutil

import lab_five
import pytest

from course.labs.lab_5 import TRIAL
from judges.lab_5 import check_migration, inherited_pipeline

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


def real(lab):
    return {fault.kind: fault.node for fault in inherited_pipeline.faults(lab.seed)}


# --- Task 2 -------------------------------------------------------------------------------------------------------


def test_every_student_has_six_faults_of_six_kinds_and_files_that_are_python():
    seen = set()
    for seed in range(300):
        faults = inherited_pipeline.faults(seed)
        assert len({fault.kind for fault in faults}) == inherited_pipeline.COUNT
        for name, text in inherited_pipeline.sources(seed).items():
            compile(text, name, "exec")
        seen.add(tuple((fault.kind, fault.node) for fault in faults))
    assert len(seen) > 100
    assert {kind for one in seen for kind, _ in one} == set(inherited_pipeline.KINDS)


def test_what_a_fault_reads_beside_the_package_is_delivered(tmp_path):
    for seed in range(40):
        inherited_pipeline.write(tmp_path / str(seed), seed)
        text = "".join(path.read_text() for path in (tmp_path / str(seed)).rglob("*.py"))
        for name in ("gaps.json", "network.json", "schema.pbtxt"):
            assert (name in text) == (tmp_path / str(seed) / "inherited" / name).is_file()


def test_right_faults_pass_however_the_ids_are_written(lab):
    given = real(lab)
    assert lab_five.evaluate(lab, "faults", faults=given) == (3, "")
    written = {kind: {"StatisticsGen": "Statistics_Gen"}.get(node, node.lower()) for kind, node in given.items()}
    assert lab_five.evaluate(lab, "faults", faults=written) == (3, "")
    assert lab_five.evaluate(lab, "faults", faults=dict(reversed(given.items()))) == (3, "")


def test_wrong_faults_are_told(lab):
    given = real(lab)
    others = [kind for kind in inherited_pipeline.KINDS if kind not in given]
    wrong = {
        "a list": ([*given], 0, "has to be a dictionary"),
        "a kind of one's own": (given | {"cache": "Transform"}, 0, "not in the table"),
        "five": (dict(list(given.items())[:5]), 2.5, "There are 6 faults"),
        "all eight": (given | dict.fromkeys(others, "Trainer"), 2, "Not in your pipeline"),
        "another component": (given | {"resolver": "Evaluator"}, 2.5, "breaks another component"),
        "one too many for one": ({**dict(list(given.items())[:5]), others[0]: "Trainer"}, 2, f"`{others[0]}`"),
        "everything everywhere": (dict.fromkeys(inherited_pipeline.KINDS, "Pusher"), 0, "Not in your pipeline"),
        "no component": (dict.fromkeys(given, 7), 0, "breaks another component"),
    }
    for found, points, told in wrong.values():
        given_points, message = lab_five.evaluate(lab, "faults", faults=found)
        assert told in message
        assert given_points == points


# --- Task 3 -------------------------------------------------------------------------------------------------------


def write_trial(lab, text=None, again=None, **run):
    text = text or lab_five.delays()
    (lab.workspace / TRIAL).mkdir()
    (lab.workspace / check_migration.COMPILED).write_text(text)
    (lab.workspace / check_migration.AGAIN).write_text(again or text)
    for folder in (check_migration.FOLDER, check_migration.SOURCE):
        shutil.copytree(
            inherited_pipeline.BASE,
            lab.workspace / folder / inherited_pipeline.NAME,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        (lab.workspace / folder / "pyproject.toml").write_text(inherited_pipeline.PYPROJECT)
    lab_five.write_run(lab, "delays-1", text, "model", version="1", root=check_migration.RUNS, **run)


def judged(lab, edit=None, **run):
    text = lab_five.edited(lab_five.delays(), edit) if edit else None
    write_trial(lab, text, **run)
    return lab_five.evaluate(lab, "mended")


def test_nothing_gets_nothing(lab):
    points, told = lab_five.evaluate(lab, "mended")
    assert points == 0
    assert "`lab.trial()`" in told


def setting(task, name, value):
    def edit(document):
        lab_five.parameters(document, task)[name] = {"runtimeValue": {"constant": value}}

    return edit


RIGHT = {
    "as it should be": None,
    "a schema in a package of one's own": setting("ImportSchemaGen", "schema_file", "package:delays/schema.pbtxt"),
    "other settings": setting("Trainer", "custom_config", '{"epochs": 10, "network": "network.json"}'),
    "a function in quotes": setting("Trainer", "run_fn", '"delays.model.run_fn"'),
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_pipeline_passes(lab, what):
    assert judged(lab, RIGHT[what]) == (5, "")


def renamed(document):
    tasks = lab_five.tasks(document)
    tasks["Statistics_Gen"] = tasks.pop("StatisticsGen")
    for task in tasks.values():
        task["dependentTasks"] = [
            name.replace("StatisticsGen", "Statistics_Gen") for name in task.get("dependentTasks", [])
        ]
        for given in task.get("inputs", {}).get("artifacts", {}).values():
            if given["taskOutputArtifact"]["producerTask"] == "StatisticsGen":
                given["taskOutputArtifact"]["producerTask"] = "Statistics_Gen"


def without_baseline(document):
    del lab_five.tasks(document)["LatestBlessedModel"]
    del lab_five.tasks(document)["Evaluator"]["inputs"]["artifacts"]["baseline_model"]
    lab_five.tasks(document)["Evaluator"]["dependentTasks"].remove("LatestBlessedModel")


def unjudged(document):
    del lab_five.tasks(document)["Evaluator"]["inputs"]["artifacts"]["baseline_model"]


WRONG = {
    "a path in a setting": (
        setting("Trainer", "custom_config", '{"network": "/home/maria/delays/network.json"}'),
        "Trainer, `custom_config`: `/home/maria/delays/network.json`",
    ),
    "a path as an address": (
        setting("Transform", "custom_config", '{"gaps": "file:///data/maria/g.json"}'),
        "Transform",
    ),
    "a file of code": (setting("Transform", "module_file", "/home/anna/mended/delays/features.py"), "a file of code"),
    "another package's function": (
        setting("Trainer", "run_fn", "flights.model.run_fn"),
        "Trainer does not run the function",
    ),
    "a task's name": (renamed, "`Statistics_Gen`"),
    "no baseline at all": (without_baseline, "second argument"),
    "a baseline that nobody uses": (unjudged, "baseline does not come"),
    "a schema elsewhere": (setting("ImportSchemaGen", "schema_file", "schema.pbtxt"), "The schema is read from"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_pipeline_is_told(lab, what):
    edit, told = WRONG[what]
    points, message = judged(lab, edit)
    assert told in message
    assert points == 2


def lenient(document):
    given = lab_five.parameters(document, "Evaluator")["eval_config"]["runtimeValue"]
    assert '"lower_bound": 0.55' in given["constant"]
    given["constant"] = given["constant"].replace('"lower_bound": 0.55', '"lower_bound": 0.2')


OTHER = {
    "fewer epochs": (setting("Trainer", "custom_config", '{"epochs": 1, "seed": 7}'), "`epochs` is 1"),
    "another network": (
        setting("Trainer", "custom_config", '{"network": {"hidden_units": [4], "l2": 0.003}}'),
        "`hidden_units` is [4]",
    ),
    "learned from what it is judged on": (
        setting("Trainer", "train_args", '{"splits": ["train", "eval"]}'),
        "Trainer sees other flights",
    ),
    "judged by nothing": (
        setting("Evaluator", "eval_config", '{"metrics_specs": []}'),
        "The Evaluator demands something else",
    ),
    "judged by less": (lenient, "The Evaluator demands something else"),
}


@pytest.mark.parametrize("what", OTHER)
def test_a_pipeline_that_learns_or_judges_otherwise_is_told(lab, what):
    edit, told = OTHER[what]
    points, message = judged(lab, edit)
    assert told in message
    assert "stays as it is" in message
    assert points == 2


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("model.py", 'settings["epochs"]', "1", "`epochs` is 1 in `model.py`"),
        ("model.py", "epochs=epochs", "epochs=2", "`epochs` is 2 in `model.py`"),
        ("features.py", '"distance": 900.0', '"distance": 0.0', "`distance` is 0.0 in `features.py`"),
        ("network.json", "", '{"hidden_units": [16, 8]}', "`hidden_units` is [16, 8] in `network.json`"),
    ],
)
def test_code_that_learns_otherwise_is_told(lab, name, before, after, told):
    write_trial(lab)
    for folder in (check_migration.FOLDER, check_migration.SOURCE):
        path = lab.workspace / folder / inherited_pipeline.NAME / name
        path.write_text(path.read_text().replace(before, after) if before else after)
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, told in message) == (2, True), message


def test_values_in_a_file_or_in_words_of_ones_own_pass(lab):
    write_trial(lab)
    for folder in (check_migration.FOLDER, check_migration.SOURCE):
        package = lab.workspace / folder / inherited_pipeline.NAME
        (package / "network.json").write_text('{"hidden_units": [16], "l2": 0.003, "learning_rate": 3e-3}')
        (package / "gaps.json").write_text('{"distance": 900, "temp": 57}')
        (package / "settings.py").write_text('EPOCHS: int = 10\nepochs = EPOCHS\nREADY = ["distance"]\nverbose = 2\n')
    assert lab_five.evaluate(lab, "mended") == (5, "")


@pytest.mark.parametrize("name", ["delays/model.py", "pyproject.toml", "delays/more.json"])
def test_files_that_were_edited_after_the_trial_are_told(lab, name):
    write_trial(lab)
    (lab.workspace / check_migration.FOLDER / "__pycache__").mkdir()
    (lab.workspace / check_migration.FOLDER / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert lab_five.evaluate(lab, "mended") == (5, "")
    with (lab.workspace / check_migration.FOLDER / name).open("a") as file:
        file.write("\n")
    told = "`mended/` has changed since the last `lab.trial()`: call it again."
    assert lab_five.evaluate(lab, "mended") == (0, told)


def test_two_files_for_one_pipeline_are_told_with_the_component(lab):
    text = lab_five.delays()
    other = lab_five.edited(text, setting("Trainer", "custom_config", '{"compiled": "today"}'))
    write_trial(lab, text, again=other)
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, "Look at the settings of Trainer" in message) == (2, True)


def test_a_run_that_stopped_is_told_with_its_step(lab):
    points, message = judged(lab, until="Transform")
    assert points == 3
    assert "stopped at Transform" in message
    assert "delays-1/Transform/log.txt" in message


def test_no_run_is_told(lab):
    (lab.workspace / TRIAL).mkdir()
    for name in (check_migration.COMPILED, check_migration.AGAIN):
        (lab.workspace / name).write_text(lab_five.delays())
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, "none of its steps has run" in message) == (3, True)


def test_an_empty_pipeline_gets_nothing(lab):
    def empty(document):
        lab_five.tasks(document).clear()

    (lab.workspace / TRIAL).mkdir()
    for name in (check_migration.COMPILED, check_migration.AGAIN):
        (lab.workspace / name).write_text(lab_five.edited(lab_five.delays(), empty))
    assert lab_five.evaluate(lab, "mended")[0] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("a: &x [1]\nb: *x\n", "has references"),
        ("a: 1\n", "no compiled pipeline"),
        (json.dumps({"pipelineInfo": {}, "schemaVersion": "2.0.0"}), "version '2.0.0'"),
        (json.dumps({"pipelineInfo": {}, "schemaVersion": "2.1.0", "root": 7}), "without what a task needs"),
        (
            json.dumps({"pipelineInfo": {}, "schemaVersion": "2.1.0", "root": {"dag": {"tasks": {"a": {}}}}}),
            "without what a task needs",
        ),
    ],
)
def test_what_is_no_specification_is_told(lab, text, told):
    (lab.workspace / TRIAL).mkdir()
    (lab.workspace / check_migration.COMPILED).write_text(text)
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, told in message) == (0, True), message
