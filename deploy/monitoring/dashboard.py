"""Writes `dashboard.json`, which Grafana imports, from what is here: `.venv/bin/python deploy/monitoring/dashboard.py`.

It is built with Grafana's own types (`grafana-foundation-sdk`), so that no field can be one that Grafana does not have.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

FILE = Path(__file__).with_name("dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
MODEL = 'model="$model"'
RATE = "$__rate_interval"
"""Grafana's own: at least four times the interval at which Prometheus reads."""


class Panel(NamedTuple):
    """A chart.

    Attributes:
        title: of it.
        says: what to see in it.
        unit: Grafana's id of one.
        lines: each as its expression, and its legend.
    """

    title: str
    says: str
    unit: str
    lines: tuple[tuple[str, str], ...]


def estimate(metric: str) -> tuple[tuple[str, str], ...]:
    """Of all rows: what was measured, and both ends of its interval."""
    whole = f'{{{MODEL},by=""}}'
    return (
        (f"operation_{metric}{whole}", "measured"),
        (f"operation_{metric}_low{whole}", "low"),
        (f"operation_{metric}_high{whole}", "high"),
    )


ROWS: dict[str, tuple[Panel, ...]] = {
    "At once: the server": (
        Panel(
            "Alerts that fire",
            "All of them, pages and tickets.",
            units.Short,
            (
                (
                    'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
                    "{{severity}}: {{alertname}}",
                ),
            ),
        ),
        Panel(
            "Servers that answer",
            "1 for each that does.",
            units.Short,
            (('up{job="serving"}', "{{instance}}"),),
        ),
        Panel(
            "Requests",
            "Refused ones are the clients' fault, failed ones the server's.",
            units.RequestsPerSecond,
            ((f"sum by (outcome) (rate(serving_requests_total[{RATE}]))", "{{outcome}}"),),
        ),
        Panel(
            "Time to an answer",
            "The half, and the slowest in a hundred.",
            units.Seconds,
            tuple(
                (
                    f"histogram_quantile({share}, sum by (le) (rate(serving_request_seconds_bucket[{RATE}])))",
                    legend,
                )
                for share, legend in ((0.5, "half"), (0.99, "99 in 100"))
            ),
        ),
        Panel(
            "Mean prediction, by version",
            "A version that says something else than the one beside it, or than yesterday.",
            units.PercentUnit,
            (
                (
                    f"sum by (version, role) (rate(serving_prediction_sum[{RATE}])) / sum by (version, role) (rate(serving_prediction_count[{RATE}]))",
                    "{{role}}, version {{version}}",
                ),
            ),
        ),
        Panel(
            "Share of the answers, by version",
            "How a canary's share grows, or is taken back.",
            units.PercentUnit,
            (
                (
                    f'sum by (version) (rate(serving_requests_total{{outcome="answered"}}[{RATE}])) / ignoring (version) group_left () sum(rate(serving_requests_total{{outcome="answered"}}[{RATE}]))',
                    "version {{version}}",
                ),
            ),
        ),
    ),
    "After a day: what was asked": (
        Panel(
            "Age of the report",
            "All below is as old as this.",
            units.Seconds,
            ((f"time() - operation_report_made_timestamp_seconds{{{MODEL}}}", "report"),),
        ),
        Panel(
            "Columns, against what the schema allows",
            "Beyond 1: drift from the month before, or skew from what was trained on. A season moves many a little.",
            units.Short,
            (
                (
                    f"operation_distance{{{MODEL}}} / operation_distance_limit{{{MODEL}}}",
                    "{{kind}}: {{column}}",
                ),
            ),
        ),
        Panel(
            "Lines of the log that are lost",
            "Rows without a key never find their label.",
            units.PercentUnit,
            (
                (
                    f'operation_log_lines{{{MODEL},state=~"unreadable|no_number|without_key"}} / on (model) group_left () operation_log_lines{{{MODEL},state="total"}}',
                    "{{state}}",
                ),
            ),
        ),
        Panel(
            "What of each part is asked about",
            "A part that falls to 0 has vanished: its client has changed.",
            units.PercentUnit,
            (
                (
                    f"operation_slice_answered{{{MODEL}}} / operation_slice_outcomes{{{MODEL}}}",
                    "{{by}}: {{value}}",
                ),
            ),
        ),
    ),
    "When labels have come: what it was worth": (
        Panel(
            "Said, and happened",
            "Two lines that should be one. Where they part, the other charts may still look well.",
            units.PercentUnit,
            (
                (f"operation_said{{{MODEL}}}", "said"),
                (f'operation_happened{{{MODEL},by=""}}', "happened"),
            ),
        ),
        Panel(
            "Calibration gap",
            "Said less happened. Beyond 0.04, with an interval that leaves out 0, it is an alert.",
            units.PercentUnit,
            estimate("calibration_gap"),
        ),
        Panel(
            "AUC",
            "Whether it ranks as it did. It can be healthy while the probabilities are useless.",
            units.Short,
            (
                *estimate("auc"),
                (f"operation_trained_auc{{{MODEL}}}", "at its release"),
                (f"operation_expected_auc{{{MODEL}}}", "promised, before labels"),
            ),
        ),
        Panel(
            "Cost of errors, for a row",
            "What it is all about.",
            units.Short,
            (
                *estimate("cost"),
                (f"operation_trained_cost{{{MODEL}}}", "at its release"),
                (f"operation_expected_cost{{{MODEL}}}", "promised, before labels"),
            ),
        ),
        Panel(
            "Calibration gap, by part",
            "Something that has changed for one part alone.",
            units.PercentUnit,
            (
                (
                    f'operation_calibration_gap{{{MODEL},by!="",by!="version"}}',
                    "{{by}}: {{value}}",
                ),
            ),
        ),
        Panel(
            "Age of the newest label",
            "Until labels come, quality is unknown, not good.",
            units.Seconds,
            ((f"time() - operation_labels_until_timestamp_seconds{{{MODEL}}}", "labels"),),
        ),
    ),
    "Retraining": (
        Panel(
            "Retrainings, by how they ended",
            "Since the history began.",
            units.Short,
            ((f"operation_retrainings_total{{{MODEL}}}", "{{state}}"),),
        ),
        Panel(
            "Time since the last decision",
            "And how long a retraining has been under way.",
            units.Seconds,
            (
                (f"time() - operation_decision_timestamp_seconds{{{MODEL}}}", "decision"),
                (f"time() - operation_retraining_begun_timestamp_seconds{{{MODEL}}}", "under way"),
            ),
        ),
    ),
}


def build() -> grafana.Dashboard:
    """The dashboard, two charts beside each other."""
    board = (
        grafana.Dashboard("A model in service")
        .uid("model-in-service")
        .description("From what is known at once to what is known when labels have come.")
        .tags(["mlops"])
        .time("now-24h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(grafana.DatasourceVariable("datasource").type("prometheus").label("Prometheus"))
        .with_variable(
            grafana.QueryVariable("model")
            .label("Model")
            .datasource(SOURCE)
            .query("label_values(operation_report_made_timestamp_seconds, model)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    number = 0
    for title, panels in ROWS.items():
        number += 1
        board.with_row(grafana.Row(title).id(number))
        for panel in panels:
            number += 1
            board.with_panel(_chart(panel).id(number))
    return board


def _chart(panel: Panel) -> timeseries.Panel:
    chart = timeseries.Panel().title(panel.title).description(panel.says).unit(panel.unit).datasource(SOURCE)
    for number, (expression, legend) in enumerate(panel.lines):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
        chart.with_target(query.datasource(SOURCE))
    return chart.line_width(2).span(12).height(8)


def written() -> str:
    """What the file holds."""
    return JSONEncoder(sort_keys=True, indent=2).encode(build().build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
