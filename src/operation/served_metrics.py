"""What a model server did between two looks at its metrics, by version; a server that was started again in between is noticed.

Counters are added up as Prometheus' `increase` does it: what a counter has after a restart came since the restart
(https://prometheus.io/docs/prometheus/latest/querying/functions/#rate). What was counted after the last look before it is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prometheus_client.parser import text_string_to_metric_families

from operation.promql_functions import of_buckets

STARTED = "process_start_time_seconds"
"""By which a server that was started again is told from one that goes on; Linux has it."""

COUNTERS = ("_total", "_count", "_sum", "_bucket")

Key = tuple[str, frozenset[tuple[str, str]]]


class Histogram(NamedTuple):
    """How values are distributed.

    Attributes:
        bounds: upper end of each bucket, rising; the last is infinite.
        counts: values in each bucket.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], bounds: tuple[float, ...]) -> Histogram:
        """Values, put into buckets as the server does it."""
        counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds))
        return cls(bounds, tuple(map(float, counts)))

    @property
    def total(self) -> float:
        """How many values."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """By the middles of the buckets; those beyond the last bound count as twice that bound. NaN without values."""
        return float(np.average(self._middles, weights=self.counts)) if self.total else math.nan

    @property
    def variance(self) -> float:
        """As the mean."""
        return float(np.average((self._middles - self.mean) ** 2, weights=self.counts)) if self.total else math.nan

    @property
    def _middles(self) -> npt.NDArray[np.float64]:
        return np.array(
            [2 * low if math.isinf(high) else (low + high) / 2 for low, high in pairwise((0.0, *self.bounds))]
        )

    def quantile(self, share: float) -> float:
        """The value below which a share of the values lies, between two bounds by the rule of three; NaN without values."""
        return of_buckets(share, list(zip(self.bounds, accumulate(self.counts), strict=True)))

    def distance(self, other: Histogram) -> float:
        """Kolmogorov and Smirnov's: the largest difference between the shares below a bound, from 0 to 1. NaN where one of the two is empty."""
        if not self.total or not other.total:
            return math.nan
        mine, its = np.cumsum(self.counts) / self.total, np.cumsum(other.counts) / other.total
        return float(np.abs(mine - its).max())


class Did(NamedTuple):
    """What a version did in one role.

    Attributes:
        answered: requests.
        failed: requests, by the server's fault.
        seconds: that answers took; empty for a shadow.
        predictions: that it gave.
        no_numbers: predictions that were NaN or infinite.
        at_work: requests that it had begun and not ended at the last look, in whatever role.
    """

    answered: int
    failed: int
    seconds: Histogram
    predictions: Histogram
    no_numbers: int
    at_work: int

    @property
    def requests(self) -> int:
        """Answered or failed; those that are refused are the client's fault."""
        return self.answered + self.failed

    @property
    def failure_rate(self) -> float:
        """Share of the requests that failed; 0 without requests."""
        return self.failed / self.requests if self.requests else 0.0


class Window:
    """A time that began with a first look at the metrics."""

    def __init__(self, text: str) -> None:
        """Begins with what `/metrics` gives."""
        self._last = _samples(text)
        self._sums: dict[Key, float] = {}
        self.restarts = 0

    def add(self, text: str) -> None:
        """A further look."""
        found = _samples(text)
        counters = {key: value for key, value in found.items() if key[0].endswith(COUNTERS)}
        started = (STARTED, frozenset[tuple[str, str]]())
        is_new = found.get(started) != self._last.get(started) or any(
            value < self._last.get(key, 0.0) for key, value in counters.items()
        )
        self.restarts += is_new
        for key, value in counters.items():
            since = value if is_new else value - self._last.get(key, 0.0)
            self._sums[key] = self._sums.get(key, 0.0) + since
        self._last = found

    def did(self, version: int, role: str) -> Did:
        """What a version did in a role (champion, challenger or shadow)."""
        requests = "serving_shadow_requests_total" if role == "shadow" else "serving_requests_total"
        of = {"version": str(version)}
        return Did(
            self._sum(requests, **of, outcome="answered"),
            self._sum(requests, **of, outcome="failed"),
            self._histogram("serving_request_seconds_bucket", **of),
            self._histogram("serving_prediction_bucket", **of, role=role),
            self._sum("serving_predictions_no_number_total", **of, role=role),
            int(self._last.get(("serving_requests_at_work", frozenset(of.items())), 0.0)),
        )

    @property
    def dropped(self) -> int:
        """Requests that the shadow was not asked, because it could not follow."""
        return self._sum("serving_shadow_dropped_total")

    def _sum(self, name: str, **labels: str) -> int:
        return round(self._sums.get((name, frozenset(labels.items())), 0.0))

    def _histogram(self, name: str, **labels: str) -> Histogram:
        found = sorted(
            (float(known["le"]), count)
            for (one, of), count in self._sums.items()
            if one == name and (known := dict(of)).items() >= labels.items()
        )
        below = [0.0, *(count for _, count in found)]
        return Histogram(tuple(bound for bound, _ in found), tuple(after - before for before, after in pairwise(below)))


def _samples(text: str) -> dict[Key, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
