"""Part of the pipeline on the local engine: up to a component, from one on, and again from where a run failed.

It may be taken from a run whose components had the inputs, the code and the files that they would have now. All tests use one store, in this order:
a copy of that of the January run that the engines are compared with.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import shutil
import sqlite3
from contextlib import closing

import ledger
import lineage_store
import outcomes
import pytest

from engines import store
from engines.events import Graph
from flights.config import BARS, Config
from flights.plan import AGREED, Plan

FROM_TRAINER = {"Trainer", "LatestBlessedModel", "Evaluator", "Pusher"}
LENIENT = {"train_epochs": 1, "min_auc": 0.0, "min_slice_auc": 0.0, "max_auc_loss": 1.0}


@pytest.fixture(scope="module")
def config(make_config, run, tmp_path_factory):
    """Settings with which a part is made, in the copy."""
    config, shared = make_config("partial", **LENIENT), outcomes.shared_folder(tmp_path_factory)
    outcomes.reference(make_config(), run, shared)
    shutil.copytree(shared / outcomes.LOCAL, config.output_root)
    return config


@pytest.fixture
def fresh(make_config):
    """Where nothing was run."""
    return make_config("fresh")


def states(reports) -> dict[str, str]:
    return {report.node: report.state for report in reports}


def test_nothing_can_be_taken_from_a_run_that_never_was(run, fresh):
    with pytest.raises(ValueError, match=r"no earlier run .* \(there was no run yet\)\. Run the whole pipeline once"):
        run(fresh, first="Trainer")
    assert not ledger.executions(fresh)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"first": "Trainr"}, "Trainr: there is no such component. There are CsvExampleGen, "),
        ({"last": "pusher"}, "pusher: there is no such component. There are CsvExampleGen, "),
        ({"first": "Pusher", "last": "Transform"}, "Transform does not depend on Pusher"),
    ],
)
def test_a_part_that_cannot_be_is_refused_in_a_sentence(part, said, run, fresh):
    with pytest.raises(ValueError, match=said):
        run(fresh, **part)
    assert not ledger.executions(fresh)


def test_a_component_that_fails_is_named(run, config, monkeypatch):
    """The parts that follow are taken from the run before this one."""
    import keras

    def fail(*_, **__):
        raise ArithmeticError("the training went wrong")

    monkeypatch.setattr(keras.Model, "fit", fail)
    with pytest.raises(ArithmeticError, match="the training went wrong") as failed:
        run(config, first="Trainer")
    assert failed.value.failed_node == "Trainer", "whoever tells of the error names the component"
    assert ledger.last_states(config)["Trainer"] == "FAILED"


@pytest.fixture(scope="module")
def part(config, run):
    """The reports of a run from the Trainer on."""
    return run(config, first="Trainer")


@pytest.fixture(scope="module")
def plain(config, part):
    """The settings of that run."""
    return config


def test_from_the_trainer_on_nothing_before_it_is_run(part, config):
    assert states(part) == dict.fromkeys(FROM_TRAINER, "done")
    assert store.latest_verdict(config).startswith("Blessed and pushed")
    ledger.assert_sound(config)


def test_a_part_of_a_part_builds_on_the_newest_run_and_its_baseline_is_the_latest(run, part, config):
    """What that one had reused has no settings of its own in the store: they are those of the run before it. And TFX alone would take its baseline: none."""
    trained = ledger.last_output(config, "Trainer", "model").id
    found = states(run(dataclasses.replace(config, min_auc=0.99), first="Evaluator"))
    assert found == dict.fromkeys(("LatestBlessedModel", "Evaluator", "Pusher"), "done")
    assert ledger.last_input(config, "Pusher", "model").id == trained
    assert ledger.baseline_of(ledger.last_output(config, "Evaluator", "blessing")) == trained
    assert store.latest_verdict(config).startswith("Refused")
    ledger.assert_sound(config)


@pytest.mark.parametrize(
    ("first", "settings", "said"),
    [
        ("Trainer", {"months": (2, 2)}, "CsvExampleGen ran with another `range_config`"),
        ("Evaluator", {"train_epochs": 7}, "Trainer ran with another `custom_config`"),
    ],
)
def test_what_ran_with_other_settings_is_not_taken(first, settings, said, run, plain):
    before = len(ledger.executions(plain))
    with pytest.raises(ValueError, match=said):
        run(dataclasses.replace(plain, **settings), first=first)
    assert len(ledger.executions(plain)) == before


# --- What a part may be taken from ---------------------------------------------------------------------------------------


def refused(run, config, first: str, said: str) -> None:
    before = len(ledger.executions(config))
    with pytest.raises(ValueError, match=said):
        run(config, first=first)
    assert len(ledger.executions(config)) == before


def options(config, first: str):
    """What TFX is told for the components from one on."""
    from engines import partial
    from flights import pipeline

    return partial.options(config, pipeline.create_pipeline(config), first, "")


def test_a_part_of_a_single_month_is_taken_from_a_run_that_read_it_anew(plain):
    """ExampleGen's driver writes the month into the pattern that it is told; that is no other setting."""
    found = options(plain, "Evaluator")
    assert (found.from_nodes, bool(found.base_pipeline_run_id)) == (["Evaluator", "LatestBlessedModel"], True)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"reader": "csv"}, "CsvExampleGen was another component"),
        ({"pipeline_name": "another"}, "there was no run yet"),
    ],
)
def test_a_part_is_taken_from_the_same_components_of_the_same_pipeline(settings, said, plain, run):
    refused(run, dataclasses.replace(plain, **settings), "Evaluator", said)


def test_a_part_needs_what_it_reads_and_nothing_else(plain, run, tmp_path):
    """Of a model that was deleted TensorFlow would say something in the midst of the run."""
    model, graph = (
        ledger.last_output(plain, *made).uri for made in (("Trainer", "model"), ("Transform", "transform_graph"))
    )
    shutil.move(graph, tmp_path / "graph")
    assert options(plain, "Evaluator").base_pipeline_run_id
    shutil.move(tmp_path / "graph", graph)
    shutil.move(model, tmp_path / "model")
    refused(run, plain, "Evaluator", f"Trainer lacks {model}, which it had made")
    shutil.move(tmp_path / "model", model)


def test_a_plan_that_brings_a_metric_is_called_another_setting_and_not_another_code(plain, run):
    planned = dataclasses.replace(plain, plan=Plan.load(AGREED), **{name: getattr(Config, name) for name in BARS})
    refused(run, planned, "Pusher", "Evaluator ran with another `eval_config`")


def test_a_model_of_other_inputs_is_not_judged_as_this_runs(plain, tmp_path):
    """In a copy of the store that says so; long tests have a model that was tuned and one that went on from another."""
    config = dataclasses.replace(plain, output_root=str(tmp_path))
    shutil.copy(plain.metadata_path, config.metadata_path)
    assert options(config, "Evaluator").base_pipeline_run_id
    with closing(sqlite3.connect(config.metadata_path)) as opened:
        opened.executemany(
            "UPDATE EventPath SET step_key = 'base_model' WHERE step_key = 'transform_graph' "
            "AND event_id IN (SELECT id FROM Event WHERE execution_id = ?)",
            [(one.number,) for one in ledger.executions(plain) if one.node == "Trainer"],
        )
        opened.commit()
    with pytest.raises(ValueError, match="Trainer ran with `base_model` of Transform, and has none now"):
        options(config, "Evaluator")


@pytest.fixture
def edit(monkeypatch):
    """A function after which a module of the package has another fingerprint."""
    from flights import pipeline

    real = pipeline._code_of

    def edited(module: str) -> None:
        monkeypatch.setattr(pipeline, "_code_of", lambda names: "edited" if module in names else real(names))

    return edited


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("flights.model", "Trainer"),
        ("flights.features", "Transform"),
        ("flights.gate", "DataGate"),
        ("flights.examples", "CsvExampleGen"),
    ],
)
def test_what_ran_with_other_code_is_not_taken(module, said, plain, run, edit):
    edit(module)
    refused(run, plain, "Evaluator", f"{said} ran with other code")


def test_code_that_is_run_again_anyway_may_be_edited(plain, edit):
    """That is what a part is for: another training, on what was read and transformed before."""
    edit("flights.model")
    assert options(plain, "Trainer").from_nodes == ["Trainer", "LatestBlessedModel"]


@pytest.mark.long
def test_another_model_of_a_part_is_held_against_the_one_before(run, plain):
    first, before = ledger.last_output(plain, "Trainer", "model").id, len(ledger.versions(plain))
    found = states(run(dataclasses.replace(plain, train_epochs=2), first="Trainer"))
    assert found == dict.fromkeys(FROM_TRAINER, "done")
    assert ledger.baseline_of(ledger.last_output(plain, "Evaluator", "blessing")) == first
    assert len(ledger.versions(plain)) == before + 1


# --- A run with all that a run may have ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tuned(plain, run):
    """A run of one month that was tuned, went on from the model of the first, and was served before it was pushed."""
    config = dataclasses.replace(plain, tune=True, tuner_trials=1, warm_start=True, dropout=0.1, infra_check=True)
    run(config)
    assert ledger.last_input(config, "Trainer", "base_model")
    return config


@pytest.mark.long
@pytest.mark.parametrize(
    ("without", "said"),
    [
        ({"tune": False, "tuner_trials": 8}, "Trainer ran with `hyperparameters` of Tuner, and has none now"),
        ({"warm_start": False}, "Tuner ran with `base_model` of LatestBlessedModel, and has none now"),
    ],
)
@pytest.mark.parametrize("first", ["Evaluator", "Pusher"])
def test_a_model_of_other_inputs_is_not_judged_or_pushed_as_this_runs(first, without, said, tuned, run):
    refused(run, dataclasses.replace(tuned, **without), first, said)


@pytest.mark.long
def test_after_the_training_the_model_that_it_started_from_is_the_baseline(tuned, run):
    trained, started = (
        ledger.last_output(tuned, "Trainer", "model").id,
        ledger.last_input(tuned, "Trainer", "base_model").id,
    )
    reports = run(dataclasses.replace(tuned, min_auc=0.01), first="Evaluator")
    assert [report.node for report in reports] == ["Evaluator", "Pusher"]
    assert ledger.last_input(tuned, "Evaluator", "model").id == trained
    assert ledger.baseline_of(ledger.last_output(tuned, "Evaluator", "blessing")) == started
    assert store.latest_verdict(tuned).startswith("Blessed")


@pytest.mark.long
def test_a_model_is_not_pushed_over_one_that_was_blessed_since_and_that_it_was_not_compared_with(plain, tuned, run):
    refused(
        run, plain, "Pusher", r"There is no earlier run .* \(Trainer ran with another `custom_config` \(dropout\)\)"
    )


@pytest.mark.long
def test_a_search_may_be_made_anew_after_its_code_was_edited(tuned, edit):
    edit("flights.model")
    assert options(tuned, "Tuner").from_nodes == ["Tuner", "LatestBlessedModel"]


@pytest.mark.long
def test_the_store_of_the_tests_has_the_form_of_a_real_one(tuned, tmp_path):
    """`lineage_store.make`, by which lineage is judged, writes nothing that TFX does not: nodes, names of events, settings, properties."""
    made, _ = lineage_store.make(tmp_path)
    real, ours = (form(Graph(opened)) for opened in (store.open_store(tuned), made.store))
    assert set(ours) <= set(real)
    for node, parts in ours.items():
        for part, found in parts.items():
            assert found <= real[node][part], (node, part)
    assert ours["Trainer"]["inputs"] >= {"base_model", "hyperparameters", "transform_graph"}
    assert ours["Evaluator"]["inputs"] >= {"model", "baseline_model"}


def form(graph) -> dict[str, dict[str, set[str]]]:
    """For each node the type of its executions, and the names of its inputs, outputs with their types, settings and properties."""
    found: dict[str, dict[str, set[str]]] = {}
    for number, execution in graph.executions.items():
        parts = found.setdefault(graph.step(number).node, collections.defaultdict(set))
        parts["type"].add(execution.type)
        parts["inputs"] |= set(graph.inputs[number])
        parts["settings"] |= set(execution.custom_properties) | set(execution.properties)
        for name, artifacts in graph.outputs[number].items():
            for one in artifacts:
                parts["outputs"].add(f"{name} {graph.artifacts[one].type}")
                parts["properties"] |= set(graph.properties(one)) if graph.makers[one] == number else set()
    return found


# --- Its own data -----------------------------------------------------------------------------------------------------------


def test_a_run_ends_with_the_component_that_is_asked_for_and_files_that_were_edited_since_are_told(
    run, make_config, root, tmp_path
):
    shutil.copytree(root / "data/flights/span-01", tmp_path / "span-01")
    config = make_config("edited", data_root=str(tmp_path))
    assert states(run(config, last="CsvExampleGen")) == {"CsvExampleGen": "done"}
    assert store.latest_verdict(config) == "No model was evaluated yet."
    assert states(run(config, first="StatisticsGen", last="StatisticsGen")) == {"StatisticsGen": "done"}
    path = tmp_path / "span-01/flights.csv"
    date = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace(",UA,", ",AA,"))
    os.utime(path, ns=(date, date))
    with pytest.raises(ValueError, match="CsvExampleGen read files whose contents have changed since"):
        run(config, first="StatisticsGen", last="StatisticsGen")
    after = path.stat().st_mtime + 60
    os.utime(path, (after, after))
    with pytest.raises(ValueError, match="CsvExampleGen read files that have changed since"):
        run(config, first="StatisticsGen", last="StatisticsGen")
