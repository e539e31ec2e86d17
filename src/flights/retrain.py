"""`flights retrain`: a policy decides, and, if it so decides, the pipeline trains a model, which is registered if it is better than the one in service."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.deciding import Go

from . import registry
from .config import CHAMPION, Config
from .schedule import MONTHS

if TYPE_CHECKING:
    from engines.lineage import Lineage, Version
    from operation.history import History, Record
    from operation.policy import Decision, Guards, Policy, Situation
    from operation.quality import Quality
    from operation.report import Distance, Report
    from operation.retrain import Outcome

POLICY = Path(__file__).with_name("policy.json")

POLICY_VARIABLE = f"{__package__.upper()}_POLICY"
"""Environment variable that names another file for a scheduler's runs."""

FOLDER, REPORT = "retraining", Path("monitoring", "report.json")
"""In the output folder: the history of decisions; the newest report of the watch."""

HISTORY = 3
"""Months before the newest that are learned from, at most, as in `schedule.project`."""

SCHEDULE = "a schedule"

Engine = Callable[[Config], object]
"""Runs the pipeline of a configuration."""


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the command to those of `flights`."""
    parser = commands.add_parser(
        "retrain",
        help="decide by a policy whether to retrain; if so, run the pipeline, and register a model that is better than the one in service",
    )
    parser.add_argument("--month", type=int, metavar="N", help="the newest labelled month (default: of the data)")
    parser.add_argument(
        "--policy",
        type=lambda text: str(Path(text).absolute()),
        metavar="FILE",
        help="what decides (default: that of the package)",
    )
    parser.add_argument("--by-hand", metavar="WHY", help="retrain whatever the policy says; the reason is recorded")
    parser.add_argument("--decide-only", action="store_true", help="say what would be decided, and do no more")
    parser.add_argument("--plan", metavar="FILE", help="what is demanded of the model, as for `run`")
    parser.add_argument(
        "--data-root", metavar="FOLDER", help="folder with span-01/ to span-12/ (default: data/flights)"
    )
    registry.add_option(parser)
    return [parser]


def run(
    config: Config,
    month: int | None = None,
    policy: str = "",
    by_hand: str = "",
    decide_only: bool = False,
    registry_uri: str = "",
) -> int:
    """Does what the command line asks for, and prints the decision and what came of it.

    Args:
        config: the pipeline, but for its months.
        month: the newest labelled one; None: of the data.
        policy: its file; empty: that of the package.
        by_hand: why; empty: the policy decides.
        decide_only: say only what would be decided.
        registry_uri: address of MLflow's store; empty for the default one.
    """
    from operation.retrain import words

    if decide_only:
        work = Retraining(config, month, registry_uri=registry_uri)
        decision = decide(config, month, policy or POLICY, by_hand)
        print(f"{work.period}: {'retraining' if decision.retrain else 'no retraining'}. {decision.reason}")
        return 0
    print(words(retrain(config, month, policy or POLICY, by_hand, registry_uri=registry_uri)))
    return 0


def decide(config: Config, month: int | None = None, policy: str | Path = POLICY, by_hand: str = "") -> Decision:
    """What would be decided; nothing is recorded. Arguments and errors: as of `retrain`."""
    from operation import policy_file
    from operation import retrain as flow

    work = Retraining(config, month)
    return flow.ask(work, history_of(config), *_given(policy, policy_file.load), by_hand)


def retrain(
    config: Config,
    month: int | None = None,
    policy: str | Path | tuple[Policy, Guards] = POLICY,
    by_hand: str = "",
    engine: Engine | None = None,
    *,
    who: str = "",
    registry_uri: str = "",
    now: Callable[[], datetime.datetime] | None = None,
    tell: Callable[[str], object] = print,
) -> Record:
    """Decides, and retrains if that is what was decided.

    Args:
        config: the pipeline, but for its months and its baseline, which is the model in service.
        month: the newest labelled one; None: of the data.
        policy: its file, or itself with its guards.
        by_hand: why a retraining is asked for, whatever the policy says.
        engine: runs the pipeline; None: `engines.local`.
        who: asks; empty for the user of this process.
        registry_uri: address of MLflow's store; empty for the default one.
        now: the time that is recorded, with a zone; what is decided does not depend on it.
        tell: is given the decision, and a sentence for what else was found and put in order.

    Raises:
        operation.history.Busy: another process decides or retrains.
        operation.policy_file.PolicyError: the policy cannot be read.
        engines.lineage.LineageError: the metadata store does not know the model in service.
        engines.errors.AlreadyRunningError: a run of the pipeline uses the folder.
        Exception: what broke the pipeline.
    """
    from operation import policy_file
    from operation import retrain as flow
    from serving.registry import user

    work = Retraining(config, month, engine, registry_uri, tell)
    rules = _given(policy, policy_file.load)
    return flow.retrain(work, history_of(config, now), *rules, who=who or user(), asked=by_hand, tell=tell)


def history_of(config: Config, now: Callable[[], datetime.datetime] | None = None) -> History:
    """The history of decisions about a pipeline's model."""
    from operation.history import History

    return History(Path(config.output_root) / FOLDER, now)


# --- for a scheduler (`engines.deciding`)


def on_schedule(config: Config, run: str) -> Go:
    """Decides for a run of a scheduler on its months: the last is judged, and those before it that the gate took are learned from."""
    from operation import policy_file
    from operation import retrain as flow

    work = Retraining(config, config.months[1], history=config.months[1] - config.months[0])
    rules = policy_file.load(os.environ.get(POLICY_VARIABLE) or POLICY)
    record = flow.begin(work, history_of(config), *rules, run=run, who=SCHEDULE)
    return Go(record.state == flow.BEGUN, record.decision.reason, work.window)


def on_end(config: Config, run: str) -> str:
    """Records how the retraining of a scheduler's run ended, and registers its version."""
    from operation import retrain as flow

    work = Retraining(config, config.months[1])
    return flow.words(flow.conclude(work, history_of(config), run, SCHEDULE))


class Retraining:
    """What of a retraining is of flights (`operation.retrain.Work`)."""

    name = __package__

    def __init__(
        self,
        config: Config,
        month: int | None = None,
        engine: Engine | None = None,
        registry_uri: str = "",
        tell: Callable[[str], object] = print,
        judge: Engine | None = None,
        history: int = HISTORY,
    ) -> None:
        """Looks at nothing but which months there are.

        Args:
            config: the pipeline.
            month: the newest labelled one; None: of the data.
            engine: runs the pipeline; None: `engines.local`.
            registry_uri: as `registry.of` takes it.
            tell: likewise.
            judge: runs the gate of the data; None: the pipeline up to it, in this process.
            history: months before the newest that are learned from, at most.

        Raises:
            data.DataError: the month is not there.
        """
        from operation.refused_spans import RefusedSpans

        self.month = month or _newest(config)
        self.config, self._engine, self._judge = config, engine or _pipeline, judge or _gate
        self._registry_uri, self._tell = registry_uri, tell
        self._spans = RefusedSpans(
            Path(config.output_root) / FOLDER,
            lambda first, last: self._judge(self._of(first, last)),
            lambda one: (_file(config, one), config.schema_file),
            history,
            MONTHS.first,
        )
        self._of(self.month, self.month).require_inputs()

    @property
    def period(self) -> str:
        """The newest labelled month."""
        return _name(self.month)

    @property
    def window(self) -> tuple[int, int]:
        """The months that a model learns from, and the newest, which it is judged on."""
        return self._spans.window(self.month)

    def day(self, period: str) -> datetime.date:
        """The first day after a month."""
        return MONTHS.date_of(MONTHS.span_of(datetime.date.fromisoformat(f"{period}-01")) + 1)

    def situation(self, asked: str) -> Situation:
        """What is known at the end of the month: of the data, of the model in service, and of the newest report."""
        from operation.policy import Situation

        version, report = self._in_service(), _report(self.config)
        known = found_in(report, self.period, version.push.version if version else "") if report else {}
        seen = max(_seen(version), default=0) if version else 0
        why = self._spans.why(self.month)
        since = [one for one in range(max(seen + 1, MONTHS.first), self.month + 1) if not self._spans.known(one)]
        return Situation(
            day=self.day(self.period),
            period=self.period,
            trained=self.day(_name(seen)) if version else None,
            new_rows=sum(_rows(self.config, one) for one in since),
            refused=why,
            asked=asked,
            **known,
        )

    def mark(self) -> int:
        """How far the metadata store is."""
        from operation import candidates

        return candidates.mark(self.config.metadata_path)

    def prepare(self) -> None:
        """Names the version in service in the traffic file: without one, what is pushed next would answer at once."""
        from serving import traffic

        version = self._in_service()
        if version is not None and traffic.read(self.config.serving_root) is None:
            registry.sync(self.config, self._registry_uri, self._tell)
            why = "It answers as the newest. A retraining pushes a newer one, which is not released by that."
            registry.of(self.config, self._registry_uri, self._tell).promote(version.push.version, why=why)

    def train(self, period: str) -> None:
        """Runs the pipeline on the months that the gate took."""
        self._engine(self._of(*self.window))

    def outcome(self, record: Record) -> Outcome:
        """Whether the candidate was pushed, having been held against the model in service."""
        from engines import store
        from operation import candidates
        from operation.retrain import Outcome
        from serving import traffic

        from . import verdict

        lineage = self._lineage()
        found = candidates.latest(lineage, record.mark, self.config.pipeline_name) if lineage else None
        if found is None or max(found.spans, default=0) != _month(record.period):
            return Outcome(note=f"no candidate was judged on {record.period} yet.", is_over=False)
        if not found.version:
            return Outcome(note=store.latest_verdict(self.config, verdict.refusal))
        if traffic.read(self.config.serving_root) is None:
            return Outcome(found.version, "It is the first one, and answers as the newest.")
        version = self._in_service()
        if found.version == version.push.version:
            return Outcome(note=f"The pipeline gives version {found.version} again, which is in service.")
        if found.baseline != version.push.model:
            return Outcome(
                note=f"Version {found.version} was held against model {found.baseline}, and version {version.push.version}, which is in "
                f"service, is model {version.push.model}. Ask for a retraining by hand."
            )
        return Outcome(found.version, f"Version {version.push.version} is in service until it is.")

    def register(self, version: str) -> None:
        """Registers it with where it comes from."""
        registry.sync(self.config, self._registry_uri, self._tell)
        registry.of(self.config, self._registry_uri, self._tell).find(
            version
        )  # what was not registered is told as that

    def _of(self, first: int, last: int) -> Config:
        return dataclasses.replace(self.config, months=(first, last), baseline=CHAMPION)

    def _lineage(self) -> Lineage | None:
        from engines.lineage import Lineage

        path = self.config.metadata_path
        return Lineage.of_file(path) if Path(path).is_file() else None

    def _in_service(self) -> Version | None:
        """Where the version in service comes from; None where there is none."""
        from engines.lineage import LineageError
        from serving.disagreements import answering
        from serving.in_service import version_in_service

        lineage, root = self._lineage(), self.config.serving_root
        if lineage is None and (served := answering(Path(root))):
            raise LineageError(
                f"Version {served.champion} is in service, and there is no metadata store at {self.config.metadata_path} that says where it comes from."
            )
        return version_in_service(lineage, root, self.config.pipeline_name) if lineage else None


def _given(policy: str | Path | tuple[Policy, Guards], load: Callable[[str | Path], Any]) -> tuple[Policy, Guards]:
    return policy if isinstance(policy, tuple) else load(policy)


def _pipeline(config: Config, **part: str) -> None:
    from engines.quiet import import_quietly

    import_quietly()
    from engines import local

    from .pipeline import create_pipeline

    local.run(config, create_pipeline, **part)


def _gate(config: Config) -> None:
    """The pipeline up to its gate: what it has done, the whole pipeline takes from the cache."""
    _pipeline(config, last="DataGate")


def _name(month: int) -> str:
    return f"{MONTHS.date_of(month):%Y-%m}"


def _month(period: str) -> int:
    return MONTHS.span_of(datetime.date.fromisoformat(f"{period}-01"))


def _file(config: Config, month: int) -> Path:
    return Path(config.data_root, MONTHS.files.format(span=month))


def _newest(config: Config) -> int:
    there = [one for one in range(MONTHS.first, MONTHS.last + 1) if _file(config, one).is_file()]
    return max(there, default=MONTHS.first)  # whose absence is told where inputs are


def _rows(config: Config, month: int) -> int:
    """Of a month's file, without its header; 0 where it is not there."""
    file = _file(config, month)
    with file.open("rb") if file.is_file() else contextlib.nullcontext(()) as lines:
        return max(sum(1 for _ in lines) - 1, 0)


def _seen(version: Version) -> set[int]:
    """The months that a version has learned from or was judged on."""
    uses = [*version.model.trained_on, *(use for one in version.verdicts for use in one.judged_on)]
    return {use.file.span for use in uses if use.file.span is not None}


def _report(config: Config) -> Report | None:
    from operation.report import Report

    file = Path(config.output_root) / REPORT
    return Report.load(file) if file.is_file() else None


def _is_of(report: Report, period: str) -> bool:
    return report.first[:7] == report.last[:7] == period


def found_in(report: Report, period: str, version: str) -> dict[str, Any]:
    """What a report says of a version in a month: `quality`, `baseline` and `distances` of a `Situation`."""
    quality = _quality(report, period, version)
    return {
        "quality": quality,
        "baseline": report.trained if quality else None,
        "distances": _distances(report, period),
    }


def _quality(report: Report, period: str, version: str) -> Quality | None:
    """Of a version in a month; None where the report is of another one, or the version did not answer then. A shadow did not."""
    parts = report.versions if _is_of(report, period) else ()
    return next((one.quality for one in parts if one.value == version and one.quality.rows), None)


def _distances(report: Report, period: str) -> tuple[Distance, ...]:
    """From what the model in service was trained on; where that was not measured, from the days before."""
    from operation.report import SKEW

    found = report.distances if _is_of(report, period) else ()
    return tuple(one for one in found if one.kind == SKEW) or found


HANDLERS = {"retrain": run}
