"""The configuration: nonsense is refused at once, and the months of a run land in the right splits."""

from __future__ import annotations

import dataclasses
import fnmatch

import pytest

from flights.config import DERIVED_SLICES, Config, Demand, Plan, schema_columns, schema_values

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


@pytest.mark.parametrize(
    "wrong",
    [
        {"months": (1.0, 2)},
        {"months": "1-3"},
        {"months": [1, 3]},
        {"months": (1, 2, 3)},
        {"months": (True, 2)},
        {"months": 3},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": 1.5},
        {"seed": None},
        {"train_epochs": True},
        {"train_epochs": 2.0},
        {"train_epochs": -1},
        {"batch_size": "64"},
        {"tuner_trials": -3},
        {"learning_rate": "0.01"},
        {"learning_rate": True},
        {"learning_rate": float("inf")},
        {"l2": float("nan")},
        {"dropout": None},
        {"hidden_units": "64-32"},
        {"hidden_units": [64]},
        {"hidden_units": 64},
        {"hidden_units": (64.0,)},
        {"hidden_units": (True,)},
        {"materialize": "no"},
        {"enable_cache": 0},
        {"tune": "yes"},
        {"warm_start": None},
        {"confidence_intervals": 1},
        {"confidence_intervals": None},
        {"infra_check": 1},
        {"infra_check": "kubernetes"},
        {"min_auc": "0.6"},
        {"min_auc": True},
        {"min_slice_auc": float("nan")},
        {"max_auc_loss": None},
        {"max_slice_auc_loss": "0.1"},
        {"pipeline_name": ""},
        {"pipeline_name": "my/flights"},
        {"data_root": ""},
        {"output_root": " "},
        {"run_name": 3},
        {"demands": Demand("AUC", at_least=0.6)},
        {"demands": [Demand("AUC", at_least=0.6)]},
        {"demands": ({"metric": "AUC", "at_least": 0.6},)},
        {"plan": "plan.json"},
    ],
)
def test_setting_of_a_wrong_kind_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


def test_numbers_may_be_whole_and_numpys_floats_are_numbers():
    import numpy as np

    Config(l2=0, dropout=0, learning_rate=np.float64(0.01))


@pytest.mark.parametrize(
    "settings",
    [
        {"slices": (("orign",),)},
        {"slices": ("origin",)},
        {"slices": (("origin", "origin"),)},
        {"guarded": (("gate",),)},
        {"demands": (Demand("AUC", by=("carier",), at_least=0.5),)},
        {"plan": Plan((Demand("AUC", by=("airport",), at_least=0.5),))},
    ],
)
def test_slice_by_a_column_that_the_schema_does_not_have_is_refused_before_anything_runs(settings):
    with pytest.raises(ValueError, match="forms no slices"):
        Config(**settings)


def test_columns_of_slices_are_those_of_the_schema_of_the_run(tmp_path):
    own = tmp_path / "schema.pbtxt"
    own.write_text('# feature { name: "gone" }\nfeature {\n  name: "gate"\n}\nstring_domain { name: "airlines" }\n')
    assert schema_columns(str(own)) == {"gate", *DERIVED_SLICES}
    Config(schema_file=str(own), slices=(("gate",), ("hour",)), guarded=())
    with pytest.raises(ValueError, match="forms no slices"):
        Config(schema_file=str(own), slices=(("airlines",),), guarded=())
    Config(schema_file=str(tmp_path / "elsewhere.pbtxt"), slices=(("gate",),))


@pytest.mark.xdist_group("tfx")
def test_slices_can_be_made_of_every_column_of_the_schema_as_tensorflow_reads_it():
    import tensorflow_data_validation as tfdv

    schema = tfdv.load_schema_text(Config().schema_file)
    assert schema_columns(Config().schema_file) == {*(feature.name for feature in schema.feature), *DERIVED_SLICES}


@pytest.mark.parametrize("bar", [{"min_auc": 0.6}, {"max_auc_loss": 0.0}, {"guarded": ()}, {"max_slice_auc_loss": 0.1}])
def test_no_bar_stands_beside_a_plan(bar):
    with pytest.raises(ValueError, match=f"{next(iter(bar))}=.*the plan says what is demanded"):
        Config(plan=Plan((Demand("AUC", at_least=0.6),)), **bar)


@pytest.mark.parametrize("wrong", [{"max_slice_auc_loss": 2.0}, {"confidence_intervals": "guess"}])
def test_wrong_settings_of_the_evaluation_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


def test_a_slice_that_no_data_have_is_refused_by_name():
    with pytest.raises(ValueError, match=r"by the schema, no data have carrier 'ZZ'\.$"):
        Config(demands=(Demand("AUC", by=("carrier",), only=("UA", "ZZ"), at_least=0.5),))
    Config(demands=(Demand("AUC", by=("carrier",), only=("UA",), at_least=0.5),))
    # Of destinations the schema allows some that it does not list.
    Config(demands=(Demand("AUC", by=("dest",), only=("ZZZ",), at_least=0.5),))


@pytest.mark.xdist_group("tfx")
def test_values_of_the_schema_are_those_that_tensorflow_metadata_reads():
    import tensorflow_data_validation as tfdv

    schema = tfdv.load_schema_text(Config().schema_file)
    domains = {domain.name: set(domain.value) for domain in schema.string_domain}
    closed = [
        feature
        for feature in schema.feature
        if feature.domain and not feature.distribution_constraints.min_domain_mass < 1
    ]
    assert schema_values(Config().schema_file) == {feature.name: domains[feature.domain] for feature in closed} != {}
