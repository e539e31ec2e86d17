"""The year, step by step. What a step does is of `parts`; here is the order, and what is kept so that a kill costs nothing."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from flights.schedule import MONTHS
from operation.history import BEGUN, INTERRUPTED, Record
from operation.releases import Outcome
from operation.report import Report
from tools.year import planted
from tools.year.clients import Asked, Clients, rows_of
from tools.year.clock import Clock
from tools.year.memory import Peak
from tools.year.state import State

EACH = 5
"""Requests that come in while a release waits once."""

POLL = 1.0
"""Seconds that a release is told to wait between two looks at the metrics; a tenth of them passes."""

LOG, JOURNAL, METRICS = "requests.jsonl", "clients.jsonl", "metrics"
"""In the year's folder: the server's log, what the clients have noted, and what the server's metrics said when a month began and when it was over."""

Now = Callable[[], datetime.datetime]


class Served(Asked, Protocol):
    """A server that answers the clients."""

    def metrics(self) -> str:
        """What Prometheus reads."""
        ...


class Parts(Protocol):
    """What is done about the model: for real (`parts.Flights`), or by what stands for it in a test."""

    def serve(self, state: State) -> contextlib.AbstractContextManager[Served]:
        """A server, once the one of a killed year has ended; its number is kept in the state."""
        ...

    def release(self, server: Served, now: Now, wait: Callable[[float], None]) -> Outcome:
        """Releases the newest version, or goes on with its release; nothing where there is none."""
        ...

    def watch(self, month: int, now: Now) -> tuple[Report, list[str]]:
        """The report of a month, and the alerts that it sets off."""
        ...

    def decisions(self) -> list[Record]:
        """All that were recorded."""
        ...

    def retrain(self, month: int, now: Now, spoils: Callable[[], bool]) -> Record:
        """Decides on the labels up to a month, and retrains; asks `spoils` when it trains."""
        ...


class Year:
    """A year on its way."""

    def __init__(self, state: State, parts: Parts, tell: Callable[[str], object] = print) -> None:
        """Does nothing yet.

        Args:
            state: how far it is.
            parts: that do it.
            tell: is given a line for each step.
        """
        self.state, self.parts, self._tell, self.clock = state, parts, tell, Clock()
        self._clients: dict[int, Clients] = {}

    def run(self) -> None:
        """Goes on to the end."""
        if not self.state.month:
            self._before_service()
        if self.state.is_over:
            return
        with self.parts.serve(self.state) as server:
            self._look(server, "begun", anew=True)
            while not self.state.is_over:
                self._step(server)
                self.state.done()

    def _before_service(self) -> None:
        """The first months come, and a model is learned from them."""
        first = self.state.plan.first
        for month in range(1, first):
            self._deliver(month)
        self.clock.begin(first)
        self._decide(first - 1)
        self.state.month = first
        self.state.save()

    def _step(self, server: Served) -> None:
        state, month = self.state, self.state.month
        if month not in self._clients:
            rows = rows_of(state.plan.data_root, month)
            self._clients = {month: Clients(month, rows, state.folder / JOURNAL, state.folder / LOG)}
            self._look(server, "begun")
        if state.step in ("release", "traffic"):
            self._now_by_traffic()
        else:
            self.clock.begin(month + 1)
        begun = time.monotonic(), _processor()
        with Peak() as peak:
            getattr(self, f"_{state.step}")(server)
        seconds, processor = time.monotonic() - begun[0], _processor() - begun[1]
        took = {"seconds": round(seconds, 1), "cpu_seconds": round(processor, 1), "gb": round(peak.gb, 2)}
        state.took.setdefault(str(month), {})[state.step] = took
        self._tell(f"{self.clock():%Y-%m-%d} {state.step:8} {seconds:6.1f} s")

    def _release(self, server: Served) -> None:
        def wait(seconds: float) -> None:
            if seconds < POLL:  # the server reads its traffic file: in the calendar, that takes no time
                time.sleep(seconds)
                return
            self._send(server, EACH)
            time.sleep(seconds / 10)

        self.parts.release(server, self.clock, wait)

    def _traffic(self, server: Served) -> None:
        self._send(server, self.clients.total)
        self._look(server, "over")

    def _labels(self, _: Served) -> None:
        self._deliver(self.state.month)

    def _watch(self, _: Served) -> None:
        report, alerts = self.parts.watch(self.state.month, self.clock)
        quality = report.quality
        said = {"said": report.said, "happened": quality.happened if quality else None}
        self.state.seen[str(self.state.month)] = said | {"requests": report.requests, "alerts": alerts}

    def _retrain(self, _: Served) -> None:
        if self.state.month < self.state.plan.last:  # what is trained then, no one would be asked about
            self._decide(self.state.month)

    def _decide(self, month: int) -> None:
        """On the labels up to a month, once."""

        def spoils() -> bool:
            state = self.state
            if state.plan.spoilt and not state.spoilt and month >= state.plan.spoilt:
                state.spoilt = month  # kept first: after a kill, the same training is spoilt
                state.save()
            return state.spoilt == month

        records = self.parts.decisions()
        ended = any(
            one.period == f"{MONTHS.date_of(month):%Y-%m}" and one.state not in (BEGUN, INTERRUPTED) for one in records
        )
        if not ended or any(one.state == BEGUN for one in records):
            self.parts.retrain(month, self.clock, spoils)

    # --- clients, calendar, files

    @property
    def clients(self) -> Clients:
        """Those of this month."""
        return self._clients[self.state.month]

    def _send(self, server: Served, count: int) -> None:
        if not self.clients.left:
            self.clock.wait()
        self.clients.send(server, count)
        self._now_by_traffic()

    def _now_by_traffic(self) -> None:
        if self.clock.month != self.state.month:
            self.clock.begin(self.state.month)
        self.clock.passed = self.clients.passed

    def _look(self, server: Served, when: str, anew: bool = False) -> None:
        """Keeps what the metrics say when a month has begun and when it is over; a new server counts from the beginning."""
        folder, month = self.state.folder / METRICS, self.state.month
        folder.mkdir(exist_ok=True)
        begun, over = (folder / f"{month:02d}-{one}.txt" for one in ("begun", "over"))
        file = over if when == "over" else begun
        if not file.exists() or (anew and not over.exists()):
            file.write_text(server.metrics(), encoding="utf-8")

    def _deliver(self, month: int) -> None:
        """The file of a month comes to where the pipeline reads it, whole or not at all; one month's is in another unit."""
        plan, name = self.state.plan, f"span-{month:02d}/flights.csv"
        content = Path(plan.data_root, name).read_bytes()
        file = self.state.folder / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(".flights.csv.new")
        beside.write_bytes(planted.in_celsius(content) if month == plan.refused else content)
        beside.replace(file)


def _processor() -> float:
    """Processor seconds of this process and of those that it has started and that have ended; the server of the clients goes on."""
    return sum(os.times()[:4])
