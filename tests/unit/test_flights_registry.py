"""`flights registry` on the command line: what is printed, what is an option, and what a run with the switch does."""

from __future__ import annotations

import re
import sys
import types

import pytest
from lineage_store import FIRST_VERSION, Store

from flights import cli, registry
from flights.config import Config

ONE, TWO = FIRST_VERSION, FIRST_VERSION + 1


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The folder of a pipeline that has pushed two versions, of months 1 and 2, and 1 to 3."""
    store = Store(tmp_path_factory.mktemp("pipeline"))
    schema = None
    for version, months in ((ONE, (1, 2)), (TWO, (1, 3))):
        store.begin()
        examples = store.ingest("flights", months)
        schema = schema or store.execute("flights", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
        _, model = store.train("flights", examples, schema)
        store.push("flights", model, {"model_blessing": store.judge("flights", examples, model, None)}, version)
    store.serving("flights").rename(store.folder / "serving")
    return store.folder


@pytest.fixture
def ask(output, capsys, monkeypatch):
    """A command; versions hold no model, so they are not tried."""
    monkeypatch.setattr(registry, "_attempt", lambda folder: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["registry", *arguments, "--output-root", str(output)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_the_commands_say_what_they_do_and_what_has_changed(output, ask):
    """One life of a registry, as a lesson tells it."""
    assert (
        ask("list")[1]
        == "No version of flights is registered yet. `flights registry sync` registers what was pushed.\n"
    )
    status, said, _ = ask("check")
    assert (status, said.splitlines()) == (
        1,
        [f"Version {one} was pushed and is not registered." for one in (ONE, TWO)],
    )
    assert ask("sync")[1].splitlines() == [
        f"Registered: version {ONE} as number 1 of flights",
        f"Registered: version {TWO} as number 2 of flights",
    ]
    assert ask("sync")[1] == "Nothing to register: each pushed version is registered already.\n"
    assert ask("promote", "1", "--why", "first", "--by", "ann")[1] == (
        f"promote: champion {TWO} -> champion {ONE} (step 1)\n"
    )
    assert ask("challenge", str(TWO), "--share", "0.2")[1] == (
        f"challenge: champion {ONE} -> champion {ONE}, challenger {TWO} (20%) (step 2)\n"
    )
    said = ask("list")[1].splitlines()
    assert said[0].split() == ["version", "number", "role", "pushed", "months", "AUC"]
    assert re.fullmatch(rf"{ONE} +1 +champion +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d +1", said[1])
    assert re.fullmatch(rf"{TWO} +2 +challenger +\S+ \S+ +1, 2", said[2])
    assert said[3] == f"Served: champion {ONE}, challenger {TWO} (20%)."
    assert ask("challenge", "none")[0] == 0
    assert ask("shadow", "2")[0] == 0
    assert ask("shadow", "none")[0] == 0
    assert ask("promote", "2")[0] == 0
    assert ask("rollback", "--why", "complaints")[1] == f"rollback: champion {TWO} -> champion {ONE} (step 7)\n"
    history = ask("history")[1].splitlines()
    assert re.fullmatch(rf"  1  \S+ \S+  ann  promote  champion {TWO} -> champion {ONE}: first", history[0])
    assert history[-1].endswith(f"  rollback  champion {TWO} -> champion {ONE}: complaints")
    assert ask("check") == (0, "Aliases, traffic file, folder and metadata store agree.\n", "")
    shown = ask("show", "champion")[1]
    assert shown.startswith(
        f"Version {ONE}, number 1 of flights: champion\n  source       file://{output}/serving/{ONE}\n"
    )
    assert '\n  settings     {"learning_rate": 0.003}\n' in shown
    status, said, error = ask("promote", "99")
    assert (status, said) == (1, "")
    assert error == (
        f"flights registry: There is no version '99'. Registered are {ONE} (number 1), {TWO} (number 2).\n"
    )
    assert sorted(one.name for one in output.iterdir() if "regis" in one.name) == [
        ".registry.db.lock", ".registry.lock", "registry.db"
    ]  # fmt: skip


def test_another_store_is_named_from_the_folder_that_the_command_is_typed_in(output, ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise.db").write_bytes(bytes(range(256)) * 40)
    status, _, said = ask("list", "--registry", "sqlite:///noise.db")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"flights registry: {tmp_path}/noise.db: MLflow cannot use it (file is not a database)")
    assert "--registry" in said
    status, _, said = ask("list", "--registry", "http://localhost:5000")
    assert (status, "a server of MLflow registers no folder" in said) == (1, True)


@pytest.mark.parametrize(
    ("uri", "said"), [("registry.db", "write a database such as sqlite:///"), ("postgresql://a:secret@b/c", "password")]
)
def test_an_address_that_is_none_is_refused_before_anything_runs(uri, said, ask, capsys):
    with pytest.raises(SystemExit):
        ask("list", "--registry", uri)
    error = capsys.readouterr().err
    assert said in error
    assert "secret" not in error


def test_a_run_registers_at_its_end_where_it_is_told_to_and_not_on_kubeflow(monkeypatch, capsys):
    """The pipeline itself is left out; `registry.register` is what `sync` does above."""
    ran, asked = [], []
    monkeypatch.setattr(cli, "require_inputs", lambda config: None)
    monkeypatch.setattr(cli, "import_quietly", lambda: None)
    for package, name, parts in (  # without TFX
        ("engines", "local", {"run": lambda config, *_, **__: ran.append(config)}),
        ("engines", "store", {"latest_verdict": lambda *_: "pushed"}),
        ("flights", "pipeline", {"create_pipeline": None, "create_components": None}),
        ("flights", "verdict", {"refusal": None}),
    ):
        made = types.SimpleNamespace(**parts)
        monkeypatch.setitem(sys.modules, f"{package}.{name}", made)
        monkeypatch.setattr(sys.modules[package], name, made, raising=False)
    monkeypatch.setattr(registry, "register", lambda config, uri: asked.append(uri))
    assert cli.main(["run"]) == 0
    assert (len(ran), asked) == (1, [])
    assert cli.main(["run", "--registry"]) == 0
    assert cli.main(["run", "--registry", "sqlite:////tmp/mine.db"]) == 0
    assert asked == ["", "sqlite:////tmp/mine.db"]
    assert ran == [Config()] * 3
    assert cli.main(["run", "--registry", "--engine", "kubeflow"]) == 1
    assert len(ran) == 3
    assert "--registry: what Kubeflow runs is recorded in the cluster's metadata store" in capsys.readouterr().err


def test_metrics_are_those_of_an_evaluation_that_is_still_there(tmp_path):
    assert registry._metrics(str(tmp_path)) == {}
