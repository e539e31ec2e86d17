"""Rows of a log and their outcomes in a folder: what `ServedExampleGen` leaves for the components after it.

A log is JSON, in which one client writes `7` and another `"7"`; so its values are kept as JSON, and everything else as Parquet has it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import orjson
import pandas as pd

from operation.served_log import Lines, ServedLog

ROWS, OUTCOMES, ACCOUNT = "rows.parquet", "outcomes.parquet", "lines.json"


def save(log: ServedLog, outcomes: pd.DataFrame | None, folder: str | Path) -> None:
    """Writes the log and the outcomes of the days that are watched, if any have come, into a folder, which is made where it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = log.rows.copy()
    for name in rows.select_dtypes(object):
        rows[name] = [orjson.dumps(one).decode() for one in rows[name]]
    rows.to_parquet(folder / ROWS, index=False)
    if outcomes is not None:
        outcomes.to_parquet(folder / OUTCOMES, index=False)
    account = {"lines": dataclasses.asdict(log.lines), "faults": log.faults}
    (folder / ACCOUNT).write_text(json.dumps(account, indent=1) + "\n", encoding="utf-8")


def load(folder: str | Path) -> tuple[ServedLog, pd.DataFrame | None]:
    """What `save` wrote."""
    folder = Path(folder)
    rows = pd.read_parquet(folder / ROWS)
    for name in rows.select_dtypes(object):
        rows[name] = pd.Series([orjson.loads(one) for one in rows[name]], rows.index, dtype=object)
    account = json.loads((folder / ACCOUNT).read_bytes())
    outcomes = pd.read_parquet(folder / OUTCOMES) if (folder / OUTCOMES).exists() else None
    return ServedLog(rows, Lines(**account["lines"]), tuple(account["faults"])), outcomes
