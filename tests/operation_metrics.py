"""The metrics that there are: of a report on parcels, and all that a server, a watch and a history give."""

from __future__ import annotations

import datetime
from pathlib import Path

from parcels_project import PARCELS, month, write
from prometheus_client.parser import text_string_to_metric_families

from operation import history, labels, quality, report, served_log
from operation.policy import Decision
from operation.report import Distance


def watched(folder: Path, said: float, rate: float = 0.3) -> report.Report:
    """A report on January, made in February."""
    first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 28)
    lines, outcomes = month("2026-01-01", 400, rate, said)
    log = served_log.read(write(folder / "log", lines.to_dict("records")), PARCELS)
    joined = labels.join(log.rows, outcomes, PARCELS)
    made = datetime.datetime(2026, 2, 27, tzinfo=datetime.UTC)
    known = {"trained": quality.of(joined, PARCELS), "distances": [Distance("grams", "drift", 1, 1)]}
    return report.make(log, joined, PARCELS, first, last, made, **known)


def given(folder: Path) -> dict[str, set[str]]:
    """By name, the labels of what the server, a watch and a history give, with what Prometheus adds when it reads them."""
    from serving import metrics as serving

    kept = history.History(folder)
    with kept.alone("a test"):
        kept.decide(Decision(True, "Because.", "Never()"), "2026-01")
    text = report.to_prometheus(watched(folder, 0.3)) + history.to_prometheus(kept.records(), "parcels")
    serving.REQUESTS.labels("3", "answered")
    serving.SECONDS.labels("3").observe(0.1)
    serving.PREDICTIONS.add(3, "champion", [0.5])

    class Versions:
        served = type("Served", (), {"traffic": type("Traffic", (), {"versions": {3: "champion"}}), "fault": ""})
        refused = (4,)

    now = serving.Now.__new__(serving.Now)
    now._versions, now._log = Versions, None
    families = [
        *text_string_to_metric_families(text),
        *(
            family
            for one in (serving.REQUESTS, serving.SECONDS, serving.SHADOW_DROPPED, serving.NO_NUMBER)
            for family in one.collect()
        ),
        *serving.PREDICTIONS.collect(),
        *now.collect(),
    ]
    found = {"up": set()} | {sample.name: {*sample.labels} for family in families for sample in family.samples}
    return {name: {*names, "job", "instance"} for name, names in found.items()}
