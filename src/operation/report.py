"""What a watch found for some days: one value, kept as JSON, read by Prometheus, and looked at as a page (`page`)."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from operation import quality
from operation.labels import Joined, Matches
from operation.project import Project
from operation.quality import Bin, Coverage, Estimate, Expected, Part, Quality
from operation.records import as_json
from operation.served_log import DAY, SHADOW, Lines, ServedLog

DRIFT, SKEW = "drift", "skew"

ESTIMATES = {
    "auc": ("auc", "Area under the ROC curve."),
    "gap": ("calibration_gap", "Mean prediction less share of rows where it happened."),
    "log_loss": ("log_loss", "Mean negative logarithm of the probability of what happened."),
    "cost": ("cost", "Of errors, for a row."),
}
"""Fields of `Quality`: their names as metrics, and what they are."""


OF_ROWS = ("served", "matched", "asked_again", "not_yet", "missing", "ambiguous")
"""Fields of `Matches` that count rows of the log; the others count outcomes."""


@dataclasses.dataclass(frozen=True)
class Distance:
    """How far the distribution of a column is from another one.

    Attributes:
        column: of what was served.
        kind: `DRIFT`, from the days before; or `SKEW`, from what the model in service was trained on.
        distance: as TFDV measures it.
        limit: of the schema.
        of_outcomes: whether its values are those of the outcomes that were asked about, since the log has no such column.
    """

    column: str
    kind: str
    distance: float
    limit: float
    of_outcomes: bool = False

    @property
    def is_too_far(self) -> bool:
        """Whether that is beyond the limit."""
        return self.distance > self.limit


@dataclasses.dataclass(frozen=True)
class Day:
    """The rows about one day that a client got.

    Attributes:
        day: as YYYY-MM-DD.
        rows: how many.
        said: mean of their predictions.
        happened: share of those with a label; not a number where there is none.
    """

    day: str
    rows: int
    said: float
    happened: float


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        model: its name.
        first: day that was asked for, as YYYY-MM-DD,
        last: and the last one.
        made: when, as ISO 8601 with its zone.
        until: the last day whose labels have come; None: none have.
        lines: of the log.
        matches: of its rows and of the outcomes.
        said: the mean prediction of all rows that a client got.
        expected: what predictions promise, before their labels.
        quality: of the rows with a label; None where no label has come.
        trained: of the model in service, when it was evaluated before its release; None where that is not known.
        versions: quality by version,
        slices: and by slice.
        coverage: how many outcomes of each slice were asked about.
        bins: what was said against what happened.
        days: one by one.
        distances: of columns.
        requests: how many were answered, refused or failed, by the server's metrics; empty where there are none.
        faults: of the log, a sentence each.
        version: that was in service last, by the log; empty where it has no answer.
        notes: what is not known, and why; a sentence each.
    """

    model: str
    first: str
    last: str
    made: str
    until: str | None
    lines: Lines
    matches: Matches
    said: float
    expected: Expected
    quality: Quality | None
    trained: Quality | None = None
    versions: tuple[Part, ...] = ()
    slices: tuple[Part, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    bins: tuple[Bin, ...] = ()
    days: tuple[Day, ...] = ()
    distances: tuple[Distance, ...] = ()
    requests: dict[str, float] = dataclasses.field(default_factory=dict)
    faults: tuple[str, ...] = ()
    version: str = ""
    notes: tuple[str, ...] = ()

    def save(self, file: str | Path) -> Path:
        """Writes it as JSON, in which null stands for what is not a number."""
        file = Path(file)
        file.write_text(json.dumps(as_json(self), indent=1, allow_nan=False) + "\n")
        return file

    @classmethod
    def load(cls, file: str | Path) -> Report:
        """Reads what `save` wrote.

        Raises:
            ValueError: it is no report; names the file.
        """
        try:
            return typing.cast("Report", of_json(cls, json.loads(Path(file).read_bytes())))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{file}: no report of a watch ({error}). Run the watch again.") from None


def make(
    log: ServedLog,
    joined: Joined,
    project: Project,
    first: datetime.date,
    last: datetime.date,
    made: datetime.datetime,
    trained: Quality | None = None,
    distances: Sequence[Distance] = (),
    requests: Mapping[str, float] | None = None,
    version: str = "",
    notes: Sequence[str] = (),
) -> Report:
    """Measures all that a report has, of a log of these days and its rows with their labels. What else is given are attributes of `Report`."""
    answered = log.rows[log.rows["role"] != SHADOW]
    measured = quality.of(joined, project)
    happened = joined.rows[joined.rows["role"] != SHADOW].groupby(DAY)[project.label].mean()
    by_day = answered.groupby(DAY)["prediction"].agg(["size", "mean"])
    days = [
        Day(day.date().isoformat(), int(size), float(said), float(happened.get(day, math.nan)))
        for day, size, said in by_day.itertuples()
    ]
    return Report(
        model=project.name,
        first=first.isoformat(),
        last=last.isoformat(),
        made=made.isoformat(timespec="seconds"),
        until=None if joined.until is None else joined.until.isoformat(),
        lines=log.lines,
        matches=joined.matches,
        said=float(answered["prediction"].mean()) if len(answered) else math.nan,
        expected=quality.expected(answered["prediction"], project.costs),
        quality=measured if measured.rows else None,
        trained=trained,
        versions=tuple(quality.by_version(joined, project)),
        slices=tuple(quality.by_slice(joined, project)),
        coverage=tuple(quality.coverage(joined, project)),
        bins=tuple(quality.calibration(joined, project)),
        days=tuple(days),
        distances=tuple(distances),
        requests=dict(requests or {}),
        faults=log.faults,
        version=version,
        notes=tuple(notes),
    )


def requests_of(text: str, before: str = "") -> dict[str, float]:
    """How many requests were answered, refused or failed between two looks at the server's metrics; the log has answered ones only.

    Args:
        text: what `/metrics` of the server gives.
        before: what it gave at the first look; empty: since the server began. One that has begun anew meanwhile counts from then on.
    """

    def counts(metrics: str) -> dict[tuple[str, str], float]:
        return {
            (sample.labels.get("version", ""), sample.labels["outcome"]): sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
            if sample.name == "serving_requests_total"
        }

    earlier, found = counts(before), dict[str, float]()
    for which, count in counts(text).items():
        known = earlier.get(which, 0.0)
        found[which[1]] = found.get(which[1], 0.0) + (count - known if count >= known else count)
    return found


def to_prometheus(report: Report) -> str:
    """The report in Prometheus' text format, for a file that an exporter reads or an address that is scraped.

    All have the label `model`. Of all rows, `by` and `value` are empty; of a part they say which. What is undefined has no sample.
    """
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()

    def give(name: str, text: str, value: float, /, **labels: str) -> None:
        if not math.isfinite(value):
            return
        if name not in gauges:
            gauges[name] = Gauge(f"operation_{name}", text, ["model", *labels], registry=registry)
        gauges[name].labels(report.model, *labels.values()).set(value)

    give("report_made_timestamp_seconds", "When the newest report was made.", _seconds(report.made))
    give("period_end_timestamp_seconds", "End of the last day that it is about.", _end(report.last))
    if report.until is not None:
        give("labels_until_timestamp_seconds", "End of the last day whose labels have come.", _end(report.until))
    for state, count in dataclasses.asdict(report.lines).items():
        if state != "lost_columns":
            give("log_lines", "Lines of the log of requests, by what became of them.", count, state=state)
    for column, count in report.lines.lost_columns.items():
        give("log_lost_columns", "Lines that lack a column of the key.", count, column=column)
    for state, count in dataclasses.asdict(report.matches).items():
        of = "rows" if state in OF_ROWS else "outcomes"
        give(of, f"{of.capitalize()}, by what became of them.", count, state=state)
    for outcome, count in report.requests.items():
        give("requests", "Requests of the period, by outcome, as the server counted them.", count, outcome=outcome)
    give("said", "Mean prediction of what was answered, with or without a label.", report.said)
    give("expected_auc", "AUC that the predictions promise.", report.expected.auc)
    give("expected_cost", "Cost for a row that the predictions promise.", report.expected.cost)
    whole = [Part("", "", report.quality)] if report.quality else []
    for part in (*whole, *report.versions, *report.slices):
        labels = {"by": part.by, "value": part.value}
        give("labelled_rows", "Rows with a label.", part.quality.rows, **labels)
        give("happened", "Share of them where it happened.", part.quality.happened, **labels)
        for field, (name, text) in ESTIMATES.items():
            found: Estimate = getattr(part.quality, field)
            give(name, text, found.value, **labels)
            give(f"{name}_low", f"{text} Low end of its interval.", found.low, **labels)
            give(f"{name}_high", f"{text} High end of its interval.", found.high, **labels)
    for covered in report.coverage:
        labels = {"by": covered.by, "value": covered.value}
        give("slice_outcomes", "Outcomes with a label.", covered.outcomes, **labels)
        give("slice_answered", "Outcomes that were asked about.", covered.answered, **labels)
    if report.trained:
        for field, (name, text) in ESTIMATES.items():
            give(f"trained_{name}", f"{text} When the model was released.", getattr(report.trained, field).value)
    for one in report.distances:
        labels = {"column": one.column, "kind": one.kind}
        give("distance", "Of a column's distribution from an earlier one.", one.distance, **labels)
        give("distance_limit", "What the schema allows.", one.limit, **labels)
    return generate_latest(registry).decode()


def _seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).timestamp()


def _end(day: str) -> float:
    """Seconds since 1970 at the end of a day, in UTC."""
    start = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC)
    return (start + datetime.timedelta(days=1)).timestamp()


def of_json(kind: Any, value: Any) -> Any:
    """A dataclass, or a value of a type that one of its fields has, from what `records.as_json` gave.

    Raises:
        ValueError: it is none, as are KeyError, TypeError and AttributeError.
    """
    if dataclasses.is_dataclass(kind):
        kinds = typing.get_type_hints(kind)
        if unknown := set(value) - set(kinds):
            raise ValueError(f"it has {', '.join(sorted(unknown))}")
        return kind(**{name: of_json(kinds[name], one) for name, one in value.items()})  # type: ignore[operator]
    if isinstance(kind, types.UnionType):
        (kind,) = (one for one in typing.get_args(kind) if one is not types.NoneType)
        return None if value is None else of_json(kind, value)
    if typing.get_origin(kind) is tuple:
        return tuple(of_json(typing.get_args(kind)[0], one) for one in value)
    if typing.get_origin(kind) is dict:
        return {name: of_json(typing.get_args(kind)[1], one) for name, one in value.items()}
    if kind is float:
        return math.nan if value is None else float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
