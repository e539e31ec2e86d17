"""Lab 5, tasks 2 and 3: the faults of the inherited pipeline; and the mended one, installed, compiled and run elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import lab_five
import pytest
import yaml

from course import checks
from course.labs.lab_5 import pipeline_spec
from course.trials import watched_task
from judges.lab_5 import check_migration, elsewhere, inherited_pipeline, specification
from judges.trial import Done, Ran

pytestmark = [pytest.mark.xdist_group("lab-5"), pytest.mark.slow]
TABLE = yaml.safe_load(Path(__file__).parents[1].joinpath("lab_5_migrations.yaml").read_text())


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


@pytest.fixture
def forks(monkeypatch):
    lab_five.forking(monkeypatch)


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
        "a kind of one's own": (given | {"cache": "Transform"}, 2.5, "Not in the table of kinds: `cache`"),
        "two of them": (given | {"7": "Transform", "x": 7}, 2, "Not in the table of kinds: `7`, `x`"),
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


def test_no_package_gets_nothing(lab):
    points, message = lab_five.evaluate(lab, "mended")
    assert (points, "`mended` names no folder in your workspace" in message) == (0, True)


@pytest.mark.long
def test_what_it_was_is_what_the_package_as_it_should_be_does(lab, forks, tmp_path):
    """Each day the solution's notebook has such a package judged. Where it is not, because a library is another: put the file that is written here into the place of `check_migration.BEFORE`."""
    lab_five.write_mended(lab)
    made = elsewhere.mended(lab)
    done = elsewhere.mended_run(lab, made)
    split = next(done.ran.folder.glob("runs/*/Transform/transformed_examples/Split-train"))
    found = {
        "parts": specification.parts(made.compiled("first")),
        "fitted": done.said("runs/*/Trainer/fitted.json"),
        "cubes": check_migration.cubes(split),
    }
    (tmp_path / check_migration.BEFORE.name).write_text(json.dumps(found, sort_keys=True) + "\n")
    was = check_migration.before()
    assert (found["parts"], found["fitted"]) == (was["parts"], was["fitted"]), tmp_path
    assert lab_five.evaluate(lab, "mended") == (5, "")


@pytest.mark.long
@pytest.mark.parametrize("what", TABLE["right"])
def test_a_right_package_passes_in_any_form(lab, forks, what):
    lab_five.edit_mended(lab, TABLE["right"][what])
    assert lab_five.evaluate(lab, "mended") == (5, "")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.long] * ("quick" not in case))
        for name, case in TABLE["wrong"].items()
    ],
)
def test_a_wrong_package_is_told_by_what_it_does(lab, forks, case):
    lab_five.edit_mended(lab, case["edits"])
    points, message = lab_five.evaluate(lab, "mended")
    for told in [case["told"]] if isinstance(case["told"], str) else case["told"]:
        assert told in message
    assert points == case["points"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"epochs": 2}, "fits a model with other `epochs` than before: 2"),
        ({"layers": []}, "fits a model with other `layers` than before: []"),
        ({"learning_rate": 0.001}, "fits a model with other `learning_rate` than before: 0.001"),
        ({"loss": "mse"}, "fits a model with other `loss` than before: mse"),
        ({}, "makes another feature `carrier_index`"),
    ],
    ids=str,
)
def test_a_run_that_learns_something_else_is_told(tmp_path, monkeypatch, change, told):
    """As `course.trials.watched_task` notes it of a run; a run without transformed examples has other features."""
    tasks = {"Transform": "transform", "Trainer": "trainer"}
    monkeypatch.setattr(pipeline_spec, "order", lambda _: list(tasks.values()))
    monkeypatch.setattr(pipeline_spec, "steps", lambda _: tasks)
    for task in tasks.values():
        (tmp_path / "runs" / "run" / task).mkdir(parents=True)
        (tmp_path / "runs" / "run" / task / "executor_output.json").touch()
    fitted = check_migration.before()["fitted"] | change
    (tmp_path / "runs" / "run" / "trainer" / watched_task.FITTED).write_text(json.dumps(fitted))
    assert told in check_migration._run(elsewhere.Elsewhere(Ran(tmp_path, [Done(0)])), None)


LEFT = {
    "local-path": (2, "/home/maria"),
    "module-file": (2, "as its `module_file`"),
    "node-id": (0, "and so no underscore"),
    "resolver": (0, "LatestBlessedModel is a Resolver"),
    "memory": (3, "stops at "),
    "lost-file": (3, "stops at "),
    "schema": (0, "compiled elsewhere: "),
    "moving-setting": (2, "Compiled twice"),
}
FAULTS = {f"{one.kind} of {one.node}": one for seed in range(60) for one in inherited_pipeline.faults(seed)}
TOGETHER = [
    ["moving-setting of Transform"],
    ["local-path of Trainer", "module-file of Transform", "moving-setting of Trainer"],
    ["local-path of Transform", "module-file of Trainer"],
]
"""Those that a pipeline is compiled with."""
ENDS = ("node-id of ExampleValidator", "resolver of LatestBlessedModel", "schema of ImportSchemaGen")
ENDS += ("memory of Transform", "memory of Trainer", "lost-file of Trainer")
"""Of those that end what is done with it, one of each kind, and of memory, which is lost in two ways, both."""
ALONE = [[name] for name in ENDS]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(some, marks=[pytest.mark.long] * (some != TOGETHER[0]), id=", ".join(some))
        for some in TOGETHER + ALONE
    ],
)
def test_each_fault_that_is_left_is_told(lab, forks, names):
    faults = [FAULTS[name] for name in names]
    lab_five.edit_mended(lab, [edit for fault in faults for edit in fault.edits], is_inherited=True)
    points, message = lab_five.evaluate(lab, "mended")
    for fault in faults:
        wanted, told = LEFT[fault.kind]
        assert told in message
        assert wanted < 3 or f"stops at {fault.node}" in message
    assert points == max(0, wanted + 1 - len(faults))


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
def test_what_is_no_specification_is_told(text, told):
    with pytest.raises(checks.Wrong, match=told):
        pipeline_spec.parsed(text, "it.yaml")
