"""The area under the ROC curve, for those who ask hundreds of times, as draws with replacement do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def auc(late: ArrayLike, score: ArrayLike) -> float:
    """How often a late flight has a higher score than one that is not late; a tie counts half.

    The same number as scikit-learn's `roc_auc_score`, whose checks of its arguments take most of its time.

    Args:
        late: for each flight, shape (flights,).
        score: of the same flights, finite.

    Returns:
        Between 0 and 1; NaN where only one of both outcomes is there.
    """
    is_late = np.asarray(late, bool)
    positives, negatives = is_late.sum(), (~is_late).sum()
    if not positives or not negatives:
        return float("nan")
    # Of the ranks of late flights, what is more than their ranks among themselves comes from the others below them (Mann-Whitney).
    return float((rankdata(score)[is_late].sum() - positives * (positives + 1) / 2) / (positives * negatives))
