"""The history of decisions: what was decided, why, and how each retraining ended. One process at a time writes it.

A file of JSON lines, written whole each time: beside its place, then moved. So a process that is killed leaves the history as it was before
or after, never between; and a retraining that was begun and has no end is found by the next one, which finishes it or strikes it out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from operation.policy import Decision, Past

FILE = "history.jsonl"
LOCK = ".history.lock"

DECLINED, BEGUN, DONE, REFUSED, FAILED, INTERRUPTED = "declined", "begun", "done", "refused", "failed", "interrupted"
"""How it stands with a decision: not to retrain; a retraining is under way; a model came of it; the candidate missed a demand; the
pipeline broke; the process ended before it could say."""

ENDS = (DONE, REFUSED, FAILED, INTERRUPTED)


class Busy(RuntimeError):
    """Another process decides or retrains at this moment."""


class HistoryError(ValueError):
    """The history cannot be read."""


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
        self.file = self.folder / FILE
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._is_mine = False

    def records(self) -> list[Record]:
        """All decisions, the oldest first.

        Raises:
            HistoryError: a line was changed by hand so that it is none; names file and line.
        """
        if not self.file.exists():
            return []
        found = []
        for number, line in enumerate(self.file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                known = json.loads(line)
                found.append(Record(**known | {"decision": Decision(**known["decision"])}))
            except (ValueError, TypeError, KeyError) as error:
                raise HistoryError(
                    f"{self.file}, line {number}: no decision ({error}). Mend the line, or take it out."
                ) from None
        return found

    def past(self) -> list[Past]:
        """The retrainings that count for cool-down and budget: all that were begun, but for those that were interrupted."""
        return [Past(one.day, one.period) for one in self.records() if one.state not in (DECLINED, INTERRUPTED)]

    @contextlib.contextmanager
    def alone(self, who: str) -> Iterator[list[str]]:
        """For as long as this is entered, no other process decides or retrains. The lock ends with its process, however that ends.

        Args:
            who: for others to read.

        Yields:
            What is to be told: that an earlier owner of the lock ended without giving it back.

        Raises:
            Busy: another process has it; says which.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "Another process"
                raise Busy(
                    f"{owner} is deciding or retraining in {self.folder}. Nothing was done. Try again later."
                ) from None
            for unfinished in self.folder.glob(f".{FILE}.*"):  # of a process that was killed while it wrote
                unfinished.unlink(missing_ok=True)
            lock.seek(0)
            left = lock.read().strip()
            lock.truncate(0)
            lock.write(f"{who} (process {os.getpid()}, since {self._time()})\n")
            lock.flush()
            self._is_mine = True
            try:
                yield [f"{left} ended without giving the lock back; it was taken over."] if left else []
            finally:
                self._is_mine = False
                lock.truncate(0)

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

    def decide(self, decision: Decision, period: str, who: str = "", run: str = "", mark: int = 0) -> Record:
        """Records a decision. One to retrain is thereby begun.

        Args:
            decision: what was decided.
            period: the newest one whose labels had come.
            who: asked for it.
            run: of a scheduler.
            mark: how far the metadata store is.

        Raises:
            Busy: this is not entered (`alone`).
        """
        state = BEGUN if decision.retrain else DECLINED
        known = self.records()
        process = os.getpid() if decision.retrain else 0
        record = Record(len(known) + 1, self._time(), period, decision, state, who, process, run=run, mark=mark)
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

    def _write(self, records: list[Record]) -> None:
        if not self._is_mine:
            raise Busy(f"{self.file}: written without its lock. Enter `alone` first.")
        with tempfile.NamedTemporaryFile(
            "w", dir=self.folder, prefix=f".{FILE}.", encoding="utf-8", delete=False
        ) as new:
            try:
                new.writelines(json.dumps(_plain(one)) + "\n" for one in records)
                new.flush()
                os.fsync(new.fileno())
                os.replace(new.name, self.file)
            except BaseException:
                Path(new.name).unlink(missing_ok=True)
                raise

    def _time(self) -> str:
        return self._now().astimezone(datetime.UTC).isoformat(timespec="seconds")


def to_prometheus(records: Sequence[Record], model: str) -> str:
    """How retrainings ended, and since when one is under way, in Prometheus' text format; all have the label `model`."""
    registry = CollectorRegistry()
    ended = Counter(
        "operation_retrainings", "Retrainings that have ended, by how.", ["model", "state"], registry=registry
    )
    for state in ENDS:  # one that appears with its first retraining would not be seen to rise
        ended.labels(model, state).inc(sum(one.state == state for one in records))
    moments = {
        "operation_decision_timestamp_seconds": ("When it was last decided.", records),
        "operation_retraining_begun_timestamp_seconds": (
            "When the retraining that is under way began.",
            [one for one in records if one.state == BEGUN],
        ),
    }
    for name, (text, of) in moments.items():
        gauge = Gauge(name, text, ["model"], registry=registry)
        if of:
            gauge.labels(model).set(datetime.datetime.fromisoformat(of[-1].at).timestamp())
    # The library adds when it has made a counter: of a file, that says nothing.
    return "".join(
        line
        for line in generate_latest(registry).decode().splitlines(keepends=True)
        if "_retrainings_created" not in line
    )


def _plain(record: Record) -> dict[str, Any]:
    """Without what is not a number, which JSON has no word for."""
    known = dataclasses.asdict(record)
    decision = known["decision"]
    return known | {"decision": {name: None if one != one else one for name, one in decision.items()}}
