"""Lab 4, Airflow. Its tasks are in `lab_4_airflow`.

What it gives to the student:
    given:            two months, the package of lab 3, its steps as commands, a folder for Airflow
    failed_runs:      three months of another installation that failed, drawn by the student's seed
    failed_run_files: what those have left: what Airflow's API said, the log of each try, the alerts
    notebook:         what the notebook calls: the rehearsal, and Airflow's own command
    dag_file:         cells of the notebook become the file that Airflow reads

What the checks share:
    cases:           for which month a DAG is rehearsed, which files are there, and how steps end
    rehearsed:       has the DAG rehearsed by Airflow (`rehearsal/`), and reads what was written down of it
    airflow_command: Airflow's environment and its command
    ask_airflow:     runs in that environment: writes what Airflow's REST API says of a DAG's runs
    run_states:      reads that

The checks:
    check_dag:      task 1: tasks, order, schedule
    check_failures: tasks 2 and 3: what fails, and a month that has not come
    check_runs:     task 4: two months for real
"""
