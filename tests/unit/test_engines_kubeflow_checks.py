"""What a server, Argo or Kubernetes would refuse in a compiled pipeline: one that Kubeflow's own SDK has compiled.

The SDK reads the annotations of components, so they are not deferred here.
"""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from engines.kubeflow import checks

pytestmark = pytest.mark.xdist_group("tfx")  # whose tests import Kubeflow's SDK

PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-load": {"pvcMount": []}}}}}}


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> list[dict]:
    """A pipeline of three steps, one in a condition, with all that is checked: parameters, artifacts, retries, resources, a volume."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the SDK, on the image that is its default
        from kfp import compiler, dsl

        @dsl.component(base_image="python:3.11")
        def load(rows: int, made: dsl.Output[dsl.Dataset]) -> None: ...

        @dsl.component(base_image="python:3.11")
        def fit(read: dsl.Input[dsl.Dataset], rate: float = 0.1) -> None: ...

        @dsl.pipeline(name="rides")
        def rides(rows: int = 10, again: int = 1) -> None:
            loaded = load(rows=rows).set_retry(2).set_cpu_limit("2").set_cpu_request("500m")
            fit(read=loaded.outputs["made"])
            with dsl.If(again == 1):
                load(rows=rows).set_memory_limit("2Gi").set_memory_request("1Gi")

        path = tmp_path_factory.mktemp("rides") / "rides.yaml"
        compiler.Compiler().compile(rides, str(path))
    platform = copy.deepcopy(PLATFORM)
    mounts = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-load"]["pvcMount"]
    mounts.append({"constant": "rides", "mountPath": "/mnt/rides"})
    return [next(yaml.safe_load_all(path.read_text())), platform]


@pytest.fixture
def problems(documents) -> Callable[..., list[str]]:
    """What is wrong after a change, which is given the pipeline's own parts."""

    def problems(change: Callable[[dict], None]) -> list[str]:
        spec, platform = copy.deepcopy(documents)
        executors = spec["deploymentSpec"]["executors"]
        change(
            {
                "spec": spec,
                "tasks": spec["root"]["dag"]["tasks"],
                "parameters": spec["root"]["inputDefinitions"]["parameters"],
                "policy": spec["root"]["dag"]["tasks"]["load"]["retryPolicy"],
                "executors": executors,
                "container": executors["exec-load"]["container"],
                "mount": platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-load"]["pvcMount"][0],
            }
        )
        return checks.problems(yaml.safe_dump_all([spec, platform]))

    return problems


def test_limits_and_image_that_a_run_gives_are_right(tmp_path):
    """The SDK hands them to the step as parameters that its component does not declare."""
    from kfp import compiler, dsl

    @dsl.component(base_image="python:3.11")
    def load(rows: int) -> None: ...

    @dsl.pipeline(name="rides")
    def rides(cores: str = "2", image: str = "python:3.12") -> None:
        load(rows=1).set_cpu_limit(cores).set_cpu_request("1").set_container_image(image)

    compiler.Compiler().compile(rides, str(tmp_path / "rides.yaml"))
    assert "pipelinechannel--cores" in (tmp_path / "rides.yaml").read_text()
    assert checks.problems((tmp_path / "rides.yaml").read_text()) == []


def test_what_kubeflows_own_compiler_writes_is_right(problems):
    assert problems(lambda _: None) == []


@pytest.mark.parametrize("name", ["rides-", "r" * 128])
def test_a_pipelines_name_that_a_real_server_took_and_ran_is_right(problems, name):
    assert problems(lambda of: of["spec"]["pipelineInfo"].update(name=name)) == []


# A real server (2.16.1, with Argo 3.7.8) was given each. When uploaded it refused the schema of another version, the names of pipelines, two pipelines,
# and what is no pipeline; when a run was made the names of steps, a resolver, a component or an executor that is not there, a parameter without a value, and
# steps that wait for each other or for none. It took the rest: what that breaks comes out in the driver, in the pod, at a retry, or never.
CHANGES = {
    "a schema of another version": (
        lambda of: of["spec"].update(schemaVersion="2.0.0"),
        "its schema version is 2.0.0; Kubeflow Pipelines takes 2.1.0",
    ),
    "a pipeline with an underscore": (
        lambda of: of["spec"]["pipelineInfo"].update(name="my_rides"),
        "the pipeline's name 'my_rides' is none for the server",
    ),
    "a pipeline with a capital": (
        lambda of: of["spec"]["pipelineInfo"].update(name="Rides"),
        "the pipeline's name 'Rides' is none for the server",
    ),
    "a pipeline with a dot": (
        lambda of: of["spec"]["pipelineInfo"].update(name="my.rides"),
        "the pipeline's name 'my.rides' is none for the server",
    ),
    "a pipeline whose name begins with a hyphen": (
        lambda of: of["spec"]["pipelineInfo"].update(name="-rides"),
        "the pipeline's name '-rides' is none for the server",
    ),
    "a pipeline with a long name": (
        lambda of: of["spec"]["pipelineInfo"].update(name="r" * 129),
        "is none for the server: up to 128",
    ),
    "a step with an underscore": (
        lambda of: of["tasks"].update(fit_it=of["tasks"].pop("fit")),
        "step 'fit_it': Argo takes names of up to 121 letters, digits and '-'",
    ),
    "a step with a long name": (
        lambda of: of["tasks"].update({"f" * 122: of["tasks"].pop("fit")}),
        "Argo takes names of up to 121",
    ),
    "a step with the name of a driver": (
        lambda of: of["tasks"].update({"load-driver": of["tasks"].pop("fit")}),
        "step 'load-driver': Kubeflow gives this name to a step of its own",
    ),
    "retries without a maximum": (
        lambda of: of["policy"].pop("backoffMaxDuration"),
        "step 'load': its retryPolicy has no backoffMaxDuration. The server makes 0 of that",
    ),
    "retries with a maximum of nothing": (
        lambda of: of["policy"].update(backoffMaxDuration="0s"),
        "step 'load': its retryPolicy has no backoffMaxDuration",
    ),
    "retries that pause longer than they may": (
        lambda of: of["policy"].update(backoffDuration="60s", backoffMaxDuration="100s"),
        "step 'load': 2 retries pause for 180 s, and backoffMaxDuration leaves 100 s",
    ),
    "retries without a number": (
        lambda of: of["policy"].pop("maxRetryCount"),
        "step 'load': its retryPolicy has no maxRetryCount",
    ),
    "a limit without a request": (
        lambda of: of["container"].update(resources={"resourceCpuLimit": "2"}),
        "step 'load' has a limit of cores and no request: Kubernetes takes the limit for one",
    ),
    "a limit in a number without a request": (
        lambda of: of["container"].update(resources={"memoryLimit": 3.0}),
        "step 'load' has a limit of memory and no request",
    ),
    "a request above its limit": (
        lambda of: of["container"]["resources"].update(resourceCpuRequest="2500m"),
        "step 'load' requests 2.5 of cores, and its limit is 2: Kubernetes refuses the pod",
    ),
    "no image": (lambda of: of["container"].pop("image"), "step 'load' names no image"),
    "a resolver": (
        lambda of: of["executors"].update({"exec-load": {"resolver": {}}}),
        "step 'load' is a resolver: open-source Kubeflow Pipelines runs containers and importers",
    ),
    "an executor that is not there": (
        lambda of: of["executors"].pop("exec-load"),
        "step 'load': its executor 'exec-load' is not in the file",
    ),
    "a component that is not there": (
        lambda of: of["spec"]["components"].pop("comp-fit"),
        "step 'fit': its component 'comp-fit' is not in the file",
    ),
    "a parameter of the pipeline that no step takes": (
        lambda of: of["parameters"].update(months={"parameterType": "STRING"}),
        "no step takes the pipeline's parameter 'months'",
    ),
    "a parameter that the component does not take": (
        lambda of: of["tasks"]["fit"]["inputs"].update(parameters={"speed": {"runtimeValue": {"constant": 1.0}}}),
        "step 'fit' is given the parameter 'speed', which its component does not take",
    ),
    "a parameter that the component needs": (
        lambda of: of["tasks"]["load"].pop("inputs"),
        "step 'load' is not given the parameter 'rows', which its component needs",
    ),
    "a parameter that the pipeline does not have": (
        lambda of: of["parameters"].pop("rows"),
        "step 'load': its parameter 'rows' is to come from 'rows', which is no input of the pipeline",
    ),
    "an artifact that no step makes": (
        lambda of: of["tasks"]["fit"]["inputs"]["artifacts"]["read"]["taskOutputArtifact"].update(
            outputArtifactKey="rides"
        ),
        "step 'fit': its artifact 'read' is to be the output 'rides' of 'load', which makes none",
    ),
    "steps that wait for each other": (
        lambda of: of["tasks"]["load"].update(dependentTasks=["fit"]),
        "the steps fit, load wait for each other",
    ),
    "a step that waits for one that is not there": (
        lambda of: of["tasks"]["load"].update(dependentTasks=["fetch"]),
        "step 'load' waits for 'fetch', which is not there",
    ),
    "a field that the format does not have": (
        lambda of: of["container"]["resources"].update(cpuLimits=1),
        "it is not of the format of a compiled pipeline",
    ),
    "a claim with an underscore": (
        lambda of: of["mount"].update(constant="my_rides"),
        "exec-load: 'my_rides' is no name of a claim",
    ),
    "a volume at a relative path": (
        lambda of: of["mount"].update(mountPath="mnt"),
        "exec-load: a volume is to be mounted at 'mnt'",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_would_be_refused_or_never_run_is_said_in_one_sentence(what, problems):
    change, words = CHANGES[what]
    found = problems(change)
    assert any(words in problem for problem in found), found
    assert all("\n" not in problem for problem in found)


def test_a_step_within_a_condition_is_checked_as_well(problems):
    found = problems(
        lambda of: of["executors"]["exec-load-2"]["container"].update(resources={"resourceMemoryLimit": "2Gi"})
    )
    assert len(found) == 1
    assert "has a limit of memory and no request" in found[0]


@pytest.mark.parametrize("text", ["", "just: a file", "[", "- 1", "words"])
def test_what_is_no_compiled_pipeline_is_said(text):
    (found,) = checks.problems(text)
    assert "pipeline" in found


def test_a_file_of_two_pipelines_is_refused(documents):
    spec, platform = documents
    assert "it has 2 pipelines" in checks.problems(yaml.safe_dump_all([spec, spec, platform]))[0]


def test_somebody_elses_file_is_checked_by_one_command(documents, tmp_path, capsys):
    path = Path(tmp_path, "rides.yaml")
    path.write_text(yaml.safe_dump_all(documents))
    assert checks.main([str(path)]) == 0
    path.write_text(path.read_text().replace("2.1.0", "2.0.0"))
    assert checks.main([str(path), str(tmp_path / "none.yaml")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{path}: its schema version is 2.0.0")
    assert "none.yaml" in said[1]
