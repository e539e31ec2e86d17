"""Has the DAG rehearsed in Airflow's environment, and reads what was written down of it.

The rehearsal runs the student's file, so it belongs to the notebook. What it leaves, `airflow/rehearsal.json` with the fingerprint of the files that
were rehearsed, is data, and the checks read nothing else: they never run a student's file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from course import checks
from engines.airflow import ready
from judges.lab_2 import workspace_files
from judges.lab_4 import airflow_command, dag_file
from judges.lab_4.cases import UPSTREAM, Case, cases

FOLDER = Path(__file__).with_name("rehearsal")
FILE = f"{dag_file.HOME}/rehearsal.json"
DAGS, GIVEN = f"{dag_file.HOME}/dags", "steps.py"
OUT = "out.json"
PATIENCE, MOST_LOG = 240, 400_000
"""Seconds that all cases may take, and letters of the log that are kept."""


EVERY = "all_success"
"""Airflow's own `trigger_rule`: a task is started when all that it waits for have worked."""


class NotRehearsed(RuntimeError):
    """Airflow could not rehearse; the message says why."""


def rehearse(lab: checks.Lab) -> Rehearsal:
    """Runs the cases, and stores what happened.

    Raises:
        NotRehearsed: Airflow itself did not come to an end; what it said last is the message.
        engines.errors.MissingEngineError: Airflow's environment is not there.
    """
    own = lab.workspace / dag_file.HOME
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        top = Path(temporary)
        home = top / "home"
        home.mkdir()
        airflow_command.prepare(home, own)
        plan = set_up(lab, dag_file.folder(lab.workspace), top)
        process = airflow_command.begin(
            "script",
            [str(top / "dags" / "run.py"), str(plan)],
            top / "log",
            airflow_command.environment(home, top / "dags"),
            top,
            like=airflow_command.environment(own, dag_file.folder(lab.workspace)),
        )
        try:
            status = ready.wait(process, PATIENCE)
        except TimeoutError:
            raise NotRehearsed(
                f"It was not over after {PATIENCE} seconds. Is there something that never ends?"
            ) from None
        finally:
            airflow_command.stop(process)
        said = (top / "log").read_text(errors="replace")
        (own / "rehearsal.log").write_text(said[-MOST_LOG:], encoding="utf-8")
        if status or not (top / OUT).is_file():
            raise NotRehearsed("\n".join(said.strip().splitlines()[-6:]))
        found = json.loads((top / OUT).read_text())
    found["files"] = fingerprint(lab)
    (lab.workspace / FILE).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return of_student(lab)


def set_up(lab: checks.Lab, dags: Path, top: Path, only: Collection[str] | None = None) -> Path:
    """Copies a folder of DAGs into `top/dags`, with stand-ins for the steps, and writes what is to be rehearsed: all cases, or some.

    Returns:
        The file that `rehearsal/run.py` takes; what happened will be in `top/out.json`.
    """
    copy = top / "dags"
    shutil.copytree(dags, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in FOLDER.iterdir():
        if path.is_dir():
            continue
        shutil.copyfile(path, copy / path.name)
    (copy / "steps.json").write_text(json.dumps([*UPSTREAM]))
    (copy / ".airflowignore").write_text("steps.py\nrun.py\n")
    plan = {name: case.plan() for name, case in cases(lab.seed).items() if only is None or name in only}
    told = {"dag": dag_file.NAME, "dags": str(copy), "cases": plan, "out": str(top / OUT)}
    (top / "plan.json").write_text(json.dumps(told))
    return top / "plan.json"


def fingerprint(lab: checks.Lab) -> str:
    """Another text after each change of the student's files in the folder of DAGs."""
    digest = hashlib.sha256()
    for path in sorted(dag_file.folder(lab.workspace).rglob("*.py"))[:50]:
        name = path.relative_to(dag_file.folder(lab.workspace)).as_posix()
        if name != GIVEN:
            digest.update(f"{name}\n{workspace_files.text(lab, f'{DAGS}/{name}')}\n".encode())
    return digest.hexdigest()


class Rehearsal:
    """What a rehearsal has written down, with the types that it should have."""

    def __init__(self, found: dict[str, Any], plan: dict[str, Case]) -> None:
        """Raises KeyError, TypeError, ValueError or AttributeError where it is not as it should be."""
        self.plan = plan
        self.errors = {str(name): str(text) for name, text in found["errors"].items()}
        self.dags = [str(name) for name in found["dags"]]
        self.at_reading = [str(one["step"]) for one in found["at_reading"]["steps"]]
        self.alerts_at_reading = len(found["at_reading"]["alerts"])
        self.is_there = "dag" in found
        described = found.get("dag", {"tasks": {}, "max_active_runs": 0})
        self.tasks = {str(name): Task(str(name), one) for name, one in described["tasks"].items()}
        self.max_active_runs = int(described["max_active_runs"])
        self.zone = str(described.get("zone", "UTC"))
        self.runs = [str(one["after"]) for one in found.get("runs", [])]
        self.starts = [str(one["start"]) for one in found.get("runs", [])]
        self.cases = {name: Result(case, found["cases"][name]) for name, case in plan.items() if self.runs}

    def task_of(self, step: str) -> str | None:
        """The task that has started a step, in whichever case."""
        for case in self.cases.values():
            for one in case.steps:
                if one.step == step and one.task in self.tasks:
                    return one.task
        return None

    def closure(self, task: str) -> set[str]:
        """All tasks that a task waits for, near and far."""
        found: set[str] = set()
        near = list(self.tasks[task].needs)
        while near:
            one = near.pop()
            if one in self.tasks and one not in found:
                found.add(one)
                near += self.tasks[one].needs
        return found

    @property
    def sensors(self) -> list[Task]:
        """The tasks that are sensors."""
        return [task for task in self.tasks.values() if task.sensor]


class Task:
    """A task of the DAG as Airflow has it."""

    def __init__(self, name: str, found: dict[str, Any]) -> None:
        """From the record."""
        self.name, self.kind = name, str(found["kind"])
        self.needs = [str(one) for one in found["needs"]]
        self.retries, self.delay = int(found["retries"]), float(found["delay"])
        self.rule = str(found.get("rule", EVERY))
        self.sensor: dict[str, Any] | None = found["sensor"] and dict(found["sensor"])


class Step:
    """A step that was started."""

    def __init__(self, found: dict[str, Any]) -> None:
        """From the record."""
        self.step, self.month, self.run = str(found["step"]), str(found["month"]), str(found["run"])
        self.task, self.code = str(found["task"]), int(found["code"])


class Result:
    """What happened in a case."""

    def __init__(self, case: Case, found: dict[str, Any]) -> None:
        """From the record."""
        self.case, self.state, self.run = case, str(found["state"]), str(found.get("run", ""))
        self.states = {str(name): str(state) for name, state in found["tasks"].items()}
        self.steps = [Step(one) for one in found["steps"]]
        self.alerts = [str(one["text"]) for one in found["alerts"]]
        self.from_tasks = [str(one["text"]) for one in found["alerts"] if not one["callback"]]
        """Those alerts that a task has made by itself, while it ran."""
        self.broken = {str(one["task"]): f"{one['callback']}: {one['error']}" for one in found["broken"]}
        """For a task, which of its callbacks has raised, and what."""
        self.raised = {str(name): str(text) for name, text in found["raised"].items()}

    def tries(self, step: str) -> int:
        """How often a step was started."""
        return sum(one.step == step for one in self.steps)

    def started(self) -> list[str]:
        """The steps that were started, each once, in order."""
        return list(dict.fromkeys(one.step for one in self.steps))


def of_student(lab: checks.Lab) -> Rehearsal:
    """The rehearsal of the file as it is now.

    Raises:
        checks.Wrong: there is none, or the file has changed since.
    """
    if not workspace_files.inside(lab, f"{DAGS}/{dag_file.NAME}.py").is_file():
        raise checks.Wrong(
            f"There is no `dags/{dag_file.NAME}.py` yet. A cell that begins with `# dags/{dag_file.NAME}.py, part 1` becomes a part of it."
        )
    found = workspace_files.mapping(
        workspace_files.text(lab, FILE, "`lab.rehearse()` has Airflow read your file."), FILE
    )
    try:
        if found["files"] != fingerprint(lab):
            raise checks.Wrong("Your file is not the one that was rehearsed: run `lab.rehearse()` again.")
        return Rehearsal(found, cases(lab.seed))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise checks.Wrong(f"`{FILE}` is not as `lab.rehearse()` writes it: run that again.") from error
