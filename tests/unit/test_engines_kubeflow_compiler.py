"""What is in the compiled pipeline, and what must not be."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path

import pytest
import yaml
from lazy_pipeline import create_components, create_pipeline

from engines.quiet import import_quietly
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def compiler():
    import_quietly()
    from engines.kubeflow import compiler

    return compiler


@pytest.fixture(scope="module")
def compiled(compiler, tmp_path_factory) -> Path:
    return compiler.compile_pipeline(Config(), create_components, tmp_path_factory.mktemp("kubeflow") / "pipeline.yaml")


@pytest.fixture(scope="module")
def spec(compiled) -> dict:
    return next(yaml.safe_load_all(compiled.read_text()))


def test_it_names_no_path_of_this_machine(compiled, root):
    text = compiled.read_text()
    assert str(root) not in text
    assert str(Path.home()) not in text
    assert str(compiled.parent) not in text


def test_compiling_twice_gives_the_same_bytes(compiler, compiled, tmp_path):
    elsewhere = Config(data_root=str(tmp_path / "data"), output_root=str(tmp_path / "out"))
    assert (
        compiler.compile_pipeline(elsewhere, create_components, tmp_path / "again.yaml").read_bytes()
        == compiled.read_bytes()
    )


def test_it_is_of_the_version_that_the_open_source_backend_takes(spec):
    assert spec["schemaVersion"] == "2.1.0"
    assert all("container" in executor for executor in spec["deploymentSpec"]["executors"].values())


def test_kfp_reads_it(compiled):
    from kfp import components

    read = components.load_component_from_file(str(compiled))
    assert set(read.pipeline_spec.root.input_definitions.parameters) == {"data_root", "push_destination"}
    assert "kubernetes" in read.platform_spec.platforms


def test_every_step_has_its_command_its_limits_and_the_volume(compiled, spec):
    platform = list(yaml.safe_load_all(compiled.read_text()))[1]["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ]
    for label, executor in spec["deploymentSpec"]["executors"].items():
        container = executor["container"]
        assert container["command"] == ["python", "-m", "engines.kubeflow.entrypoint"]
        assert container["resources"]["memoryLimit"] > 0
        assert platform[label]["pvcMount"][0]["mountPath"] == "/mnt/flights"


def test_steps_without_an_input_are_not_cached_and_the_others_are(spec):
    """Two read outside; the third's earlier output may lie in the store of a run with another root, which TFX cannot open."""
    tasks = spec["root"]["dag"]["tasks"]
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    assert set(tasks) - cached == {"CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel"}
    assert set(tasks) - cached == {name for name, task in tasks.items() if not task["inputs"].get("artifacts")}


def test_the_baseline_is_an_optional_input_and_its_message_says_so(spec):
    declared = spec["components"]["comp-Evaluator"]["inputDefinitions"]["artifacts"]
    assert declared["baseline_model"]["isOptional"] is True
    assert "isOptional" not in declared["model"] or not declared["examples"].get("isOptional")
    arguments = spec["deploymentSpec"]["executors"]["exec-Evaluator"]["container"]["args"]
    message = json.loads(arguments[arguments.index("--json_serialized_inputs_spec_args") + 1])
    assert message["artifacts"]["baseline_model"]["isOptional"] is True


def test_no_task_has_a_name_that_argo_refuses(spec):
    assert not [name for name in spec["root"]["dag"]["tasks"] if "_" in name]


def test_a_schema_outside_the_package_is_refused(compiler, tmp_path):
    (tmp_path / "schema.pbtxt").write_text("")
    config = dataclasses.replace(Config(), schema_file=str(tmp_path / "schema.pbtxt"))
    with pytest.raises(ValueError, match="a container cannot read it"):
        compiler.compile_pipeline(config, create_components, tmp_path / "pipeline.yaml")


def test_a_step_has_limits_of_its_own_where_they_are_given_and_knows_them(compiler, tmp_path):
    path = compiler.compile_pipeline(
        Config(), create_components, tmp_path / "pipeline.yaml", resources={"Trainer": (4, 8)}
    )
    executors = next(yaml.safe_load_all(path.read_text()))["deploymentSpec"]["executors"]
    limits = {label: executor["container"]["resources"] for label, executor in executors.items()}
    trainer = limits.pop("exec-Trainer")
    assert (trainer["cpuLimit"], trainer["memoryLimit"]) == (4.0, 8.0)
    assert {(given["cpuLimit"], given["memoryLimit"]) for given in limits.values()} == {(compiler.CPU, compiler.MEMORY)}


def resources(path: Path) -> dict[str, dict[str, float]]:
    executors = next(yaml.safe_load_all(path.read_text()))["deploymentSpec"]["executors"]
    return {label.removeprefix("exec-"): executor["container"]["resources"] for label, executor in executors.items()}


def test_a_step_requests_less_than_its_limits_also_where_they_are_high_or_low(compiler, compiled, tmp_path):
    """To Kubernetes a limit without a request is a request: a Trainer with 4 cores and 8 GB would start on no laptop."""
    own = {"Trainer": (4, 8), "DataGate": (0.1, 0.5)}
    found = resources(compiler.compile_pipeline(Config(), create_components, tmp_path / "pipeline.yaml", resources=own))
    assert (found["Trainer"]["cpuRequest"], found["Trainer"]["memoryRequest"]) == compiler.REQUEST
    assert (found["DataGate"]["cpuRequest"], found["DataGate"]["memoryRequest"]) == (0.1, 0.5)
    assert len(resources(compiled)) == 10
    for given in [*found.values(), *resources(compiled).values()]:
        assert 0 < given["cpuRequest"] <= given["cpuLimit"]
        assert 0 < given["memoryRequest"] <= given["memoryLimit"]


def test_all_that_starts_at_once_fits_beside_kubeflow_into_the_four_cores_and_eight_gigabytes_that_are_asked_for(
    compiled, spec, root
):
    """What the pods of Kubeflow Pipelines 2.16.1 and of kind request: sums over a real cluster of one node."""
    kubeflow, kind = (0.64, 3.0 * 1.074), (0.95, 0.3)
    at_once = [name for name, task in spec["root"]["dag"]["tasks"].items() if not task.get("dependentTasks")]
    assert len(at_once) == 3
    wanted = [
        (given["cpuRequest"], given["memoryRequest"]) for name, given in resources(compiled).items() if name in at_once
    ]
    assert sum(cores for cores, _ in [kubeflow, kind, *wanted]) <= 4
    assert sum(memory for _, memory in [kubeflow, kind, *wanted]) <= 8
    for text in (
        root / "README.md",
        root / "deploy" / "kubeflow" / "README.md",
        root / "deploy" / "kubeflow" / "kind-up.sh",
    ):
        assert "4 CPUs and 8 GB" in text.read_text(), text


def test_a_step_may_request_more_and_no_more_than_its_limits(compiler, tmp_path):
    path = tmp_path / "pipeline.yaml"
    compiler.compile_pipeline(
        Config(), create_components, path, resources={"Trainer": (4, 8)}, requests={"Trainer": (2, 4)}
    )
    trainer = resources(path)["Trainer"]
    assert trainer == {"cpuLimit": 4.0, "memoryLimit": 8.0, "cpuRequest": 2.0, "memoryRequest": 4.0}
    for requests in ({"Trainer": (2, 1)}, {"Trainer": (0, 1)}, {"Trainer": (1, float("nan"))}):
        with pytest.raises(ValueError, match="Trainer requests"):
            compiler.compile_pipeline(Config(), create_components, path, requests=requests)
    with pytest.raises(ValueError, match="no Trianer"):
        compiler.compile_pipeline(Config(), create_components, path, requests={"Trianer": (1, 1)})
    for limits in ((0, 1), (1, -1), (1, float("inf")), (float("nan"), 1)):
        with pytest.raises(ValueError, match="Trainer: limits"):
            compiler.compile_pipeline(Config(), create_components, path, resources={"Trainer": limits})


def test_limits_of_a_step_that_is_not_there_are_refused(compiler, tmp_path):
    with pytest.raises(ValueError, match="no Trianer; its steps are CsvExampleGen"):
        compiler.compile_pipeline(
            Config(), create_components, tmp_path / "pipeline.yaml", resources={"Trianer": (4, 8)}
        )


def test_a_pipeline_without_a_pusher_is_refused(compiler, tmp_path):
    def create(config, baseline):
        nodes = create_components(config, baseline)
        del nodes["Pusher"]
        return nodes

    with pytest.raises(ValueError, match="no Pusher"):
        compiler.compile_pipeline(Config(), create, tmp_path / "pipeline.yaml")


def test_a_step_is_tried_again_but_for_the_gate_whose_data_stay_bad(spec):
    tasks = spec["root"]["dag"]["tasks"]
    assert {name for name, task in tasks.items() if "retryPolicy" not in task} == {"DataGate"}
    assert tasks["Trainer"]["retryPolicy"]["maxRetryCount"] == 2


def test_the_attempts_of_a_step_have_time(spec):
    """Without `backoffMaxDuration` the backend says 0 and Argo ends a step after its first attempt: `container.go` of Kubeflow's argocompiler."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    for name, task in spec["root"]["dag"]["tasks"].items():
        policy = json_format.ParseDict(task, pipeline_spec_pb2.PipelineTaskSpec()).retry_policy
        pauses = [
            policy.backoff_duration.seconds * policy.backoff_factor**number for number in range(policy.max_retry_count)
        ]
        assert policy.backoff_max_duration.seconds == (3600 if name != "DataGate" else 0), name
        assert sum(pauses) <= policy.backoff_max_duration.seconds


def test_parameters_have_defaults_on_the_volume(compiler, spec):
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert {name: value["defaultValue"] for name, value in parameters.items()} == compiler.defaults("flights")
    assert all(value["isOptional"] and "/mnt/flights" in value["defaultValue"] for value in parameters.values())


def test_it_is_another_file_when_another_thing_is_wanted(compiler, compiled, tmp_path):
    for change in ({"train_epochs": 3}, {"min_auc": 0.6}, {"months": (1, 2)}):
        other = compiler.compile_pipeline(
            dataclasses.replace(Config(), **change), create_components, tmp_path / "other.yaml"
        )
        assert other.read_bytes() != compiled.read_bytes(), change


def test_a_resolver_is_refused_because_no_container_runs_it(compiler, tmp_path):
    def create(config, baseline):
        return create_components(config)  # looks the baseline up by TFX's Resolver

    with pytest.raises(
        ValueError, match="LatestBlessedModel is a Resolver: open-source Kubeflow Pipelines runs containers only"
    ):
        compiler.compile_pipeline(Config(), create, tmp_path / "pipeline.yaml")


def test_a_baseline_that_a_step_reads_is_a_step_whether_it_is_returned_or_not(compiler, compiled, tmp_path):
    def create(config, baseline):
        nodes = create_components(config, baseline)
        return {name: node for name, node in nodes.items() if node is not baseline}

    without = compiler.compile_pipeline(Config(), create, tmp_path / "pipeline.yaml")
    assert without.read_bytes() == compiled.read_bytes()


def test_components_that_are_in_a_pipeline_already_are_refused(compiler, tmp_path):
    def create(config, baseline):
        return {node.id: node for node in create_pipeline(config).components}

    with pytest.raises(ValueError, match=r"^CsvExampleGen, .*Pusher: in a tfx\.dsl\.Pipeline already"):
        compiler.compile_pipeline(Config(), create, tmp_path / "pipeline.yaml")


def test_a_name_that_a_server_would_refuse_is_spelt_as_it_takes_it_and_its_runs_are_found(compiler, tmp_path):
    """`make project NAME=my_project` makes such a one."""
    from engines.kubeflow import runner

    config = Config(pipeline_name="My_rides.2", output_root=str(tmp_path / "out"))
    path = compiler.compile_pipeline(config, create_components, tmp_path / "pipeline.yaml")
    name = next(yaml.safe_load_all(path.read_text()))["pipelineInfo"]["name"]
    assert name == "my-rides-2"
    run = runner.runs_folder(config) / f"{name}-2026-01-01"
    run.mkdir(parents=True)
    assert runner.latest_run(config) == run


def renamed(config, baseline):
    nodes = create_components(config, baseline)
    nodes["Data_Gate"] = nodes.pop("DataGate").with_id("Data_Gate")
    return nodes


@pytest.mark.parametrize(
    ("volume", "create", "retry", "words"),
    [
        ("my_rides", create_components, {}, "'my_rides' is no name of a claim"),
        ("rides", renamed, {}, "step 'Data_Gate': Argo takes names"),
        ("rides", create_components, {"backoffMaxDuration": "0s"}, "no backoffMaxDuration"),
    ],
)
def test_what_a_server_or_argo_would_refuse_is_refused_when_it_is_compiled(
    compiler, tmp_path, monkeypatch, volume, create, retry, words
):
    monkeypatch.setattr(Config, "volume", volume)
    monkeypatch.setattr(compiler, "RETRY", compiler.RETRY | retry)
    with pytest.raises(ValueError, match=words):
        compiler.compile_pipeline(Config(), create, tmp_path / "pipeline.yaml")
    assert not (tmp_path / "pipeline.yaml").exists()


def test_the_command_of_deploy_compiles_for_an_image_and_for_months(root, tmp_path, capsys):
    place = importlib.util.spec_from_file_location("deploy_compile", root / "deploy" / "kubeflow" / "compile.py")
    command = importlib.util.module_from_spec(place)
    place.loader.exec_module(command)
    path = tmp_path / "pipeline.yaml"
    for months in ([], ["--months", "1"], ["--months", "1", "2"]):
        assert command.main(["mlops-course:0123456789ab", *months, "--output", str(path)]) == 0, capsys.readouterr().err
    executors = next(yaml.safe_load_all(path.read_text()))["deploymentSpec"]["executors"]
    assert {executor["container"]["image"] for executor in executors.values()} == {"mlops-course:0123456789ab"}
    assert command.main(["mlops-course:1", "--months", "2", "1", "--output", str(path)]) == 1
    assert capsys.readouterr().err.startswith("compile: ")
