"""Runs notebooks: each executed by papermill, and what lessons and solutions show compared with what is stored, by nbval.

`tests/notebooks/test_notebooks.py` makes a test of each; `python -m tools.notebooks run` starts that, two at a time.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import yaml
from nbformat import NotebookNode

from tools.notebooks import execute, exercises, figures, form, nbval_plugin, separate_process
from tools.notebooks.execute import REPORTS, ROOT, shown
from tools.notebooks.style.base import LAB, LESSON, SOLUTION

TIMEOUT = 600
"""Seconds for one notebook; lessons are made to take one or two minutes."""
COMPARED = ("notebooks", "solutions")
"""Folders whose outputs are committed. `labs` are executed only: unsolved, they have none."""
FOLDERS = (*COMPARED, "labs")
SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"
WRONG_ANSWERS = ROOT / "tests" / "notebooks" / "wrong_answers.yaml"
"""By lesson and exercise, answers that its check has to refuse."""
COMPARING = 120
"""Seconds for nbval, which only reads."""
REPORT = REPORTS / "notebooks.md"


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a notebook: seconds, what is wrong (None when nothing is), and a word on what was done."""

    notebook: str
    seconds: float
    problem: str | None
    note: str = ""


def notebooks(folder: str, root: Path = ROOT) -> list[Path]:
    """Returns the notebooks under one of the course's folders, without Jupyter's own copies."""
    return [path for path in sorted((root / folder).rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def all_notebooks() -> list[Path]:
    """Returns every notebook of the course."""
    return [path for folder in FOLDERS for path in notebooks(folder)]


def is_lab(path: Path) -> bool:
    """Returns whether a notebook is one that students solve: it has no committed outputs."""
    return ROOT / "labs" in path.resolve().parents


def kind(path: Path) -> str:
    """Returns what a notebook is, as the rules of style know it; one from elsewhere is taken for a lesson."""
    return LAB if is_lab(path) else SOLUTION if ROOT / "solutions" in path.resolve().parents else LESSON


@functools.cache
def wrong_answers() -> dict[str, dict[str, list[str]]]:
    """Returns, by lesson and exercise, answers that its check has to refuse: the code that a reader might write."""
    return yaml.safe_load(WRONG_ANSWERS.read_text(encoding="utf-8")) or {}


def run(path: Path, timeout: float = TIMEOUT) -> Result:
    """Runs a notebook to its end or its timeout (seconds), and compares what it shows with what is stored."""
    path = path.resolve()
    started = time.monotonic()
    before = path.read_bytes()
    problem, note = _run(path, timeout)
    if path.read_bytes() != before:
        problem = "it was edited while it ran: run it again"
    return Result(shown(path), round(time.monotonic() - started, 1), problem, note)


def _run(path: Path, timeout: float) -> tuple[str | None, str]:
    """Returns what is wrong with a notebook, and a word on what was done."""
    committed = form.read(path)
    if not is_lab(path) and (unsaved := _unsaved(committed)):
        cells = ", ".join(map(str, unsaved))
        return f"saved without having been executed: cell {cells}. python -m tools.notebooks save {shown(path)}", ""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / path.name
        problem = _execute(path, output, timeout)
        if problem:
            return problem, ""
        now = form.read(output)
        if is_lab(path):
            return _score(path, now)
        problem, note = _compare(path, output)
    count = sum(len(figures.pictures(cell)) for cell in now.cells if cell.cell_type == "code")
    problems, notes = [problem, *figures.changes(committed, now)], [note, f"{count} figures"]
    if tried := sum(map(exercises.is_exercise, now.cells)):
        notes.append(f"{tried} exercises")
    if kind(path) == SOLUTION:
        problem, note = _score(path, now)
        problems, notes = [*problems, problem], [*notes, note]
    return "\n".join(filter(None, problems)) or None, ", ".join(notes)


def report(results: Iterable[Result]) -> str:
    """Returns the table of results, and what is wrong under it, in Markdown."""
    results = sorted(results, key=lambda result: result.notebook)
    rows = [("Notebook", "Result", "Seconds", "")]
    rows += [(r.notebook, "FAILED" if r.problem else "passed", f"{r.seconds:.0f}", r.note) for r in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    missing = [folder for folder in FOLDERS if not notebooks(folder)]
    if missing:
        lines += ["", "No notebooks yet in: " + ", ".join(f"{folder}/" for folder in missing) + "."]
    for result in results:
        if result.problem:
            lines += ["", f"## {result.notebook}", "", "```", result.problem, "```"]
    return "\n".join(lines)


def write_report(results: Iterable[Result]) -> None:
    """Writes the report to `out/reports/notebooks.md`."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(f"# Notebooks\n\n{report(results)}\n", encoding="utf-8")


def _execute(path: Path, output: Path, timeout: float) -> str | None:
    """Executes a notebook by papermill, in a process of its own, and returns what is wrong."""
    try:
        problem, _ = separate_process.call(timeout + 60, _execute_there, path, output, timeout)
    except TimeoutError:
        return f"it was not done after {timeout:.0f} seconds"
    except separate_process.Died as died:
        return f"papermill's process: {died}"
    return problem


def _execute_there(path: Path, output: Path, timeout: float) -> str | None:
    try:
        # Papermill sets the parameters, to the values that they have: the way in is used, and the outputs stay the same.
        source = None
        if kind(path) == LESSON:
            node = form.read(path)
            source = exercises.with_proofs(node, wrong_answers().get(exercises.lesson(node), {}))
        form.write(execute.execute(path, execute.own_parameters(path), timeout, source), output)
    except (execute.NotebookFailed, OSError, ValueError) as error:
        return str(error)
    return None


def _score(path: Path, executed: NotebookNode) -> tuple[str | None, str]:
    """A solution has all points of its lab, an unsolved lab none."""
    from tools.labs import source

    got, of = source.score(executed)
    note = f"{got:g} of {of:g} points"
    if not of:
        return "it has no check cells", note
    if is_lab(path):
        return (f"unsolved it has {note}: a task is right before it is answered" if got else None), f"unsolved: {note}"
    short = [
        f"  {source.call(cell.source)[0]}: {' '.join(str(output.get('data', output)) for output in cell.outputs)[:400]}"
        for cell in executed.cells
        if source.marks(cell).get("grade")
        and source.score(NotebookNode(cells=[cell]))[0] < source.marks(cell)["points"]
    ]
    return ("\n".join([f"the solution has {note}:", *short]) if got < of else None), note


def _unsaved(notebook: NotebookNode) -> list[int]:
    """Returns the numbers of the code cells that were never executed: nbval would let them pass, comparing nothing."""
    return [
        number
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and cell.source.strip() and cell.get("execution_count") is None
    ]


def _compare(path: Path, executed: Path) -> tuple[str | None, str]:
    """Compares the outputs of an executed notebook with those that are stored, by nbval."""
    with tempfile.TemporaryDirectory() as folder:
        records_file = Path(folder) / "records.json"
        try:
            status, said = separate_process.call(COMPARING, _compare_there, path, executed, records_file)
        except TimeoutError:
            return f"nbval was not done after {COMPARING} seconds", ""
        except separate_process.Died as died:
            return f"nbval's process: {died}", ""
        records = json.loads(records_file.read_text(encoding="utf-8")) if records_file.exists() else []
    failed = [record for record in records if record["outcome"] == "failed"]
    note = f"{sum(record['compared'] for record in records)} outputs"
    if status == 0 and records and not failed:
        return None, note
    if not failed:
        return f"nbval did not compare its cells:\n{said[-2000:]}", ""
    messages = [record["message"] for record in failed[:8]]
    if len(failed) > 8:
        messages.append(f"... and {len(failed) - 8} cells more")
    messages.append(f"If the new outputs are right: python -m tools.notebooks save {shown(path)}")
    return "\n".join(messages), note


def _compare_there(path: Path, executed: Path, records: Path) -> int:
    """Runs nbval; returns pytest's exit status."""
    import pytest

    # The outer pytest's variables are not for this one.
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        del os.environ[name]
    os.environ.update({nbval_plugin.REPORT: str(records), nbval_plugin.EXECUTED: str(executed)})
    # Of the plugins that are installed only nbval: another one imports trio, which takes longer than the comparison.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = [str(path), "--nbval", "--nbval-sanitize-with", str(SANITIZE), "--rootdir", str(path.parent)]
    arguments += ["-o", "addopts=", "-q", "--color=no"]
    for plugin in ("nbval.plugin", "tools.notebooks.nbval_plugin", "no:cacheprovider"):
        arguments += ["-p", plugin]
    return int(pytest.main(arguments))
