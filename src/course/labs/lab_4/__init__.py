"""Lab 4, Airflow: what its notebook calls.

given:           the steps of the package as commands, and a folder for Airflow
dag_file:        cells of the notebook become the file that Airflow reads
notebook:        a rehearsal of the DAG, Airflow's command, its grid: `course.trials.dag` runs a rehearsal, and the checks run the same on cases of their own
airflow_command: Airflow's command, stopped when it waits for what does not come
ask_airflow:     runs in Airflow's environment: writes what its REST API says of a DAG's runs
run_states:      reads that
"""
