"""The model card: its numbers are those of the evaluation, and it hides no verdict."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def model_card():
    import_quietly()
    return importlib.import_module("flights.model_card")


@pytest.fixture(scope="module")
def evaluation(model_card, tmp_path_factory):
    """An evaluation of 1,000 predictions, written by TFMA: JFK has 700 flights, LGA 250, EWR 50."""
    import pandas as pd
    import tensorflow_model_analysis as tfma

    from flights.config import Config
    from flights.evaluation import make_eval_config

    folder = str(tmp_path_factory.mktemp("evaluation"))
    random = np.random.default_rng(0)
    score = random.uniform(0, 1, 1000).round(2)
    flights = pd.DataFrame(
        {
            "late": (random.uniform(0, 1, 1000) < score).astype(int),
            "late_probability": score,
            "origin": ["JFK"] * 700 + ["LGA"] * 250 + ["EWR"] * 50,
        }
    )
    eval_config = make_eval_config(Config(min_auc=0.99))
    eval_config.model_specs[0].signature_name = ""
    eval_config = tfma.utils.update_eval_config_with_defaults(eval_config, has_baseline=False, rubber_stamp=True)
    tfma.analyze_raw_data(flights, eval_config, output_path=folder)
    return flights, folder


@pytest.fixture(scope="module")
def card(model_card, evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("card") / "model_card.md"
    return model_card.write(path, evaluation[1], blessed=False, trained_on="May", settings={"epochs": 3}).read_text()


def test_verdict_comes_first_and_names_what_was_missed(card):
    assert card.index("**Refused**") < card.index("## What it is for")
    assert "- Missed: AUC of all flights is 0." in card
    assert "(demanded: at least 0.99)" in card


def test_numbers_are_those_of_the_evaluation(card, evaluation):
    flights, _ = evaluation
    alarm, late = flights.late_probability > 0.25, flights.late == 1
    assert "Judged on 1,000 flights" in card
    assert (
        f"raises {alarm.sum()} alarms, {(alarm & late).sum()} of them right, and misses {(~alarm & late).sum()} late"
        in card
    )
    dollars = 100 * (alarm & ~late).sum() + 300 * (~alarm & late).sum()
    assert f"errors cost {dollars:,}; never to act would cost {300 * late.sum():,}" in card


def test_slice_that_is_too_small_is_counted_and_not_judged(card):
    assert "| origin JFK | 700 |" in card
    assert "origin EWR" not in card
    assert "1 slices have fewer than 200 flights" in card


def test_nothing_is_left_to_fill_in(card):
    assert "$" not in card


def test_template_that_asks_for_the_unknown_is_refused(model_card, evaluation, tmp_path):
    template = tmp_path / "template.md"
    template.write_text("Accuracy: $accuracy")
    with pytest.raises(KeyError, match="accuracy"):
        model_card.write(tmp_path / "card.md", evaluation[1], True, "May", {}, template=template)
    assert not (tmp_path / "card.md").exists()


def test_threshold_follows_from_the_costs(model_card):
    assert model_card.Costs(100, 300, 15).threshold == 0.25
