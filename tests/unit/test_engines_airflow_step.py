"""One node in a process: alone in its folder, what its exit status says, and which pipeline run it reads from."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from engines import store
from engines.airflow import step
from engines.airflow.project import ProjectError, load
from engines.deciding import Go
from flights import schedule
from flights.config import Config
from flights.data import DataError
from warm import client

pytestmark = pytest.mark.xdist_group("tfx")

RUN = "scheduled__2013-02-01T00:00:00+00:00"


@pytest.fixture
def command(tmp_path):
    project = schedule.project(settings={"output_root": str(tmp_path / "output")}).save(tmp_path / "project.json")
    return ["Trainer", "--run", RUN, "--months", "1-2", "--project", str(project)]


def test_the_node_is_run_for_the_months_and_the_run_that_are_given(command, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(step, "run_node", lambda *given: asked.append(given) or "cached")
    assert step.main(command) == 0
    assert [given[1:] for given in asked] == [((1, 2), RUN, "Trainer")]
    assert capsys.readouterr().out.splitlines()[-1] == "Trainer: cached"


@pytest.mark.parametrize(
    ("error", "status"),
    [(DataError("line 3"), 65), (ProjectError("no such node"), 1), (RuntimeError("out of memory"), 1)],
)
def test_a_failure_ends_with_its_reason_and_bad_data_with_a_status_of_their_own(
    error, status, command, monkeypatch, capsys
):
    def fail(*_):
        raise error

    monkeypatch.setattr(step, "run_node", fail)
    assert step.main(command) == status
    assert capsys.readouterr().err.splitlines()[-1] == f"{type(error).__name__}: {error}"


def test_a_node_that_need_not_run_is_not_taken_for_a_success(command, monkeypatch):
    monkeypatch.setattr(step, "run_node", lambda *_: "skipped")
    assert step.main(command) == 99


def go(config: Config, run: str) -> Go:
    """What a project names as `decide`."""
    return Go(True, f"{config.months[1]}: because of {run}", (2, 2))


def end(config: Config, run: str) -> str:
    """What a project names as `conclude`."""
    if not config.months[0] == 1:
        raise RuntimeError("told of other spans")
    return f"{run} has ended"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("decide", f'decide: {{"run": true, "reason": "2: because of {RUN}", "spans": [2, 2]}}'),
        ("conclude", f"conclude: {RUN} has ended"),
    ],
)
def test_the_functions_of_a_project_are_asked_for_the_months_and_the_run(name, said, command, tmp_path, capsys):
    given = dataclasses.replace(
        load(Path(command[-1]).read_text()), decide=f"{__name__}:go", conclude=f"{__name__}:end"
    )
    assert step.main([name, *command[1:-1], str(given.save(tmp_path / "hooks.json"))]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == said


def test_of_two_steps_the_second_waits(tmp_path, capsys):
    entered = threading.Event()

    def second() -> None:
        with step.alone(tmp_path):
            entered.set()

    thread = threading.Thread(target=second)
    with step.alone(tmp_path):
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(10)
    thread.join()
    assert "waiting for it to end" in capsys.readouterr().out


@pytest.fixture
def config(tmp_path) -> Config:
    return Config(output_root=str(tmp_path))


@pytest.fixture
def recorded(config):
    """Writes executions into a metadata store as TFX does: of a pipeline run and a node."""
    opened = store.open_store(config)
    kinds = {name: opened.put_context_type(mlmd.ContextType(name=name)) for name in ("pipeline_run", "node")}
    kind = opened.put_execution_type(mlmd.ExecutionType(name="anything"))

    def context(of: str, name: str) -> int:
        found = opened.get_context_by_type_and_name(of, name)
        return found.id if found else opened.put_contexts([mlmd.Context(type_id=kinds[of], name=name)])[0]

    def write(run: str, node: str, state: int = mlmd.Execution.COMPLETE) -> int:
        (number,) = opened.put_executions([mlmd.Execution(type_id=kind, last_known_state=state)])
        contexts = (context("pipeline_run", run), context("node", node))
        opened.put_attributions_and_associations(
            [], [mlmd.Association(execution_id=number, context_id=one) for one in contexts]
        )
        return number

    return write


def test_the_tries_of_a_run_are_told_from_those_of_others(config, recorded):
    first = recorded(RUN, "flights.CsvExampleGen", mlmd.Execution.FAILED)
    other = recorded(RUN, "flights.ImportSchemaGen")
    recorded("another", "flights.CsvExampleGen")
    recorded(RUN, "theirs.CsvExampleGen")
    second = recorded(f"{RUN}.2", "flights.CsvExampleGen")
    found = step._tries(store.open_store(config), config, RUN)
    numbers = {node: [(run, execution.id) for run, execution in tries] for node, tries in found.items()}
    assert numbers == {"CsvExampleGen": [(RUN, first), (f"{RUN}.2", second)], "ImportSchemaGen": [(RUN, other)]}


def test_a_store_without_any_run_has_no_tries(config):
    assert step._tries(store.open_store(config), config, RUN) == {}


def test_what_was_compiled_before_the_last_try_is_not_taken(config, recorded):
    recorded(RUN, "flights.CsvExampleGen")
    tries = step._tries(store.open_store(config), config, RUN)
    assert step._last_begun(tries, "CsvExampleGen") > 1e9
    assert step._last_begun(tries, "Trainer") == 0


def test_what_was_compiled_is_not_taken_after_the_folder_was_moved_or_copied(config, tmp_path, monkeypatch):
    """It holds the paths of the folder that it was compiled for: a step in the copy would write into the original."""
    from tfx.dsl.compiler import compiler
    from tfx.proto.orchestration import pipeline_pb2

    def compiled_for(folder: Path) -> str:
        pipeline = SimpleNamespace(create=lambda: lambda config: config.pipeline_root)
        return step._compiled(pipeline, Config(output_root=str(folder)), RUN, 0.0).pipeline_info.id

    def compile_(_, root: str) -> pipeline_pb2.Pipeline:
        asked.append(root)
        return pipeline_pb2.Pipeline(pipeline_info=pipeline_pb2.PipelineInfo(id=root))

    asked: list[str] = []
    monkeypatch.setattr(compiler.Compiler, "compile", compile_)
    first, second = tmp_path / "first", tmp_path / "second"
    assert compiled_for(first) == compiled_for(first) == f"{first}/artifacts"
    shutil.copytree(first, second)
    assert compiled_for(second) == f"{second}/artifacts"
    assert compiled_for(first) == f"{first}/artifacts"
    assert len(asked) == 2


def test_inputs_are_read_from_the_run_in_which_their_producer_last_succeeded():
    from tfx.proto.orchestration import pipeline_pb2

    node = pipeline_pb2.PipelineNode()
    for producer in ("Transform", "ImportSchemaGen"):
        channel = node.inputs.inputs[producer].channels.add()
        channel.producer_node_query.id = producer
        for kind, name in (("pipeline", "flights"), ("pipeline_run", "this"), ("node", f"flights.{producer}")):
            query = channel.context_queries.add()
            query.type.name = kind
            query.name.field_value.string_value = name
    step._read_from(node, {"Transform": "its second"})

    def names(producer: str) -> list[str]:
        (channel,) = node.inputs.inputs[producer].channels
        return [query.name.field_value.string_value for query in channel.context_queries]

    assert names("Transform") == ["flights", "its second", "flights.Transform"]
    assert names("ImportSchemaGen") == ["flights", "this", "flights.ImportSchemaGen"]


FORKED = """
import sys
from engines.airflow import step
print(step.forked(sys.argv[1:]))
"""


@pytest.mark.skipif(not client.FORKS, reason="on this system each step imports TFX anew")
def test_a_step_is_forked_from_the_warm_process_that_its_task_is_told_of(command, tmp_path):
    """What is forked is `step.main`; here a module of the same name tells what it was called with, and dies for one node."""
    package = tmp_path / "packages" / "engines" / "airflow"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "step.py").write_text(
        "import os, sys\ndef main(arguments):\n    print(arguments[0], 'json' in sys.modules, flush=True)\n"
        "    if arguments[0] == 'dies': os.kill(os.getpid(), 9)\n    return 65\n"
    )
    warm = client.Warm.own(["json"])
    own = {client.SOCKET: str(warm.path)}
    try:
        for node, status, printed in (("Trainer", 0, "Trainer True\n65\n"), ("dies", -signal.SIGKILL, "dies True\n")):
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    FORKED.replace(
                        "step.forked",
                        f"__import__('os').environ.update(PYTHONPATH={str(package.parents[1])!r}) or step.forked",
                    ),
                    node,
                ],
                env=os.environ | own,
                stdout=subprocess.PIPE,
                text=True,
                timeout=120,
                check=False,
            )
            assert (done.returncode, done.stdout) == (status, printed)
    finally:
        warm.end()


def test_without_a_warm_process_the_step_is_run_by_who_asks(monkeypatch):
    monkeypatch.setenv(client.SOCKET, "/nowhere/at/all")
    assert step.forked(["Trainer"]) is None
