"""One retraining, from the decision to a registered version: recorded before it begins, so that whatever kills it, the next call finishes it or strikes it out.

    record = retrain(work, History("out/pipeline/retraining"), *policy_file.load("policy.json"), who="a schedule")

Where a scheduler runs the pipeline, it asks `begin` first and `conclude` last, each in a process of its own, with the id of its run; `retrain` is both, with the
pipeline between them. A version is registered and not released.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterator
from typing import Protocol

from engines.errors import AlreadyRunningError
from operation import history as kept
from operation import policy as policies
from operation import records
from operation.history import BEGUN, DONE, FAILED, INTERRUPTED, REFUSED, Busy, History, Record
from operation.policy import Decision, Guards, Policy, Situation

METRICS = "metrics.prom"
"""The file for Prometheus, in the folder of the history."""


class Work(Protocol):
    """What a project gives, so that its model is retrained."""

    @property
    def name(self) -> str:
        """Of the model."""

    def situation(self, asked: str) -> Situation:
        """What is known now.

        Args:
            asked: by whom, and why, a retraining was asked for by hand; empty where it was not.
        """

    def day(self, period: str) -> datetime.date:
        """The day on which the labels of a period have come: cool-down and budget are counted by it, so that a decision does not depend on when it is asked for."""

    def mark(self) -> int:
        """How far the metadata store is (`candidates.mark`)."""

    def prepare(self) -> None:
        """Whatever has to be so before the pipeline runs: a pushed version must not answer by being the newest. Done again, it changes nothing."""

    def train(self, period: str) -> None:
        """Runs the pipeline on the labels up to a period: what it pushes has passed the gate against the model in service."""

    def outcome(self, record: Record) -> Outcome:
        """What came of a retraining, by what the pipeline has recorded since its `mark`."""

    def register(self, version: str) -> None:
        """Registers a version, and does not release it. Done again, it changes nothing."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a retraining.

    Attributes:
        version: that was pushed; empty where none was.
        note: why none was, or what else is to be known.
        is_over: whether the pipeline came to its end.
    """

    version: str = ""
    note: str = ""
    is_over: bool = True


def ask(work: Work, history: History, policy: Policy, guards: Guards | None = None, asked: str = "") -> Decision:
    """What would be decided now; records nothing, and begins nothing. Arguments and errors: as of `retrain`."""
    return _decided(work, history, policy, guards, asked)[1]


def retrain(
    work: Work,
    history: History,
    policy: Policy,
    guards: Guards | None = None,
    *,
    who: str = "",
    asked: str = "",
    tell: Callable[[str], object] = print,
) -> Record:
    """Decides, and, if so decided, retrains.

    Args:
        work: of the project.
        history: of decisions.
        policy: that decides.
        guards: that hold it back.
        who: asks for a decision.
        asked: why a retraining is asked for by hand; empty where it is not.
        tell: is given a sentence for each thing that is worth one.

    Returns:
        What was recorded: declined, done or refused.

    Raises:
        operation.history.Busy: another process decides or retrains, or a scheduler does.
        Exception: what broke the pipeline, once it is recorded.
    """
    with _alone(work, history, who, tell):
        record = _begin(work, history, policy, guards, who, asked, "", tell)
        if record.state != BEGUN:
            return record
        with _recorded(history, record):
            work.prepare()
            work.train(record.period)
        return _conclude(work, history, record)  # what it raises leaves the retraining begun: the next call finishes it


def begin(
    work: Work,
    history: History,
    policy: Policy,
    guards: Guards | None = None,
    *,
    run: str,
    who: str = "",
    asked: str = "",
    tell: Callable[[str], object] = print,
) -> Record:
    """Decides for a run of a scheduler, which runs the pipeline next if the record's state is `BEGUN`, and then asks `conclude`.

    Asked again for the same run, as when a task is tried again, it gives the same record. One that an earlier run left open is finished or struck out: a
    scheduler has one run at a time.

    Args:
        run: its id; the others are as of `retrain`.
    """
    with _alone(work, history, who, tell):
        record = _begin(work, history, policy, guards, who, asked, run, tell)
        if record.state == BEGUN:
            work.prepare()  # what it raises leaves the retraining begun: the task is tried again
        return record


def conclude(work: Work, history: History, run: str, who: str = "", tell: Callable[[str], object] = print) -> Record:
    """Registers what the pipeline of a scheduler's run has pushed, and records how the retraining ended. Asked again, it changes nothing.

    Raises:
        LookupError: no retraining was begun for this run, or it was struck out meanwhile.
    """
    with _alone(work, history, who, tell):
        record = next(
            (one for one in reversed(history.records()) if one.run == run and one.state != kept.DECLINED), None
        )
        if record is None or record.state == INTERRUPTED:
            said = f"{str(record).capitalize()} was struck out meanwhile: {record.note}" if record else "It began none."
            raise LookupError(f"There is no retraining of run {run} in {history.file} to conclude. {said}")
        return record if record.state != BEGUN else _conclude(work, history, record)


def words(record: Record) -> str:
    """How a decision ended, in a line."""
    how = {
        kept.DECLINED: "nothing was trained",
        BEGUN: "under way",
        DONE: f"version {record.version} is registered, and not released",
    }
    return f"{str(record).capitalize()}: {how.get(record.state, record.state)}. {record.note}".strip()


def _begin(
    work: Work,
    history: History,
    policy: Policy,
    guards: Guards | None,
    who: str,
    asked: str,
    run: str,
    tell: Callable[[str], object],
) -> Record:
    for one in history.records():
        if one.state != BEGUN or not one.run:
            continue
        if one.run == run:
            return one
        if not run and not asked:
            raise Busy(
                f"{str(one).capitalize()} is under way in run {one.run} of a scheduler. Nothing was done. "
                "Wait for its end; if that never comes, ask for a retraining by hand, which strikes it out."
            )
    for sentence in history.settle(lambda one: _finished(work, one)):
        tell(sentence)
    situation, decision = _decided(work, history, policy, guards, asked)
    mark = work.mark() if decision.retrain else 0
    record = history.decide(decision, situation.period, who, run, mark, policies.words(policy, guards))
    tell(f"{record.period}: {'retraining' if decision.retrain else 'no retraining'}. {decision.reason}")
    _export(work, history)
    return record


def _decided(
    work: Work, history: History, policy: Policy, guards: Guards | None, asked: str
) -> tuple[Situation, Decision]:
    situation = work.situation(asked)
    past = [dataclasses.replace(one, day=work.day(one.period)) for one in history.past()]
    return situation, policies.decide(situation, policy, guards, past)


def _finished(work: Work, record: Record) -> str:
    """The version of a retraining that was cut off after it was pushed; it is registered now."""
    found = work.outcome(record)
    if found.version:
        work.register(found.version)
    return found.version


def _conclude(work: Work, history: History, record: Record) -> Record:
    found = work.outcome(record)
    if not found.is_over:
        raise RuntimeError(f"The pipeline of {record} has not come to its end: {found.note}")
    if not found.version:
        return history.end(record, REFUSED, note=found.note)
    work.register(found.version)
    return history.end(record, DONE, found.version, found.note)


@contextlib.contextmanager
def _recorded(history: History, record: Record) -> Iterator[None]:
    """An error ends the retraining. What ends the process, a signal or a kill, does not: the next call puts it in order."""
    try:
        yield
    except AlreadyRunningError as error:  # it has not begun, and does not count
        history.end(record, INTERRUPTED, note=str(error))
        raise
    except Exception as error:
        history.end(record, FAILED, note=f"{type(error).__name__}: {error}"[:2000])
        raise


@contextlib.contextmanager
def _alone(work: Work, history: History, who: str, tell: Callable[[str], object]) -> Iterator[None]:
    with history.alone(who or "A process") as told:
        for sentence in told:
            tell(sentence)
        try:
            yield
        finally:
            _export(work, history)


def _export(work: Work, history: History) -> None:
    """Writes the file for Prometheus, whole or not at all."""
    records.write_whole(history.folder / METRICS, kept.to_prometheus(history.records(), work.name))
