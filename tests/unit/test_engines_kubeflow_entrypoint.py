"""The command of a container: what it mends in the message that Kubeflow gives it, what it writes, and how it fails. In this process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from kubeflow_backend import LOGS, Backend
from lazy_pipeline import create_components

from engines.kubeflow import entrypoint
from engines.kubeflow.entrypoint import TaskError
from engines.kubeflow.uris import to_local, to_remote
from engines.quiet import import_quietly
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")

EXAMPLES = {"schemaTitle": "tfx.Examples", "schemaVersion": "0.0.1"}
MODEL = {"schemaTitle": "tfx.Model", "schemaVersion": "0.0.1"}


class Spy:
    """What the executor below was called with."""

    seen: tuple | None = None


def make_executor():
    """An executor class that remembers what it was given; made late, because TFX takes seconds to import."""
    import_quietly()
    from tfx.dsl.components.base import base_executor

    class Remember(base_executor.BaseExecutor):
        def Do(self, input_dict, output_dict, exec_properties):
            Spy.seen = (input_dict, output_dict, exec_properties)
            for artifacts in output_dict.values():
                Path(artifacts[0].uri, "made").write_text("made")
                artifacts[0].set_string_custom_property("colour", "green")
                artifacts[0].set_string_custom_property("folder", artifacts[0].uri)
            print("some words")

    return Remember


@pytest.fixture(scope="module", autouse=True)
def executor_class():
    global Remember
    Remember = make_executor()


@pytest.fixture
def task(tmp_path):
    """Makes the options of a task with one input `examples` of one file, and one output `model`."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "data").write_text("x")

    def make(
        executor="tests_executor", declared=None, examples=str(tmp_path / "examples"), artifacts=None, **parameters
    ):
        given = {
            "inputs": {
                "artifacts": artifacts
                if artifacts is not None
                else {
                    "examples": {
                        "artifacts": [
                            {
                                "name": "examples",
                                "type": {"schemaTitle": "system.Artifact"},
                                "uri": examples,
                                "metadata": {"split_names": '["train"]'},
                            }
                        ]
                    }
                },
                "parameterValues": parameters,
            },
            "outputs": {
                "artifacts": {
                    "model": {"artifacts": [{"name": "model", "type": MODEL, "uri": str(tmp_path / "task" / "model")}]}
                },
                "outputFile": str(tmp_path / "task" / "executor_output.json"),
            },
        }
        declared = declared or {"artifacts": {"examples": {"artifactType": EXAMPLES}}}
        return [
            "--executor_class_path",
            f"{__name__}.Remember" if executor == "tests_executor" else executor,
            "--json_serialized_invocation_args",
            json.dumps(given),
            "--json_serialized_inputs_spec_args",
            json.dumps(declared),
        ]

    return make


def made_task(options):
    parsed, beam_args = entrypoint._parser().parse_known_args(options)
    return entrypoint.Task(parsed.executor_class_path, *entrypoint._messages(parsed), beam_args)


def test_an_input_gets_back_the_type_that_the_engine_took_off_it(task):
    assert entrypoint.main(task()) == 0
    (examples,) = Spy.seen[0]["examples"]
    assert examples.type_name == "Examples"
    assert json.loads(examples.split_names) == ["train"]


def test_integers_arrive_as_integers_and_texts_as_texts(task):
    declared = {
        "artifacts": {"examples": {"artifactType": EXAMPLES}},
        "parameters": {
            "epochs": {"parameterType": "NUMBER_INTEGER"},
            "rate": {"parameterType": "NUMBER_DOUBLE"},
            "name": {"parameterType": "STRING"},
        },
    }
    assert entrypoint.main(task(declared=declared, epochs=3, rate=0.5, name="a")) == 0
    assert Spy.seen[2] == {"epochs": 3, "rate": 0.5, "name": "a"}
    assert isinstance(Spy.seen[2]["epochs"], int)


def test_what_the_executor_said_of_its_output_is_in_the_message(task, tmp_path):
    assert entrypoint.main(task()) == 0
    assert entrypoint.properties(tmp_path / "task" / "executor_output.json")["model"]["colour"] == "green"
    assert (tmp_path / "task" / "model" / "made").exists()


@pytest.mark.parametrize("artifacts", [{}, {"examples": {"artifacts": []}}])
def test_an_optional_input_that_nobody_made_is_left_out(artifacts, task):
    declared = {"artifacts": {"examples": {"artifactType": EXAMPLES, "isOptional": True}}}
    assert entrypoint.main(task(declared=declared, artifacts=artifacts)) == 0
    assert "examples" not in Spy.seen[0]


def test_an_optional_input_whose_folder_is_empty_is_left_out(task, tmp_path):
    (tmp_path / "nothing" / "below").mkdir(parents=True)
    declared = {"artifacts": {"examples": {"artifactType": EXAMPLES, "isOptional": True}}}
    assert entrypoint.main(task(declared=declared, examples=str(tmp_path / "nothing"))) == 0
    assert "examples" not in Spy.seen[0]


@pytest.mark.parametrize("where", ["nowhere", ""])
def test_an_input_that_is_needed_and_missing_is_named_with_its_place(where, task, tmp_path, capsys):
    address = str(tmp_path / where) if where else ""
    assert entrypoint.main(task(examples=address)) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("TaskError: input 'examples': nothing at")
    assert (address or "no address") in last


def test_an_input_that_the_component_does_not_declare_is_refused(task):
    with pytest.raises(TaskError, match="'examples' is not declared"):
        made_task(task(declared={"artifacts": {"other": {"artifactType": MODEL}}})).prepare()


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("minio://bucket/a/b", "/minio/bucket/a/b"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("gs://bucket/a", "/gcs/bucket/a"),
        ("/mnt/a", "/mnt/a"),
    ],
)
def test_addresses_become_folders_and_folders_addresses(remote, local):
    assert to_local(remote) == local
    assert to_remote(local) == remote


def test_addresses_of_a_store_are_mapped_in_inputs_and_outputs_and_back(task, tmp_path, monkeypatch):
    mounted = f"{tmp_path}/mount/"
    monkeypatch.setattr("engines.kubeflow.uris.MOUNTS", {"minio://": mounted})
    folder = tmp_path / "mount" / "bucket" / "examples"
    folder.mkdir(parents=True)
    (folder / "data").write_text("x")
    options = task(examples="minio://bucket/examples")
    options[3] = options[3].replace(str(tmp_path / "task" / "model"), "minio://bucket/model")
    assert entrypoint.main(options) == 0
    assert Spy.seen[0]["examples"][0].uri == str(folder)
    assert Spy.seen[1]["model"][0].uri == f"{mounted}bucket/model"
    written = json.loads((tmp_path / "task" / "executor_output.json").read_text())
    assert written["artifacts"]["model"]["artifacts"][0]["uri"] == "minio://bucket/model"


@pytest.mark.parametrize("executor", ["flights.nowhere.Executor", "json.Executor", "Executor", "__main__.Executor"])
def test_an_executor_that_is_not_in_the_image_is_named(executor, task, capsys):
    assert entrypoint.main(task(executor=executor)) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"Could not import {executor}" in last
    assert "Does the image hold the package" in last


@pytest.mark.parametrize("which", [3, 5])
def test_a_message_that_is_none_is_refused(which, task, capsys):
    options = task()
    options[which] = "{{$}}"
    assert entrypoint.main(options) == 1
    assert "is not the JSON of" in capsys.readouterr().err


def test_what_an_executor_raises_is_the_last_line_and_no_message_is_written(task, tmp_path, capsys, monkeypatch):
    def fail(self, *_):
        raise ValueError("the data are bad")

    monkeypatch.setattr(Remember, "Do", fail)
    assert entrypoint.main(task()) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == "ValueError: the data are bad"
    assert not (tmp_path / "task" / "executor_output.json").exists()


def test_a_span_is_resolved_before_the_executor_runs(task, tmp_path):
    declared = {
        "artifacts": {"examples": {"artifactType": EXAMPLES}},
        "parameters": {
            "input_base": {"parameterType": "STRING"},
            "input_config": {"parameterType": "STRING"},
            "range_config": {"parameterType": "STRING"},
        },
    }
    for span in ("01", "02"):
        (tmp_path / "data" / f"span-{span}").mkdir(parents=True)
        (tmp_path / "data" / f"span-{span}" / "flights.csv").write_text("a\n1\n")
    options = task(
        declared=declared,
        input_base=str(tmp_path / "data"),
        input_config=json.dumps({"splits": [{"name": "all", "pattern": "span-{SPAN:2}/flights.csv"}]}),
        range_config=json.dumps({"static_range": {"start_span_number": "1", "end_span_number": "1"}}),
    )
    given = json.loads(options[3])
    given["outputs"]["artifacts"] = {
        "examples": {"artifacts": [{"name": "examples", "type": EXAMPLES, "uri": str(tmp_path / "task" / "examples")}]}
    }
    options[3] = json.dumps(given)
    assert entrypoint.main(options) == 0
    assert json.loads(Spy.seen[2]["input_config"])["splits"][0]["pattern"] == "span-01/flights.csv"
    found = entrypoint.properties(tmp_path / "task" / "executor_output.json")["examples"]
    assert found["custom:span"] == 1


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    from engines.kubeflow import compiler

    path = compiler.compile_pipeline(Config(), create_components, tmp_path_factory.mktemp("compiled") / "pipeline.yaml")
    return next(yaml.safe_load_all(path.read_text()))


@pytest.fixture
def backend(spec, tmp_path, root):
    return Backend(spec, tmp_path, {"data_root": str(root / "data" / "flights")})


@pytest.mark.parametrize("publish_logs", [True, False])
def test_every_step_gets_the_outputs_that_it_declares_and_no_log_of_kubeflows(backend, publish_logs):
    """As it is installed, Kubeflow adds an output to every step: a file that the launcher writes. `kfp.local` does not."""
    backend.publish_logs = publish_logs
    for name in backend.tasks:
        declared = set(backend.declared_outputs(name))
        status = backend.run(name, entrypoint.main, executor=f"{__name__}.Remember")
        log = backend.recorded[name].get(LOGS)
        assert status == 0, backend.stored(log["uri"]).read_text() if log else name
        given = {output: artifact.type_name for output, (artifact,) in Spy.seen[1].items()}
        assert set(given) == declared, name
        assert not any(kind.startswith("system.") for kind in given.values()), name
        assert set(backend.recorded[name]) == declared | ({LOGS} if publish_logs else set())
        for output in declared:
            made = backend.recorded[name][output]
            assert (backend.stored(made["uri"]) / "made").is_file()
            assert made["metadata"]["folder"] == made["uri"], "no folder of a pod that is gone is on record"
        if publish_logs:
            assert log["uri"].endswith("/executor-logs-0")
            assert "some words" in backend.stored(log["uri"]).read_text()


def test_what_a_failed_step_printed_is_in_kubeflows_log_of_each_attempt(backend, monkeypatch):
    def fail(self, *_):
        raise ValueError("the store does not answer")

    monkeypatch.setattr(Remember, "Do", fail)
    for attempt in (0, 1):
        assert backend.run("CsvExampleGen", entrypoint.main, f"{__name__}.Remember", attempt) == 1
        log = backend.recorded["CsvExampleGen"][LOGS]["uri"]
        assert log.endswith(f"/executor-logs-{attempt}")
        assert backend.stored(log).read_text().strip().splitlines()[-1] == "ValueError: the store does not answer"


def test_an_input_of_kubeflows_keeps_what_its_step_said_of_it(backend):
    for name in ("CsvExampleGen", "StatisticsGen"):
        assert backend.run(name, entrypoint.main, f"{__name__}.Remember") == 0
    (sent,) = backend.messages["StatisticsGen"]["inputs"]["artifacts"]["examples"]["artifacts"]
    assert sent["type"] == {"schemaTitle": "system.Artifact"}
    (examples,) = Spy.seen[0]["examples"]
    assert examples.type_name == "Examples"
    assert examples.get_string_custom_property("colour") == "green"
    assert examples.uri.startswith(str(backend.root / "pods" / "run-1" / "StatisticsGen-0" / "minio"))


def run_all(backend: Backend) -> Backend:
    """Runs the steps until one fails."""
    for name in backend.tasks:
        assert backend.run(name, entrypoint.main, executor=f"{__name__}.Remember") == 0, backend.log(name)
    return backend


def test_nothing_of_another_store_comes_out_of_the_cache(backend):
    """A second run with another root: what the cache answers lies at the first one's address, which TFX cannot open."""
    second = Backend(
        backend.spec, backend.root, backend.parameters, pipeline_root="s3://models/runs", earlier=run_all(backend)
    )
    assert run_all(second).cached == []
    assert len(second.recorded) == 10


def test_the_cache_of_kubeflow_answers_a_step_whose_inputs_are_the_same(backend):
    """What the stand-in does with a step that has no input, where the compiled pipeline lets it be cached: as the real one, it fails in the next."""
    backend.spec = json.loads(json.dumps(backend.spec))
    backend.spec["root"]["dag"]["tasks"]["ImportSchemaGen"]["cachingOptions"] = {"enableCache": True}
    again = run_all(Backend(backend.spec, backend.root, backend.parameters, earlier=run_all(backend)))
    assert again.cached == ["ImportSchemaGen"]
    elsewhere = Backend(backend.spec, backend.root, backend.parameters, pipeline_root="s3://models/runs", earlier=again)
    with pytest.raises(LookupError, match='no driver registered for "minio"'):
        run_all(elsewhere)


def test_the_checksums_of_what_was_read_reach_kubeflow(backend, root):
    """Where TFX's driver runs instead of the project's: the executor notes them."""
    assert backend.run("CsvExampleGen", entrypoint.main) == 0
    told = backend.recorded["CsvExampleGen"]["examples"]["metadata"]
    path = "span-01/flights.csv"
    read = hashlib.sha256((root / "data/flights" / path).read_bytes()).hexdigest()
    assert json.loads(told["contents"]) == {"all": {path: read}}
