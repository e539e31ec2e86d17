"""`flights lineage`: what an engineer reads, on the store whose answers are known by construction."""

from __future__ import annotations

import json

import lineage_store
import pytest
from lineage_store import FIRST_VERSION, checksum

from flights import cli


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """In a folder laid out as a pipeline's."""
    store, at = lineage_store.make(tmp_path_factory.mktemp("lineage"))
    store.serving("delays").rename(store.folder / "serving")
    return store, at


@pytest.fixture
def ask(made, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["lineage", *arguments, "--output-root", str(made[0].folder)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def at(made):
    return made[1]


def test_a_version_is_told_with_months_schema_code_settings_and_verdict(ask, at):
    status, said, _ = ask(str(FIRST_VERSION))
    assert status == 0
    assert said.startswith(f"Version {FIRST_VERSION} of pipeline delays, in ")
    lines = {line[2:14].strip(): line[15:] for line in said.splitlines() if line.startswith("  ")}
    assert lines["trained on"].startswith("month 1, span-01/flights.csv, 010101010101, split train (artifact ")
    assert lines["validated on"].startswith("month 2, span-02/flights.csv, 020102010201, split eval (artifact ")
    assert lines["schema"].startswith(f"artifact {at['schema']}, checksum 0abc, ")
    assert "Trainer code of Trainer" in lines["code"]
    assert lines["settings"] == "learning_rate 0.003"
    assert "blessed 20" in lines["judged"]
    assert "UTC by Evaluator, run delays-1 (execution " in lines["judged"]
    assert said.index("What the store cannot say") < said.index("Which predictions the version has given")


def test_the_baseline_is_told_as_no_ancestor_and_the_base_of_a_warm_start_as_one(ask, at):
    _, said, _ = ask(str(FIRST_VERSION + 2), "--pipeline", "delays")
    assert f"held against model {at['first']}, which is no ancestor by that" in said
    assert f"warm start   from model {at['first']}, which is an ancestor:" in said
    assert f"  Model {at['first']}, pushed" in said
    assert "tuned        dropout 0.2" in said
    _, said, _ = ask(str(FIRST_VERSION + 3))
    assert f"held against model {at['warm']}, which is no ancestor by that" in said
    assert "warm start" not in said
    assert "month 2" not in said


def test_without_a_version_it_is_the_newest(ask):
    assert ask()[1].startswith(f"Version {FIRST_VERSION + 3} of pipeline delays")
    assert ask("--pipeline", "cancellations")[1].startswith(f"Version {FIRST_VERSION + 2} of pipeline cancellations")
    assert "No version was pushed yet by nothing." in ask("--pipeline", "nothing")[2]


def test_a_month_is_told_with_what_was_trained_inherited_and_only_evaluated(ask, at):
    _, said, _ = ask("--span", "2")
    head, *groups = said.rstrip().split("\n\n")
    assert head == "Month 2: 3 models learned from it, 1 version of them pushed; 1 model evaluated on it only."
    titles = ["Trained on it:", "Went on from a model that was trained on it:", "Evaluated on it, and nothing learned:"]
    assert [group.splitlines()[0] for group in groups] == titles
    models = [[int(line.split()[1]) for line in group.splitlines()[1:]] for group in groups]
    assert models == [[at["warm"], at["refused"]], [at["third"]], [at["first"]]]
    assert f"pushed as version {FIRST_VERSION + 2}" in groups[0]
    assert f"through model {at['warm']}" in groups[1]


def test_a_month_with_two_contents_says_so(ask, at):
    _, said, _ = ask("--span", "1", "--pipeline", "delays")
    assert "It was delivered with 2 contents: 010101010101, 010201020102. Add --checksum to ask of one." in said
    _, said, _ = ask("--span", "1", "--checksum", checksum(1, 2)[:6])
    assert said.startswith("Month 1 with checksum 010201: 1 model learned from it, 1 version of it pushed")
    assert f"model {at['again']}" in said


def test_a_refused_model_and_any_artifact_can_be_asked_for(ask, at):
    _, said, _ = ask("--model", str(at["third"]))
    assert f"Model {at['third']}, refused" in said
    assert "no answer" in said
    _, said, _ = ask("--artifact", str(at["schema"]))
    assert said.startswith(f"Artifact {at['schema']}: 5 models learned from it, 4 versions of them pushed")


def test_json_says_the_same(ask, at):
    told = json.loads(ask(str(FIRST_VERSION), "--json")[1])
    assert told["model"]["artifact"] == at["first"]
    assert told["model"]["trained_on"][0]["file"] == {
        "path": "span-01/flights.csv",
        "span": 1,
        "checksum": checksum(1),
    }
    reached = json.loads(ask("--span", "4", "--json")[1])
    assert [(one["model"]["artifact"], one["how"]) for one in reached] == [(at["third"], "evaluated")]
    assert json.loads(ask("--model", str(at["refused"]), "--json")[1])["pushes"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7"], "flights lineage: There is no version 7 in this store. Recorded versions: 1700000101, "),
        (["--span", "9"], "No model of this store has read span 9. It knows span-01/flights.csv"),
        (["7", "--span", "3"], "2 questions at once: give VERSION, --model, --span (with --checksum), or --artifact."),
        (["--model", "1"], "Artifact 1 is no model of this store. Models: "),
        ([str(FIRST_VERSION + 2)], "was pushed by cancellations and by delays. Name one with --pipeline."),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(arguments, said, ask):
    status, out, error = ask(*arguments)
    assert (status, out) == (1, "")
    assert said in error
    assert "Traceback" not in error


def test_a_folder_that_was_pushed_by_hand_is_called_so(ask, made):
    (made[0].folder / "serving/7").mkdir()
    assert "serving/7 was pushed by no pipeline of this store: by hand, or by one with another store." in ask("7")[2]


def test_without_a_store_none_is_made(tmp_path, capsys):
    assert cli.main(["lineage", "--output-root", str(tmp_path)]) == 1
    assert "There is no metadata store at" in capsys.readouterr().err
    assert not (tmp_path / "metadata.sqlite").exists()
