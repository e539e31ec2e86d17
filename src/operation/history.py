"""The history of decisions: what was decided, why, and how each retraining ended. One process at a time writes it (`records`).

A retraining that was begun and has no end is found by the next one, which finishes it or strikes it out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from operation import records
from operation.policy import Decision, Past
from operation.records import Busy
from operation.records import RecordError as HistoryError

__all__ = ["Busy", "History", "HistoryError", "Record"]

DECLINED, BEGUN, DONE, REFUSED, FAILED, INTERRUPTED = "declined", "begun", "done", "refused", "failed", "interrupted"
"""How it stands with a decision: not to retrain; a retraining is under way; a model came of it; the candidate missed a demand; the
pipeline broke; the process ended before it could say."""

ENDS = (DONE, REFUSED, FAILED, INTERRUPTED)


@dataclasses.dataclass(frozen=True)
class Record:
    """One decision.

    Attributes:
        number: counts from 1.
        at: when, as ISO 8601 in UTC.
        period: the newest one whose labels had come.
        decision: with its reason.
        state: of `ENDS`, or `DECLINED` or `BEGUN`.
        who: asked for a decision: a person, or a schedule's name.
        process: that retrains.
        version: of the model that came of it; empty where none did.
        note: what else is to be known of the end.
        run: id of the run that a scheduler gives the retraining to; empty where the deciding process runs it itself.
        mark: how far the metadata store was when it was begun: what a pipeline recorded after that, it recorded for this retraining.
        policy: that was asked, whole, and its guards (`policy.words`); empty in records of before.
    """

    number: int
    at: str
    period: str
    decision: Decision
    state: str
    who: str = ""
    process: int = 0
    version: str = ""
    note: str = ""
    run: str = ""
    mark: int = 0
    policy: str = ""

    def __str__(self) -> str:
        """Such as `retraining 3 (2013-07)`."""
        return f"{'decision' if self.state == DECLINED else 'retraining'} {self.number} ({self.period})"

    @property
    def day(self) -> datetime.date:
        """When."""
        return datetime.datetime.fromisoformat(self.at).date()


class History:
    """The file, and who may write it."""

    def __init__(self, folder: str | Path, now: Callable[[], datetime.datetime] | None = None) -> None:
        """Reads nothing yet.

        Args:
            folder: that has it; made when the first decision is recorded.
            now: the time, with a zone; for a calendar that runs faster.
        """
        self.folder = Path(folder)
        self.file = self.folder / records.FILE
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._is_mine = False

    def records(self) -> list[Record]:
        """All decisions, the oldest first.

        Raises:
            HistoryError: a line was changed by hand so that it is none; names file and line.
        """
        return records.read(
            self.file, lambda one: Record(**one | {"decision": Decision(**one["decision"])}), "decision"
        )

    def past(self) -> list[Past]:
        """The retrainings that count for cool-down and budget: all that were begun, but for those that were interrupted."""
        return [Past(one.day, one.period) for one in self.records() if one.state not in (DECLINED, INTERRUPTED)]

    @contextlib.contextmanager
    def alone(self, who: str) -> Iterator[list[str]]:
        """For as long as this is entered, no other process decides or retrains. The lock ends with its process, however that ends.

        Yields:
            What is to be told: that an earlier owner of the lock ended without giving it back.

        Raises:
            Busy: another process has it; says which.
        """
        with records.alone(self.folder, who, self._time(), f"deciding or retraining in {self.folder}") as left:
            self._is_mine = True
            try:
                yield [f"{left} ended without giving the lock back; it was taken over."] if left else []
            finally:
                self._is_mine = False

    def settle(self, finished: Callable[[Record], str] = lambda _: "") -> list[str]:
        """Puts retrainings in order whose process ended before it said how: each is finished or struck out.

        Args:
            finished: the version that a retraining pushed, where it got so far; empty where it did not.

        Returns:
            What was done, a sentence each.
        """
        told = []
        for record in self.records():
            if record.state != BEGUN:
                continue
            version = finished(record)
            if version:
                self.end(record, DONE, version, "The process ended before it was recorded.")
                told.append(
                    f"{str(record).capitalize()} was cut off after it had pushed version {version}: it is recorded now."
                )
            else:
                self.end(record, INTERRUPTED, note=f"Process {record.process} ended before it was done.")
                told.append(f"{str(record).capitalize()} was cut off: it is struck out, and may be begun again.")
        return told

    def decide(
        self, decision: Decision, period: str, who: str = "", run: str = "", mark: int = 0, policy: str = ""
    ) -> Record:
        """Records a decision. One to retrain is thereby begun.

        The arguments are attributes of the record.

        Raises:
            Busy: this is not entered (`alone`).
        """
        state = BEGUN if decision.retrain else DECLINED
        known = self.records()
        process = os.getpid() if decision.retrain else 0
        record = Record(
            len(known) + 1, self._time(), period, decision, state, who, process, run=run, mark=mark, policy=policy
        )
        self._write([*known, record])
        return record

    def end(self, record: Record, state: str, version: str = "", note: str = "") -> Record:
        """Records how a retraining ended.

        Raises:
            Busy: this is not entered (`alone`).
            ValueError: it has ended already, or that is no end.
        """
        known = self.records()
        now = next((one for one in known if one.number == record.number), None)
        if state not in ENDS or now is None or now.state != BEGUN:
            raise ValueError(
                f"{str(record).capitalize()} is {now.state if now else 'not recorded'}, and cannot become {state}."
            )
        ended = dataclasses.replace(now, state=state, version=version, note=note)
        self._write([ended if one.number == ended.number else one for one in known])
        return ended

    def _write(self, found: list[Record]) -> None:
        if not self._is_mine:
            raise Busy(f"{self.file}: written without its lock. Enter `alone` first.")
        records.write(self.file, found)

    def _time(self) -> str:
        return records.stamp(self._now())


def to_prometheus(found: Sequence[Record], model: str) -> str:
    """How retrainings ended, and since when one is under way, in Prometheus' text format; all have the label `model`."""
    ended = CounterMetricFamily(
        "operation_retrainings", "Retrainings that have ended, by how.", labels=["model", "state"]
    )
    for state in ENDS:  # one that appears with its first retraining would not be seen to rise
        ended.add_metric([model, state], sum(one.state == state for one in found))
    moments = {
        "operation_decision_timestamp_seconds": ("When it was last decided.", found),
        "operation_retraining_begun_timestamp_seconds": (
            "When the retraining that is under way began.",
            [one for one in found if one.state == BEGUN],
        ),
    }
    metrics: list[Metric] = [ended]
    for name, (text, of) in moments.items():
        gauge = GaugeMetricFamily(name, text, labels=["model"])
        if of:
            gauge.add_metric([model], datetime.datetime.fromisoformat(of[-1].at).timestamp())
        metrics.append(gauge)
    return generate_latest(SimpleNamespace(collect=lambda: metrics)).decode()  # type: ignore[arg-type]
