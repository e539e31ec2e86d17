"""The bench of a month in operation: which steps of which months of a year become lines of the table."""

from __future__ import annotations

import json
from pathlib import Path

from tools.bench import __main__ as page
from tools.bench import operation
from tools.year.state import STEPS


def test_each_step_of_a_month_is_a_line_with_seconds_and_memory(monkeypatch):
    asked = []

    def run(command):
        asked.append(command)
        folder = Path(command[command.index("--folder") + 1])
        assert json.loads(Path(command[command.index("--policy") + 1]).read_text()) == operation.POLICY
        folder.mkdir()
        took = {
            month: {step: {"seconds": month + 0.5, "cpu_seconds": 2.0, "gb": 1.25} for step in STEPS}
            for month in (3, 4, 5)
        }
        (folder / "state.json").write_text(json.dumps({"took": took}))
        return "", 1.0, 1.0, 1.0

    monkeypatch.setattr(operation, "run", run)
    rows = operation.operation()
    assert len(asked) == 1
    assert [row.seconds for row in rows] == [4.5, 4.5, 3.5, 4.5, 5.5]
    assert (
        page.line(rows[1])
        == "| a month in operation: `flights watch`: April, with its labels | 4.5 | 2.0 | 1.25 GB |  |  |"
    )
