"""Airflow runs the pipeline: a task for each of its nodes, one span of the data after the other.

Two environments
    Airflow has one of its own, `.airflow` (`make airflow-environment`), with Airflow 3.3 and nothing else: no TFX, no pandas. It reads this
    package from `src/`. The steps run in the environment that has TFX, `.venv`, each as a process. So the file with the DAG stays light,
    as the scheduler wants it, which reads it every half minute; and neither side forces its versions on the other.

What is imported where
    module                        imported in    holds
    engines.airflow.project       both           `Project`: which pipeline, with which settings; `load`, `save`
    engines.airflow.calendar      both           `Calendar`: which spans of data there are, and when
    engines.airflow.graph         both           `read(project) -> Graph`: the nodes in order, and for each those that it waits for
    engines.airflow.dag           .airflow       `make_dag`, and what it is made of: `SpanSensor`, `StepOperator`, `add_steps`
    engines.airflow.alerts        .airflow       `tell`, for `on_failure_callback`
    engines.airflow.logs          both           where the log of a task is, what it says, why the task failed
    engines.airflow.ended         both           what has become of each task, as callbacks are told, for who waits for a run
    engines.airflow.rest          .airflow       Airflow's REST API, asked in a process, without a server
    engines.airflow.home          both           runs Airflow's command: `airflow(...)`, `environment(...)`; what became of a DAG's runs: `task_runs`
    engines.airflow.ready         .venv          keeps a process that has imported Airflow, for commands that are asked of one AIRFLOW_HOME
    engines.airflow.preloaded     .airflow       what that process imports
    engines.airflow.command       .airflow       what its forks do: Airflow's command, a question to the REST API, a script
    engines.airflow.step          .venv          `python -m engines.airflow.step`: one node of the pipeline, in a process
    engines.airflow.runner        .venv          `run(config, create_pipeline, calendar, report)`: one DAG run, in the foreground

A DAG in one call, in a file of Airflow's folder `dags`

    from engines.airflow.calendar import Calendar
    from engines.airflow.dag import make_dag

    dag = make_dag(
        "my-pipeline",
        pipeline="my_project.pipeline:create_pipeline",   # called with the configuration, gives a tfx.dsl.Pipeline
        config="my_project.config:Config",                # called with months=..., and the settings
        calendar=Calendar("months", "month", start="2013-01-01", first=1, last=12, files="span-{span:02d}/*.csv"),
        python_path=["/folder/that/holds/my_project"],    # goes to the steps' PYTHONPATH
        settings={"data_root": "...", "output_root": "..."},  # fields of the Config other than `months`; folders are relative to the repository
        history=3,          # months before the month itself that are learned from, at most
        decide="my_project.retrain:on_schedule",    # optional: asked before the pipeline whether it is to run (`engines.deciding`)
        conclude="my_project.retrain:on_end",       # optional: told when it has come to its end
        retries=2, retry_delay=timedelta(seconds=30),
    )

or by hand, from its parts, as any DAG of Airflow

    project = Project(pipeline=..., config=..., calendar=..., python_path=(...), settings={...}, history=3)
    monthly = CronDataIntervalTimetable("@monthly", timezone="UTC")   # of airflow.sdk, as DAG is
    with DAG("my-pipeline", schedule=monthly, start_date=datetime(2013, 1, 1), end_date=datetime(2013, 12, 1), catchup=True,
             max_active_runs=1, max_active_tasks=1,
             default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "on_failure_callback": alerts.tell}) as dag:
        wait = SpanSensor(task_id="wait_for_month", project=project, mode="reschedule", poke_interval=30, timeout=7 * 24 * 3600)
        steps = add_steps(project)          # {"CsvExampleGen": StepOperator, ...}, joined as the nodes of the pipeline are
        wait >> [step for step in steps.values() if not step.upstream_list]

    Task ids are the ids of the nodes (`CsvExampleGen`, `DataGate`, ...), `wait_for_month`, and `decide` and `conclude` where there are such. `make_dag` puts
    the sensor, and `decide` after it, before every node that waits for no other. Where it is decided that the pipeline does not run, all that follows is
    skipped, and the run has succeeded; the XCom `decision` of `decide` has the reason. The graph comes from the pipeline: `.venv` writes it once, and anew when a source file of the
    package changed, into `AIRFLOW_HOME/graphs/` (ten seconds).

Which spans a run reads (here: months)
    The month of its logical date, by the calendar: that month is judged, and up to `history` months before it are learned from. The first
    is on its own. A run that is triggered by hand may say others: its parameter `months`, `"4"` or
    `"1-3"`; a logical date outside the calendar without it fails at once, in a sentence. `wait_for_month` waits for the file of the last month,
    and fails at once if the scheduled run of the month before has failed: what to do is to mend that one, clear it, then clear
    this one. (Airflow's own `depends_on_past` with one active run would lock itself up: the waiting run would keep the cleared one from starting.)

The command of a step, in `.venv`
    python -m engines.airflow.step NODE --run RUN_ID --months 1-3 --project PROJECT.json
    Exit status: 0; 65 the data are bad (`engines.errors.BadData`): another try would fail as well, so the task fails
    at once, without its retries; 99 the node need not run; 1 anything else. The last line that begins with the name of an error is the reason.
    A step has the pipeline's folder for itself (`OUTPUT_ROOT/.lock`): another one waits. So what it finds unfinished in the metadata store was
    killed, and is put in order before it begins.
    RUN_ID is Airflow's, the same for all tasks of a DAG run, and TFX's pipeline run id. A node that is run again in a DAG run, by a retry or because
    its task was cleared, has its second execution in a pipeline run of its own, `RUN_ID.2`, and reads what those before it made last.
    The pipeline is compiled once for all steps of a run, into `OUTPUT_ROOT/airflow/compiled`, and anew for a node that is run again.

Environment variables
    AIRFLOW_HOME             Airflow's folder, `out/airflow` for `make airflow`, `OUTPUT_ROOT/airflow` for a run in the foreground
    ENGINES_PYTHON           the interpreter of the steps, instead of `.venv/bin/python` of the repository
    ENGINES_AIRFLOW          the folder of Airflow's environment, instead of `.airflow`

Running it
    make airflow                                                     # `airflow standalone` on 127.0.0.1, until Ctrl-C
    engines.airflow.runner.run(config, create_pipeline, calendar)    # one DAG run, in the foreground
    python -m engines.airflow.home --home HOME --dags FOLDER dags list-import-errors      # any command of Airflow, `standalone` among them
    home.airflow("dags", "test", "my-pipeline", "2013-02-01", home=HOME, dags=FOLDER)      # the same, from Python

What a run leaves in AIRFLOW_HOME
    airflow.db      SQLite, for Airflow alone. `home.task_runs(HOME, dag_id)` asks Airflow's REST API: a `TaskRun` for each task of each run, with
                    dag, run, month, run_state, task, state, tries, ended, seconds, result, log. States: success, failed, up_for_retry, up_for_reschedule, upstream_failed, ...
    logs/           dag_id=D/run_id=R/task_id=T/attempt=N.log, JSON, an object a line; `logs.said(log)` gives its lines, `logs.reason(log)` the error
    ended.jsonl     what has become of each task of the latest run in the foreground
    alerts.log      a line for each task that failed for good: time | DAG | task | month | reason | log
    graphs/         the graph of each pipeline, JSON
    simple_auth_manager_passwords.json.generated   of `make airflow`
"""
