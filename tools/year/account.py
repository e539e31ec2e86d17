"""What the year came to: a table month by month, and the account, by what server, clients, registry and metadata store have recorded."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from engines.lineage import Lineage
from engines.lineage_records import Version
from flights import data, registry, release, retrain
from flights.config import Config
from flights.schedule import MONTHS
from operation.history import BEGUN, DECLINED, INTERRUPTED, Record
from operation.refused_spans import FILE as REFUSED_SPANS
from operation.releases import ROLLED_BACK, Outcome, Releases
from operation.served_log import SHADOW
from serving import request_log
from tools.year.clients import ANSWERED, REFUSED, Note, key, notes
from tools.year.state import Plan, State
from tools.year.year import JOURNAL, LOG

HEADER = ("month", "requests", "flights", "said", "happened", "decision on its labels", "trained", "released during it")

LONGEST = 240
"""Characters of a reason in the table."""


class Account(NamedTuple):
    """The end of a year.

    Attributes:
        sentences: what was counted.
        faults: what does not agree; there should be none.
    """

    sentences: list[str]
    faults: list[str]


def table(state: State, config: Config) -> list[str]:
    """The lines of a table in Markdown."""
    records, releases = retrain.history_of(config).records(), releases_of(config)
    asked = [(int(note.id[:2]), note) for note in notes(state.folder / JOURNAL)]
    requests = Counter(month for month, _ in asked)
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for month in range(state.plan.first - 1, state.plan.last + 1):
        seen, name = state.seen.get(str(month), {}), f"{MONTHS.date_of(month):%Y-%m}"
        decided = [one for one in records if one.period == name]
        cells = [
            name,
            f"{requests[month]:,}" if seen else "",
            f"{sum(note.rows for one, note in asked if one == month and note.status == ANSWERED):,}" if seen else "",
            _share(seen.get("said")),
            _share(seen.get("happened")),
            " ".join(_decision(one) for one in decided),
            " ".join(one.version or one.state for one in decided if one.state != DECLINED),
            " ".join(_release(one) for one in releases if one.at[:7] == name),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return lines


def account(state: State, config: Config) -> Account:
    """Whether each flight was asked about and answered once, whether anything was done twice, and what became of both faults."""
    folder, plan = state.folder, state.plan
    asked = notes(folder / JOURNAL)
    statuses = Counter(_kind(note) for note in asked)
    months = range(plan.first, plan.last + 1)
    wanted = {key(row) for month in months for row in data.read_month(plan.data_root, month).to_dict("records")}
    logged = [key(line) for line in request_log.read(folder / LOG) if line["role"] != SHADOW]
    records, releases = retrain.history_of(config).records(), releases_of(config)
    lineage = Lineage.of_file(config.metadata_path)
    versions = [lineage.version(push.version, config.pipeline_name) for push in lineage.versions(config.pipeline_name)]
    registered = [one.version for one in registry.of(config).versions()]
    states = Counter(one.state for one in records)
    ends = Counter(one.state for one in releases)
    sentences = [
        f"{len(asked):,} requests were sent = {statuses['answered']:,} answered + {statuses['refused']:,} refused + {statuses['failed']:,} failed and asked again.",
        f"{len(logged):,} rows are in the log of requests, and {len(wanted):,} flights were asked about.",
        f"{len(records)} decisions: {_counts(states)}. {len(versions)} versions were pushed, and {len(registered)} are registered.",
        f"{len(releases)} releases: {_counts(ends)}.",
    ]
    faults = [
        *_unless(len(asked) == len({note.id for note in asked}), "A request was noted twice."),
        *_unless(len(logged) == len(set(logged)), f"{len(logged) - len(set(logged)):,} rows are in the log twice."),
        *_unless(wanted <= set(logged), f"{len(wanted - set(logged)):,} flights are not in the log."),
        *_unless(set(logged) <= wanted, "The log has flights that were not asked about."),
        *_unless(
            sorted(registered) == sorted(one.push.version for one in versions),
            "Not each version that was pushed is registered once.",
        ),
        *_unless(not {BEGUN} & {*states, *ends}, "A retraining or a release has no end."),
        *(
            f"{one} was trained on twice."
            for one in _twice([one.period for one in records if one.state not in (DECLINED, INTERRUPTED)])
        ),
        *(f"Version {one} was released twice." for one in _twice([str(one.version) for one in releases])),
        *registry.of(config).check(lineage, config.pipeline_name),
    ]
    for said, wrong in (_refused(plan, config, versions), _spoilt(state, records, releases)):
        sentences += said
        faults += wrong
    return Account(sentences, faults)


def _refused(plan: Plan, config: Config, versions: Sequence[Version]) -> Account:
    """What became of the month that was delivered in another unit."""
    if not plan.refused:
        return Account([], [])
    file, name = Path(config.output_root) / retrain.FOLDER / REFUSED_SPANS, f"{MONTHS.date_of(plan.refused):%B}"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if str(plan.refused) not in kept:
        return Account([], [f"The gate of the data has not refused {name}, whose file is wrong."])
    uses = [
        (one, *one.model.trained_on, *(use for judged in one.verdicts for use in judged.judged_on)) for one in versions
    ]
    learned = [one.push.version for one, *used in uses if plan.refused in [use.file.span for use in used]]
    said = f"The gate of the data has refused {name}, and no version has seen it: {kept[str(plan.refused)]['why']}"
    return Account(
        [said], [f"Version {one} has seen {name}, which the gate of the data has refused." for one in learned]
    )


def _spoilt(state: State, records: Sequence[Record], releases: Sequence[Outcome]) -> Account:
    """What became of the version that was to fail in canary."""
    if not state.plan.spoilt:
        return Account([], [])
    made = {
        one.version for one in records if one.version and one.period == f"{MONTHS.date_of(state.spoilt or 1):%Y-%m}"
    }
    ends = [one for one in releases if str(one.version) in made and state.spoilt]
    said = [f"Version {one.version} was made to fail: {one.state} at {one.step}. {one.reason}" for one in ends]
    is_right = [(one.state, one.step.partition(" ")[0]) for one in ends] == [(ROLLED_BACK, "canary")]
    return Account(
        said,
        [*_unless(is_right, "No version has passed all that is asked offline, failed in canary, and been taken back.")],
    )


def releases_of(config: Config) -> list[Outcome]:
    """All releases of a pipeline's versions."""
    return Releases(Path(config.output_root) / release.FOLDER, lambda: None).all()  # type: ignore[arg-type, return-value]


def page(state: State, config: Config, found: Account) -> str:
    """The table and the account, in Markdown."""
    seconds = {
        step: sum(month.get(step, {}).get("seconds", 0) for month in state.took.values())
        for step in state.took.get(str(state.plan.first), {})
    }
    took = ", ".join(f"{step} {value:,.0f} s" for step, value in seconds.items())
    return "\n".join(
        [
            "# A year in service",
            "",
            *table(state, config),
            "",
            *(f"- {one}" for one in (*found.sentences, *found.faults)),
            "",
            f"It took: {took}.",
            "",
        ]
    )


def _decision(record: Record) -> str:
    if record.state == INTERRUPTED:
        return f"Retraining, struck out: {record.note}"
    what = "" if record.state == DECLINED else "Retraining: "
    return textwrap.shorten(f"{what}{record.decision.reason}", LONGEST, placeholder=" ...")


def _release(outcome: Outcome) -> str:
    at = "" if outcome.step == "production" else f" at {outcome.step}: {outcome.reason}"
    return f"{outcome.version}, {outcome.state}{at}"


def _kind(note: Note) -> str:
    return {ANSWERED: "answered", REFUSED: "refused"}.get(note.status, "failed")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _counts(states: Counter[str]) -> str:
    return ", ".join(f"{number} {state}" for state, number in states.items())


def _twice(names: Sequence[str]) -> list[str]:
    return sorted(name for name, number in Counter(names).items() if number > 1)


def _unless(is_so: bool, fault: str) -> Iterable[str]:
    return [] if is_so else [fault]
