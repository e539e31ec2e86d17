"""The area under the ROC curve, and how much the difference of two such areas varies by chance."""

from __future__ import annotations

import numpy as np


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a 1 and a 0 in which the 1 has the higher score; a tie counts half. NaN without such pairs."""
    ones = labels == 1
    high, low = np.sort(scores[ones]), scores[~ones]
    if not len(high) or not len(low):
        return float("nan")
    return float(_count_below(high, low).sum() / (len(high) * len(low)))


def noise(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Standard deviation of the difference of two areas that are computed from the same flights.

    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson: Comparing the Areas under Two or More Correlated Receiver Operating Characteristic
    Curves, Biometrics 44 (1988). A bootstrap over flights gives the same, within its own noise.
    """
    ones = labels == 1
    (up, down), (up_too, down_too) = _placements(ones, first), _placements(ones, second)
    return float(np.sqrt(np.var(up - up_too, ddof=1) / len(up) + np.var(down - down_too, ddof=1) / len(down)))


def _placements(ones: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each 1 the share of 0s below it, and for each 0 the share of 1s above it."""
    high, low = scores[ones], scores[~ones]
    return _count_below(high, low) / len(low), 1 - _count_below(low, high) / len(high)


def _count_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each score how many others are lower; a tie counts half. Finite numbers; faster where `scores` are sorted, and than `rankdata`."""
    others = np.sort(others)
    return (np.searchsorted(others, scores) + np.searchsorted(others, scores, side="right")) / 2
