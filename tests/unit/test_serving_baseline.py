"""The model in service as a baseline: what the traffic file says, and no other version."""

from __future__ import annotations

from types import SimpleNamespace

import lineage_store
import pytest
from lineage_store import FIRST_VERSION

from engines.lineage import LineageError
from flights.config import Config
from serving import traffic
from serving.traffic import Traffic

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return lineage_store.make(tmp_path_factory.mktemp("store"))


@pytest.fixture
def resolve(made):
    from serving.baseline import ModelInServiceStrategy

    opened, numbers = made

    def ask() -> list[int]:
        asked = ModelInServiceStrategy(str(opened.serving("delays")), "delays")
        models = [SimpleNamespace(id=number) for number in numbers.values()]
        return [one.id for one in asked.resolve_artifacts(opened.store, {"model": models})["model"]]

    yield ask
    traffic.write(opened.serving("delays"), None)


def test_the_champion_is_the_baseline_and_without_a_traffic_file_the_newest_version(made, resolve):
    opened, numbers = made
    assert resolve() == [numbers["again"]]
    traffic.write(opened.serving("delays"), Traffic(FIRST_VERSION, challenger=FIRST_VERSION + 3, share=0.5))
    assert resolve() == [numbers["first"]]


def test_a_champion_that_the_store_does_not_know_is_no_baseline(made, resolve):
    opened, _ = made
    traffic.write(opened.serving("delays"), Traffic(99))
    with pytest.raises(LineageError, match="There is no version 99 of pipeline delays in this store"):
        resolve()


def test_where_nothing_was_pushed_there_is_no_baseline(made, tmp_path):
    from serving.baseline import ModelInServiceStrategy

    asked = ModelInServiceStrategy(str(tmp_path / "serving"))
    assert asked.resolve_artifacts(made[0].store, {"model": []}) == {"model": []}


def test_the_pipeline_takes_the_champion_where_it_is_told_to(tmp_path):
    from tfx.dsl.components.common import resolver

    from flights.pipeline import create_components
    from serving.baseline import ModelInServiceStrategy

    nodes = create_components(Config(output_root=str(tmp_path), baseline="champion"))
    node = nodes["ModelInService"]
    assert "LatestBlessedModel" not in nodes
    assert node.exec_properties[resolver.RESOLVER_STRATEGY_CLASS] is ModelInServiceStrategy
    assert node.exec_properties[resolver.RESOLVER_CONFIG] == {
        "serving_root": str(tmp_path / "serving"),
        "pipeline": "flights",
    }
    evaluator = nodes["Evaluator"]
    assert evaluator.inputs["baseline_model"].get_data_dependent_node_ids() == {"ModelInService"}


def test_another_baseline_is_refused():
    with pytest.raises(ValueError, match="baseline='newest': choose 'blessed' or 'champion'"):
        Config(baseline="newest")
