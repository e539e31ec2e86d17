"""Lab 4, Airflow. Its tasks are in `lab_4_airflow`.

What it gives to the student:
    nights:         three runs of another installation that failed, drawn by the student's seed
    night_files:    what those have left: what Airflow's API said, the log of each try, the alerts

What the checks share:
    cases:          in which cases a student's DAG is run: months, files that are there, how steps end
    dag_trial:      has Airflow run the DAG in them (`course.trials.dag`), and reads what came of it

The checks:
    check_dag:      task 1: tasks, order, schedule
    check_failures: tasks 2 and 3: what fails, and a month that has not come
    check_runs:     task 4: two months for real, by what Airflow and the metadata store tell of them
    check_nights:   task 5: what failed, why, and what is cleared
"""
