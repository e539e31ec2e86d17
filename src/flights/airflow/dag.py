"""The DAG: made of the pipeline's graph, with a sensor before it. For Airflow's environment; it imports no TFX."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pendulum
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.models import DAG, BaseOperator
from airflow.models.param import Param
from airflow.sensors.base import BaseSensorOperator
from airflow.utils.context import Context
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType

from flights.airflow import alerts, graph
from flights.airflow.project import ROOT, YEAR, Project, ProjectError
from flights.runners.common import end_with_parent, last_words

BAD_DATA, SKIPPED = os.EX_DATAERR, 99
"""Exit statuses of `flights.airflow.step`, which cannot be imported for them: what it does needs TFX."""

LAST_LINES = 200
"""Of what a step prints, so many lines are searched for the reason of its failure."""

MONTHS = Param(
    "",
    type="string",
    title="Months",
    pattern=r"^\s*((\d{1,2}-)?\d{1,2})?\s*$",
    description="3, or 1-3: the last is judged, those before it are learned from. A scheduled run takes the month of its logical date.",
)


DOC = f"""
**What it does.** For each month of {YEAR}: waits for its flights, learns from the months before it, judges the candidate on the month itself and against the
model in service, and pushes it if it is blessed. A task is a node of the TFX pipeline.

**Start it** with the switch on the left: the months that have passed are run one after the other. Or trigger one run with the
arrow on the right, and name its months in the form.

**When a task has failed**, its log ends with the reason. Mend it, and clear the task: it is run again, and what follows it. `alerts.log` in AIRFLOW_HOME
has a line for each. Bad data are not tried again by themselves; anything else is.
"""
"""What the web page shows under "DAG Docs"."""


def make_dag(
    dag_id: str,
    *,
    pipeline: str = Project.pipeline,
    config: str = Project.config,
    python_path: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    history: int = Project.history,
    retries: int = 2,
    retry_delay: datetime.timedelta = datetime.timedelta(seconds=30),
    project: Project | None = None,
) -> DAG:
    """A DAG that runs a pipeline for each month of the data, one month after the other.

    Args:
        dag_id: its name in Airflow.
        pipeline: `module:function`, which makes the `tfx.dsl.Pipeline` of a configuration.
        config: `module:class` of the configuration.
        python_path: folders with packages that are not installed.
        settings: fields of the configuration that differ from its defaults.
        history: how many months before the month itself are learned from, at most.
        retries: how often a step that failed is tried again, unless its data are bad.
        retry_delay: before that.
        project: instead of all that says which pipeline is run.

    Raises:
        ProjectError: the pipeline cannot be made. The web page shows it above the list of DAGs.
    """
    project = project or Project(pipeline, config, tuple(python_path), settings or {}, history)
    with DAG(
        dag_id,
        description=f"{project.pipeline} for each month, once its flights have arrived",
        schedule="@monthly",
        start_date=pendulum.datetime(YEAR, 1, 1, tz="UTC"),
        end_date=pendulum.datetime(YEAR, 12, 31, tz="UTC"),
        catchup=True,
        # A month is held against the model of the one before it; and the metadata store is an SQLite file, for one writer.
        max_active_runs=1,
        max_active_tasks=1,
        params={"months": MONTHS},
        default_args={
            "retries": retries,
            "retry_delay": retry_delay,
            "on_failure_callback": alerts.tell,
            "execution_timeout": datetime.timedelta(hours=1),
        },
        doc_md=DOC,
        tags=["tfx"],
    ) as dag:
        wait = MonthSensor(
            task_id="wait_for_month",
            project=project,
            mode="reschedule",  # between two looks it holds no worker
            poke_interval=30,
            timeout=datetime.timedelta(days=7).total_seconds(),
            retries=0,
        )
        steps = add_steps(project)
        wait >> [step for step in steps.values() if not step.upstream_list]
    return dag


def add_steps(project: Project) -> dict[str, StepOperator]:
    """A task for each node of the pipeline, joined as the nodes are; call it within a `with DAG(...)`.

    Raises:
        ProjectError: the pipeline cannot be made.
    """
    found = graph.read(project)
    steps = {node: StepOperator(task_id=node, project=project) for node in found.upstream}
    for node, before in found.upstream.items():
        steps[node].set_upstream([steps[one] for one in before])
    return steps


class StepOperator(BaseOperator):
    """Runs the node that has the task's name, in a process of the course's environment."""

    ui_color = "#e8f0fb"

    def __init__(self, *, project: Project, node: str = "", **kwargs: Any) -> None:
        """Keeps what is to be run.

        Args:
            project: the pipeline.
            node: its node; without one, that with the name of the task.
            kwargs: as of any operator of Airflow.
        """
        super().__init__(**kwargs)
        self.project, self.node = project, node or self.task_id
        self._process: subprocess.Popen | None = None

    def pre_execute(self, context: Context) -> None:
        """Opens the log."""
        _log_to_file(context)

    def execute(self, context: Context) -> str:
        """Runs the step, and logs what it prints.

        Returns:
            `done` or `cached`.

        Raises:
            AirflowFailException: the data are bad, or the months: no retry would help.
            AirflowSkipException: the node need not run.
            AirflowException: anything else; the message is the reason that the step gave.
        """
        command = self.command(context)
        self.log.info("%s", " ".join(command))
        said: deque[str] = deque(maxlen=LAST_LINES)
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=graph.environment(self.project),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=end_with_parent,
        )
        for line in self._process.stdout:
            self.log.info("%s", line.rstrip())
            said.append(line)
        return self._judge(self._process.wait(), "".join(said))

    def command(self, context: Context) -> list[str]:
        """What is run, for the months and the run of this context."""
        first, last = _months(self.project, context)
        project = Path(os.environ["AIRFLOW_HOME"]) / "projects" / f"{self.dag_id}.json"
        self.project.save(project)
        return [
            *(graph.python(), "-m", "flights.airflow.step", self.node),
            *("--run", context["run_id"], "--months", f"{first}-{last}", "--project", str(project)),
        ]

    def _judge(self, status: int, said: str) -> str:
        if status == 0:
            return said.strip().rpartition(": ")[2]
        if status == SKIPPED:
            raise AirflowSkipException(f"{self.node} need not run.")
        if status < 0:
            raise AirflowException(f"{self.node} was killed by signal {-status}.")
        kind = AirflowFailException if status == BAD_DATA else AirflowException
        raise kind(f"{self.node} failed: {last_words(said)}")

    def on_kill(self) -> None:
        """Ends the step with its task."""
        if self._process and self._process.poll() is None:
            self._process.kill()


class MonthSensor(BaseSensorOperator):
    """Waits until the file of the run's last month has arrived; fails if the month before it did not go well."""

    ui_color = "#fdf3dc"

    def __init__(self, *, project: Project, **kwargs: Any) -> None:
        """Keeps whose month is waited for.

        Args:
            project: says where the months are.
            kwargs: as of any sensor of Airflow.
        """
        super().__init__(**kwargs)
        self.project = project

    def pre_execute(self, context: Context) -> None:
        """Opens the log."""
        _log_to_file(context)

    def poke(self, context: Context) -> bool:
        """One look.

        Raises:
            AirflowFailException: the run of the month before has failed, or there is no such month.
        """
        _require_previous(context)
        _, last = _months(self.project, context)
        found = self.project.file_of(last)
        self.log.info("Month %d: %s", last, found or f"not in {self.project.data_root} yet")
        return found is not None


def _log_to_file(context: Context) -> None:
    """Airflow's own place for the log of a task; without this, `airflow dags test` would show what tasks say, and keep nothing of it."""
    context["ti"].init_run_context()


def _months(project: Project, context: Context) -> tuple[int, int]:
    try:
        return project.months(context["logical_date"], context["params"].get("months") or "")
    except ProjectError as error:
        raise AirflowFailException(str(error)) from None


def _require_previous(context: Context) -> None:
    """Fails when the scheduled run of the month before has failed: a month is held against the model of the one before it.

    Airflow's own `depends_on_past` would wait instead; with one active run at a time the one that waits would keep the failed one, once
    it is mended and cleared, from ever starting.
    """
    run = context["dag_run"]
    if run.run_type == DagRunType.MANUAL:
        return
    previous = run.get_previous_scheduled_dagrun(run.id)
    if previous and previous.state == DagRunState.FAILED:
        month = f"{previous.logical_date:%Y-%m}"
        raise AirflowFailException(
            f"The run of {month} has failed. Mend what it says, clear its failed task, and when it has succeeded, clear this one."
        )
