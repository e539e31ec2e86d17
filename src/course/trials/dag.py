"""Has Airflow read a folder `dags` and run a DAG in the cases of a plan, with stand-ins for the steps of the pipeline; leaves what happened in `out.json`.

The plan is JSON: `dag`, its id, and `cases` by name:

    month     of the run, 1 to 12
    there     the months whose files have come
    endings   for a step, how its tries end: an exit status each, or, negative, the signal that kills it; the last goes for all that follow
    late      what becomes of a month that is not there: `comes` (50 minutes later), or `never`; else the case ends when all that is left waits

Airflow's environment does it (`dag_runs/run.py`). Time that a task waits, for its next try or look, passes at once there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from course.labs.lab_4 import airflow_command, given
from engines.airflow import home as airflow_home
from engines.airflow import ready
from engines.errors import MissingEngineError

SCRIPTS = Path(__file__).with_name("dag_runs")
PLAN, OUT = "plan.json", "out.json"


def main(arguments: Sequence[str] = ()) -> int:
    """Does it in the folder in which this process works, for the plan that lies there; returns the exit status."""
    here = Path.cwd()
    try:
        return play([here]).wait()
    except MissingEngineError as error:
        print(error)
        return os.EX_UNAVAILABLE
    finally:
        shutil.rmtree(here / "home", ignore_errors=True)


def play(
    folders: Sequence[Path], files: Sequence[int] = (0, 1, 2), keep: Mapping[str, str] | None = None
) -> ready.Process:
    """Begins it in each folder, in one process of Airflow; `files` and `keep` are those of `ready.script`.

    Raises:
        MissingEngineError: there is no Airflow.
    """
    for folder in folders:
        stand_in(folder / "dags")
    home = folders[0] / "home"
    airflow_home.prepare(home, home / "dags")
    variables = airflow_command.environment(home, home / "dags")
    # No folder in which a student's file can write is one that the process imports from, and its database is in its memory.
    del variables["PYTHONPATH"]
    own = {"DATABASE__SQL_ALCHEMY_CONN": "sqlite://", "CORE__PLUGINS_FOLDER": str(SCRIPTS / "none")}
    own["CORE__HOSTNAME_CALLABLE"] = "socket.gethostname"  # the default looks the name up, for each task
    variables |= {f"AIRFLOW__{name}": value for name, value in own.items()}
    python = airflow_home.find_airflow().with_name("python")
    return ready.script(python, [str(SCRIPTS / "run.py"), *map(str, folders)], variables, files=files, keep=keep)


def stand_in(dags: Path) -> None:
    """Puts stand-ins into the place of `steps.py`."""
    for name in ("steps.py", "step.sh"):
        (dags / name).unlink(missing_ok=True)
    shutil.copyfile(SCRIPTS / "step.sh", dags / "step.sh")
    delivered = (given.TEMPLATES / "steps.py").read_text(encoding="utf-8")
    (dags / "steps.py").write_text(delivered + (SCRIPTS / "stand_in.py").read_text(encoding="utf-8"), encoding="utf-8")
    (dags / ".airflowignore").write_text("steps.py\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
