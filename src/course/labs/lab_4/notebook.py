"""What the notebook of lab 4 calls: a rehearsal, and Airflow's own command, both with few words."""

from __future__ import annotations

import calendar
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from course.checks.session import GRADED_AS, current
from course.labs.lab_4 import airflow_command, dag_file, run_states
from engines.airflow import ready
from engines.errors import MissingEngineError

PATIENCE = 240
"""Seconds that a rehearsal may take."""


def rehearse(month: int = 1, endings: Mapping[str, Sequence[int]] | None = None, late: str = "") -> None:
    """Has Airflow read `dags/my_flights.py` and run it for a month, with stand-ins for the steps; prints what happened.

    Nothing is learned, no file of the pipeline is touched, and pauses between two tries or two looks are left out.

    Args:
        month: whose run it is, 1 to 12; only its file is there.
        endings: how the tries of a step end, such as `{"Trainer": [-9, 0]}`: killed by signal 9, then well; the last goes for all that follow.
        late: the file is not there: `"comes"`, 50 minutes later, or `"never"`.
    """
    workspace = current().workspace
    if GRADED_AS in os.environ:
        print("Graded work is not rehearsed: the checks run it.")
        return
    if not dag_file.path(workspace).is_file():
        print(f"There is no dags/{dag_file.NAME}.py yet.")
        return
    case = {"month": month, "there": [] if late else [month], "endings": dict(endings or {}), "late": late}
    try:
        found = _rehearsed(workspace, case)
    except MissingEngineError as error:
        print(error)
    else:
        print("\n".join(lines(found, month)))


def _rehearsed(workspace: Path, case: dict[str, Any]) -> dict[str, Any]:
    from course.trials import dag

    home, dags = workspace / dag_file.HOME, dag_file.folder(workspace)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        top = Path(temporary)
        shutil.copytree(dags, top / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        (top / dag.PLAN).write_text(json.dumps({"dag": dag_file.NAME, "cases": {"own": case}}))
        with (home / "rehearsal.log").open("w") as said, open(os.devnull) as nothing:
            files = (nothing.fileno(), said.fileno(), said.fileno())
            process = dag.play([top], files, airflow_command.environment(home, dags))
        try:
            ready.wait(process, PATIENCE)
        except TimeoutError:
            return {"errors": {"(rehearsal)": f"it was not over after {PATIENCE} seconds"}, "dags": []}
        finally:
            airflow_command.stop(process)
        if not (top / dag.OUT).is_file():
            said = (home / "rehearsal.log").read_text(errors="replace").strip().splitlines()
            return {"errors": {"(rehearsal)": "\n".join(said[-6:])}, "dags": []}
        return json.loads((top / dag.OUT).read_text())


def lines(found: dict[str, Any], month: int = 1) -> list[str]:
    """What a rehearsal of the run for a month showed, in lines."""
    told = [f"{name}: {text}" for name, text in found["errors"].items()]
    if "runs" not in found and dag_file.NAME in found["dags"]:
        return [*told, f"Airflow has read the DAG {dag_file.NAME}, and could not make the form of it that it stores"]
    if "runs" not in found:
        return [*told, f"No DAG {dag_file.NAME} was found; there is: {', '.join(found['dags']) or 'none'}"]
    if not found["runs"]:
        return [*told, f"{len(found['tasks'])} tasks, and Airflow starts no run"]
    first, last = (f"{datetime.fromisoformat(found['runs'][at]):%-d %B %Y}" for at in (0, -1))
    told.append(f"{len(found['tasks'])} tasks, {len(found['runs'])} runs, the first on {first}, the last on {last}")
    case = found["cases"]["own"]
    started = [f"{one['step']} for {_month(one['month'])}" for one in case["steps"]]
    told += [f"run {case['run']}: {case['state']}"]
    lacks = run_states.left_out(month, found["tasks"], case["tasks"])
    told += [lacks] if lacks else []
    told += ["", "started, in order:"]
    told += [
        f"    {text}{f'  x{started.count(text)}' if started.count(text) > 1 else ''}" for text in dict.fromkeys(started)
    ]
    lost = [task for task, state in case["tasks"].items() if state == "upstream_failed"]
    told += [f"not started, for one before has failed: {', '.join(lost)}"] if lost else []
    quiet = ("success", "none", "upstream_failed")
    told += [f"{task}: {state}" for task, state in case["tasks"].items() if state not in quiet]
    told += [f"{task} raised {text.partition(';')[0][:200]}" for task, text in case["raised"].items()][:3]
    told += [f"{task} keeps its worker: {text}" for task, text in case["held"].items()]
    told += [f"alert: {one['text'][:110]}" for one in case["alerts"][:3]]
    return told + [f"{one['error'][:200]} ({one['callback']} of {one['task']})" for one in case["broken"][:2]]


def _month(text: str) -> str:
    return calendar.month_name[int(text)] if text.isdecimal() and 1 <= int(text) <= 12 else repr(text[:40])


def airflow(command: str) -> None:
    """Runs a command of Airflow in this lab's own AIRFLOW_HOME, `lab.airflow("dags list")`, and prints what it says.

    Of `dags test` and `tasks test`, which say a thousand lines, the tasks and their states are printed, and of one that fails the errors; the rest
    is in `airflow/last-command.log`. A command that waits for what does not come,
    such as a sensor for a month without a file, is stopped, and a sentence says what it waited for.
    """
    home = current().workspace / dag_file.HOME
    words = shlex.split(command.removeprefix("airflow "))
    is_test, told = words[1:2] == ["test"], []
    try:
        output = airflow_command.airflow(words, home, dag_file.folder(current().workspace))
    except (MissingEngineError, airflow_command.NotOverError) as error:
        output, told = "", [str(error)]
    runs = run_states.read(home / run_states.FILE) if words[:2] == ["dags", "test"] else []
    if runs:
        told = run_states.lines(runs[-1]) + told
    if is_test and not (runs and runs[-1].state == "success"):
        told += list(dict.fromkeys(line.strip()[:300] for line in output.splitlines() if ERROR.match(line)))[:4]
    print("\n".join(told or said(output)[-3 if is_test else 0 :]))


ERROR = re.compile(r"[A-Za-z_.]*(Error|Exception): ")
"""A line with the reason of a failure."""
NOISE = ("Could not import graphviz", "[info     ]", "[warning  ]", "[py.warnings]")
"""What Airflow says of itself."""


def said(output: str) -> list[str]:
    """The lines of a command's output, but for what Airflow says of itself; of a trace, the end."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not any(word in line for word in NOISE)]
    return lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines


def grid(folder: str | Path) -> None:
    """Prints what became of the runs in a folder with the answers of an Airflow: a row for each task, a column for each run, and the tries where there were several."""
    print("\n".join(run_states.grid(Path(folder) / run_states.FILE)))
