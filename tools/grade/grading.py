"""The whole of grading: from a folder of submissions to marks, a table and feedback pages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import queue
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from course import checks
from course.checks import catalogue
from course.checks.outcomes import BROKEN, OPEN
from course.checks.session import GRADED_AS
from tools.grade import box, collect, marks, rebuild, table
from tools.grade.collect import Refused, Submission
from tools.grade.confine.plan import NAMESPACES, Limits
from tools.grade.judge import Judge
from tools.grade.marks import Graded
from tools.labs import source
from tools.notebooks import form
from tools.notebooks.execute import ROOT, describe_cell, own_parameters

OUT = ROOT / "out" / "grades"
SOLUTION = "the-solution"
"""What the lab's own solution is called: it has to get full marks, or nothing here can be believed."""

_LIMITS = {
    "memory": "it used more than {memory} MB of memory",
    "processes": "it started more than {processes} processes",
    "time": "it was not done after {seconds} seconds, and could not be interrupted",
    "output": "it sent more data than a notebook has",
}


class GradingFailed(Exception):
    """Nothing was graded. The message says why, to the instructor."""


@dataclasses.dataclass(frozen=True)
class Course:
    """What is graded: the lab, where its source is, where results go, how much a submission may use, how it is confined."""

    lab: str
    solutions: Path = source.SOLUTIONS
    out: Path = OUT
    limits: Limits = dataclasses.field(default_factory=Limits)
    how: str | None = None
    at_a_time: int = 2
    prove: bool = True
    """Whether the lab's own solution has to get full marks first. Without it, marks are for who knows that it does."""
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


def grade(course: Course, submissions: Path, names: Path | None = None) -> list[Graded]:
    """Grades all submissions, and writes `grades.csv`, the feedback pages and nbgrader's gradebook under `course.folder`.

    Raises:
        GradingFailed: no submissions, no lab, no way to confine them, or the lab's own solution does not get full marks.
    """
    try:
        found, ignored = collect.find(submissions, course.lab, names)
        how = box.choose(course.how)
    except (ValueError, RuntimeError, OSError) as error:
        raise GradingFailed(str(error)) from error
    if wrong := source.problems(source.notebook(course.lab, course.solutions)):
        raise GradingFailed("\n".join(wrong))
    course.say(f"{len(found)} submissions of {course.lab}, {course.at_a_time} at a time, {box.WORDS[how]}")
    if ignored:
        course.say(f"not looked at: {', '.join(ignored)}")
    _clear(course)
    released = marks.release(course.lab, course.solutions, course.folder)
    with Judge(course.lab, course.folder / "judge.log") as judge, box.warmed(how) as warm:
        graded = _run_all(course, box.boxes(how, course.at_a_time, warm), judge, released, found)
    wrong = marks.enter(course.lab, course.solutions, course.folder, released, graded)
    tasks = checks.tasks(course.lab)
    of = sum(task.points for task in tasks.values())
    table.write(course.folder / "grades.csv", graded, of, {name: task.title for name, task in tasks.items()})
    if wrong:
        raise GradingFailed("\n".join([*wrong, f"The marks above are not those of {course.folder / 'grades.csv'}."]))
    return graded


def _clear(course: Course) -> None:
    """Makes room: earlier results are kept beside."""
    if course.folder.exists():
        earlier = course.out / "earlier"
        number = 1 + sum(1 for _ in earlier.glob(f"{course.lab}-*")) if earlier.exists() else 1
        earlier.mkdir(parents=True, exist_ok=True)
        shutil.move(course.folder, earlier / f"{course.lab}-{number}")
    course.folder.mkdir(parents=True)


def _run_all(
    course: Course, boxes: list[box.Box], judge: Judge, released: NotebookNode, found: list[Submission]
) -> list[Graded]:
    free: queue.SimpleQueue[box.Box] = queue.SimpleQueue()
    for one in boxes:
        free.put(one)

    def work(job: Callable[[box.Box], Graded]) -> Graded:
        own = free.get()
        try:
            return job(own)
        finally:
            free.put(own)

    graded: dict[str, Graded] = {}
    with ThreadPoolExecutor(course.at_a_time) as pool:
        proof = _proof(course, judge, boxes[0].how) if course.prove else None
        waiting = [pool.submit(work, proof)] if proof else []
        waiting += [pool.submit(work, _job(course, judge, released, one)) for one in found]
        try:
            for done in as_completed(waiting):
                one = done.result()
                graded[one.submission.key] = one
                sum_ = sum(outcome.points for outcome in one.outcomes.values())
                course.say(
                    f"  {len(graded)}/{len(waiting)} {one.submission.name}: {sum_:g} points, {one.ended}, {one.seconds:.0f} s"
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [graded[one.key] for one in found]


def _job(course: Course, judge: Judge, released: NotebookNode, submission: Submission) -> Callable[[box.Box], Graded]:
    def job(own: box.Box) -> Graded:
        try:
            if submission.refused:
                raise Refused(submission.refused)
            node = rebuild.rebuild(released, collect.read(submission.path))
        except Refused as error:
            return Graded(
                submission, rebuild.refused(released, str(error)), ended=f"not graded: {error}", remarks=[str(error)]
            )
        try:
            return run(course, own, judge, submission, node)
        except Exception as error:  # a fault of ours must not cost the others their marks
            reason = f"grading itself failed ({type(error).__name__}: {error})"
            return Graded(submission, node, ended=f"not graded: {reason}", remarks=[reason])

    return job


def _proof(course: Course, judge: Judge, how: str) -> Callable[[box.Box], Graded] | None:
    """The run of the lab's own solution; None when it got full marks here before, with everything as it is."""
    path = source.notebook(course.lab, course.solutions)
    node = form.normalise(form.read(path))
    mark = course.out / ".proved" / _fingerprint(course, path, how)
    if mark.exists():
        return None

    def job(own: box.Box) -> Graded:
        student = own_parameters(path)["STUDENT"]  # answers of a solution may be those of its own student
        proved = run(course, own, judge, Submission(SOLUTION, student, SOLUTION, None), node)
        lost = [
            f"  {one.title}: {one.points:g} of {one.of:g}. {one.message}"
            for one in proved.outcomes.values()
            if one.points < one.of
        ]
        if lost:
            raise GradingFailed(
                "The lab's own solution does not get full marks on this machine, so no submission was graded "
                f"({proved.ended}{''.join('; ' + remark for remark in proved.remarks)}):\n" + "\n".join(lost)
            )
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return proved

    return job


def _fingerprint(course: Course, path: Path, how: str) -> str:
    digest = hashlib.sha256(repr((course.lab, how, course.limits)).encode() + path.read_bytes())
    for folder in (ROOT / "src", ROOT / "tools" / "grade"):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    digest.update((ROOT / "requirements" / "course.txt").read_bytes())
    return f"{course.lab}-{digest.hexdigest()[:16]}"


def run(course: Course, own: box.Box, judge: Judge, submission: Submission, node: NotebookNode) -> Graded:
    """Runs one notebook confined, and evaluates its answers."""
    with tempfile.TemporaryDirectory(prefix="course-run-") as temporary:
        top = Path(temporary)
        top.chmod(0o755)
        (top / "task").mkdir()
        (top / "given").mkdir()
        (top / "workspace").mkdir()
        notes = collect.copy_files(submission.folder, top / "given") if submission.folder else []
        task = top / "task" / "task.json"
        task.write_text(json.dumps(_task(course, node, own.how)), encoding="utf-8")
        report = own.run(
            [sys.executable, "-m", "tools.grade.inside.run", str(task)],
            top / "workspace",
            folder=ROOT / "labs" / course.lab,
            collect=f"{{scratch}}/out/lessons/{course.lab}",
            limits=course.limits,
            visible=[top / "task"],
            given=top / "given",
            environment={GRADED_AS: submission.student},
            forks=True,
        )
        graded = Graded(submission, node, seconds=report.seconds)
        answers = _understand(graded, report, course)
        graded.outcomes = judge.outcomes(submission.student, top / "workspace", answers)
    open_ = [outcome for outcome in graded.outcomes.values() if outcome.state == OPEN]
    broken = [outcome.task for outcome in graded.outcomes.values() if outcome.state == BROKEN]
    graded.remarks += notes + report.notes
    if broken:
        graded.remarks.append(f"look at it by hand: the check of {', '.join(broken)} failed")
    if open_ and len(open_) == len(graded.outcomes) and graded.ended == "finished":
        graded.remarks.append("no task is answered")
    return graded


def _task(course: Course, node: NotebookNode, how: str) -> dict[str, Any]:
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
        "namespaces": how in (*NAMESPACES, box.DOCKER),
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
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    cells = graded.node.cells
    graded.remarks += [
        f"{describe_cell(graded.node, number)} was stopped: {why}"
        for number, why in stopped[:5]
        if 0 <= number < len(cells)
    ]
    where = f" in {describe_cell(graded.node, place)}" if place is not None and 0 <= place < len(cells) else ""
    limits = course.limits
    if report.limit:
        words = _LIMITS[report.limit].format(
            memory=limits.memory // 2**20, processes=limits.processes, seconds=f"{limits.seconds:.0f}"
        )
        graded.ended = f"stopped: {words}"
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
