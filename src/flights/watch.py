"""What of watching a served model is of flights: when a flight is, what errors cost, and by what its quality is divided; and `flights watch`."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.common import Report as Progress

from .columns import DATE, DERIVED, KEY, LABEL, SPAN, WATCHED
from .config import Config
from .plan import AGREED, Costs, Plan
from .schedule import MONTHS

if TYPE_CHECKING:
    import pandas as pd

    from operation.config import WatchConfig
    from operation.report import Report

FOLDER = "monitoring"
"""In the output folder: the newest report, and all that watches have made."""

LOG = "requests.jsonl"
"""In the output folder: the log of requests, where no other is named."""

RULES = "deploy/monitoring/rules/operation.yml"
"""By which a report sets off alerts."""


class Flights:
    """A project, to be watched (`operation.project.Project`)."""

    name = __package__
    key = KEY
    label = LABEL

    @functools.cached_property
    def costs(self) -> Costs:
        """Those of the plan."""
        costs = Plan.load(AGREED).costs
        if costs is None:
            raise ValueError(f"{AGREED}: it names no costs, by which the errors of a served model are judged.")
        return costs

    @functools.cached_property
    def slices(self) -> Mapping[str, Callable[[pd.DataFrame], pd.Series]]:
        """Of each of `columns.WATCHED`, how its values are found."""
        return {name: functools.partial(_values, name=name) for name in WATCHED}

    def day(self, rows: pd.DataFrame) -> pd.Series:
        """The day of each flight; NaT where there is no such day."""
        import pandas as pd

        numbers = rows[list(DATE)].apply(pd.to_numeric, errors="coerce")
        can_be = numbers.where((numbers <= [9999, 12, 31]).all(axis=1))  # to pandas, January 128 is February 28
        return pd.to_datetime(can_be.set_axis(["years", "months", "days"], axis=1), errors="coerce")

    def outcomes(self, file: Path) -> pd.DataFrame:
        """The flights of a month's file, which has features and label.

        Raises:
            data.DataError: it cannot be read.
        """
        from . import data

        return data.read_table(file).to_pandas()


PROJECT = Flights()


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """`flights watch` and its options."""
    command = commands.add_parser(
        "watch",
        help="what a month's log of requests shows: skew, drift, and what was said against what happened",
        description="Reads the log that `flights serve --log` writes, and the month's labels where they have come; writes a report.",
    )
    command.add_argument("watched", type=int, metavar="MONTH", help=f"{MONTHS.first} to {MONTHS.last}")
    command.add_argument(
        "--log",
        type=_absolute,
        action="append",
        metavar="FILE",
        help=f"log of requests; several times for several servers (default: {LOG} in the output folder)",
    )
    command.add_argument(
        "--labels",
        type=_absolute,
        metavar="FOLDER",
        help="folder of the months whose labels have come (default: the data)",
    )
    command.add_argument("--metrics", type=_absolute, metavar="FILE", help="what /metrics of the server says now")
    command.add_argument(
        "--metrics-before", type=_absolute, metavar="FILE", help=f"and what it said when the {SPAN} began"
    )
    command.add_argument(
        "--rules", type=_absolute, metavar="FILE", help=f"rules for alerts (default: {RULES}, where it is)"
    )
    command.add_argument("--no-cache", dest="enable_cache", action="store_false", help="make the report anew")
    command.add_argument(
        "--data-root", metavar="FOLDER", help="folder with span-01/ to span-12/ (default: data/flights)"
    )
    return [command]


def run(config: Config, watched: int, rules: Path | None = None, **given: Any) -> int:
    """Watches a month, and prints what was found, a line each: first what the report says, then the alerts that it sets off.

    Args:
        config: whose model it is.
        watched: its number.
        rules: file of the rules for alerts.
        given: log, labels and metrics, as `watch` takes them.
    """
    from engines.quiet import import_quietly

    own = settings(config, watched, **given)
    own.require_inputs()
    import_quietly()  # this takes ten seconds
    from operation import page, pipeline
    from operation.config import PAGE

    print(f"{own.first} to {own.last}, by {', '.join(own.log)}:", flush=True)
    begun = time.monotonic()
    found = pipeline.run(
        own, _schema(config), lambda node: print(f"  {node.node:20} {node.state:7} {node.seconds:5.1f} s", flush=True)
    )
    for kind, files in pipeline.made_of(own).items():
        for path, checksum in files.items():
            print(f"  {kind:20} {path} ({checksum[:12]})")
    print(*(f"- {one}" for one in page.sentences(found)), sep="\n")
    print(*alerts(found, rules), sep="\n")
    print(f"{Path(own.output_root) / PAGE} shows it ({time.monotonic() - begun:.0f} s).")
    return 0


def watch(
    config: Config,
    month: int,
    log: Sequence[str | Path] = (),
    labels: str | Path | None = None,
    metrics: str | Path | None = None,
    metrics_before: str | Path | None = None,
    progress: Progress = lambda _: None,
    now: Callable[[], datetime.datetime] | None = None,
) -> Report:
    """Makes the report of a month; its files are in `monitoring` of the output folder.

    Args:
        config: of the pipeline that trained: its folders, its store, its schema.
        month: that is watched.
        log: of requests, of one server or several; none: `LOG` in the output folder.
        labels: folder of the months whose labels have come, `span-MM/flights.csv`; None: the data.
        metrics: file with what `/metrics` of the server says after the month; None: refused requests are not counted.
        metrics_before: file with what it said before; None: the server began with the month.
        progress: called after each component.
        now: a clock, which gives a time with its zone; None: this machine's.

    Raises:
        ValueError: there is no such month, or a file of metrics is none.
        FileNotFoundError: there is no log.
        engines.errors.BadData: the log has no line about that month, or a file of labels cannot be read.
    """
    own = settings(config, month, log, labels, metrics, metrics_before)
    own.require_inputs()
    from operation import pipeline

    return pipeline.run(own, _schema(config), progress, now)


def settings(
    config: Config,
    month: int,
    log: Sequence[str | Path] = (),
    labels: str | Path | None = None,
    metrics: str | Path | None = None,
    metrics_before: str | Path | None = None,
) -> WatchConfig:
    """The configuration of the watch of a month; the arguments are those of `watch`."""
    from operation.config import WatchConfig

    if not MONTHS.first <= month <= MONTHS.last:
        raise ValueError(f"{SPAN} {month}: there are {MONTHS.first} to {MONTHS.last}.")
    first = MONTHS.date_of(month)
    root, logs = Path(config.output_root).absolute(), list(log) or [Path(config.output_root) / LOG]
    return WatchConfig(
        project=f"{__name__}:PROJECT",
        output_root=str(root / FOLDER),
        log=tuple(str(Path(one).absolute()) for one in logs),
        first=first.isoformat(),
        last=(MONTHS.date_of(month + 1) - datetime.timedelta(days=1)).isoformat(),
        before=MONTHS.date_of(month - 1).isoformat(),
        labels=_labels(config, labels, month),
        labels_before=_labels(config, labels, month - 1),
        pipeline=config.pipeline_name,
        store=str(Path(config.metadata_path).absolute()),
        requests=_requests(metrics, metrics_before),
        pipeline_name=f"{config.pipeline_name}-watch",
        enable_cache=config.enable_cache,
    )


def alerts(report: Report, rules: Path | None = None, at: datetime.datetime | None = None) -> list[str]:
    """The alerts that a report sets off, a line each, the severity first.

    Args:
        report: of a watch.
        rules: file of the rules; None: those of the repository.
        at: the time at which they are looked at; None: the end of the last day of the report, since by a clock of today all labels of a year
            that is long over are late.

    Raises:
        operation.alert_rules.RuleError: there is no such file, or it cannot be followed.
    """
    from operation import alert_rules
    from operation.report import to_prometheus

    file = rules or next(
        (one / RULES for one in (Path.cwd(), *Path(__file__).parents) if (one / RULES).is_file()), None
    )
    if file is None:
        return [f"No alert is looked for: there is no {RULES} here. Name the rules with --rules."]
    moment = at or datetime.datetime.fromisoformat(report.last).replace(tzinfo=datetime.UTC) + datetime.timedelta(
        days=1
    )
    made = dataclasses.replace(report, made=moment.isoformat(timespec="seconds")) if at is None else report
    fired = alert_rules.now(alert_rules.read_rules(file), to_prometheus(made), moment.timestamp())
    return [f"{rule.labels.get('severity', 'alert')} {rule.name}: {told['summary']}" for rule, _, told in fired] or [
        "No alert."
    ]


def _absolute(text: str) -> Path:
    """A path as it is meant now, before the command goes to work in another folder."""
    return Path(text).absolute()


def _labels(config: Config, folder: str | Path | None, month: int) -> tuple[str, ...]:
    """The file that has a month's labels, or will; none of a month that is not in the calendar."""
    if not MONTHS.first <= month <= MONTHS.last:
        return ()
    return (str(Path(folder or config.data_root).absolute() / MONTHS.files.format(span=month)),)


def _requests(metrics: str | Path | None, before: str | Path | None) -> str:
    """What the server counted, as JSON; empty where it was not asked."""
    from operation import report

    if metrics is None:
        if before is not None:
            raise ValueError("--metrics-before without --metrics: give what the server says now as well.")
        return ""
    texts = [_text(one) if one else "" for one in (metrics, before)]
    try:
        return json.dumps(report.requests_of(*texts), sort_keys=True)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{metrics}, {before}: not what /metrics of a model server gives ({error}).") from None


def _text(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: cannot be read ({error}). Save there what /metrics of the server gives.") from None


def _schema(config: Config) -> Callable[[], Any]:
    def make() -> Any:
        from .contract import CuratedSchema

        return CuratedSchema(config.schema_file).with_id("ImportSchemaGen")

    return make


def _values(flights: pd.DataFrame, name: str) -> pd.Series:
    import pandas as pd

    if name not in DERIVED:
        return flights[name]
    source, derive = DERIVED[name]
    made = pd.Series(derive(flights[source].to_numpy()), flights.index)
    return made.map(lambda one: one.decode() if isinstance(one, bytes) else one)


HANDLERS = {"watch": run}
"""By which `flights` finds the command."""
