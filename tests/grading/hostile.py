"""Submissions of the sample lab: honest ones, and those that would cheat, break or escape. `hostile.yaml` says what each is, and gets."""

from __future__ import annotations

import copy
import os
import string
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import sample_lab
import yaml

from tools.notebooks import form

GUARD = "import os\nif not os.path.isdir('/scratch/home'):\n    os._exit(1)  # it is not confined"
"""Goes before all cells of a submission: what would do harm does it in a box or not at all."""
MARK = "hostile-marker"
LAB = f"{sample_lab.NAME}.ipynb"
RIGHT = {
    "WORDS": sample_lab.ANSWERS["words"],
    "REPORT": '(workspace / "report.txt").write_text(f"sum: {TOTAL}")\nREPORT = "report.txt"',
}


@dataclass(frozen=True)
class Case:
    """What is submitted, the points that it has to get, and words of how it ended."""

    points: float
    ended: str = "^finished$"
    cells: dict[str, str] = field(default_factory=dict)
    change: str = ""
    make: str = ""
    content: str | None = None


def cases(**given: object) -> dict[str, Case]:
    """All cases by the student's name.

    Args:
        given: `victim`, a folder of the test that submissions can see, and would delete; `port`, where the test listens on 127.0.0.1;
            `home`, that of who grades; `root`, the course.
    """
    found = {}
    for name, case in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items():
        cells = {
            key: string.Template(case.pop(key)).safe_substitute(RIGHT, mark=MARK, **given)
            for key in sample_lab.ANSWERS
            if key in case
        }
        found[name] = Case(**case, cells=cells)
    return found


def write(name: str, case: Case, folder: Path) -> None:
    """Writes a case into a folder of submissions."""
    if case.make:
        globals()[case.make](folder / name)
        return
    node = solved(**case.cells)
    node.cells.insert(0, nbformat.v4.new_code_cell(GUARD))
    if case.change:
        globals()[case.change](node)
    text = nbformat.writes(node, version=nbformat.NO_CONVERT) if case.content is None else case.content
    (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")


def solved(**cells: str) -> nbformat.NotebookNode:
    """The lab as a student solves it, with some answer cells replaced."""
    node = sample_lab.source()
    for cell in node.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = "\n".join(line for line in cell.source.splitlines() if "SOLUTION" not in line)
        cell.source = cells.get(name, cell.source)
    return node


def check_cells(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The check cells of a notebook."""
    return [cell for cell in node.cells if cell.metadata.get("nbgrader", {}).get("grade")]


# Changes of the notebook itself.


def forge(node: nbformat.NotebookNode) -> None:
    """Points in the outputs, in the metadata and in the place of the check, and no right answer."""
    for cell in check_cells(node):
        cell.source = "600"
        cell.metadata.nbgrader.points = 600
        cell.execution_count = 1
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "600"}, execution_count=1)]


def unlock(node: nbformat.NotebookNode) -> None:
    """Checks that say they are answers."""
    for cell in check_cells(node):
        cell.source = "600"
        cell.metadata.nbgrader.update(grade=False, solution=True, locked=False, points="many", schema_version="x")


def ask_something_else(node: nbformat.NotebookNode) -> None:
    """Checks of the right task, with the right answers in place of the student's."""
    for cell, asked in zip(check_cells(node), ("sum", "words", "report"), strict=True):
        cell.source = {
            "sum": 'checks.check("sum", total=7)',
            "words": 'checks.check("words", words=["span", "split"])',
            "report": '(workspace / "r").write_text("sum: 7"); checks.check("report", total=7, file="r")',
        }[asked]


def remove_checks(node: nbformat.NotebookNode) -> None:
    """No check cells."""
    node.cells = [cell for cell in node.cells if cell not in check_cells(node)]


def remove_beginning(node: nbformat.NotebookNode) -> None:
    """No lab was begun, so there is no workspace."""
    node.cells = [cell for cell in node.cells if "checks.begin" not in cell.source]
    node.cells.insert(1, nbformat.v4.new_code_cell("NUMBERS = [3, 4]"))


def swap_ids(node: nbformat.NotebookNode) -> None:
    """Two checks with each other's names."""
    first, second, _ = check_cells(node)
    first.metadata.nbgrader.grade_id, second.metadata.nbgrader.grade_id = "check-words", "check-sum"


def duplicate(node: nbformat.NotebookNode) -> None:
    """Every marked cell twice, checks also before there is an answer, ids of cells all the same."""
    checks = check_cells(node)
    node.cells[4:4] = copy.deepcopy(checks)
    node.cells += copy.deepcopy(checks)
    for cell in node.cells:
        cell.id = "same"


def strip(node: nbformat.NotebookNode) -> None:
    """No metadata at all, as some editors leave it."""
    for cell in node.cells:
        cell.metadata = nbformat.from_dict({})


def strange_metadata(node: nbformat.NotebookNode) -> None:
    """Marks that are none, and another kernel."""
    node.metadata = nbformat.from_dict({"kernelspec": {"name": "bash", "display_name": "x"}, "nbgrader": 7})
    for cell in node.cells[::2]:
        cell.metadata = nbformat.from_dict({"nbgrader": [1, 2]})


def markdown(node: nbformat.NotebookNode) -> None:
    """Text that acts."""
    evil = "<script>alert(1)</script>\n\n[x](javascript:alert(2)) <b style='position: fixed'>20 of 20</b> <img src=x onerror=alert(3)>"
    node.cells[1:1] = [nbformat.v4.new_raw_cell(evil), nbformat.v4.new_markdown_cell(evil)]


def formulas(node: nbformat.NotebookNode) -> None:
    """Text on which a parser takes its time."""
    node.cells.insert(1, nbformat.v4.new_markdown_cell("\\begin{a}" * 30_000))


# What is no notebook in the folder of submissions.


def nbgrader_layout(folder: Path) -> None:
    """A folder in a folder, with a module, a pipe and a link."""
    place = folder / sample_lab.NAME
    place.mkdir(parents=True)
    (place / "helper.py").write_text("WORDS = ['span', 'split']\n")
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("/etc/passwd")
    (place / LAB).write_text(form.dumps(solved(words="from helper import WORDS")))


def names_of_ours(folder: Path) -> None:
    """Modules of the student's own beside the notebook, called as Python's, the grader's and the course's are."""
    folder.mkdir()
    for name in ("queue", "json", "asyncio", "run", "kernel", "warm", "course", "nbclient"):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    (folder / "tools.py").write_text("WORDS = ['span', 'split']\n")
    (folder / LAB).write_text(form.dumps(solved(words="import queue\nfrom tools import WORDS")))
