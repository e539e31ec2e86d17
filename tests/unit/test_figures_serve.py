"""The charts of lesson 09: a line of requests is computed as queues are, and alt texts say the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from alt_text import alt

from course.figures import serve
from course.load import Answer


def test_one_who_comes_to_an_idle_server_waits_for_its_own_work_only() -> None:
    taken = serve.waits(0.001)
    assert np.quantile(taken, 0.5) == pytest.approx(serve.SHORT)
    assert taken.min() == pytest.approx(serve.SHORT)


def test_mean_wait_is_what_the_theory_of_queues_says() -> None:
    """Pollaczek and Khinchine: with random arrivals, the mean wait is busy * E[work^2] / (2 * E[work] * (1 - busy))."""
    busy, share = 0.5, serve.LONG_SHARE
    first = (1 - share) * serve.SHORT + share * serve.LONG
    second = (1 - share) * serve.SHORT**2 + share * serve.LONG**2
    expected = first + busy * second / (2 * first * (1 - busy))
    assert serve.waits(busy, requests=100_000).mean() == pytest.approx(expected, rel=0.05)


def test_the_busier_a_server_the_longer_the_line() -> None:
    medians = [np.quantile(serve.waits(busy, 5000), 0.5) for busy in (0.1, 0.5, 0.9)]
    assert medians == sorted(medians)


def test_latencies_are_told_by_percentiles_and_mean() -> None:
    words = alt(serve.latencies({"one client": [0.001] * 98 + [0.1] * 2, "two": [0.002] * 100}, "Title"))
    assert "one client: p50 1, mean 2.98, p99 100; two: p50 2, mean 2, p99 2" in words


def test_answers_are_told_from_event_to_event() -> None:
    answers = [Answer(at, 0.01, 200, version) for at, version in ((0.1, 1), (0.4, 1), (1.2, 1), (1.6, 2))]
    words = alt(serve.answered([*answers, Answer(1.7, 0.01, 0, 0)], [(0.0, "begin"), (1.0, "version 2")]))
    assert "begin: version 1 2; version 2: version 1 1, version 2 1. Lost: 1 of 5." in words
