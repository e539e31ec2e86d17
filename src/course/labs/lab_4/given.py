"""What depends on where the lab is: the steps of `my_flights` as commands, their settings, and Airflow's folder."""

from __future__ import annotations

import sys
from pathlib import Path

from course.labs.lab_4 import dag_file
from engines.airflow import home as airflow_home
from engines.errors import MissingEngineError
from flights import schedule

TEMPLATES = Path(__file__).with_name("templates")
PACKAGE = "package"


def prepare(root: Path) -> list[str]:
    """Writes it into the workspace.

    Returns:
        Lines that say what; among them, where it is missing, how Airflow is got.
    """
    home, dags = root / dag_file.HOME, dag_file.folder(root)
    dags.mkdir(parents=True, exist_ok=True)
    settings = {"data_root": str(root / "months"), "output_root": str(root / "pipeline")}
    node = {"pipeline": "my_flights.pipeline:create_pipeline", "config": "my_flights.config:Config"}
    schedule.project(**node, python_path=(str(root / PACKAGE),), settings=settings).save(home / "project.json")
    places = {
        "MONTHS": root / "months",
        "ALERTS": home / "alerts.log",
        "PYTHON": sys.executable,
        "STEP": home / "step.py",
        "PACKAGE": root / PACKAGE,
        "PROJECT": home / "project.json",
    }
    for path in (home / "step.py", dags / "steps.py"):
        text = (TEMPLATES / path.name).read_text(encoding="utf-8")
        for place, found in places.items():
            text = text.replace(f"@{place}@", str(found))
        path.write_text(text, encoding="utf-8")
    told = "airflow/: AIRFLOW_HOME of this lab, with its database, and a folder dags/ in which steps.py lies"
    try:
        airflow_home.prepare(home, dags)
    except MissingEngineError as error:
        return [told, str(error)]
    return [told]
