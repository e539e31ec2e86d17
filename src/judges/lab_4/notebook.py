"""What the notebook of lab 4 calls: the rehearsal, and Airflow's own command, both with few words."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

from engines.errors import MissingEngineError
from judges.lab_4 import airflow_command, dag_file, rehearsed, run_states
from judges.lab_4.rehearsed import Rehearsal, Result


def rehearse() -> None:
    """Has Airflow read `dags/my_flights.py` and run it in seven cases, with stand-ins for the steps; prints what happened.

    It takes some seconds, the first time some twenty. Nothing is learned, and no file of the pipeline is touched. What happened is kept in `airflow/rehearsal.json` for the
    checks, the log of all cases in `airflow/rehearsal.log`.
    """
    from course.checks.session import current

    lab = current()
    if not dag_file.path(lab.workspace).is_file():
        print(f"There is no dags/{dag_file.NAME}.py yet.")
        return
    try:
        found = rehearsed.rehearse(lab)
    except MissingEngineError as error:
        print(error)
    except rehearsed.NotRehearsed as error:
        print(f"Airflow did not get to the end of the rehearsal. Its last words:\n{error}")
    else:
        print("\n".join(lines(found)))


def lines(found: Rehearsal) -> list[str]:
    """What a rehearsal showed, in lines."""
    told = [f"{name}: {text}" for name, text in found.errors.items()]
    if not found.is_there:
        return [*told, f"No DAG {dag_file.NAME} was found; there is: {', '.join(found.dags) or 'none'}"]
    if not found.runs:
        return [*told, f"{len(found.tasks)} tasks, and Airflow starts no run"]
    first, last = (f"{datetime.fromisoformat(found.runs[at]):%-d %B %Y}" for at in (0, -1))
    told.append(f"{len(found.tasks)} tasks, {len(found.runs)} runs, the first on {first}, the last on {last}")
    for result in found.cases.values():
        told += ["", result.case.title, *(f"    {line}" for line in case_lines(result))]
    return told


def case_lines(result: Result) -> list[str]:
    """What happened in a case."""
    again = [f"{step} x{result.tries(step)}" for step in result.started() if result.tries(step) > 1]
    told = [f"run: {result.state}; steps started: {len(result.started())}{', ' if again else ''}{', '.join(again)}"]
    short = {"failed", "up_for_reschedule", "up_for_retry", "deferred", "skipped"}
    told += [f"{task}: {state}" for task, state in result.states.items() if state in short]
    meant = bool(result.case.endings) or result.case.never
    told += [f"{task} raised {text}" for task, text in result.raised.items() if not meant][:2]
    told += [f"alert: {text[:110]}" for text in result.alerts[:3]]
    return (
        told + [f"{text[:200]} (a callback{f' of {task}' if task else ''})" for task, text in result.broken.items()][:2]
    )


def airflow(command: str) -> None:
    """Runs a command of Airflow in this lab's own AIRFLOW_HOME, `lab.airflow("dags list")`, and prints what it says.

    Of `dags test` and `tasks test`, which say a thousand lines, the tasks and their states are printed, and of one that fails the errors; the rest
    is in `airflow/last-command.log`. A command that waits for what does not come,
    such as a sensor for a month without a file, is stopped, and a sentence says what it waited for.
    """
    from course.checks.session import current

    home = current().workspace / dag_file.HOME
    words = shlex.split(command.removeprefix("airflow "))
    try:
        output = airflow_command.airflow(words, home, dag_file.folder(current().workspace))
    except MissingEngineError as error:
        print(error)
        return
    except airflow_command.NotOverError as error:
        told = run_states.latest(home) if words[:2] == ["dags", "test"] else []
        print("\n".join([*told, str(error)]))
        return
    if words[1:2] != ["test"]:
        print("\n".join(said(output)))
        return
    told = run_states.latest(home) if words[0] == "dags" else []
    if not told or not told[-1].endswith("success"):
        told += list(dict.fromkeys(line.strip()[:300] for line in output.splitlines() if ERROR.match(line)))[:4]
    print("\n".join(told or said(output)[-3:]))


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
