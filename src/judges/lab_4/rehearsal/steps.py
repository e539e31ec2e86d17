"""Stands in for the delivered `steps.py` in a rehearsal: the same names, but a stand-in for each step, and what happens is written down."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent
"""The folder of the rehearsal, into which this file was copied: months, and what was written down."""

STEPS = json.loads((FOLDER / "steps.json").read_text())
MONTHS = str(FOLDER / "months")
BAD_DATA = 65


def command(step: str, month: int | str, run: str) -> list[str]:
    """The program that stands in for a step."""
    return ["/bin/sh", str(FOLDER / "step.sh"), str(step), str(month), str(run)]


def month_file(month: int | str) -> str:
    """Where a month's file is, once it is there."""
    return f"{MONTHS}/span-{int(month):02d}/flights.csv"


def alert(text: str) -> None:
    """Writes down that a person would have been called, and from where."""
    callback = (FOLDER / "callback").read_text()
    with (FOLDER / "alerts.jsonl").open("a") as file:
        file.write(json.dumps({"callback": callback, "text": str(text)[:500]}) + "\n")
