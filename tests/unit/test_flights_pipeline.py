"""How the pipeline is put together: the order, what depends on what, and what makes a cached result stale. Nothing is run."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest

from engines.quiet import import_quietly
from flights.config import Config
from flights.plan import AGREED, Plan

pytestmark = pytest.mark.xdist_group("tfx")

NODES = [
    "CsvExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "LatestBlessedModel",
    "Evaluator",
    "Pusher",
]


@pytest.fixture(scope="module")
def pipeline():
    import_quietly()
    return importlib.import_module("flights.pipeline")


def needs(node) -> set[str]:
    """Ids of the nodes that must have run before this one: those whose outputs it takes, and those it waits for."""
    producers = {name for given in node.inputs.values() for name in given.get_data_dependent_node_ids()}
    return producers | {upstream.id for upstream in node.upstream_nodes}


def ancestors(components, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = needs(components[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("months", [(1, 1), (1, 3), (8, 11)])
def test_components_are_in_an_order_in_which_they_can_run(months, pipeline):
    """A notebook runs them one by one in this order, with no orchestrator to sort them."""
    components = pipeline.create_components(Config(months=months))
    assert list(components) == NODES
    assert all(node.id == name for name, node in components.items())
    done: set[str] = set()
    for name, node in components.items():
        assert needs(node) <= done, f"{name} runs before {needs(node) - done}"
        done.add(name)


ALL = {"tune": True, "warm_start": True, "tracking_uri": "sqlite:///runs.db"}


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"tune": True}, [*NODES[:6], "Tuner", *NODES[6:]]),
        ({"warm_start": True}, [*NODES[:6], "LatestBlessedModel", "Trainer", "Evaluator", "Pusher"]),
        ({"tracking_uri": "sqlite:///runs.db"}, [*NODES, "ExperimentTracker"]),
        ({"infra_check": True}, [*NODES[:-1], "InfraCheck", "Pusher"]),
        ({"infra_check": "docker"}, [*NODES[:-1], "InfraValidator", "Pusher"]),
        (ALL, [*NODES[:6], "LatestBlessedModel", "Tuner", "Trainer", "Evaluator", "Pusher", "ExperimentTracker"]),
    ],
)
def test_each_switch_adds_its_component_where_it_can_run(switches, expected, pipeline):
    components = pipeline.create_components(Config(months=(1, 3), **switches))
    assert list(components) == expected
    done: set[str] = set()
    for name, node in components.items():
        assert needs(node) <= done, f"{name} runs before {needs(node) - done}"
        done.add(name)


def test_switches_connect_what_they_add(pipeline):
    components = pipeline.create_components(Config(months=(1, 3), **ALL))
    tuner, trainer = components["Tuner"], components["Trainer"]
    assert trainer.inputs["hyperparameters"] is tuner.outputs["best_hyperparameters"]
    for node in (tuner, trainer):
        assert node.inputs["base_model"].get_data_dependent_node_ids() == {"LatestBlessedModel"}
    # It holds out days, and of transformed examples nobody knows the day.
    assert tuner.inputs["examples"] is components["CsvExampleGen"].outputs["examples"]
    assert "DataGate" in ancestors(components, "Tuner")
    plain = pipeline.create_components(Config())["Trainer"].inputs
    assert not {"hyperparameters", "base_model"} & set(plain)


@pytest.mark.parametrize(("given", "name"), [(True, "InfraCheck"), ("docker", "InfraValidator")])
def test_what_cannot_be_served_is_not_pushed(given, name, pipeline):
    """Either looks at the model that Pusher would copy, by examples of the evaluation; Pusher takes its blessing as well as the Evaluator's."""
    components = pipeline.create_components(Config(months=(1, 3), infra_check=given))
    check, pusher = components[name], components["Pusher"]
    assert check.inputs["model"] is pusher.inputs["model"] is components["Trainer"].outputs["model"]
    assert check.inputs["examples"] is components["CsvExampleGen"].outputs["examples"]
    assert pusher.inputs["infra_blessing"] is check.outputs["blessing"]
    assert pusher.inputs["model_blessing"] is components["Evaluator"].outputs["blessing"]
    properties = check.exec_properties
    split = properties["split"] if given is True else json.loads(properties["request_spec"])["split_name"]
    assert split == "month-03"
    assert "infra_blessing" not in pipeline.create_components(Config())["Pusher"].inputs


def test_tfxs_check_asks_the_docker_engine_that_was_asked_for_before_the_run(pipeline, monkeypatch):
    """`docker.DockerClient`, as TFX makes it, would take the socket of the system, and refuse each model in silence where the engine is another."""
    for engine in ("unix:///run/user/1000/docker.sock", ""):
        monkeypatch.setenv("DOCKER_HOST", engine)
        check = pipeline.create_components(Config(infra_check="docker"))["InfraValidator"]
        asked = json.loads(check.exec_properties["serving_spec"])["local_docker"]
        assert asked.get("client_base_url", "") == engine


def test_the_check_runs_again_when_the_server_or_what_it_is_given_was_edited(pipeline, monkeypatch):
    """The fingerprint among its settings is of both: the component's own code imports neither."""
    from engines import sources

    asked = []
    monkeypatch.setattr(pipeline, "_code_of", lambda modules: asked.append(modules) or "code")
    check = pipeline.create_components(Config(infra_check=True))["InfraCheck"]
    assert check.exec_properties["source"] == "code"
    (modules,) = [one for one in asked if "serving.infra_check" in one]
    files = sources.files(*modules)
    assert {"flights.serving.py", "flights.predict.py", "serving.candidate.py", "serving.server.py"} <= set(files)


def test_search_reaches_the_tuner_and_a_bad_one_is_refused_at_once(pipeline, monkeypatch):
    from flights import tuner

    given = json.loads(
        pipeline.create_components(Config(tune=True, tuner_trials=3, seed=5))["Tuner"].exec_properties["custom_config"]
    )
    assert (given["tuner_trials"], given["seed"], given["search_space"]) == (3, 5, tuner.SEARCH_SPACE)
    monkeypatch.setattr(tuner, "SEARCH_SPACE", {"momentum": {"low": 0, "high": 1}})
    with pytest.raises(tuner.SearchSpaceError, match="no setting momentum"):
        pipeline.create_components(Config(tune=True))
    pipeline.create_components(Config())


def test_nothing_is_learned_before_the_gate(pipeline):
    components = pipeline.create_components(Config(months=(1, 3)))
    for name in ("Transform", "Trainer", "Evaluator", "Pusher"):
        assert "DataGate" in ancestors(components, name)
    assert {"Evaluator", "Trainer"} <= ancestors(components, "Pusher")


def test_each_call_makes_components_of_its_own(pipeline):
    first, second = pipeline.create_components(Config()), pipeline.create_components(Config())
    assert not {id(node) for node in first.values()} & {id(node) for node in second.values()}


def test_months_reach_the_components_that_need_them(pipeline):
    components = pipeline.create_components(Config(months=(8, 11)))
    train, evaluate = ["months-08-09", "month-10"], ["month-11"]
    patterns = json.loads(components["CsvExampleGen"].exec_properties["input_config"])["splits"]
    assert [split["name"] for split in patterns] == train + evaluate
    assert json.loads(components["Trainer"].exec_properties["train_args"])["splits"] == train
    assert json.loads(components["Trainer"].exec_properties["eval_args"])["splits"] == evaluate
    assert json.loads(components["Evaluator"].exec_properties["example_splits"]) == evaluate
    splits = json.loads(components["Transform"].exec_properties["splits_config"])
    assert splits == {"analyze": train, "transform": train + evaluate}
    gate = components["DataGate"].exec_properties
    assert (gate["reference_split"], gate["new_split"]) == ("month-10", "month-11")


def test_one_month_has_nothing_to_drift_from(pipeline):
    gate = pipeline.create_components(Config())["DataGate"].exec_properties
    assert (gate["reference_split"], gate["new_split"]) == ("", "")


def test_settings_of_the_training_reach_it(pipeline):
    config = Config(train_epochs=3, batch_size=17, learning_rate=0.5, hidden_units=(4, 2), dropout=0.1, l2=0.2, seed=5)
    given = json.loads(pipeline.create_components(config)["Trainer"].exec_properties["custom_config"])
    assert given.pop("source") == pipeline.source_hash()
    assert given == {
        "materialize": True,
        "train_epochs": 3,
        "batch_size": 17,
        "learning_rate": 0.5,
        "hidden_units": [4, 2],
        "dropout": 0.1,
        "l2": 0.2,
        "seed": 5,
    }


def test_transform_keeps_no_cache_that_no_later_run_would_find(pipeline):
    components = pipeline.create_components(Config())
    assert set(components["Transform"].outputs) == {"transform_graph", "transformed_examples"}


def test_without_transformed_examples_the_trainer_reads_raw_ones(pipeline):
    components = pipeline.create_components(Config(materialize=False))
    assert "transformed_examples" not in components["Transform"].outputs
    assert components["Trainer"].inputs["examples"] is components["CsvExampleGen"].outputs["examples"]
    assert json.loads(components["Trainer"].exec_properties["custom_config"])["materialize"] is False


@pytest.mark.parametrize(("reader", "name"), [("arrow", "ArrowCsvExampleGen"), ("csv", "CheckedCsvExampleGen")])
def test_reader_is_chosen_and_keeps_its_place(reader, name, pipeline):
    component = pipeline.create_components(Config(reader=reader))["CsvExampleGen"]
    assert type(component).__name__ == name
    assert component.id == "CsvExampleGen"


def test_models_are_pushed_to_the_folder_that_is_served_from(pipeline, tmp_path):
    config = Config(output_root=str(tmp_path))
    pusher = pipeline.create_components(config)["Pusher"]
    assert config.serving_root in pusher.exec_properties["push_destination"]


# --- What makes a cached result stale -----------------------------------------------------------------------------


@pytest.fixture
def sources(pipeline, tmp_path, monkeypatch):
    """A copy of the package's files, which the fingerprint is then taken of."""
    for path in Path(pipeline.__file__).parent.glob("*.py"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(pipeline, "__file__", str(tmp_path / "pipeline.py"))
    return tmp_path


@pytest.mark.parametrize("name", ["columns.py", "edge.py", "features.py", "model.py", "warm_start.py"])
def test_edited_source_changes_the_fingerprint(name, sources, pipeline):
    before = pipeline.source_hash()
    (sources / name).write_text((sources / name).read_text() + "\n# edited\n")
    assert pipeline.source_hash() != before


ALL_OF_OURS = {
    **{"tune": True, "warm_start": True, "tracking_uri": "sqlite:///runs.db", "slices": (("hour",),)},
    "plan": Plan.load(AGREED),  # it has a metric of ours
}

RUN_AGAIN = {
    "fifth.py": {"Tuner", "Trainer"},  # see `fifth`
    "model.py": {"Tuner", "Trainer"},
    "tuner.py": {"Tuner"},
    "features.py": {"Transform", "Tuner", "Trainer", "ExperimentTracker"},
    "examples.py": {"CsvExampleGen"},
    "contract.py": {"ImportSchemaGen"},
    "gate.py": {"DataGate"},
    "slicing.py": {"Evaluator"},
    "cost.py": {"Evaluator"},
    "tracker.py": {"ExperimentTracker"},
    "experiments.py": {"ExperimentTracker"},
    "predict.py": set(),
    "model_card.py": set(),
    "cli.py": set(),
}


@pytest.fixture
def fifth(sources):
    """The model imports one more module of the package."""
    (sources / "fifth.py").write_text("")
    (sources / "model.py").write_text((sources / "model.py").read_text() + "\nfrom flights import fifth\n")
    return sources


@pytest.mark.parametrize("name", RUN_AGAIN)
def test_edited_code_is_another_setting_of_the_components_that_run_it_and_of_no_other(name, fifth, pipeline):
    def settings():
        return {
            id_: str(node.exec_properties) for id_, node in pipeline.create_components(Config(**ALL_OF_OURS)).items()
        }

    before = settings()
    path = fifth / name
    path.write_text(path.read_text() + "\n# edited\n")
    after = settings()
    assert {id_ for id_ in before if after[id_] != before[id_]} == RUN_AGAIN[name]


@pytest.mark.parametrize("switches", [{}, ALL_OF_OURS], ids=["plain", "all switches"])
def test_every_component_with_code_of_this_package_has_its_fingerprint(switches, pipeline):
    """Whoever adds a component finds out here if nothing of it is noticed."""
    from tfx.dsl.components.base.base_component import BaseComponent

    for name, node in pipeline.create_components(Config(**switches)).items():
        code = node.executor_spec.executor_class.__module__ if isinstance(node, BaseComponent) else ""
        functions = "flights." in str(
            [v for k, v in node.exec_properties.items() if k.endswith(("_fn", "module_path"))]
        )
        assert ("source" in str(node.exec_properties)) == (code.startswith("flights.") or functions) or not code, name


def test_functions_are_those_beside_the_pipeline_in_a_copy_under_another_name_too(pipeline, monkeypatch):
    monkeypatch.setattr(pipeline, "PACKAGE", "our_delays")
    monkeypatch.setattr(pipeline, "source_hash", lambda *_: "")
    monkeypatch.setattr(pipeline, "_code_of", lambda *_: "")
    nodes = pipeline.create_components(Config(tune=True, slices=(("hour",),)))
    given = [(name, value) for node in nodes.values() for name, value in node.exec_properties.items()]
    named = {name: value for name, value in given if value and name.endswith(("_fn", "module_path"))}
    assert named == {
        "preprocessing_fn": "our_delays.features.preprocessing_fn",
        "tuner_fn": "our_delays.tuner.tuner_fn",
        "run_fn": "our_delays.model.run_fn",
        "module_path": "our_delays.slicing",
    }


def test_fingerprint_is_the_same_for_the_same_sources(sources, pipeline):
    assert pipeline.source_hash() == pipeline.source_hash()


def test_edited_schema_is_another_setting(pipeline, tmp_path):
    path = tmp_path / "schema.pbtxt"
    shutil.copy(Config().schema_file, path)

    def settings():
        return pipeline.create_components(Config(schema_file=str(path)))["ImportSchemaGen"].exec_properties

    before = settings()
    assert settings() == before
    path.write_text(path.read_text().replace("threshold: 0.1", "threshold: 0.2"))
    assert settings() != before


def test_a_password_of_the_environment_is_in_no_compiled_pipeline(pipeline, tmp_path, monkeypatch):
    """The store's address is; the secret stays where MLflow and libpq look for it. What TFX and Kubeflow are handed is searched with all its bytes."""
    from tfx.dsl.compiler import compiler

    from engines.kubeflow.compiler import compile_pipeline

    for name in ("PGPASSWORD", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "s3cr3t")
    for uri in ("postgresql://user@db/mlflow", "https://mlflow.example.com"):
        config = Config(output_root=str(tmp_path / "output"), tracking_uri=uri)
        written = [
            compiler.Compiler().compile(pipeline.create_pipeline(config)).SerializeToString(),
            compile_pipeline(config, pipeline.create_components, tmp_path / "pipeline.yaml").read_bytes(),
            *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()),
        ]
        assert all(uri.encode() in one for one in written[:2])
        assert not any(b"s3cr3t" in one for one in written)


def test_missing_schema_is_told_by_its_path(pipeline, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pbtxt"):
        pipeline.create_components(Config(schema_file=str(tmp_path / "nowhere.pbtxt")))
