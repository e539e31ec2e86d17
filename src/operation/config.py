"""What one watch reads, as plain data: the configuration of its pipeline (`operation.pipeline`). Light to import."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from engines import places
from engines.settings import InOutputRoot

REPORT, PAGE, METRICS = "report.json", "report.html", "metrics.prom"
"""Files of a report."""

SERVED, BEFORE = "served", "before"
"""Splits of the examples: the days that are watched, and those before."""


@dataclasses.dataclass(frozen=True)
class WatchConfig(InOutputRoot):
    """A watch of some days.

    Attributes:
        project: `MODULE:OBJECT`, an `operation.project.Watched`.
        output_root: folder of its own: the newest report, the metadata store, artifacts.
        log: files that servers write (`serve --log`).
        first: day, as YYYY-MM-DD,
        last: and the last one.
        before: the first of the days before, from which drift is measured; empty: none are.
        labels: files with what became of these days' rows; those that there are not have not come yet.
        labels_before: and of the days before.
        pipeline: name of the pipeline that pushed what is served,
        store: and its metadata store, which knows what a version was trained on.
        requests: how many were answered, refused or failed, as JSON (`report.requests_of`); empty: not known.
        pipeline_name: in the metadata store of the watch.
        enable_cache: reuse what an earlier watch has made of the same log, labels and code.
    """

    project: str
    output_root: str
    log: tuple[str, ...]
    first: str
    last: str
    before: str = ""
    labels: tuple[str, ...] = ()
    labels_before: tuple[str, ...] = ()
    pipeline: str = ""
    store: str = ""
    requests: str = ""
    pipeline_name: str = "watch"
    enable_cache: bool = True

    def __post_init__(self) -> None:
        """Refuses days that are none.

        Raises:
            ValueError: says which.
        """
        object.__setattr__(self, "output_root", places.local_path("output_root", self.output_root))
        days = [datetime.date.fromisoformat(one) for one in (self.before or self.first, self.first, self.last)]
        if not (days[0] < days[1] or not self.before) or not days[1] <= days[2]:
            raise ValueError(f"{self.before} {self.first} {self.last}: the days must be in this order.".strip())

    def require_inputs(self) -> None:
        """What is asked before anything runs.

        Raises:
            FileNotFoundError: there is no log.
        """
        from operation import served_log

        served_log.parts(self.log)

    @property
    def data_root(self) -> str:
        """The folder of the first log."""
        return str(Path(self.log[0]).absolute().parent)
