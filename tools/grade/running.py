"""The run of one notebook: confined, with its answers judged in another process."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course import checks
from course.checks import catalogue
from course.checks.outcomes import BROKEN, OPEN
from course.checks.session import DELIVERED, GRADED_AS
from tools.grade import box, table
from tools.grade.collect import Submission
from tools.grade.judge import Judge
from tools.grade.limits import Limits
from tools.grade.marks import Graded
from tools.labs import source
from tools.notebooks.execute import ROOT, describe_cell

OUT = ROOT / "out" / "grades"
TFX = ["tfx.v1", "tfx.orchestration.experimental.interactive.interactive_context"]
"""What a notebook that imports TFX has at its start."""


@dataclasses.dataclass(frozen=True)
class Course:
    """What is graded: the lab, where its source is, where results go, how much a submission may use, how it is confined, what counts besides."""

    lab: str
    solutions: Path = source.SOLUTIONS
    out: Path = OUT
    limits: Limits = dataclasses.field(default_factory=Limits)
    how: str | None = None
    at_a_time: int = 2
    prove: bool = True
    """Whether the lab's own solution has to get full marks first. Without it, marks are for who knows that it does."""
    salt: str = ""
    rules: table.Rules = dataclasses.field(default_factory=table.Rules)
    say: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Where results go."""
        return self.out / self.lab


def limits_of(lab: str) -> Limits:
    """How much a submission of a lab may use: the lab's own `SECONDS` and `CELL_SECONDS`, where its notebook runs whole pipelines."""
    of = catalogue.module(lab)
    return Limits(
        seconds=getattr(of, "SECONDS", Limits.seconds), cell_seconds=getattr(of, "CELL_SECONDS", Limits.cell_seconds)
    )


def run(
    course: Course, own: box.Box, judge: Judge, submission: Submission, node: NotebookNode, does: Callable[[str], None]
) -> Graded:
    """Runs one notebook confined, and evaluates its answers."""
    with tempfile.TemporaryDirectory(prefix="course-run-") as temporary:
        top = Path(temporary)
        top.chmod(0o755)
        for name in ("task", "delivered", "workspace", "trials"):
            (top / name).mkdir()
        task = top / "task" / "task.json"
        task.write_text(json.dumps(_task(course, node, submission.given)), encoding="utf-8")
        judge.deliver(submission.student, course.salt, top / "delivered")
        does("its notebook")
        report = own.run(
            [sys.executable, "-P", str(box.INSIDE / "run.py"), str(task)],
            top / "workspace",
            folder=ROOT / "labs" / course.lab,
            collect=f"out/lessons/{course.lab}",
            limits=course.limits,
            visible=[top / "task", submission.given, top / "delivered"],
            environment={GRADED_AS: submission.student, DELIVERED: str(top / "delivered")},
        )
        graded = Graded(submission, node, seconds=report.seconds)
        answers = _understand(graded, report, course)
        does("its checks")
        trial: Callable[[int, float], Any] = lambda *asked: own.trial(top / "trials", course.limits, *asked)  # noqa: E731
        graded.outcomes = judge.outcomes(submission.student, course.salt, top, answers, trial)
    open_ = [outcome for outcome in graded.outcomes.values() if outcome.state == OPEN]
    broken = [outcome.task for outcome in graded.outcomes.values() if outcome.state == BROKEN]
    graded.remarks += report.notes
    if broken:
        graded.remarks.append(f"look at it by hand: the check of {', '.join(broken)} failed")
    if open_ and len(open_) == len(graded.outcomes) and graded.ended == "finished":
        graded.remarks.append("no task is answered")
    return graded


def _task(course: Course, node: NotebookNode, given: Path) -> dict[str, Any]:
    asked = {cell.index: cell.answers for cell in source.check_cells(node)}
    cells = [
        {"kind": "check", "answers": asked[place]}
        if place in asked
        else {"kind": cell.cell_type, "source": cell.source}
        for place, cell in enumerate(node.cells)
    ]
    limits = course.limits
    return {
        "cells": cells,
        "imports": TFX
        if any(re.search(r"^(from|import) tfx\b", cell.source, re.MULTILINE) for cell in node.cells)
        else [],
        "given": str(given),
        "seconds": limits.seconds,
        "cell_seconds": limits.cell_seconds,
        "output": limits.output,
        "flood": limits.flood,
    }


def _understand(graded: Graded, report: box.Report, course: Course) -> dict[str, dict[str, Any]]:
    """Takes answers and outputs from the lines of a run. Nothing in them is believed to be as it should."""
    tasks = {cell.index: cell for cell in source.check_cells(graded.node)}
    answers: dict[str, dict[str, Any]] = {}
    ended, place, failed = None, None, ""
    stopped: list[tuple[int, str]] = []
    for line in report.lines:
        try:
            said = json.loads(line)
            if "check" in said:
                cell = tasks[said["check"]]
                answers[cell.task] = {name: _answer(said["answers"][name]) for name in cell.answers}
            elif "cell" in said and isinstance(said.get("outputs"), list):
                graded.outputs[int(said["cell"])] = said["outputs"]
            elif "ended" in said:
                ended, place = str(said["ended"]), int(said["cell"])
            elif "stopped" in said:
                stopped.append((int(said["stopped"]), str(said["why"])[:200]))
            elif "failed" in said:
                failed = str(said["failed"])[:300]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            continue
    cells = graded.node.cells
    graded.remarks += [
        f"{describe_cell(graded.node, number)} was stopped: {why}"
        for number, why in stopped[:5]
        if 0 <= number < len(cells)
    ]
    where = f" in {describe_cell(graded.node, place)}" if place is not None and 0 <= place < len(cells) else ""
    if report.limit:
        graded.ended = f"stopped: {course.limits.words(report.limit)}"
    elif ended == "time":
        graded.ended = f"stopped: time was over{where}"
    elif ended == "kernel":
        graded.ended = f"stopped: the kernel ended{where}"
    elif ended != "end":
        graded.ended = f"stopped: the run broke off {failed or report.errors.strip()[:300]}".strip()
    if graded.ended != "finished":
        graded.remarks.append(f"{graded.ended}. What was answered before counts")
    return answers


def _answer(said: Any) -> dict[str, Any]:
    """One answer as the kernel sends it: a value, or a sentence."""
    if not isinstance(said, dict):
        raise ValueError("no answer")
    if "value" in said:
        return {"value": checks.plain(said["value"])}
    return {"error": str(said["error"])[:300]}
