"""Part of the pipeline on the local engine: up to a component, from one on, and again from where a run failed."""

from __future__ import annotations

import dataclasses

import ledger
import pytest

from engines import store

BEFORE = {"CsvExampleGen", "StatisticsGen", "ImportSchemaGen", "ExampleValidator", "DataGate", "Transform"}
FROM_TRAINER = {"Trainer", "LatestBlessedModel", "Evaluator", "Pusher"}


@pytest.fixture(scope="module")
def config(make_config):
    return make_config("partial", train_epochs=3)


def states(reports) -> dict[str, str]:
    return {report.node: report.state for report in reports}


def test_nothing_can_be_taken_from_a_run_that_never_was(run, config):
    with pytest.raises(ValueError, match=r"no earlier run .* \(there was no run yet\)\. Run the whole pipeline once"):
        run(config, first="Trainer")
    assert not ledger.executions(config)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"first": "Trainr"}, "Trainr: there is no such component. There are CsvExampleGen, "),
        ({"last": "pusher"}, "pusher: there is no such component. There are CsvExampleGen, "),
        ({"first": "Pusher", "last": "Transform"}, "Transform does not depend on Pusher"),
    ],
)
def test_a_part_that_cannot_be_is_refused_in_a_sentence(part, said, run, config):
    with pytest.raises(ValueError, match=said):
        run(config, **part)
    assert not ledger.executions(config)


def test_a_run_ends_with_the_component_that_is_asked_for(run, config):
    assert states(run(config, last="Transform")) == dict.fromkeys(BEFORE, "done")
    assert ledger.nodes_that_ran(config) == BEFORE
    assert store.latest_verdict(config) == "No model was evaluated yet."


def test_after_a_failure_the_next_run_takes_what_was_finished_from_the_cache(run, config, monkeypatch):
    import keras

    def fail(*_, **__):
        raise ArithmeticError("the training went wrong")

    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "fit", fail)
        with pytest.raises(ArithmeticError, match="the training went wrong") as failed:
            run(config)
    assert failed.value.failed_node == "Trainer", "whoever tells of the error names the component"
    assert ledger.last_states(config)["Trainer"] == "FAILED"
    found = states(run(config, last="Trainer"))
    assert {node for node, state in found.items() if state == "cached"} == BEFORE
    assert found["Trainer"] == "done"


def test_from_the_trainer_on_nothing_before_it_is_run(run, config):
    """The run before had no Evaluator; its Trainer's outcome is in the cache."""
    found = states(run(config, first="Trainer"))
    assert set(found) == FROM_TRAINER
    assert store.latest_verdict(config).startswith("Blessed and pushed")
    ledger.assert_sound(config)


def test_the_baseline_is_the_latest_all_the_same(run, config):
    """TFX alone would take that of the earlier run as well: none at all."""
    first = ledger.last_output(config, "Trainer", "model").id
    found = states(run(dataclasses.replace(config, train_epochs=4, max_auc_loss=0.5), first="Trainer"))
    assert found == dict.fromkeys(FROM_TRAINER, "done")
    assert ledger.baseline_of(ledger.last_output(config, "Evaluator", "blessing")) == first
    assert len(ledger.versions(config)) == 2


def test_a_part_of_a_part_builds_on_the_newest_run(run, config):
    """What that one had reused has no settings of its own in the store: they are those of the run before it."""
    trained = ledger.last_output(config, "Trainer", "model").id
    found = states(run(dataclasses.replace(config, train_epochs=4, min_auc=0.99), first="Evaluator"))
    assert found == dict.fromkeys(("LatestBlessedModel", "Evaluator", "Pusher"), "done")
    assert ledger.last_input(config, "Pusher", "model").id == trained
    assert store.latest_verdict(config).startswith("Refused")
    ledger.assert_sound(config)


@pytest.mark.parametrize(
    ("first", "settings", "said"),
    [
        ("Trainer", {"months": (2, 2)}, "CsvExampleGen ran with another `range_config`"),
        ("Evaluator", {"train_epochs": 7}, "Trainer ran with another `custom_config`"),
    ],
)
def test_what_ran_with_other_settings_is_not_taken(first, settings, said, run, config):
    before = len(ledger.executions(config))
    with pytest.raises(ValueError, match=said):
        run(dataclasses.replace(config, **settings), first=first)
    assert len(ledger.executions(config)) == before
