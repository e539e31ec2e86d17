"""The work of the component `Watch`: from what was served, and what is known of it, to the three files of a report."""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import tensorflow_data_validation as tfdv
from tfx import types
from tfx.types import artifact_utils

from operation import distances, labels, page, served_rows
from operation import released as releases
from operation import report as reports
from operation.config import BEFORE, METRICS, PAGE, REPORT, SERVED
from operation.project import load_project
from operation.report import DRIFT, SKEW, Distance, Report
from operation.served_examples import OF_OUTCOMES

Clock = Callable[[], datetime.datetime]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


_clock: contextvars.ContextVar[Clock] = contextvars.ContextVar("clock", default=_now)


@contextlib.contextmanager
def by(clock: Clock | None) -> Iterator[None]:
    """Within it, reports of this process have the time, with its zone, of a clock (None: this machine's). As a setting, it would be another one each time to the cache."""
    token = _clock.set(clock or _now)
    try:
        yield
    finally:
        _clock.reset(token)


def report(
    served: types.Artifact,
    statistics: types.Artifact,
    schema: types.Artifact,
    released: types.Artifact,
    project: str,
    first: str,
    last: str,
    requests: str,
) -> Report:
    """What was found; the arguments are those of `components.Watch`."""
    own, known = load_project(project), releases.load(released.uri)
    log, outcomes = served_rows.load(served.uri)
    begin, end = map(datetime.date.fromisoformat, (first, last))
    if outcomes is None:
        outcomes = pd.DataFrame(columns=[*own.key, own.label])
    joined = labels.join(log.rows, outcomes, own, first=begin, last=end)
    joined_columns = [one for one in served.get_string_custom_property(OF_OUTCOMES).split(",") if one]
    measured, notes = _distances(statistics, schema, known, joined_columns)
    return reports.make(
        log,
        joined,
        own,
        begin,
        end,
        _clock.get()(),
        known.trained,
        measured,
        json.loads(requests or "{}"),
        known.version,
        [*known.notes, *notes],
    )


def write(found: Report, folder: str | Path) -> None:
    """Writes the files of a report."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found.save(folder / REPORT)
    page.write(found, folder / PAGE)
    (folder / METRICS).write_text(reports.to_prometheus(found), encoding="utf-8")


def _distances(
    statistics: types.Artifact, schema: types.Artifact, known: releases.Released, joined: list[str]
) -> tuple[list[Distance], list[str]]:
    """Skew and drift, and what of them cannot be measured."""
    contract = tfdv.load_schema_text(str(next(Path(schema.uri).glob("*.pbtxt"))))
    splits = artifact_utils.decode_split_names(statistics.split_names)
    files = {one: Path(artifact_utils.get_split_uri([statistics], one)) / releases.STATISTICS for one in splits}
    now, found, notes = tfdv.load_stats_binary(str(files[SERVED])), list[Distance](), list[str]()
    for kind, file in ((SKEW, known.statistics), (DRIFT, files.get(BEFORE))):
        if file:
            found += distances.between(now, tfdv.load_stats_binary(str(file)), contract, kind, joined)
    if BEFORE not in files:
        notes.append("Drift is not measured: the log has no answer about the days before.")
    compared = {one.column for one in found}
    limited = [
        one.name for one in contract.feature if one.drift_comparator.ByteSize() or one.skew_comparator.ByteSize()
    ]
    if of_outcomes := sorted({one.column for one in found if one.of_outcomes}):
        notes.append(
            f"Of {', '.join(of_outcomes)}, which the log has not, the outcomes of what was asked about are compared."
        )
    if found and (unknown := [one for one in limited if one not in compared]):
        notes.append(
            f"Of {', '.join(sorted(unknown))}, nothing is compared: the log has no such column, and no outcomes with it have come."
        )
    return found, notes
