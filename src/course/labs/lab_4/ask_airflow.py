"""Writes what Airflow's stable REST API says of the runs of a DAG: `.airflow/bin/python ask_airflow.py DAG OUT.json`. It imports nothing of the course."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engines.airflow.rest import PAGE, Api


def answers(dag: str) -> dict[str, list[dict[str, Any]]]:
    """The entries of the lists `dagRuns` and `taskInstances`, the oldest run first."""
    api, path = Api(), f"/dags/{quote(dag, safe='')}/dagRuns"
    runs = (api.get(f"{path}?limit={PAGE}&order_by=id") or {"dag_runs": []})["dag_runs"]
    tasks = []
    for run in runs:
        own = api.get(f"{path}/{quote(run['dag_run_id'], safe='')}/taskInstances?limit={PAGE}")
        tasks += own["task_instances"] if own else []
    return {"dag_runs": runs, "task_instances": tasks}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answers(sys.argv[1])))
