"""What the notebook of lab 6 calls: a look at what Prometheus has read, a rule that is played to it, and a model in service."""

from __future__ import annotations

import atexit
import contextlib
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from course import checks
from course.labs.lab_6 import alerts, first_version
from flights.config import Config
from operation import alert_rules, promql
from operation.canary import Limits
from serving import process

LAST = date(2013, 6, 30)
NOON = 12
LIMITS = Limits(shadow=30, requests=30, apart=0.15, distance=0.3, slower_by=5.0, share=4.0)
"""Of a release here: thirty requests say little of shares and seconds, and a model that has learned from a summer says otherwise than one that has not."""

_running = contextlib.ExitStack()
"""The server that goes on when a cell has ended."""
atexit.register(_running.close)


def _series() -> tuple[dict, int]:
    """What Prometheus has read, and how many hours that is."""
    found = alerts.load(checks.current().workspace / alerts.READ)
    return found, 1 + int(max(one.times[-1] for one in found.values()) // alerts.HOUR)


def metric(name: str = "", **labels: str) -> pd.DataFrame:
    """A metric day by day, at noon, with a column for each of its series. Without a name: the metrics that there are.

    Args:
        name: of the metric.
        labels: that its series must have, such as `by="carrier"`; `by=""` is of those that have none.
    """
    found, hours = _series()
    if not name:
        rows = [(dict(one)[promql.NAME], sorted(set(dict(one)) - {promql.NAME})) for one in found]
        table = pd.DataFrame([(name, ", ".join(own)) for name, own in rows], columns=["metric", "labels"])
        return table.groupby("metric").agg(labels=("labels", "max"), series=("labels", "size")).reset_index()
    first = LAST - timedelta(days=hours // 24 - 1)
    columns = {}
    for one, samples in found.items():
        own = dict(one)
        if own.pop(promql.NAME) == name and all(own.get(key, "") == value for key, value in labels.items()):
            shown = {key: value for key, value in own.items() if key not in ("model", "instance", "job", *labels)}
            noon = {
                int(at // alerts.HOUR) // 24: value
                for at, value in zip(*samples, strict=True)
                if at // alerts.HOUR % 24 == NOON
            }
            columns[" ".join(shown.values()) or name] = pd.Series(noon)
    table = pd.DataFrame(columns)
    return table.set_axis([first + timedelta(days=int(number)) for number in table.index], axis=0)


def played() -> None:
    """Plays the rules of `rules.yml` to these days, and says when each fires, from a week after Prometheus has begun to read."""
    found, hours = _series()
    begun = 24 * alerts.WARM_UP
    first, judged = LAST - timedelta(days=(hours - begun) // 24 - 1), hours - begun
    for rule in alert_rules.read_rules(checks.current().workspace / alerts.FILE):
        try:
            fires = [hour - begun for hour in alerts.fires(rule, found, hours) if hour >= begun]
        except promql.PromqlError as error:
            print(f"{rule.name} cannot be evaluated: {error}")
            continue
        if not fires:
            print(f"{rule.name} never fires from {first} to {LAST}.")
            continue
        day, hour = first + timedelta(days=fires[0] // 24), fires[0] % 24
        print(f"{rule.name} fires first on {day} at {hour:02d}:00, and in {len(fires)} of {judged} hours.")


def begin_service(own: bool = True) -> Config:
    """Puts a first version into service, in the folder `pipeline`, and empties the folder `service`; a server that was begun by `serve` ends.

    Args:
        own: take the model that your lab 3 has pushed, where it is there and passes the gate.

    Returns:
        The configuration of the pipeline.
    """
    _running.close()
    return first_version.begin(checks.current().workspace, own)


def serve(project: str, folder: str | Path, log: str | Path) -> process.Server:
    """A model server that goes on until this kernel ends, or another one is begun. Arguments and errors: as of `serving.process.start`."""
    _running.close()
    Path(log).parent.mkdir(exist_ok=True)
    return _running.enter_context(process.start(project, folder, log=log))
