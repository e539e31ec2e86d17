"""The command line: what it takes, what it says when something is wrong, and its exit status. The pipeline is a stand-in here."""

from __future__ import annotations

import io
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

import flights
from engines import common
from flights import cli
from flights.config import Config, Demand, Plan
from flights.data import DataError


@pytest.fixture
def runs(monkeypatch):
    """Configurations with which the stand-in for the pipeline was run."""
    seen: list[Config] = []
    monkeypatch.setattr(cli, "import_quietly", lambda: None)
    monkeypatch.setattr(cli, "_run", lambda config, engine: seen.append(config) or 0)
    return seen


@pytest.fixture
def requests(monkeypatch):
    """Flights that were asked about; the stand-in for the model says 0.25 to each."""
    seen: list[list] = []

    class Predictor:
        def __init__(self, folder):
            pass

        def predict(self, flights):
            seen.append(flights)
            return [0.25] * len(flights)

    monkeypatch.setattr(cli, "import_quietly", lambda: None)
    monkeypatch.setitem(sys.modules, "flights.predict", types.SimpleNamespace(Predictor=Predictor))
    monkeypatch.setattr("engines.store.latest_version", lambda config: "serving/1")
    return seen


def wrong_options(arguments: list[str], capsys) -> str:
    """What the parser says about arguments that it refuses."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


# --- Options ------------------------------------------------------------------------------------------------------


def test_without_options_the_defaults_run(runs):
    assert cli.main(["run"]) == 0
    assert runs == [Config()]


def test_every_option_reaches_the_configuration(runs):
    given = {
        "train_epochs": 2,
        "batch_size": 32,
        "seed": 7,
        "learning_rate": 0.01,
        "dropout": 0.1,
        "l2": 0.0,
        "min_auc": 0.6,
        "min_slice_auc": 0.4,
        "max_auc_loss": 0.02,
        "data_root": "here",
        "output_root": "there",
        "tuner_trials": 3,
        "run_name": "a name",
    }
    options = [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    options += ["--tune", "--warm-start", "--infra-check", "--track", "sqlite:///runs.db", "--hidden-units", "8-4"]
    assert cli.main(["run", "--months", "2-5", "--no-cache", *options]) == 0
    given |= {"tune": True, "warm_start": True, "tracking_uri": "sqlite:///runs.db", "hidden_units": (8, 4)}
    given["infra_check"] = True
    assert runs == [Config(months=(2, 5), enable_cache=False, **given)]


def test_infra_check_by_docker_is_refused_at_once_where_no_docker_answers(monkeypatch, tmp_path, capsys, root):
    """TFX's InfraValidator would refuse the model, and the run would end as if all were well."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    options = ["--data-root", str(root / "data/flights"), "--output-root", str(tmp_path / "out")]
    assert cli.main(["run", "--infra-check", "docker", *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith("flights run: --infra-check docker: no Docker engine answers (")
    assert said.endswith("Start one, or write --infra-check alone, which needs none.\n")
    assert not (tmp_path / "out" / "metadata.sqlite").exists()


def test_plan_is_read_from_its_file_and_no_hidden_layer_can_be_asked_for(runs, tmp_path):
    plan = Plan((Demand("AUC", at_least=0.6, at_most=0.8),))
    assert cli.main(["run", "--plan", str(plan.save(tmp_path / "plan.json")), "--hidden-units", ""]) == 0
    assert runs == [Config(plan=plan, hidden_units=())]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--plan", "nowhere.json"], "nowhere.json"),
        (["--plan", "plan.json"], "plan.json: metric='auc': there is no such metric. Did you mean 'AUC'?"),
        (["--seed", "-1"], "seed=-1: a whole number from 0"),
        (["--tuner-trials", "-2"], "tuner_trials=-2: at least 1"),
        (["--track", "mlruns"], "write a database such as sqlite:///out/mlflow.db"),
    ],
)
def test_what_cannot_be_right_ends_with_1_and_a_sentence(runs, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text('{"demands": [{"metric": "auc", "at_least": 0.6}]}')
    assert cli.main(["run", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not runs


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3, 3)), ("1-3", (1, 3)), ("01-12", (1, 12)), (" 4 ", (4, 4)), ("4-", (4, 4))]
)
def test_months_are_one_or_a_range(text, expected):
    assert cli.months(text) == expected


@pytest.mark.parametrize("text", ["", "-3", "1-2-3", "1..3", "March", "1,2"])
def test_months_that_are_none_are_refused_with_an_example(text, capsys):
    assert "write a month (3) or a range (1-3)" in wrong_options(["run", f"--months={text}"], capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: command"),
        (["train"], "invalid choice: 'train'"),
        (["run", "--train-epochs", "many"], "invalid int value: 'many'"),
        (["run", "--hidden-units", "64,32"], "write the units of each layer, such as 64-32"),
        (["run", "--epochs", "3"], "unrecognized arguments"),
        (["predict"], "the following arguments are required: flights"),
    ],
)
def test_wrong_options_end_with_2_and_name_the_option(arguments, said, capsys):
    assert said in wrong_options(arguments, capsys)


# --- What a person can mend ends with 1 and a sentence ------------------------------------------------------------


@pytest.mark.parametrize("months", ["0", "13", "3-1", "1-13"])
def test_months_outside_the_year_end_with_1(months, runs, capsys):
    assert cli.main(["run", "--months", months]) == 1
    said = capsys.readouterr().err
    assert said.startswith("flights run: months=")
    assert said.count("\n") == 1
    assert not runs


@pytest.mark.parametrize(
    "error",
    [
        DataError("span-01/flights.csv, line 3: broken"),
        ValueError("a setting"),
        RuntimeError("another run"),
        FileNotFoundError(2, "No such file", "schema.pbtxt"),
        PermissionError(13, "Permission denied", "out"),
    ],
)
def test_failed_run_ends_with_1_and_its_reason(error, runs, monkeypatch, capsys):
    def fail(config, engine):
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main(["run"]) == 1
    assert capsys.readouterr().err == f"flights run: {error}\n"


@pytest.mark.parametrize(("node", "words"), [("", "The run failed"), ("Trainer", "Trainer failed")])
def test_fault_in_the_program_is_told_as_one_with_its_component_its_place_and_its_traceback_in_a_file(
    runs, monkeypatch, tmp_path, capsys, node, words
):
    def fail(config, engine):
        error = KeyError("a bug")
        if node:
            error.failed_node = node  # as `engines.local` does
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main(["run", "--output-root", str(tmp_path)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"flights run: {words} in test_flights_cli.py, line ")
    assert first.endswith(f"(the whole traceback: {tmp_path}/failed.log):")
    assert second == "KeyError: 'a bug'"
    assert "in fail\n" in (tmp_path / "failed.log").read_text()


def test_prediction_without_a_model_says_how_to_get_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli, "import_quietly", lambda: None)
    monkeypatch.setitem(sys.modules, "flights.predict", types.SimpleNamespace(Predictor=None))
    assert cli.main(["predict", "{}", "--output-root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no model was pushed there yet" in said
    assert "A run of the pipeline trains one" in said


# --- Requests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "flights"), [('{"carrier": "UA"}', 1), ('[{"carrier": "UA"}, {"carrier": "B6"}]', 2)])
def test_one_flight_or_a_list_is_predicted(text, flights, requests, capsys):
    assert cli.main(["predict", text]) == 0
    assert capsys.readouterr().out == "0.250\n" * flights
    assert len(requests[0]) == flights


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "mark of the encoding"])
def test_dash_reads_standard_input(mark, requests, monkeypatch):
    given = io.BytesIO(mark + b'{"carrier": "UA"}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given, encoding="utf-8"))
    assert cli.main(["predict", "-"]) == 0
    assert requests == [[{"carrier": "UA"}]]


def test_broken_json_is_told_by_its_place(requests, capsys):
    assert cli.main(["predict", '{"carrier": UA}']) == 1
    assert capsys.readouterr().err.startswith("flights predict: not JSON (line 1, column 13")
    assert not requests


# --- As a person meets it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["run", "--months", "13"], 1), (["predict", "{"], 1), (["run", "--months", "May"], 2)],
)
def test_command_answers_at_once_and_without_a_traceback(arguments, status, tmp_path):
    """In another process and another folder, where TFX and TensorFlow cannot be imported: nobody waits for them in vain."""
    program = (
        "import sys; sys.modules |= {'tfx': None, 'tensorflow': None}; from flights.cli import main; sys.exit(main())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == status, said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


# --- Part of the pipeline -----------------------------------------------------------------------------------------


def without_tfx(monkeypatch) -> None:
    """Puts stand-ins in the place of what imports TFX."""
    made = types.SimpleNamespace(create_pipeline=None, create_components=None)
    monkeypatch.setattr(cli, "import_quietly", lambda: None)
    monkeypatch.setitem(sys.modules, "flights.pipeline", made)
    monkeypatch.setattr(flights, "pipeline", made, raising=False)


@pytest.fixture
def parts(monkeypatch):
    """What the stand-in for an engine was asked for beside the configuration."""
    seen: list[dict] = []
    runner = types.SimpleNamespace(run=lambda *given, **how: seen.append(how), verdict=lambda *given: "judged")
    without_tfx(monkeypatch)
    for module in cli.ENGINES.values():
        monkeypatch.setitem(sys.modules, module, runner)
    return seen


@pytest.mark.parametrize("engine", ["local", "flink"])
@pytest.mark.parametrize(
    ("options", "how", "said"),
    [
        (["--from", "Trainer"], {"first": "Trainer"}, "judged"),
        (["--to", "Pusher"], {"last": "Pusher"}, "judged"),
        (["--to", "ExperimentTracker"], {"last": "ExperimentTracker"}, "judged"),
        (["--to", "Transform"], {"last": "Transform"}, "Ended with Transform, as asked; no model was pushed."),
        (
            ["--from", "Transform", "--to", "Trainer"],
            {"first": "Transform", "last": "Trainer"},
            "Ended with Trainer, as asked; no model was pushed.",
        ),
        (["--from", "", "--to", ""], {}, "judged"),
    ],
)
def test_part_of_the_pipeline_is_asked_of_the_engine(engine, options, how, said, parts, capsys):
    assert cli.main(["run", "--engine", engine, *options]) == 0
    assert parts == [how]
    assert capsys.readouterr().out.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ([], {}),
        (["--containers"], {"in_containers": True}),
        (["--containers", "parcels:1"], {"in_containers": True, "image": "parcels:1"}),
    ],
)
def test_containers_are_of_the_course_s_image_or_of_one_that_is_named(options, how, parts):
    assert cli.main(["run", "--engine", "kubeflow", *options]) == 0
    assert parts == [how]


@pytest.mark.parametrize("engine", [engine for engine in cli.ENGINES if engine not in ("local", "flink")])
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_engine_that_runs_whole_pipelines_only_says_so(engine, option, parts, capsys):
    assert cli.main(["run", "--engine", engine, option, "Trainer"]) == 1
    assert f"engine {engine} runs whole pipelines only" in capsys.readouterr().err
    assert not parts


@pytest.mark.parametrize("engine", cli.ENGINES)
def test_each_engine_has_a_module_that_runs_and_the_run_is_its(engine, monkeypatch, capsys):
    assert find_spec(cli.ENGINES[engine])
    called = []
    runner = types.SimpleNamespace(run=lambda *given: called.append(given[0]), verdict=lambda *given: "all is well")
    without_tfx(monkeypatch)
    monkeypatch.setitem(sys.modules, cli.ENGINES[engine], runner)
    assert cli.main(["run", "--engine", engine]) == 0
    assert called == [Config()]
    assert capsys.readouterr().out.endswith("all is well\n")


# --- Where it runs ------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A folder with the default data, and one below it, in which one is."""
    (tmp_path / "repository/data/flights").mkdir(parents=True)
    (tmp_path / "repository/notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "repository/notebooks")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "repository"


@pytest.fixture
def places(monkeypatch) -> list[tuple[Path, Config]]:
    """In which folder, and with what, the stand-in for the pipeline is run."""
    seen = []
    monkeypatch.setattr(cli, "_run", lambda config, engine: seen.append((Path.cwd(), config)) or 0)
    return seen


@pytest.mark.parametrize(
    ("options", "folder", "settings"),
    [
        ("", ".", {}),
        (
            "--output-root mine --track sqlite:///runs.db",
            ".",
            {"output_root": "{here}/mine", "tracking_uri": "sqlite:///{here}/runs.db"},
        ),
        (
            "--output-root ~/mine --track sqlite:///~/runs.db",
            ".",
            {"output_root": "{home}/mine", "tracking_uri": "sqlite:///{home}/runs.db"},
        ),
        (
            "--output-root mine --data-root ../data/flights",
            "notebooks",
            {"output_root": "mine", "data_root": "../data/flights"},
        ),
    ],
    ids=["no folder", "folders of one's own", "the home folder", "all folders"],
)
def test_below_the_repository_its_data_are_found_and_paths_mean_the_folder_that_one_is_in(
    repository, places, capsys, options, folder, settings
):
    here = repository / "notebooks"
    assert cli.main(["run", *options.split()]) == 0
    wanted = {name: text.format(here=here, home=repository.parent) for name, text in settings.items()}
    assert places == [((repository / folder).resolve(), Config(**wanted))]
    assert capsys.readouterr().err == (f"In {repository}:\n" if folder == "." else "")
    assert Path.cwd() == here


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--output-root=s3://bucket/runs", "s3: begins an address"),
        ("--output-root=C:\\runs", "a path of Windows"),
        ("--output-root=$OUT/runs", "no shell has filled in the variable"),
        ("--output-root=", "it is empty"),
        ("--track=sqlite:///s3://bucket/runs.db", "s3: begins an address"),
        ("--plan=gs://bucket/plan.json", "gs: begins an address"),
    ],
)
def test_what_is_no_path_is_refused_below_the_repository_as_well(repository, places, capsys, option, words):
    """Joined to the folder that one is in, it would be a path: `notebooks/s3:/bucket/runs`."""
    assert cli.main(["run", option]) == 1
    assert places == []
    assert words in capsys.readouterr().err


def test_prediction_finds_the_model_of_a_run_from_the_repository(repository, monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "_predict", lambda config, request: seen.append(Path.cwd()) or 0)
    (repository / "out/pipelines/flights").mkdir(parents=True)
    (repository / "data/flights").rmdir()
    assert cli.main(["predict", "{}"]) == 0
    assert seen == [repository]


def test_without_data_it_says_where_it_has_looked_and_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run"]) == 1
    said = (
        f"flights run: There is no folder data/flights in {tmp_path}. Run from the repository, or give --data-root.\n"
    )
    assert capsys.readouterr().err == said
    assert cli.main(["run", "--data-root", "/nowhere"]) == 1
    assert capsys.readouterr().err == "flights run: /nowhere: no such folder. Give --data-root another one.\n"


# --- Names of folders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", list("*?["))
@pytest.mark.parametrize("name", ["a{}b/out", "out/{}1]"])
def test_output_folder_whose_name_is_a_pattern_is_refused_before_anything_runs(character, name, root, tmp_path, capsys):
    folder = tmp_path / name.format(character)
    assert cli.main(["run", "--data-root", str(root / "data/flights"), "--output-root", str(folder)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"flights run: --output-root: {folder} has a {character} in its name")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("character", list("*?[\\"))
def test_pattern_in_the_name_of_the_folder_that_one_is_in_is_refused_too(character, tmp_path, monkeypatch):
    (tmp_path / f"a{character}").mkdir()
    monkeypatch.chdir(tmp_path / f"a{character}")
    with pytest.raises(ValueError, match=r"--output-root: .* has a . in its name"):
        common.require_plain_name(Config())


@pytest.mark.parametrize("name", ["a b", "50%", "#1", "é'\"", "{a,b}", "a$~"])
def test_other_names_of_the_output_folder_are_taken(name, tmp_path):
    common.require_plain_name(Config(output_root=str(tmp_path / name)))


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError, match=r"Nothing can be written in .*file/out \(.*\)\. Choose another --output-root"),
        common.one_at_a_time(tmp_path / "file/out"),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff{}", "flights predict: not UTF-8 (byte 1 of the input). Save the flights as UTF-8.\n"),
        ("{}".encode("utf-16"), "flights predict: not UTF-8 (byte 1 of the input). Save the flights as UTF-8.\n"),
        (b"[" * 100_000, "flights predict: not a flight or a list of flights, but lists or objects one in another.\n"),
    ],
)
def test_input_that_is_no_text_or_has_no_end_is_one_sentence(content, said, requests, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    assert cli.main(["predict", "-"]) == 1
    assert capsys.readouterr() == ("", said)
    assert requests == []


def test_number_of_thousands_of_digits_is_left_to_the_contract(requests):
    assert cli.main(["predict", '{"temp": ' + "9" * 5000 + "}"]) == 0
    assert requests == [[{"temp": float("inf")}]]
