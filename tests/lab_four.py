"""Lab 4 for its tests: a student's lab in a folder, DAG files, right and wrong, and what tells of runs, made without TFX."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lab_three

from course import checks
from judges.lab_3 import metadata_store
from judges.lab_4 import airflow_command, check_runs, dag_file, rehearsed, run_states
from judges.lab_4.cases import UPSTREAM, cases
from tools.labs import source
from tools.notebooks import form

LAB = "lab-4-airflow"
STORE = "pipeline/metadata.sqlite"


def lab(folder: Path, student: str = "student-1") -> checks.Lab:
    """A student's lab with an empty workspace, but for the folder of DAGs."""
    workspace = folder / student / LAB
    dag_file.folder(workspace).mkdir(parents=True)
    return checks.Lab(LAB, student, workspace)


def evaluate(lab: checks.Lab, task: str, **answers: Any) -> tuple[float, str]:
    """Points and message. A check that breaks is no outcome."""
    outcome = checks.evaluate(lab, task, answers)
    assert outcome.state not in ("check failed", "not answered yet"), outcome.message
    return outcome.points, outcome.message


def solution() -> str:
    """The DAG file that the solution of the lab makes."""
    parts: dict[int, str] = {}
    for cell in form.read(source.notebook(LAB)).cells:
        if found := dag_file.HEADING.match(cell.source):
            parts[int(found[1])] = "\n".join(
                line for line in cell.source.splitlines() if not dag_file.MARKER.match(line)
            )
    return "\n\n\n".join(parts[number] for number in sorted(parts)) + "\n"


def edited(*edits: tuple[str, str]) -> str:
    """The solution with other text in some places, each of which is there."""
    text = solution()
    for old, new in edits:
        assert old in text, f"the solution has no {old!r} any more: change the test"
        text = text.replace(old, new)
    return text


def rehearse(
    lab: checks.Lab, texts: dict[str, str], folder: Path, only: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """Has Airflow rehearse files, one after the other in one process; returns what was written down of each.

    Args:
        lab: whose cases.
        texts: the files.
        folder: an empty one.
        only: for a file, the cases that are played; the others are as those of the first file.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    airflow_command.prepare(home)
    plans = []
    for name, text in texts.items():
        top = folder / re.sub(r"\W", "-", name)
        (top / "given").mkdir(parents=True)
        (top / "given" / f"{dag_file.NAME}.py").write_text(text)
        plans.append(rehearsed.set_up(lab, top / "given", top, only.get(name)))
    script = str(plans[0].parent / "dags" / "run.py")
    done = subprocess.run(
        [airflow_command.python(), script, *map(str, plans)],
        env=airflow_command.environment(home, folder / "none"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    found = {
        name: json.loads((plan.parent / rehearsed.OUT).read_text()) for name, plan in zip(texts, plans, strict=True)
    }
    first = next(iter(found.values()))
    return {
        name: one | {"cases": first["cases"] | one["cases"]} if "cases" in one else one for name, one in found.items()
    }


def put(lab: checks.Lab, text: str, found: dict[str, Any]) -> None:
    """Puts a file and what was written down of its rehearsal into the workspace."""
    dag_file.path(lab.workspace).write_text(text)
    found = found | {"files": rehearsed.fingerprint(lab)}
    (lab.workspace / rehearsed.FILE).write_text(json.dumps(found))


def played() -> dict[str, Any]:
    """A record in which each step has a task of its name, for tests that are of something else."""
    steps = [{"step": step, "month": "1", "run": "a", "task": step, "code": 0} for step in UPSTREAM]
    case = {"state": "success", "tasks": {}, "raised": {}, "steps": steps, "alerts": [], "broken": []}
    tasks = {step: {"kind": "X", "needs": [], "retries": 1, "delay": 60, "sensor": None} for step in UPSTREAM}
    return {
        "errors": {},
        "dags": [dag_file.NAME],
        "at_reading": {"steps": [], "alerts": []},
        "dag": {"max_active_runs": 1, "tasks": tasks},
        "runs": [{"after": "2013-02-01", "start": "2013-01-01"}],
        "cases": dict.fromkeys(cases(0), case),
    }


class Databases:
    """What tells of real runs: the pipeline's metadata store as TFX records it, and what Airflow's API says."""

    def __init__(self, lab: checks.Lab) -> None:
        """Begins both."""
        self.lab, self.store = lab, lab_three.Store(lab)
        put(lab, "# a DAG\n", played())
        self.path = lab.workspace / dag_file.HOME / run_states.FILE
        self.answers: dict[str, list[dict[str, Any]]] = {"dag_runs": [], "task_instances": []}

    def run(
        self,
        state: str = "success",
        tasks: dict[str, str] | None = None,
        name: str = "",
        later: float = 0,
        resolver: bool = True,
        **how: Any,
    ) -> None:
        """A run in both: `tasks` are states that differ from success, `later` seconds by which Airflow's clock is off."""
        if resolver:  # early in the run that is to come
            self.store.runs += 1
            self.store.execute("LatestBlessedModel")
            self.store.runs -= 1
        self.store.run(**how)
        begun = check_runs._begun(self.lab, STORE)
        found = metadata_store.read(self.lab.workspace / STORE).executions
        ends = {one.node: begun[one.id] for one in found if one.run == f"run-{self.store.runs}"}
        name = name or f"run-{self.store.runs}"
        own = {"dag_id": dag_file.NAME, "dag_run_id": name}
        self.answers["dag_runs"].append(own | {"state": state, "data_interval_start": "2013-01-01T00:00:00Z"})
        for step in UPSTREAM:
            end = (ends.get(step, datetime.now(UTC)) + timedelta(seconds=later)).isoformat()
            told = {"task_id": step, "state": (tasks or {}).get(step, "success"), "try_number": 1}
            self.answers["task_instances"].append(own | told | {"start_date": None, "end_date": end})
        self.path.write_text(json.dumps(self.answers))

    def judge(self) -> tuple[float, str]:
        """What the check says."""
        return evaluate(self.lab, "run", store=STORE)
