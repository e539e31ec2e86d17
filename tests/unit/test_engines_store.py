"""The metadata store after a killed run: what is put in order and what is left alone. The stores are made by hand."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import relocation, store
from engines.errors import EngineError
from engines.lineage import Lineage
from flights.config import Config


class Pipeline:
    """A pipeline's folder and metadata store, laid out as TFX lays them out."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(output_root=str(folder))
        self.store = store.open_store(self.config)
        self.serving = Path(self.config.serving_root)

    def execute(self, node: str, state: int, output: str = "output", artifact_state: int | None = None, **properties):
        """Records an execution with a node context and its output folder; with `artifact_state`, an artifact too."""
        execution_type = self.store.put_execution_type(mlmd.ExecutionType(name=f"tfx.{node}"))
        context_type = self.store.put_context_type(mlmd.ContextType(name="node"))
        artifact_type = self.store.put_artifact_type(mlmd.ArtifactType(name=output))
        found = self.store.get_context_by_type_and_name("node", f"flights.{node}")
        context = found or mlmd.Context(type_id=context_type, name=f"flights.{node}")
        execution = mlmd.Execution(type_id=execution_type, last_known_state=state)
        execution.id, _, _ = self.store.put_execution(execution, [], [context])
        folder = Path(self.config.pipeline_root) / node / output / str(execution.id)
        folder.mkdir(parents=True)
        (folder / "data").write_text("data")
        if artifact_state is not None:
            artifact = mlmd.Artifact(type_id=artifact_type, uri=str(folder), state=artifact_state)
            for name, value in properties.items():
                field = "int_value" if isinstance(value, int) else "string_value"
                setattr(artifact.custom_properties[name], field, value)
            (artifact.id,) = self.store.put_artifacts([artifact])
            self.output(execution.id, artifact.id)
        return execution.id, folder

    def output(self, execution: int, artifact: int) -> None:
        """Says that an execution has an artifact as output."""
        event = mlmd.Event(type=mlmd.Event.OUTPUT, execution_id=execution, artifact_id=artifact)
        self.store.put_events([event])

    def push(self, version: str, complete: bool = True) -> Path:
        """A folder under serving, with all files or without the last."""
        folder = self.serving / version
        (folder / "variables").mkdir(parents=True)
        if complete:
            (folder / "saved_model.pb").write_text("model")
        return folder

    def states(self) -> list[str]:
        return [mlmd.Execution.State.Name(execution.last_known_state) for execution in self.store.get_executions()]


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path)


COMPLETE, RUNNING, NEW = mlmd.Execution.COMPLETE, mlmd.Execution.RUNNING, mlmd.Execution.NEW
LIVE, PENDING = mlmd.Artifact.LIVE, mlmd.Artifact.PENDING


# --- Repair -------------------------------------------------------------------------------------------------------


def test_nothing_to_repair_creates_nothing(tmp_path):
    assert store.repair(Config(output_root=str(tmp_path / "new"))) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("state", [RUNNING, NEW])
def test_execution_that_was_killed_becomes_failed_and_its_output_goes(state, pipeline):
    _, kept = pipeline.execute("Transform", COMPLETE, artifact_state=LIVE)
    _, half = pipeline.execute("Trainer", state)
    assert store.repair(pipeline.config) == ["Trainer"]
    assert pipeline.states() == ["COMPLETE", "FAILED"]
    assert (kept / "data").read_text() == "data"
    assert not half.exists()


@pytest.mark.parametrize("state", ["COMPLETE", "CACHED", "FAILED", "CANCELED"])
def test_execution_that_ended_keeps_its_state(state, pipeline):
    pipeline.execute("Trainer", mlmd.Execution.State.Value(state))
    assert store.repair(pipeline.config) == []
    assert pipeline.states() == [state]


def test_output_of_a_failed_execution_goes(pipeline):
    _, half = pipeline.execute("Trainer", mlmd.Execution.FAILED)
    store.repair(pipeline.config)
    assert not half.exists()


def test_artifact_that_was_only_announced_is_abandoned(pipeline):
    pipeline.execute("Trainer", RUNNING, artifact_state=PENDING)
    pipeline.execute("Transform", COMPLETE, artifact_state=LIVE)
    store.repair(pipeline.config)
    states = [artifact.state for artifact in pipeline.store.get_artifacts()]
    assert states == [mlmd.Artifact.ABANDONED, LIVE]


def test_scratch_of_all_components_is_emptied(pipeline):
    for node in ("Trainer", "Transform"):
        scratch = Path(pipeline.config.pipeline_root) / node / ".system" / "executor_execution" / "7"
        scratch.mkdir(parents=True)
    store.repair(pipeline.config)
    assert not list(Path(pipeline.config.pipeline_root).glob("*/.system/*/*"))


def test_half_pushed_version_goes_and_complete_ones_stay(pipeline):
    whole, half = pipeline.push("100"), pipeline.push("200", complete=False)
    store.repair(pipeline.config)
    assert whole.exists()
    assert not half.exists()


def test_what_is_no_version_is_left_alone(pipeline):
    (pipeline.serving / "notes").mkdir(parents=True)
    (pipeline.serving / "config.txt").write_text("mine")
    store.repair(pipeline.config)
    assert sorted(path.name for path in pipeline.serving.iterdir()) == ["config.txt", "notes"]


def test_version_that_a_killed_pusher_never_recorded_goes(pipeline):
    """It is complete, but nothing says which model it is; the next run pushes that model again."""
    push_execution(pipeline, "100")
    pipeline.execute("Pusher", RUNNING, output="PushedModel")
    after = pipeline.push(str(int(time.time()) + 1))
    store.repair(pipeline.config)
    assert not after.exists()
    assert store.latest_version(pipeline.config).name == "100"


def test_version_that_nobody_recorded_stays_when_no_pusher_was_killed(pipeline):
    by_hand = pipeline.push(str(int(time.time()) + 1))
    pipeline.execute("Trainer", RUNNING)
    store.repair(pipeline.config)
    assert by_hand.exists()


def test_version_that_is_gone_is_pushed_again_instead_of_said_to_be_there(pipeline):
    """TFX takes nothing from the cache of which the folder is gone (`artifact_utils.verify_artifacts`)."""
    kept = {}
    for version in ("100", "200", "300"):
        properties = {"pushed": 1, "pushed_version": version}
        _, kept[version] = pipeline.execute("Pusher", COMPLETE, "PushedModel", LIVE, **properties)
    pipeline.push("100")
    pipeline.push("200", complete=False)
    store.repair(pipeline.config)
    assert [version for version, folder in kept.items() if folder.exists()] == ["100"]


def test_second_repair_finds_nothing(pipeline):
    pipeline.execute("Trainer", RUNNING)
    assert store.repair(pipeline.config) == ["Trainer"]
    assert store.repair(pipeline.config) == []


def test_published_outputs_survive_a_folder_named_in_another_way(pipeline, tmp_path, monkeypatch):
    """A run from another working folder, or of a pipeline that was moved, must not take published artifacts for remains."""
    _, kept = pipeline.execute("Transform", COMPLETE, artifact_state=LIVE)
    monkeypatch.chdir(tmp_path.parent)
    store.repair(Config(output_root=tmp_path.name))
    assert kept.exists()
    monkeypatch.chdir("/")
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    os.rename(tmp_path, moved)
    store.repair(Config(output_root=str(moved)))
    assert (moved / kept.relative_to(tmp_path)).exists()


# --- A folder that was moved or copied ----------------------------------------------------------------------------


@pytest.fixture
def used(tmp_path) -> Pipeline:
    """A pipeline that has trained, blessed and pushed a model, and has failed once."""
    pipeline = Pipeline(tmp_path / "first")
    _, model = pipeline.execute("Trainer", COMPLETE, output="model", artifact_state=LIVE)
    pipeline.execute("Evaluator", COMPLETE, output="blessing", artifact_state=LIVE, current_model=str(model), blessed=1)
    pushed = str(pipeline.push("100"))
    pipeline.execute(
        "Pusher",
        COMPLETE,
        output="PushedModel",
        artifact_state=LIVE,
        pushed=1,
        pushed_version="100",
        pushed_destination=pushed,
    )
    pipeline.execute("Trainer", mlmd.Execution.FAILED, output="model", artifact_state=mlmd.Artifact.ABANDONED)
    store.repair(pipeline.config)
    return pipeline


def paths(config: Config) -> list[str]:
    """All that the artifacts of a store name and that begins with a slash."""
    artifacts = store.open_store(config).get_artifacts()
    values = [value.string_value for artifact in artifacts for value in artifact.custom_properties.values()]
    return [path for path in [*(artifact.uri for artifact in artifacts), *values] if path.startswith("/")]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("original", ["gone", "there", "replaced"])
def test_store_names_the_artifacts_where_they_are_after_a_move_and_after_a_copy(original, used, tmp_path):
    """A copy reads nothing of the original, and changes nothing in it."""
    first, second = tmp_path / "first", Config(output_root=str(tmp_path / "second"))
    shutil.copytree(first, second.output_root)
    if original != "there":
        shutil.rmtree(first)
    if original == "replaced":
        Pipeline(first).execute("Trainer", COMPLETE, output="model", artifact_state=LIVE)
    before = content(first)
    assert len(paths(second)) == 6
    kept = Path(second.metadata_path).read_bytes()
    for_readers = Lineage.of_file(second.metadata_path).graph.artifacts.values()
    assert Path(second.metadata_path).read_bytes() == kept
    store.repair(second)
    assert len(paths(second)) == 6
    lives = [one for one in store.open_store(second).get_artifacts() if one.state == LIVE]
    assert [one.uri for one in for_readers if one.state == LIVE] == [one.uri for one in lives]
    assert all(path.startswith(f"{second.output_root}/") for path in paths(second))
    assert content(first) == before
    (model,) = [one for one in store.open_store(second).get_artifacts_by_type("model") if one.state == LIVE]
    assert (Path(model.uri) / "data").read_text() == "data"
    assert store.latest_verdict(second) == f"Blessed and pushed: {second.serving_root}/100"


def test_move_is_recorded_once(used, tmp_path):
    second = Config(output_root=str(tmp_path / "second"))
    (tmp_path / "first").rename(second.output_root)
    store.repair(second)
    store.repair(second)
    (record,) = store.open_store(second).get_contexts_by_type(relocation.CONTEXT)
    assert record.properties["from"].string_value == str(tmp_path / "first/artifacts")
    assert record.properties["to"].string_value == str(tmp_path / "second/artifacts")


def test_folder_can_be_moved_again_and_back(used, tmp_path):
    before = paths(used.config)
    for name in ("second", "third", "first"):
        os.rename(used.config.output_root, tmp_path / "next")
        used.config = Config(output_root=str(tmp_path / name))
        os.rename(tmp_path / "next", used.config.output_root)
        store.repair(used.config)
        assert all(path.startswith(f"{tmp_path / name}/") for path in paths(used.config))
    assert paths(used.config) == before


def test_another_name_of_the_same_folder_changes_nothing(used, tmp_path):
    """TFX's cache compares paths: nothing may be run anew because somebody came by a link."""
    (tmp_path / "link").symlink_to(tmp_path / "first")
    before = paths(used.config)
    for name in ("link", "first/../first"):
        store.repair(Config(output_root=str(tmp_path / name)))
        assert paths(used.config) == before


def test_model_of_another_pipeline_stays_where_it_is(used, tmp_path):
    """Its path ends with the number of an execution over there, which is not the one that imported it."""
    other = Pipeline(tmp_path / "other")
    other.execute("Trainer", COMPLETE, output="model", artifact_state=LIVE)
    imported, _ = other.execute("Importer", COMPLETE)
    kind = other.store.get_artifact_type("model").id
    theirs = str(tmp_path / "first/artifacts/Trainer/model/1")
    (artifact,) = other.store.put_artifacts([mlmd.Artifact(type_id=kind, uri=theirs)])
    other.output(imported, artifact)
    store.repair(other.config)
    assert theirs in paths(other.config)


# --- Questions to the store ---------------------------------------------------------------------------------------


def test_newest_version_is_the_largest_number_and_not_the_last_word(pipeline):
    for version in ("9", "10", "temporary"):
        pipeline.push(version)
    pipeline.push("11", complete=False)
    assert store.latest_version(pipeline.config).name == "10"


def test_no_version_is_told_with_what_to_do(pipeline):
    with pytest.raises(FileNotFoundError, match="A run of the pipeline trains one"):
        store.latest_version(pipeline.config)


@pytest.mark.parametrize(("state", "cached"), [(mlmd.Execution.CACHED, True), (COMPLETE, False)])
def test_newest_execution_decides_whether_the_cache_was_used(state, cached, pipeline):
    pipeline.execute("Transform", mlmd.Execution.CACHED if not cached else COMPLETE)
    pipeline.execute("Trainer", state)
    assert store.newest_was_cached(pipeline.config) is cached


def test_node_whose_inputs_could_not_be_found_ends_the_run(pipeline):
    """TFX's resolver node leaves its execution as failed, and returns (`resolver_node_handler.py`)."""
    pipeline.execute("LatestBlessedModel", mlmd.Execution.FAILED)
    with pytest.raises(
        EngineError, match=r"LatestBlessedModel has failed: its inputs could not be found \(execution 1 in"
    ):
        store.newest_was_cached(pipeline.config)


# --- The verdict --------------------------------------------------------------------------------------------------


def push_execution(pipeline: Pipeline, version: str | None) -> int:
    properties = {"pushed": 0} if version is None else {"pushed": 1, "pushed_version": version}
    execution, _ = pipeline.execute("Pusher", COMPLETE, output="PushedModel", artifact_state=LIVE, **properties)
    if version is not None:
        pipeline.push(version)
    return execution


def test_verdict_before_any_evaluation(pipeline):
    assert store.latest_verdict(pipeline.config) == "No model was evaluated yet."


def test_verdict_on_a_blessed_model_says_where_it_is(pipeline):
    push_execution(pipeline, "100")
    assert store.latest_verdict(pipeline.config) == f"Blessed and pushed: {pipeline.serving / '100'}"


def test_verdict_on_a_refused_model_after_a_blessed_one(pipeline):
    push_execution(pipeline, "100")
    push_execution(pipeline, None)
    assert store.latest_verdict(pipeline.config).startswith("Refused")


def test_verdict_on_a_run_from_the_cache_is_that_of_its_own_candidate(pipeline):
    """Blessed, then another candidate refused, then the first one again, all from the cache."""
    push_execution(pipeline, "100")
    (first,) = pipeline.store.get_artifacts_by_type("PushedModel")
    push_execution(pipeline, None)
    again, _ = pipeline.execute("Pusher", mlmd.Execution.CACHED, output="unused")
    pipeline.output(again, first.id)
    assert store.latest_verdict(pipeline.config) == f"Blessed and pushed: {pipeline.serving / '100'}"


def test_verdict_says_when_another_version_is_the_newest(pipeline):
    push_execution(pipeline, "100")
    (first,) = pipeline.store.get_artifacts_by_type("PushedModel")
    push_execution(pipeline, "200")
    again, _ = pipeline.execute("Pusher", mlmd.Execution.CACHED, output="unused")
    pipeline.output(again, first.id)
    said = store.latest_verdict(pipeline.config)
    assert "version 100 by an earlier run" in said
    assert said.endswith("/200")
