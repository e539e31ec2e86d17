"""The pipeline of `flights` as a DAG: each month of 2013, one after the other, once its flights have arrived.

Airflow reads this file every half minute. FLIGHTS_AIRFLOW_PROJECT, if it is set, names a file with another project, or other settings; FLIGHTS_AIRFLOW_RETRIES says how often a
step that failed is tried again. With FLIGHTS_AIRFLOW_RETRAIN=1 a policy decides for each month whether the pipeline runs (`flights.retrain`); FLIGHTS_POLICY names its file.
"""

import os
from pathlib import Path

from engines.airflow.dag import make_dag
from engines.airflow.project import load
from flights.schedule import project

given = os.environ.get("FLIGHTS_AIRFLOW_PROJECT")
retrain = os.environ.get("FLIGHTS_AIRFLOW_RETRAIN") == "1"
settings = {"output_root": "out/pipelines/airflow"}
chosen = load(Path(given).read_text()) if given else project(settings, retrain=retrain)

dag = make_dag("flights", project=chosen, retries=int(os.environ.get("FLIGHTS_AIRFLOW_RETRIES", "2")))
