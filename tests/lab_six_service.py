"""A model in service, retrained, released and taken back, for tests of tasks 5 and 6 of lab 6: files as the course's own commands leave them, without their runs.

The metadata store is `lineage_store`'s. That the real files are of this form is shown by the lab's solution, which is executed and checked with all other notebooks.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import lineage_store
import numpy as np

from course import checks
from course.labs.lab_6.first_version import PIPELINE
from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import check_policy, operated, service_data
from operation import quality, report
from operation.labels import Matches
from operation.policy import CalibrationGap, Guards, Situation, words
from operation.served_log import Lines

STORE, HISTORY, RELEASES, REGISTRY, TRAFFIC, REPORT = (
    f"{PIPELINE}/{name}"
    for name in (
        operated.STORE,
        operated.HISTORY,
        operated.RELEASES,
        operated.REGISTRY,
        operated.TRAFFIC,
        check_policy.REPORT,
    )
)
FIRST, SECOND = "1700000001", "1700000002"
POLICY = {"policy": {"CalibrationGap": {"limit": 0.04}}, "guards": {"cool_down": 60, "budget": 4}}


def answers(lab: checks.Lab) -> dict[str, np.ndarray]:
    """What the two versions answer: the first too little, the second what happens."""
    rng = np.random.default_rng(7)
    months = (service_data.WATCHED, service_data.COMING)
    late = np.array([row[LABEL] for month in months for row in service_data.flights(lab.seed, month)])
    return {FIRST: rng.uniform(0.1, 0.2, late.size), SECOND: 0.2 + 0.2 * late + rng.uniform(0, 0.1, late.size)}


def write(lab: checks.Lab) -> None:
    """Writes it all into the workspace."""
    folder = lab.workspace / PIPELINE
    _store(folder)
    (lab.workspace / "policy.json").write_text(json.dumps(POLICY))
    july = service_data.flights(lab.seed, service_data.WATCHED)
    late = np.array([row[LABEL] for row in july])
    found = quality.measure(answers(lab)[FIRST][: len(july)], late, PROJECT.costs)
    made = report.Report(
        "flights",
        "2013-07-01",
        "2013-07-31",
        "2013-08-03T06:00:00+00:00",
        "2013-07-31",
        Lines(),
        Matches(),
        found.said,
        quality.expected(answers(lab)[FIRST], PROJECT.costs),
        found,
        found,
        versions=(quality.Part("version", FIRST, found),),
    )
    (lab.workspace / REPORT).parent.mkdir()
    made.save(lab.workspace / REPORT)
    situation = Situation(date(2013, 8, 1), "2013-07", quality=found)
    decision = dataclasses.asdict(CalibrationGap(0.04).decide(situation))
    record = {"number": 1, "period": "2013-07", "state": "done", "version": SECOND, "note": "", "mark": 4}
    record["policy"] = words(CalibrationGap(0.04), Guards(**POLICY["guards"]))
    lines(lab, HISTORY, [record | {"decision": decision}])
    found = dict.fromkeys(["smoke", "shadow", "canary 20%", "canary 50%", "production"], "It answered.")
    release = {"number": 1, "version": int(SECOND), "champion": int(FIRST), "state": "released", "found": found}
    lines(lab, RELEASES, [release])
    steps(lab, [("promote", "Release 1: production"), ("rollback", "Too many warnings.")])
    (lab.workspace / TRAFFIC).write_text(json.dumps({"champion": int(FIRST), "challenger": None}))
    log(lab)


def _store(folder: Path) -> None:
    store = lineage_store.Store(folder)
    store.begin()
    examples = store.ingest("flights", (2, 3))
    first = store.execute("flights", "FirstModel", {}, {"result": ("Model", {})})["result"]
    blessing = store.judge("flights", examples, first, None)
    store.push("flights", first, {"model_blessing": blessing}, int(FIRST))
    store.begin()
    examples = store.ingest("flights", (4, 7))
    schema = store.execute("flights", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    _, second = store.train("flights", examples, schema)
    blessing = store.judge("flights", examples, second, first)
    store.push("flights", second, {"model_blessing": blessing}, int(SECOND))
    (folder / "serving").mkdir()


def lines(lab: checks.Lab, path: str, rows: list[dict[str, Any]]) -> None:
    """Writes lines of JSON."""
    file = lab.workspace / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def steps(lab: checks.Lab, taken: list[tuple[str, str]]) -> None:
    """Writes the registry's steps as MLflow keeps them: tags of the registered model."""
    path = lab.workspace / REGISTRY
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE registered_model_tags (key VARCHAR, value VARCHAR, name VARCHAR)")
        for number, (command, why) in enumerate(taken, 1):
            told = {"number": number, "command": command, "version": int(SECOND), "why": why, "state": "done"}
            row = (f"step/{number:06d}", json.dumps(told), "flights")
            connection.execute("INSERT INTO registered_model_tags VALUES (?, ?, ?)", row)


def log(lab: checks.Lab, every: int = 4, after: int = 40, july: float = 1.0, shadows: int = 30) -> None:
    """Writes the log of a server: July, a shadow, a challenger of each `every`th request, and `after` requests after the roll-back."""
    said, rows = answers(lab), []
    flown = service_data.requests(lab.seed, service_data.WATCHED)
    coming = service_data.requests(lab.seed, service_data.COMING)

    def add(number: str, place: int, version: str, role: str) -> None:
        row = [*flown, *coming][place]
        key = {name: row[name] for name in KEY}
        told = {"time": "2026-01-01T00:00:00+00:00", "id": number, "version": int(version), "role": role}
        rows.append(told | key | {"prediction": round(float(said[version][place]), 6)})

    for place in range(int(july * len(flown))):
        add(f"july-{place // 100}", place, FIRST, "champion")
    for number in range(shadows):
        for version, role in ((FIRST, "champion"), (SECOND, "shadow")):
            add(f"shadow-{number}", len(flown) + number, version, role)
    for number in range(100):
        mine = number % every == 0
        add(f"try-{number}", len(flown) + number, SECOND if mine else FIRST, "challenger" if mine else "champion")
    add("released", len(flown), SECOND, "champion")
    for number in range(after):
        add(f"after-{number}", len(flown) + number, FIRST, "champion")
    lines(lab, operated.LOG, rows)
