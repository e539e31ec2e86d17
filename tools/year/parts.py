"""What is done about the model in the year, by the functions of the commands."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from engines.quiet import import_quietly
from flights import release, retrain, watch
from flights.config import Config
from flights.schedule import MONTHS
from operation.canary import Limits
from operation.history import Record
from operation.releases import Outcome
from serving import process
from tools.year import planted
from tools.year.state import Plan, State
from tools.year.year import LOG, POLL, Now, Served

if TYPE_CHECKING:
    from operation.report import Report

REPOSITORY = Path(__file__).resolve().parents[2]

SHARES = (0.25, 0.5)

LIMITS = Limits(
    shadow=50,
    requests=25,  # 50 in shadow, 100 at a quarter and 50 at a half: two thirds of a month
    slower_by=5.0,  # a year in minutes says nothing of seconds
    share=4.0,  # of so few requests, chance brings a quarter less or more
    apart=0.15,  # these are flights of a few days, which share a weather that the month of the smoke test had not
    distance=0.3,
    deadline=20 * 86400,  # of the calendar
)

ENDS_IN = 60
"""Seconds in which a server ends whose year was killed."""


def config_of(folder: Path, plan: Plan) -> Config:
    """The pipeline of a year."""
    return Config(data_root=str(folder / "data"), output_root=str(folder / "pipeline"), **plan.settings)


class Flights:
    """The parts, for real."""

    def __init__(self, folder: Path, plan: Plan, tell: Callable[[str], object] = print) -> None:
        """Of a year in a folder."""
        self.folder, self.plan, self._tell = folder, plan, lambda said: tell(f"    {said}")
        self.config = config_of(folder, plan)

    @contextlib.contextmanager
    def serve(self, state: State) -> Iterator[Served]:
        """A model server in a process of its own."""
        _wait_for_end(state.server, self.config.serving_root)
        with process.start(release.PROJECT, self.config.serving_root, log=self.folder / LOG, cwd=REPOSITORY) as server:
            state.server = server.process.pid
            state.save()
            yield server

    def release(self, server: Any, now: Now, wait: Callable[[float], None]) -> Outcome:
        """`flights release`."""
        return release.release(
            self.config,
            server=server.url,
            shares=SHARES,
            limits=LIMITS,
            log=self.folder / LOG,
            who="the calendar",
            now=now,
            poll=POLL,
            wait=wait,
            tell=self._tell,
        )

    def watch(self, month: int, now: Now) -> tuple[Report, list[str]]:
        """`flights watch`."""
        import_quietly()
        over, begun = (self.folder / "metrics" / f"{month:02d}-{when}.txt" for when in ("over", "begun"))
        report = watch.watch(self.config, month, [self.folder / LOG], metrics=over, metrics_before=begun, now=now)
        alerts = watch.alerts(report)
        for one in alerts:
            self._tell(one)
        return report, alerts

    def decisions(self) -> list[Record]:
        """By the history of `flights retrain`."""
        return retrain.history_of(self.config).records()

    def retrain(self, month: int, now: Now, spoils: Callable[[], bool]) -> Record:
        """`flights retrain`."""

        def engine(config: Config) -> None:
            run(config, self.plan.engine, spoils())

        policy = self.plan.policy or retrain.POLICY
        return retrain.retrain(self.config, month, policy, engine=engine, who="the calendar", now=now, tell=self._tell)


def run(config: Config, engine: str, spoilt: bool) -> None:
    """The pipeline, on an engine.

    Args:
        config: the run.
        engine: `local` or `airflow`.
        spoilt: what it trains fails in canary.
    """
    import_quietly()
    from flights import pipeline

    create = planted.create_pipeline if spoilt else pipeline.create_pipeline
    if engine == "airflow":
        from engines.airflow import runner

        runner.run(config, create, MONTHS, python_path=(str(REPOSITORY),) if spoilt else ())
    else:
        from engines import local

        local.run(config, create)


def _wait_for_end(number: int, folder: str) -> None:
    """Waits until the server of a year that was killed has written what its log waits for.

    Raises:
        RuntimeError: it goes on.
    """
    until = time.monotonic() + ENDS_IN
    while number and _is_server(number, folder):
        if time.monotonic() > until:
            raise RuntimeError(
                f"Process {number} still serves {folder}, for a year that has ended. End it: kill {number}"
            )
        time.sleep(0.1)


def _is_server(number: int, folder: str) -> bool:
    try:
        found = psutil.Process(number)
        return found.status() != psutil.STATUS_ZOMBIE and os.path.abspath(folder) in found.cmdline()
    except psutil.NoSuchProcess:
        return False
