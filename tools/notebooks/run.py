"""Runs notebooks: each executed by papermill, lessons and solutions then compared by nbval. Each run is a process of its own.

`tests/notebooks/test_notebooks.py` makes a test of each job; `python -m tools.notebooks run` starts that, two at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import execute, figures, form, nbval_plugin
from tools.notebooks.execute import REPORTS, ROOT, shown
from tools.notebooks.style.base import LAB, LESSON, SOLUTION

TIMEOUT = 600
"""Seconds for one notebook in one engine; lessons are made to take one or two minutes."""
COMPARED = ("notebooks", "solutions")
"""Folders whose outputs are committed. `labs` are executed only: unsolved, they have none."""
FOLDERS = (*COMPARED, "labs")
SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"
REPORT = REPORTS / "notebooks.md"


@dataclasses.dataclass(frozen=True)
class Job:
    """One notebook in one engine, `papermill` or `nbval`."""

    path: Path
    engine: str

    def __str__(self) -> str:
        """Returns the job in words."""
        return f"{shown(self.path)} {self.engine}"


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a job: seconds, what is wrong (None when nothing is), and a word on what was done."""

    notebook: str
    engine: str
    seconds: float
    problem: str | None
    note: str = ""


def notebooks(folder: str, root: Path = ROOT) -> list[Path]:
    """Returns the notebooks under one of the course's folders, without Jupyter's own copies."""
    return [path for path in sorted((root / folder).rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


ENGINES = {LESSON: ("papermill", "nbval"), SOLUTION: ("nbval",), LAB: ("papermill",)}
"""What executes each kind. A solution runs whole pipelines, minutes each: once here, compared with its stored points, and once more
where its grading is tested."""


def jobs(paths: Iterable[Path] = ()) -> list[Job]:
    """Returns what there is to run: for all notebooks, or for those given."""
    paths = [path.resolve() for path in paths] or [path for folder in FOLDERS for path in notebooks(folder)]
    return [Job(path, engine) for path in paths for engine in ENGINES[kind(path)]]


def is_lab(path: Path) -> bool:
    """Returns whether a notebook is one that students solve: it has no committed outputs."""
    return ROOT / "labs" in path.resolve().parents


def kind(path: Path) -> str:
    """Returns what a notebook is, as the rules of style know it; one from elsewhere is taken for a lesson."""
    return LAB if is_lab(path) else SOLUTION if ROOT / "solutions" in path.resolve().parents else LESSON


def run(job: Job, timeout: float = TIMEOUT) -> Result:
    """Runs one job to its end or its timeout (seconds)."""
    started = time.monotonic()
    before = job.path.read_bytes()
    problem, note = (_papermill if job.engine == "papermill" else _nbval)(job.path, timeout)
    if job.engine == "nbval" and kind(job.path) == SOLUTION and not problem:
        # What it shows is what is stored: so its points are those that are stored.
        problem, note = _score(job.path, form.read(job.path))
    if job.path.read_bytes() != before:
        problem = "it was edited while it ran: run it again"
    return Result(shown(job.path), job.engine, round(time.monotonic() - started, 1), problem, note)


def report(results: Iterable[Result]) -> str:
    """Returns the table of results, and what is wrong under it, in Markdown."""
    results = sorted(results, key=lambda result: (result.notebook, result.engine != "papermill"))
    rows = [("Notebook", "Engine", "Result", "Seconds", "")]
    rows += [(r.notebook, r.engine, "FAILED" if r.problem else "passed", f"{r.seconds:.0f}", r.note) for r in results]
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
            lines += ["", f"## {result.notebook}, {result.engine}", "", "```", result.problem, "```"]
    return "\n".join(lines)


def write_report(results: Iterable[Result]) -> None:
    """Writes the report to `out/reports/notebooks.md`."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(f"# Notebooks\n\n{report(results)}\n", encoding="utf-8")


def _papermill(path: Path, timeout: float) -> tuple[str | None, str]:
    committed = form.read(path)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / path.name
        # Papermill sets the parameters, to the values that they have: the way in is used, and the outputs stay the same.
        command = [sys.executable, "-m", "tools.notebooks", "save", str(path), "--inject"]
        command += ["--output", str(output), "--timeout", f"{timeout:.0f}"]
        code, text = _call(command, timeout + 60, dict(os.environ))
        if code is None:
            return f"it was not done after {timeout:.0f} seconds", ""
        if code:
            return text.strip().removeprefix("FAILED "), ""
        now = form.read(output)
    if kind(path) != LESSON:
        problem, note = _score(path, now)
        if problem or is_lab(path):
            return problem, note
    changed = figures.changes(committed, now)
    count = sum(len(figures.pictures(cell)) for cell in now.cells if cell.cell_type == "code")
    return "\n".join(changed) or None, f"{count} figures compared"


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


def _nbval(path: Path, timeout: float) -> tuple[str | None, str]:
    code = [(number, cell) for number, cell in enumerate(form.read(path).cells, start=1) if cell.cell_type == "code"]
    unsaved = [str(number) for number, cell in code if cell.source.strip() and cell.get("execution_count") is None]
    if unsaved:  # nbval would let them pass, comparing nothing
        return (
            f"saved without having been executed: cell {', '.join(unsaved)}. python -m tools.notebooks save {shown(path)}",
            "",
        )
    with tempfile.TemporaryDirectory() as folder, execute.private_workspace() as environment:
        records_file = Path(folder) / "records.json"
        # An environment without the outer pytest's variables: this one is its own master.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        python_path = os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")]))
        variables = {**inherited, **environment, nbval_plugin.REPORT: str(records_file), "PYTHONPATH": python_path}
        command = [sys.executable, "-m", "pytest", str(path), "--nbval", "--nbval-sanitize-with", str(SANITIZE)]
        command += [
            "--nbval-cell-timeout",
            f"{timeout:.0f}",
            "--nbval-kernel-startup-timeout",
            "120",
            "--rootdir",
            str(path.parent),
        ]
        command += [
            "-p",
            "tools.notebooks.nbval_plugin",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-o",
            "addopts=",
            "-q",
            "--color=no",
        ]
        code, text = _call(command, timeout + 120, variables)
        if code is None:
            return f"it was not done after {timeout:.0f} seconds", ""
        records = json.loads(records_file.read_text(encoding="utf-8")) if records_file.exists() else []
    failed = [record for record in records if record["outcome"] == "failed"]
    compared = sum(record["compared"] for record in records)
    if code == 0 and records and not failed:
        slowest = max(records, key=lambda record: record["seconds"])
        return None, f"{compared} outputs compared; slowest: cell {slowest['cell'] + 1}, {slowest['seconds']:.0f} s"
    if not failed:
        return f"nbval did not run its cells:\n{text[-2000:]}", ""
    shown_failures = [record["message"] for record in failed[:8]]
    if len(failed) > 8:
        shown_failures.append(f"... and {len(failed) - 8} cells more")
    hint = f"If the new outputs are right: python -m tools.notebooks save {shown(path)}"
    return "\n".join([*shown_failures, hint]), f"{compared} outputs compared"


def _call(command: list[str], timeout: float, environment: dict[str, str]) -> tuple[int | None, str]:
    """Runs a command; returns its exit code (None when time ran out) and what it printed.

    When time runs out the process is interrupted, so that it stops its kernel, and killed only if that does not help.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return_text, _ = process.communicate(timeout=timeout)
        return process.returncode, return_text
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        return None, ""
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
