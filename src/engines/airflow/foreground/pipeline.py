"""The DAG of a run in the foreground (`engines.airflow.runner`): the project in ENGINES_PROJECT, under the name in ENGINES_DAG."""

import os
from pathlib import Path

from engines.airflow import alerts, ended
from engines.airflow.dag import make_dag
from engines.airflow.project import load

if "ENGINES_DAG" in os.environ:
    # In the foreground somebody sees a failure, and need not wait for further tries.
    dag = make_dag(os.environ["ENGINES_DAG"], project=load(Path(os.environ["ENGINES_PROJECT"]).read_text()), retries=0)
    for task in dag.tasks:
        task.on_success_callback = [ended.succeeded]
        task.on_failure_callback = [alerts.tell, ended.failed]
