"""Lineage, on a store whose answers are known by construction: warm starts, caches, two pipelines, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter

import lineage_store
import pytest
from lineage_store import FIRST_VERSION, checksum
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines.events import Graph
from engines.lineage import Lineage, LineageError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return lineage_store.make(tmp_path_factory.mktemp("lineage"))


@pytest.fixture(scope="module")
def at(made):
    return made[1]


@pytest.fixture(scope="module")
def lineage(made):
    return Lineage.of_file(made[0].path)


def spans(uses) -> list[int]:
    return [use.file.span for use in uses]


# --- backward ---------------------------------------------------------------------------------------------------------


def test_a_version_comes_from_the_months_that_its_model_was_trained_on(lineage, at):
    told = lineage.version(FIRST_VERSION)
    [use] = told.model.trained_on
    assert told.push.model == told.model.artifact == at["first"]
    assert (use.file.path, use.file.span, use.file.checksum) == ("span-01/flights.csv", 1, checksum(1))
    assert (use.splits, set(use.by)) == (("train",), {"Transform", "Trainer"})
    assert spans(told.model.validated_on) == [2]
    assert told.model.schema.artifact == at["schema"]
    assert told.model.schema.checksum == "0abc"
    assert told.model.transform_graph.step.node == "Transform"
    assert told.model.code["Trainer"] == "code of Trainer"
    assert told.model.code["Transform"] == "code of Transform"
    assert told.model.code["CsvExampleGen"] == "1e5"  # no number
    assert told.model.settings == {"learning_rate": 0.003}
    assert (told.model.hyperparameters, told.model.base) == (None, None)
    assert (told.push.step.node, told.push.step.run, told.push.step.pipeline) == ("Pusher", "delays-1", "delays")
    [verdict] = told.verdicts
    assert (verdict.blessed, verdict.baseline, spans(verdict.judged_on)) == (True, None, [2])


def test_the_data_of_the_baseline_did_not_make_the_model(lineage, at):
    """The walk over everything that Pusher read does say so: it goes through the blessing."""
    told = lineage.version(FIRST_VERSION + 3)
    assert [verdict.baseline for verdict in told.verdicts] == [at["warm"]]
    assert {(use.file.span, use.file.checksum) for use in told.model.trained_on} == {(1, checksum(1, 2))}
    assert told.model.base is None

    naive = lineage.graph.before(told.push.artifact)
    trainings = [one for one in naive if lineage.graph.step(one).node == "Trainer"]
    assert {lineage.graph.makers[at[name]] for name in ("again", "warm", "first")} == set(trainings)


def test_the_model_that_a_warm_start_went_on_from_is_an_ancestor(lineage, at):
    model = lineage.model(at["third"])
    assert [one.artifact for one in model.generations] == [at["third"], at["warm"], at["first"]]
    assert [spans(one.trained_on) for one in model.generations] == [[3], [2], [1]]


def test_a_search_for_hyperparameters_is_told_with_what_it_chose(lineage):
    told = lineage.version(FIRST_VERSION + 2, pipeline="delays")
    assert told.model.hyperparameters.step.node == "Tuner"
    assert told.model.trial == {"dropout": 0.2}
    assert "code of Tuner" in told.model.code["Tuner"]
    [use] = told.model.trained_on  # the base model, which the Tuner went on from as well, has others
    assert (use.file.span, set(use.by)) == (2, {"Transform", "Tuner", "Trainer"})


def test_a_model_that_was_pushed_twice_has_the_verdict_of_each_push(lineage, at):
    first, second = lineage.version(FIRST_VERSION), lineage.version(str(FIRST_VERSION + 1))
    assert first.model == second.model
    assert [verdict.baseline for verdict in first.verdicts] == [None]
    assert [verdict.baseline for verdict in second.verdicts] == [at["first"]]
    assert [push.version for push in first.model.pushes] == [first.push.version, second.push.version]


def test_what_the_cache_gave_is_no_second_model_verdict_or_push(lineage, at):
    """Run 3 was all from the cache."""
    model = lineage.model(at["first"])
    assert len(lineage.models()) == 6
    assert (len(model.verdicts), len(model.pushes)) == (2, 2)
    assert [push.step.run for push in model.pushes] == ["delays-1", "delays-2"]
    assert model.step.run == "delays-1"


def test_what_became_of_a_model(lineage, at):
    outcomes = {name: lineage.model(number).outcome for name, number in at.items() if name != "schema"}
    refused = {"refused": "refused", "third": "refused"}
    assert outcomes == dict.fromkeys(("first", "warm", "again", "other"), "pushed") | refused
    third = lineage.model(at["third"])
    assert {(verdict.kind, verdict.blessed, verdict.reason) for verdict in third.verdicts} == {
        ("ModelBlessing", True, ""),
        ("InfraBlessing", False, "no answer"),
    }
    assert all(spans(verdict.judged_on) == [4] or verdict.kind == "InfraBlessing" for verdict in third.verdicts)


def test_versions_of_two_pipelines_are_told_apart(lineage, at):
    with pytest.raises(LineageError, match=r"was pushed by cancellations and by delays\. Name one with --pipeline"):
        lineage.version(FIRST_VERSION + 2)
    assert lineage.version(FIRST_VERSION + 2, "cancellations").model.artifact == at["other"]
    assert lineage.version(FIRST_VERSION + 2, "delays").model.artifact == at["warm"]
    assert [push.version for push in lineage.versions("cancellations")] == [str(FIRST_VERSION + 2)]


def test_a_version_that_is_not_there_names_those_that_are(lineage, made):
    with pytest.raises(
        LineageError, match=f"no version 7 of pipeline cancellations .* versions: {FIRST_VERSION + 2}\\."
    ):
        lineage.version(7, "cancellations")
    with pytest.raises(LineageError, match=rf"There is no version 7 in this store\. .* {FIRST_VERSION}, "):
        lineage.version(7, serving_root=str(made[0].serving("delays")))


def test_a_folder_that_was_pushed_by_hand_is_called_so(lineage, made, tmp_path):
    (tmp_path / "7").mkdir()
    with pytest.raises(LineageError, match=r"/7 was pushed by no pipeline of this store: by hand, or"):
        lineage.version(7, serving_root=str(tmp_path))


def test_what_the_store_cannot_say_is_said(tmp_path):
    store, at = lineage_store.make(tmp_path / "own")
    told = Lineage.of_file(store.path).version(FIRST_VERSION + 2, "delays")
    assert [sentence for sentence in told.unknown if "predictions" not in sentence] == []

    shutil.rmtree(told.push.folder)
    shutil.rmtree(told.model.base.uri)
    shutil.rmtree(told.model.hyperparameters.uri)
    told = Lineage.of_file(store.path).version(FIRST_VERSION + 2, "delays")
    said = "\n".join(told.unknown)
    assert f"its folder {told.push.folder} is gone" in said
    assert f"What model {at['first']} was: its folder {told.model.base.uri} is deleted" in said
    assert f"Which trial the Tuner chose for model {at['warm']}" in said

    told = Lineage.of_file(store.path).version(FIRST_VERSION + 2, "cancellations")
    assert any("span-01/flights.csv: no checksum was recorded" in sentence for sentence in told.unknown)


@pytest.mark.parametrize(
    ("contexts", "engine"),
    [
        ({"pipeline_run": "manual__2026-11-29T23:22:46+00:00", "node": "p.Trainer"}, "Airflow"),
        ({"pipeline_run": "scheduled__2013-02-01T00:00:00+00:00", "node": "p.Trainer"}, "Airflow"),
        ({"run": "p.2026-11-29T22:15:29.103315", "component_run": "p.2026-11-29T22:15:29.103315.Trainer"}, "notebook"),
        ({"pipeline_run": "2026-11-30T01:25:09.610256", "node": "p.Trainer"}, ""),
    ],
)
def test_the_engine_is_told_where_the_record_shows_it(contexts, engine, tmp_path):
    """The contexts are copied from stores that Airflow 3.3, `InteractiveContext` and `LocalDagRunner` of TFX 1.21 have written."""
    store = lineage_store.Store(tmp_path).store
    kind = store.put_execution_type(mlmd.ExecutionType(name="tfx.components.trainer.component.Trainer"))
    made = [
        mlmd.Context(type_id=store.put_context_type(mlmd.ContextType(name=type_)), name=name)
        for type_, name in ({"pipeline": "p"} | contexts).items()
    ]
    execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.COMPLETE)
    number, _, _ = store.put_execution(execution, [], made)
    step = Graph(store).step(number)
    run = contexts.get("pipeline_run") or contexts["run"]
    assert (step.node, step.pipeline, step.run, step.engine) == ("Trainer", "p", run, engine)


# --- forward ----------------------------------------------------------------------------------------------------------

TRUTH = {
    1: {
        "first": "trained",
        "warm": "inherited",
        "refused": "trained",
        "third": "inherited",
        "again": "trained",
        "other": "trained",
    },
    2: {"first": "evaluated", "warm": "trained", "refused": "trained", "third": "inherited"},
    3: {"warm": "evaluated", "refused": "evaluated", "third": "trained"},
    4: {"third": "evaluated"},
}


@pytest.mark.parametrize("span", TRUTH)
def test_which_models_a_month_has_reached_and_how(span, lineage, at):
    names = {number: name for name, number in at.items()}
    assert {names[one.model.artifact]: one.how for one in lineage.reached(span=span)} == TRUTH[span]


def test_through_which_models_a_month_was_inherited(lineage, at):
    through = {one.model.artifact: one.through for one in lineage.reached(span=1) if one.how == "inherited"}
    assert through == {at["warm"]: (at["first"],), at["third"]: (at["warm"], at["first"])}


def test_a_failed_training_and_the_cache_reach_nothing(lineage):
    counted = Counter(one.model.artifact for one in lineage.reached(span=1))
    assert set(counted.values()) == {1}


def test_two_deliveries_of_a_month_are_told_apart_by_their_contents(lineage, at):
    again = lineage.reached(span=1, checksum=checksum(1, 2)[:8])
    assert [one.model.artifact for one in again] == [at["again"]]
    before = {one.model.artifact for one in lineage.reached(checksum=checksum(1).upper())}
    assert before == {at[name] for name in ("first", "warm", "refused", "third")}


def test_only_the_models_of_one_pipeline(lineage, at):
    assert [one.model.artifact for one in lineage.reached(span=1, pipeline="cancellations")] == [at["other"]]


def test_forward_from_any_artifact(lineage, at):
    def how(number):
        return {one.model.artifact: one.how for one in lineage.reached(artifact=number)}

    assert how(at["schema"]) == {at[name]: "trained" for name in ("first", "warm", "refused", "third", "again")}
    assert how(at["first"]) == {at["first"]: "trained", at["warm"]: "inherited", at["third"]: "inherited"}
    examples = lineage.model(at["warm"]).trained_on[0].examples
    assert how(examples) == {at["warm"]: "trained", at["third"]: "inherited"}
    graph = lineage.model(at["warm"]).transform_graph.artifact
    assert how(graph) == {at["warm"]: "trained", at["third"]: "inherited"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"span": 9}, r"has read span 9\. It knows span-01/flights\.csv \(no checksum\), .*010101010101"),
        ({"span": 2, "checksum": "ff"}, "has read span 2, a file whose checksum begins with ff"),
        ({"artifact": 99_999}, "no artifact 99999"),
    ],
)
def test_what_reached_nothing_is_said_with_what_there_is(asked, said, lineage):
    with pytest.raises(LineageError, match=said):
        lineage.reached(**asked)


def test_a_schema_that_was_inferred_comes_from_data(tmp_path):
    """TFX's SchemaGen reads statistics of all splits that were not excluded."""
    store = lineage_store.Store(tmp_path)
    store.begin()
    examples = store.ingest("delays", (1, 2))
    made = {"statistics": ("ExampleStatistics", {})}
    statistics = store.execute("delays", "StatisticsGen", {"examples": examples}, made, {"exclude_splits": []})
    schema = store.execute("delays", "SchemaGen", statistics, {"schema": ("Schema", {})}, {"exclude_splits": []})
    _, model = store.train("delays", examples, schema["schema"])
    [one, two] = Lineage.of_file(store.path).model(model).trained_on
    assert (one.file.span, set(one.by)) == (1, {"StatisticsGen", "Transform", "Trainer"})
    assert (two.file.span, set(two.by)) == (2, {"StatisticsGen"})


def test_the_defaults_of_tfx_where_nothing_was_said_of_splits(tmp_path):
    """Transform analyses `train`, Trainer learns from `train` and evaluates on `eval`, as does the Evaluator."""
    store = lineage_store.Store(tmp_path)
    store.begin()
    examples = store.ingest("delays", (1, 2))
    graph = {"transform_graph": ("TransformGraph", {})}
    ready = store.execute("delays", "Transform", {"examples": examples}, graph, {"module_file": "features.py"})
    given = {"examples": examples, **ready}
    trained = store.execute("delays", "Trainer", given, {"model": ("Model", {})}, {"train_args": {}, "eval_args": {}})
    judged = {"examples": examples, **trained}
    blessing = {"blessing": ("ModelBlessing", {"blessed": 1})}
    store.execute("delays", "Evaluator", judged, blessing, {"eval_config": {}, "example_splits": "null"})
    model = Lineage.of_file(store.path).model(trained["model"])
    assert [(use.file.span, set(use.by)) for use in model.trained_on] == [(1, {"Transform", "Trainer"})]
    assert spans(model.validated_on) == spans(model.verdicts[0].judged_on) == [2]


def test_examples_of_a_query_are_told_by_their_artifact(tmp_path):
    """BigQueryExampleGen reads no files, and stores of other projects may say nothing of splits."""
    store = lineage_store.Store(tmp_path)
    store.begin()
    made = store.execute("delays", "CsvExampleGen", {}, {"examples": ("Examples", {"span": 3})}, {"query": "SELECT 1"})
    schema = store.execute("delays", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    _, model = store.train("delays", made["examples"], schema)
    store.push("delays", model, {}, FIRST_VERSION)
    found = Lineage.of_file(store.path)
    [use] = found.model(model).trained_on
    assert (use.examples, use.file.span, use.file.path, use.splits) == (made["examples"], 3, "", ("train",))
    assert [one.how for one in found.reached(span=3)] == ["trained"]
    assert any("What was in the examples: no checksum" in one for one in found.version(FIRST_VERSION).unknown)


@pytest.mark.parametrize(("name", "kind"), [("inference_result", "InferenceResult"), ("output_examples", "Examples")])
def test_predictions_that_a_pipeline_has_made_are_told(name, kind, tmp_path):
    store = lineage_store.Store(tmp_path)
    store.begin()
    examples = store.ingest("delays", (1, 2))
    schema = store.execute("delays", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    _, model = store.train("delays", examples, schema)
    store.push("delays", model, {}, FIRST_VERSION)
    asked = store.ingest("delays", (3, 3))
    made = store.execute("delays", "BulkInferrer", {"examples": asked, "model": model}, {name: (kind, {})})
    found = Lineage.of_file(store.path)
    told = found.version(FIRST_VERSION)
    assert told.model.predictions == (found.graph.artifacts[made[name]].uri,)
    assert told.unknown[0].startswith("Which single requests the version has answered")
    with pytest.raises(LineageError, match="No model of this store has read span 3"):
        found.reached(span=3)  # it was asked about it, and has not learned from it


# --- the store --------------------------------------------------------------------------------------------------------


class Counted:
    """A store that counts how often it is asked."""

    def __init__(self, store):
        self.store, self.calls = store, Counter()

    def __getattr__(self, name):
        def call(*given, **named):
            self.calls[name] += 1
            return getattr(self.store, name)(*given, **named)

        return call


def test_an_answer_asks_the_store_as_often_however_much_it_holds(tmp_path):
    store, _ = lineage_store.make(tmp_path)

    def calls() -> dict[str, int]:
        counted = Counted(store.store)
        found = Lineage(counted)
        found.version(FIRST_VERSION)
        return counted.calls

    before = calls()
    assert sum(before.values()) == before["get_contexts_by_execution"] + 3
    assert before["get_contexts_by_execution"] <= 40
    for version in range(5):
        store.begin()
        examples = store.ingest("delays", (5, 6))
        schema = store.execute("delays", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
        _, model = store.train("delays", examples, schema)
        store.push("delays", model, {}, FIRST_VERSION + 100 + version)
    assert calls() == before


def test_an_empty_store_has_no_version(tmp_path):
    with pytest.raises(LineageError, match="Recorded versions: none"):
        Lineage.of_file(lineage_store.Store(tmp_path).path).version(1)


def test_no_store_is_made_where_there_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no metadata store at"):
        Lineage.of_file(tmp_path / "metadata.sqlite")
    assert not list(tmp_path.iterdir())


def test_an_answer_is_plain_data(lineage):
    told = dataclasses.asdict(lineage.version(FIRST_VERSION + 3))
    assert json.loads(json.dumps(told))["model"]["artifact"] == told["model"]["artifact"]
