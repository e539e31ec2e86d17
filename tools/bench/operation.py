"""A month in operation, step by step: of a year on all flights, its first three months in service, in which nothing goes wrong."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tools.bench.process import FULL_DATA, Row, run

POLICY = {"policy": {"Calendar": {"months": 2}}}
"""No training after March, one after April, and its release in May."""

STEPS = {
    "all flights of April asked for, in requests of 100": (4, "traffic"),
    "`flights watch`: April, with its labels": (4, "watch"),
    "`flights retrain`, where the policy says no: the gate of March's data": (3, "retrain"),
    "`flights retrain`, where it says yes: the gate of April's data, and the pipeline": (4, "retrain"),
    "`flights release`: smoke test, shadow and canary under May's requests": (5, "release"),
}
"""Each with its month."""


def operation() -> list[Row]:
    """A row for each step."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.json"
        policy.write_text(json.dumps(POLICY))
        year = Path(folder) / "year"
        given = ["--folder", str(year), "--data-root", str(FULL_DATA), "--policy", str(policy)]
        run([sys.executable, "-m", "tools.year", *given, "--last", "5", "--refused", "0", "--spoilt", "0"])
        return rows(json.loads((year / "state.json").read_text())["took"])


def rows(took: dict[str, dict[str, dict[str, float]]]) -> list[Row]:
    """The lines of the table.

    Args:
        took: by month and step, as `tools.year.state.State` keeps it.
    """
    found = {what: took[str(month)][step] for what, (month, step) in STEPS.items()}
    return [
        Row(f"a month in operation: {what}", one["seconds"], one["cpu_seconds"], one["gb"], "")
        for what, one in found.items()
    ]
