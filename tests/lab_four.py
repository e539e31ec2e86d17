"""Lab 4 for its tests: DAG files, right and wrong, run by Airflow; and what tells of real runs, made without TFX."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import lab_three
import pytest
from student_lab import evaluate

from course import checks
from course.labs.lab_4 import dag_file, run_states
from course.trials import dag
from engines.errors import MissingEngineError
from judges.lab_4 import dag_trial
from judges.lab_4.cases import UPSTREAM, cases, of_task
from judges.trial import Done, Ran
from tools.labs import source
from tools.notebooks import form

LAB = "lab-4-airflow"
STORE = "pipeline/metadata.sqlite"


def lab(folder: Path, student: str = "student-1", runner: Any = None) -> checks.Lab:
    """A student's lab with an empty workspace, but for the folder of DAGs."""
    workspace = folder / student / LAB
    dag_file.folder(workspace).mkdir(parents=True)
    return checks.Lab(LAB, student, workspace, runner=runner)


def solution() -> str:
    """The DAG file that the solution of the lab makes."""
    parts: dict[int, str] = {}
    for cell in form.read(source.notebook(LAB)).cells:
        if found := dag_file.HEADING.match(cell.source):
            lines = cell.source.splitlines()
            parts[int(found[1])] = "\n".join(line for line in lines if not dag_file.MARKER.match(line))
    return "\n\n\n".join(parts[number] for number in sorted(parts)) + "\n"


def edited(text: str, *edits: tuple[str, str]) -> str:
    """A file with other text in some places, each of which is there."""
    for old, new in edits:
        assert old in text, f"the file has no {old!r} any more: change the test"
        text = text.replace(old, new)
    return text


class Played:
    """A student's files, once Airflow has run them (`play`); a check that wants a trial of one gets what came of it."""

    def __init__(
        self,
        lab: checks.Lab,
        texts: dict[str, str],
        folder: Path,
        only: dict[str, Collection[str]],
        alone: Collection[str] = (),
    ) -> None:
        """Lays them into rooms.

        Args:
            lab: whose cases.
            texts: the files.
            folder: an empty one, or one that is to be made.
            only: for a file, the cases that are run; in those that are run for the first one alone, what came of it stands for the others.
            alone: the files that are judged by their own cases alone, such as those with tasks of other names.
        """
        self.lab, self.texts, self.alone = lab, texts, alone
        self.folders = {name: folder / str(number) for number, name in enumerate(texts)}
        for name, text in texts.items():
            put(lab, text)
            some, every = only.get(name), cases(lab.seed)
            trial = dag_trial.trial(lab, every if some is None else {case: every[case] for case in some})
            (self.folders[name] / "given").mkdir(parents=True)
            trial.lay(self.folders[name] / "given", "", "", "")
            (self.folders[name] / "given" / "0").rename(self.folders[name] / "room")

    def fill(self) -> None:
        """Gives each file the cases of the first one that it was not run in, but for those that stand alone."""
        first, *others = [one / "room" / dag.OUT for name, one in self.folders.items() if name not in self.alone]
        filled = json.loads(first.read_text())["cases"]
        for path in others:
            found = json.loads(path.read_text())
            path.write_text(json.dumps(found | {"cases": filled | found["cases"]} if "cases" in found else found))

    def judge(self, name: str, task: str) -> tuple[float, str]:
        """What a check says of a file."""
        put(self.lab, self.texts[name])
        ran = Ran(self.folders[name] / "room", [Done(0)])
        known = json.loads((ran.folder / dag.OUT).read_text()).get("cases", ())
        run = {case: one for case, one in of_task(task, self.lab.seed).items() if case in known}
        runner = SimpleNamespace(run=lambda trial: ran)
        with mock.patch.object(dag_trial, "of_task", return_value=run):
            return evaluate(checks.Lab(LAB, self.lab.student, self.lab.workspace, runner=runner), task)


def play(students: Sequence[Played], folder: Path) -> None:
    """Has Airflow run all files of some students in one process; what it says goes to a file in the folder. Skips where there is no Airflow."""
    with (folder / "said").open("w") as said:
        files = (said.fileno(), said.fileno(), said.fileno())
        rooms = [one / "room" for student in students for one in student.folders.values()]
        try:
            status = dag.play(rooms, files).wait()
        except MissingEngineError as error:
            pytest.skip(str(error))
        assert status == 0, (folder / "said").read_text()[-3000:]
    for student in students:
        student.fill()


def put(lab: checks.Lab, text: str) -> None:
    """Puts a file into the workspace."""
    dag_file.path(lab.workspace).write_text(text)


class Databases:
    """What tells of real runs: the pipeline's metadata store as TFX records it, and what Airflow's API says."""

    def __init__(self, lab: checks.Lab) -> None:
        """Begins both."""
        self.lab, self.store = lab, lab_three.Store(lab)
        self.path = lab.workspace / dag_file.HOME / run_states.FILE
        self.answers: dict[str, list[dict[str, Any]]] = {"dag_runs": [], "task_instances": []}

    def run(self, state: str = "success", failed: str = "", name: str = "", **how: Any) -> None:
        """A run in both, which Airflow has under another `name` if one is given; `resolver`: whether its first step was executed; `is_served`: the model is there."""
        resolver, is_served = how.pop("resolver", True), how.pop("is_served", True)
        if resolver:  # early in the run that is to come
            self.store.runs += 1
            self.store.record("LatestBlessedModel")
            self.store.runs -= 1
        self.store.run(**how)
        if is_served:
            folder = self.lab.workspace / "pipeline" / "serving" / str(self.store.version)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "saved_model.pb").touch()
        own = {"dag_run_id": name or f"run-{self.store.runs}"}
        self.answers["dag_runs"].append(own | {"state": state, "data_interval_start": "2013-01-01T00:00:00Z"})
        for step in UPSTREAM:
            told = {"task_id": step, "state": "failed" if step == failed else "success", "try_number": 1}
            self.answers["task_instances"].append(own | told | {"end_date": "2026-11-29T22:58:30.1Z"})
        self.path.write_text(json.dumps(self.answers))

    def judge(self) -> tuple[float, str]:
        """What the check says."""
        return evaluate(self.lab, "run", store=STORE)
