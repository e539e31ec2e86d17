"""What lab 4 delivers: two months, the package of lab 3, its steps as commands, a folder for Airflow, and what another month left behind."""

from __future__ import annotations

import sys
from pathlib import Path

from course import checks
from engines.airflow.project import Project
from engines.errors import MissingEngineError
from flights import schedule
from flights.data import month_path
from judges.lab_3 import months, solution_package
from judges.lab_4 import airflow_command, dag_file, failed_run_files, failed_runs

TEMPLATES = Path(__file__).with_name("templates")
PIPELINE, PACKAGE = "pipeline", "package"


def write(lab: checks.Lab) -> list[str]:
    """Writes everything into the workspace.

    Returns:
        A line for each folder: what is in it; first, where it is missing, how Airflow is got.
    """
    root = lab.workspace
    home, dags = root / dag_file.HOME, dag_file.folder(root)
    for number in months.GOOD:
        path = month_path(root / "months", number)
        path.parent.mkdir(parents=True)
        text = months.month(number).to_csv(index=False, float_format="%.2f", lineterminator="\n")
        path.write_text(text, encoding="utf-8")
    (root / PACKAGE).mkdir()
    solution_package.write(root / PACKAGE)
    dags.mkdir(parents=True)
    project(root).save(home / "project.json")
    (home / "step.py").write_text(_filled("step.py", root), encoding="utf-8")
    (dags / "steps.py").write_text(_filled("steps.py", root), encoding="utf-8")
    failed_run_files.write(root, lab.seed)
    return [
        *_airflow(home),
        "months/span-01, span-02: January and February, 2,000 flights each",
        "package/my_flights: the package that lab 3 builds",
        "airflow/: AIRFLOW_HOME of this lab, with its database, and a folder dags/ in which steps.py lies",
        f"{failed_runs.FOLDER}/: what the Airflow of another installation says of its runs, its logs and alerts (task 5)",
    ]


def project(root: Path) -> Project:
    """Which pipeline the steps are of, with its settings."""
    return schedule.project(
        pipeline="my_flights.pipeline:create_pipeline",
        config="my_flights.config:Config",
        python_path=(str(root / PACKAGE),),
        settings={"data_root": str(root / "months"), "output_root": str(root / PIPELINE)},
    )


def _filled(name: str, root: Path) -> str:
    """A file with this machine's places in it."""
    home = root / dag_file.HOME
    places = {
        "MONTHS": root / "months",
        "ALERTS": home / "alerts.log",
        "PYTHON": sys.executable,
        "STEP": home / "step.py",
        "PACKAGE": root / PACKAGE,
        "PROJECT": home / "project.json",
    }
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    for place, path in places.items():
        text = text.replace(f"@{place}@", str(path))
    return text


def _airflow(home: Path) -> list[str]:
    """Makes Airflow's database; a sentence where there is no Airflow."""
    try:
        airflow_command.prepare(home)
    except MissingEngineError as error:
        return [str(error)]
    return []
