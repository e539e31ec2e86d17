"""The configuration: nonsense is refused at once, and the months of a run land in the right splits."""

from __future__ import annotations

import dataclasses
import fnmatch

import pytest

from flights.config import Config, Demand

FILES = {month: f"span-{month:02d}/flights.csv" for month in range(1, 13)}
SEVERAL = [(first, last) for first in range(1, 13) for last in range(first + 1, 13)]


def months_of(config: Config, splits: list[str]) -> list[int]:
    """The months whose files the patterns of these splits take in, one entry for each time."""
    patterns = dict(config.month_splits)
    return [month for split in splits for month, file in FILES.items() if fnmatch.fnmatchcase(file, patterns[split])]


@pytest.mark.parametrize(("first", "last"), SEVERAL)
def test_last_month_evaluates_and_all_before_it_train(first, last):
    config = Config(months=(first, last))
    assert months_of(config, config.train_splits) == list(range(first, last))
    assert months_of(config, config.eval_splits) == [last]
    assert [name for name, _ in config.month_splits] == [*config.train_splits, *config.eval_splits]


@pytest.mark.parametrize(("first", "last"), SEVERAL)
def test_splits_are_few_and_named_once(first, last):
    """Each split costs every Beam component time: at most two for training, one for evaluation."""
    names = [name for name, _ in Config(months=(first, last)).month_splits]
    assert len(names) == len(set(names)) <= 3


@pytest.mark.parametrize("month", range(1, 13))
def test_single_month_is_divided_by_days(month):
    config = Config(months=(month, month))
    assert config.is_single_month
    assert (config.train_splits, config.eval_splits) == (["train"], ["eval"])


def test_several_months_are_not_a_single_month():
    assert not Config(months=(1, 2)).is_single_month


def test_folders_are_those_of_the_output_root(tmp_path):
    config = Config(output_root=str(tmp_path))
    for path in (config.metadata_path, config.pipeline_root, config.serving_root):
        assert path.startswith(f"{tmp_path}/")


def test_defaults_are_accepted_and_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 14


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"months": (0, 3)}, "months"),
        ({"months": (1, 13)}, "months"),
        ({"months": (3, 1)}, "months"),
        ({"months": (-1, -1)}, "months"),
        ({"reader": "parquet"}, "reader"),
        ({"train_epochs": 0}, "train_epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"hidden_units": (16, 0)}, "hidden_units"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"l2": -1e-3}, "l2"),
        ({"min_auc": 1.01}, "min_auc"),
        ({"min_slice_auc": -0.01}, "min_slice_auc"),
        ({"max_auc_loss": float("nan")}, "max_auc_loss"),
        ({"tuner_trials": 0}, "tuner_trials"),
        ({"tracking_uri": "mlruns"}, "tracking_uri='mlruns': write a database such as sqlite:///"),
        ({"tracking_uri": "file:///mlruns"}, "tracking_uri"),
        ({"tracking_uri": "sqlite:/runs.db"}, "tracking_uri"),
    ],
)
def test_nonsense_is_refused_by_name(settings, named):
    with pytest.raises(ValueError, match=named):
        Config(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_units": ()},
        {"min_auc": 0.0},
        {"min_auc": 1.0},
        {"dropout": 0.0},
        {"l2": 0.0},
        {"max_auc_loss": 0.0},
        {"max_auc_loss": -0.01},
    ],
)
def test_limits_that_make_sense_are_accepted(settings):
    Config(**settings)


@pytest.mark.parametrize(
    "demand",
    [{}, {"at_least": float("nan")}, {"at_least": 0.8, "at_most": 0.7}, {"at_least": 0.5, "only": ("DL",)}],
)
def test_demand_that_says_nothing_is_refused(demand):
    with pytest.raises(ValueError, match=r"demanded|nothing is|goes with"):
        Demand("AUC", **demand)


@pytest.mark.parametrize("wrong", [{"max_slice_auc_loss": 2.0}, {"confidence_intervals": "guess"}])
def test_wrong_settings_of_the_evaluation_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
