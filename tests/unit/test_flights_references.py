"""References outside TensorFlow: each does what its name says, and none sees the label of what it predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engines.quiet import import_quietly
from flights import data

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def references():
    import_quietly()
    from flights import references

    return references


@pytest.fixture(scope="module")
def months(root) -> tuple[pd.DataFrame, pd.DataFrame]:
    """January and February, and March."""
    frames = [data.read_month(root / "data/flights", month) for month in (1, 2, 3)]
    return pd.concat(frames[:2], ignore_index=True), frames[2]


def test_columns_are_those_of_the_network(months, references):
    from flights import features

    found = references.prepare(months[1])
    assert set(found) == {*features.NUMERIC, *features.CATEGORICAL, "dep_minute", "weekday"}
    assert not found.isna().any().any()
    assert found["dep_minute"].between(0, 1439).all()


def test_no_skill_is_half(months, references):
    train, test = months
    found = references.scores(train, test)
    assert found.loc["no skill", "auc"] == 0.5
    assert list(found.index) == list(references.REFERENCES)
    assert found["auc"].between(0.5, 0.75).all()
    assert found.loc["logistic regression", "auc"] > 0.6


def test_no_reference_sees_the_label_of_what_it_predicts(months, references):
    train, test = months
    for name, reference in references.REFERENCES.items():
        with_label, without = reference(train, test), reference(train, test.drop(columns=data.LABEL))
        np.testing.assert_array_equal(with_label, without, err_msg=name)
        assert ((with_label >= 0) & (with_label <= 1)).all()


def test_route_rate_is_that_of_the_newest_month(references):
    train = pd.DataFrame(
        {"month": [1] * 50 + [2] * 60, "origin": "EWR", "dest": ["SFO"] * 50 + ["SFO"] * 40 + ["BOS"] * 20, "late": 0}
    )
    train.loc[:49, "late"] = 1  # all late in January
    train.loc[50:59, "late"] = 1  # 10 of 40 in February
    test = pd.DataFrame({"origin": "EWR", "dest": ["SFO", "BOS", "ORD"]})
    average = 10 / 60
    prior = references.PRIOR_FLIGHTS
    expected = [(10 + prior * average) / (40 + prior), prior * average / (20 + prior), average]
    np.testing.assert_allclose(references.route_rate(train, test), expected)
