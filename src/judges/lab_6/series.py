"""What Prometheus reads while a world goes by: the server's own metrics each hour, and those of a watch, made each morning on the seven days before."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from prometheus_client.parser import text_string_to_metric_families

from flights.watch import PROJECT
from judges.lab_6 import traffic
from judges.lab_6.traffic import LABELS_AFTER, World
from operation import labels, report, served_log
from operation.promql import NAME, Labels, Samples
from operation.report import SKEW, Distance

HOUR, DAY, MORNING = 3600, 24, 6
WINDOW = 7
"""Days that a watch looks at: it is made at `MORNING` of the next day."""
BINS = np.array([0, 250, 500, 750, 1000, 1500, 2000, 2500, 3000, np.inf])
LIMIT = 0.025
"""For the distance of the column `distance` from what the model was trained on."""
PERIODS = ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05")
"""The months that the versions have learned from, one after the other. In each world the gate has refused one, from which none should have learned."""
INSTANCE = {"instance": "127.0.0.1:8501", "job": "serving"}


@functools.lru_cache(64)
def series(world: World, begin: int = 0) -> Mapping[Labels, Samples]:
    """The series of a world: a sample each hour, the first at 0 seconds.

    Args:
        world: whose days.
        begin: the number of the day on which it begins, and from which on there are reports.
    """
    found: dict[Labels, dict[int, float]] = {}
    _serving(world, begin, found)
    for number in range(begin + 1, world.days):
        for name, own, value in _report(world, number - 1):
            if name.endswith("_timestamp_seconds"):  # in the play, time begins at 0
                value -= _start(world, begin)
            every = found.setdefault(frozenset({NAME: name, **own}.items()), {})
            hours = range((number - begin) * DAY + MORNING, (number - begin + 1) * DAY + MORNING)
            every.update(dict.fromkeys((hour for hour in hours if hour < (world.days - begin) * DAY), value))
    return {
        labels: Samples([hour * HOUR for hour in sorted(known)], [known[hour] for hour in sorted(known)])
        for labels, known in found.items()
    }


def _start(world: World, begin: int) -> float:
    return datetime.combine(world.day(begin), datetime.min.time(), UTC).timestamp()


def _serving(world: World, begin: int, found: dict[Labels, dict[int, float]]) -> None:
    """The server's metrics at each hour."""
    served = traffic.rows(world)
    served = served[served["is_asked"]]
    hours = np.arange((world.days - begin) * DAY)
    at = (served["number"] - begin) * DAY + served["sched_dep_time"] // 100 - 3

    def give(name: str, values: np.ndarray | pd.Series, first: int = 0, /, **own: str) -> None:
        labels = frozenset({NAME: name, **INSTANCE, **own}.items())
        found[labels] = {int(hour): float(value) for hour, value in zip(hours, values, strict=True) if hour >= first}

    def count(which: pd.Series, weights: pd.Series | None = None) -> np.ndarray:
        """How much there was up to each hour."""
        own = at[which] + 1  # seen at the next reading
        sums = np.bincount(own.clip(0, len(hours) - 1), None if weights is None else weights[which], len(hours))
        return np.cumsum(sums)

    give("up", np.ones(len(hours)))
    for version, role in served[["version", "role"]].drop_duplicates().itertuples(index=False):
        mine = (served["version"] == version) & (served["role"] == role)
        own = {"version": str(version), "role": role}
        days = served.loc[mine, "number"]
        first, last = (int(days.min()) - begin) * DAY, (int(days.max()) + 1 - begin) * DAY
        if last <= 0:
            continue
        is_number = served["said"].notna()
        found[frozenset({NAME: "serving_version", **INSTANCE, **own}.items())] = {
            int(hour): 1.0 for hour in hours if first <= hour < last
        }
        since = max(first, 0)
        give("serving_predictions_no_number_total", count(mine & ~is_number), since, **own)
        give("serving_prediction_count", count(mine & is_number), since, **own)
        give("serving_prediction_sum", count(mine & is_number, served["said"]), since, **own)
    for version in served["version"].unique():
        mine = served["version"] == version
        first = max((int(served.loc[mine, "number"].min()) - begin) * DAY, 0)
        if served.loc[mine, "number"].max() < begin:
            continue
        own = {"version": str(version)}
        answered = count(mine)
        give("serving_requests_total", answered, first, outcome="answered", **own)
        give("serving_requests_total", np.floor(answered * 0.004), first, outcome="refused", **own)
        give("serving_requests_total", np.floor(answered * 0.001), first, outcome="failed", **own)
        place = min(int(version) - world.version, len(world.releases) + 1)
        pair = {"model": PROJECT.name, "version": str(version), "period": PERIODS[place]}
        found[frozenset({NAME: "pipeline_learned_from", **pair}.items())] = {
            int(hour): 1.0 for hour in hours if hour >= first
        }
    has_learned = world.incident is not None and world.incident.kind == "refused"
    refused = len(world.releases) + (1 if has_learned else 2)
    for place, period in enumerate(PERIODS[: len(world.releases) + 3]):
        own = {"model": PROJECT.name, "period": period}
        value = float(place == refused)
        found[frozenset({NAME: "pipeline_data_refused", **own}.items())] = dict.fromkeys(map(int, hours), value)


@functools.lru_cache(2048)
def _report(world: World, number: int) -> list[tuple[str, dict[str, str], float]]:
    """What the watch of a day says, as metrics: name, labels, value."""
    if world.past and world.incident and world.day(number) < world.incident.since:
        return _report(world.past, number)
    first, last = world.day(max(0, number - WINDOW + 1)), world.day(number)
    made = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=1, hours=MORNING)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.jsonl"
        write(world, path, max(0, number - WINDOW + 1), number)
        log = served_log.read(path, PROJECT, first, last, traffic.FURTHER)
    until = last - timedelta(days=LABELS_AFTER)
    known = traffic.outcomes(world, until, max(0, number - WINDOW + 1), number).drop(columns=[*traffic.FURTHER])
    joined = labels.join(log.rows, known, PROJECT, until, first, last)
    moved = Distance("distance", SKEW, _distance(world, log.rows["distance"]), LIMIT)
    text = report.to_prometheus(report.make(log, joined, PROJECT, first, last, made, distances=[moved]))
    return [
        (sample.name, {name: value for name, value in sample.labels.items() if value}, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def _distance(world: World, logged: pd.Series) -> float:
    """The largest difference of a bin's share between what was logged and what the model was trained on."""
    shares = [
        np.histogram(one.to_numpy(float), BINS)[0] / max(1, len(one))
        for one in (logged, traffic.timetable((world.past or world).seed)["distance"])
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def write(world: World, path: Path, first: int = 0, last: int | None = None) -> None:
    """Writes the log of some days, the first and the last by their numbers, both included."""
    parts = traffic.lines(world)
    last = world.days if last is None else last
    path.write_bytes(b"".join(line + b"\n" for day, line in parts if first <= day <= last))
