"""Stands at the end of the delivered `steps.py` when a DAG is run in a trial: a stand-in for each step, and for the person who is called."""

import json as _json
import pathlib as _pathlib

_FOLDER = _pathlib.Path(__file__).parent
MONTHS = str(_FOLDER / "months")


def command(step: str, month: "int | str", run: str) -> "list[str]":
    """The program that stands in for a step."""
    return ["/bin/sh", str(_FOLDER / "step.sh"), str(step), str(month), str(run)]


def alert(text: str) -> None:
    """Says that a person would have been called."""
    with (_FOLDER.parent / "asked").open("w") as file:
        file.write(_json.dumps({"kind": "alerts", "text": str(text)[:500]}) + "\n")
