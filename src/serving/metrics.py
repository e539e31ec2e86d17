"""What Prometheus reads at `/metrics`, beside KServe's own metrics."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector
from prometheus_client.utils import floatToGoString

from serving.models import Versions
from serving.request_log import RequestLog

REQUESTS = Counter(
    "serving_requests",
    "Requests for predictions: answered, refused (the client's fault) or failed (the server's).",
    ["version", "outcome"],
)
SECONDS = Histogram(
    "serving_request_seconds",
    "From the whole body of a request to its answer.",
    ["version"],
    buckets=[0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
)
AT_WORK = Gauge(
    "serving_requests_at_work", "Requests that a version has begun to answer and not answered yet.", ["version"]
)
NO_NUMBER = Counter(
    "serving_predictions_no_number",
    "Predictions that are NaN or infinite, those of the shadow included.",
    ["version", "role"],
)
SHADOW_REQUESTS = Counter(
    "serving_shadow_requests", "Requests that the shadow was asked: answered, or failed.", ["version", "outcome"]
)
SHADOW_DROPPED = Counter(
    "serving_shadow_dropped", "Requests that the shadow was not asked, because it could not follow."
)


class Predictions(Collector):
    """How predictions are distributed, by version and role. Prometheus's own histogram takes one at a time, which is slow for large requests."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Registers itself.

        Args:
            bounds: the largest value of each bucket; what is larger is in a last one.
        """
        self._bounds = [*bounds, math.inf]
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, str], float] = {}
        REGISTRY.register(self)

    def add(self, version: int, role: str, predictions: Sequence[float]) -> None:
        """Counts predictions; what is no number has no bucket, and a count of its own."""
        which = (str(version), role)
        numbers = [one for one in predictions if math.isfinite(one)]
        counts = np.bincount(np.searchsorted(self._bounds, numbers), minlength=len(self._bounds))
        NO_NUMBER.labels(*which).inc(len(predictions) - len(numbers))
        with self._lock:
            self._counts[which] = self._counts.get(which, 0) + counts
            self._sums[which] = self._sums.get(which, 0.0) + math.fsum(numbers)

    def collect(self) -> Iterator[Metric]:
        """The histograms."""
        found = HistogramMetricFamily(
            "serving_prediction", "Predictions, those of the shadow included.", labels=["version", "role"]
        )
        with self._lock:
            known = [(which, counts, self._sums[which]) for which, counts in self._counts.items()]
        for which, counts, total in known:
            buckets = zip(map(floatToGoString, self._bounds), np.cumsum(counts).tolist(), strict=True)
            found.add_metric(which, list(buckets), total)
        yield found


PREDICTIONS = Predictions([step / 20 for step in range(1, 21)])


class Now(Collector):
    """What is so at the moment when Prometheus asks."""

    def __init__(self, versions: Versions, log: RequestLog | None) -> None:
        """Registers itself."""
        self._versions, self._log = versions, log
        REGISTRY.register(self)

    def collect(self) -> Iterator[Metric]:
        """Which version is served as what, which were refused, and what the log has lost."""
        served = self._versions.served
        roles = GaugeMetricFamily("serving_version", "1 for a version that is served.", labels=["version", "role"])
        for version, role in served.traffic.versions.items() if served else ():
            roles.add_metric([str(version), role], 1)
        refused = GaugeMetricFamily("serving_version_refused", "1 for a version that was refused.", labels=["version"])
        for version in list(self._versions.refused):
            refused.add_metric([str(version)], 1)
        fault = GaugeMetricFamily(
            "serving_traffic_fault",
            "1 while the traffic file is not followed.",
            value=int(bool(served and served.fault)),
        )
        lost = CounterMetricFamily(
            "serving_log_lost", "Rows that the log of requests has lost.", value=self._log.lost if self._log else 0
        )
        yield from (roles, refused, fault, lost)
