"""The whole of grading: from a folder of submissions to marks, a table and feedback pages."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import queue
import re
import shutil
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import psutil
from nbformat import NotebookNode

from course import checks
from course.checks.outcomes import number
from tools.grade import box, collect, marks, rebuild, table
from tools.grade.apart import Apart
from tools.grade.collect import Submission, printable
from tools.grade.judge import PREPARED, Judge
from tools.grade.marks import Graded
from tools.grade.running import OUT, Course, limits_of, run
from tools.labs import source
from tools.notebooks import form
from tools.notebooks.execute import ROOT, own_parameters, shown

__all__ = ["OUT", "Course", "GradingFailed", "grade", "limits_of"]
WAITING, FAULT, OURS = "not graded yet", "grading itself failed", "the lab's own solution"
PATIENCE = 30
"""Seconds after which it is said what goes on."""
INTERNALS = re.compile(
    r"\b(?:import|from) +judges\b|\bjudges\.\w|[\"']judges[\"']|course\.labs[\w.]*\._|\blab\._[a-z]|inspect\.get"
    r"|\.__(?:file|path|globals|code|loader|spec)__|src/(?:course|judges)"
    r"|COURSE_(?:STUDENT|LABS|DELIVERED)"
)
"""What in a submission's own lines is worth a look: the course's internals, read or imported."""


class GradingFailed(Exception):
    """Nothing was graded. The message says why, to the instructor."""


def grade(course: Course, submissions: Path, names: Path | None = None, student: str | None = None) -> list[Graded]:
    """Grades all submissions, and writes the table, the feedback pages and nbgrader's gradebook under `course.folder`.

    What was graded before, and has not changed since, is kept. The table is whole after each submission.

    Args:
        course: what is graded, and how.
        submissions: the folder.
        names: who is who, where it is no `names.csv` in the folder.
        student: grades this one again, and leaves the others as they are.

    Raises:
        GradingFailed: no submissions, no lab, no way to confine them, or the lab's own solution does not get full marks.
    """
    with tempfile.TemporaryDirectory(prefix="course-class-") as copies:
        return _grade(course, submissions, names, student, Path(copies))


def _grade(course: Course, submissions: Path, names: Path | None, student: str | None, copies: Path) -> list[Graded]:
    try:
        found, ignored = collect.find(submissions, course.lab, names, copies)
        rules = dataclasses.replace(
            course.rules, by_hand=table.by_hand(submissions / "by-hand.csv", checks.tasks(course.lab))
        )
        how = box.choose(course.how)
    except (ValueError, RuntimeError, OSError) as error:
        raise GradingFailed(str(error)) from error
    if wrong := source.problems(source.notebook(course.lab, course.solutions)):
        raise GradingFailed("\n".join(wrong))
    known = {one.student.lower() for one in found}
    if student and student.lower() not in known:
        raise GradingFailed(f"STUDENT={student}: there is no submission of that student in {submissions}")
    course.say(f"{len(found)} submissions of {course.lab}, {course.at_a_time} at a time, {box.WORDS[how]}")
    if ignored:
        course.say(f"not looked at: {', '.join(ignored)}")
    if strangers := sorted({one for one, _ in rules.by_hand} - known):
        course.say(f"by-hand.csv names students without a submission: {', '.join(strangers)}")
    state = _fingerprint(course.lab, course.solutions, course.salt)
    if not (student and course.folder.exists()):  # for one student alone, nothing of the others is given up
        _make_room(course, state)
    proved = course.out / ".proved" / hashlib.sha256(repr((state, how, course.limits)).encode()).hexdigest()
    modules = [*Judge.modules(course.lab), marks.CONVERTERS]
    # It makes its imports while the lab is made.
    with Apart(modules, course.folder / "judge.log", **{PREPARED: course.lab}) as apart:
        released = marks.release(course.lab, course.solutions, course.folder / "nbgrader")
        class_ = _Class(dataclasses.replace(course, rules=rules), released, found, student, apart)
        class_.run(how, proved)
    of = sum(task.points for task in class_.tasks.values())
    course.say(table.summary(list(class_.graded.values()), rules, of))
    return list(class_.graded.values())


class _Class:
    """The submissions of a class: what is kept from before, what is graded now, and the table of both."""

    def __init__(
        self, course: Course, released: NotebookNode, found: list[Submission], student: str | None, apart: Apart
    ) -> None:
        self.apart, self.judge = apart, Judge(course.lab, apart)
        self.course, self.released, self.tasks = course, released, checks.tasks(course.lab)
        self.graded: dict[str, Graded] = {}
        self.todo: list[Submission] = []
        self.marks: dict[str, str] = {}
        self.doing: dict[str, tuple[str, float]] = {}
        self.lock, self.stopped = threading.RLock(), threading.Event()
        self.free: queue.SimpleQueue[box.Box] = queue.SimpleQueue()
        for one in found:
            collect.choose(one, course.lab, released)
            self.marks[one.key] = one.digest()
            kept = self._kept(one, student)
            self.graded[one.key] = kept or Graded(one, ended=WAITING, done=False)
            if student.lower() == one.student.lower() if student else not kept:
                self.todo.append(one)
        if len(self.todo) < len(found):
            course.say(f"{len(found) - len(self.todo)} are kept as they were graded before")

    def _kept(self, one: Submission, student: str | None) -> Graded | None:
        """What was found before; when one student is graded again, of the others also what would be graded anew."""
        try:
            said = json.loads((self.course.folder / "results" / f"{one.key}.json").read_text(encoding="utf-8"))
            outcomes = {name: checks.Outcome(**fields) for name, fields in said.pop("outcomes").items()}
            same = said.pop("mark") == self.marks[one.key]
            return Graded(one, outcomes=outcomes, **said) if same or student else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def run(self, how: str, proved: Path) -> None:
        """Grades what is to be graded, the lab's own solution first; stops without loss when it is interrupted."""
        course, others = self.course, set(psutil.Process().children(recursive=True))
        for own in box.boxes(how, course.at_a_time):
            self.free.put(own)
        with ThreadPoolExecutor(course.at_a_time + 1) as pool:  # one more, for a page that takes its time
            try:
                if course.prove and not proved.exists() and self.todo:
                    self._watch([pool.submit(self._prove, proved)])
                self._watch([pool.submit(self._grade, one) for one in self.todo])
            except BaseException:
                self.stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for process in set(psutil.Process().children(recursive=True)) - others:
                    process.kill()
                raise
            finally:
                self.finish()

    def _watch(self, waiting: list[Any]) -> None:
        """Waits for all, and says what goes on when nothing has ended for a while."""
        left = set(waiting)
        while left:
            ended, left = wait(left, timeout=PATIENCE, return_when=FIRST_COMPLETED)
            for one in ended:
                one.result()
            if not ended:
                now = time.monotonic()
                with self.lock:
                    doing = [f"{name}: {what} ({now - since:.0f} s)" for name, (what, since) in self.doing.items()]
                self.course.say(f"  ... {', '.join(doing)}")

    def _does(self, name: str, what: str) -> None:
        """Notes what is done for whom; nothing new is begun once all is stopped."""
        if self.stopped.is_set():
            raise RuntimeError("grading was stopped")
        with self.lock:
            self.doing[name] = (what, time.monotonic())

    def _grade(self, one: Submission) -> None:
        """Grades one submission. Whatever becomes of it, the others go on."""
        name = printable(one.name)
        try:
            graded = self._judged(one, name)
        except Exception as error:
            reason = f"{FAULT} ({type(error).__name__}: {error})"
            graded = Graded(
                one, rebuild.refused(self.released, reason), ended=f"not graded: {reason}", remarks=[reason]
            )
        graded.remarks = [printable(remark) for remark in (*one.notes, *graded.remarks)]
        graded.ended = printable(graded.ended)
        if self.stopped.is_set():  # it was killed with the rest: what it would say of this submission is not true
            return
        self._put(graded)  # before the page: whatever becomes of that, the marks stand
        self._does(name, "the feedback page")
        try:
            own = (self.course.lab, self.course.solutions, self.course.folder)
            wrong = marks.feedback(self.apart, *own, graded, self.released)
        except Exception as error:
            wrong = [f"the feedback page could not be made: {type(error).__name__}: {error}"]
        graded.remarks += map(printable, wrong)
        graded.node, graded.outputs = None, {}
        if self.stopped.is_set():
            return
        self._put(graded)
        with self.lock:
            del self.doing[name]
            done = sum(one.done and printable(one.submission.name) not in self.doing for one in self.graded.values())
        points = f"{number(graded.points)} points, {graded.ended}, {graded.seconds:.0f} s"
        self.course.say(f"  {done}/{len(self.graded)} {name}: {points}")

    def _judged(self, one: Submission, name: str) -> Graded:
        try:
            if one.refused:
                raise collect.Refused(one.refused)
            cells = collect.read(one.folder / one.notebook)
            node = rebuild.rebuild(self.released, cells)
        except ValueError as error:
            node = rebuild.refused(self.released, str(error))
            return Graded(one, node, ended=f"not graded: {error}", remarks=[str(error)])
        own = rebuild.own(self.released, cells)
        graded = self._run(self.course, one, node, name)
        graded.own, graded.remarks = own[:20_000], _remarks(one, cells, own, self.course.salt) + graded.remarks
        return graded

    def _run(self, course: Course, one: Submission, node: NotebookNode, name: str) -> Graded:
        """Runs a notebook in a box as soon as one is free."""
        own = self.free.get()
        try:
            return run(course, own, self.judge, one, node, functools.partial(self._does, name))
        finally:
            self.free.put(own)

    def _put(self, graded: Graded) -> None:
        """Keeps a result that is whole, and writes the table with it."""
        key = graded.submission.key
        kept = {name: getattr(graded, name) for name in ("ended", "remarks", "seconds", "page", "own")}
        kept["outcomes"] = {name: dataclasses.asdict(outcome) for name, outcome in graded.outcomes.items()}
        with self.lock:
            if (
                FAULT not in graded.ended and not graded.node
            ):  # a fault of ours is tried again, and what has no page yet
                table.write(
                    self.course.folder / "results" / f"{key}.json", json.dumps(kept | {"mark": self.marks[key]})
                )
            self.graded[key] = graded
            self._write_table()

    def _write_table(self) -> None:
        table.write(
            self.course.folder / "grades.csv", table.grades(list(self.graded.values()), self.course.rules, self.tasks)
        )

    def finish(self) -> None:
        """Writes what is made of all results."""
        folder, lab, rules, graded = self.course.folder, self.course.lab, self.course.rules, list(self.graded.values())
        pairs = table.alike({one.submission.key: one.own for one in graded if one.own})
        for one in graded:
            _, total, changed = rules.marks(one.submission, one.checked)
            own = [remark for remark in one.remarks if not remark.startswith("look: ")]
            marks.say(folder, dataclasses.replace(one, remarks=own), number(total), changed)
            for a, b, share in (pair for pair in pairs if one.submission.key in pair):
                one.remarks.append(f"nearly the same as {b if a == one.submission.key else a} ({share} %)")
        table.write(folder / "statistics.html", table.statistics(lab, graded, rules, self.tasks))
        table.platforms_files(folder, lab, graded, rules, self.tasks)
        self._write_table()

    def _prove(self, proved: Path) -> None:
        """Runs the lab's own solution, which has to get full marks, or nothing here can be believed. It is no submission, and has no place among them."""
        path = source.notebook(self.course.lab, self.course.solutions)
        # Answers of a solution may be those of its own student, without a salt.
        one = Submission("", own_parameters(path)["STUDENT"], "", path.parent)
        of = self._run(dataclasses.replace(self.course, salt=""), one, form.normalise(form.read(path)), OURS)
        self.doing.clear()
        got = of.outcomes.values()
        lost = [f"  {of.title}: {of.points:g} of {of.of:g}. {of.message}" for of in got if of.points < of.of]
        if lost or not of.outcomes:
            raise GradingFailed(
                "The lab's own solution does not get full marks on this machine, so no submission was graded "
                f"({of.ended}{''.join('; ' + remark for remark in of.remarks)}):\n" + "\n".join(lost)
            )
        proved.parent.mkdir(parents=True, exist_ok=True)
        proved.touch()
        self.course.say(f"  {OURS}: {of.points:g} points, {of.seconds:.0f} s")


def _make_room(course: Course, state: str) -> None:
    """Results of another state of the lab or the course, or with another salt, are kept beside."""
    folder, before = course.folder, course.folder / "results" / ".of"
    if folder.exists() and (not before.exists() or before.read_text() != state):
        earlier = course.out / "earlier"
        earlier.mkdir(parents=True, exist_ok=True)
        place = earlier / f"{course.lab}-{1 + len(list(earlier.glob(f'{course.lab}-*')))}"
        shutil.move(folder, place)
        course.say(f"the lab, the course or the salt is another than before: earlier results are in {shown(place)}")
    for name in ("results", "nbgrader"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    before.write_text(state)


def _fingerprint(lab: str, solutions: Path, salt: str) -> str:
    """Of all that a mark depends on, besides the submission."""
    files = [source.notebook(lab, solutions), ROOT / "requirements" / "course.txt"]
    found = (path for folder in ("src", "tools/grade") for path in (ROOT / folder).rglob("*"))
    files += sorted(path for path in found if path.is_file() and path.suffix != ".pyc")
    return hashlib.sha256(b"".join([salt.encode(), *(path.read_bytes() for path in files)])).hexdigest()


def _remarks(one: Submission, cells: list[dict[str, Any]], own: str, salt: str) -> list[str]:
    """What the text of a submission says that an instructor should know."""
    text = "\n".join(cell["source"] for cell in cells)
    student = _last(r"^STUDENT *= *['\"](.*?)['\"]", text) or one.student
    begun = _last(r"checks\.begin\([^\n]{0,200}?salt *= *['\"](.*?)['\"]", text)
    told = [
        f"in its notebook {what} is {said[:70]!r}: its data were other ones than it is graded on"
        for what, said, right in (("STUDENT", student.strip(), one.student), ("the salt", begun, salt))
        if said.lower() != right.lower()
    ]
    if one.place and one.place.late:
        told.append("Canvas says that it was late")
    reads = [line for line in own.splitlines() if INTERNALS.search(line[:2000])]
    return told + [f"look: it reads the course's internals: {line[:100]!r}" for line in reads[:3]]


def _last(expression: str, text: str) -> str:
    found = re.findall(expression, text, re.MULTILINE)
    return found[-1] if found else ""
