"""The area under the ROC curve by ranks is scikit-learn's, with ties and in single precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flights.metrics import auc


@pytest.mark.parametrize("digits", [1, 9], ids=["many ties", "hardly any"])
@pytest.mark.parametrize("outcome", [bool, int, float])
def test_auc_is_that_of_scikit_learn(digits, outcome):
    random = np.random.default_rng(5)
    late = random.random(400) < 0.3
    score = (random.random(400) + 0.2 * late).round(digits).astype("f4")
    assert auc(late.astype(outcome), score) == pytest.approx(roc_auc_score(late, score), abs=1e-12)
    assert auc(late, score) > 0.6


def test_auc_is_not_known_where_one_outcome_is_missing():
    assert math.isnan(auc([0, 0], [0.1, 0.2]))
    assert math.isnan(auc([True, True], [0.1, 0.2]))
