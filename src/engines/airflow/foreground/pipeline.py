"""The DAG of a run in the foreground (`engines.airflow.runner`): the project in ENGINES_PROJECT, under the name in ENGINES_DAG."""

import os
from pathlib import Path

from engines.airflow.dag import make_dag
from engines.airflow.project import load

if "ENGINES_DAG" in os.environ:
    # In the foreground somebody sees a failure, and need not wait for further tries.
    dag = make_dag(os.environ["ENGINES_DAG"], project=load(Path(os.environ["ENGINES_PROJECT"]).read_text()), retries=0)
