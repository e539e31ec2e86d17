"""A class of twenty for lab 1: ten honest submissions, ten that would break, cheat or escape, and the marks that each has to get."""

from __future__ import annotations

import csv
from pathlib import Path

import nbformat

from tools.labs import source

LAB = "lab-1-data"
LOOK, DRIFT = "drift-look", "drift"
"""The cells of the last task, 3 of the 20 points: what happens there leaves the other 17 as they are."""

LAST = {LOOK: "", DRIFT: "THRESHOLDS = ..."}
CONFINED = "import os\nassert os.path.isdir('/scratch/home'), 'not confined'\n"
"""What would do harm first makes sure that it is in the grader's room."""

REDEFINE = (
    "import course.checks.evaluation as evaluation\n"
    "checks.check = checks.evaluate = evaluation.evaluate = lambda *a, **k: 20\nQUESTION = ..."
)
DELETE = (
    "import pathlib, shutil\n"
    "for folder in [pathlib.Path.home(), pathlib.Path(checks.__file__).parents[3], pathlib.Path('/var/tmp')]:\n"
    "    shutil.rmtree(folder, ignore_errors=True)\n"
)


def honest() -> dict[str, tuple[float, dict[str, str]]]:
    """By name: points, and what is added to (`+`) or stands in place of the solution's cells."""
    return {
        "ada": (20, {}),
        "ben": (20, {}),
        "cleo": (20, {}),
        "dan": (20, {}),
        "eve-no-drift": (17, LAST),
        "fay-all-quiet": (17, {DRIFT: "+THRESHOLDS = {name: 1.0 for name in watched}"}),
        "gus-undecided": (19, {"decisions": "+DECISIONS = ..."}),
        "hal-error": (18, {"ingest": "EXAMPLES = 1 / 0"}),
        "ida-no-duplicates": (19.5, {"faults": '+FAULTS["duplicates"] = {"rows": 0}'}),
        "jon-nothing": (0, {name: "" for name in ("label", "contract-ranges", "contract-rest", "revision")} | _blank()),
    }


def hostile() -> dict[str, tuple[float, dict[str, str] | bytes]]:
    """As `honest`; bytes are what the file holds."""
    nothing = {name: "" for name in ("label", "contract-ranges", "contract-rest", "revision")} | _blank()
    return {
        "loops": (17, LAST | {LOOK: "while True: pass"}),
        "eats-memory": (17, LAST | {LOOK: CONFINED + "eaten = []\nwhile True: eaten.append(bytearray(10**8))"}),
        "forks": (17, LAST | {LOOK: CONFINED + "while True: os.fork()"}),
        "exits": (17, LAST | {LOOK: "import os; os._exit(0)"}),
        "deletes": (20, {DRIFT: "+" + CONFINED + DELETE}),
        "prints": (17, LAST | {LOOK: "while True: print('x' * 10**6)"}),
        "redefines": (0, nothing | {"question": REDEFINE}),
        "forges": (0, nothing),
        "removes-checks": (20, {}),
        "no-notebook": (0, b"\x89PNG\r\n\x1a\n"),
    }


def _blank() -> dict[str, str]:
    return {
        "question": "QUESTION = ...",
        "variables": "VARIABLES = ...",
        "ingest": "EXAMPLES = ...",
        "faults": "FAULTS = ...",
        "decisions": "DECISIONS = ...",
        **{name: "" for name in ("may-look", "may-contract", "may-unit", "notes")},
        **LAST,
    }


def write(folder: Path) -> dict[str, float]:
    """Writes the twenty submissions; the points that each has to get."""
    for name, (_, change) in (honest() | hostile()).items():
        path = folder / f"{name}.ipynb"
        if isinstance(change, bytes):
            path.write_bytes(change)
        else:
            path.write_text(nbformat.writes(_submission(name, change)), encoding="utf-8")
    return {name: points for name, (points, _) in (honest() | hostile()).items()}


def _submission(name: str, change: dict[str, str]) -> nbformat.NotebookNode:
    node = nbformat.read(source.notebook(LAB), as_version=4)
    for cell in node.cells:
        own = cell.metadata.get("nbgrader", {}).get("grade_id")
        if own in change:
            added = change[own]
            cell.source = f"{cell.source}\n{added[1:]}" if added.startswith("+") else added
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = cell.source.replace('"student-1"', f'"{name}"')
        if name == "forges" and cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source, cell.metadata.nbgrader.points = "20", 20
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "20"}, execution_count=1)]
    if name == "removes-checks":
        node.cells = [cell for cell in node.cells if not cell.metadata.get("nbgrader", {}).get("grade")]
    return node


def wrong_marks(expected: dict[str, float], out: Path, lab: str = LAB) -> list[str]:
    """Sentences on the submissions whose marks, in the table that grading wrote to `out`, are not those that they have to get."""
    with open(out / lab / "grades.csv", newline="", encoding="utf-8") as file:
        found = {row["submission"]: row for row in csv.DictReader(file)}
    return [
        f"{name}: {found[name]['points'] if name in found else 'no line in the table'} instead of {points:g}"
        for name, points in expected.items()
        if name not in found or float(found[name]["points"]) != points
    ]
